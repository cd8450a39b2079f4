//! Third-party caveats and their discharges, and the formats that carry them.

use std::fs;

use serde_json::json;
use token_core::{Caveat, CaveatKey, CaveatNonce, Macaroon, RootKey};
use token_test::text::{base64url, packet};

use crate::run::{Outcome, onetoken, piped, raw};

const FORMATS: [&[&str]; 4] =
    [&["--format", "v1"], &["--encoding", "base64url"], &["--format", "v2"], &["--format", "v2j"]];

/// A token under the secret `example` that asks a third party for something.
fn asking(third_party: &str, more: &[&str]) -> String {
    let head = ["mint", "raw", "--location", "https://bank.example", "--identifier", "id7"];
    let key = ["--secret", "example", "--third-party", third_party];
    onetoken(head.iter().chain(&key).chain(more)).token()
}

/// A discharge, not bound yet.
fn discharge(identifier: &str, key: &str, more: &[&str]) -> String {
    let head = ["mint", "raw", "--location", "https://auth.example", "--identifier", identifier];
    onetoken(head.iter().chain(&["--secret", key]).chain(more)).token()
}

fn bind(root: &str, discharge: &str) -> String {
    onetoken(["bind", root, discharge]).token()
}

fn verify(root: &str, discharges: &[&str], more: &[&str]) -> Outcome {
    let discharges = discharges.iter().flat_map(|discharge| ["--discharge", discharge]);
    let head = ["verify", "--json", "--secret", "example", root];
    onetoken(head.into_iter().chain(discharges).chain(more.iter().copied()))
}

#[test]
fn a_discharge_in_any_format_confirms_a_caveat_in_any_format() {
    for of_root in FORMATS {
        let root = asking("https://auth.example:id8:shared", of_root);
        for of_discharge in FORMATS {
            let discharge = discharge("id8", "shared", of_discharge);
            let bound = bind(&root, &discharge);
            let written = |token: &str| {
                let json = onetoken(["inspect", "--json", token]).done().json();
                (json["format"].clone(), json["encoding"].clone())
            };
            assert_eq!(written(&bound), written(&discharge), "the bound one is written as the other was");
            assert_ne!(bound, discharge);
            let accepted = verify(&root, &[&bound], &[]).done().json();
            assert_eq!((&accepted["valid"], &accepted["identifier"]), (&json!(true), &json!("id7")));
            let json = onetoken(["bind", "--json", &root, &discharge]).done().json();
            assert_eq!(json, json!({ "token": bound }));
        }
    }
}

#[test]
fn every_way_to_fail_has_its_kind_and_place() {
    let root = asking("https://auth.example:id8:shared", &["--caveat", "asn = 7"]);
    let good = bind(&root, &discharge("id8", "shared", &[]));
    let accepted = |discharges: &[&str]| verify(&root, discharges, &["--asn", "7"]);
    let refused = |outcome: Outcome, kind: &str| {
        assert_eq!(outcome.error(1), kind, "{outcome:?}");
        let document = outcome.json();
        let error = document["error"].clone();
        assert!(outcome.err.starts_with("onetoken: refused: "), "{outcome:?}");
        (error["discharge"].clone(), error["index"].clone(), error["caveat"].clone())
    };
    let nothing = json!(null);
    assert_eq!(accepted(&[&good]).code, 0);

    let missing = refused(accepted(&[]), "discharge-missing");
    assert_eq!(missing, (nothing.clone(), json!(0), json!("id8")));
    let other = bind(&root, &discharge("id9", "shared", &[]));
    assert_eq!(refused(accepted(&[&other]), "discharge-missing"), missing);
    let unused = refused(accepted(&[&good, &other]), "discharge-unused");
    assert_eq!(unused, (json!(1), nothing.clone(), nothing.clone()));
    let twice = refused(accepted(&[&good, &good]), "discharge-ambiguous");
    assert_eq!(twice, (json!(1), nothing.clone(), nothing.clone()));

    let of_another_key = bind(&root, &discharge("id8", "guessed", &[]));
    let unbound = discharge("id8", "shared", &[]);
    let of_another_root = bind(&raw(&[]), &unbound);
    let bound_too_early = onetoken(["confine", "--caveat", "asn = 7", &good]).token();
    for bad in [&of_another_key, &unbound, &of_another_root, &bound_too_early] {
        let outcome = accepted(&[bad]);
        assert!(outcome.json()["error"]["reason"].is_string());
        let bad = refused(outcome, "bad-signature");
        assert_eq!(bad, (json!(0), nothing.clone(), nothing.clone()));
    }

    // The caveat of the third party, and that of the token itself.
    let confined = bind(&root, &discharge("id8", "shared", &["--caveat", "consumer = usr-u1"]));
    let context = ["--asn", "7", "--consumer", "usr-u1"];
    assert_eq!(verify(&root, &[&confined], &context).code, 0);
    let unmet = refused(accepted(&[&confined]), "caveat-unmet");
    assert_eq!(unmet, (json!(0), json!(0), json!("consumer = usr-u1")));
    let unmet = refused(verify(&root, &[&good], &[]), "caveat-unmet");
    assert_eq!(unmet, (nothing.clone(), json!(1), json!("asn = 7")));
    let unknown = bind(&root, &discharge("id8", "shared", &["--caveat", "colour = blue"]));
    let unknown = refused(accepted(&[&unknown]), "caveat-unknown");
    assert_eq!(unknown, (json!(0), json!(0), json!("colour = blue")));

    // A discharge with a third-party caveat whose discharge is missing.
    let asks = bind(&root, &discharge("id8", "shared", &["--third-party", "far:id10:third"]));
    let missing = refused(accepted(&[&asks]), "discharge-missing");
    assert_eq!(missing, (json!(0), json!(0), json!("id10")));
    let answers = bind(&root, &discharge("id10", "third", &[]));
    assert_eq!(accepted(&[&asks, &answers]).code, 0);
    assert_eq!(accepted(&[&answers, &asks]).code, 0, "in any order");

    let malformed = accepted(&[&good, &good[..40]]);
    assert_eq!(malformed.error(3), "malformed");
    let error = &malformed.json()["error"];
    assert_eq!((&error["discharge"], &error["stage"]), (&json!(1), &json!("packet")));
    assert!(malformed.err.contains("discharge 1"), "{malformed:?}");

    let signature = refused(
        onetoken(["verify", "--json", "--secret", "other", &root, "--discharge", &good]),
        "bad-signature",
    );
    assert_eq!(signature, (nothing.clone(), nothing.clone(), nothing));
}

/// The holder can append a caveat whose key was sealed under the signature of another token.
#[test]
fn a_caveat_that_nobody_can_discharge_is_a_bad_signature() {
    let key = RootKey::derive_any(b"example");
    let mut elsewhere = Macaroon::mint(&key, "", b"elsewhere").unwrap();
    elsewhere
        .add_third_party("", b"id8", &CaveatKey::derive_any(b"shared"), CaveatNonce::from_random([7; 24]))
        .unwrap();
    let Some(Caveat::ThirdParty { vid, .. }) = elsewhere.caveats().next() else { panic!("it was added") };

    // HMAC(sig, HMAC(sig, vid) || HMAC(sig, cid)); each HMAC is the signature of a first-party caveat.
    let root = Macaroon::mint(&key, "", b"id7").unwrap();
    let link = |predicate: &[u8]| {
        let mut longer = root.clone();
        longer.attenuate(predicate).unwrap();
        *longer.signature().expose()
    };
    let signature = link(&[link(vid), link(b"id8")].concat());
    let packets = [
        packet("location", ""),
        packet("identifier", "id7"),
        packet("cid", "id8"),
        packet("vid", vid),
        packet("cl", ""),
        packet("signature", signature),
    ];
    let root = base64url(packets.concat());
    let discharge = bind(&root, &discharge("id8", "shared", &[]));
    let refused = verify(&root, &[&discharge], &[]);
    assert_eq!(refused.error(1), "bad-signature");
    let error = &refused.json()["error"];
    assert_eq!((&error["index"], &error["caveat"]), (&json!(0), &json!("id8")));
    assert!(error["reason"].as_str().unwrap().contains("sealed"), "{refused:?}");
}

#[test]
fn discharges_are_limited_in_number_and_depth() {
    // Each discharge needs the next.
    let chain = |depth: usize| {
        let root = asking("far:d1:k1", &[]);
        let bound: Vec<String> = (1..=depth)
            .map(|at| {
                let (identifier, key) = (format!("d{at}"), format!("k{at}"));
                let next = format!("far:d{0}:k{0}", at + 1);
                let asks = ["--third-party", next.as_str()];
                let more = if at < depth { &asks[..] } else { &[] };
                bind(&root, &discharge(&identifier, &key, more))
            })
            .collect();
        verify(&root, &bound.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    };
    assert_eq!(chain(32).code, 0);
    assert_eq!(chain(33).error(1), "too-deep");

    let root = raw(&[]);
    let bound = bind(&root, &discharge("id8", "shared", &[]));
    assert_eq!(verify(&root, &[bound.as_str(); 64], &[]).error(1), "discharge-ambiguous");
    let too_many = verify(&root, &[bound.as_str(); 65], &[]);
    assert_eq!(too_many.error(3), "malformed");
    let error = &too_many.json()["error"];
    assert_eq!((&error["stage"], &error["discharge"]), (&json!("limit"), &json!(64)));
}

#[test]
fn conditions_keep_their_order() {
    let token = onetoken([
        "mint",
        "raw",
        "--location",
        "l",
        "--identifier",
        "i",
        "--secret",
        "example",
        "--caveat",
        "asn = 1",
        "--third-party",
        "a:b:c",
        "--third-party",
        "d:e:f",
        "--caveat",
        "asn = 2",
        "--third-party",
        "g:h:i",
    ])
    .token();
    let caveats = onetoken(["inspect", "--json", &token]).done().json()["caveats"].clone();
    let names: Vec<_> = caveats
        .as_array()
        .unwrap()
        .iter()
        .map(|caveat| caveat.get("text").unwrap_or(&caveat["identifier"]).as_str().unwrap())
        .collect();
    assert_eq!(names, ["asn = 1", "b", "e", "asn = 2", "h"]);
    let again = onetoken([
        "mint",
        "raw",
        "--location",
        "l",
        "--identifier",
        "i",
        "--secret",
        "example",
        "--third-party",
        "a:b:c",
    ])
    .token();
    let other = onetoken([
        "mint",
        "raw",
        "--location",
        "l",
        "--identifier",
        "i",
        "--secret",
        "example",
        "--third-party",
        "a:b:c",
    ])
    .token();
    assert_ne!(again, other, "each under a nonce of its own");
}

#[test]
fn a_location_may_hold_colons_and_nothing_else_may() {
    for (text, location, identifier) in [
        ("http://auth.example:8080/a:id8:shared", "http://auth.example:8080/a", "id8"),
        (":id8:shared", "", "id8"),
        ("[::1]:id8:shared", "[::1]", "id8"),
    ] {
        let root = asking(text, &[]);
        let caveat = onetoken(["inspect", "--json", &root]).json()["caveats"][0].clone();
        let expected = json!({ "thirdParty": true, "identifier": identifier, "location": location });
        assert_eq!(caveat, expected);
        assert_eq!(verify(&root, &[&bind(&root, &discharge("id8", "shared", &[]))], &[]).code, 0, "{text}");
    }
    let mint = ["mint", "raw", "--location", "l", "--identifier", "i", "--secret", "example", "--json"];
    for wrong in ["", "shared-secret", "id8:shared-secret", "l::shared-secret", "l:id8:", "::", ":"] {
        let outcome = onetoken(mint.iter().chain(&["--third-party", wrong]));
        assert_eq!(outcome.error(2), "usage", "{wrong}");
        let said = [outcome.out, outcome.err].concat();
        assert!(!said.contains("shared-secret"), "{said}");
    }
}

#[test]
fn the_key_of_a_caveat_can_stand_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| {
        fs::write(dir.path().join(name), bytes).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let at = |path: &str| format!("https://auth.example:id8:@{path}");
    let bound = |root: &str| bind(root, &discharge("id8", "shared", &[]));
    for (name, bytes, code) in
        [("bare", &b"shared"[..], 0), ("line", b"shared\n", 0), ("two", b"shared\n\n", 1)]
    {
        let root = asking(&at(&path(name, bytes)), &[]);
        assert_eq!(verify(&root, &[&bound(&root)], &[]).code, code, "{name}");
    }
    let mint = ["mint", "raw", "--location", "l", "--identifier", "i", "--json"];
    let from_input = ["--third-party", "l:id8:@-"];
    let minted =
        piped("shared\n", mint.iter().chain(&["--secret", "example"]).chain(&from_input)).done().json();
    let root = minted["token"].as_str().unwrap();
    assert_eq!(verify(root, &[&bound(root)], &[]).code, 0);

    let fails = |more: &[&str], code| piped("shared\n", mint.iter().chain(more)).error(code);
    assert_eq!(fails(&["--secret-file", "-", "--third-party", "l:id8:@-"], 2), "usage");
    assert_eq!(fails(&["--secret", "a", "--third-party", "l:i:@-", "--third-party", "l:j:@-"], 2), "usage");
    assert_eq!(fails(&["--secret", "a", "--third-party", &at(&path("none", b"\n"))], 2), "usage");
    assert_eq!(fails(&["--secret", "a", "--third-party", "l:id8:@/nonexistent"], 4), "file");
}

#[test]
fn one_token_comes_from_standard_input() {
    let root = asking("https://auth.example:id8:shared", &[]);
    let discharge = discharge("id8", "shared", &[]);
    let bound = bind(&root, &discharge);
    assert_eq!(piped(format!("{root}\n"), ["bind", "-", &discharge]).token(), bound);
    assert_eq!(piped(discharge, ["bind", &root, "-"]).token(), bound);
    assert_eq!(onetoken(["bind", "--json", "-", "-"]).error(2), "usage");
    assert_eq!(onetoken(["bind", "--json", &root[..50], &bound]).error(3), "malformed");
    let cut = onetoken(["bind", "--json", &root, &bound[..50]]);
    assert_eq!((cut.error(3).as_str(), &cut.json()["error"]["discharge"]), ("malformed", &json!(0)));

    let verify = ["verify", "--json", "--secret", "example"];
    assert_eq!(piped(root.as_str(), verify.iter().chain(&["--discharge", &bound])).code, 0);
    assert_eq!(piped(bound.as_str(), verify.iter().chain(&[root.as_str(), "--discharge", "-"])).code, 0);
    assert_eq!(piped(root.as_str(), verify.iter().chain(&["--discharge", "-"])).error(2), "usage");
    let lines = piped(
        format!("{root}\n{}\n", raw(&[])),
        verify.iter().chain(&["--lines", "--discharge", bound.as_str()]),
    );
    let kinds: Vec<_> = lines.documents().into_iter().map(|json| json["error"]["kind"].clone()).collect();
    assert_eq!((lines.code, kinds), (1, vec![json!(null), json!("discharge-unused")]));
    let key = ["verify", "--json", &root, "--secret-file", "-", "--discharge", "-"];
    assert_eq!(piped("example", key).error(2), "usage");
}

#[test]
fn every_format_is_minted_confined_and_judged() {
    let head = ["mint", "raw", "--location", "onezone", "--identifier", "id7", "--secret", "example"];
    let signature = |token: &str| {
        let json = onetoken(["inspect", "--json", "--show-signature", token]).done().json();
        json["signature"].as_str().unwrap().to_owned()
    };
    let expected = [("v1", "base62"), ("v1", "base64url"), ("v2", "base64url"), ("v2j", "json")];
    for (options, (format, encoding)) in FORMATS.into_iter().zip(expected) {
        let token = onetoken(head.iter().chain(options)).token();
        assert_eq!(signature(&token), signature(&raw(&[])), "{format}");
        let confined = onetoken(["confine", "--caveat", "data.readonly", &token]).token();
        let json = onetoken(["inspect", "--json", &confined]).done().json();
        assert_eq!((&json["format"], &json["encoding"]), (&json!(format), &json!(encoding)));
        assert_eq!(signature(&confined), signature(&raw(&["data.readonly"])), "{format}");
        assert_eq!(verify(&confined, &[], &["--allow-data-caveats"]).code, 0);
        assert_eq!(verify(&confined, &[], &[]).error(1), "caveat-unmet");
        let people = onetoken(["inspect", &confined]).done().out;
        assert!(people.contains(&format!("{encoding}, {format}, ")), "{people}");
    }
    for wrong in [
        &["--format", "v2", "--encoding", "base62"][..],
        &["--format", "v2j", "--encoding", "base62"],
        &["--format", "v2j", "--encoding", "base64url"],
        &["--format", "v1j"],
    ] {
        assert_eq!(onetoken(head.iter().chain(wrong).chain(&["--json"])).error(2), "usage", "{wrong:?}");
    }
    let v2 = ["--format", "v2", "--encoding", "base64url"];
    assert_eq!(onetoken(head.iter().chain(&v2)).token(), onetoken(head.iter().chain(FORMATS[2])).token());
    // Fields that do not fit in a v1 packet.
    let long = ["--identifier", &"x".repeat(65_520)];
    let head = ["mint", "raw", "--location", "onezone", "--secret", "example"];
    assert_eq!(onetoken(head.iter().chain(&long).chain(&["--format", "v2"])).code, 0);
}

#[test]
fn liberal_reading_is_asked_for() {
    // A caveat without a location, as some libraries write it.
    let sent = token_test::vectors::macaroons().into_iter().find(|vector| vector.name == "v1_no_location");
    let sent = sent.unwrap();
    let text = sent.text().unwrap();
    for command in [&["inspect", "--json"][..], &["verify", "--json", "--secret", "any"]] {
        assert_eq!(onetoken(command.iter().chain(&[text])).error(3), "malformed");
        assert_ne!(onetoken(command.iter().chain(&["--compat", text])).code, 3);
    }
    let confine = ["confine", "--json", "--caveat", "asn = 7", text];
    assert_eq!(onetoken(confine).error(3), "malformed");
    assert_eq!(onetoken(confine.iter().chain(&["--compat"])).code, 0);
    let root = raw(&[]);
    assert_eq!(onetoken(["bind", "--json", &root, text]).error(3), "malformed");
    assert_eq!(onetoken(["bind", "--json", "--compat", &root, text]).code, 0);
    assert_eq!(onetoken(["verify", "--json", "--compat", &root]).error(2), "usage");
    assert_eq!(onetoken(["verify", "--json", "--discharge", &root, &root]).error(2), "usage");
}
