//! Every interleaving of a few threads that read through one cache while one of them changes the value. No read returns
//! the value before a change that has returned. A lost wake-up shows as a deadlock.

use std::time::{Duration, Instant};

use loom::{model::Builder, sync::atomic::AtomicU64, sync::atomic::Ordering::SeqCst, thread};

use crate::{
    reads::{CacheConfig, Reads},
    sync::Arc,
};

/// A far store of one number, and a cache of it.
struct Host {
    number: AtomicU64,
    fails: AtomicU64,
    reads: Reads<u8, u64, ()>,
    now: Instant,
}

const KEY: u8 = 7;

impl Host {
    fn new(fails: u64) -> Self {
        let config = CacheConfig {
            ttl: Duration::from_secs(1),
            absent_ttl: Duration::from_secs(1),
            outage: Duration::ZERO,
            entries: 1,
            bytes: usize::MAX,
        };
        let reads = Reads::new(config, |_, _| 1, |()| true);
        Self { number: AtomicU64::new(0), fails: AtomicU64::new(fails), reads, now: Instant::now() }
    }

    fn get(&self) -> Option<u64> {
        let read = || {
            if self.fails.load(SeqCst) > 0 {
                self.fails.store(0, SeqCst);
                return Err(());
            }
            let number = self.number.load(SeqCst);
            // In flight, for long.
            thread::yield_now();
            Ok(Some(number))
        };
        let now = self.now;
        self.reads.get(&KEY, &|| now, read).ok().map(|found| *found.unwrap())
    }

    fn set(&self, number: u64, all: bool) {
        self.number.store(number, SeqCst);
        if all {
            self.reads.clear();
        } else {
            self.reads.drop_key(&KEY);
        }
    }
}

fn check(readers: usize, fails: u64, all: bool) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let host = Arc::new(Host::new(fails));
        let readers: Vec<_> = (0..readers)
            .map(|_| {
                let host = Arc::clone(&host);
                thread::spawn(move || host.get())
            })
            .collect();
        host.set(1, all);
        // A failure reaches its own reader and those who waited with it, and no later one.
        assert!(matches!(host.get(), Some(1)) || fails > 0, "told what was before");
        for reader in readers {
            assert!(matches!(reader.join().unwrap(), Some(0 | 1)) || fails > 0);
        }
        assert_eq!(host.get(), Some(1), "what was before was kept, or an error was");
        host.set(2, all);
        assert_eq!(host.get(), Some(2));
    });
}

#[test]
fn one_reader() {
    check(1, 0, false);
}

#[test]
fn two_readers() {
    check(2, 0, false);
}

#[test]
fn two_readers_and_everything_is_dropped() {
    check(2, 0, true);
}

#[test]
fn two_readers_of_whom_one_fails() {
    check(2, 1, false);
}
