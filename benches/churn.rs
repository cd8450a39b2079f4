//! Measures the disk space and the memory left after many tokens are minted and spent, with a retention of zero.
//!
//! `cargo run --release -p token-bench --bin churn -- redb|sled DIRECTORY [CYCLES]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a measurement"
)]

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use token_bench::machine::{on_disk, resident};
use token_core::UnixTime;
use token_store::{
    Administration as _, Entity, Insert, KeyRing, Record, Spend, Terms, TokenId, TokenStore as _,
};
use token_test::{
    records::{self, CREATED, USE, claim, id, root_key, terms},
    stores::{Backend, named},
};

const CALLERS: u64 = 64;
/// The number of tokens that stay all the time.
const KEPT: u64 = 10_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (engine, dir) = (arguments.next().expect("an engine"), arguments.next().expect("a directory"));
    let cycles: u64 = arguments.next().map_or(1_000_000, |text| text.parse().expect("a number of cycles"));
    let dir = tempfile::tempdir_in(dir).unwrap();
    churn(named(&engine), &dir.path().join("store"), cycles);
}

fn churn(backend: Backend, path: &Path, cycles: u64) {
    let keys = KeyRing::generate().unwrap();
    let store = (backend.open_or_create)(path).unwrap();
    callers(KEPT, |number| {
        assert_eq!(store.insert(&record(&keys, &format!("kept {number}"))).unwrap(), Insert::Inserted);
    });
    println!("{KEPT} tokens that stay: {} on disk, {} in memory", disk(path), memory());

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
            let won = store.spend(&record.id, &claim("claim"), &USE).unwrap();
            assert!(matches!(won, Spend::Spent { uses_left: Some(0), repeated: false, .. }));
            let done = cycled.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(cycles.div_ceil(10)) {
                let (disk, memory) = (disk(path), memory());
                println!("{done} cycles in {:?}: {disk} on disk, {memory} in memory", begun.elapsed());
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
    while store.purge_spent(CREATED, Duration::ZERO, 2000).unwrap() > 0 {}
    println!("all purged: {} on disk, {} in memory", disk(path), memory());
    assert_eq!(store.counts().unwrap().records, KEPT);
    drop(store);
    println!("closed: {} on disk", disk(path));
    let begun = Instant::now();
    let store = (backend.open_or_create)(path).unwrap();
    println!("opened again in {:?}: {} on disk", begun.elapsed(), disk(path));
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
    let id = TokenId::new(*root_key(&id(name)).expose()).unwrap();
    let (space, expires) = (Entity::space("s1"), Some(UnixTime::from_secs(1_600_000_000)));
    records::record(keys, Terms { resource: Some(&space), expires, ..terms(&id) })
}

fn disk(path: &Path) -> String {
    // A file may disappear meanwhile.
    on_disk(path).map_or("?".into(), mib)
}

fn memory() -> String {
    mib(resident().unwrap())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
