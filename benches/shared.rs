//! Measures a shared store on a PostgreSQL server: durable mints, reads and spends by 64 callers; the same mints over
//! 64 connections that each write one row at a time; and a lone caller.
//!
//! `cargo run --release -p token-bench --features postgres --bin shared -- postgres://USER@HOST/DATABASE [SECONDS]`
//!
//! Use a new database. Runs of both kinds alternate, so that both meet the same machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement"
)]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use token_core::UnixTime;
use token_store::{Entity, Insert, KeyRing, Record, Revoke, Spend, Terms, TokenId, TokenStore};
use token_store_postgres::{PostgresConfig, PostgresStore};
use token_test::records::{self, terms};

const CALLERS: u64 = 64;
const ROUNDS: usize = 3;

/// The row that the store writes, by hand.
const ONE_ROW: &str = "
    INSERT INTO onetoken.tokens (id, record, resource, issuer, created, expires, use_limit, uses)
    VALUES ($1, $2, $3, $4, 1500000000, 1600000000, 1, 0) ON CONFLICT (id) DO NOTHING";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the URL of a database");
    let seconds: f64 = arguments.next().map_or(3.0, |text| text.parse().expect("a number of seconds"));
    let config: PostgresConfig = url.parse().unwrap();
    PostgresStore::init(&config).unwrap();
    let run = Run { keys: KeyRing::generate().unwrap(), time: Duration::from_secs_f64(seconds) };
    let store = PostgresStore::open(&config).unwrap();
    assert_eq!(store.insert(&run.record("first", 0, 0)).unwrap(), Insert::Inserted);
    let single: Vec<Mutex<Single>> = (0..CALLERS).map(|_| Mutex::new(Single::connect(&url))).collect();
    let (mut shared, mut singles) = (0.0, 0.0);
    for round in 0..ROUNDS {
        let name = format!("shared-{round}");
        let before = store.metrics();
        shared += run.measure(CALLERS, "mint, shared", |caller, number| {
            assert_eq!(store.insert(&run.record(&name, caller, number)).unwrap(), Insert::Inserted);
            true
        });
        let after = store.metrics();
        let together = (after.calls - before.calls) as f64 / (after.batches - before.batches) as f64;
        println!("{:24} {together:.1} callers a statement", "");
        let alone = format!("single-{round}");
        singles += run.measure(CALLERS, "mint, 64 connections", |caller, number| {
            // Sealed as in the other run, so that both do the same work on this side.
            let record = run.record(&alone, caller, number);
            single[usize::try_from(caller).unwrap()].lock().unwrap().insert(record.id.as_bytes());
            true
        });
        run.measure(CALLERS, "get, shared", |caller, number| {
            assert!(store.get(&id(&name, caller, number % 8)).unwrap().is_some());
            true
        });
        let claim = records::claim("a claim");
        // Until the first caller has no token left.
        run.measure(CALLERS, "spend, shared", |caller, number| {
            match store.spend(&id(&name, caller, number), &claim, &records::USE).unwrap() {
                Spend::Spent { uses_left: Some(0), repeated: false, .. } => true,
                Spend::Absent => false,
                other => panic!("{other:?}"),
            }
        });
    }
    println!("mints, shared over single: {:.2}", shared / singles);
    run.measure(1, "mint, alone", |caller, number| {
        store.insert(&run.record("alone", caller, number)).unwrap() == Insert::Inserted
    });
    // Until no token is left.
    run.measure(1, "revoke, alone", |caller, number| {
        store.revoke(&id("alone", caller, number), &records::FOR_GOOD).unwrap() == Revoke::Revoked
    });
    run.measure(1, "get, alone", |caller, _| store.get(&id("alone", caller, 0)).unwrap().is_some());
}

fn id(name: &str, caller: u64, number: u64) -> TokenId {
    records::id(format!("{name}-{caller}-{number}"))
}

struct Run {
    keys: KeyRing,
    time: Duration,
}

impl Run {
    fn record(&self, name: &str, caller: u64, number: u64) -> Record {
        let id = id(name, caller, number);
        let terms = Terms {
            resource: Some(&Entity::space(format!("s{}", number % 1000))),
            issuer: &Entity::user(format!("u{}", number % 1000)),
            expires: Some(UnixTime::from_secs(1_600_000_000)),
            ..terms(&id)
        };
        records::record(&self.keys, terms)
    }

    /// Runs this many callers until the time is over or one of them has nothing to do. Returns the calls per second.
    fn measure(&self, callers: u64, what: &str, call: impl Fn(u64, u64) -> bool + Sync) -> f64 {
        let stop = AtomicBool::new(false);
        let begun = Instant::now();
        let caller = |caller: u64| {
            let mut times = Vec::new();
            let mut last = Instant::now();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) || begun.elapsed() > self.time {
                    break;
                }
                if !call(caller, number) {
                    stop.store(true, Ordering::Relaxed);
                    break;
                }
                let now = Instant::now();
                times.push(now - last);
                last = now;
            }
            times
        };
        let caller = &caller;
        let mut times: Vec<Duration> = thread::scope(|scope| {
            let callers: Vec<_> = (0..callers).map(|number| scope.spawn(move || caller(number))).collect();
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
        });
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |hundredth: usize| times[times.len() * hundredth / 100].as_secs_f64() * 1e3;
        println!("{what:24} {rate:8.0} /s, p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
        rate
    }
}

/// A connection that writes one row at a time.
struct Single {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
    statement: tokio_postgres::Statement,
    // The columns of a row besides its id.
    columns: [Vec<u8>; 3],
}

impl Single {
    fn connect(url: &str) -> Self {
        let url = url.split_once('?').map_or(url, |(url, _)| url);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, statement, columns) = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let row = "SELECT record, resource, issuer FROM onetoken.tokens LIMIT 1";
            let row = client.query_one(row, &[]).await.unwrap();
            let statement = client.prepare(ONE_ROW).await.unwrap();
            (client, statement, [row.get(0), row.get(1), row.get(2)])
        });
        Self { runtime, client, statement, columns }
    }

    fn insert(&self, id: &[u8]) {
        let [record, resource, issuer] = &self.columns;
        let insert =
            async { self.client.execute(&self.statement, &[&id, record, resource, issuer]).await.unwrap() };
        assert_eq!(self.runtime.block_on(insert), 1);
    }
}
