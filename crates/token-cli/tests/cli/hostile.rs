//! Hostile input.

use serde_json::json;

use crate::run::{onetoken, piped, raw};

const MIB: usize = 1 << 20;

#[test]
fn junk_of_any_length_is_malformed() {
    let token = raw(&[]);
    let escapes = "00".repeat(MIB);
    for (junk, stage) in [
        (vec![b'A'; 2 * MIB], "limit"),
        (vec![b'A'; 2 * MIB + 2], "limit"),
        (vec![b'A'; 2 * MIB + 3], "limit"),
        (vec![b'A'; 8 * MIB], "limit"),
        (vec![b'0'; 2 * MIB], "limit"),
        (vec![0; 2 * MIB], "limit"),
        (vec![b'\n'; 2 * MIB], "limit"),
        (vec![0xff; 2 * MIB], "text"),
        (token.repeat(2 * MIB / token.len()).into_bytes(), "limit"),
        (escapes.clone().into_bytes(), "limit"),
        (escapes.as_bytes()[..MIB].to_vec(), "packet"),
        (vec![b'A'; MIB], "packet"),
        (vec![b'='; MIB], "base64"),
        ("é".repeat(MIB / 2).into_bytes(), "base64"),
        (vec![], "text"),
    ] {
        for command in [&["inspect", "--json"][..], &["verify", "--secret", "s", "--json"]] {
            let outcome = piped(junk.clone(), command);
            assert_eq!(outcome.error(3), "malformed");
            assert_eq!(outcome.json()["error"]["stage"], stage, "{} bytes, {:?}", junk.len(), junk.first());
            assert!(outcome.out.len() < 4096 && outcome.err.len() < 1024, "a short answer");
        }
    }
}

#[test]
fn a_line_that_is_too_long_does_not_stop_the_others() {
    let token = raw(&[]);
    let mut input = vec![b'x'; 5 * MIB];
    input.extend(format!("\n{token}\n").into_bytes());
    let outcome = piped(input, ["inspect", "--lines"]);
    assert_eq!(outcome.code, 3);
    let documents = outcome.documents();
    assert_eq!(
        (&documents[0]["error"]["stage"], &documents[1]["location"]),
        (&json!("limit"), &json!("onezone"))
    );
    assert_eq!(documents.len(), 2);
}

/// Every prefix of a token is malformed, and says so with a place in it.
#[test]
fn every_prefix_is_malformed() {
    for golden in token_test::vectors::onedata().into_iter().take(2) {
        for token in [golden.base62, golden.base64url] {
            let prefixes: String = (0..token.len()).map(|end| format!("{}\n", &token[..end])).collect();
            let outcome = piped(prefixes, ["inspect", "--lines"]);
            assert_eq!(outcome.code, 3);
            let documents = outcome.documents();
            assert_eq!(documents.len(), token.len());
            for (end, document) in documents.iter().enumerate() {
                let error = &document["error"];
                assert_eq!(error["kind"], "malformed", "{end}");
                assert!(error["offset"].as_u64().unwrap() <= u64::try_from(end).unwrap(), "{end}: {error}");
            }
        }
    }
}

#[test]
fn a_hundred_thousand_packets_are_too_many() {
    let mut packets = b"000flocation l\n0011identifier i\n".to_vec();
    for _ in 0..50_000 {
        packets.extend(b"000acid x\n");
    }
    let head = base64url(&packets);
    let outcome = piped(head, ["inspect", "--json"]);
    assert_eq!(outcome.error(3), "malformed");
    assert_eq!(outcome.json()["error"]["stage"], "limit");
    assert!(outcome.out.len() < 200_000, "what was read before is bounded");
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for index in 0..=group.len() {
            let sextet = bits >> (18 - 6 * index) & 63;
            text.push(char::from(ALPHABET[usize::try_from(sextet).unwrap()]));
        }
    }
    text
}

#[test]
fn a_prefix_of_another_service_is_refused() {
    let token = raw(&[]);
    for prefix in ["ozw-", "ozp-", "xyz-", "opw-opw-"] {
        assert_eq!(onetoken(["inspect", "--json", &format!("{prefix}{token}")]).error(3), "malformed");
    }
    let json = onetoken(["inspect", "--json", &format!("opw-{token}")]).done().json();
    assert_eq!(json["location"], "onezone");
}

#[cfg(unix)]
#[test]
fn a_token_that_is_no_text_is_malformed() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let outcome = onetoken([OsStr::new("inspect"), "--json".as_ref(), OsStr::from_bytes(b"MDA\xff")]);
    assert_eq!(outcome.error(3), "malformed");
    assert_eq!(outcome.json()["error"]["offset"], 3);
}
