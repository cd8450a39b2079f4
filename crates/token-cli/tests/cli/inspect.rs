//! `inspect`

use serde_json::json;

use crate::run::{command, feed, finish, onetoken, piped, raw};

#[test]
fn the_document_is_the_one_of_the_contract() {
    let token = onetoken([
        "mint",
        "raw",
        "--location",
        "onezone",
        "--identifier",
        "8HfHARHgklqBkZVI4l6MBTvSSvt98ppp6948s8Q7SOk",
        "--caveat",
        "tokenType = space_create_token",
        "--caveat",
        "time < 1496140144",
        "--caveat",
        "colour = blue",
        "--secret",
        "example",
    ])
    .token();
    let outcome = onetoken(["inspect", "--json", &token]).done();
    assert_eq!(outcome.err, "");
    let expected = json!({
        "verified": false,
        "encoding": "base62", "format": "v1", "bytes": 214,
        "location": "onezone",
        "identifier": "8HfHARHgklqBkZVI4l6MBTvSSvt98ppp6948s8Q7SOk",
        "token": null,
        "caveats": [
            { "text": "tokenType = space_create_token",
              "caveat": { "type": "tokenType", "tokenType": "space_create_token" } },
            { "text": "time < 1496140144", "caveat": { "type": "time", "validUntil": 1_496_140_144 } },
            { "text": "colour = blue", "caveat": null }
        ],
        "expiresAt": "2017-05-30T10:29:04Z", "expired": true,
        "signature": null
    });
    assert_eq!(outcome.json(), expected);

    let signed = onetoken(["inspect", "--json", "--show-signature", &token]).json();
    let signature = signed["signature"].as_str().unwrap();
    assert!(signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let people = onetoken(["inspect", &token]).done();
    assert!(!people.out.contains(signature) && people.out.contains("expired 9 years ago"), "{people:?}");
    for words in [
        "(Lets a provider create a space and support it)",
        "(Holds until 2017-05-30T10:29:04Z, expired",
        "(not understood)",
    ] {
        assert!(people.out.contains(words), "{people:?}");
    }
    assert!(onetoken(["inspect", "--show-signature", &token]).out.contains(signature));
}

#[test]
fn expiry_is_judged_at_the_given_time() {
    let token = raw(&["time < 200", "time < 100", "time < 300"]);
    for (at, expired) in [("99", false), ("100", true), ("1970-01-01T00:01:39Z", false)] {
        let json = onetoken(["inspect", "--json", "--at", at, &token]).done().json();
        assert_eq!((&json["expiresAt"], &json["expired"]), (&json!("1970-01-01T00:01:40Z"), &json!(expired)));
    }
}

#[test]
fn a_token_comes_from_standard_input_with_its_line_end_cut() {
    let token = raw(&[]);
    let expected = onetoken(["inspect", "--json", &token]).done().out;
    for end in ["", "\n", "\r\n"] {
        assert_eq!(piped(format!("{token}{end}"), ["inspect", "--json"]).out, expected);
        assert_eq!(piped(format!("{token}{end}"), ["inspect", "--json", "-"]).out, expected);
    }
    for other in ["\n\n", " ", "\r", " \n"] {
        let outcome = piped(format!("{token}{other}"), ["inspect", "--json"]);
        assert_eq!(outcome.error(3), "malformed");
        assert_eq!(outcome.json()["error"]["hint"], "without the white space it reads whole");
    }
    assert_eq!(onetoken(["inspect", "--json", &format!("{token}\n")]).error(3), "malformed");
}

#[test]
fn people_get_color_only_if_they_want_it() {
    let token = raw(&["time < 100"]);
    let colored = |args: &[&str], no_color: Option<&str>| {
        let mut command = command(args.iter().chain([&"inspect", &token.as_str()]));
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        finish(command.spawn().unwrap()).done().out.contains('\u{1b}')
    };
    assert!(!colored(&[], None), "not on a terminal");
    assert!(colored(&["--color", "always"], None));
    assert!(colored(&["--color", "always"], Some("1")), "an option outranks the environment");
    assert!(!colored(&["--color", "never"], None));
    assert!(!colored(&[], Some("1")));
}

#[test]
fn a_token_does_not_steer_the_terminal() {
    let token = raw(&["note = \u{1b}[2J\u{202e}\u{7}"]);
    let outcome = onetoken(["inspect", &token]).done();
    assert!(outcome.out.contains(r"note = \u{1b}[2J\u{202e}\u{7}"), "{outcome:?}");
    let refused = onetoken(["verify", "--secret", "example", &token]);
    assert_eq!(refused.code, 1);
    assert!(!refused.err.contains('\u{1b}'), "{refused:?}");
}

#[test]
fn each_line_gets_its_document_in_order() {
    let token = raw(&["time < 100"]);
    let mut input = Vec::new();
    input.extend(format!("{token}\n\n{token}\r\n").into_bytes());
    input.extend(b"\xff\xfe\n");
    input.extend(&token.as_bytes()[..40]);
    input.extend(b"\n");
    input.extend(token.as_bytes());
    for args in [&["inspect", "--lines"][..], &["inspect", "--lines", "--json", "-"]] {
        let outcome = piped(input.clone(), args);
        assert_eq!(outcome.code, 3);
        assert_eq!(outcome.err, "");
        let lines: Vec<_> = outcome.documents().iter().map(|json| json["error"]["line"].clone()).collect();
        assert_eq!(lines, [json!(null), json!(2), json!(null), json!(4), json!(5), json!(null)]);
        let stages: Vec<_> =
            outcome.documents().into_iter().map(|json| json["error"]["stage"].clone()).collect();
        assert_eq!(
            stages,
            [json!(null), json!("text"), json!(null), json!("text"), json!("packet"), json!(null)]
        );
    }
    assert_eq!(piped(format!("{token}\n"), ["inspect", "--lines"]).code, 0);
    assert_eq!(piped("", ["inspect", "--lines"]).done().out, "");
    assert_eq!(onetoken(["inspect", "--lines", &token]).error(2), "usage");
}

/// The client gets the answer to a line before it writes the next.
#[test]
fn lines_are_answered_one_by_one() {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        process::Stdio,
    };
    let token = raw(&[]);
    let mut child = command(["inspect", "--lines"]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = BufReader::new(stdout).lines();
    for _ in 0..3 {
        writeln!(stdin, "{token}").unwrap();
        assert!(answers.next().unwrap().unwrap().contains("\"verified\":false"));
    }
    drop(stdin);
    assert!(answers.next().is_none() && child.wait().unwrap().success());
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let token = raw(&[]);
    for (args, input) in
        [(&["inspect"][..], token.clone()), (&["inspect", "--lines"], format!("{token}\n").repeat(5000))]
    {
        let mut command = command(args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = feed(command.stdout(writer), input);
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{args:?}");
    }
}

/// Otherwise nobody has the token, and its record stays unknown.
#[cfg(unix)]
#[test]
fn a_minted_token_is_not_lost_in_silence() {
    let home = crate::run::Home::over("redb");
    let records = || home.run(["list", "--lines"]).done().lines().len();
    let mut command = home.command(["mint", "space-support", "s1"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let outcome = feed(command.stdout(writer), "");
    assert_eq!(outcome.code, 4);
    let id = home.run(["list", "--json"]).json()["tokens"][0]["id"].as_str().unwrap().to_owned();
    assert!(outcome.err.contains(&id), "{outcome:?}");
    assert_eq!(records(), 1);

    for args in [r#""$0" mint space-support s1 >&-"#, r#""$0" mint access --subject usr-u1 --json >&-"#] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", args, crate::run::PROGRAM]).env("ONETOKEN_HOME", home.path());
        let outcome = finish(shell.stderr(std::process::Stdio::piped()).spawn().unwrap());
        assert_eq!(outcome.code, 4, "{outcome:?}");
        assert!(outcome.err.contains("standard output"), "{outcome:?}");
        assert_eq!(records(), 1, "{args}");
    }
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#""$0" mint space-support s1 >/dev/null"#, crate::run::PROGRAM]);
    assert!(shell.env("ONETOKEN_HOME", home.path()).status().unwrap().success());
    assert_eq!(records(), 2, "which says that the token is not wanted");
}

/// The message names the claim, so that the caller can retry.
#[cfg(target_os = "linux")]
#[test]
fn a_use_is_not_lost_in_silence() {
    let home = crate::run::Home::over("redb");
    let args = ["consume", "--expect", "space-support", "--consumer", "prv-p1"];
    for json in [&[][..], &["--json"]] {
        let token = home.run(["mint", "space-support", "s1"]).token();
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", r#"exec "$0" "$@" >&-"#, crate::run::PROGRAM])
            .args(args.iter().chain(json))
            .arg(&token);
        shell.env("ONETOKEN_HOME", home.path()).stderr(std::process::Stdio::piped());
        let closed = finish(shell.spawn().unwrap());
        assert_eq!(closed.code, 4, "{closed:?}");
        assert!(!closed.err.contains("--claim"), "nothing was taken: {closed:?}");

        let mut command = home.command(args.iter().chain(json));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let full = finish(command.arg(&token).stdout(full).spawn().unwrap());
        assert_eq!(full.code, 4, "{full:?}");
        let claim = full.told_after("--claim ").unwrap().trim_end_matches('`').to_owned();
        let again = home.consume(&token, &["--claim", &claim]).done().json();
        assert_eq!((&again["usesLeft"], &again["repeated"]), (&json!(0), &json!(true)));
        assert_eq!(home.consume(&token, &[]).error(1), "exhausted");
    }

    let token = home.run(["mint", "space-support", "s1"]).token();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let gone = feed(home.command(args).arg("-").stdout(writer), token);
    assert_eq!(gone.code, 4);
    assert!(gone.told_after("--claim ").is_some(), "{gone:?}");
}

#[test]
fn the_name_of_a_file_is_told_from_a_token() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), raw(&[])).unwrap();
    for line in [&["inspect"][..], &["confine", "--ttl", "1h"], &["verify", "--secret", "example"]] {
        let run = |name: &str| {
            let mut command = command(line.iter().chain(&["--json", name]));
            finish(command.current_dir(dir.path()).spawn().unwrap())
        };
        let hinted = run("token");
        assert_eq!(hinted.error(3), "malformed");
        let hint = hinted.json()["error"]["hint"].clone();
        assert!(hint.as_str().unwrap().ends_with("`< token`"), "{hint}");
        assert!(hinted.err.contains(hint.as_str().unwrap()) && !hinted.err.contains("base64"), "{hinted:?}");
        let other = run("tokem");
        assert!(other.error(3) == "malformed" && !other.out.contains("file"), "{other:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_a_shell_names_is_a_file_too() {
    let dir = tempfile::tempdir().unwrap();
    assert!(std::process::Command::new("mkfifo").arg(dir.path().join("63")).status().unwrap().success());
    let mut command = command(["inspect", "63"]);
    let hinted = finish(command.current_dir(dir.path()).spawn().unwrap());
    assert!(hinted.code == 3 && hinted.err.contains("`< 63`"), "{hinted:?}");
}

#[test]
fn nothing_is_shown_of_what_cannot_be_read_at_all() {
    for input in ["", "\n"] {
        let empty = piped(input, ["inspect"]);
        assert_eq!((empty.code, empty.out.as_str()), (3, ""), "{empty:?}");
        assert!(empty.err.contains("the token is empty"), "{empty:?}");
    }
}

#[test]
fn a_legacy_token_says_what_it_is_for() {
    for (caveat, words) in [
        ("tokenType = space_support_token", "\ntype        legacy space-support token\n"),
        ("tokenType = group_invite_user_token", "\ntype        legacy userJoinGroup token\n"),
    ] {
        let people = onetoken(["inspect", &raw(&["time < 100", caveat])]).done().out;
        assert!(people.contains(words), "{people}");
    }
    assert!(!onetoken(["inspect", &raw(&[])]).done().out.contains("\ntype "));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let token = raw(&[]);
    for args in [&["inspect", &token][..], &["inspect", "--json", &token], &["man"], &["completions", "zsh"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let outcome = finish(command(args).stdout(full).spawn().unwrap());
        assert_eq!(outcome.code, 4, "{outcome:?}");
        assert!(outcome.err.contains("standard output"), "{outcome:?}");
    }
}
