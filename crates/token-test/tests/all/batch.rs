//! Compares the answers for many macaroons with those for each alone, on every kernel that the processor has.

use proptest::collection::vec;
use proptest::prelude::*;
use token_core::{
    CaveatTypes, Context, DecodeOptions, Format, Judge, Judgment, LegacyType, Macaroon, RootKey, Session,
    UnixTime, Verified, Verifier, VerifyError,
};
use token_lanes::Kernel;
use token_test::{Key, SplitMix64, hostile, vectors};

use crate::peer::Plan;
use crate::strategies::{Recipe, caveat_types, facts, legacy_type, recipe};

type Pair = (Macaroon, RootKey);
type Answer = Result<(*const Macaroon, Option<UnixTime>, Option<LegacyType>), VerifyError>;

/// Everything that an answer says, and which macaroon it is about.
fn said(answer: Result<Verified<'_>, VerifyError>) -> Answer {
    answer.map(|it| (std::ptr::from_ref(it.macaroon()), it.expires_at(), it.legacy_type()))
}

/// Compares the answers of each verifier on every kernel, and returns how many macaroons the first one accepts.
fn accepted(pairs: &[Pair], verifiers: &[Verifier<'_>]) -> usize {
    let pairs: Vec<_> = pairs.iter().map(|(macaroon, key)| (macaroon, key)).collect();
    let counts = verifiers.iter().map(|verifier| {
        let alone: Vec<_> =
            pairs.iter().map(|(macaroon, key)| said(verifier.verify(macaroon, key))).collect();
        for kernel in [None].into_iter().chain(Kernel::all().map(Some)) {
            let together = verifier.confirm_many_by(kernel, &pairs).into_iter();
            let together = together.map(|confirmed| said(confirmed.and_then(|it| verifier.judge(it))));
            assert_eq!(together.collect::<Vec<_>>(), alone, "{kernel:?}");
        }
        assert_eq!(verifier.verify_many(&pairs).into_iter().map(said).collect::<Vec<_>>(), alone);
        alone.iter().filter(|answer| answer.is_ok()).count()
    });
    counts.collect::<Vec<_>>()[0]
}

fn read(bytes: &[u8]) -> Macaroon {
    Macaroon::from_bytes(bytes, &DecodeOptions::default()).unwrap().0
}

fn key(number: usize) -> RootKey {
    RootKey::derive_any(format!("secret {number}").as_bytes())
}

/// Returns the macaroons of all vectors, and those of Onedata also under a wrong key.
fn of_vectors() -> Vec<Pair> {
    let options = DecodeOptions::default();
    let mut pairs = Vec::new();
    for vector in vectors::macaroons().into_iter().filter(|vector| vector.valid_parse) {
        let macaroon = match vector.text() {
            Some(text) => Macaroon::from_text(text, &options).unwrap().0,
            None => read(vector.wire()),
        };
        pairs.push((macaroon, vector.key().map_or_else(|| key(0), Key::root_key)));
    }
    for vector in vectors::golden() {
        let macaroon = read(&vector.bytes());
        pairs.push((macaroon.clone(), vector.key().root_key()));
        pairs.push((macaroon, key(1)));
    }
    pairs
}

/// Returns macaroons that are long, of many caveats, forged, or with third-party caveats.
fn of_attackers(random: &mut SplitMix64) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for len in [1, 54, 55, 56, 63, 64, 65, 119, 120, 1000, 1 << 20] {
        let mut macaroon = Macaroon::mint(&key(len), "", b"id").unwrap();
        macaroon.attenuate(vec![b'x'; len]).unwrap();
        pairs.push((macaroon, key(len)));
    }
    for caveats in [0, 1, 7, 1000] {
        let mut macaroon = Macaroon::mint(&key(caveats), "", b"id").unwrap();
        (0..caveats).for_each(|_| macaroon.attenuate("time < 9000000000").unwrap());
        // The last byte of the signature stands before a line feed.
        let mut forged = macaroon.to_bytes(Format::V1).unwrap();
        *forged.iter_mut().rev().nth(1).unwrap() ^= 1;
        pairs.push((macaroon, key(caveats)));
        pairs.push((read(&forged), key(caveats)));
    }
    pairs.push((read(&hostile::long_macaroon(1000)), key(3)));
    for request in [hostile::mesh(5), hostile::fan(5), hostile::chain(5)] {
        pairs.push((request.root, hostile::root_key()));
    }
    for _ in 0..40 {
        let plan = Plan::random(random);
        let key = RootKey::derive_any(&plan.root.secret);
        pairs.push((plan.make(random).0, key));
    }
    pairs
}

fn shuffled(mut pairs: Vec<Pair>, random: &mut SplitMix64) -> Vec<Pair> {
    for index in (1..pairs.len()).rev() {
        pairs.swap(index, random.below(index + 1));
    }
    pairs
}

#[test]
fn vectors_and_attacks_among_each_other() {
    let mut context = Context::at(UnixTime::from_secs(1));
    context.session = Session::Any;
    let no_session = Context::at(UnixTime::from_secs(1));
    let exact: Vec<_> = vectors::macaroons()
        .into_iter()
        .filter_map(|vector| vector.verify)
        .flat_map(|verification| verification.exact)
        .collect();
    let exact: Vec<_> = exact.iter().map(String::as_bytes).collect();
    let judge = |predicate: &[u8]| match predicate.len() % 3 {
        0 => Judgment::Satisfied,
        1 => Judgment::NotSatisfied("its length".into()),
        _ => Judgment::NotMine,
    };
    let judges: [&dyn Judge; 1] = [&judge];
    let verifiers = [
        Verifier::new(&context).exact(&exact),
        Verifier::new(&no_session).exact(&exact),
        Verifier::new(&context).ignoring(CaveatTypes::ALL),
        Verifier::new(&context).supporting(CaveatTypes::TIME),
        Verifier::new(&context).judges(&judges),
        Verifier::new(&context).stating(Some(LegacyType::SpaceSupport)),
    ];
    let mut random = SplitMix64::new(7);
    for _ in 0..2 {
        let pairs = [of_vectors(), of_attackers(&mut random)].into_iter().flatten().collect();
        let pairs = shuffled(pairs, &mut random);
        let count = accepted(&pairs, &verifiers);
        assert!((20..pairs.len()).contains(&count), "{count} of {} are accepted", pairs.len());
    }
}

/// The forger replaces a first-party caveat by a third-party one with the same text, and keeps the signature. A kernel
/// that took it for a first-party caveat would confirm the signature, and nothing would ask for the discharge.
#[test]
fn a_third_party_caveat_is_not_taken_for_another() {
    let context = Context::at(UnixTime::from_secs(1));
    let mut honest = Macaroon::mint(&key(0), "", b"id").unwrap();
    honest.attenuate("time < 9000000000").unwrap();
    let json = String::from_utf8(honest.to_bytes(Format::V2J).unwrap()).unwrap();
    let caveat = "{\"i\":\"time < 9000000000\"";
    let disguised = json.replacen(caveat, &format!("{caveat},\"v64\":\"{}\"", "A".repeat(96)), 1);
    assert_ne!(disguised, json);
    let disguised = read(disguised.as_bytes());
    assert_eq!(disguised.signature().expose(), honest.signature().expose());
    let pairs: Vec<_> = (0..40).map(|number| ([&honest, &disguised][number % 2].clone(), key(0))).collect();
    assert_eq!(accepted(&pairs, &[Verifier::new(&context)]), 20);
}

#[test]
fn one_forgery_in_every_place() {
    let context = Context::at(UnixTime::from_secs(1));
    let macaroons: Vec<_> = (0..35).map(|number| Macaroon::mint(&key(number), "", b"id").unwrap()).collect();
    for forged in 0..macaroons.len() {
        let under = |number| key(if number == forged { 99 } else { number });
        let pairs: Vec<_> =
            macaroons.iter().enumerate().map(|(number, it)| (it.clone(), under(number))).collect();
        assert_eq!(accepted(&pairs, &[Verifier::new(&context)]), macaroons.len() - 1);
    }
}

#[test]
fn batches_of_many_sizes() {
    let context = Context::at(UnixTime::from_secs(1));
    for count in [0, 1, 2, 15, 16, 17, 31, 255, 256, 257, 600] {
        let pairs: Vec<_> = (0..count)
            .map(|number| {
                let mut macaroon = Macaroon::mint(&key(number), "", format!("{number}").as_bytes()).unwrap();
                macaroon.attenuate("time < 9000000000").unwrap();
                (macaroon, key(number))
            })
            .collect();
        assert_eq!(accepted(&pairs, &[Verifier::new(&context)]), count);
    }
}

fn pair(recipe: &Recipe, own_key: bool) -> Pair {
    (recipe.mint(), if own_key { recipe.key() } else { key(9) })
}

proptest! {
    #[test]
    fn batches_of_all_shapes(
        recipes in vec((recipe(), prop::bool::weighted(0.9)), 0..40),
        context in facts(),
        (supported, ignored) in (caveat_types(), caveat_types()),
        stated in legacy_type(),
    ) {
        let pairs: Vec<_> = recipes.iter().map(|(recipe, own_key)| pair(recipe, *own_key)).collect();
        let any = Verifier::new(&context);
        accepted(&pairs, &[any, any.supporting(supported).stating(Some(stated)), any.ignoring(ignored)]);
    }
}
