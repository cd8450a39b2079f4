//! The command line itself: help, mistakes, completions, manual pages.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::run::{PROGRAM, finish, onetoken, piped, raw};

/// All commands with their subcommands, as their help names them.
fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(path) = left.pop() {
        let listed = help(&path);
        let names = listed
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty());
        for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            left.push([path.clone(), vec![name.to_owned()]].concat());
        }
        found.push(path);
    }
    found
}

fn help(path: &[String]) -> String {
    onetoken(path.iter().map(String::as_str).chain(["--help"])).done().out
}

#[test]
fn every_command_is_there_and_no_other() {
    let mut names: Vec<String> = commands().into_iter().map(|path| path.join(" ")).collect();
    names.sort();
    let expected = [
        "",
        "adopt",
        "amend",
        "bind",
        "check",
        "completions",
        "confine",
        "consume",
        "counts",
        "delete",
        "events",
        "export",
        "import",
        "init",
        "inspect",
        "list",
        "man",
        "mint",
        "mint access",
        "mint group-spaces",
        "mint identity",
        "mint invite",
        "mint raw",
        "mint space-support",
        "purge",
        "reinstate",
        "rekey",
        "revoke",
        "scan",
        "show",
        "verify",
    ];
    assert_eq!(names, expected);
}

/// Runs each example in a new home, as a newcomer would.
#[test]
fn every_help_shows_an_example_that_works() {
    for path in commands() {
        let help = help(&path);
        let (_, example) = help.split_once("\nExample:\n").unwrap_or_else(|| panic!("no example: {path:?}"));
        assert!(example.lines().all(|line| line.starts_with("  ")), "{example}");
        assert!(example.lines().all(|line| line.len() < 80), "a narrow terminal would break it: {example}");
        assert!(example.contains(&["onetoken".to_owned(), path.join(" ")].join(" ").trim_end().to_owned()));
        let home = tempfile::tempdir().unwrap();
        let program = Path::new(PROGRAM).parent().unwrap().to_str().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", example]).current_dir(home.path()).env_clear().env("HOME", home.path());
        shell.env("PATH", format!("{program}:/usr/bin:/bin"));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = finish(shell.spawn().unwrap());
        assert_eq!(outcome.code, 0, "{path:?}: {outcome:?}");
        let left_something = fs::read_dir(home.path()).unwrap().next().is_some();
        assert!(!outcome.out.is_empty() || left_something, "{path:?}: {outcome:?}");
    }
}

#[test]
fn the_help_tells_how_to_keep_a_token_secret() {
    assert!(help(&[]).contains("standard input"));
    for command in ["inspect", "verify", "confine", "bind", "consume"] {
        assert!(help(&[command.to_owned()]).contains("standard input"), "{command}");
    }
    let raw = help(&["mint".to_owned(), "raw".to_owned()]);
    assert!(raw.contains("@PATH") || raw.contains("names a file"), "{raw}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let version = onetoken(["--version"]).done();
    assert_eq!(
        (version.out.as_str(), version.err.as_str()),
        (concat!("onetoken ", env!("CARGO_PKG_VERSION"), "\n"), "")
    );
    assert_eq!(onetoken([""; 0]).code, 2);
    assert_eq!(onetoken(["mint"]).code, 2);
}

#[test]
fn mistakes_end_with_two_and_as_a_document_if_asked() {
    for line in [
        &["frobnicate"][..],
        &["inspect", "--frobnicate"],
        &["inspect", "--at", "noon"],
        &["inspect", "a", "b"],
        &["verify", "--secret", "s", "--ip", "localhost", "t"],
        &["verify", "--secret", "s", "--asn", "-1", "t"],
        &["verify", "--secret", "s", "--country", "Poland", "t"],
        &["verify", "--secret", "s", "--region", "Atlantis", "t"],
        &["verify", "--secret", "s", "--consumer", "nobody", "t"],
        &["verify", "--secret", "s", "--service", "op-1", "t"],
        &["verify", "--secret", "s", "--interface", "telnet", "t"],
        &["verify", "--secret", "s", "--as", "root", "t"],
        &["verify", "--secret", "s", "--expect", "access", "t"],
        &["verify", "--exact", "a", "t"],
        &["verify", "--discharge", "a", "t"],
        &["bind", "t"],
        &["verify", "--expect", "root", "t"],
        &["consume", "t", "--expect", "access"],
        &["consume", "t", "--consumer", "usr-u1"],
        &["consume", "t", "--expect", "access", "--consumer", "usr-u1", "--claim", ""],
        &["mint", "space-support"],
        &["mint", "space-support", "--modren"],
        &["mint", "space-support", "s1", "--uses", "0"],
        &["mint", "invite", "userJoinMoon", "m1"],
        &["mint", "access"],
        &["list", "--resource", "s1"],
        &["list", "--limit", "0"],
        &["list", "--after", "a cursor"],
        &["list", "--expired", "--expires-before", "1"],
        &["revoke", "--resource", "space:s1", "--issuer", "usr-u1"],
        &["revoke", "--before", "1", "id"],
        &["revoke", "--before", "1", "--reversible"],
        &["revoke", "--temporary", "usr-u1", "--reason", "left"],
        &["revoke", "id", "--by", "nobody"],
        &["delete", "id", "--subject", "usr-u1"],
        &["delete", "--subject", "grp-g1"],
        &["amend", "id"],
        &["amend", "id", "--name", ""],
        &["amend", "id", "--name", "a", "--no-name"],
        &["list", "--name", "laptop"],
        &["show", "--name", "laptop"],
        &["show", "--issuer", "usr-u1"],
        &["show", "id", "--issuer", "usr-u1", "--name", "laptop"],
        &["events", "--limit", "1"],
        &["events", "--after", "a cursor"],
        &["adopt"],
        &["purge", "--retention", "30"],
        &["export"],
        &["import"],
        &["--store", "mysql:x", "list"],
        &["completions", "tcl"],
    ] {
        let people = onetoken(line);
        assert_eq!((people.code, people.out.as_str()), (2, ""), "{line:?}");
        assert!(!people.err.is_empty());
        if line[0] != "completions" {
            assert_eq!(onetoken(line.iter().chain(&["--json"])).error(2), "usage", "{line:?}");
        }
    }
}

#[test]
fn a_document_tells_what_is_missing() {
    let missing = onetoken(["mint", "raw", "--json", "--secret", "example", "--location", "l"]);
    assert_eq!(missing.error(2), "usage");
    let message = missing.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("--identifier") && !message.contains("Usage"), "{message}");
    let wrong = onetoken(["inspect", "--json", "--at", "noon"]).json()["error"]["message"].clone();
    assert!(
        wrong.as_str().unwrap().ends_with("such as 2030-01-31T12:00:00Z, 2030-01-31 or Unix seconds"),
        "{wrong}"
    );
}

/// A token in a wrong place is not repeated in a message.
#[test]
fn no_message_repeats_a_token() {
    let token = raw(&[]);
    let secret = "correct-horse-battery-staple";
    let signature = onetoken(["inspect", "--json", "--show-signature", &token]).json();
    let signature = signature["signature"].as_str().unwrap();
    let with_option = format!("--token={token}");
    let at = format!("--at={token}");
    let third_party = format!("l:i:{secret}");
    for line in [
        &[token.as_str()][..],
        &["inspect", &token, &token],
        &["inspect", "a", &token],
        &["inspect", &with_option],
        &["inspect", &at],
        &["inspect", &token[..80]],
        &["inspect", "--json", &token[..80]],
        &["mint", "raw", "--location", "l", "--identifier", "i", secret],
        &["mint", "raw", "--location", "l", "--identifier", "i", "--secret-hex", secret],
        &["mint", "raw", "--location", "l", "--identifier", "i", "--secret", secret, "--raw-key"],
        &["mint", "raw", "--location", "l", "--identifier", "i", "--secret", secret, "--secret-hex", "00"],
        &["mint", "raw", "--location", "l", "--identifier", "i", "--secret", "s", "--third-party", secret],
        &["mint", "raw", "--location", "l", "--identifier", "i", "--third-party", &third_party],
        &["bind", &token, &token[..80]],
        &["bind", &token],
        &["verify", "--discharge", &token, &token],
        &["verify", "--secret", "example", "--discharge", &token, &token],
        &["mint", &token],
        &["verify", "--secret", secret, &token],
        &["verify", "--json", "--secret", secret, &token],
        &["verify", "--expect", &token, &token],
        &["completions", &token],
        &["consume", &token, "--expect", "space-support", "--consumer", "prv-p1"],
        &["revoke", &token],
        &["reinstate", &token],
        &["delete", &token],
        &["amend", &token, "--no-name"],
        &["show", &token],
        &["events", "--after", &token],
        &["--color", &token, "inspect"],
    ] {
        let outcome = onetoken(line);
        assert_ne!(outcome.code, 0, "{line:?}");
        let said = [outcome.out.as_str(), &outcome.err].concat();
        for hidden in [&token[40..], &token[40..70], secret, signature] {
            assert!(!said.contains(hidden), "{line:?}: {outcome:?}");
        }
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = onetoken(["completions", shell]).done().out;
        assert!(script.contains("onetoken") && script.contains("space-support"), "{shell}");
        let has_values = ["bash", "zsh", "fish"].contains(&shell);
        for value in ["group-spaces access identity", "graphsync", "userJoinAtmInventory", "SouthAmerica"] {
            let words: Vec<&str> = value.split(' ').collect();
            assert!(!has_values || words.iter().all(|word| script.contains(word)), "{shell} {value}");
        }
    }
}

#[test]
fn the_manual_is_printed_or_written() {
    let page = onetoken(["man"]).done().out;
    assert!(page.contains(".TH onetoken 1"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("a/man1");
    onetoken(["man".as_ref(), pages.as_os_str()]).done();
    for (name, uses_store) in [
        ("onetoken.1", true),
        ("onetoken-inspect.1", false),
        ("onetoken-mint-space-support.1", true),
        ("onetoken-mint-raw.1", false),
    ] {
        let page = fs::read_to_string(pages.join(name)).unwrap();
        for section in [".TH ", ".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", "NO_COLOR"] {
            assert!(page.contains(section), "{name} {section}");
        }
        // Examples keep their lines.
        let (_, examples) = page.split_once(".SH EXAMPLES\n.nf\n").expect(name);
        let (examples, _) = examples.split_once("\n.fi\n").expect(name);
        assert!(examples.starts_with("onetoken ") && !page.contains(".SH EXTRA"), "{name}: {examples}");
        for of_store in [".SH FILES", "ONETOKEN_HOME", "\\-\\-wait"] {
            assert_eq!(page.contains(of_store), uses_store, "{name} {of_store}");
        }
    }
    assert_eq!(fs::read_dir(&pages).unwrap().count(), commands().len(), "a page for each command");
    fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(onetoken(["man".as_ref(), dir.path().join("file").as_os_str()]).code, 4);
}

#[test]
fn options_of_a_store_are_shown_where_there_is_one() {
    for path in commands() {
        let help = help(&path);
        let last = path.last().map_or("", String::as_str);
        let is_without = ["inspect", "confine", "bind", "raw", "scan", "completions", "man"].contains(&last);
        assert_eq!(help.contains("--home"), !is_without, "{path:?}");
        let store = help.split("\nStore:\n").nth(1).unwrap_or_default();
        let (store, _) = store.split_once("\n\n  ").map_or((store, ""), |parts| parts);
        assert!(!store.contains("--expect"), "{path:?}");
    }
    // Hidden, but accepted: a script may give them everywhere.
    assert_eq!(onetoken(["inspect", "--home", "h", "--wait", "1s", &raw(&[])]).code, 0);
    assert_eq!(onetoken(["--home", "h", "inspect", &raw(&[])]).code, 0);
}

#[test]
fn what_is_on_standard_input_is_left_alone_where_a_token_is_given() {
    let token = raw(&[]);
    assert_eq!(piped("something else", ["inspect", "--json", &token]).code, 0);
}
