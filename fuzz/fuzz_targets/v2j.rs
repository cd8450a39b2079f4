//! Any text as version-2 JSON: read or refused, with the same result for text and bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::Format;

fuzz_target!(|text: &str| {
    let document = format!("{{{text}");
    let read = token_fuzz::read_text(&document);
    match (token_fuzz::read_bytes(document.as_bytes()), &read) {
        (None, None) => {}
        (Some((one, _)), Some((other, _))) => assert!(token_fuzz::same(&one, other)),
        _ => panic!("text and bytes are read differently"),
    }
    let Some((_, format)) = read else { return };
    assert!(matches!(format, Format::V2J | Format::V1J));
    // Another JSON parser agrees that it is JSON, and on the version.
    let value: serde_json::Value = serde_json::from_str(&document).expect("what is read is JSON");
    let is_v1 = ["identifier", "signature"].iter().all(|name| value[*name].is_string());
    assert_eq!(is_v1, format == Format::V1J);
});
