//! A verdict cached under a fingerprint is about that macaroon alone, in any spelling.

use std::collections::HashMap;

use token_core::{
    CaveatKey, CaveatNonce, Context, DecodeOptions, Encoding, Format, Macaroon, RootKey, Token, UnixTime,
    Verifier, VerifyError,
};

fn minted() -> Macaroon {
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "onezone", b"id").unwrap();
    macaroon.attenuate("time < 100").unwrap();
    macaroon
}

/// A provider's cache of its Onezone's answers.
fn verdicts(of: &Macaroon) -> HashMap<token_core::Fingerprint, bool> {
    HashMap::from([(of.fingerprint(), true)])
}

/// Ids are in logs: anyone can write a macaroon that carries one.
#[test]
fn a_forgery_under_a_known_id_has_another_fingerprint() {
    let genuine = minted();
    let mut forged = Macaroon::mint(&RootKey::from_derived([8; 32]), "onezone", b"id").unwrap();
    forged.attenuate("time < 100").unwrap();
    assert_eq!(genuine.identifier(), forged.identifier());
    assert_eq!(verdicts(&genuine).get(&forged.fingerprint()), None);
}

/// An attacker keeps the signature of an attenuated token and removes, changes or adds a caveat.
#[test]
fn other_caveats_under_the_same_signature_have_another_fingerprint() {
    let mut genuine = minted();
    genuine.attenuate("consumer = prv-p1").unwrap();
    let bytes = genuine.to_bytes(Format::V2).unwrap();
    let field = |text: &str| {
        let len = u8::try_from(text.len()).unwrap();
        [&[2, len], text.as_bytes(), &[0]].concat()
    };
    let [time, consumer] = ["time < 100", "consumer = prv-p1"].map(field);
    let replaced = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let forged = [bytes.get(..at).unwrap(), to, bytes.get(at + from.len()..).unwrap()].concat();
        Macaroon::from_bytes(forged.as_slice(), &DecodeOptions::default()).unwrap().0
    };
    let forgeries = [
        replaced(&consumer, &[]),
        replaced(&consumer, &field("consumer = prv-p2")),
        replaced(&consumer, &[&consumer[..], &consumer].concat()),
        replaced(&[&time[..], &consumer].concat(), &[&consumer[..], &time].concat()),
        // The same bytes, split elsewhere.
        replaced(&[&time[..], &consumer].concat(), &field("time < 100consumer = prv-p1")),
    ];
    let context = Context::at(UnixTime::from_secs(1));
    for forged in forgeries {
        assert_eq!(forged.signature().expose(), genuine.signature().expose());
        let refused = Verifier::new(&context).verify(&forged, &RootKey::from_derived([7; 32])).unwrap_err();
        assert_eq!(refused, VerifyError::BadSignature);
        assert_eq!(verdicts(&genuine).get(&forged.fingerprint()), None, "{forged:?}");
    }
}

#[test]
fn a_third_party_caveat_is_covered_and_its_location_is_not() {
    let with = |location: &str, identifier: &[u8], nonce: u8| {
        let mut macaroon = minted();
        let key = CaveatKey::from_derived([9; 32]);
        macaroon.add_third_party(location, identifier, &key, CaveatNonce::from_random([nonce; 24])).unwrap();
        macaroon
    };
    let one = with("https://a.example", b"x", 1);
    assert_eq!(with("https://b.example", b"x", 1).fingerprint(), one.fingerprint());
    assert_ne!(with("https://a.example", b"y", 1).fingerprint(), one.fingerprint());
    assert_ne!(with("https://a.example", b"x", 2).fingerprint(), one.fingerprint());
}

#[test]
fn every_spelling_format_and_location_has_one_fingerprint() {
    let options = DecodeOptions::compat();
    let mut genuine = minted();
    genuine
        .add_third_party("there", b"x", &CaveatKey::from_derived([9; 32]), CaveatNonce::from_random([1; 24]))
        .unwrap();
    for format in [Format::V1, Format::V2, Format::V2J] {
        for encoding in [Encoding::Base62, Encoding::Base64Url] {
            let text = genuine.to_text(format, encoding).unwrap();
            let (read, _) = Macaroon::from_text(&text, &options).unwrap();
            assert_eq!(read.fingerprint(), genuine.fingerprint(), "{format:?}");
        }
    }
    let text = minted().to_text(Format::V1, Encoding::Base62).unwrap();
    let token = |text: &str| Token::decode(text, &DecodeOptions::default()).unwrap();
    assert_eq!(token(&format!("opw-{text}")).fingerprint(), token(&text).fingerprint());
    let mut elsewhere = Macaroon::mint(&RootKey::from_derived([7; 32]), "elsewhere", b"id").unwrap();
    elsewhere.attenuate("time < 100").unwrap();
    assert_eq!(elsewhere.fingerprint(), minted().fingerprint());
}

/// Computed by another program from the docs of `Fingerprint`: cached digests stay valid across versions.
#[test]
fn the_fingerprint_is_as_described() {
    let expected = "0b88448d0820b0f877bb386437b7068b2c0e013e2bf2fa9f7be5f1ca5341b8c4";
    assert_eq!(minted().fingerprint().to_string(), expected);
    assert_eq!(format!("{:?}", minted().fingerprint()), format!("Fingerprint({expected})"));
}
