//! Any request in JSON of any verb: the answer and the error are documents, and an error repeats no secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SECRET: &str = "KDK1c2GF8wpUQyJx";

fuzz_target!(|input: &[u8]| {
    let Some((number, request)) = input.split_first() else { return };
    let verb = token_embed::VERBS[usize::from(*number) % token_embed::VERBS.len()];
    if let Err(error) = token_embed::call(verb, request).as_deref().map(parse).map_err(|error| parse(error)) {
        assert!(error["code"].is_string() && error["detail"].is_object());
    }
    // The same request with a secret, which verbs that take none refuse.
    let Ok(Value::Object(mut members)) = serde_json::from_slice(request) else { return };
    members.insert("secret".to_owned(), SECRET.into());
    if let Err(error) = token_embed::call(verb, &serde_json::to_vec(&members).expect("it was JSON")) {
        assert!(!String::from_utf8_lossy(&error).contains(SECRET));
    }
});

fn parse(document: &[u8]) -> Value {
    serde_json::from_slice(document).expect("a document is JSON")
}
