//! Ten thousand random tokens, exchanged between the library and another implementation.
//!
//! All of them are well-formed: the other implementation must not get hostile input.

use token_core::{
    Caveat, CaveatKey, CaveatNonce, Context, DecodeOptions, Encoding, Format, Macaroon, RootKey, UnixTime,
    Verifier,
};
use token_test::{Key, SplitMix64, hex, oracle, vectors};

const TOKENS: usize = 10_000;

struct Drawn {
    secret: Vec<u8>,
    derived: [u8; 32],
    location: String,
    identifier: String,
    caveats: Vec<String>,
}

impl Drawn {
    fn from(random: &mut SplitMix64) -> Self {
        let secret_len = *random.choose(&[0, 1, 31, 32, 33, 63, 64, 65, 200]);
        Self {
            secret: random.bytes(secret_len),
            derived: random.bytes(32).try_into().unwrap(),
            location: random.text(40),
            identifier: random.text(80),
            caveats: (0..random.below(9)).map(|_| random.text(60)).collect(),
        }
    }

    /// A secret, or sometimes a derived key.
    fn key(&self) -> Key<'_> {
        match self.derived {
            [0..32, ..] => Key::Derived(self.derived),
            _ => Key::Secret(&self.secret),
        }
    }

    fn exact(&self) -> Vec<&[u8]> {
        self.caveats.iter().map(String::as_bytes).collect()
    }
}

#[test]
fn what_we_write_verifies_there() {
    let mut random = SplitMix64::new(1);
    for number in 0..TOKENS {
        let drawn = Drawn::from(&mut random);
        let mut macaroon =
            Macaroon::mint(&drawn.key().root_key(), &drawn.location, drawn.identifier.as_bytes()).unwrap();
        drawn.caveats.iter().for_each(|caveat| macaroon.attenuate(caveat).unwrap());
        let bytes = macaroon.to_bytes(Format::V1).unwrap();

        let theirs = oracle::mint(drawn.key(), &drawn.location, &drawn.identifier, &drawn.caveats);
        assert_eq!(theirs.signature, *macaroon.signature().expose(), "token {number}");
        assert_eq!(theirs.v1, bytes, "token {number}");
        oracle::verify(&bytes, drawn.key(), &drawn.exact())
            .unwrap_or_else(|error| panic!("token {number}: {error}"));
        let parsed = oracle::parse(&bytes).unwrap();
        assert_eq!(parsed.location().as_deref(), Some(drawn.location.as_str()), "token {number}");
        assert_eq!(parsed.identifier().0, drawn.identifier.as_bytes(), "token {number}");
        assert_eq!(oracle::predicates(&parsed), drawn.exact(), "token {number}");
    }
}

#[test]
fn what_it_writes_verifies_here() {
    let mut random = SplitMix64::new(2);
    let (options, context) = (DecodeOptions::default(), Context::at(UnixTime::MAX));
    for number in 0..TOKENS {
        let drawn = Drawn::from(&mut random);
        let theirs = oracle::mint(drawn.key(), &drawn.location, &drawn.identifier, &drawn.caveats);
        let (macaroon, _) = Macaroon::from_text(&theirs.base64, &options).unwrap();
        assert_eq!(macaroon.location(), drawn.location.as_bytes(), "token {number}");
        assert_eq!(macaroon.identifier(), drawn.identifier.as_bytes(), "token {number}");
        let caveats: Vec<Caveat<'_>> =
            drawn.exact().into_iter().map(|predicate| Caveat::FirstParty { predicate }).collect();
        assert_eq!(macaroon.caveats().collect::<Vec<_>>(), caveats, "token {number}");
        assert_eq!(macaroon.to_bytes(Format::V1).unwrap(), theirs.v1, "token {number}");
        assert_eq!(
            macaroon.to_text(Format::V1, Encoding::Base64Url).unwrap(),
            theirs.base64.trim_end_matches('=')
        );

        let exact = drawn.exact();
        let verifier = Verifier::new(&context).exact(&exact);
        verifier
            .verify(&macaroon, &drawn.key().root_key())
            .unwrap_or_else(|error| panic!("token {number}: {error}"));
    }
}

/// Refusals agree as well, for the cases that the other implementation can judge: another key, and a caveat that does
/// not hold.
#[test]
fn both_refuse_another_key_and_a_caveat_that_does_not_hold() {
    let mut random = SplitMix64::new(3);
    let context = Context::at(UnixTime::MAX);
    for number in 0..TOKENS / 10 {
        let drawn = Drawn::from(&mut random);
        let bytes = oracle::mint(drawn.key(), &drawn.location, &drawn.identifier, &drawn.caveats).v1;
        let (macaroon, _) = Macaroon::from_bytes(bytes.clone(), &DecodeOptions::default()).unwrap();
        let other = Key::Derived(random.bytes(32).try_into().unwrap());
        let mut exact = drawn.exact();
        let here = |key: Key<'_>, exact: &[&[u8]]| {
            Verifier::new(&context).exact(exact).verify(&macaroon, &key.root_key()).is_ok()
        };
        assert!(!here(other, &exact), "token {number}");
        assert!(oracle::verify(&bytes, other, &exact).is_err(), "token {number}");
        if let Some(last) = exact.pop().filter(|last| !exact.contains(last)) {
            assert!(!here(drawn.key(), &exact), "token {number}: {last:?}");
            assert!(oracle::verify(&bytes, drawn.key(), &exact).is_err(), "token {number}: {last:?}");
        }
    }
}

/// A finding of the differential fuzz target, which ignores it since: the oracle does not read a third-party v2
/// caveat without a location, which other libraries write.
#[test]
fn a_third_party_caveat_without_a_location_is_read_here_alone() {
    let key = CaveatKey::from_derived([8; 32]);
    let with = |location: &str| {
        let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "", b"id").unwrap();
        macaroon.add_third_party(location, b"third", &key, CaveatNonce::from_random([9; 24])).unwrap();
        macaroon.to_bytes(Format::V2).unwrap()
    };
    assert!(oracle::parse(&with("there")).is_ok());
    assert!(oracle::parse(&with("")).is_err());
    let (read, _) = Macaroon::from_bytes(with(""), &DecodeOptions::default()).unwrap();
    assert_eq!(read.to_bytes(Format::V2).unwrap(), with(""));
}

#[test]
fn it_mints_the_golden_tokens() {
    for golden in vectors::golden() {
        let token = oracle::mint(golden.key(), &golden.location, &golden.identifier, &golden.caveats);
        assert_eq!(token.signature, golden.signature, "{}", golden.name);
        assert_eq!(token.base64.trim_end_matches('='), golden.base64url, "{}", golden.name);
    }
}

#[test]
fn it_reads_and_verifies_what_it_minted() {
    let (key, caveats) = (Key::Secret(b"this is our super secret key"), ["time < 1", "data.readonly"]);
    let token = oracle::mint(key, "onezone", "id", &caveats);
    let parsed = oracle::parse(&token.v1).unwrap();
    assert_eq!(parsed.location().as_deref(), Some("onezone"));
    assert_eq!(parsed.identifier().0, b"id");
    assert_eq!(oracle::predicates(&parsed), caveats.map(str::as_bytes));
    assert_eq!(oracle::signature(&parsed), token.signature);

    oracle::verify(&token.v1, key, &caveats).unwrap();
    let unmet = oracle::verify(&token.v1, key, &caveats[..1]).unwrap_err();
    assert!(matches!(unmet, oracle::MacaroonError::CaveatNotSatisfied(_)));
    let forged = oracle::verify(&token.v1, Key::Secret(b"another key"), &caveats).unwrap_err();
    assert!(matches!(forged, oracle::MacaroonError::InvalidSignature));
}

#[test]
fn a_derived_key_is_not_derived_again() {
    let chain = vectors::primitives().hmac_chain;
    let derived = Key::Derived(hex::decode(&chain[0].hex).try_into().unwrap());
    let token = oracle::mint(derived, "http://mybank/", "we used our other secret key", &[] as &[&str]);
    assert_eq!(hex::encode(token.signature), chain[1].hex);
}

/// If the cap were too high, this test would abort the process instead of failing.
#[test]
fn the_cap_keeps_it_on_its_stack() {
    let packets = b"0007c \n".repeat(oracle::MAX_LEN / 7);
    assert!(oracle::parse(&packets).is_err());
}

#[test]
#[should_panic(expected = "overflow the oracle's stack")]
fn longer_input_is_kept_away() {
    let _ = oracle::parse(&[b'0'; oracle::MAX_LEN + 1]);
}
