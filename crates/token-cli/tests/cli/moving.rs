//! Exports, imports, and the drills of `docs/OPERATION.md`.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use token_store::Filter;

use crate::run::{ENGINES, Home, Outcome, PROGRAM, feed, finish};

impl Home {
    fn export(&self, file: &str) -> Outcome {
        self.run(["export".as_ref(), self.path().join(file).as_os_str(), "--json".as_ref()])
    }

    fn import(&self, file: &str, more: &[&str]) -> Outcome {
        let file = self.path().join(file);
        self.run(["import", file.to_str().unwrap(), "--json"].iter().chain(more))
    }

    fn url(&self, engine: &str, name: &str) -> String {
        format!("{engine}:{}", self.path().join(name).display())
    }
}

#[test]
fn everything_moves_from_any_store_to_any_other() {
    for (from, to) in ENGINES.iter().flat_map(|from| ENGINES.iter().map(move |to| (from, to))) {
        let home = Home::over(from);
        let mint = |more: &[&str]| home.run(["mint"].iter().chain(more)).token();
        let (fresh, spent, revoked, temporary) = (
            mint(&["space-support", "s1"]),
            mint(&["space-support", "s1"]),
            mint(&["space-support", "s1"]),
            mint(&["access", "--subject", "usr-u1", "--temporary"]),
        );
        home.consume(&spent, &["--claim", "a"]).done();
        home.run(["revoke", &revoked]).done();

        let export = home.run(["export", "-"]).done();
        let url = home.url(to, "moved");
        let import = ["import", "-", "--json", "--store", &url];
        let told = feed(&mut home.command(import), export.out.as_str()).done();
        let counted = told.json();
        assert_eq!(
            (&counted["tokens"], &counted["kept"], &counted["unopened"]),
            (&json!(3), &json!(4), &json!(0))
        );
        let checksum = counted["sha256"].as_str().unwrap();
        assert!(checksum.len() == 64 && export.err.contains(checksum), "{export:?}");

        let verify = |token: &str| home.run(["verify", token, "--json", "--store", &url]);
        assert_eq!((verify(&fresh).code, verify(&temporary).code), (0, 0), "{from} to {to}");
        assert_eq!(verify(&spent).error(1), "exhausted");
        assert_eq!(verify(&revoked).error(1), "revoked");
        assert_eq!(
            home.consume(&spent, &["--claim", "a", "--store", &url]).code,
            0,
            "the claim moved as well"
        );
        assert_eq!(home.consume(&spent, &["--claim", "b", "--store", &url]).error(1), "exhausted");
        assert_eq!(home.run(["check", "--store", &url]).code, 0);
        let again = feed(&mut home.command(import), export.out.as_str()).done().json();
        assert_eq!(again["kept"], 0, "nothing is overwritten");
    }
}

/// The reader of an export learns no root key, in any spelling, and can present no token.
#[test]
fn no_secret_is_in_an_export() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    home.export("export").done();
    let text = fs::read_to_string(home.path().join("export")).unwrap().to_lowercase();
    let record = home.open("redb", "store").list(&Filter::All, None, 1).unwrap().records.pop().unwrap();
    let key = home.keys().open(&record.root_key, record.owner()).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(text.contains(&hex(record.id.as_bytes())), "the search finds what is there");
    let numbers = key.expose().iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let base64 = token_test::text::base64url(key.expose()).to_lowercase();
    let read = crate::run::onetoken(["inspect", "--json", "--show-signature", &token]).json();
    let signature = read["signature"].as_str().unwrap();
    for secret in [&hex(key.expose()), &numbers, &base64, &token.to_lowercase(), signature] {
        assert!(!text.contains(secret));
    }
    for line in home.keys().to_text().lines().skip(1) {
        assert!(!text.contains(line.split(':').nth(1).unwrap()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(home.path().join("export").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// An export does not overwrite or resume an older file, nor follow an attacker's link.
#[test]
fn an_export_writes_to_no_file_that_is_there() {
    let home = Home::over("redb");
    home.fill("redb", 600);
    let summary = home.export("export").done().json();
    assert_eq!((&summary["tokens"], &summary["damaged"]), (&json!(600), &json!(0)));
    let file = home.path().join("export");
    let whole = fs::read(&file).unwrap();
    let left_alone = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        assert_eq!(home.export("export").error(4), "export");
        assert!(fs::read(&file).unwrap() == content);
    };
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [0, 10, header, 50_000, whole.len() - 1, whole.len()] {
        left_alone(&whole[..cut]);
    }
    left_alone(b"a letter\n");
    #[cfg(unix)]
    {
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(home.path().join("elsewhere"), &file).unwrap();
        assert_eq!(home.export("export").error(4), "export");
        assert!(!home.path().join("elsewhere").exists());
    }
    let drafts = fs::read_dir(home.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".new"));
    assert_eq!(drafts.count(), 0);
    assert_eq!(home.run(["export", "/nonexistent/export", "--json"]).error(4), "file");
    assert_eq!(home.run(["export", "-", "--json"]).error(2), "usage");
}

#[test]
fn what_is_not_whole_is_refused_with_its_line() {
    let home = Home::over("redb");
    home.fill("redb", 600);
    home.export("export").done();
    let whole = fs::read_to_string(home.path().join("export")).unwrap();
    let other = Home::over("redb");
    let refused = |text: &str| {
        fs::write(other.path().join("export"), text).unwrap();
        let outcome = other.import("export", &[]);
        assert_eq!(outcome.error(4), "export");
        assert_eq!(other.run(["counts", "--json"]).json()["records"], 0, "nothing of it is kept");
        outcome.json()["error"]["line"].clone()
    };
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(refused(&lines[..300].concat()), 300, "cut between two lines");
    assert_eq!(refused(&whole[..whole.len() - 1]), lines.len() - 1, "and within the last");
    let altered = |line: usize, from: &str, to: &str| {
        let mut lines: Vec<String> = lines.iter().copied().map(str::to_owned).collect();
        assert!(lines[line - 1].contains(from), "{}", lines[line - 1]);
        lines[line - 1] = lines[line - 1].replacen(from, to, 1);
        lines.concat()
    };
    assert_eq!(refused(&altered(17, "\"uses\"", "\"use\"")), 17);
    assert_eq!(refused(&altered(17, "{\"token\"", "{\"tocken\"")), 17);
    // A sound line in place of another: only the checksum of the whole shows it.
    assert_eq!(refused(&altered(17, "\"uses\":0", "\"uses\":1")), Value::Null);
    assert_eq!(refused(&[&lines[..16].concat(), lines[17..].concat().as_str()].concat()), Value::Null);
    assert_eq!(refused("a letter\n"), Value::Null);
    let url = other.url("redb", "unmade");
    assert_eq!(other.import("export", &["--store", &url]).error(4), "export");
    assert!(!other.path().join("unmade").exists(), "not even an empty store");
    assert_eq!(refused(""), 0);
    let piped = feed(&mut other.command(["import", "-", "--json"]), lines[..300].concat());
    assert_eq!((piped.error(4).as_str(), &piped.json()["error"]["line"]), ("export", &json!(300)));
    assert_eq!(other.run(["import", "/nonexistent/export", "--json"]).error(4), "file");
}

#[test]
fn an_import_that_is_killed_goes_on() {
    for engine in ENGINES {
        let home = Home::over("redb");
        home.fill("redb", 2000);
        home.export("export").done();
        let begun = Instant::now();
        home.import("export", &["--store", &home.url(engine, "whole")]).done();
        // Between a time at which nothing is kept yet and one at which everything is.
        let (mut early, mut late) = (Duration::ZERO, begun.elapsed().saturating_mul(2));
        let (mut amid, mut tries) = (0, 0);
        while amid < 3 {
            let url = home.url(engine, &format!("moved-{tries}"));
            let file = home.path().join("export");
            let line = ["import", file.to_str().unwrap(), "--json", "--store", &url];
            let mut child = home.command(line).spawn().unwrap();
            let pause = (early + late) / 2;
            thread::sleep(pause);
            child.kill().unwrap();
            child.wait().unwrap();

            let done = home.run(line).done().json();
            assert_eq!((&done["tokens"], &done["unopened"]), (&json!(2000), &json!(0)), "{engine}");
            assert_eq!(home.run(["counts", "--json", "--store", &url]).json()["records"], 2000);
            assert_eq!(home.run(["check", "--json", "--store", &url]).done().json()["opened"], 2000);
            match done["kept"].as_u64().unwrap() {
                2000 => early = pause,
                0 => late = pause,
                _ => amid += 1,
            }
            if late - early < Duration::from_millis(1) {
                // The load of the machine has changed.
                (early, late) = (early / 2, late * 2);
            }
            tries += 1;
            assert!(tries < 60, "{engine}: it was never amid");
        }
    }
}

#[test]
fn a_backup_revives_what_was_spent_since_but_not_in_a_new_epoch() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let (spent, earlier) = (
            home.run(["mint", "space-support", "s1"]).token(),
            home.run(["mint", "space-support", "s1"]).token(),
        );
        let temporary = home.run(["mint", "access", "--subject", "usr-u1", "--temporary"]).token();
        home.consume(&earlier, &["--claim", "a"]).done();
        home.export("backup").done();
        home.consume(&spent, &[]).done();

        let same = home.url(engine, "same");
        home.import("backup", &["--store", &same]).done();
        assert_eq!(home.consume(&spent, &["--store", &same]).code, 0, "this is what the new epoch is for");

        let new = home.url(engine, "new");
        let told = home.import("backup", &["--store", &new, "--new-epoch"]).done().json();
        assert_eq!((&told["tokens"], &told["generations"], &told["kept"]), (&json!(2), &json!(1), &json!(3)));
        assert_eq!(home.consume(&spent, &["--store", &new]).error(1), "revoked");
        assert_eq!(home.consume(&earlier, &["--claim", "a", "--store", &new]).code, 0);
        assert_eq!(home.run(["verify", &temporary, "--json", "--store", &new]).error(1), "revoked");
        let newer =
            home.run(["mint", "access", "--subject", "usr-u1", "--temporary", "--store", &new]).token();
        assert_eq!(home.run(["verify", &newer, "--store", &new]).code, 0);
        assert_eq!(home.run(["verify", &temporary, "--json", "--store", &new]).error(1), "revoked");
    }
}

#[test]
fn a_new_epoch_voids_what_an_import_without_it_brought_back() {
    let home = Home::over("redb");
    let token = home.run(["mint", "space-support", "s1"]).token();
    let temporary = home.run(["mint", "access", "--subject", "usr-u1", "--temporary"]).token();
    home.export("backup").done();
    home.consume(&token, &[]).done();
    let url = home.url("redb", "new");
    home.import("backup", &["--store", &url]).done();
    let told = home.import("backup", &["--store", &url, "--new-epoch"]).done().json();
    assert_eq!(told["kept"], 2);
    let verify = |token: &str| home.run(["verify", token, "--json", "--store", &url]);
    assert_eq!(verify(&token).error(1), "revoked");
    assert_eq!(verify(&temporary).error(1), "revoked");
}

#[test]
fn an_import_after_a_new_epoch_revives_no_temporary_token() {
    for engine in ENGINES {
        let home = Home::over(engine);
        let temporary = home.run(["mint", "access", "--subject", "usr-u1", "--temporary"]).token();
        home.export("backup").done();
        let url = home.url(engine, "new");
        let import = |more: &[&str]| {
            let told = home.import("backup", &[&["--store", &url], more].concat()).done().json();
            told["kept"].clone()
        };
        assert_eq!((import(&["--new-epoch"]), import(&["--new-epoch"])), (json!(1), json!(0)), "{engine}");
        assert_eq!(import(&[]), 0);
        let verify = |token: &str| home.run(["verify", token, "--json", "--store", &url]);
        assert_eq!(verify(&temporary).error(1), "revoked");
        let newer =
            home.run(["mint", "access", "--subject", "usr-u1", "--temporary", "--store", &url]).token();
        assert_eq!(import(&["--new-epoch"]), 0, "what was minted since is not in the backup");
        assert_eq!((verify(&newer).code, verify(&temporary).error(1)), (0, "revoked".to_owned()));
    }
}

/// A damaged record is left out, and both export and import say so.
#[test]
fn what_is_left_out_is_told_at_both_ends() {
    let home = Home::over("redb");
    home.fill("redb", 2);
    let mut record = home.open("redb", "store").list(&Filter::All, None, 1).unwrap().records.remove(0);
    record.id = token_store::TokenId::new("other").unwrap();
    record.uses = 9;
    let item = token_store::Item::Token { record, claims: Vec::new() };
    assert_eq!(home.open("redb", "store").restore(&[item]).unwrap(), 1);
    let told = home.export("export");
    assert_eq!((told.code, &told.json()["tokens"], &told.json()["damaged"]), (4, &json!(2), &json!(1)));
    let told = home.import("export", &["--store", &home.url("redb", "moved")]);
    assert_eq!((told.code, &told.json()["damaged"], &told.json()["faults"]), (4, &json!(1), &json!(0)));
    // Into a store that is not sound.
    assert_eq!(home.import("export", &[]).json()["faults"], 1 + 1, "its uses, and the seal of another");
}

/// Runs every block of commands in the guide. A line marked as refused must be refused.
#[test]
fn the_guide_works_as_it_stands() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATION.md");
    let guide = fs::read_to_string(guide).unwrap();
    let blocks = guide.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let blocks: Vec<&str> =
        blocks.filter(|block| ENGINES.contains(&"sled") || !block.contains("sled:")).collect();
    let line = |line: &str| match line.split_once("# refused") {
        Some((command, _)) => format!("if {command}; then exit 99; else test $? = 1; fi\n"),
        None => format!("{line}\n"),
    };
    let script: String = blocks.iter().flat_map(|block| block.lines()).map(line).collect();
    assert_eq!(script.matches("exit 99").count(), 2, "{script}");
    let dir = tempfile::tempdir().unwrap();
    let program = Path::new(PROGRAM).parent().unwrap().to_str().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-exc", &script]).current_dir(dir.path()).env_clear().env("HOME", dir.path());
    shell.env("PATH", format!("{program}:/usr/bin:/bin"));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let outcome = finish(shell.spawn().unwrap());
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.out, outcome.err);
}
