//! Key rings and rekeying.

use std::{fs, thread, time::Duration};

use serde_json::json;
use token_store::KeyRing;

use crate::run::{ENGINES, Home, command, finish};

/// The ids of the keys in the file.
pub(crate) fn ids(home: &Home) -> Vec<u32> {
    home.keys().ids().collect()
}

#[test]
fn everything_is_sealed_under_a_new_key_and_the_old_one_goes() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let mint = |more: &[&str]| home.run(["mint"].iter().chain(more)).token();
        let tokens =
            [mint(&["space-support", "s1"]), mint(&["access", "--subject", "usr-u1", "--temporary"])];
        let former = fs::read_to_string(home.path().join("keys")).unwrap();

        let done = home.run(["rekey", "--json"]).done();
        let former_file = home.path().join("keys.old-1");
        let expected = json!({
            "key": 2, "resumed": false, "seen": 2, "resealed": 2, "removed": [1], "former": former_file
        });
        assert_eq!((done.json(), done.err.as_str()), (expected, ""), "no progress where nobody sees it");
        assert_eq!(ids(&home), [2]);
        assert!(!home.path().join("rekeying").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = home.path().join("keys").metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for token in &tokens {
            assert_eq!(home.run(["verify", token]).code, 0, "{engine}");
        }
        assert_eq!(home.run(["check", "--json"]).done().json()["opened"], 2);

        // Keys that were sealed again do not open under the former ring.
        let with_former =
            |args: &[&str]| finish(home.command(args).env("ONETOKEN_KEYS", &former).spawn().unwrap());
        let refused = with_former(&["verify", &tokens[0], "--json"]);
        assert_eq!(refused.error(4), "store");
        assert!(refused.err.contains("key 2"), "{refused:?}");
        let checked = with_former(&["check", "--json"]);
        assert_eq!((checked.code, &checked.json()["faults"]), (4, &json!({ "key-unavailable": 2 })));
    }
}

#[test]
fn old_keys_are_kept_if_asked() {
    let home = Home::over("redb");
    home.run(["mint", "space-support", "s1"]).done();
    let done = home.run(["rekey", "--keep-old", "--json"]).done().json();
    assert_eq!((&done["removed"], &done["former"], ids(&home)), (&json!([]), &json!(null), vec![1, 2]));
    let done = home.run(["rekey", "--json"]).done().json();
    assert_eq!((&done["resumed"], &done["removed"]), (&json!(false), &json!([1, 2])), "and a new key comes");
    assert_eq!(ids(&home), [3]);
    let people = home.run(["rekey"]).done().out;
    let former = home.path().join("keys.old-3");
    let expected = format!(
        "added key 4; sealed 1 of 1 root keys under it; removed key 3\nsaved the former key ring in {}; older exports and \
         copies of the store need it\n",
        former.display()
    );
    assert_eq!(people, expected);
}

/// An older export opens under the kept ring; both `import` and `check` name the missing key.
#[test]
fn an_export_from_before_a_rekeying_opens_under_the_ring_that_was_kept() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    let export = home.path().join("export");
    home.run(["export".as_ref(), export.as_os_str()]).done();
    let former = home.run(["rekey", "--json"]).done().json()["former"].clone();
    let former = KeyRing::load(former.as_str().unwrap()).unwrap();
    assert_eq!(former.ids().collect::<Vec<_>>(), [1, 2], "it opens the store as it is now as well");

    let url = format!("redb:{}", home.path().join("moved").display());
    let import = ["import", export.to_str().unwrap(), "--store", &url, "--json"];
    for args in [&import[..], &["check", "--store", &url, "--json"]] {
        let told = home.run(args);
        assert_eq!((told.code, &told.json()["missing_keys"]), (4, &json!([1])));
        assert!(told.err.contains("key 1") && told.err.contains("keys.old-"), "{told:?}");
    }
    let with_former = |args: &[&str]| {
        let mut command = home.command(args);
        finish(command.env("ONETOKEN_KEYS", former.to_text().as_str()).spawn().unwrap())
    };
    let told = with_former(&import).done();
    assert_eq!((&told.json()["missing_keys"], told.err.as_str()), (&json!([]), ""));
    assert_eq!(with_former(&["verify", &token, "--store", &url]).code, 0);
}

#[test]
fn a_former_ring_is_not_overwritten() {
    let home = Home::over("redb");
    let (first, second) = (home.path().join("keys.old-1"), home.path().join("keys.old-1-2"));
    KeyRing::create(&first).unwrap();
    fs::write(&second, "something").unwrap();
    let there = || [&first, &second].map(|path| fs::read(path).unwrap());
    let before = there();
    let done = home.run(["rekey", "--json"]).done().json();
    assert_eq!(done["former"], json!(home.path().join("keys.old-1-3")));
    assert!(there() == before);
}

/// After any number of kills it finishes with the one key that it began with.
#[test]
fn a_rekeying_that_is_killed_goes_on() {
    for engine in ENGINES {
        let home = Home::over(engine);
        home.fill(engine, 2000);
        let mut interrupted = 0;
        for pause in [0, 5, 20, 40, 60, 80] {
            let mut child = home.command(["rekey", "--json"]).spawn().unwrap();
            // The new key is on disk before anything is sealed under it.
            while child.try_wait().unwrap().is_none() && ids(&home).len() < 2 {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(pause));
            child.kill().unwrap();
            child.wait().unwrap();
            // Only the report was left to do.
            if ids(&home) == [2] {
                break;
            }
            interrupted += 1;
            assert_eq!(ids(&home), [1, 2], "{engine}");
        }
        assert!(interrupted > 0, "{engine}: it was always faster");
        if ids(&home).len() > 1 {
            let done = home.run(["rekey", "--json"]).done().json();
            assert_eq!((&done["resumed"], &done["seen"]), (&json!(true), &json!(2000)));
        }
        assert_eq!(ids(&home), [2], "{engine}");
        let former = KeyRing::load(home.path().join("keys.old-1")).unwrap();
        assert_eq!(former.ids().collect::<Vec<_>>(), [1, 2], "{engine}: kept before any key is removed");
        assert!(!home.path().join("keys.old-1-2").exists(), "{engine}: and once");
        let checked = home.run(["check", "--json"]).done().json();
        assert_eq!((&checked["sound"], &checked["opened"]), (&json!(true), &json!(2000)));
    }
}

/// After a kill before the new key was on disk, or when only its note was left.
#[test]
fn what_is_left_of_a_rekeying_without_its_key_is_no_rekeying() {
    let home = Home::over("redb");
    for (note, key) in [("2\n", 2), ("2\n", 3), ("", 4), ("hello", 5)] {
        fs::write(home.path().join("rekeying"), note).unwrap();
        let done = home.run(["rekey", "--json"]).done().json();
        assert_eq!((&done["resumed"], &done["key"]), (&json!(false), &json!(key)), "{note:?}");
    }
}

/// The note may hold the passwords of other stores.
#[test]
fn a_rekeying_that_cannot_be_noted_leaves_no_draft() {
    let home = Home::over("redb");
    fs::create_dir(home.path().join("rekeying")).unwrap();
    assert_ne!(home.run(["rekey"]).code, 0);
    assert_eq!(ids(&home), [1]);
    let mut left = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.any(|name| name.to_str().unwrap().ends_with(".new")));
}

/// A killed process leaves its draft, which may hold passwords as well.
#[test]
fn a_rekeying_removes_the_drafts_of_a_killed_one() {
    let home = Home::over("redb");
    for (name, stays) in [("rekeying.a1b2c3.new", false), ("rekeying.txt", true), ("notes.a1b2c3.new", true)]
    {
        let path = home.path().join(name);
        fs::write(&path, "2\npostgres://u:hunter2@h/d\n").unwrap();
        home.run(["rekey"]).done();
        assert_eq!(path.exists(), stays, "{name}");
    }
}

/// A token of another home was imported, which no key here opens.
#[test]
fn a_key_that_may_be_needed_is_not_removed() {
    let (home, other) = (Home::over("redb"), Home::over("redb"));
    let mine = home.run(["mint", "space-support", "s1"]).token();
    other.run(["mint", "space-support", "s2"]).done();
    let export = other.path().join("export");
    other.run(["export".as_ref(), export.as_os_str()]).done();
    let imported = home.run(["import".as_ref(), export.as_os_str(), "--json".as_ref()]);
    assert_eq!((imported.code, &imported.json()["unopened"]), (4, &json!(1)));
    assert!(imported.err.contains("key ring"), "{imported:?}");

    let checked = home.run(["check", "--json"]);
    assert_eq!((checked.code, &checked.json()["faults"]), (4, &json!({ "forged": 1 })));
    assert!(checked.json()["examples"][0]["id"].is_string());
    for _ in 0..2 {
        let refused = home.run(["rekey", "--json"]);
        assert_eq!(refused.error(4), "key-needed");
        assert_eq!(ids(&home), [1, 2], "neither removed nor added again");
    }
    assert_eq!(home.run(["verify", &mine]).code, 0);
    assert_eq!(home.run(["rekey", "--keep-old", "--json"]).error(4), "key-needed");
    assert_eq!(home.run(["rekey", "--json"]).error(4), "key-needed");
    assert_eq!(
        ids(&home),
        [1, 3],
        "once the old ones were to stay, another is added; and nothing needs the second"
    );
}

/// A key ring may serve more than one store.
#[test]
fn rekeying_another_store_takes_no_key_from_that_of_the_home() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    let url = format!("redb:{}", home.path().join("other").display());
    let other = home.run(["mint", "space-support", "s1", "--store", &url]).token();
    let verified = |store: &str, token: &str| home.run(["verify", "--store", store, token]).code;
    for more in [None, Some("--keep-old")] {
        let refused = home.run(["rekey", "--store", &url, "--json"].into_iter().chain(more));
        assert_eq!((refused.error(2).as_str(), ids(&home)), ("usage", vec![1]));
    }
    let own = format!("redb:{}", home.path().join("store").display());
    let also = |more: &[&str]| {
        home.run(["rekey", "--also", &url, "--also", &own, "--also", &url, "--json"].iter().chain(more))
    };
    also(&["--keep-old"]).done();
    assert_eq!(ids(&home), [1, 2]);
    let done = also(&[]).done().json();
    assert_eq!((&done["seen"], &done["removed"], ids(&home)), (&json!(2), &json!([1, 2]), vec![3]));
    assert_eq!((verified(&url, &other), verified(&own, &token)), (0, 0));

    // An interrupted rekeying resumes with all named stores.
    let mut keys = home.keys();
    keys.rotate().unwrap();
    keys.replace(home.path().join("keys")).unwrap();
    fs::write(home.path().join("rekeying"), format!("4\n{url}\n")).unwrap();
    let done = home.run(["rekey", "--json"]).done().json();
    assert_eq!((&done["resumed"], &done["seen"], ids(&home)), (&json!(true), &json!(2), vec![4]));
    assert_eq!((verified(&url, &other), verified(&own, &token)), (0, 0));
    let absent = format!("redb:{}", home.path().join("absent").display());
    assert_eq!(
        (home.run(["rekey", "--also", &absent, "--json"]).error(4), ids(&home)),
        ("store".into(), vec![4])
    );
}

#[test]
fn a_key_that_was_removed_and_is_needed_is_named() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    let mut keys = home.keys();
    keys.rotate().unwrap();
    let text = keys.to_text();
    let without: String =
        text.lines().filter(|line| !line.starts_with("1:")).map(|line| format!("{line}\n")).collect();
    KeyRing::from_text(&without).unwrap().replace(home.path().join("keys")).unwrap();
    let refused = home.run(["verify", &token, "--json"]);
    assert_eq!(refused.error(4), "store");
    assert!(refused.err.contains("key 1"), "{refused:?}");
    assert_eq!(home.run(["rekey", "--json"]).error(4), "key-needed");
}

#[test]
fn keys_may_come_from_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let text = KeyRing::generate().unwrap().to_text();
    let run = |keys: &str, args: &[&str]| {
        let mut command = command(args);
        command.env("ONETOKEN_HOME", dir.path().join("home")).env("ONETOKEN_KEYS", keys);
        finish(command.spawn().unwrap())
    };
    run(&text, &["init"]).done();
    assert!(!dir.path().join("home/keys").exists(), "they are nowhere else");
    let token = run(&text, &["mint", "space-support", "s1"]).token();
    // As a first mint leaves it that is killed before its end.
    fs::remove_file(dir.path().join("home/config.json")).unwrap();
    run(&text, &["mint", "space-support", "s1"]).done();
    assert_eq!(run(&text.replace('\n', " "), &["verify", &token]).code, 0, "on one line");

    let other = KeyRing::generate().unwrap().to_text();
    assert_eq!(run(&other, &["verify", &token, "--json"]).error(4), "store");
    let refused = run(&text[..60], &["verify", &token, "--json"]);
    assert_eq!(refused.error(4), "home");
    assert!(refused.err.contains("ONETOKEN_KEYS") && !refused.err.contains(&text[20..60]), "{refused:?}");
    // An empty variable counts as unset: the home has no keys then.
    assert_eq!(run("", &["verify", &token, "--json"]).error(4), "home");

    let refused = run(&text, &["rekey", "--json"]);
    assert_eq!(refused.error(4), "home");
    assert!(refused.err.contains("file"), "{refused:?}");
    assert!(!dir.path().join("home/rekeying").exists());
    assert_eq!(run(&text, &["check"]).code, 0, "nothing was sealed under a key that is nowhere");
}
