//! Stores on a server.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::json;
use token_test::postgres;

use crate::{
    keys::ids,
    run::{Home, feed},
};

#[test]
fn a_store_on_a_server_is_spent_from_revoked_and_moved() {
    let Some(server) = postgres::shared() else { return };
    let (home, url, moved) = (Home::over("redb"), server.database(), server.database());
    let on = |url: &str, line: &[&str]| home.run(line.iter().chain(&["--store", url]));
    let mint = |more: &[&str]| on(&url, &[&["mint"], more].concat()).token();
    let (fresh, spent, revoked, temporary) = (
        mint(&["space-support", "s1"]),
        mint(&["space-support", "s1"]),
        mint(&["space-support", "s1"]),
        mint(&["access", "--subject", "usr-u1", "--temporary"]),
    );
    let consume =
        |url: &str, token: &str, claim: &str| home.consume(token, &["--claim", claim, "--store", url]);
    for _ in 0..2 {
        assert_eq!(consume(&url, &spent, "a").code, 0, "the same claim gets the same answer");
    }
    assert_eq!(consume(&url, &spent, "b").error(1), "exhausted");
    on(&url, &["revoke", &revoked]).done();
    assert_eq!(consume(&url, &revoked, "a").error(1), "revoked");

    // To another database, and from there into a file.
    let file = format!("redb:{}", home.path().join("moved").display());
    for (from, to) in [(&url, &moved), (&moved, &file)] {
        let export = on(from, &["export", "-"]).done().out;
        let import = ["import", "-", "--json", "--store", to];
        let told = feed(&mut home.command(import), export.as_str()).done().json();
        assert_eq!((&told["tokens"], &told["kept"], &told["unopened"]), (&json!(3), &json!(4), &json!(0)));
        for token in [&fresh, &temporary] {
            on(to, &["verify", token]).done();
        }
        assert_eq!(consume(to, &revoked, "a").error(1), "revoked");
        assert_eq!(consume(to, &spent, "b").error(1), "exhausted");
        assert_eq!(consume(to, &spent, "a").code, 0, "the claim moved as well");
        let checked = on(to, &["check", "--json"]).done().json();
        assert_eq!((&checked["sound"], &checked["opened"]), (&json!(true), &json!(4)));
        let again = feed(&mut home.command(import), export.as_str()).done().json();
        assert_eq!(again["kept"], 0, "nothing is overwritten");
    }
}

#[test]
fn the_store_of_a_home_may_be_on_a_server_and_is_rekeyed() {
    let Some(server) = postgres::shared() else { return };
    let home = Home::on(&server.database());
    let tokens = [1, 2, 3].map(|space| home.run(["mint", "space-support", &format!("s{space}")]).token());
    home.consume(&tokens[0], &["--claim", "a"]).done();
    let done = home.run(["rekey", "--json"]).done().json();
    assert_eq!((&done["seen"], &done["resealed"], ids(&home)), (&json!(3), &json!(3), vec![2]));
    for token in &tokens[1..] {
        home.consume(token, &[]).done();
    }
    assert_eq!(home.consume(&tokens[0], &["--claim", "a"]).code, 0);
    assert_eq!(home.consume(&tokens[0], &["--claim", "b"]).error(1), "exhausted");
    assert_eq!(home.run(["check", "--json"]).done().json()["opened"], 3);
}

#[test]
fn records_on_a_server_are_changed_and_followed() {
    let Some(server) = postgres::shared() else { return };
    let home = Home::on(&server.database());
    let run = |line: &[&str]| home.run(line.iter().chain(&["--json"]));
    let mint = ["mint", "space-support", "s1", "--issuer", "usr-u1", "--name"];
    let token = home.run(mint.iter().chain(&["club"])).token();
    assert_eq!(run(&[&mint[..], &["club"]].concat()).error(1), "name-taken");
    let line = r#"{"id":"t1","secret":"s","type":"access","subject":"usr-u1","created":1,"revoked":true}"#;
    let adopt = || feed(&mut home.command(["adopt", "-", "--json"]), line).done().json();
    assert_eq!([adopt(), adopt()], [(); 2].map(|()| json!({ "adopted": 1, "failed": [] })));

    let cursor = run(&["events"]).done().json()["next"].as_str().unwrap().to_owned();
    run(&["revoke", &token, "--reversible", "--reason", "audit", "--by", "usr-u2"]).done();
    assert_eq!(run(&["show", &token]).done().json()["revocation"]["by"]["id"], "u2");
    run(&["reinstate", &token]).done();
    run(&["reinstate", "t1"]).done();
    home.consume(&token, &[]).done();
    run(&["amend", "t1", "--name", "laptop"]).done();
    let shown = run(&["show", "--issuer", "usr-u1", "--name", "club"]).done().json();
    assert_eq!(shown["spends"][0]["consumer"], json!({ "type": "oneprovider", "id": "p1" }));
    assert_eq!(run(&["delete", "--subject", "usr-u1"]).done().json()["count"], 2);
    assert_eq!(run(&["show", "t1"]).error(1), "unknown-token");
    let told = run(&["events", "--after", &cursor]).done().json();
    let names: Vec<&str> =
        told["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["revoked", "reinstated", "reinstated", "deleted", "deleted"]);
}

/// The resumed rekeying opens the other store with its given password, and never shows it.
#[test]
fn a_rekeying_that_is_killed_still_knows_the_password_of_the_other_store() {
    let Some(server) = postgres::start(&["fsync=off", "full_page_writes=off"]) else { return };
    let hba = server.dir().unwrap().join("data/pg_hba.conf");
    let rules = fs::read_to_string(&hba).unwrap();
    fs::write(&hba, format!("host all keeper 127.0.0.1/32 scram-sha-256\n{rules}")).unwrap();
    server.sql("postgres", "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'hunter2:@'").unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let open = server.database();
    let named = |user: &str| open.replace("onetoken@", user);
    let (url, home) = (named("keeper:hunter2%3A%40@"), Home::over("redb"));
    let here = home.run(["mint", "space-support", "s1"]).token();
    let there = home.run(["mint", "space-support", "s1", "--store", &url]).token();
    let begun = Instant::now();
    // The server rereads its rules soon after the signal.
    while home.run(["verify", &there, "--store", &named("keeper@")]).code == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody asks for a password");
    }

    let raw = server.connect(&open).unwrap();
    raw.sql("BEGIN; LOCK TABLE onetoken.tokens").unwrap();
    let mut child = home.command(["rekey", "--json", "--also", &url]).spawn().unwrap();
    let blocked = "SELECT 1 FROM pg_stat_activity WHERE usename = 'keeper' AND wait_event_type = 'Lock'";
    while server.sql("postgres", blocked).unwrap().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it does not wait for the table");
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    raw.sql("ROLLBACK").unwrap();
    assert_eq!(ids(&home), [1, 2]);

    let resumed = home.run(["rekey", "--json"]).done();
    assert!(!format!("{resumed:?}").contains("hunter2"), "{resumed:?}");
    let done = resumed.json();
    assert_eq!((&done["resumed"], &done["seen"], ids(&home)), (&json!(true), &json!(2), vec![2]));
    for (token, more) in [(&here, &[][..]), (&there, &["--store", &url])] {
        home.consume(token, more).done();
    }
    assert!(!home.path().join("rekeying").exists(), "nothing is left that holds the password");
}
