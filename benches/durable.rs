//! Measures the cost of the store over its bare engine, on the disk of the given directory: durable mints by one caller
//! and by 64, and reads that open the seal.
//!
//! `cargo run --release -p token-bench --bin durable -- DIRECTORY [SECONDS]`
//!
//! The bare engine writes the same keys and values as the store: one commit each for a lone caller; for 64 callers,
//! from one thread that commits all that wait. Runs alternate, so that both meet the same disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement"
)]

use std::{
    fs,
    hint::black_box,
    path::Path,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use redb::ReadableDatabase;
use token_core::UnixTime;
use token_store::{Entity, Insert, KeyRing, Record, Terms, TokenId, TokenStore};
use token_test::{
    SplitMix64,
    records::{self, id, terms},
    stores::{Backend, REDB, SLED},
};

const TABLE: redb::TableDefinition<'static, &'static [u8], &'static [u8]> =
    redb::TableDefinition::new("bare");
const CALLERS: u64 = 64;
const ROUNDS: usize = 5;
/// The number of records that are read again and again.
const KEPT: u64 = 100;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().expect("a directory");
    let seconds: f64 = arguments.next().map_or(2.0, |text| text.parse().expect("a number of seconds"));
    let dir = tempfile::tempdir_in(dir).unwrap();
    let run = Run { keys: KeyRing::generate().unwrap(), time: Duration::from_secs_f64(seconds) };
    run.engine(REDB, dir.path(), &bare_redb(dir.path()));
    run.engine(SLED, dir.path(), &bare_sled(dir.path()));
}

/// An engine without a store around it.
trait Bare: Sync {
    fn commit(&self, pairs: &[Pairs]);
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
}

struct BareRedb(redb::Database);

fn bare_redb(dir: &Path) -> BareRedb {
    let database = redb::Database::builder().set_cache_size(64 << 20).create(dir.join("redb-bare")).unwrap();
    BareRedb(database)
}

impl Bare for BareRedb {
    fn commit(&self, pairs: &[Pairs]) {
        let mut transaction = self.0.begin_write().unwrap();
        transaction.set_two_phase_commit(true);
        let mut table = transaction.open_table(TABLE).unwrap();
        for (key, value) in pairs.iter().flatten() {
            table.insert(key.as_slice(), value.as_slice()).unwrap();
        }
        drop(table);
        transaction.commit().unwrap();
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let table = self.0.begin_read().unwrap().open_table(TABLE).unwrap();
        table.get(key).unwrap().map(|value| value.value().to_vec())
    }
}

struct BareSled(sled::Db, fs::File);

fn bare_sled(dir: &Path) -> BareSled {
    let path = dir.join("sled-bare");
    let config = sled::Config::new().path(&path).segment_size(2 << 20).cache_capacity(64 << 20);
    let database = config.flush_every_ms(None).open().unwrap();
    BareSled(database, fs::File::open(path.join("db")).unwrap())
}

impl Bare for BareSled {
    fn commit(&self, pairs: &[Pairs]) {
        let mut batch = sled::Batch::default();
        for (key, value) in pairs.iter().flatten() {
            batch.insert(key.as_slice(), value.as_slice());
        }
        self.0.apply_batch(batch).unwrap();
        self.0.flush().unwrap();
        // Without this a power cut loses acknowledged writes.
        self.1.sync_data().unwrap();
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).unwrap().map(|value| value.to_vec())
    }
}

struct Run {
    keys: KeyRing,
    time: Duration,
}

impl Run {
    fn record(&self, round: usize, number: u64) -> Record {
        // Ids in no order, as those of real tokens.
        let spread = SplitMix64::new(number).next_u64();
        let id = id(format!("{spread:021x}.{round:02}.{number:018x}"));
        let terms = Terms {
            resource: Some(&Entity::space(format!("s{}", number % 1000))),
            issuer: &Entity::user(format!("u{}", number % 1000)),
            expires: Some(UnixTime::from_secs(1_600_000_000 + number % 1000)),
            ..terms(&id)
        };
        records::record(&self.keys, terms)
    }

    fn engine(&self, backend: Backend, dir: &Path, bare: &impl Bare) {
        let name = backend.name;
        let store = &*(backend.create)(&dir.join(format!("{name}-store"))).unwrap();
        let mut rates: [Vec<f64>; 7] = Default::default();
        for round in 0..ROUNDS {
            rates[0].push(self.store_mints(store, 1, round));
            rates[1].push(self.bare_mints(bare, 1, round));
            rates[2].push(self.store_mints(store, CALLERS, 10 + round));
            rates[3].push(self.bare_mints(bare, CALLERS, 10 + round));
        }
        // These records exist to be read, however slow the disk is.
        for number in 0..KEPT {
            let _kept = store.insert(&self.record(0, number)).unwrap();
            bare.commit(&[self.pairs(0, number)]);
        }
        for _ in 0..ROUNDS {
            rates[4].push(self.gets(|id| {
                let record = store.get(id).unwrap();
                record.map(|record| self.keys.open(&record.root_key, record.owner()).unwrap())
            }));
            rates[5].push(self.gets(|id| bare.get(id.as_bytes())));
            let sealed = self.record(0, 0);
            rates[6].push(self.gets(|id| {
                let value = bare.get(id.as_bytes());
                value.map(|_| self.keys.open(&sealed.root_key, sealed.owner()).unwrap())
            }));
        }
        let [one, bare_one, many, bare_many, get, bare_get, bare_open] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        println!("{name}: medians of {ROUNDS} runs of {:?}, a second", self.time);
        println!("  mints, 1 caller:   store {one:8.0}  bare {bare_one:8.0}  ratio {:.2}", one / bare_one);
        println!(
            "  mints, {CALLERS} callers: store {many:8.0}  bare {bare_many:8.0}  ratio {:.2}",
            many / bare_many
        );
        println!("  64 callers over 1: store {:.1}", many / one);
        println!("  gets with the seal opened: store {get:8.0}");
        println!("    over a bare get and a seal opened: {bare_open:8.0}  ratio {:.2}", get / bare_open);
        println!("    over a bare get alone:             {bare_get:8.0}  ratio {:.2}", get / bare_get);
    }

    fn store_mints(&self, store: &dyn TokenStore, callers: u64, round: usize) -> f64 {
        self.callers(callers, |number| {
            assert_eq!(store.insert(&self.record(round, number)).unwrap(), Insert::Inserted);
        })
    }

    fn bare_mints(&self, bare: &impl Bare, callers: u64, round: usize) -> f64 {
        if callers == 1 {
            return self.callers(1, |number| bare.commit(&[self.pairs(round, number)]));
        }
        let (send, receive) = mpsc::channel::<(Pairs, mpsc::SyncSender<()>)>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while let Ok(first) = receive.recv() {
                    let (pairs, replies): (Vec<_>, Vec<_>) =
                        std::iter::once(first).chain(receive.try_iter()).unzip();
                    bare.commit(&pairs);
                    replies.into_iter().for_each(|reply| reply.send(()).unwrap());
                }
            });
            let rate = self.callers(callers, |number| {
                let (reply, answer) = mpsc::sync_channel(1);
                send.send((self.pairs(round, number), reply)).unwrap();
                answer.recv().unwrap();
            });
            drop(send);
            rate
        })
    }

    /// Returns the pairs that the store writes for a record: its value, and three index entries.
    fn pairs(&self, round: usize, number: u64) -> Pairs {
        let record = self.record(round, number);
        let id = record.id.as_bytes().to_vec();
        let entry = |prefix: &str| ([prefix.as_bytes(), &id].concat(), vec![1; 9]);
        vec![
            (id.clone(), record.to_bytes().unwrap()),
            entry(&format!("r....space....s{:03}", number % 1000)),
            entry(&format!("i....user....u{:03}", number % 1000)),
            entry(&format!("e{:08}", number % 1000)),
        ]
    }

    fn callers(&self, callers: u64, call: impl Fn(u64) + Sync) -> f64 {
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let begun = Instant::now();
        thread::scope(|scope| {
            for caller in 0..callers {
                let (call, done, stop) = (&call, &done, &stop);
                scope.spawn(move || {
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        call(number * callers + caller);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(self.time);
            stop.store(true, Ordering::Relaxed);
        });
        done.into_inner() as f64 / begun.elapsed().as_secs_f64()
    }

    /// Reads the records that one caller minted in the first round, again and again.
    fn gets<T>(&self, get: impl Fn(&TokenId) -> Option<T>) -> f64 {
        let ids: Vec<TokenId> = (0..KEPT).map(|number| self.record(0, number).id).collect();
        let (mut done, begun) = (0_u64, Instant::now());
        while begun.elapsed() < self.time {
            for id in &ids {
                assert!(black_box(get(id)).is_some());
            }
            done += KEPT;
        }
        done as f64 / begun.elapsed().as_secs_f64()
    }
}
