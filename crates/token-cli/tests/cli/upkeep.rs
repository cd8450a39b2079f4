//! The operator's daily commands.

use std::fs;

use serde_json::{Value, json};

use token_test::files::content;

use crate::run::{ENGINES, Home, Outcome};

fn ids(listed: &Value) -> Vec<String> {
    listed["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["id"].as_str().unwrap().to_owned())
        .collect()
}

/// All pages of a listing, each by the cursor of the one before.
fn pages(home: &Home, filters: &[&str], limit: usize, mut meanwhile: impl FnMut()) -> Vec<String> {
    let limit = limit.to_string();
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut line = vec!["list", "--json", "--limit", &limit];
        line.extend(filters);
        line.extend(after.iter().flat_map(|after| ["--after", after]));
        let page = home.run(&line).done().json();
        assert!(ids(&page).len() <= limit.parse().unwrap());
        all.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return all,
        }
        meanwhile();
    }
}

#[test]
fn a_listing_is_had_page_by_page() {
    for engine in ENGINES {
        let home = Home::over(engine);
        home.fill(engine, 30);
        let past = ["mint", "access", "--subject", "usr-u2", "--caveat", "time < 100"];
        for _ in 0..3 {
            home.run(past).done();
        }
        for filters in [
            &[][..],
            &["--resource", "space:s3"],
            &["--issuer", "usr-u1"],
            &["--resource", "space:s3", "--issuer", "usr-u1"],
            &["--resource", "space:s3", "--issuer", "usr-u2"],
            &["--expired"],
            &["--expired", "--issuer", "usr-u2"],
            &["--expires-before", "100"],
            &["--expires-before", "99"],
        ] {
            let whole = ids(&home.run(["list", "--json"].iter().chain(filters)).done().json());
            for limit in [4, 1000] {
                assert_eq!(pages(&home, filters, limit, || ()), whole, "{engine} {filters:?} {limit}");
            }
        }
    }
}

#[test]
fn a_cursor_stays_good_while_others_write() {
    let home = Home::over("redb");
    home.fill("redb", 20);
    let mut number = 0;
    let listed = pages(&home, &["--issuer", "usr-u1"], 3, || {
        home.run(["mint", "space-support", "s1", "--issuer", "usr-u1"]).done();
        home.run(["revoke", &format!("token-{number:06}")]);
        number += 1;
    });
    let known = |id: &&String| id.starts_with("token-");
    let expected: Vec<String> = (0..20).map(|number| format!("token-{number:06}")).collect();
    assert_eq!(listed.iter().filter(known).cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn a_cursor_is_of_its_listing() {
    let home = Home::over("redb");
    home.fill("redb", 20);
    let page = |more: &[&str]| home.run(["list", "--limit", "2"].iter().chain(more));
    let cursor = page(&["--json"]).done().json()["next"].as_str().unwrap().to_owned();
    assert_eq!(page(&["--after", &cursor]).code, 0);
    assert_eq!(page(&["--after", &cursor, "--issuer", "usr-u1", "--json"]).error(2), "usage");
    for wrong in ["", "-", "1-", "x-AAAA", "1-AAAA", &cursor[..cursor.len() - 1]] {
        assert_eq!(page(&["--json", &format!("--after={wrong}")]).error(2), "usage", "{wrong}");
    }
    // People see it on standard error, beside the list.
    let people = page(&[]).done();
    assert_eq!(
        people.told_after("--after ").unwrap().split_once('-').unwrap().1,
        cursor.split_once('-').unwrap().1
    );
    assert_eq!(page(&["--lines"]).done().documents().len(), 2);
}

#[test]
fn many_are_revoked_at_once() {
    for engine in ENGINES {
        let home = Home::over(engine);
        home.fill(engine, 600);
        let mint = |space: &str, issuer: &str| {
            home.run(["mint", "space-support", space, "--issuer", issuer]).token()
        };
        let (about, of, neither) = (mint("s3", "usr-u2"), mint("s9", "usr-u3"), mint("s9", "usr-u2"));
        let revoked = |token: &str| home.run(["verify", token, "--json"]);

        let done = home.run(["revoke", "--resource", "space:s3", "--json"]).done().json();
        // Of 600 numbers, 86 leave 3 when divided by 7.
        let expected = json!({
            "revoked": true, "count": 87, "damaged": 0, "resource": { "type": "space", "id": "s3" }
        });
        assert_eq!(done, expected);
        assert_eq!(revoked(&about).error(1), "revoked");
        let done = home.run(["revoke", "--issuer", "usr-u3", "--json"]).done().json();
        assert_eq!((&done["count"], &done["issuer"]["id"]), (&json!(1), &json!("u3")));
        assert_eq!(revoked(&of).error(1), "revoked");
        assert_eq!(home.run(["revoke", "--issuer", "usr-u1"]).done().out, "revoked 514 tokens of usr-u1\n");
        assert_eq!(revoked(&neither).code, 0);
        assert_eq!(home.run(["counts", "--json"]).done().json()["revoked"], 602);
    }
}

/// A mistyped kind must not look like success.
#[test]
fn where_there_is_nothing_to_revoke_it_says_so() {
    let home = Home::over("redb");
    home.run(["mint", "space-support", "s1", "--issuer", "usr-u1"]).done();
    for nothing in [["--resource", "space:s2"], ["--resource", "group:s1"], ["--issuer", "prv-u1"]] {
        let outcome = home.run(["revoke", "--json"].iter().chain(&nothing));
        assert_eq!(outcome.error(1), "unknown-token", "{nothing:?}");
        assert!(outcome.err.contains("nothing to revoke") && outcome.err.contains(nothing[1]), "{outcome:?}");
    }
    for (option, value) in [("--resource", "spc:s1"), ("--issuer", "grp-g1")] {
        for command in ["revoke", "list"] {
            let outcome = home.run([command, "--json", option, value]);
            assert_eq!(outcome.error(2), "usage");
            let known = if option == "--resource" { "space, user, cluster" } else { "usr-ID nor prv-ID" };
            assert!(outcome.err.contains(known), "{outcome:?}");
        }
    }
    assert_eq!(home.run(["revoke", "--json", "--temporary", "grp-g1"]).error(2), "usage");
    let revoke = ["revoke", "--resource", "space:s1", "--json"];
    assert_eq!(home.run(revoke).done().json()["count"], 1);
    assert_eq!(home.run(revoke).done().json()["count"], 0, "they are there, and revoked already");
}

#[test]
fn what_is_older_than_a_time_is_revoked() {
    for engine in ENGINES {
        let home = Home::over(engine);
        home.fill(engine, 3);
        let token = home.run(["mint", "space-support", "s1"]).token();
        let revoke = |time: &str| home.run(["revoke", "--before", time, "--json"]);
        assert_eq!(revoke("2099-01-01T00:00:00Z").error(2), "usage", "a time that is yet to come");
        let expected = json!({ "revoked": true, "before": "2023-11-14T22:13:20Z" });
        assert_eq!(revoke("1700000000").done().json(), expected);
        assert_eq!(home.run(["counts", "--json"]).json()["revoked"], 0, "they were minted at that time");
        revoke("2023-11-14T22:13:21Z").done();
        assert_eq!(home.run(["counts", "--json"]).json()["revoked"], 3);
        assert_eq!(revoke("100").done().json()["before"], "2023-11-14T22:13:21Z", "there is no way back");
        let people = home.run(["revoke", "--before", "0"]).done().out;
        assert_eq!(people, "revoked all tokens minted before 2023-11-14T22:13:21Z\n");
        assert_eq!(home.run(["verify", &token]).code, 0);
    }
}

#[test]
fn what_is_kept_is_counted() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    home.run(["mint", "access", "--subject", "usr-u1", "--ttl", "never"]).done();
    home.run(["mint", "access", "--subject", "usr-u1", "--temporary"]).done();
    home.consume(&token, &[]).done();
    let expected = json!({
        "records": 2, "damaged": 0, "spent": 1, "revoked": 0, "expiring": 1, "claims": 1, "generations": 1
    });
    assert_eq!(home.run(["counts", "--json"]).done().json(), expected);
    assert!(home.run(["counts"]).done().out.starts_with("records     2\n"), "as in the document");
}

#[test]
fn spent_tokens_are_removed_after_their_retention() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let token = home.run(["mint", "space-support", "s1", "--ttl", "never"]).token();
        home.run(["mint", "space-support", "s1", "--ttl", "never"]).done();
        home.consume(&token, &["--claim", "a"]).done();
        let purge = |retention: &str| home.run(["purge", "--json", "--retention", retention]).done().json();
        assert_eq!(purge("30d"), json!({ "purged": 0, "spent": 0 }));
        assert_eq!(home.consume(&token, &["--claim", "a"]).code, 0, "asked again, it answers still");
        assert_eq!(purge("0s"), json!({ "purged": 0, "spent": 1 }), "it was removed");
        assert_eq!(home.consume(&token, &["--claim", "a"]).error(1), "unknown-token");
        assert_eq!(home.run(["counts", "--json"]).json()["records"], 1);
    }
}

#[test]
fn a_store_idle_for_long_is_purged_after_a_mint() {
    for engine in ENGINES {
        let home = Home::over(engine);
        home.fill(engine, 3); // of November 2023
        for line in [&["purge"][..], &["purge", "--retention", "0s"], &["revoke", "--before", "2026-01-01"]] {
            let refused = home.run(line);
            assert_eq!(refused.code, 4, "{line:?}: {refused:?}");
            let told = "ahead of 2023-11-14T22:13:20Z, when the newest token that the store has seen was minted; set \
                        the clock of this host, or mint a token first";
            assert!(refused.err.contains(told), "{line:?}: {refused:?}");
            assert_eq!(home.run([line, &["--json"]].concat()).error(4), "store");
        }
        assert_eq!(home.run(["purge", "--before", "2024-01-01"]).code, 0, "{engine}: believed");
        home.run(["mint", "space-support", "s1"]).done();
        for line in [&["purge"][..], &["purge", "--retention", "0s"], &["revoke", "--before", "2026-01-01"]] {
            home.run(line).done();
        }
    }
}

fn check(home: &Home) -> Outcome {
    home.run(["check", "--json"])
}

#[test]
fn a_check_changes_nothing_and_finds_a_flipped_bit() {
    for engine in ENGINES {
        let home = Home::over(engine);
        home.fill(engine, 50);
        let token = home.run(["mint", "space-support", "s1"]).token();
        home.consume(&token, &[]).done();
        let before = content(&home.path());
        let sound = check(&home).done().json();
        assert_eq!(
            (&sound["sound"], &sound["records"], &sound["claims"]),
            (&json!(true), &json!(51), &json!(1))
        );
        assert!(content(&home.path()) == before, "{engine}");
        assert!(home.run(["check"]).done().out.starts_with("sound: 51 records, 1 claims"));

        let mut files = vec![home.path().join("store")];
        if files[0].is_dir() {
            // Exactly the file that sled reads at open.
            files = fs::read_dir(&files[0]).unwrap().map(|entry| entry.unwrap().path()).collect();
        }
        let mut flipped = 0;
        for file in files.iter().filter(|file| file.is_file()) {
            let mut bytes = fs::read(file).unwrap();
            let (id, mut at) = (b"token-000017", 0);
            while let Some(found) = bytes[at..].windows(id.len()).position(|part| part == id) {
                at += found + id.len();
                // The record of a token follows its id.
                bytes[at + 20] ^= 4;
                flipped += 1;
            }
            fs::write(file, bytes).unwrap();
        }
        assert!(flipped > 0, "{engine}");
        let damaged = check(&home);
        assert_eq!(damaged.code, 4, "{engine}: {damaged:?}");
        assert!(!damaged.err.contains("panicked"));
    }
}

#[test]
fn a_check_needs_no_right_to_write() {
    let home = Home::over("redb");
    home.fill("redb", 3);
    let store = home.path().join("store");
    let mut permissions = store.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&store, permissions).unwrap();
    assert_eq!(check(&home).done().json()["records"], 3);
}

#[test]
fn a_check_says_what_cannot_be_checked() {
    let home = Home::over("redb");
    fs::remove_file(home.path().join("store")).unwrap();
    assert_eq!(check(&home).error(4), "store");
    fs::remove_file(home.path().join("keys")).unwrap();
    let home = Home::over("redb");
    fs::remove_file(home.path().join("keys")).unwrap();
    assert_eq!(check(&home).error(4), "home");
}
