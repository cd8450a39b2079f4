//! Tests what the harness rests on: a line is printed only after its fact, and `check` finds every fact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: a panic is how it fails"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

const ENGINES: [&str; 3] = ["redb", "sled", "sled-unguarded"];
const KILLS: usize = 4;

fn soak(engine: &str, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-soak"));
    let store = format!("{engine}:{}", dir.join("store").display());
    command.args(arguments).args(["--store", &store]).stdin(Stdio::null());
    command
}

fn output(engine: &str, dir: &Path, arguments: &[&str]) -> Output {
    soak(engine, dir, arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// The last line about each token: `M`, `B` or `C`.
fn note(known: &mut BTreeMap<String, char>, lines: &[String]) {
    for line in lines {
        let (what, id) = line.split_once(' ').unwrap();
        known.insert(id.to_owned(), what.parse().unwrap());
    }
}

fn check(engine: &str, dir: &Path, known: &BTreeMap<String, char>) {
    let check = output(engine, dir, &["check"]);
    assert_eq!(check.status.code(), Some(0), "{engine}: {check:?}");
    let left: Vec<String> = lines(&check);
    for (id, last) in known {
        let there = left.contains(&format!("K {id} true"));
        match last {
            'M' => assert!(there, "{engine}: {id} was minted and is lost"),
            'C' => assert!(!there, "{engine}: {id} was spent and can be spent"),
            _ => {}
        }
    }
    assert!(left.iter().all(|line| line.ends_with(" true")), "{engine}");
}

#[test]
fn what_was_told_before_a_kill_is_so() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let mut known = BTreeMap::new();
        for kill in 1..=KILLS {
            let mut victim = soak(engine, dir.path(), &["run", "--threads", "4", "--seed", "7"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut told = BufReader::new(victim.stdout.take().unwrap()).lines();
            assert_eq!(told.next().unwrap().unwrap(), "OPEN");
            // It is killed in the middle of its work, while the pipe may hold unread lines.
            let mut read: Vec<String> = told.by_ref().take(40 * kill).map(Result::unwrap).collect();
            victim.kill().unwrap();
            victim.wait().unwrap();
            read.extend(told.map(Result::unwrap));
            note(&mut known, &read);
            check(engine, dir.path(), &known);
        }
        for what in ['M', 'C'] {
            assert!(known.values().any(|last| *last == what), "{engine}: {what}");
        }
    }
}

#[test]
fn a_bounded_run_does_as_much_as_it_was_asked_to() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let run = output(engine, dir.path(), &["run", "--threads", "3", "--count", "50", "--seed", "1"]);
        assert!(run.status.success(), "{engine}: {run:?}");
        let told = lines(&run);
        let count = |what: &str| told.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!((count("OPEN"), count("M ") + count("C ")), (1, 50), "{engine}");
        assert_eq!(count("B "), count("C "), "{engine}");
        let left = lines(&output(engine, dir.path(), &["check"]));
        assert_eq!(left.len(), count("M ") - count("C "), "{engine}");
    }
}

#[test]
fn other_keys_open_no_seal() {
    let dir = tempfile::tempdir().unwrap();
    assert!(output("redb", dir.path(), &["run", "--count", "5", "--seed", "1"]).status.success());
    fs::remove_file(dir.path().join("store.keys")).unwrap();
    let check = output("redb", dir.path(), &["check"]);
    assert!(check.status.success());
    assert!(!check.stdout.is_empty());
    assert!(lines(&check).iter().all(|line| line.starts_with("K ") && line.ends_with(" false")));
}

#[test]
fn what_does_not_open_says_why() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store"), "something else").unwrap();
    for engine in ["redb", "sled"] {
        for command in ["check", "run"] {
            let output = output(engine, dir.path(), &[command]);
            assert_eq!(output.status.code(), Some(3), "{engine} {command}");
            assert_eq!(lines(&output), ["ERR not-a-store"], "{engine} {command}");
        }
    }
}

#[test]
fn races_and_histories_and_churn() {
    for engine in ["redb", "sled"] {
        let dir = tempfile::tempdir().unwrap();
        let race = output(engine, dir.path(), &["race", "--threads", "8", "--count", "12"]);
        assert_eq!((race.status.code(), lines(&race)), (Some(0), vec!["RACE 12 0".to_owned()]), "{engine}");
        let model = output(engine, dir.path(), &["model", "--count", "40", "--seed", "1"]);
        assert_eq!(
            (model.status.code(), lines(&model)),
            (Some(0), vec!["MODEL 40 0".to_owned()]),
            "{engine}"
        );
        let churn = output(engine, dir.path(), &["churn", "--count", "60"]);
        assert_eq!(
            (churn.status.code(), lines(&churn)),
            (Some(0), vec!["S 0".into(), "S 60".into()]),
            "{engine}"
        );
    }
}

#[test]
fn a_killed_rekeying_is_gone_on_with() {
    for engine in ["redb", "sled"] {
        let dir = tempfile::tempdir().unwrap();
        assert!(output(engine, dir.path(), &["run", "--threads", "8", "--count", "1200"]).status.success());
        let before = lines(&output(engine, dir.path(), &["check"]));
        let mut victim =
            soak(engine, dir.path(), &["rekey", "--rotate"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert_eq!(told.next().unwrap().unwrap(), "OPEN");
        told.next().unwrap().unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert_eq!(lines(&output(engine, dir.path(), &["check"])), before, "{engine}");
        assert!(output(engine, dir.path(), &["rekey", "--remove-old"]).status.success(), "{engine}");
        assert_eq!(lines(&output(engine, dir.path(), &["check"])), before, "{engine}");
        let audit = output(engine, dir.path(), &["audit"]);
        assert!(audit.status.success(), "{engine}: {audit:?}");
        assert!(lines(&audit)[0].ends_with(" 0"), "{engine}: {audit:?}");
    }
}
