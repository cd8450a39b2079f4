//! Laws of every macaroon, in every format and with third-party caveats.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use token_core::{
    Caveat, CaveatKey, CaveatNonce, Context, DecodeOptions, Encoding, Format, Macaroon, RootKey, UnixTime,
    Verifier, VerifyError,
};
use token_test::{SplitMix64, bit_flips, text, truncations};

use crate::{
    peer::{Plan, Spec},
    strategies::{Damage, caveat, damage, facts, predicate},
};

const FORMATS: [Format; 3] = [Format::V1, Format::V2, Format::V2J];

struct Request {
    plan: Plan,
    root: Macaroon,
    discharges: Vec<Macaroon>,
}

impl Request {
    fn random(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let plan = Plan::random(&mut random);
        let (root, discharges) = plan.make(&mut random);
        Self { plan, root, discharges }
    }

    fn all(&self) -> impl Iterator<Item = &Macaroon> {
        [&self.root].into_iter().chain(&self.discharges)
    }

    fn verify(&self, root: &Macaroon, discharges: &[Macaroon]) -> Result<(), VerifyError> {
        let exact: Vec<&[u8]> = self.plan.exact().into_iter().map(str::as_bytes).collect();
        let context = Context::at(UnixTime::MAX);
        let key = RootKey::derive_any(&self.plan.root.secret);
        Verifier::new(&context).exact(&exact).verify_with(root, discharges, &key).map(drop)
    }
}

fn read(bytes: &[u8]) -> Option<(Macaroon, Format)> {
    Macaroon::from_bytes(bytes, &DecodeOptions::default()).ok()
}

type Fields = (Vec<u8>, Vec<u8>, Vec<[Vec<u8>; 3]>, [u8; 32]);

/// Every field, unsigned ones included.
fn fields(macaroon: &Macaroon) -> Fields {
    let caveats = macaroon.caveats().map(|caveat| match caveat {
        Caveat::FirstParty { predicate } => [predicate, &[], &[]].map(<[u8]>::to_vec),
        Caveat::ThirdParty { identifier, vid, location } => [identifier, vid, location].map(<[u8]>::to_vec),
    });
    let signature = *macaroon.signature().expose();
    (macaroon.location().to_vec(), macaroon.identifier().to_vec(), caveats.collect(), signature)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read_and_written_again(seed in any::<u64>()) {
        let request = Request::random(seed);
        for macaroon in request.all() {
            for format in FORMATS {
                let bytes = macaroon.to_bytes(format).unwrap();
                let (again, found) = read(&bytes).unwrap();
                prop_assert_eq!(found, format);
                prop_assert_eq!(fields(&again), fields(macaroon));
                prop_assert_eq!(again.to_bytes(format).unwrap(), bytes);
                for encoding in [Encoding::Base62, Encoding::Base64Url, Encoding::Base64] {
                    let text = macaroon.to_text(format, encoding).unwrap();
                    let (again, spelling) = Macaroon::from_text(&text, &DecodeOptions::default()).unwrap();
                    prop_assert_eq!(spelling.format, format);
                    prop_assert_eq!(fields(&again), fields(macaroon));
                    prop_assert_eq!(again.spell(spelling).unwrap(), text);
                }
            }
        }
    }

    #[test]
    fn conversion_keeps_what_is_signed(seed in any::<u64>(), order in vec(0..3_usize, 1..6)) {
        let request = Request::random(seed);
        let convert = |macaroon: &Macaroon| {
            order.iter().fold(macaroon.clone(), |macaroon, format| {
                read(&macaroon.to_bytes(FORMATS[*format]).unwrap()).unwrap().0
            })
        };
        let root = convert(&request.root);
        let discharges: Vec<Macaroon> = request.discharges.iter().map(convert).collect();
        prop_assert_eq!(fields(&root), fields(&request.root));
        prop_assert_eq!(request.verify(&root, &discharges), Ok(()));
    }

    #[test]
    fn the_order_of_discharges_does_not_matter(seed in any::<u64>(), swaps in vec(any::<(usize, usize)>(), 1..8), lost in any::<bool>()) {
        let mut request = Request::random(seed);
        if lost {
            request.discharges.pop();
        }
        let answer = request.verify(&request.root, &request.discharges);
        let mut discharges = request.discharges.clone();
        if !discharges.is_empty() {
            let len = discharges.len();
            swaps.iter().for_each(|(a, b)| discharges.swap(a % len, b % len));
        }
        let again = request.verify(&request.root, &discharges);
        prop_assert_eq!(again.is_ok(), answer.is_ok());
        prop_assert_eq!(lost && !request.plan.discharges.is_empty(), answer.is_err());
    }

    /// Everything a holder adds, a predicate or a third party's consent, is one more condition.
    #[test]
    fn attenuation_narrows(
        kept in vec(predicate(), 0..3),
        consents in vec(vec(predicate(), 0..2), 0..3),
        more in vec(prop_oneof![caveat().prop_map(Ok), vec(predicate(), 0..2).prop_map(Err)], 1..4),
        facts in facts(),
    ) {
        let key = RootKey::from_derived([7; 32]);
        let mut discharges = Vec::new();
        let mut third = |macaroon: &mut Macaroon, conditions: &[String]| {
            let number = u8::try_from(discharges.len()).unwrap();
            let caveat_key = CaveatKey::from_derived([number; 32]);
            macaroon.add_third_party("", &[number], &caveat_key, CaveatNonce::from_random([number; 24])).unwrap();
            let mut discharge = Macaroon::discharge(&caveat_key, "", &[number]).unwrap();
            conditions.iter().for_each(|it| discharge.attenuate(it).unwrap());
            discharges.push(discharge);
        };
        let mut wide = Macaroon::mint(&key, "", b"id").unwrap();
        kept.iter().for_each(|it| wide.attenuate(it).unwrap());
        consents.iter().for_each(|it| third(&mut wide, it));
        let mut narrow = wide.clone();
        for more in &more {
            match more {
                Ok(predicate) => narrow.attenuate(predicate).unwrap(),
                Err(conditions) => third(&mut narrow, conditions),
            }
        }
        let asked = |macaroon: &Macaroon, count: usize| -> Vec<Macaroon> {
            discharges[..count].iter().map(|it| macaroon.bind_discharge(it)).collect()
        };
        let (to_wide, to_narrow) = (asked(&wide, consents.len()), asked(&narrow, discharges.len()));
        let verify = |macaroon, discharges| {
            Verifier::new(&facts).verify_with(macaroon, discharges, &key).map(|it| it.expires_at())
        };
        match (verify(&wide, &to_wide), verify(&narrow, &to_narrow)) {
            (Ok(wide), Ok(narrow)) => {
                prop_assert!(wide.is_none_or(|it| narrow.is_some_and(|by| by <= it)));
            }
            (Err(wide), Ok(_)) => return Err(TestCaseError::fail(format!("refused before: {wide}"))),
            _ => {}
        }
    }

    /// Changed bytes leave every signed field as it was, or are refused.
    #[test]
    fn tampering_is_refused_in_every_format(seed in any::<u64>(), which in any::<prop::sample::Index>(), format in 0..3_usize, damages in vec(damage(any::<u8>()), 1..4)) {
        let request = Request::random(seed);
        let mut all: Vec<Macaroon> = request.all().cloned().collect();
        let which = which.index(all.len());
        let bytes = all[which].to_bytes(FORMATS[format]).unwrap();
        let damaged = damages.iter().fold(bytes, |bytes, damage: &Damage| damage.apply(&bytes));
        let Some((read, _)) = read(&damaged) else { return Ok(()) };
        let signed = |macaroon: &Macaroon| {
            let (_, identifier, caveats, signature) = fields(macaroon);
            let caveats: Vec<_> = caveats.into_iter().map(|[identifier, vid, _]| (identifier, vid)).collect();
            (identifier, caveats, signature)
        };
        let changed = signed(&read) != signed(&all[which]);
        all[which] = read;
        prop_assert_eq!(request.verify(&all[0], &all[1..]).is_err(), changed);
    }
}

/// Each bit flip in a thousand tokens is refused, except in locations, which are not signed.
fn flipped_bits_are_refused(format: Format) {
    let mut read_and_refused = 0;
    for seed in 0..1000 {
        let request = small(seed);
        let bytes = request.root.to_bytes(format).unwrap();
        let locations: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(LOCATION))
            .flat_map(|at| at..at + LOCATION.len())
            .collect();
        assert!(!locations.is_empty());
        for (at, flipped) in bit_flips(&bytes) {
            let Some((read, _)) = read(&flipped) else { continue };
            let accepted = request.verify(&read, &request.discharges);
            assert_eq!(accepted.is_ok(), locations.contains(&at), "token {seed}, byte {at}");
            read_and_refused += u32::from(accepted.is_err());
        }
    }
    assert!(read_and_refused > 100_000, "{read_and_refused} forgeries got as far as the signature");
}

#[test]
fn every_flipped_bit_of_v1_is_refused() {
    flipped_bits_are_refused(Format::V1);
}

#[test]
fn every_flipped_bit_of_v2_is_refused() {
    flipped_bits_are_refused(Format::V2);
}

const LOCATION: &[u8] = b"\x01L\x01";

/// A token with short fields whose locations are distinct from everything else.
fn small(seed: u64) -> Request {
    let mut random = SplitMix64::new(seed);
    let mut plan = Plan::random(&mut random);
    plan.discharges.clear();
    plan.root.location = String::from_utf8(LOCATION.into()).unwrap();
    plan.root.identifier.truncate(plan.root.identifier.char_indices().nth(4).map_or(usize::MAX, |it| it.0));
    plan.root.caveats.truncate(random.below(3));
    for caveat in &mut plan.root.caveats {
        caveat.cid.truncate(caveat.cid.char_indices().nth(6).map_or(usize::MAX, |it| it.0));
        caveat.third_party.iter_mut().for_each(|it| it.location.clone_from(&plan.root.location));
    }
    let asked: Vec<(String, Vec<u8>)> = (plan.root.caveats.iter())
        .filter_map(|it| Some((it.cid.clone(), it.third_party.as_ref()?.secret.clone())))
        .collect();
    for (identifier, secret) in asked {
        let location = plan.root.location.clone();
        plan.discharges.push(Spec { secret, location, identifier, caveats: Vec::new() });
    }
    let (root, discharges) = plan.make(&mut random);
    Request { plan, root, discharges }
}

#[test]
fn the_small_tokens_are_accepted() {
    let mut thirds = 0;
    for seed in 0..1000 {
        let request = small(seed);
        assert_eq!(request.verify(&request.root, &request.discharges), Ok(()), "token {seed}");
        thirds += request.discharges.len();
    }
    assert!(thirds > 200, "{thirds}");
}

#[test]
fn every_truncation_is_refused() {
    for seed in 0..300 {
        let request = small(seed);
        for format in FORMATS {
            let bytes = request.root.to_bytes(format).unwrap();
            for cut in truncations(&bytes) {
                assert!(read(cut).is_none(), "{format:?}, token {seed}, {} bytes", cut.len());
            }
            for encoding in [Encoding::Base62, Encoding::Base64Url] {
                let text = request.root.to_text(format, encoding).unwrap();
                for (end, _) in text.char_indices() {
                    for options in [DecodeOptions::default(), DecodeOptions::compat()] {
                        let read = Macaroon::from_text(text.get(..end).unwrap(), &options);
                        assert!(read.is_err(), "{format:?}, token {seed}, {end} characters");
                    }
                }
            }
        }
    }
}

/// A text and its canonical form, after reading and writing. Each canonical form has one spelling only, except for
/// padding and the other alphabet.
#[test]
fn no_two_texts_are_one_token() {
    let mut random = SplitMix64::new(11);
    for seed in 0..200 {
        let request = small(seed);
        for (format, encoding) in [
            (Format::V1, Encoding::Base62),
            (Format::V1, Encoding::Base64Url),
            (Format::V2, Encoding::Base64Url),
        ] {
            let text = request.root.to_text(format, encoding).unwrap();
            let mut seen: HashMap<String, String> = HashMap::from([(text.clone(), text.clone())]);
            for _ in 0..400 {
                let mut bytes = text.clone().into_bytes();
                for _ in 0..=random.below(2) {
                    let at = random.below(bytes.len());
                    let with = *random.choose(b"0123459ABCXYZabcxyz-_+/=");
                    match random.below(3) {
                        0 => bytes[at] = with,
                        1 => bytes.insert(at, with),
                        _ => drop(bytes.remove(at)),
                    }
                }
                let other = String::from_utf8(bytes).unwrap();
                let Ok((read, spelling)) = Macaroon::from_text(&other, &DecodeOptions::default()) else {
                    continue;
                };
                // Only text is written in v1.
                let Ok(written) = read.spell(spelling) else { continue };
                let plain = match spelling.encoding {
                    Encoding::Base62 => text::canonical_base62(&other),
                    _ => other.trim_end_matches('=').replace('+', "-").replace('/', "_"),
                };
                // An empty location is two bytes of v2 that are not written.
                assert!(written == plain || (format == Format::V2 && written.len() < plain.len()));
                let first = seen.entry(written).or_insert_with(|| plain.clone());
                assert_eq!(*first, plain, "two spellings");
            }
        }
    }
}
