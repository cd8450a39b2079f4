//! Adopting the tokens of an existing Onezone.

use std::fs;

use serde_json::{Value, json};

use crate::run::{ENGINES, Home, Outcome, feed, onetoken};

/// Adopts these lines from standard input.
fn adopt(home: &Home, lines: &str) -> Outcome {
    feed(&mut home.command(["adopt", "-", "--json"]), lines)
}

fn document(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A token of another issuer.
fn raw(identifier: &str, secret: &[&str], caveats: &[&str]) -> String {
    let mint = ["mint", "raw", "--location", "onezone.example.com", "--identifier", identifier];
    let caveats = caveats.iter().flat_map(|caveat| ["--caveat", caveat]);
    onetoken(mint.iter().copied().chain(secret.iter().copied()).chain(caveats)).token()
}

#[test]
fn tokens_of_a_onezone_stay_valid() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let (access, support, session) = ("2/nmd/usr-u1/act/t1", "t2", "2/nmd/usr-u1/act:s7/t3");
        let temporary = "2/tmp-4/usr-u1/act/t4";
        let text = ["--secret", "example"];
        let tokens = [
            raw(access, &text, &["time < 4000000000", "ip = 192.0.2.0/24"]),
            raw(support, &["--secret-hex", "00ff"], &["tokenType = space_support_token"]),
            raw(session, &text, &[]),
            raw(temporary, &text, &["time < 4000000000"]),
        ];
        let created = 1_600_000_000;
        let lines = document(&[
            json!({ "id": "t1", "secret": "example", "type": "access", "subject": "usr-u1", "created": created,
                    "caveats": ["time < 4000000000", "ip = 192.0.2.0/24"], "name": "laptop", "metadata": "{}" }),
            json!({ "id": "t2", "secretHex": "00ff", "version": 1, "type": "supportSpace", "target": "s1",
                    "subject": "usr-u1", "caveats": ["tokenType = space_support_token"],
                    "created": "2020-09-13T12:26:40Z", "usageLimit": 3, "usageCount": 1 }),
            json!({ "id": "t3", "secret": "example", "type": "access", "session": "s7", "subject": "usr-u1",
                    "created": created, "revoked": true }),
            json!({ "subject": "usr-u1", "generation": 4, "secret": "example" }),
            json!({ "id": "t5", "secret": "example", "version": 2, "type": "ujg", "target": "g1",
                    "subject": "usr-u1", "created": created, "privileges": "[\"group_view\"]" }),
        ]);
        let expected = json!({ "adopted": 5, "failed": [] });
        assert_eq!(adopt(&home, &lines).done().json(), expected);
        home.run(["consume", &tokens[1], "--expect", "space-support", "--consumer", "prv-p1"]).done();
        home.run(["reinstate", "t3"]).done();
        let again = adopt(&home, &lines).done();
        assert_eq!(again.json(), expected);
        assert!(!again.out.contains("example") && again.err.is_empty(), "{again:?}");

        for token in &tokens {
            home.run(["verify", token, "--ip", "192.0.2.7", "--session", "any"]).done();
        }
        assert_eq!(home.run(["verify", &tokens[0], "--json"]).error(1), "caveat-unmet");
        let shown = |id: &str| home.run(["show", id, "--json"]).done().json();
        assert_eq!((&shown("t2")["uses"], &shown("t2")["usesLeft"]), (&json!(2), &json!(1)));
        assert_eq!((&shown("t1")["name"], &shown("t1")["metadata"]), (&json!("laptop"), &json!("{}")));
        assert_eq!(shown("t1")["createdAt"], "2020-09-13T12:26:40Z");
        assert_eq!(shown("t3")["session"], "s7");
        assert_eq!(shown("t5")["privileges"], r#"["group_view"]"#);
        assert_eq!(home.run(["counts", "--json"]).json()["records"], 4, "nothing is minted");
        // The text is the same but for the location, which is not signed.
        let (mine, theirs) = (home.run(["show", "t1", "--token"]).token(), &tokens[0]);
        let read = |token: &str| onetoken(["inspect", "--show-signature", "--json", token]).json();
        assert_eq!(read(&mine)["signature"], read(theirs)["signature"]);
        // New temporary tokens are under that generation too.
        let newer = home.run(["mint", "access", "--subject", "usr-u1", "--temporary"]).token();
        assert_eq!(read(&newer)["token"]["persistence"], json!({ "temporary": 4 }));
    }
}

#[test]
fn a_wrong_line_is_named_and_shows_no_secret() {
    let home = Home::over("redb");
    let line = |more: Value| {
        let mut line = json!({ "secret": "hunter2", "type": "access", "subject": "usr-u1", "created": 1 });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        line.to_string()
    };
    let good = |id: &str| line(json!({ "id": id }));
    let bad = [
        line(json!({})),
        line(json!({ "id": "x", "created": null })),
        line(json!({ "id": "x", "created": "hunter2" })),
        line(json!({ "id": "x", "type": "hunter2" })),
        line(json!({ "id": "x", "subject": "hunter2" })),
        line(json!({ "id": "x", "secret": null })),
        line(json!({ "id": "x", "secret": "" })),
        line(json!({ "id": "x", "secretHex": "00" })),
        line(json!({ "id": "x", "secret": null, "secretHex": "hunter2" })),
        line(json!({ "id": "x", "version": 3 })),
        line(json!({ "id": "x", "usageLimit": "hunter2" })),
        line(json!({ "id": "x", "usageLimit": 0 })),
        line(json!({ "id": "x", "hunter2": true })),
        line(json!({ "id": "x", "target": "s1" })),
        line(json!({ "id": "x", "type": "supportSpace" })),
        line(json!({ "id": "x", "type": "supportSpace", "target": "a/b" })),
        line(json!({ "id": "x", "type": "identity", "session": "s7" })),
        line(json!({ "id": "" })),
        line(json!({ "id": "x".repeat(600) })),
        json!({ "subject": "usr-u1", "generation": 0, "secret": "hunter2" }).to_string(),
        json!({ "subject": "grp-g1", "generation": 1, "secret": "hunter2" }).to_string(),
        json!({ "subject": "usr-u1", "generation": 1, "secret": "hunter2", "id": "x" }).to_string(),
        "\"hunter2\"".to_owned(),
        "hunter2".to_owned(),
        String::new(),
    ];
    let lines = [good("a"), bad.join("\n"), good("b")].join("\n");
    let outcome = adopt(&home, &lines);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("hunter2"), "{outcome:?}");
    let answer = outcome.json();
    assert_eq!(answer["adopted"], 2);
    let failed: Vec<u64> =
        answer["failed"].as_array().unwrap().iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(failed, (2..2 + bad.len() as u64).collect::<Vec<_>>(), "{answer}");
    assert!(outcome.err.contains("line 2: missing field `id`\n"), "{outcome:?}");
}

#[test]
fn another_token_is_not_overwritten() {
    let home = Home::over("redb");
    let line = |id: &str, secret: &str, name: &str| json!({ "id": id, "secret": secret, "type": "identity", "subject": "usr-u1", "created": 1, "name": name });
    adopt(&home, &document(&[line("a", "one", "n")])).done();
    let refused =
        adopt(&home, &document(&[line("a", "two", "n"), line("b", "one", "n"), line("c", "one", "m")]));
    let failed = json!([
        { "line": 1, "message": "another token has this id" },
        { "line": 2, "message": "another token of the issuer has this name" },
    ]);
    assert_eq!((refused.code, refused.json()), (1, json!({ "adopted": 1, "failed": failed })));
}

#[test]
fn a_file_is_adopted_into_a_new_home() {
    let dir = tempfile::tempdir().unwrap();
    let (file, home) = (dir.path().join("tokens.jsonl"), dir.path().join("home"));
    let lines: Vec<Value> = (0..300)
        .map(|id| json!({ "id": format!("t{id}"), "secret": "s", "type": "access", "subject": "usr-u1", "created": 1 }))
        .collect();
    fs::write(&file, document(&lines)).unwrap();
    let run = |args: &[&str]| onetoken(args.iter().chain(&["--home", home.to_str().unwrap()]));
    let absent = dir.path().join("absent");
    assert_eq!(run(&["adopt", absent.to_str().unwrap(), "--json"]).error(4), "file");
    assert!(!home.exists());
    assert_eq!(run(&["adopt", dir.path().to_str().unwrap(), "--json"]).error(4), "file");
    let adopted = run(&["adopt", file.to_str().unwrap()]).done();
    assert_eq!(adopted.out, "adopted 300 tokens and generations\n");
    assert_eq!(run(&["counts", "--json"]).json()["records"], 300);
}
