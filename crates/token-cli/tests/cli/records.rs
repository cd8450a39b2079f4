//! Commands on one record, and the events that they leave.

use std::fs;

use serde_json::{Value, json};

use crate::run::{ENGINES, Home, Outcome, feed, finish, onetoken};

/// Mints an access token of `usr-u1`, and returns its text and its id.
fn access(home: &Home, more: &[&str]) -> (String, String) {
    let mint = ["mint", "access", "--subject", "usr-u1", "--json"];
    let minted = home.run(mint.iter().chain(more)).done().json();
    let text = |name: &str| minted[name].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

fn json(home: &Home, args: &[&str]) -> Outcome {
    home.run(args.iter().chain(&["--json"]))
}

fn shown(home: &Home, id: &str) -> Value {
    json(home, &["show", id]).done().json()
}

#[test]
fn a_reversible_revocation_is_undone() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let (token, id) = access(&home, &[]);
        let revoke = ["revoke", &token, "--reversible", "--reason", "seen in a log", "--by", "usr-admin"];
        json(&home, &revoke).done();
        assert_eq!(json(&home, &["verify", &token]).error(1), "revoked");
        let listed = json(&home, &["list"]).done().json()["tokens"][0].clone();
        let mut revocation = listed["revocation"].clone();
        assert!(revocation["at"].take().is_string());
        let expected = json!({
            "at": null, "by": { "type": "user", "id": "admin" }, "reason": "seen in a log", "reversible": true
        });
        assert_eq!((&listed["revoked"], revocation), (&json!(true), expected));
        assert!(home.run(["list"]).done().out.ends_with("  revoked, reversible\n"));

        let reinstated = json(&home, &["reinstate", &id]).done().json();
        assert_eq!(reinstated, json!({ "reinstated": true, "id": id, "outcome": "unrevoked" }));
        home.run(["reinstate", &token]).done();
        home.run(["verify", &token]).done();
        assert_eq!(shown(&home, &id)["revocation"], Value::Null);
    }
}

#[test]
fn a_revocation_for_good_stays() {
    let home = Home::over("redb");
    let (token, id) = access(&home, &[]);
    for how in [&["--reversible"][..], &["--reason", "leaked"], &["--reversible"]] {
        home.run(["revoke", &id].iter().chain(how)).done();
    }
    let revocation = shown(&home, &id)["revocation"].clone();
    assert_eq!((&revocation["reason"], &revocation["reversible"]), (&json!("leaked"), &json!(false)));
    let refused = json(&home, &["reinstate", &token]);
    assert_eq!(refused.error(1), "revoked");
    assert!(refused.err.contains("for good"), "{refused:?}");
    assert_eq!(json(&home, &["verify", &token]).error(1), "revoked");
    assert_eq!(json(&home, &["revoke", &id, "--reason", &"r".repeat(257)]).error(2), "usage");
}

#[test]
fn many_are_revoked_reversibly() {
    let home = Home::over("redb");
    let how = ["--reversible", "--reason", "audit", "--by", "prv-p1"];
    let space = |space| home.run(["mint", "space-support", space, "--issuer", "usr-u2"]).token();
    let tokens = [access(&home, &[]).0, space("s1"), space("s2"), space("s3")];
    for of in [&["--issuer", "usr-u1"], &["--resource", "space:s1"]] {
        home.run(["revoke"].iter().chain(of).chain(&how)).done();
    }
    let lines = format!("{}\n{}\n", tokens[2], tokens[3]);
    feed(&mut home.command(["revoke"].iter().chain(&how)), lines).done();
    for token in tokens {
        let revocation = shown(&home, &token)["revocation"].clone();
        assert_eq!((&revocation["reason"], &revocation["by"]["id"]), (&json!("audit"), &json!("p1")));
        home.run(["reinstate", &token]).done();
        home.run(["verify", &token]).done();
    }
}

#[test]
fn a_deleted_token_is_unknown() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let (token, id) = access(&home, &["--name", "laptop"]);
        let deleted = json(&home, &["delete", &token]).done().json();
        assert_eq!(deleted, json!({ "deleted": true, "id": id, "outcome": "deleted" }));
        assert_eq!(json(&home, &["verify", &token]).error(1), "unknown-token");
        assert_eq!(json(&home, &["delete", &token]).error(1), "unknown-token");
        access(&home, &["--name", "laptop"]);
    }
}

#[test]
fn all_that_a_subject_has_is_deleted() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let mine = [access(&home, &[]).0, access(&home, &["--temporary"]).0, access(&home, &[]).0];
        let theirs = home.run(["mint", "access", "--subject", "usr-u2"]).token();
        let deleted = json(&home, &["delete", "--subject", "usr-u1"]).done().json();
        assert_eq!(deleted, json!({ "deleted": true, "count": 2, "damaged": 0, "subject": "usr-u1" }));
        for token in mine {
            assert_eq!(json(&home, &["verify", &token]).code, 1);
        }
        home.run(["verify", &theirs]).done();
        let again = home.run(["delete", "--subject", "usr-u1"]).done();
        assert_eq!(again.out, "deleted 0 tokens and all temporary tokens of usr-u1\n");
        assert_eq!(json(&home, &["counts"]).done().json()["generations"], 0);
    }
}

#[test]
fn a_name_is_given_once_for_each_issuer() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let (_, first) = access(&home, &["--name", "laptop"]);
        let (_, second) = access(&home, &["--metadata", "found in the cellar"]);
        let mint = |subject: &str| json(&home, &["mint", "access", "--subject", subject, "--name", "laptop"]);
        assert_eq!(mint("usr-u1").error(1), "name-taken");
        mint("usr-u2").done();
        let invite = ["mint", "invite", "ujg", "g1", "--issuer", "usr-u1", "--name", "laptop"];
        assert_eq!(json(&home, &invite).error(1), "name-taken");
        assert_eq!(json(&home, &["amend", &second, "--name", "laptop"]).error(1), "name-taken");

        let amended = json(&home, &["amend", &first, "--no-name"]).done().json();
        assert_eq!(amended, json!({ "amended": true, "id": first, "outcome": "amended" }));
        home.run(["amend", &second, "--name", "laptop"]).done();
        let found = json(&home, &["list", "--issuer", "usr-u1", "--name", "laptop"]).done().json();
        assert_eq!(found["tokens"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&found["tokens"][0]["id"], &found["tokens"][0]["metadata"]),
            (&json!(second), &json!("found in the cellar"))
        );
        home.run(["amend", &second, "--metadata", ""]).done();
        assert_eq!(shown(&home, &second)["metadata"], Value::Null);
        let nobody = home.run(["list", "--issuer", "usr-u3", "--name", "laptop"]).done();
        assert_eq!((nobody.out.as_str(), nobody.err.as_str()), ("", "onetoken: no tokens were found\n"));
        for change in [["--name", &"n".repeat(257)], ["--metadata", &"m".repeat(4097)]] {
            assert_eq!(json(&home, &["amend", &first, change[0], change[1]]).error(2), "usage");
        }
    }
}

#[test]
fn all_about_a_token_is_shown() {
    let home = Home::over("redb");
    let mint = ["mint", "invite", "ujg", "g1", "--issuer", "usr-u1", "--uses", "3", "--name", "club"];
    let caveats = ["--metadata", "spring", "--caveat", "ip = 192.0.2.0/24", "--json"];
    let minted = home.run(mint.iter().chain(&caveats)).done().json();
    let (token, id) = (minted["token"].as_str().unwrap(), &minted["id"]);
    for user in ["usr-u2", "usr-u3"] {
        let consume = ["consume", token, "--expect", "ujg", "--ip", "192.0.2.7", "--consumer", user];
        home.run(consume).done();
    }
    let mut shown = shown(&home, token);
    for by_time in ["createdAt", "lastUsedAt"] {
        assert!(shown[by_time].take().is_string(), "{by_time}");
    }
    let spends = shown["spends"].take();
    let mut users: Vec<&str> = Vec::new();
    for spend in spends.as_array().unwrap() {
        assert!(spend["at"].is_string() && spend["consumer"]["type"] == "user", "{spend}");
        users.push(spend["consumer"]["id"].as_str().unwrap());
    }
    users.sort_unstable();
    assert_eq!(users, ["u2", "u3"]);
    let time = shown["caveats"][0].take();
    assert!(time.as_str().unwrap().starts_with("time < "));
    let expected = json!({
        "id": id, "type": "userJoinGroup", "resource": { "type": "group", "id": "g1" },
        "issuer": { "type": "user", "id": "u1" }, "name": "club", "createdAt": null,
        "expiresAt": minted["expiresAt"], "expired": false, "useLimit": 3, "uses": 2, "revoked": false,
        "metadata": "spring", "revocation": null, "usesLeft": 1, "lastUsedAt": null, "session": null,
        "privileges": null, "caveats": [null, "ip = 192.0.2.0/24"], "spends": null
    });
    assert_eq!(shown, expected);

    let people = home.run(["show", "--issuer", "usr-u1", "--name", "club"]).done().out;
    for row in ["resource    group:g1\n", "uses left   1\n", "            ip = 192.0.2.0/24\n", "  usr-u2\n"]
    {
        assert!(people.contains(row), "{people}");
    }
    assert!(!people.contains(token), "{people}");
}

#[test]
fn every_page_of_uses_is_shown() {
    let home = Home::over("redb");
    let (count, limit) = (260, 300);
    let token = home.run(["mint", "space-support", "s1", "--uses", &limit.to_string()]).token();
    let (store, id) = (home.open("redb", "store"), onetoken(["inspect", "--json", &token]).json());
    let id = token_store::TokenId::new(id["identifier"].as_str().unwrap()).unwrap();
    let at = token_core::UnixTime::from_secs(1_700_000_000);
    for number in 0..count {
        let claim = token_store::ClaimId::new(format!("claim {number}")).unwrap();
        let _ = store.spend(&id, &claim, &token_store::Use::anonymous(at)).unwrap();
    }
    drop(store);
    let shown = shown(&home, &token);
    assert_eq!(shown["spends"].as_array().unwrap().len(), count);
    assert_eq!(shown["spends"][259], json!({ "consumer": null, "at": "2023-11-14T22:13:20Z" }));
    assert_eq!(shown["usesLeft"], limit - count);
}

#[test]
fn a_token_is_handed_to_its_owner_again() {
    let home = Home::over("redb");
    let (token, id) = access(&home, &["--name", "laptop", "--session", "s7"]);
    assert_eq!(home.run(["show", "--issuer", "usr-u1", "--name", "laptop", "--token"]).token(), token);
    assert_eq!(json(&home, &["show", &id, "--token"]).done().json(), json!({ "token": token }));
    assert_eq!(shown(&home, &id)["session"], "s7");

    // The record keeps 12 KiB.
    let long = format!("ip = {}192.0.2.1/32", "192.0.2.0/32|".repeat(1000));
    let (_, id) = access(&home, &["--caveat", &long]);
    assert_eq!(json(&home, &["show", &id, "--token"]).error(1), "not-kept");
    assert_eq!(shown(&home, &id)["caveats"], Value::Null);
    assert!(home.run(["show", &id]).done().out.contains("too long to be kept"));
}

#[test]
fn what_names_no_token_is_refused_by_every_command() {
    let home = Home::over("redb");
    let (token, _) = access(&home, &[]);
    let (temporary, _) = access(&home, &["--temporary"]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), &token).unwrap();
    for command in [&["reinstate"][..], &["delete"], &["amend", "--no-name"], &["show"]] {
        let of = |named: &str| home.run(command.iter().chain(&["--json", named]));
        assert_eq!(of("nothing").error(1), "unknown-token", "{command:?}");
        for damaged in [&token[..90], "", "a b", "\u{e9}"] {
            assert_eq!(of(damaged).error(3), "malformed", "{command:?} {damaged:?}");
        }
        assert_eq!(of("--jsn").error(2), "usage", "{command:?}");
        let alone = of(&temporary);
        assert_eq!(alone.error(2), "usage", "{command:?}");
        assert!(alone.err.contains("has no record"), "{alone:?}");
        let mut in_dir = home.command(command.iter().chain(&["--json", "token"]));
        let hinted = finish(in_dir.current_dir(dir.path()).spawn().unwrap());
        assert_eq!(hinted.error(3), "malformed", "{command:?}");
        assert!(hinted.err.contains("the name of a file"), "{hinted:?}");
        // From standard input.
        if command != ["delete"] {
            feed(&mut home.command(command), format!("{token}\n")).done();
        }
    }
    assert_eq!(json(&home, &["show", "--issuer", "usr-u1", "--name", "n"]).error(1), "unknown-token");
}

#[test]
fn texts_of_a_record_do_not_steer_the_terminal() {
    let home = Home::over("redb");
    let hostile = "a b\n\u{1b}[2J\u{202e}";
    let (_, id) = access(&home, &["--name", hostile, "--metadata", hostile]);
    home.run(["revoke", &id, "--reason", hostile]).done();
    let escaped = r"a b\n\u{1b}[2J\u{202e}";
    let (shown, listed) = (home.run(["show", &id]).done().out, home.run(["list"]).done().out);
    assert_eq!((shown.matches(escaped).count(), listed.matches(escaped).count()), (3, 1), "{shown}{listed}");
    assert!(!shown.contains('\u{1b}') && !listed.contains('\u{1b}'));
    let found = json(&home, &["show", "--issuer", "usr-u1", "--name", hostile]).done().json();
    assert_eq!([&found["name"], &found["metadata"], &found["revocation"]["reason"]], [hostile; 3]);
}

#[test]
fn events_are_read_from_a_cursor_on() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let (_, id) = access(&home, &[]);
        let begin = json(&home, &["events"]).done().json();
        let cursor = begin["next"].as_str().unwrap().to_owned();
        assert_eq!(begin, json!({ "events": [], "next": cursor, "missed": false }));
        for line in [
            &["revoke", &id, "--reversible"][..],
            &["reinstate", &id],
            &["delete", &id],
            &["revoke", "--before", "2020-01-01"],
            &["revoke", "--temporary", "usr-u1"],
            &["delete", "--subject", "usr-u1"],
        ] {
            home.run(line).done();
        }
        let expected = json!([
            { "event": "revoked", "id": id },
            { "event": "reinstated", "id": id },
            { "event": "deleted", "id": id },
            { "event": "revoked-before", "before": "2020-01-01T00:00:00Z" },
            { "event": "generation-raised", "subject": "usr-u1", "generation": 1 },
            { "event": "generation-deleted", "subject": "usr-u1" },
        ]);
        let whole = json(&home, &["events", "--after", &cursor]).done().json();
        assert_eq!((&whole["events"], &whole["missed"]), (&expected, &json!(false)), "{engine}");
        let (mut paged, mut after) = (Vec::new(), cursor.clone());
        loop {
            let page = json(&home, &["events", "--after", &after, "--limit", "4"]).done().json();
            let events = page["events"].as_array().unwrap().clone();
            assert!(events.len() <= 4);
            if events.is_empty() {
                break;
            }
            paged.extend(events);
            after = page["next"].as_str().unwrap().to_owned();
        }
        assert_eq!(json!(paged), expected, "{engine}");

        let people = home.run(["events", "--after", &cursor]).done();
        assert!(people.out.starts_with(&format!("revoked     {id}\nreinstated  {id}\n")), "{people:?}");
        let next = people.told_after("--after ").unwrap();
        assert_eq!(home.run(["events", "--after", &next]).done().out, "");
        assert!(home.run(["events"]).done().out.ends_with(&format!("{}\n", next.split_once('-').unwrap().1)));
        let page = json(&home, &["list", "--limit", "1"]).json();
        assert_eq!(page["next"], Value::Null);
        for wrong in ["1-AAAA", &cursor[..cursor.len() - 1]] {
            assert_eq!(json(&home, &["events", &format!("--after={wrong}")]).error(2), "usage");
        }
    }
}

#[test]
fn lost_events_are_told() {
    let (home, other) = (Home::over("redb"), Home::over("redb"));
    let (_, id) = access(&home, &[]);
    home.run(["revoke", &id]).done();
    let cursor = json(&home, &["events"]).done().json()["next"].as_str().unwrap().to_owned();
    let missed = json(&other, &["events", "--after", &cursor]).done().json();
    assert_eq!(missed["missed"], true);
    assert!(other.run(["events", "--after", &cursor]).done().err.contains("forget every verdict"));
}
