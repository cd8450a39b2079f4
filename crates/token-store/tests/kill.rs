//! A process that mints and spends is killed again and again, or its disk fails. No acknowledged write is lost.
//!
//! This binary is its own victim: called with an engine and a directory, it writes until it is killed, and prints a
//! line for each answer of the store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test: a panic is how it fails"
)]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use token_core::{RootKey, UnixTime};
use token_store::{
    ClaimId, Entity, Insert, KeyRing, Record, RedbStore, SledStore, Spend, StoreError, Terms, TokenId,
    TokenStore,
};

const KILLS: u64 = 20;
const THREADS: u64 = 2;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["victim", engine, dir, round] => victim(engine, Path::new(dir), round.parse().unwrap()),
        ["--list", ..] => {}
        ["limited", engine, dir] => limited(engine, Path::new(dir)),
        _ => ["redb", "sled"].into_iter().for_each(|engine| {
            kill(engine);
            fail(engine);
        }),
    }
}

fn open(engine: &str, dir: &Path) -> Box<dyn TokenStore> {
    let path = dir.join("store");
    match engine {
        "redb" => Box::new(RedbStore::open_or_create(path).unwrap()),
        _ => Box::new(SledStore::open_or_create(path).unwrap()),
    }
}

fn keys(dir: &Path) -> PathBuf {
    dir.join("keys")
}

fn claim() -> ClaimId {
    ClaimId::new(*b"claim").unwrap()
}

fn root_key(id: &str) -> RootKey {
    RootKey::derive_any(id.as_bytes())
}

fn victim(engine: &str, dir: &Path, round: u64) {
    let (store, keys) = (open(engine, dir), KeyRing::load(keys(dir)).unwrap());
    let tell = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    tell("opened\n".into());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, keys) = (&store, &keys);
            scope.spawn(move || {
                for number in 0.. {
                    let text = format!("{round}.{thread}.{number}");
                    let id = TokenId::new(text.as_bytes()).unwrap();
                    assert_eq!(store.insert(&record(keys, &id, &text)).unwrap(), Insert::Inserted);
                    tell(format!("minted {text}\n"));
                    if number % 2 == 0 {
                        tell(format!("spending {text}\n"));
                        let first = store.spend(&id, &claim()).unwrap();
                        assert!(matches!(first, Spend::Spent { uses_left: Some(0), repeated: false, .. }));
                        tell(format!("spent {text}\n"));
                    }
                }
            });
        }
    });
}

fn record(keys: &KeyRing, id: &TokenId, text: &str) -> Record {
    let terms = Terms {
        id,
        purpose: token_core::Purpose::SpaceSupport,
        resource: None,
        issuer: &Entity { kind: "user".into(), id: "u1".into() },
        created: UnixTime::from_secs(1_500_000_000),
        expires: None,
        use_limit: std::num::NonZeroU64::new(1),
    };
    Record::new(terms, &root_key(text), keys).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Minted,
    Spending,
    Spent,
}

fn kill(engine: &str) {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(keys(dir.path())).unwrap();
    let mut known = BTreeMap::new();
    for round in 0..KILLS {
        let before = known.len();
        run_and_kill(engine, dir.path(), round, &mut known);
        check(&*open(engine, dir.path()), &keys, &known);
        assert!(known.len() >= before);
    }
    let spent = known.values().filter(|known| **known == Known::Spent).count();
    assert!(spent > 0, "{engine}: the victims did something before they died");
    println!("{engine}: {KILLS} kills, {} minted, {spent} spent: none lost, none revived", known.len());
}

fn run_and_kill(engine: &str, dir: &Path, round: u64, known: &mut BTreeMap<String, Known>) {
    let mut victim: Child = Command::new(env::current_exe().unwrap())
        .args(["victim", engine])
        .arg(dir)
        .arg(round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let (opened, is_open) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut lines = Vec::new();
        for line in output.lines().map_while(Result::ok) {
            if line == "opened" {
                opened.send(()).unwrap();
            }
            lines.push(line);
        }
        lines
    });
    is_open.recv_timeout(Duration::from_secs(30)).expect("the store opens after every kill");
    // The time itself is tested here: no event says that a process is in the middle of a write.
    thread::sleep(Duration::from_millis(round * 7919 % 150));
    victim.kill().unwrap();
    victim.wait().unwrap();
    for line in reader.join().unwrap() {
        match line.split_once(' ') {
            Some(("minted", id)) => drop(known.insert(id.into(), Known::Minted)),
            Some(("spending", id)) => drop(known.insert(id.into(), Known::Spending)),
            Some(("spent", id)) => drop(known.insert(id.into(), Known::Spent)),
            _ => assert_eq!(line, "opened"),
        }
    }
}

fn check(store: &dyn TokenStore, keys: &KeyRing, known: &BTreeMap<String, Known>) {
    for (text, known) in known {
        let id = TokenId::new(text.as_bytes()).unwrap();
        let record = store.get(&id).unwrap().unwrap_or_else(|| panic!("{text} was minted and is lost"));
        let opened = keys.open(&record.root_key, record.owner()).unwrap();
        assert_eq!(opened.expose(), root_key(text).expose());
        match (known, record.uses) {
            (Known::Minted, 0) | (Known::Spending, 0 | 1) => {}
            (Known::Spent, 1) => {
                let again = store.spend(&id, &claim()).unwrap();
                assert!(matches!(again, Spend::Spent { uses_left: Some(0), repeated: true, .. }), "{text}");
                assert_eq!(
                    store.spend(&id, &ClaimId::new(*b"other").unwrap()).unwrap(),
                    Spend::Exhausted,
                    "{text}"
                );
            }
            (known, uses) => panic!("{text} is {known:?} and has {uses} uses"),
        }
    }
}

/// Writes until the store fails, and then makes further calls.
fn limited(engine: &str, dir: &Path) {
    let (store, keys) = (open(engine, dir), KeyRing::load(keys(dir)).unwrap());
    let tell = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    for number in 0.. {
        let text = format!("{number}");
        let id = TokenId::new(text.as_bytes()).unwrap();
        let record = Record { name: Some("large".repeat(4000)), ..record(&keys, &id, &text) };
        let Err(error) = store.insert(&record).and_then(|_| store.spend(&id, &claim())) else {
            tell(format!("spent {text}\n"));
            continue;
        };
        tell(format!("failed {}\n", kind(&error)));
        tell(format!("failed {}\n", store.insert(&record).map_or_else(|error| kind(&error), |_| "not")));
        tell(format!("failed {}\n", store.get(&id).map_or_else(|error| kind(&error), |_| "not")));
        return;
    }
}

fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unknown(_) => "unknown",
        StoreError::Poisoned => "poisoned",
        StoreError::Full => "full",
        StoreError::Io(_) => "io",
        other => panic!("{other:?}"),
    }
}

/// Makes the system refuse, in the middle of the work, every write past the 4th MiB of a file.
#[cfg(unix)]
fn fail(engine: &str) {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(keys(dir.path())).unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args(["limited", engine])
        .arg(dir.path())
        .output()
        .unwrap();
    let (mut known, mut failed) = (BTreeMap::new(), Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match line.split_once(' ') {
            Some(("spent", id)) => drop(known.insert(id.into(), Known::Spent)),
            Some(("failed", kind)) => failed.push(kind.to_owned()),
            _ => panic!("{line}"),
        }
    }
    let first = failed.remove(0);
    match first.as_str() {
        "unknown" => {
            assert_eq!(failed, ["poisoned", "poisoned"], "{engine}: neither written nor read after that")
        }
        "io" => {}
        other => panic!("{engine}: {other}"),
    }
    check(&*open(engine, dir.path()), &keys, &known);
    println!("{engine}: failed ({first}) after {} were spent: none lost, none revived", known.len());
}

#[cfg(not(unix))]
fn fail(_engine: &str) {}
