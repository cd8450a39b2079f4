//! Any bytes as a caveat's text and as its JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{CaveatTypes, Predicate, PredicateBuf};

fuzz_target!(|bytes: &[u8]| {
    if let Some(predicate) = Predicate::read(bytes) {
        assert_eq!(predicate.to_string().as_bytes(), bytes);
        round_trip(&predicate);
        let modern = CaveatTypes::ACCESS.union(CaveatTypes::ACCESS_AS_IDENTITY);
        let is_legacy = matches!(predicate, Predicate::TokenType(_));
        assert_eq!(modern.contains(&predicate), !is_legacy);
    }
    if let Ok(written) = serde_json::from_slice::<PredicateBuf>(bytes) {
        round_trip(&Predicate::read(written.as_ref()).expect("what JSON says can be read"));
    }
});

fn round_trip(predicate: &Predicate<'_>) {
    let json = serde_json::to_string(predicate).expect("a caveat has a JSON form");
    let back: PredicateBuf = serde_json::from_str(&json).expect("what is written is read");
    let again = Predicate::read(back.as_ref()).expect("what JSON says can be read");
    assert_eq!(serde_json::to_string(&again).expect("a caveat has a JSON form"), json);
    // A network without its mask gets it.
    if !matches!(predicate, Predicate::Ip(_)) {
        assert_eq!(again, *predicate);
    }
}
