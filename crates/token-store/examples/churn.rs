//! Measures the disk space and the memory left after many tokens are minted and spent, with a retention of zero.
//!
//! `cargo run --release -p onetoken-store --all-features --example churn -- redb|sled DIRECTORY [CYCLES]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a measurement"
)]

use std::{
    fs,
    num::NonZeroU64,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use token_core::{RootKey, UnixTime};
use token_store::{
    Administration, ClaimId, Entity, Insert, KeyRing, Record, RedbStore, SledStore, Spend, Terms, TokenId,
};

const CALLERS: u64 = 64;
/// The number of tokens that stay all the time.
const KEPT: u64 = 10_000;
/// The creation time of all tokens.
const CREATED: UnixTime = UnixTime::from_secs(1_500_000_000);
const MIB: u64 = 1024 * 1024;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (engine, dir) = (arguments.next().expect("an engine"), arguments.next().expect("a directory"));
    let cycles: u64 = arguments.next().map_or(1_000_000, |text| text.parse().expect("a number of cycles"));
    let dir = tempfile::tempdir_in(dir).unwrap();
    let path = dir.path().join("store");
    match engine.as_str() {
        "redb" => churn(&path, &|| RedbStore::open_or_create(&path).unwrap(), cycles),
        "sled" => churn(&path, &|| SledStore::open_or_create(&path).unwrap(), cycles),
        other => panic!("no engine {other}"),
    }
}

fn churn<S: Administration>(path: &Path, open: &dyn Fn() -> S, cycles: u64) {
    let keys = KeyRing::generate().unwrap();
    let store = open();
    callers(KEPT, |number| {
        assert_eq!(store.insert(&record(&keys, &format!("kept {number}"))).unwrap(), Insert::Inserted);
    });
    println!("{KEPT} tokens that stay: {} on disk, {} in memory", mib(disk(path)), mib(memory()));

    let (cycled, stop, begun) = (AtomicU64::new(0), AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if store.purge_spent(CREATED, Duration::ZERO, 2000).unwrap() == 0 {
                    thread::sleep(Duration::from_millis(20));
                }
            }
        });
        callers(cycles, |number| {
            let record = record(&keys, &format!("cycle {number}"));
            assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
            let won = store.spend(&record.id, &ClaimId::new(*b"claim").unwrap()).unwrap();
            assert!(matches!(won, Spend::Spent { uses_left: Some(0), repeated: false, .. }));
            let done = cycled.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(cycles.div_ceil(10)) {
                let (disk, memory) = (mib(disk(path)), mib(memory()));
                println!("{done} cycles in {:?}: {disk} on disk, {memory} in memory", begun.elapsed());
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
    while store.purge_spent(CREATED, Duration::ZERO, 2000).unwrap() > 0 {}
    println!("all purged: {} on disk, {} in memory", mib(disk(path)), mib(memory()));
    assert_eq!(store.counts().unwrap().records, KEPT);
    drop(store);
    println!("closed: {} on disk", mib(disk(path)));
    let begun = Instant::now();
    let store = open();
    println!("opened again in {:?}: {} on disk", begun.elapsed(), mib(disk(path)));
    assert!(store.check(Some(&keys)).unwrap().is_sound());
}

fn callers(jobs: u64, job: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number if number < jobs => job(number),
                        _ => break,
                    }
                }
            });
        }
    });
}

fn record(keys: &KeyRing, name: &str) -> Record {
    // Ids in no order, as those of real tokens.
    let root_key = RootKey::derive_any(name.as_bytes());
    let id = TokenId::new(root_key.expose().as_slice()).unwrap();
    let terms = Terms {
        id: &id,
        purpose: token_core::Purpose::SpaceSupport,
        resource: Some(&Entity { kind: "space".into(), id: "s1".into() }),
        issuer: &Entity { kind: "user".into(), id: "u1".into() },
        created: CREATED,
        expires: Some(UnixTime::from_secs(1_600_000_000)),
        use_limit: NonZeroU64::new(1),
    };
    Record::new(terms, &root_key, keys).unwrap()
}

/// Returns the disk space of the files in bytes, as `du` counts it.
fn disk(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // A file may disappear meanwhile.
    let Ok(metadata) = fs::metadata(path) else { return 0 };
    let inside = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| disk(&entry.path()));
    metadata.blocks() * 512 + inside.sum::<u64>()
}

/// Returns the memory in use, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / MIB)
}
