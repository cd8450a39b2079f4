//! Any bytes as a caveat's text and as its JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{CaveatTypes, Predicate, PredicateBuf};

fuzz_target!(|bytes: &[u8]| {
    if let Some(predicate) = Predicate::read(bytes) {
        let written = predicate.to_string();
        let again = Predicate::read(written.as_bytes()).expect("what is written is read");
        assert_eq!(again.to_string(), written);
        let json = serde_json::to_string(&predicate).expect("a caveat has a JSON form");
        assert_eq!(serde_json::to_string(&again).expect("a caveat has a JSON form"), json);
        if let Some(new) = PredicateBuf::read(&written) {
            assert_eq!(new.as_str(), written);
            assert_eq!(
                serde_json::from_str::<PredicateBuf>(&json).expect("a new caveat's JSON is read"),
                new
            );
        }
        let modern = CaveatTypes::ACCESS.union(CaveatTypes::ACCESS_AS_IDENTITY);
        let is_legacy = matches!(predicate, Predicate::TokenType(_));
        assert_eq!(modern.contains(&predicate), !is_legacy);
    }
    if let Ok(written) = serde_json::from_slice::<PredicateBuf>(bytes) {
        let predicate = Predicate::read(written.as_ref()).expect("what JSON says can be read");
        assert_eq!(predicate.to_string(), written.as_str());
    }
});
