//! Many processes, and processes that are killed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    thread,
    time::Duration,
};

use crate::run::{ENGINES, Home, finish};

#[test]
fn of_64_that_spend_at_once_one_wins() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let token = home.run(["mint", "space-support", "s1"]).token();
        let args = ["consume", &token, "--expect", "space-support", "--consumer", "prv-p1", "--json"];
        let racing: Vec<_> = (0..64).map(|_| home.command(args).spawn().unwrap()).collect();
        let outcomes: Vec<_> = racing.into_iter().map(finish).collect();
        let winners = outcomes.iter().filter(|outcome| outcome.code == 0).count();
        assert_eq!(winners, 1, "{engine}");
        for loser in outcomes.iter().filter(|outcome| outcome.code != 0) {
            assert_eq!(loser.error(1), "exhausted", "{engine}");
        }
    }
}

/// As when several scripts start for the first time at once.
#[test]
fn many_first_mints_make_one_home() {
    let dir = tempfile::tempdir().unwrap();
    let begin = || {
        let mut command = crate::run::command(["mint", "space-support", "s1", "--json"]);
        command.env("XDG_DATA_HOME", dir.path()).spawn().unwrap()
    };
    let racing: Vec<_> = (0..16).map(|_| begin()).collect();
    for outcome in racing.into_iter().map(finish) {
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    let mut list = crate::run::command(["list", "--lines"]);
    let listed = finish(list.env("XDG_DATA_HOME", dir.path()).spawn().unwrap()).done();
    assert_eq!(listed.lines().len(), 16);
}

#[test]
fn a_store_that_stays_locked_is_waited_for_and_then_given_up() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let token = home.run(["mint", "space-support", "s1"]).token();
        let holder = home.open(engine, "store");
        let refused = home.consume(&token, &["--wait", "0s"]);
        assert_eq!(refused.error(4), "store", "{engine}");
        assert_eq!(refused.json()["error"]["retry"], "safe", "{engine}");
        let waiting = ["consume", &token, "--expect", "space-support", "--consumer", "prv-p1"];
        let waiting = home.command(waiting).spawn().unwrap();
        drop(holder);
        assert_eq!(finish(waiting).code, 0, "{engine}");
    }
}

/// A slow writer of lines keeps no other process from the store in between.
#[test]
fn lines_leave_the_store_to_others() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let token = home.run(["mint", "space-support", "s1"]).token();
        let mut verifier = home.command(["verify", "--lines"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = verifier.stdin.take().unwrap();
        let mut answers = BufReader::new(verifier.stdout.take().unwrap()).lines();
        let mut answer = |token: &str| {
            writeln!(stdin, "{token}").unwrap();
            answers.next().unwrap().unwrap()
        };
        let first = answer(&token);
        assert!(first.contains("\"valid\":true"), "{engine}: {first}");
        assert_eq!(home.consume(&token, &["--wait", "0s"]).code, 0, "{engine}");
        let second = answer(&token);
        assert!(second.contains("exhausted"), "{engine}: {second}");
        drop(stdin);
        assert_eq!(verifier.wait().unwrap().code(), Some(1));
    }
}

/// Killed at the first byte of the answer: an acknowledged write is on disk.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    for engine in ENGINES {
        let home = Home::over(engine);
        for _ in 0..8 {
            let token = home.run(["mint", "space-support", "s1"]).token();
            let args = ["consume", &token, "--expect", "space-support", "--consumer", "prv-p1", "--json"];
            let mut spender = home.command(args).spawn().unwrap();
            let mut answer = String::new();
            BufReader::new(spender.stdout.take().unwrap()).read_line(&mut answer).unwrap();
            spender.kill().unwrap();
            spender.wait().unwrap();
            assert!(answer.contains("\"consumed\":true"), "{engine}: {answer}");
            assert_eq!(home.consume(&token, &[]).error(1), "exhausted", "{engine}");
        }
    }
}

/// Killed at any time, before or after the answer: a retry under the same claim gets the outcome, and nobody gets a
/// second use.
#[test]
fn a_spend_that_was_killed_is_finished_by_its_claim_alone() {
    for engine in ENGINES {
        let home = Home::over(engine);
        for round in 0..12 {
            let token = home.run(["mint", "space-support", "s1"]).token();
            let args =
                ["consume", &token, "--expect", "space-support", "--consumer", "prv-p1", "--claim", "mine"];
            let mut spender = home.command(args).spawn().unwrap();
            // Each kill hits another moment of the run.
            thread::sleep(Duration::from_millis(3 * round));
            spender.kill().unwrap();
            spender.wait().unwrap();
            assert_eq!(home.consume(&token, &["--claim", "mine"]).done().json()["usesLeft"], 0, "{engine}");
            assert_eq!(home.consume(&token, &["--claim", "yours"]).error(1), "exhausted", "{engine}");
        }
    }
}
