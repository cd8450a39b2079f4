//! The vectors, through the command.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use token_test::{
    Key, hex,
    vectors::{self, Expectation, Format, MacaroonVector},
};

use crate::run::{onetoken, piped};

struct Golden {
    name: String,
    location: String,
    identifier: String,
    caveats: Vec<String>,
    key: [String; 2],
    signature: String,
    texts: [(&'static str, String); 2],
    token: Value,
}

fn goldens() -> Vec<Golden> {
    let goldens = vectors::golden().into_iter().map(|vector| Golden {
        key: match str::from_utf8(vector.secret()) {
            Ok(secret) if vector.token.is_some() => ["--secret".into(), secret.into()],
            _ => ["--secret-hex".into(), hex::encode(vector.secret())],
        },
        name: vector.name,
        location: vector.location,
        identifier: vector.identifier,
        caveats: vector.caveats,
        signature: hex::encode(vector.signature),
        texts: [("base62", vector.base62), ("base64url", vector.base64url)],
        token: vector.token.unwrap_or_default(),
    });
    goldens.collect()
}

fn options<'a>(name: &'a str, values: &'a [String]) -> impl Iterator<Item = &'a str> {
    values.iter().flat_map(move |value| [name, value])
}

#[test]
fn they_are_minted_byte_for_byte() {
    let goldens = goldens();
    assert_eq!(goldens.len(), 19);
    for golden in goldens {
        for (encoding, text) in &golden.texts {
            let args = ["mint", "raw", "--location", &golden.location, "--identifier", &golden.identifier];
            let args = args.into_iter().chain(options("--caveat", &golden.caveats));
            let args = args.chain(golden.key.iter().map(String::as_str)).chain(["--encoding", encoding]);
            let args: Vec<&str> = args.collect();
            assert_eq!(onetoken(&args).token(), *text, "{}", golden.name);
            let json = onetoken(args.iter().copied().chain(["--format", "v1", "--json"])).done().json();
            assert_eq!(json, json!({ "token": text }), "{}", golden.name);
        }
    }
}

#[test]
fn they_are_read_to_the_same_fields() {
    for golden in goldens() {
        for (encoding, text) in &golden.texts {
            let json = onetoken(["inspect", "--json", "--show-signature", "--at", "0", text]).done().json();
            assert_eq!(json["verified"], false);
            assert_eq!(json["encoding"], *encoding, "{}", golden.name);
            assert_eq!(json["format"], "v1");
            assert_eq!(json["bytes"], token_test::text::bytes(&golden.texts[1].1).len());
            assert_eq!(json["location"], golden.location);
            assert_eq!(json["identifier"], golden.identifier);
            assert_eq!(json["token"], golden.token, "{}", golden.name);
            assert_eq!(json["signature"], golden.signature);
            let texts = json["caveats"].as_array().unwrap().iter().map(|caveat| &caveat["text"]);
            assert!(texts.eq(&golden.caveats), "{}", golden.name);
        }
    }
}

#[test]
fn they_are_accepted_under_their_secret_alone() {
    for golden in goldens() {
        let [(_, base62), (_, base64url)] = &golden.texts;
        let exact: Vec<&str> = options("--exact", &golden.caveats).collect();
        for text in [base62, base64url] {
            let args = ["verify", "--json", "--session", "any", &golden.key[0], &golden.key[1]];
            let json = piped(text.as_str(), args.iter().chain(&exact)).done().json();
            let members: Vec<&String> = json.as_object().unwrap().keys().collect();
            assert_eq!(
                members,
                ["caveats", "expiresAt", "identifier", "location", "subject", "type", "valid"]
            );
            assert_eq!(json["valid"], true);
            assert_eq!(json["caveats"], json!(golden.caveats), "{}", golden.name);
            let (subject, kind) = (&golden.token["subject"], &golden.token["type"]);
            assert_eq!((&json["subject"], &json["type"]), (subject, kind), "{}", golden.name);
            assert_eq!(json["identifier"], golden.identifier);
            assert_eq!(json["location"], golden.location);

            let args = ["verify", "--json", "--secret", "another"];
            assert_eq!(piped(text.as_str(), args.iter().chain(&exact)).error(1), "bad-signature");
        }
        // The last character of the signature, so that the text stays well formed.
        let cut = base64url.len() - 8;
        let other = if base64url.as_bytes()[cut] == b'A' { "B" } else { "A" };
        let forged = [&base64url[..cut], other, &base64url[cut + 1..]].concat();
        let args = ["verify", "--json", &golden.key[0], &golden.key[1]];
        assert_eq!(piped(forged, args.iter().chain(&exact)).error(1), "bad-signature", "{}", golden.name);
    }
}

/// Bytes of a token in the form of a document.
fn shown(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64url": token_test::text::base64url(bytes) }),
    }
}

/// The vectors in text form, which a command line can carry.
fn texts() -> impl Iterator<Item = (MacaroonVector, String)> {
    vectors::macaroons().into_iter().filter_map(|vector| {
        let text = vector.text()?.to_owned();
        Some((vector, text))
    })
}

#[test]
fn macaroons_of_every_format_are_shown() {
    let (mut shown_whole, mut malformed) = (BTreeMap::new(), 0);
    for (vector, text) in texts() {
        let name = &vector.name;
        let outcome = onetoken(["inspect", "--json", "--show-signature", "--", &text]);
        if !vector.valid_parse {
            assert_eq!(outcome.error(3), "malformed", "{name}");
            malformed += 1;
            continue;
        }
        let json = outcome.done().json();
        let format = match vector.format.unwrap() {
            Format::V1 => "v1",
            Format::V2 => "v2",
            Format::V1J => "v1j",
            Format::V2J => "v2j",
        };
        let is_json = format.ends_with('j');
        let encodings = if is_json { &["json"][..] } else { &["base64url", "base64"] };
        assert_eq!(json["format"], format, "{name}");
        assert!(encodings.contains(&json["encoding"].as_str().unwrap()), "{name}");
        if is_json {
            assert_eq!(json["bytes"], text.len(), "{name}");
        }
        let location = json["location"].as_str().unwrap_or_default();
        assert_eq!(location, vector.location.as_deref().unwrap_or_default(), "{name}");
        assert_eq!(json["identifier"], shown(vector.identifier().unwrap()), "{name}");
        assert_eq!(json["signature"], hex::encode(vector.signature.unwrap()), "{name}");
        let caveats = json["caveats"].as_array().unwrap();
        assert_eq!(caveats.len(), vector.caveats.len(), "{name}");
        for (caveat, expected) in caveats.iter().zip(&vector.caveats) {
            match expected.vid {
                None => assert_eq!(caveat["text"], shown(expected.cid()), "{name}"),
                Some(_) => {
                    let location = expected.cl.as_deref().unwrap_or_default();
                    let identifier = shown(expected.cid());
                    let third_party =
                        json!({ "thirdParty": true, "identifier": identifier, "location": location });
                    assert_eq!(*caveat, third_party, "{name}");
                }
            }
        }
        *shown_whole.entry(format).or_insert(0) += 1;
    }
    assert_eq!(
        shown_whole.into_iter().collect::<Vec<_>>(),
        [("v1", 29), ("v1j", 4), ("v2", 40), ("v2j", 18)]
    );
    assert_eq!(malformed, 81);
}

#[test]
fn macaroons_of_every_format_are_judged_as_their_vectors_say() {
    let mut judged = [0; 2];
    for (vector, text) in texts() {
        let (Some(verification), Some(key)) = (&vector.verify, vector.key()) else { continue };
        let secret = |bytes| std::str::from_utf8(bytes).unwrap().to_owned();
        let key = match key {
            Key::Secret(bytes) => vec!["--secret".to_owned(), secret(bytes)],
            Key::Derived(bytes) => vec!["--secret".to_owned(), secret(&bytes), "--raw-key".to_owned()],
        };
        let exact = verification.exact.iter().map(|text| format!("--exact={text}"));
        let discharges = vector.discharges.iter().map(|text| format!("--discharge={text}"));
        let line = ["verify", "--json"].map(str::to_owned).into_iter();
        let line = line.chain(key).chain(exact).chain(discharges).chain(["--".to_owned(), text]);
        let outcome = onetoken(line);
        if vector.name == "empty_key" {
            assert_eq!(outcome.error(2), "usage", "an empty secret is no secret");
            continue;
        }
        let expected = match verification.expect {
            Expectation::Ok => 0,
            Expectation::Fail => 1,
        };
        assert_eq!(outcome.code, expected, "{}: {outcome:?}", vector.name);
        judged[usize::try_from(expected).unwrap()] += 1;
    }
    assert_eq!(judged, [56, 31]);
}

/// Liberal reading differs exactly where the two columns of `macaroon-formats.md` §6 differ.
#[test]
fn liberal_reading_takes_what_other_libraries_write() {
    let mut taken = Vec::new();
    for (vector, text) in texts() {
        let outcome = onetoken(["inspect", "--json", "--compat", "--", &text]);
        match (outcome.code, vector.valid_parse) {
            (0, true) => {}
            (0, false) => taken.push(vector.name),
            _ => assert!(!vector.valid_parse && outcome.error(3) == "malformed", "{}", vector.name),
        }
    }
    taken.sort();
    let expected = [
        "v1_b64_trailing_newline",
        "v1_cl_before_vid",
        "v1_location_not_utf8",
        "v1_no_location",
        "v2_empty_identifier",
        "v2_location_first_party",
        "v2_location_not_utf8",
        "v2_nonminimal_varint_len",
        "v2j_location_first_party",
        "v2j_unknown_member",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn what_a_third_party_has_to_confirm_is_missed() {
    let mut missed = 0;
    for vector in vectors::macaroons().into_iter().filter(|vector| vector.format == Some(Format::V1)) {
        let (Some(Key::Secret(secret)), Some(verification)) = (vector.key(), &vector.verify) else {
            continue;
        };
        if vector.is_first_party_only() || !matches!(verification.expect, Expectation::Ok) {
            continue;
        }
        let text = vector.text().unwrap();
        let exact = verification.exact.iter().flat_map(|text| ["--exact", text]);
        let args = ["verify", "--json", "--secret", std::str::from_utf8(secret).unwrap(), text];
        let refused = onetoken(args.into_iter().chain(exact));
        assert_eq!(refused.error(1), "discharge-missing", "{}", vector.name);

        let index = vector.caveats.iter().position(|caveat| caveat.vid.is_some()).unwrap();
        assert_eq!(refused.json()["error"]["index"], index);
        let cid = std::str::from_utf8(vector.caveats[index].cid()).unwrap();
        let caveat = &onetoken(["inspect", "--json", text]).done().json()["caveats"][index];
        let expected =
            json!({ "thirdParty": true, "identifier": cid, "location": vector.caveats[index].cl.as_deref() });
        assert_eq!(*caveat, expected);
        missed += 1;
    }
    assert!(missed > 1);
}

/// Each of the three samples of the API documents has its own damage.
#[test]
fn the_samples_of_the_api_documents_get_their_diagnosis() {
    let expected = [
        ("seed000.curl", "base62", 11, "character", "missing"),
        ("seed002.curl", "packet", 64, "byte", "cut 17 bytes short inside the identifier"),
        ("seed.response200", "packet", 0, "byte", "with `MD` in their place the token reads whole"),
    ];
    for (id, stage, offset, unit, words) in expected {
        let sample = vectors::api_documents().into_iter().find(|sample| sample.id == id).unwrap();
        let outcome = onetoken(["inspect", "--json", &sample.text]);
        assert_eq!(outcome.error(3), "malformed");
        let error = &outcome.json()["error"];
        assert_eq!(
            (&error["stage"], &error["offset"], &error["unit"]),
            (&json!(stage), &json!(offset), &json!(unit))
        );
        assert!(error["message"].as_str().unwrap().contains(words), "{outcome:?}");
        assert_eq!(error["partial"]["verified"], false);
        let people = onetoken(["inspect", &sample.text]);
        assert_eq!(people.code, 3);
        assert!(people.err.contains(words), "{people:?}");
    }
    let cut = vectors::api_documents().into_iter().find(|sample| sample.id == "seed002.curl").unwrap();
    assert_eq!(onetoken(["inspect", "--json", &cut.text]).json()["error"]["partial"]["location"], "registry");
}
