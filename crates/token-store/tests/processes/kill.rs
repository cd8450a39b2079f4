//! A process that mints and spends is killed again and again, or its disk fails. No acknowledged write is lost.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use token_store::{Insert, KeyRing, Record, Spend, StoreError, Terms, TokenStore};
use token_test::{
    records::{USE, claim, id, record, root_key, terms},
    stores::{Backend, EMBEDDED, Store, named},
};

use crate::tell;

const KILLS: u64 = 20;
const THREADS: u64 = 2;

pub(crate) fn run() {
    for backend in EMBEDDED {
        kill(backend);
        fail(backend);
    }
}

pub(crate) fn child(arguments: &[&str]) {
    match *arguments {
        ["writes", engine, dir, round] => victim(named(engine), dir.as_ref(), round),
        ["fails", engine, dir] => limited(named(engine), dir.as_ref()),
        _ => panic!("{arguments:?}"),
    }
}

fn open(backend: Backend, dir: &Path) -> Store {
    (backend.open_or_create)(&dir.join("store")).unwrap()
}

fn keys(dir: &Path) -> PathBuf {
    dir.join("keys")
}

fn victim(backend: Backend, dir: &Path, round: &str) {
    let (store, keys) = (open(backend, dir), KeyRing::load(keys(dir)).unwrap());
    tell("opened");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, keys) = (&store, &keys);
            scope.spawn(move || {
                for number in 0.. {
                    let text = format!("{round}.{thread}.{number}");
                    let id = id(&text);
                    assert_eq!(store.insert(&record(keys, terms(&id))).unwrap(), Insert::Inserted);
                    tell(&format!("minted {text}"));
                    if number % 2 == 0 {
                        tell(&format!("spending {text}"));
                        let first = store.spend(&id, &claim("claim"), &USE).unwrap();
                        assert!(matches!(first, Spend::Spent { uses_left: Some(0), repeated: false, .. }));
                        tell(&format!("spent {text}"));
                    }
                }
            });
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Minted,
    Spending,
    Spent,
}

fn kill(backend: Backend) {
    let engine = backend.name;
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(keys(dir.path())).unwrap();
    let mut known = BTreeMap::new();
    for round in 0..KILLS {
        let before = known.len();
        run_and_kill(backend, dir.path(), round, &mut known);
        check(&*open(backend, dir.path()), &keys, &known);
        assert!(known.len() >= before);
    }
    let spent = known.values().filter(|known| **known == Known::Spent).count();
    assert!(spent > 0, "{engine}: the victims did something before they died");
    println!("{engine}: {KILLS} kills, {} minted, {spent} spent: none lost, none revived", known.len());
}

fn run_and_kill(backend: Backend, dir: &Path, round: u64, known: &mut BTreeMap<String, Known>) {
    let mut victim: Child = Command::new(env::current_exe().unwrap())
        .args(["killed", "writes", backend.name])
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
        let id = id(text);
        let record = store.get(&id).unwrap().unwrap_or_else(|| panic!("{text} was minted and is lost"));
        let opened = keys.open(&record.root_key, record.owner()).unwrap();
        assert_eq!(opened.expose(), root_key(&id).expose());
        match (known, record.uses) {
            (Known::Minted, 0) | (Known::Spending, 0 | 1) => {}
            (Known::Spent, 1) => {
                let again = store.spend(&id, &claim("claim"), &USE).unwrap();
                assert!(matches!(again, Spend::Spent { uses_left: Some(0), repeated: true, .. }), "{text}");
                assert_eq!(store.spend(&id, &claim("other"), &USE).unwrap(), Spend::Exhausted, "{text}");
            }
            (known, uses) => panic!("{text} is {known:?} and has {uses} uses"),
        }
    }
}

/// Writes until the store fails, and then makes further calls.
fn limited(backend: Backend, dir: &Path) {
    let (store, keys) = (open(backend, dir), KeyRing::load(keys(dir)).unwrap());
    for number in 0.. {
        let text = format!("{number}");
        let id = id(&text);
        let large = Terms { body: &[7; Record::MAX_BODY_LEN], ..terms(&id) };
        let record = Record { metadata: vec![7; Record::MAX_METADATA_LEN], ..record(&keys, large) };
        let Err(error) = store.insert(&record).and_then(|_| store.spend(&id, &claim("claim"), &USE)) else {
            tell(&format!("spent {text}"));
            continue;
        };
        tell(&format!("failed {}", kind(&error)));
        tell(&format!("failed {}", store.insert(&record).map_or_else(|error| kind(&error), |_| "not")));
        tell(&format!("failed {}", store.get(&id).map_or_else(|error| kind(&error), |_| "not")));
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
fn fail(backend: Backend) {
    let engine = backend.name;
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::create(keys(dir.path())).unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args(["killed", "fails", backend.name])
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
    check(&*open(backend, dir.path()), &keys, &known);
    println!("{engine}: failed ({first}) after {} were spent: none lost, none revived", known.len());
}
