//! Finding tokens that leaked.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};
use token_test::vectors;

use crate::run::{Home, feed, onetoken, piped, raw};

/// The places that a document of `scan` names, as `path:line:column`.
fn places(found: &Value) -> Vec<String> {
    let place =
        |found: &Value| format!("{}:{}:{}", found["path"].as_str().unwrap(), found["line"], found["column"]);
    found["found"].as_array().unwrap().iter().map(place).collect()
}

/// Every v1 token of the vectors, in base62 and in base64url.
fn texts() -> Vec<String> {
    let texts = |token: &vectors::Golden| token.texts().map(|(_, text)| text.to_owned());
    vectors::golden().iter().flat_map(texts).collect()
}

#[test]
fn every_token_is_found_in_any_surroundings() {
    let texts = texts();
    assert!(texts.len() > 30);
    for text in &texts {
        for (before, after, column) in [
            ("", "", 1),
            ("token=", "&x=1", 7),
            ("\"", "\",", 2),
            ("X-Auth-Token: opw-", "\r", 19),
            ("é/", "/x", 4),
        ] {
            let found = piped(format!("first\n{before}{text}{after}\nlast"), ["scan", "--json"]);
            assert_eq!(found.code, 1, "{before}{text}{after}");
            assert_eq!(places(&found.json()), [format!("-:2:{column}")], "{before}{text}{after}");
            assert!(!found.out.contains(text) && !found.err.contains(text), "{found:?}");
        }
    }
    let all = piped(texts.join(" "), ["scan", "--json"]).json();
    assert_eq!(all["found"].as_array().unwrap().len(), texts.len());
}

#[test]
fn a_word_behind_a_token_does_not_hide_it() {
    let token = raw(&["time < 1496140144"]);
    for behind in ["_old", "-2", "_"] {
        assert_eq!(piped(format!("{token}{behind}"), ["scan", "--json"]).code, 1, "{behind}");
    }
}

#[test]
fn only_whole_tokens_are_found() {
    for text in texts() {
        let flipped = |at: usize| {
            let other = if text.as_bytes()[at] == b'A' { 'B' } else { 'A' };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        };
        // A changed character of the signature is a token all the same: nobody can tell without the key.
        for damaged in [text[..text.len() - 2].to_owned(), text[2..].to_owned(), flipped(3), flipped(9)] {
            let found = piped(damaged.clone(), ["scan", "--json"]);
            assert_eq!((found.code, found.json()["found"].as_array().unwrap().len()), (0, 0), "{damaged}");
        }
    }
    let look_alikes =
        ["MDAxNmxvY2F0aW9u".repeat(20), "AgEA".repeat(4000), "A".repeat(3 << 20), "\0\u{ff}".repeat(9999)];
    for text in look_alikes {
        assert_eq!(piped(text, ["scan"]).code, 0);
    }
}

#[test]
fn a_token_of_v2_is_found() {
    let token =
        onetoken(["mint", "raw", "--location", "l", "--identifier", "i", "--secret", "s", "--format", "v2"])
            .token();
    assert_eq!(places(&piped(format!("a {token} b"), ["scan", "--json"]).json()), ["-:1:3"]);
}

#[test]
fn a_token_anywhere_in_a_large_file_is_found_once() {
    let token = raw(&[]);
    let part = 4 << 20;
    for filler in [b'.', b'A', b'\n'] {
        for at in [part - 300, part - token.len(), part - 97, part - 95, part - 50, part - 1, part, part + 1]
        {
            let mut file = vec![filler; 2 * part + 10];
            // What is before must not belong to the text of a v2 token.
            file[at - 1] = b' ';
            file.splice(at..at + token.len() + 1, format!("{token} ").into_bytes());
            let found = piped(file, ["scan", "--json"]).json();
            let (line, column) = if filler == b'\n' { (at, 2) } else { (1, at + 1) };
            assert_eq!(places(&found), [format!("-:{line}:{column}")], "{at} {filler}");
        }
    }
}

#[test]
fn directories_are_searched_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("a/b/.hidden")).unwrap();
    fs::write(at("a/b/.hidden/leaked"), raw(&[])).unwrap();
    fs::write(at("a/clean"), "nothing").unwrap();
    symlink(at("a"), at("a/loop")).unwrap();
    symlink(at("a/b/.hidden/leaked"), at("a/link")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("a/pipe")).status().unwrap();
    assert!(made.success());
    let found = onetoken(["scan".as_ref(), at("a").as_os_str(), "--json".as_ref()]);
    assert_eq!((found.code, found.json()["files"].clone()), (1, json!(2)));
    assert_eq!(places(&found.json()).len(), 1);
    // A link that is named is followed.
    assert_eq!(onetoken(["scan".as_ref(), at("a/link").as_os_str()]).code, 1);
    let people = onetoken(["scan".as_ref(), at("a").as_os_str()]);
    assert!(people.out.contains("leaked:1:1: id7 (onezone"), "{people:?}");
    let missing = onetoken(["scan".as_ref(), at("none").as_os_str(), "--json".as_ref()]);
    assert_eq!((missing.code, missing.json()["unread"].clone()), (4, json!(1)), "{missing:?}");
    assert!(missing.err.contains("none"), "{missing:?}");
}

#[test]
fn what_is_found_can_be_revoked() {
    let home = Home::over("redb");
    let mint = |args: &[&str]| home.run(args).token();
    let (one, two) = (mint(&["mint", "space-support", "s1"]), mint(&["mint", "group-spaces", "g1"]));
    let temporary = mint(&["mint", "access", "--subject", "usr-u1", "--temporary", "--ttl", "1h"]);
    let ids = piped(format!("{one}\n{two} {one}\n{temporary}"), ["scan", "--ids"]);
    assert_eq!((ids.code, ids.lines().len()), (1, 2), "{ids:?}");
    assert!(ids.err.contains("onetoken revoke --temporary usr-u1"), "{ids:?}");
    let revoked = feed(&mut home.command(["revoke", "-", "--json"]), ids.out.clone()).done().json();
    assert_eq!(revoked, json!({ "revoked": true, "count": 2, "unknown": [] }));
    for token in [&one, &two] {
        assert_eq!(home.run(["verify", token, "--json"]).error(1), "revoked");
    }
    // A token of another Onezone does not stop the others.
    let fresh = mint(&["mint", "space-support", "s1"]);
    let some = feed(&mut home.command(["revoke", "-", "--json"]), format!("elsewhere\n{fresh}\n"));
    assert_eq!((some.code, some.json()["unknown"].clone()), (1, json!(["elsewhere"])));
    assert_eq!(home.run(["verify", &fresh, "--json"]).error(1), "revoked");
}

#[test]
fn a_token_in_the_place_of_a_file_is_not_repeated() {
    let token = raw(&[]);
    for line in
        [&["scan", &token][..], &["adopt", &token, "--json"], &["verify", &token, "--secret-file", &token]]
    {
        let refused = onetoken(line);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("the token in the place of a file"), "{refused:?}");
        assert!(!refused.out.contains(&token) && !refused.err.contains(&token), "{refused:?}");
    }
}
