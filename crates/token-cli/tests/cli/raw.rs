//! `mint raw`, `verify` with a key, and `confine`.

use serde_json::json;

use crate::run::{onetoken, piped, raw};

fn verify(token: &str, more: &[&str]) -> crate::run::Outcome {
    onetoken(["verify", "--json", "--secret", "example", token].iter().chain(more))
}

#[test]
fn what_verify_answers() {
    let token = raw(&["time < 4102444800"]);
    let accepted = verify(&token, &[]).done();
    assert_eq!(accepted.err, "");
    let expected = json!({
        "valid": true, "identifier": "id7", "subject": null, "type": null, "caveats": ["time < 4102444800"],
        "location": "onezone", "expiresAt": "2100-01-01T00:00:00Z"
    });
    assert_eq!(accepted.json(), expected);
    assert_eq!(verify(&raw(&[]), &[]).json()["expiresAt"], json!(null));
    assert!(onetoken(["verify", "--secret", "example", &token]).done().out.starts_with("valid\n"));

    assert_eq!(onetoken(["verify", "--json", "--secret", "other", &token]).error(1), "bad-signature");
    assert_eq!(onetoken(["verify", "--json", "--secret", "example", "nonsense"]).error(3), "malformed");
    let people = onetoken(["verify", "--secret", "other", &token]);
    assert_eq!((people.code, people.out.as_str()), (1, ""));
    assert!(people.err.contains("signature"), "{people:?}");
}

#[test]
fn caveats_are_named_with_their_index() {
    let token = raw(&["ip = 192.0.2.0/24", "colour = blue", "time < 100"]);
    let refused = verify(&token, &["--at", "50"]);
    assert_eq!(refused.error(1), "caveat-unmet");
    let error = &refused.json()["error"];
    assert_eq!((&error["index"], &error["caveat"]), (&json!(0), &json!("ip = 192.0.2.0/24")));
    assert!(error["reason"].is_string());

    let refused = verify(&token, &["--at", "50", "--ip", "192.0.2.9"]);
    assert_eq!(refused.error(1), "caveat-unknown");
    let error = &refused.json()["error"];
    assert_eq!((&error["index"], &error["caveat"]), (&json!(1), &json!("colour = blue")));

    let more = ["--ip", "192.0.2.9", "--exact", "colour = blue"];
    let refused = verify(&token, &more);
    assert_eq!(refused.error(1), "caveat-unmet");
    assert_eq!(refused.json()["error"]["index"], 2);
    assert!(refused.json()["error"]["reason"].as_str().unwrap().contains("expired"));
    for (at, code) in [("99", 0), ("100", 1), ("1970-01-01T00:01:39+00:00", 0)] {
        assert_eq!(verify(&token, &[&more[..], &["--at", at]].concat()).code, code, "{at}");
    }
    // The signature comes first: the answer to a forgery says nothing about its caveats.
    assert_eq!(onetoken(["verify", "--json", "--secret", "other", &token]).error(1), "bad-signature");
}

/// A caveat, an option that satisfies it, and one that does not.
const CONTEXT: [(&str, &[&str], &[&str]); 12] = [
    ("ip = 10.0.0.0/8|192.0.2.1/32", &["--ip", "192.0.2.1"], &["--ip", "192.0.2.2"]),
    ("asn = 322|7", &["--asn", "7"], &["--asn", "8"]),
    ("geo.country = PL|FR", &["--country", "pl"], &["--country", "DE"]),
    ("geo.country != PL|FR", &["--country", "DE"], &["--country", "FR"]),
    ("geo.region = Asia|EU", &["--region", "Europe", "--region", "EU"], &["--region", "Africa"]),
    ("geo.region != Asia", &["--region", "Europe,EU"], &["--region", "Asia"]),
    ("service = opw-*", &["--service", "opw-p1"], &["--service", "opp-p1"]),
    ("consumer = usr-u1|prv-*", &["--consumer", "prv-p1"], &["--consumer", "usr-u2"]),
    ("interface = rest", &["--interface", "rest"], &["--interface", "oneclient"]),
    ("data.readonly", &["--allow-data-caveats"], &[]),
    ("consumer = grp-g1", &["--consumer", "grp-g1"], &["--consumer", "usr-u1"]),
    ("time < 100", &["--at", "99"], &["--at", "100"]),
];

#[test]
fn a_long_caveat_is_cut_in_a_refusal() {
    let long = format!("colour = {}", "é".repeat(100));
    let refused = verify(&raw(&[&long]), &[]);
    assert_eq!(refused.error(1), "caveat-unknown");
    let error = &refused.json()["error"];
    let text = error["caveat"].as_str().unwrap();
    assert_eq!((text.len(), long.starts_with(text)), (127, true), "between characters");
    assert_eq!(error["caveatBytes"], 209);
    assert!(!refused.err.contains(&long) && refused.err.contains(text), "{refused:?}");
    let short = verify(&raw(&["colour = blue"]), &[]).json();
    assert_eq!(
        (&short["error"]["caveat"], &short["error"]["caveatBytes"]),
        (&json!("colour = blue"), &json!(null))
    );
}

#[test]
fn caveats_are_judged_by_the_context() {
    for (caveat, satisfied, unsatisfied) in CONTEXT {
        let token = raw(&[caveat]);
        assert_eq!(verify(&token, satisfied).code, 0, "{caveat} {satisfied:?}");
        assert_eq!(verify(&token, unsatisfied).error(1), "caveat-unmet", "{caveat} {unsatisfied:?}");
        assert_eq!(verify(&token, &[]).error(1), "caveat-unmet", "{caveat}: nothing known of it");
    }
    assert_eq!(verify(&raw(&["api = all/all/*.*.*:*"]), &[]).code, 0, "enforced later on");
}

#[test]
fn a_token_type_supports_some_caveats_only() {
    let with = |caveat: &str, used_as: &str, more: &[&str]| {
        verify(&raw(&[caveat]), &[&["--as", used_as], more].concat())
    };
    for (caveat, context, supported) in [
        ("ip = 192.0.2.1/32", &["--ip", "192.0.2.1"][..], [true, true, true]),
        ("interface = rest", &["--interface", "rest"], [true, true, false]),
        ("service = opw-p1", &["--service", "opw-p1"], [true, false, false]),
        ("api = all/all/*.*.*", &[], [true, false, false]),
        ("data.readonly", &["--allow-data-caveats"], [true, false, false]),
        ("authorization = none", &[], [false, false, false]),
        ("tokenType = space_support_token", &[], [false, false, false]),
    ] {
        for (used_as, supported) in ["access", "identity", "invite"].into_iter().zip(supported) {
            let outcome = with(caveat, used_as, context);
            if supported {
                assert_eq!(outcome.code, 0, "{caveat} as {used_as}: {outcome:?}");
            } else {
                assert_eq!(outcome.error(1), "caveat-unmet", "{caveat} as {used_as}");
                assert_eq!(outcome.json()["error"]["reason"], "unsupported");
            }
        }
    }
    assert_eq!(with("colour = blue", "access", &[]).error(1), "caveat-unknown");

    let access = |used_as: &str| {
        let identifier = "2/nmd/usr-u1/act/id7";
        let mint = ["mint", "raw", "--location", "l", "--identifier", identifier, "--secret", "example"];
        verify(
            &onetoken(mint.iter().chain(&["--caveat", "authorization = none"])).token(),
            &["--as", used_as],
        )
        .code
    };
    assert_eq!(
        (access("identity"), access("access")),
        (0, 1),
        "an access token in place of an identity token"
    );
}

#[test]
fn keys_come_in_three_ways() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let token = raw(&[]);
    let code = |key: &[&str]| onetoken(["verify", &token].iter().chain(key)).code;
    assert_eq!(code(&["--secret-hex", "6578616d706C65"]), 0);
    assert_eq!(code(&["--secret-file", &file("bare", b"example")]), 0);
    assert_eq!(code(&["--secret-file", &file("line", b"example\n")]), 0);
    assert_eq!(code(&["--secret-file", &file("lines", b"example\n\n")]), 1);
    assert_eq!(code(&["--secret-file", &file("spaces", b"example \n")]), 1);
    assert_eq!(code(&["--secret-file", &file("none", b"")]), 2);
    assert_eq!(code(&["--secret-file", "/nonexistent"]), 4);
    assert_eq!(code(&["--secret-file", dir.path().to_str().unwrap()]), 4);
    assert_eq!(piped("example\n", ["verify", &token, "--secret-file", "-"]).code, 0);
    assert_eq!(piped(token.as_str(), ["verify", "--secret-file", "-"]).code, 2);

    // The derived root key of `verySecretSecret3` (onedata-tokens.md §9 B).
    let derived = "75562e83eb39e488c7da1e3ed1f21c5b77d8196fce416febf9725c256bf88f28";
    let mint = ["mint", "raw", "--location", "onezone", "--identifier", "id7"];
    let secret = onetoken(mint.iter().chain(&["--secret", "verySecretSecret3"])).token();
    assert_eq!(onetoken(mint.iter().chain(&["--secret-hex", derived, "--raw-key"])).token(), secret);
    let bytes = token_test::hex::decode(derived);
    assert_eq!(
        onetoken(mint.iter().chain(&["--secret-file", &file("raw", &bytes), "--raw-key"])).token(),
        secret
    );
    assert_ne!(onetoken(mint.iter().chain(&["--secret-hex", derived])).token(), secret);
    let ends_in_line_feed = [&[7; 31][..], b"\n"].concat();
    assert_eq!(code(&["--secret-file", &file("feed", &ends_in_line_feed), "--raw-key"]), 1);

    for wrong in [
        &[][..],
        &["--secret", "example", "--secret-hex", "00"],
        &["--raw-key"],
        &["--secret", "example", "--raw-key"],
        &["--secret-hex", "0"],
        &["--secret-hex", "0g"],
        &["--secret", ""],
    ] {
        let outcome = onetoken(mint.iter().chain(wrong).chain(&["--json"]));
        assert_eq!(outcome.error(2), "usage", "{wrong:?}");
    }
}

#[test]
fn mint_raw_refuses_what_is_no_part_of_a_token() {
    let mint = |more: &[&str]| {
        let head = ["mint", "raw", "--location", "onezone", "--secret", "example", "--json"];
        onetoken(head.iter().chain(more))
    };
    assert_eq!(mint(&["--identifier", "id7", "--caveat", ""]).error(2), "usage");
    assert_eq!(mint(&["--identifier", ""]).error(2), "usage");
    assert_eq!(mint(&[]).error(2), "usage");
    // A v1 packet has at most 65,535 bytes.
    assert_eq!(mint(&["--identifier", &"x".repeat(65_519)]).code, 0);
    let long = mint(&["--identifier", &"x".repeat(65_520)]);
    assert_eq!(long.error(3), "malformed");
    assert_eq!(long.json()["error"]["stage"], "limit");
    assert_eq!(mint(&["--identifier", "-id7"]).code, 0, "ids are base64url");
}

#[test]
fn people_see_what_a_token_says_it_is_for() {
    let verified = |token: &str| onetoken(["verify", "--secret", "example", token]).done().out;
    let legacy = verified(&raw(&["tokenType = space_create_token"]));
    assert!(legacy.starts_with("valid\ntype        legacy group-spaces token\nexpires "), "{legacy}");
    let plain = verified(&raw(&[]));
    assert!(plain.starts_with("valid\nexpires     never\nidentifier  id7\n"), "{plain}");
    let vector = token_test::vectors::onedata()
        .into_iter()
        .find(|vector| vector.token.as_ref().unwrap()["type"]["inviteToken"]["inviteType"] == "supportSpace")
        .unwrap();
    let exact = vector.caveats.iter().flat_map(|caveat| ["--exact", caveat]);
    let line = ["verify", "--secret", str::from_utf8(vector.secret()).unwrap(), &vector.base62]
        .into_iter()
        .chain(exact);
    let modern = onetoken(line).done().out;
    let expected = "valid\ntype        invite token, supportSpace\nspace       ";
    assert!(modern.starts_with(expected) && modern.contains("\nsubject     "), "{modern}");
}

#[test]
fn lines_are_verified_under_one_key() {
    let good = raw(&[]);
    let unmet = raw(&["time < 100"]);
    let forged =
        onetoken(["mint", "raw", "--location", "l", "--identifier", "i", "--secret", "other"]).token();
    let input = format!("{good}\n{unmet}\nbroken\n{forged}\n{good}\n");
    let outcome = piped(input, ["verify", "--lines", "--secret", "example"]);
    assert_eq!(outcome.code, 3, "the worst");
    let kinds: Vec<_> = outcome.documents().into_iter().map(|json| json["error"]["kind"].clone()).collect();
    assert_eq!(
        kinds,
        [json!(null), json!("caveat-unmet"), json!("malformed"), json!("bad-signature"), json!(null)]
    );
    assert_eq!(piped(format!("{good}\n{forged}\n"), ["verify", "--lines", "--secret", "example"]).code, 1);
}

#[test]
fn confining_appends_in_a_known_order() {
    let token = raw(&["colour = blue"]);
    let args = [
        "confine",
        "--json",
        "--consumer",
        "prv-p1",
        "--consumer",
        "usr-*",
        "--ip",
        "10.0.0.0/8",
        "--ip",
        "192.0.2.1",
        "--expires",
        "2030-01-31T12:00:00Z",
        "--caveat",
        "interface = rest",
        "--caveat",
        "asn = 7",
    ];
    let document = piped(format!("{token}\n"), args).done().json();
    assert_eq!(document.as_object().unwrap().len(), 1);
    let confined = document["token"].as_str().unwrap();
    let json = onetoken(["inspect", "--json", confined]).json();
    let texts: Vec<_> =
        json["caveats"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap()).collect();
    let expected = [
        "colour = blue",
        "interface = rest",
        "asn = 7",
        "time < 1896091200",
        "ip = 10.0.0.0/8|192.0.2.1/32",
        "consumer = prv-p1|usr-*",
    ];
    assert_eq!(texts, expected);
    let context = ["--exact", "colour = blue", "--interface", "rest", "--asn", "7", "--ip", "10.1.2.3"];
    assert_eq!(verify(confined, &[&context[..], &["--consumer", "usr-u1"]].concat()).code, 0);
    assert_eq!(verify(confined, &[&context[..], &["--consumer", "prv-p2"]].concat()).code, 1);
}

#[test]
fn confining_keeps_the_spelling() {
    let token = raw(&[]);
    for spelled in [token.clone(), format!("opw-{token}"), format!("opp-{token}")] {
        let confined = onetoken(["confine", "--caveat", "asn = 7", &spelled]).token();
        assert_eq!(confined.get(..4), spelled.get(..4));
        assert_eq!(verify(&confined, &["--asn", "7"]).code, 0);
    }
    let head = ["mint", "raw", "--location", "l", "--identifier", "i", "--secret", "example"];
    let base64url = onetoken(head.iter().chain(&["--encoding", "base64url"])).token();
    let confined = onetoken(["confine", "--caveat", "asn = 7", &base64url]).token();
    assert_eq!(onetoken(["inspect", "--json", &confined]).json()["encoding"], "base64url");
}

#[test]
fn a_ttl_counts_from_now() {
    let token = raw(&[]);
    for (ttl, secs) in [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)] {
        let before = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let confined = onetoken(["confine", "--ttl", ttl, &token]).token();
        let after = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let json = onetoken(["inspect", "--json", &confined]).json();
        let until = json["caveats"][0]["caveat"]["validUntil"].as_u64().unwrap();
        assert!((before + secs..=after + secs).contains(&until), "{ttl}: {until}");
    }
}

#[test]
fn confining_refuses_what_makes_no_sense() {
    let token = raw(&[]);
    for wrong in [
        &[][..],
        &["--caveat", ""],
        &["--ttl", "soon"],
        &["--ttl", "0s"],
        &["--ttl", "1h", "--expires", "100"],
        &["--expires", "tomorrow"],
        &["--ip", "192.0.2.0/33"],
        &["--ip", "::1"],
        &["--consumer", "p1"],
        &["--consumer", "nobody"],
    ] {
        let outcome = onetoken(["confine", "--json", &token].iter().chain(wrong));
        assert_eq!(outcome.error(2), "usage", "{wrong:?}");
    }
    assert_eq!(onetoken(["confine", "--json", "--caveat", "asn = 7", &token[..50]]).error(3), "malformed");
    assert!(onetoken(["confine", "--caveat", "color: blue", &token]).done().err.contains("warning"));
}

#[test]
fn a_caveat_that_is_not_known_is_named_with_the_nearest_known() {
    let token = raw(&[]);
    let confine = |caveat: &str| onetoken(["confine", "--caveat", caveat, &token]);
    let warned = confine("tiem < 5").done().err;
    assert!(warned.contains("`tiem < 5` is not a caveat that Onedata knows; did you mean `time < SECONDS`?"));
    let warned = confine("color: blue\u{1b}[31m").done().err;
    assert!(warned.contains(r"`color: blue\u{1b}[31m` is not a caveat"), "{warned}");
    assert!(!warned.contains("did you mean"), "{warned}");
    let warned = confine(&"x".repeat(5000)).done().err;
    assert!(warned.contains("… (5000 bytes)") && warned.len() < 500, "{warned}");
    // Onedata reads it, and it would exclude nobody.
    let refused = confine("geo.country != pl");
    assert_eq!((refused.code, refused.out.as_str()), (3, ""));
    assert!(refused.err.contains("two capital letters"), "{}", refused.err);

    let home = crate::run::Home::over("redb");
    let refused = home.run(["mint", "access", "--subject", "usr-u1", "--caveat", "data.read-only"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("caveat 0: `data.read-only` is not a caveat"), "{}", refused.err);
    assert!(refused.err.contains("did you mean `data.readonly`?"), "{}", refused.err);
}
