//! The output on a terminal, which `script` of util-linux simulates.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::run::{Home, PROGRAM, finish, raw};

/// Runs the program on a terminal of this many columns.
fn on_terminal(home: &Home, columns: u32, args: &str) -> Command {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("stty cols {columns} rows 24; exec {PROGRAM} {args}"), "/dev/null"]);
    command.env("ONETOKEN_HOME", home.path()).env("NO_COLOR", "1").env_remove("ONETOKEN_KEYS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn seen(home: &Home, columns: u32, args: &str) -> String {
    let child = on_terminal(home, columns, args).spawn();
    // These tests need `script` of util-linux.
    finish(child.unwrap()).done().out.replace("\r\n", "\n")
}

#[test]
fn a_listing_fits_the_terminal() {
    let home = Home::over("redb");
    let space = "9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc";
    home.run(["mint", "space-support", space, "--name", "for the new provider in the cellar"]).done();
    home.run(["mint", "invite", "groupJoinAtmInventory", space, "--uses", "unlimited"]).done();
    let whole = home.run(["list"]).done().out;
    assert!(whole.contains(space) && whole.contains("for the new provider in the cellar"), "{whole}");
    for columns in [80, 100] {
        let fitted = seen(&home, columns, "list");
        assert_eq!(fitted.lines().count(), 3, "{fitted}");
        assert!(fitted.lines().all(|line| line.chars().count() <= columns as usize), "{fitted}");
        assert!(
            fitted.contains("…") && fitted.contains("for t") && fitted.contains("expires in 7 days"),
            "{fitted}"
        );
    }
    assert_eq!(seen(&home, 300, "list"), whole);
}

#[test]
fn minting_tells_a_person_what_was_minted() {
    let home = Home::over("redb");
    let told = seen(&home, 80, "mint space-support s1 --uses 3");
    let [token, id, uses, expires] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    assert_eq!(home.run(["verify", token]).code, 0);
    let record = &home.run(["list", "--json"]).json()["tokens"][0];
    assert_eq!(id.strip_prefix("id          "), record["id"].as_str());
    assert_eq!(uses, "uses        3");
    assert!(expires.starts_with("expires     2") && expires.ends_with("(expires in 7 days)"), "{expires}");
    assert_eq!(seen(&home, 80, "mint space-support s1 --json").lines().count(), 1, "the document has it all");
}

#[test]
fn a_terminal_shows_signs_if_it_can() {
    let home = Home::over("redb");
    let token = raw(&["asn = 1", "asn = 1|2"]);
    let marks = |locale: [(&str, &str); 3]| {
        let args = format!("verify {token} --secret example --asn 2 --explain");
        let child = on_terminal(&home, 80, &args).envs(locale).spawn().unwrap();
        let outcome = finish(child);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        let marks =
            outcome.out.lines().filter(|line| line.contains("asn = 1  ") || line.contains("asn = 1|2"));
        let marks: Vec<String> =
            marks.take(2).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
        marks.join(" ")
    };
    assert_eq!(marks([("LC_ALL", ""), ("LC_CTYPE", ""), ("LANG", "C.UTF-8")]), "✗ ✓");
    assert_eq!(marks([("LC_ALL", "C.utf8"), ("LC_CTYPE", "C"), ("LANG", "C")]), "✗ ✓");
    assert_eq!(marks([("LC_ALL", "C"), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C.UTF-8")]), "no yes");
    assert_eq!(marks([("LC_ALL", ""), ("LC_CTYPE", ""), ("LANG", "")]), "no yes");
}

#[test]
fn waiting_for_a_store_is_told_to_a_person() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    let holder = home.open("redb", "store");
    let mut child = on_terminal(&home, 80, &format!("verify {token}")).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut told = Vec::new();
    // The progress is rewritten on one line.
    while !String::from_utf8_lossy(&told).contains("another process has the store open") {
        assert_ne!(output.read_until(b'K', &mut told).unwrap(), 0, "{}", String::from_utf8_lossy(&told));
    }
    drop(holder);
    let rest: Vec<String> = output.lines().map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.ends_with("valid")), "{rest:?}");
    assert!(child.wait().unwrap().success());
}
