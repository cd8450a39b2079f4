//! The facts of a request: its session, scope and groups, requests in documents, and explanations.

use serde_json::{Value, json};
use token_core::Predicate;

use crate::run::{Home, Outcome, feed, onetoken, piped, raw};

const VERDICTS: &str = include_str!("../../../token-test/vectors/ctool-verdicts.jsonl");

fn document(case: &Value) -> Value {
    let mut context = case["ctx"].clone();
    let facts = context.as_object_mut().unwrap();
    let data = facts.remove("data_caveats_allowed").unwrap();
    facts.insert("allowDataCaveats".into(), data);
    facts["scope"] = facts["scope"].as_str().unwrap().replace('_', "-").into();
    json!({ "token": case["token"], "secret": case["secret"], "context": context })
}

/// Every verdict of Onedata's own library, but the signature comes first.
#[test]
fn requests_are_judged_as_onedata_does() {
    let cases: Vec<Value> = VERDICTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 640);
    let input: String = cases.iter().map(|case| format!("{}\n", document(case))).collect();
    let run = piped(input, ["verify", "--requests"]);
    assert_eq!(run.code, 1);
    let answers = run.documents();
    assert_eq!(answers.len(), cases.len());
    for (number, (case, answer)) in cases.iter().zip(&answers).enumerate() {
        let (verdict, error) = (&case["verdict"], &answer["error"]);
        if case["secret"] != case["minted_with"] {
            assert_eq!(error["kind"], "bad-signature", "{number}: {answer}");
        } else if let Some(unmet) = verdict.get("unverified") {
            assert_eq!(error["kind"], "caveat-unmet", "{number}: {answer}");
            // A long caveat is cut.
            if error.get("caveatBytes").is_none() {
                let caveat = Predicate::read(error["caveat"].as_str().unwrap().as_bytes()).unwrap();
                assert_eq!(serde_json::to_value(caveat).unwrap(), *unmet, "{number}");
            }
        } else if verdict["error"] == "token_session_invalid" {
            assert_eq!(error["kind"], "wrong-session", "{number}: {answer}");
        } else {
            assert_eq!(
                (&verdict["ok"], &answer["valid"]),
                (&json!(true), &json!(true)),
                "{number}: {answer}"
            );
        }
        assert_eq!(error.is_null(), error["line"] != json!(number + 1), "{number}: {answer}");
    }
}

#[test]
fn a_bad_request_stops_no_other_and_shows_no_secret() {
    let token = raw(&["time < 1000"]);
    let good = json!({ "token": token, "secret": "example", "context": { "now": 999 } });
    let late = json!({ "token": token, "secret": "example", "context": { "now": 1000 } });
    // The clock is later than that.
    let bare = json!({ "token": token, "secret": "example" });
    let bad = [
        json!({ "token": token, "secret": ["hush-hush"] }),
        json!({ "token": token, "secret": "hush-hush", "unknown": 1 }),
        json!({ "token": token, "secret": "hush-hush", "context": { "scope": "hush-hush" } }),
        json!({ "token": token, "secret": "hush-hush", "context": { "regions": ["hush-hush"] } }),
        json!({ "token": token, "secret": "hush-hush", "context": { "asn": "hush-hush" } }),
        json!({ "token": token, "secret": "hush-hush", "context": { "session": "" } }),
        json!({ "token": token, "secret": "" }),
        json!({ "secret": "hush-hush" }),
        json!(["hush-hush"]),
        json!("hush-hush"),
    ];
    let lines = bad.iter().chain([&late, &bare, &good]);
    let run = piped(lines.map(|line| format!("{line}\n")).collect::<String>(), ["verify", "--requests"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(!run.out.contains("hush-hush") && !run.err.contains("hush-hush"), "{run:?}");
    let answers = run.documents();
    let (refused, others) = answers.split_at(bad.len());
    assert!(refused.iter().all(|it| it["error"]["stage"] == "json"), "{refused:?}");
    let [late, bare, good] = others else { panic!("{others:?}") };
    assert_eq!(
        (&late["error"]["kind"], &bare["error"]["kind"]),
        (&json!("caveat-unmet"), &json!("caveat-unmet"))
    );
    assert_eq!(good["valid"], true);
}

#[test]
fn requests_take_no_options_of_the_request() {
    for options in [
        &["--secret", "s"][..],
        &["--lines"],
        &["--ip", "192.0.2.7"],
        &["--session", "any"],
        &["--scope", "unlimited"],
        &["--group", "grp-g"],
        &["--expect", "access"],
        &["--explain"],
        &["token"],
    ] {
        let run = piped("", ["verify", "--requests"].iter().chain(options));
        assert_eq!(run.code, 2, "{options:?}: {run:?}");
    }
}

/// A raw token with this identifier under the secret `example`.
fn identified(identifier: &str, caveats: &[&str]) -> String {
    let head = ["mint", "raw", "--location", "onezone", "--identifier", identifier, "--secret", "example"];
    onetoken(head.into_iter().chain(caveats.iter().flat_map(|caveat| ["--caveat", caveat]))).token()
}

fn verify(token: &str, options: &[&str]) -> Outcome {
    piped(token, ["verify", "--secret", "example", "--json"].iter().chain(options))
}

#[test]
fn a_token_bound_to_a_session_needs_its_session() {
    let bound = identified("2/nmd/usr-u/act:s1/id", &[]);
    assert_eq!(verify(&bound, &[]).error(1), "wrong-session");
    assert_eq!(verify(&bound, &["--session", "s2"]).error(1), "wrong-session");
    assert_eq!(verify(&bound, &["--session", ""]).code, 2);
    for session in ["s1", "any"] {
        assert_eq!(verify(&bound, &["--session", session]).json()["valid"], true, "{session}");
    }
    let free = identified("2/nmd/usr-u/act/id", &[]);
    assert_eq!(verify(&free, &[]).json()["valid"], true);
    assert_eq!(verify(&free, &["--session", "s1"]).error(1), "wrong-session");
    assert_eq!(verify(&free, &["--session", "any"]).json()["valid"], true);
}

#[test]
fn the_scope_decides_about_identity_caveats() {
    let token = raw(&["authorization = none"]);
    assert_eq!(verify(&token, &[]).error(1), "caveat-unmet");
    assert_eq!(verify(&token, &["--scope", "unlimited"]).error(1), "caveat-unmet");
    assert_eq!(verify(&token, &["--scope", "identity-token"]).json()["valid"], true);
    assert_eq!(verify(&token, &["--scope", "identity_token"]).code, 2);
}

#[test]
fn a_user_passes_by_its_groups() {
    let (some, any) = (raw(&["consumer = grp-g1|grp-g2"]), raw(&["consumer = grp-*"]));
    let user = ["--consumer", "usr-u"];
    let with = |token: &str, groups: &[&str]| {
        let groups = groups.iter().flat_map(|group| ["--group", group]);
        verify(token, &user.into_iter().chain(groups).collect::<Vec<_>>())
    };
    assert_eq!(with(&some, &[]).error(1), "caveat-unmet");
    assert_eq!(with(&some, &["grp-g"]).error(1), "caveat-unmet");
    assert_eq!(with(&some, &["grp-g", "grp-g2"]).json()["valid"], true);
    assert_eq!(with(&any, &[]).error(1), "caveat-unmet");
    assert_eq!(with(&any, &["grp-g"]).json()["valid"], true);
    assert_eq!(with(&some, &["g2"]).code, 2);
    assert_eq!(with(&some, &["usr-g2"]).code, 2);
}

#[test]
fn every_caveat_is_explained() {
    let token = raw(&["time < 9", "asn = 7", "colour = blue", "geo.country = PL"]);
    let options = ["--at", "5", "--asn", "8"];
    let run = verify(&token, &[&options[..], &["--explain"]].concat());
    assert_eq!(run.error(1), "caveat-unmet");
    let error = &run.json()["error"];
    assert_eq!(error["index"], 1);
    assert_eq!(
        error["caveats"],
        json!([
            { "index": 0, "caveat": "time < 9", "holds": true, "fact": "1970-01-01T00:00:05Z", "reason": null },
            { "index": 1, "caveat": "asn = 7", "holds": false, "fact": "8", "reason": "the request is not as it asks" },
            { "index": 2, "caveat": "colour = blue", "holds": false, "fact": null, "reason": "it is not understood" },
            {
                "index": 3, "caveat": "geo.country = PL", "holds": false, "fact": null,
                "reason": "nothing is known of what it asks for",
            },
        ])
    );

    // For people. Not a terminal, so without signs.
    let args = ["verify", "--secret", "example", "--explain"];
    let run = piped(token.as_str(), args.iter().chain(&options));
    assert_eq!(run.code, 1);
    assert!(run.out.is_ascii(), "{run:?}");
    let [time, asn, unknown, country] = run.lines()[..] else { panic!("{run:?}") };
    assert_eq!(time, "yes  0  time < 9  (request: 1970-01-01T00:00:05Z)");
    assert_eq!(asn, "no   1  asn = 7  (request: 8)  the request is not as it asks");
    assert!(unknown.starts_with("no   2  colour = blue  ") && country.starts_with("no   3  "), "{run:?}");
    assert!(run.err.starts_with("onetoken: refused: caveat 1"), "{run:?}");

    // An accepted token is explained as well; one without caveats has none.
    let accepted = verify(&raw(&["time < 9"]), &["--at", "5", "--explain"]).done().json();
    assert_eq!((&accepted["valid"], &accepted["caveats"][0]["holds"]), (&json!(true), &json!(true)));
    assert_eq!(verify(&raw(&[]), &["--explain"]).done().json()["caveats"], json!([]));
    assert_eq!(verify(&raw(&["time < 9"]), &["--at", "5"]).done().json()["caveats"], json!(["time < 9"]));

    // A forger learns nothing.
    let run = piped(token.as_str(), ["verify", "--secret", "other", "--explain", "--json"]);
    assert_eq!(run.error(1), "bad-signature");
    assert!(run.json()["error"].get("caveats").is_none(), "{run:?}");
    let run = piped(token.as_str(), ["verify", "--secret", "other", "--explain"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
}

/// The author of the token and the caller write into the explanation.
#[test]
fn an_explanation_does_not_steer_the_terminal() {
    let token = raw(&["asn = 1", "colour = \u{1b}[2J\nno   9"]);
    let run = piped(token.as_str(), ["verify", "--secret", "example", "--explain"]);
    assert_eq!(run.lines().len(), 2, "{run:?}");
    assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "{run:?}");
}

#[test]
fn the_store_judges_by_the_same_facts() {
    let home = Home::over("redb");
    let session = home.run(["mint", "access", "--subject", "usr-u", "--json"]).json();
    let token = session["token"].as_str().unwrap().to_owned();
    let confined =
        piped(token.as_str(), ["confine", "--caveat", "asn = 7", "--caveat", "consumer = grp-g"]).token();
    let verify = |token: &str, options: &[&str]| {
        let args = [&["verify", "-", "--json", "--expect", "access"], options].concat();
        feed(&mut home.command(args), token)
    };
    assert_eq!(verify(&token, &["--session", "s1"]).error(1), "wrong-session");
    assert_eq!(verify(&token, &["--session", "any"]).json()["valid"], true);
    let facts = ["--consumer", "usr-u", "--group", "grp-g"];
    let run = verify(&confined, &[&facts[..], &["--explain"]].concat());
    assert_eq!(run.error(1), "caveat-unmet");
    let caveats = run.json()["error"]["caveats"].clone();
    let holds: Vec<&Value> = caveats.as_array().unwrap().iter().map(|it| &it["holds"]).collect();
    // The first is its expiry.
    assert_eq!(holds, [&json!(true), &json!(false), &json!(true)]);
    let run = verify(&confined, &[&facts[..], &["--asn", "7", "--explain"]].concat());
    assert_eq!(run.done().json()["valid"], true);

    // A revoked token is refused, though its caveats hold.
    home.run(["revoke", session["id"].as_str().unwrap()]).done();
    let run = verify(&confined, &[&facts[..], &["--asn", "7", "--explain"]].concat());
    assert_eq!(run.error(1), "revoked");
    assert_eq!(run.json()["error"]["caveats"][1]["holds"], true);
}

#[test]
fn a_spend_takes_the_same_facts() {
    let home = Home::over("redb");
    let token = home.run(["mint", "access", "--subject", "usr-u"]).token();
    let confined = piped(token.as_str(), ["confine", "--caveat", "consumer = grp-g"]).token();
    let consume = |options: &[&str]| {
        let args = ["consume", "-", "--json", "--expect", "access", "--consumer", "usr-u"];
        feed(&mut home.command([&args[..], options].concat()), confined.as_str())
    };
    assert_eq!(consume(&[]).error(1), "caveat-unmet");
    assert_eq!(consume(&["--group", "grp-g", "--session", "s"]).error(1), "wrong-session");
    assert_eq!(consume(&["--group", "grp-g"]).json()["consumed"], true);
}
