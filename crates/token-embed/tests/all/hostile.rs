//! Requests from anyone: no panic, no secret in an error, bounded work.

use proptest::prelude::*;
use serde_json::{Value, json};
use token_embed::{ERRORS_JSON, MAX_REQUEST, VERBS, call};

use crate::errors::assert_listed;

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-";

fn error(verb: &str, request: &[u8]) -> Value {
    let error = serde_json::from_slice(&call(verb, request).unwrap_err()).unwrap();
    assert_listed(&error);
    error
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let verify =
        |token: String| json!({ "token": token, "secret": SECRET, "context": { "now": 0 } }).to_string();
    for (len, limit) in [((1 << 20) + 1, 1 << 20), (2_000_000, 1 << 20), (MAX_REQUEST, MAX_REQUEST)] {
        let error = error("verify", verify("M".repeat(len)).as_bytes());
        assert_eq!((&error["code"], &error["detail"]["limit"]), (&json!("token_too_large"), &json!(limit)));
    }
    assert_eq!(error("verify", verify("M".repeat(1 << 20)).as_bytes())["code"], "bad_token");
}

#[test]
fn what_is_deep_is_refused() {
    for deep in ["[", "{\"token\":", "{\"caveat\":{\"whitelist\":[", "{\"context\":{\"groups\":["] {
        for verb in VERBS {
            assert_eq!(error(verb, deep.repeat(100_000).as_bytes())["code"], "invalid_argument");
        }
    }
}

#[test]
fn no_error_repeats_a_secret() {
    let misplaced = [
        json!({ "token": { "hex": SECRET } }),
        json!({ "token": SECRET, "context": SECRET }),
        json!({ "secret": [SECRET] }),
        json!({ "secret": { SECRET: 1 } }),
        json!({ "secret": { "hex": SECRET } }),
        json!({ "secret": { "base64url": SECRET, "hex": SECRET } }),
        json!({ SECRET: SECRET }),
        json!({ "token": "M", "secret": SECRET, "context": { "now": SECRET } }),
        json!({ "token": "M", "secret": SECRET, "context": { "now": 1, "ip": SECRET } }),
        json!({ "token": "M", "secret": SECRET, "context": { "now": 1, "consumer": SECRET } }),
        json!({ "token": "M", "secret": SECRET, "context": { "now": 1, "consumer": { "type": SECRET } } }),
        json!({ "token": "M", "secret": SECRET, "context": { "now": 1 }, "as": SECRET }),
        json!({ "token": "M", "secret": SECRET, "context": { "now": 1 }, "supported": [SECRET] }),
        json!({ "token": SECRET, "secret": SECRET, "context": { "now": 1, "scope": SECRET } }),
        json!({ "secret": SECRET, "location": "", "identifier": { "subject": SECRET } }),
        json!({ "secret": SECRET, "location": "", "identifier": "i", "format": SECRET }),
        json!({ "secret": "s", "location": "", "identifier": "i", "caveats": [{ "type": SECRET }] }),
        json!({ "keys": SECRET, "owner": { "subject": "usr-u1", "generation": 1 }, "rootKey": SECRET, "sealed": SECRET }),
        json!({ "text": SECRET, "caveat": SECRET }),
        json!({ "secret": format!("{SECRET}, expected x") , "token": 1 }),
        json!({ "secret": { "hunter": 1 } }),
        json!([SECRET]),
        json!(SECRET),
    ];
    for request in misplaced {
        let request = request.to_string();
        for verb in VERBS.iter().filter(|verb| **verb != "caveat" || !request.starts_with("{\"text\":")) {
            let Err(error) = call(verb, request.as_bytes()) else { continue };
            let error = String::from_utf8(error).unwrap();
            assert!(!error.contains("hunter"), "{verb} {request}: {error}");
        }
    }
    for cut in ["{\"secret\":\"hunter2", "{\"secret\":hunter2}", "hunter2", "{\"secret\":\"hunter2\\u12\"}"] {
        assert!(!error("verify", cut.as_bytes()).to_string().contains("hunter2"));
    }
}

#[test]
fn there_is_nothing_behind_a_request() {
    assert_eq!(error("version", b"{} {}")["code"], "invalid_argument");
    assert_eq!(error("version", b"{}x")["code"], "invalid_argument");
    assert!(call("version", b" {} ").is_ok());
    assert_eq!(error("version", b"[]")["code"], "invalid_argument");
    assert_eq!(error("version", b"")["code"], "invalid_argument");
    assert_eq!(error("version", b"\xff")["code"], "invalid_argument");
    assert_eq!(error("Version", b"{}")["code"], "invalid_argument");
    assert!(ERRORS_JSON.contains("invalid_argument"));
}

/// Values that come near to those of requests.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "usr-u1",
            "any",
            "rest",
            "PL",
            "Europe",
            "opw-p1",
            "1.2.3.4",
            "time < 5",
            "colour = blue",
            "v1",
            "base62",
            "2/nmd/usr-u/act/i",
            "named",
            "access",
            "identity",
            "time",
            "time < x",
            "ip = 1.2.3.4/33",
            "MDAxNWxvY2F00aW9uIG9uZXpvbmUKMDAxM2lkZW500aWZpZXIgaTEKMDAyZnNpZ25hdHVyZSA3",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 32, 6, |inner| {
        let name = prop::sample::select(vec![
            "token",
            "secret",
            "rootKey",
            "context",
            "now",
            "ip",
            "asn",
            "country",
            "regions",
            "service",
            "consumer",
            "groups",
            "interface",
            "session",
            "scope",
            "as",
            "supported",
            "ignored",
            "exact",
            "discharges",
            "caveats",
            "caveat",
            "text",
            "location",
            "identifier",
            "format",
            "encoding",
            "root",
            "discharge",
            "hex",
            "base64url",
            "type",
            "whitelist",
            "validUntil",
            "id",
            "persistence",
            "subject",
            "temporary",
            "owner",
            "keys",
            "sealed",
            "generation",
            "version",
            "compat",
            "signature",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_request_panics(verb in prop::sample::select(VERBS), request in value()) {
        if let Err(error) = call(verb, request.to_string().as_bytes()) {
            assert_listed(&serde_json::from_slice(&error).unwrap());
        }
    }

    #[test]
    fn no_bytes_panic(verb in prop::sample::select(VERBS), request: Vec<u8>) {
        let _ = call(verb, &request);
    }
}
