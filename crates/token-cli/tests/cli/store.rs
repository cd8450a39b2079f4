//! Commands with a store.

use std::{ffi::OsStr, fs, process::Stdio};

use serde_json::json;

use token_test::files::content;

use crate::run::{ENGINES, Home, command, feed, finish, onetoken};

#[test]
fn a_token_lives_and_is_spent_once() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let minted = home.run(["mint", "space-support", "s1", "--issuer", "usr-u1", "--json"]).done().json();
        let members: Vec<&String> = minted.as_object().unwrap().keys().collect();
        assert_eq!(members, ["expiresAt", "id", "token"]);
        let (token, id) = (minted["token"].as_str().unwrap(), &minted["id"]);

        let read = onetoken(["inspect", "--json", token]).done().json();
        assert_eq!((&read["identifier"], &read["location"]), (id, &json!("onezone")));
        assert_eq!(read["caveats"][0]["text"], "tokenType = space_support_token");
        assert_eq!(read["expiresAt"], minted["expiresAt"]);

        let valid = home.run(["verify", token, "--json", "--expect", "space-support"]).done().json();
        let expected = json!({
            "valid": true, "identifier": id, "location": "onezone", "expiresAt": minted["expiresAt"],
            "id": id, "type": "space-support", "resource": { "type": "space", "id": "s1" },
            "issuer": { "type": "user", "id": "u1" }, "usesLeft": 1, "stored": true, "privileges": "",
            "caveats": read["caveats"].as_array().unwrap().iter().map(|it| &it["text"]).collect::<Vec<_>>(),
            "questions": []
        });
        assert_eq!(valid, expected);

        let expected = json!({
            "consumed": true, "id": id, "type": "space-support", "resource": { "type": "space", "id": "s1" },
            "issuer": { "type": "user", "id": "u1" }, "usesLeft": 0, "repeated": false, "refund": null
        });
        let run = home.consume(token, &[]).done();
        let mut spent = run.json();
        assert!(spent["refund"].take().is_string());
        assert_eq!((spent, run.err.as_str()), (expected, ""));
        assert_eq!(home.consume(token, &[]).error(1), "exhausted");
        assert_eq!(home.run(["verify", token, "--json"]).error(1), "exhausted");
    }
}

#[test]
fn a_claim_asked_again_costs_nothing() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1", "--uses", "2"]).token();
    let mut first = home.consume(&token, &["--claim", "a"]).done().json();
    assert_eq!((&first["usesLeft"], &first["repeated"]), (&json!(1), &json!(false)));
    first["repeated"] = json!(true);
    assert_eq!(home.consume(&token, &["--claim", "a"]).done().json(), first);
    assert_eq!(home.consume(&token, &["--claim", "b"]).done().json()["usesLeft"], 0);
    assert_eq!(home.consume(&token, &["--claim", "c"]).error(1), "exhausted");
    assert_eq!(home.consume(&token, &["--claim", "a"]).done().json(), first);
    assert_eq!(home.consume(&token, &["--claim", &"c".repeat(65)]).error(2), "usage");

    let unlimited = home.run(["mint", "space-support", "s1", "--uses", "unlimited"]).token();
    for _ in 0..3 {
        assert_eq!(home.consume(&unlimited, &[]).done().json()["usesLeft"], json!(null));
    }
}

#[test]
fn every_refusal_has_its_kind() {
    let home = Home::over("redb");
    let mint = |more: &[&str]| home.run(["mint", "space-support", "s1"].iter().chain(more)).token();
    let verify = |token: &str, more: &[&str]| home.run(["verify", token, "--json"].iter().chain(more));

    let token = mint(&[]);
    assert_eq!(verify(&token, &["--expect", "access"]).error(1), "wrong-type");
    let of_another_type = ["consume", &token, "--expect", "userJoinGroup", "--consumer", "usr-u1", "--json"];
    assert_eq!(home.run(of_another_type).error(1), "wrong-type");
    let of_a_user = ["consume", &token, "--expect", "space-support", "--consumer", "usr-u1", "--json"];
    assert_eq!(home.run(of_a_user).error(1), "wrong-consumer");
    assert_eq!(verify(&token, &["--at", "2100-01-01T00:00:00Z"]).error(1), "expired");
    assert_eq!(Home::over("redb").run(["verify", &token, "--json"]).error(1), "unknown-token");

    let confined = onetoken(["confine", "--ip", "192.0.2.0/24", &token]).token();
    let refused = verify(&confined, &[]);
    assert_eq!(refused.error(1), "caveat-unmet");
    assert_eq!(refused.json()["error"]["index"], 2);
    assert_eq!(refused.json()["error"]["caveat"], "ip = 192.0.2.0/24");
    assert_eq!(verify(&confined, &["--ip", "192.0.2.7"]).code, 0);
    assert_eq!(home.consume(&confined, &["--ip", "198.51.100.1"]).error(1), "caveat-unmet");
    let unknown = onetoken(["confine", "--caveat", "colour = blue", &token]).token();
    assert_eq!(verify(&unknown, &[]).error(1), "caveat-unknown");
    let unsupported = onetoken(["confine", "--caveat", "interface = rest", &token]).token();
    assert_eq!(verify(&unsupported, &["--interface", "rest"]).json()["error"]["reason"], "unsupported");

    let id = onetoken(["inspect", "--json", &token]).json()["identifier"].as_str().unwrap().to_owned();
    let forge = ["mint", "raw", "--location", "onezone", "--identifier", &id, "--secret", "guess"];
    assert_eq!(verify(&onetoken(forge).token(), &[]).error(1), "bad-signature");
    assert_eq!(verify(&token[..60], &[]).error(3), "malformed");
    assert_eq!(home.consume(&token[..60], &[]).error(3), "malformed");
    assert_eq!(home.consume(&token, &[]).code, 0, "nothing of this took a use");
}

#[test]
fn revoking_is_for_good() {
    let home = Home::over("redb");
    let minted = home.run(["mint", "space-support", "s1", "--json"]).done().json();
    let token = minted["token"].as_str().unwrap();
    let answer = home.run(["revoke", token, "--json"]).done().json();
    assert_eq!(answer, json!({ "revoked": true, "id": minted["id"], "outcome": "revoked" }));
    assert_eq!(home.run(["verify", token, "--json"]).error(1), "revoked");
    assert_eq!(home.consume(token, &[]).error(1), "revoked");

    let other = home.run(["mint", "space-support", "s1", "--json"]).done().json();
    assert_eq!(home.run(["revoke", other["id"].as_str().unwrap()]).code, 0, "by its id");
    assert_eq!(home.run(["verify", other["token"].as_str().unwrap(), "--json"]).error(1), "revoked");
    let input = other["token"].as_str().unwrap();
    assert_eq!(feed(&mut home.command(["revoke", "-"]), input).code, 0, "again, from standard input");

    assert_eq!(home.run(["revoke", "nothing", "--json"]).error(1), "unknown-token");
    let looks_like_an_option = format!("--{}", "x".repeat(41));
    assert_eq!(home.run(["revoke", &looks_like_an_option, "--json"]).error(1), "unknown-token");
    for malformed in [&token[..90], "", "a b", "\u{e9}"] {
        assert_eq!(home.run(["revoke", malformed, "--json"]).error(3), "malformed", "{malformed:?}");
    }
    for option in ["--jsn", "-x"] {
        assert_eq!(home.run(["revoke", option, "--json"]).error(2), "usage", "{option}");
    }
}

#[test]
fn the_name_of_a_file_is_no_id() {
    let home = Home::over("redb");
    let dir = tempfile::tempdir().unwrap();
    let token = home.run(["mint", "space-support", "s1"]).token();
    fs::write(dir.path().join("token"), token).unwrap();
    let mut command = home.command(["revoke", "token", "--json"]);
    let hinted = finish(command.current_dir(dir.path()).spawn().unwrap());
    assert_eq!(hinted.error(3), "malformed");
    assert!(hinted.err.contains("the name of a file") && hinted.err.contains("`< token`"), "{hinted:?}");
    assert_eq!(
        home.run(["revoke", "token", "--json"]).error(1),
        "unknown-token",
        "where there is no such file"
    );
}

#[test]
fn what_is_revoked_may_come_from_standard_input() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    assert_eq!(feed(&mut home.command(["revoke"]), format!("{token}\n")).code, 0);
    assert_eq!(home.run(["verify", &token, "--json"]).error(1), "revoked");
    assert_eq!(feed(&mut home.command(["revoke", "--json"]), "").error(3), "malformed");
}

#[test]
fn temporary_tokens_are_revoked_by_their_subject() {
    let home = Home::over("redb");
    let mint = |subject: &str| home.run(["mint", "access", "--subject", subject, "--temporary"]).token();
    let (mine, yours) = (mint("usr-u1"), mint("usr-u2"));
    let alone = home.run(["revoke", &mine, "--json"]);
    assert_eq!(alone.error(2), "usage");
    assert!(alone.err.contains("revoke --temporary"), "{alone:?}");
    assert_eq!(home.run(["verify", &mine]).code, 0);

    let revoked = home.run(["revoke", "--temporary", "usr-u1", "--json"]).done().json();
    assert_eq!(revoked, json!({ "revoked": true, "subject": "usr-u1", "generation": 2 }));
    assert_eq!(home.run(["verify", &mine, "--json"]).error(1), "revoked");
    assert_eq!(home.run(["verify", &yours]).code, 0);
    assert_eq!(home.run(["verify", &mint("usr-u1")]).code, 0, "there are new ones");
    assert_eq!(home.run(["revoke", "--temporary", "usr-u1", &yours, "--json"]).error(2), "usage");
    assert_eq!(home.run(["revoke", "--temporary", "u1", "--json"]).error(2), "usage");
}

#[test]
fn uses_of_temporary_tokens_are_not_counted() {
    let home = Home::over("redb");
    let mint = |more: &[&str]| {
        let invite = ["mint", "invite", "userJoinGroup", "g1", "--temporary", "--json"];
        home.run(invite.iter().chain(more))
    };
    assert_eq!(mint(&["--uses", "1"]).error(2), "usage");
    for more in [&[][..], &["--uses", "unlimited"]] {
        let token = mint(more).done().json()["token"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            let consume = ["consume", &token, "--expect", "userJoinGroup", "--consumer", "usr-u1", "--json"];
            assert_eq!(home.run(consume).done().json()["usesLeft"], json!(null));
        }
    }
}

#[test]
fn tokens_are_spelled_as_asked() {
    let home = Home::over("redb");
    for kind in [&["space-support", "s1"][..], &["access", "--subject", "usr-u1"]] {
        for encoding in ["base62", "base64url"] {
            let token = home.run(["mint"].iter().chain(kind).chain(&["--encoding", encoding])).token();
            assert_eq!(onetoken(["inspect", "--json", &token]).json()["encoding"], encoding);
            assert_eq!(home.run(["verify", &token]).code, 0, "{encoding}");
        }
    }
}

#[test]
fn no_token_holds_longer_than_can_be_written() {
    let home = Home::over("redb");
    for ttl in ["3650000d", "200000000000000d"] {
        assert_eq!(home.run(["mint", "space-support", "s1", "--json", "--ttl", ttl]).error(2), "usage");
        let confine = ["confine", "--json", "--ttl", ttl, &crate::run::raw(&[])];
        assert_eq!(onetoken(confine).error(2), "usage", "{ttl}");
    }
}

/// An empty store in place of a lost one would not know which uses are spent.
#[test]
fn a_store_that_is_lost_is_not_replaced() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let token = home.run(["mint", "space-support", "s1"]).token();
        let store = home.path().join("store");
        match store.is_dir() {
            true => fs::remove_dir_all(&store).unwrap(),
            false => fs::remove_file(&store).unwrap(),
        }
        let consume = ["consume", &token, "--expect", "space-support", "--consumer", "prv-p1"];
        for line in [
            &["list"][..],
            &["verify", &token],
            &consume,
            &["revoke", &token],
            &["revoke", "--temporary", "usr-u1"],
            &["purge"],
            &["mint", "space-support", "s1"],
        ] {
            let outcome = home.run(line.iter().chain(&["--json"]));
            assert_eq!(outcome.error(4), "store", "{engine} {line:?}");
            assert_eq!(outcome.json()["error"]["retry"], "never");
            assert!(!store.exists(), "{engine} {line:?}");
        }
        let lines = feed(&mut home.command(["verify", "--lines"]), format!("{token}\n"));
        assert_eq!(lines.error(4), "store");
        assert!(!store.exists());
    }
}

#[test]
fn minting_alone_makes_a_store_that_was_named() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let place = home.path().join("new");
        let url = format!("{engine}:{}", place.display());
        assert_eq!(home.run(["list", "--store", &url, "--json"]).error(4), "store");
        assert!(!place.exists());
        let first = home.run(["mint", "space-support", "s1", "--store", &url]);
        assert!(
            first.err.contains("made a new and empty store") && first.err.contains(&url[5..]),
            "{first:?}"
        );
        let token = first.token();
        assert_eq!(home.run(["mint", "space-support", "s1", "--store", &url]).done().err, "");
        assert_eq!(home.run(["verify", &token, "--store", &url]).code, 0);
        assert_eq!(home.run(["verify", &token, "--json"]).error(1), "unknown-token");
    }
}

#[cfg(not(feature = "sled"))]
#[test]
fn without_sled_it_says_how_to_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sled:{}", dir.path().join("store").display());
    let refused = onetoken(["init", "--json", "--store", &url]);
    assert_eq!(refused.error(2), "usage");
    let home = Home::over("redb");
    let config = home.path().join("config.json");
    let text = fs::read_to_string(&config).unwrap().replace("redb:", "sled:");
    fs::write(&config, text).unwrap();
    let opened = home.run(["list", "--json"]);
    assert_eq!(opened.error(4), "home");
    for outcome in [refused, opened] {
        assert!(outcome.err.contains("--features sled"), "{outcome:?}");
    }
}

#[test]
fn an_empty_variable_names_no_home() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = command(args);
        finish(command.env("ONETOKEN_HOME", "").env("XDG_DATA_HOME", dir.path()).spawn().unwrap())
    };
    run(&["mint", "space-support", "s1"]).done();
    assert!(dir.path().join("onetoken/config.json").is_file());
    assert_eq!(run(&["list", "--json", "--home", ""]).error(2), "usage");
}

/// A configuration of another version is named as such, with any other fields.
#[test]
fn a_newer_configuration_is_told_apart() {
    let home = Home::over("redb");
    let config = home.path().join("config.json");
    for (text, says) in [
        (r#"{"version":2,"stores":["redb:a"]}"#, "version 2"),
        (r#"{"version":1,"stores":["redb:a"]}"#, "not a configuration"),
    ] {
        fs::write(&config, text).unwrap();
        let outcome = home.run(["list", "--json"]);
        assert_eq!(outcome.error(4), "home");
        assert!(outcome.err.contains(says), "{outcome:?}");
    }
}

/// The shell knows its process id before it execs the program.
#[cfg(unix)]
#[test]
fn a_link_in_the_home_leads_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (home, victim) = (dir.path().join("home"), dir.path().join("victim"));
    fs::create_dir(&home).unwrap();
    fs::write(&victim, "mine").unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"ln -s "$2" "$1/config.json.$$.new"; exec "$0" init --home "$1""#]);
    shell.args([crate::run::PROGRAM.as_ref(), home.as_os_str(), victim.as_os_str()]);
    assert!(shell.stdout(Stdio::null()).status().unwrap().success());
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert!(home.join("config.json").symlink_metadata().unwrap().is_file());
}

/// A store that fails to write after its open: a retry under the claim shows the outcome of the spend.
#[cfg(target_os = "linux")]
#[test]
fn a_spend_that_the_store_failed_at_can_be_asked_about() {
    let home = Home::over("redb");
    let mut in_doubt = 0;
    for blocks in 1..8 {
        let token = home.run(["mint", "space-support", "s1"]).token();
        let mut shell = std::process::Command::new("sh");
        // Files may grow to this many blocks; later writes fail.
        let script = format!(r#"trap "" XFSZ; ulimit -f {}; exec "$@""#, blocks * 32);
        shell.args(["-c", &script, "sh", crate::run::PROGRAM, "consume", &token]);
        shell.args(["--expect", "space-support", "--consumer", "prv-p1", "--json"]);
        shell.env("ONETOKEN_HOME", home.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = finish(shell.spawn().unwrap());
        if outcome.code == 0 {
            continue;
        }
        assert_eq!(outcome.error(4), "store");
        let error = outcome.json()["error"].clone();
        if let Some(claim) = error["claim"].as_str() {
            in_doubt += 1;
            assert!(["safe", "ask"].contains(&error["retry"].as_str().unwrap()), "{error}");
            assert!(outcome.err.contains(&format!("--claim {claim}")), "{outcome:?}");
            let asked = || home.consume(&token, &["--claim", claim]).done().json();
            assert_eq!(asked()["usesLeft"], 0);
            assert_eq!(asked()["usesLeft"], 0);
        }
        assert!(error["retry"].is_string(), "{error}");
    }
    assert!(in_doubt > 0, "none of these limits made spending fail");
}

#[test]
fn every_kind_of_token_is_minted() {
    let home = Home::over("redb");
    let reading = |args: &[&str]| {
        let json = home.run(args.iter().chain(&["--json"])).done().json();
        onetoken(["inspect", "--json", json["token"].as_str().unwrap()]).json()
    };
    let read = reading(&["mint", "group-spaces", "g1"]);
    assert_eq!(read["caveats"][0]["text"], "tokenType = space_create_token");
    let read = reading(&["mint", "space-support", "s1", "--modern", "--issuer", "prv-p1"]);
    assert_eq!(read["token"]["subject"], json!({ "type": "oneprovider", "id": "p1" }));
    assert_eq!(read["token"]["type"]["inviteToken"]["inviteType"], "supportSpace");
    assert_eq!(read["token"]["type"]["inviteToken"]["spaceId"], "s1");

    for invite in token_core::InviteType::all() {
        for name in [invite.code(), invite.name()] {
            let read = reading(&["mint", "invite", name, "t1"]);
            let expected =
                json!({ "inviteType": invite.name(), invite.target_key(): "t1", "parameters": {} });
            assert_eq!(read["token"]["type"], json!({ "inviteToken": expected }), "{name}");
            assert_eq!(read["token"]["persistence"], "named");
        }
    }
    let read = reading(&[
        "mint",
        "access",
        "--subject",
        "usr-u1",
        "--caveat",
        "interface = rest",
        "--name",
        "laptop",
    ]);
    assert_eq!(read["token"]["type"], json!({ "accessToken": {} }));
    assert_eq!(read["caveats"][1]["text"], "interface = rest");
    let read = reading(&["mint", "access", "--subject", "usr-u1", "--session", "-s7"]);
    assert_eq!(read["token"]["type"], json!({ "accessToken": { "sessionId": "-s7" } }));
    let read = reading(&["mint", "identity", "--subject", "prv-p1", "--temporary", "--ttl", "15m"]);
    assert_eq!(read["token"]["type"], json!({ "identityToken": {} }));
    assert_eq!(read["token"]["persistence"], json!({ "temporary": 1 }));

    assert_eq!(
        home.run(["mint", "space-support", "s1", "--ttl", "never", "--json"]).json()["expiresAt"],
        json!(null)
    );
    let refused = |args: &[&str], code| home.run(args.iter().chain(&["--json"])).error(code);
    assert_eq!(
        refused(&["mint", "access", "--subject", "usr-u1", "--caveat", "colour = blue"], 3),
        "malformed"
    );
    assert_eq!(
        refused(&["mint", "identity", "--subject", "usr-u1", "--caveat", "data.readonly"], 2),
        "usage"
    );
    assert_eq!(
        refused(&["mint", "access", "--subject", "usr-u1", "--temporary", "--ttl", "never"], 2),
        "usage"
    );
    assert_eq!(refused(&["mint", "access", "--subject", "grp-g1"], 2), "usage");
    for bad in ["", "a/b", "a|b", "a b", "a:b", "*"] {
        let refused = home.run(["mint", "space-support", bad, "--json"]);
        assert_eq!(refused.error(2), "usage", "{bad:?}");
        assert!(refused.err.contains("printable ASCII characters without"), "{refused:?}");
    }
}

#[test]
fn tokens_of_every_kind_verify_by_the_store() {
    let home = Home::over("redb");
    for (expect, mint) in [
        ("group-spaces", &["group-spaces", "g1"][..]),
        ("space-support", &["space-support", "s1", "--modern"]),
        ("userJoinGroup", &["invite", "ujg", "g1"]),
        ("gjs", &["invite", "groupJoinSpace", "s1", "--temporary"]),
        ("access", &["access", "--subject", "usr-u1"]),
        ("identity", &["identity", "--subject", "prv-p1", "--temporary"]),
    ] {
        let token = home.run(["mint"].iter().chain(mint)).token();
        assert_eq!(home.run(["verify", &token, "--expect", expect]).code, 0, "{expect}");
    }
}

#[test]
fn lines_are_verified_by_the_store() {
    let home = Home::over("redb");
    let [token, other] = ["s1", "s2"].map(|space| home.run(["mint", "space-support", space]).token());
    for key in [&[][..], &["--secret", "example"]] {
        let input = format!("{token}\nbroken\n{other}\n");
        let outcome = feed(&mut home.command(["verify", "--lines"].iter().chain(key)), input);
        assert_eq!(outcome.code, 3);
        let documents = outcome.documents();
        assert_eq!(documents.len(), 3);
        assert_eq!(documents[1]["error"]["line"], 2);
        if key.is_empty() {
            assert_eq!([&documents[0]["valid"], &documents[2]["valid"]], [true, true]);
            assert_eq!(documents[0]["type"], "space-support");
            let resources = [&documents[0], &documents[2]].map(|document| &document["resource"]);
            assert_ne!(resources[0], resources[1]);
        } else {
            assert_eq!([&documents[0]["error"]["line"], &documents[2]["error"]["line"]], [1, 3]);
        }
    }
}

#[test]
fn listing_and_purging() {
    let home = Home::over("redb");
    home.run(["mint", "space-support", "s1", "--issuer", "usr-u1"]).done();
    home.run(["mint", "space-support", "s2", "--issuer", "usr-u2"]).done();
    home.run(["mint", "group-spaces", "s1", "--issuer", "usr-u1"]).done();
    // A time caveat in the past: the record expires at once.
    home.run(["mint", "access", "--subject", "usr-u3", "--caveat", "time < 100", "--name", "old"]).done();
    let listed = |args: &[&str]| home.run(["list", "--lines"].iter().chain(args)).done().documents();
    assert_eq!(listed(&[]).len(), 4);
    assert_eq!(listed(&["--resource", "space:s1"]).len(), 1);
    assert_eq!(listed(&["--resource", "group:s1", "--issuer", "usr-u1"]).len(), 1);
    assert_eq!(listed(&["--resource", "group:s1", "--issuer", "usr-u2"]).len(), 0);
    assert_eq!(listed(&["--issuer", "usr-u1"]).len(), 2);
    let expired = listed(&["--expired"]);
    assert_eq!(
        (expired.len(), &expired[0]["name"], &expired[0]["expired"]),
        (1, &json!("old"), &json!(true))
    );
    let all = home.run(["list", "--json"]).done().json();
    assert_eq!(all["tokens"].as_array().unwrap().len(), 4);
    let people = home.run(["list"]).done().out;
    assert_eq!(people.lines().count(), 5);
    assert!(people.starts_with("ID ") && people.contains("space:s1") && people.contains("0/1"));
    assert!(
        people.contains(" usr-u1 ") && people.contains(" old "),
        "as the command line takes them: {people}"
    );
    let nothing = home.run(["list", "--resource", "space:s3"]).done();
    assert_eq!((nothing.out.as_str(), nothing.err.as_str()), ("", "onetoken: no tokens were found\n"));
    assert_eq!(home.run(["list", "--resource", "space:s3", "--lines"]).done().err, "");

    assert_eq!(home.run(["purge", "--before", "99", "--json"]).done().json(), json!({ "purged": 0 }));
    assert_eq!(home.run(["purge", "--json"]).done().json(), json!({ "purged": 1 }));
    assert_eq!(
        home.run(["purge", "--before", "2100-01-01T00:00:00Z", "--json"]).json(),
        json!({ "purged": 0 })
    );
    assert_eq!(listed(&[]).len(), 3, "what holds still is kept");
}

#[test]
fn the_first_mint_makes_the_default_home() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| finish(command(args).env("XDG_DATA_HOME", dir.path()).spawn().unwrap());
    assert_eq!(run(&["list", "--json"]).error(4), "home");
    let first = run(&["mint", "space-support", "s1"]);
    assert!(first.err.contains(dir.path().join("onetoken").to_str().unwrap()), "{first:?}");
    let token = first.token();
    let second = run(&["mint", "space-support", "s1"]).done();
    assert_eq!(second.err, "");
    assert_eq!(run(&["verify", &token]).code, 0);
    assert_eq!(run(&["init", "--json"]).error(4), "home");

    let in_home = tempfile::tempdir().unwrap();
    finish(command(["mint", "space-support", "s1"]).env("HOME", in_home.path()).spawn().unwrap()).done();
    assert!(in_home.path().join(".local/share/onetoken/config.json").is_file());
}

#[test]
fn the_first_mint_makes_a_home_that_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let (named, empty) = (dir.path().join("a/b"), dir.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    for home in [&named, &empty] {
        let path = home.to_str().unwrap();
        assert_eq!(onetoken(["list", "--json", "--home", path]).error(4), "home");
        let first = onetoken(["mint", "space-support", "s1", "--home", path]);
        assert!(first.err.contains("made a new key ring") && first.err.contains(path), "{first:?}");
        let token = first.token();
        let mut second = command(["mint", "space-support", "s1"]);
        assert_eq!(finish(second.env("ONETOKEN_HOME", home).spawn().unwrap()).done().err, "");
        assert_eq!(onetoken(["verify", &token, "--home", path]).code, 0);
    }
}

#[test]
fn a_directory_with_anything_in_it_is_not_made_a_home_unasked() {
    for name in ["notes.txt", "keys.txt", "keys", "keysmith", ".hidden", "store.redb", "config.json.bak"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), "mine").unwrap();
        let path = dir.path().to_str().unwrap();
        let refused = onetoken(["mint", "space-support", "s1", "--json", "--home", path]);
        assert_eq!(refused.error(4), "home", "{name}");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, [name]);
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"mine");
        // Not even if a store elsewhere has this file's name.
        let elsewhere = format!("redb:{}", dir.path().join("absent").join(name).display());
        let named = ["mint", "space-support", "s1", "--json", "--home", path, "--store", &elsewhere];
        assert_eq!(onetoken(named).json()["error"]["kind"], "home", "{name}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{name}");
    }
}

#[test]
fn a_mistake_of_usage_makes_no_home() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let limited = ["mint", "invite", "userJoinGroup", "g1", "--temporary", "--uses", "5", "--json", "--home"];
    assert_eq!(onetoken(limited.map(OsStr::new).iter().copied().chain([home.as_os_str()])).error(2), "usage");
    assert!(!home.exists());
}

#[test]
fn a_home_tells_where_its_tokens_come_from() {
    let dir = tempfile::tempdir().unwrap();
    let run =
        |args: &[&str]| finish(command(args).env("ONETOKEN_HOME", dir.path().join("home")).spawn().unwrap());
    run(&["init", "--domain", "zone.example.com", "--location", "zone"]).done();
    let location = |args: &[&str]| {
        let token = run(args).token();
        onetoken(["inspect", "--json", &token]).done().json()["location"].clone()
    };
    assert_eq!(location(&["mint", "space-support", "s1"]), "zone");
    assert_eq!(location(&["mint", "space-support", "s1", "--modern"]), "zone.example.com");
    let long = format!("{}.example", "a".repeat(64));
    for bad in ["", "not a domain", "https://zone", "zone.", "-zone", "zone.example:443", &long] {
        assert_eq!(run(&["init", "--json", "--domain", bad]).error(2), "usage", "{bad}");
    }
}

#[test]
fn an_interrupted_beginning_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| finish(command(args).env("XDG_DATA_HOME", dir.path()).spawn().unwrap());
    run(&["mint", "space-support", "s1"]).done();
    let home = dir.path().join("onetoken");
    let keys = fs::read(home.join("keys")).unwrap();
    fs::remove_file(home.join("config.json")).unwrap();
    run(&["mint", "space-support", "s1"]).done();
    assert_eq!(fs::read(home.join("keys")).unwrap(), keys, "the keys that seal what is there");

    fs::remove_file(home.join("config.json")).unwrap();
    fs::remove_file(home.join("keys")).unwrap();
    assert_eq!(run(&["init", "--json"]).error(4), "home");
    assert_eq!(run(&["mint", "space-support", "s1", "--json"]).error(4), "home");
    assert!(!home.join("keys").exists(), "new keys would not open the store");
}

#[test]
fn a_home_begins_beside_drafts_of_a_killed_beginning() {
    let dir = tempfile::tempdir().unwrap();
    for draft in ["keys.a1b2c3.new", "config.json.a1b2c3.new"] {
        fs::write(dir.path().join(draft), "").unwrap();
    }
    let mint = || onetoken(["mint", "space-support", "s1", "--json", "--home", dir.path().to_str().unwrap()]);
    mint().done();
    assert!(dir.path().join("config.json").is_file());
    assert!(!dir.path().join("config.json.a1b2c3.new").exists(), "it may hold a password");

    // A home with more in it was in use, perhaps with another store.
    fs::remove_file(dir.path().join("config.json")).unwrap();
    fs::write(dir.path().join("keys.old-1"), "").unwrap();
    assert_eq!(mint().error(4), "home");
}

#[test]
fn init_overwrites_nothing() {
    let home = Home::over("redb");
    let before = content(&home.path());
    let again = home.run(["init", "--json"]);
    assert_eq!(again.error(4), "home");
    assert_eq!(content(&home.path()), before);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let made = onetoken(["init", "--json", "--home", path.to_str().unwrap()]).done().json();
    assert_eq!(made, json!({ "home": path.to_str().unwrap() }));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path.join("keys")), mode(&path)), (0o600, 0o700));
        assert_eq!(mode(&path.join("config.json")), 0o600);
        fs::set_permissions(path.join("keys"), fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = onetoken(["list", "--home", path.to_str().unwrap(), "--json"]);
        assert_eq!(exposed.error(4), "home");
        assert!(exposed.err.contains("chmod 600"), "{exposed:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_that_is_a_pipe_is_not_waited_for() {
    let home = Home::over("redb");
    let config = home.path().join("config.json");
    fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    let refused = home.run(["list", "--json"]);
    assert_eq!(refused.error(4), "home");
    assert!(refused.err.contains("it is no regular file"), "{refused:?}");
}

/// Another user who may write to the home could put a key ring there.
#[cfg(unix)]
#[test]
fn a_home_that_others_may_change_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::over("redb");
    let set = |mode| fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o777, 0o770, 0o702, 0o1777] {
        set(mode);
        for args in [&["list", "--json"][..], &["mint", "space-support", "s1", "--json"], &["init", "--json"]]
        {
            let refused = home.run(args);
            assert_eq!(refused.error(4), "home", "{mode:o}");
            let chmod = format!("chmod 700 {}", home.path().display());
            assert!(refused.err.contains(&chmod), "{refused:?}");
        }
    }
    set(0o755);
    assert_eq!(home.run(["list"]).code, 0, "reading alone is what the modes of the files are for");

    let empty = tempfile::tempdir().unwrap();
    fs::set_permissions(empty.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let refused =
        onetoken(["mint", "space-support", "s1", "--json", "--home", empty.path().to_str().unwrap()]);
    assert_eq!(refused.error(4), "home");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "no key ring is made in it");
}

#[test]
fn a_home_or_a_store_that_is_none_is_left_alone() {
    let home = Home::over("redb");
    let with_store = |store: &str| home.run(["list", "--json", "--store", store]);
    let file = home.path().join("note.txt");
    fs::write(&file, "not a store").unwrap();
    assert_eq!(with_store(&format!("redb:{}", file.display())).error(4), "store");
    if ENGINES.contains(&"sled") {
        assert_eq!(with_store(&format!("sled:{}", home.path().display())).error(4), "store");
    }
    assert_eq!(fs::read(&file).unwrap(), b"not a store");
    assert_eq!(with_store("memory:").done().json(), json!({ "tokens": [], "damaged": [], "next": null }));

    for config in ["", "{}", "[]", r#"{"version":9,"location":"l","domain":"d","store":"memory:"}"#] {
        fs::write(home.path().join("config.json"), config).unwrap();
        assert_eq!(home.run(["list", "--json"]).error(4), "home", "{config}");
    }
}

#[test]
fn nothing_is_minted_into_a_store_that_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let run = |args: &[&str]| {
        let mut command = command(args.iter().chain(&["--json", "--store", "memory:"]));
        finish(command.env("ONETOKEN_HOME", &home).spawn().unwrap())
    };
    assert_eq!(run(&["mint", "space-support", "s1"]).error(2), "usage");
    assert_eq!(run(&["mint", "access", "--subject", "usr-u1", "--temporary"]).error(2), "usage");
    assert_eq!(run(&["init"]).error(2), "usage");
    assert!(!home.exists());

    let home = Home::over("redb");
    let config = home.path().join("config.json");
    fs::write(&config, r#"{"version":1,"location":"l","domain":"d","store":"memory:"}"#).unwrap();
    assert_eq!(home.run(["mint", "space-support", "s1", "--json"]).error(2), "usage");
}

#[test]
fn many_are_minted_at_once() {
    let home = Home::over("redb");
    let printed =
        home.run(["mint", "space-support", "s1", "--count", "3", "--metadata", "for the club"]).done();
    assert_eq!(printed.lines().len(), 3);
    let mint = ["mint", "identity", "--subject", "usr-u1", "--json", "--count"];
    let document = home.run(mint.iter().chain(&["2"])).done().json();
    let tokens = document["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    let more = tokens.iter().map(|minted| minted["token"].as_str().unwrap());
    let all: Vec<&str> = printed.lines().into_iter().chain(more).collect();
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "each has an id of its own");
    let verified = feed(&mut home.command(["verify", "--lines"]), all.join("\n"));
    assert_eq!(verified.done().lines().len(), 5);
    assert_eq!(home.run(mint.iter().chain(&["0"])).error(2), "usage");
    let listed = home.run(["list", "--lines"]).done().documents();
    assert_eq!(listed.iter().filter(|record| record["metadata"] == "for the club").count(), 3);
    assert_eq!(home.run(mint.iter().chain(&["2", "--name", "laptop"])).error(2), "usage", "names are unique");
}

#[test]
fn many_are_minted_side_by_side() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let minted = home.run(["mint", "space-support", "s1", "--count", "200"]).done();
        let ids: std::collections::BTreeSet<&str> = minted.lines().into_iter().collect();
        assert_eq!(ids.len(), 200, "{engine}");
        let verified = feed(&mut home.command(["verify", "--lines"]), minted.out);
        assert_eq!(verified.done().lines().len(), 200, "{engine}");
        assert_eq!(home.run(["counts", "--json"]).json()["records"], 200, "{engine}");
    }
    let zero = onetoken(["mint", "space-support", "s1", "--count", "0"]);
    assert!(zero.code == 2 && zero.err.contains("0 is not in 1.."), "{zero:?}");
    let zero = onetoken(["list", "--limit", "0"]);
    assert!(zero.code == 2 && zero.err.contains("0 is not in 1.."), "{zero:?}");
}

#[test]
fn a_token_that_nobody_gets_is_named() {
    let home = Home::over("redb");
    for count in [&[][..], &["--count", "5"]] {
        let mut child = home.command(["mint", "space-support", "s1"].iter().chain(count)).spawn().unwrap();
        drop(child.stdout.take());
        let lost = finish(child);
        assert_eq!(lost.code, 4, "{lost:?}");
        let ids: Vec<&str> =
            lost.err.lines().filter_map(|line| line.split("onetoken revoke ").nth(1)).collect();
        assert!(!ids.is_empty(), "{lost:?}");
        for id in ids {
            home.run(["revoke", id.trim_end_matches('`')]).done();
        }
        let left = home.run(["list", "--lines"]).documents();
        assert!(left.iter().all(|record| record["revoked"] == true), "each was named: {left:?}");
    }
}

#[test]
fn a_spend_that_nobody_hears_of_can_be_repeated() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    let args = ["consume", &token, "--expect", "space-support", "--consumer", "prv-p1"];
    let mut child = home.command(args).spawn().unwrap();
    drop(child.stdout.take());
    let lost = finish(child);
    assert_eq!(lost.code, 4, "{lost:?}");
    let claim = lost.err.split("--claim ").nth(1).unwrap().split('`').next().unwrap();
    assert_eq!(home.consume(&token, &["--claim", claim]).done().json()["repeated"], true);
}

#[test]
fn names_do_not_steer_the_terminal() {
    let home = Home::over("redb");
    for args in [["list", "--store", "redb:/\u{1b}[31m\u{202e}"], ["import", "--json", "/\u{1b}[31m\u{202e}"]]
    {
        let told = home.run(args);
        assert_eq!(told.code, 4, "{told:?}");
        assert!(told.err.contains(r"\u{1b}[31m\u{202e}"), "{told:?}");
        assert!(!told.err.contains('\u{1b}') && !told.err.contains('\u{202e}'), "{told:?}");
    }
}

#[test]
fn people_see_what_a_token_is_for() {
    let home = Home::over("redb");
    let token = home.run(["mint", "group-spaces", "g1", "--issuer", "prv-p1"]).token();
    let expected = "valid\ntype        group-spaces\nresource    group:g1\nissuer      prv-p1\nuses left   1\nexpires     ";
    let verified = home.run(["verify", &token]).done().out;
    assert!(verified.starts_with(expected) && verified.contains("(expires in 7 days)"), "{verified}");
    let consume = ["consume", &token, "--expect", "group-spaces", "--consumer", "prv-p2", "--claim", "a"];
    let first = home.run(consume).done().out;
    assert!(first.starts_with("consumed\ntype        group-spaces\nid "), "{first}");
    assert!(first.ends_with("\nresource    group:g1\nissuer      prv-p1\nuses left   0\n"), "{first}");
    assert!(home.run(consume).done().out.starts_with("consumed before, under the same claim\n"));
}

/// The home at rest holds no signature and no token.
#[test]
fn no_secret_and_no_token_lies_in_the_home() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let token = home.run(["mint", "space-support", "s1"]).token();
        let read = onetoken(["inspect", "--json", "--show-signature", &token]).json();
        let signature = token_test::hex::decode(read["signature"].as_str().unwrap());
        let all =
            content(home.path().parent().unwrap()).into_values().flatten().flatten().collect::<Vec<u8>>();
        let holds = |needle: &[u8]| all.windows(needle.len()).any(|window| window == needle);
        assert!(holds(read["identifier"].as_str().unwrap().as_bytes()), "the search finds what is there");
        assert!(!holds(&signature) && !holds(token.as_bytes()), "{engine}");
    }
}

/// Not even for a mistyped URL, or one of a database that this program was built without.
#[test]
fn no_error_repeats_the_password_of_a_store() {
    let home = Home::over("redb");
    for url in [
        "postgres://u:hunter2@db/x?sslmode=prefer",
        "postgre://u:hunter2@db/x",
        "redis://u:hunter2@db",
        "u:hunter2@db/x",
        "postgres:u:hunter2@db/x",
    ] {
        for options in [&["--store", url][..], &["--json", "--store", url]] {
            let line = ["list"].iter().chain(options).copied().collect::<Vec<_>>();
            let outcome = home.run(line);
            let said = format!("{outcome:?}");
            assert!(outcome.code != 0 && !said.contains("hunter2"), "{said}");
        }
    }
}
