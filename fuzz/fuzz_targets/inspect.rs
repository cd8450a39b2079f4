//! Any text without a key: inspection agrees with decoding, and every part of the report can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{DecodeOptions, Token, UnixTime, inspect};

fuzz_target!(|text: &str| {
    let options = DecodeOptions::default();
    let decoded = Token::decode(text, &options);
    let (inspection, is_whole) = match inspect(text, &options) {
        Ok(inspection) => (inspection, true),
        Err(damage) => {
            let message = damage.to_string();
            assert!(!message.is_empty());
            // A message may be shown and logged, so it must not contain a long text.
            assert!(text.len() < 40 || !message.contains(text));
            assert_eq!(decoded.as_ref().err(), Some(&damage.error));
            (*damage.partial, false)
        }
    };
    assert_eq!(decoded.is_ok(), is_whole);
    let now = UnixTime::from_secs(1_500_000_000);
    let report = serde_json::to_value(inspection.report(now)).expect("an inspection has a JSON form");
    assert_eq!(report["verified"], false);
    assert!(report["signature"].is_null());
    let report =
        serde_json::to_value(inspection.report(now).with_signature()).expect("and so it has with it");
    assert!(!is_whole || report["signature"].is_string());
    assert!(!format!("{inspection:?}").contains("ignature"));
});
