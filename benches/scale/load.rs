//! An authority under load: many threads mint, verify and consume over a store that holds many records.

use std::{
    fs,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use token_api::{Authority, Config, Host, HostError, MintRequest, Purpose};
use token_bench::machine::{self, Outcome};
use token_core::Subject;
use token_store::{Administration, Entity, KeyRing};
use token_test::{SplitMix64, stores::named};

use crate::{Plan, Store};

/// The numbers of threads.
const WORKERS: [usize; 3] = [1, 16, 64];
/// The number of tokens to verify, evenly spread over those of the store.
const SAMPLE: usize = 10_000;
/// The most mints for each number of threads. They add to the records that the store was filled with.
const MINTS: usize = 20_000;
/// The most verifications for each number of threads.
const VERIFICATIONS: usize = 500_000;

/// A host for which everything exists and every user may do anything.
struct Anything;

impl Host for Anything {
    fn exists(&self, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn may(&self, _: Subject<&str>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }
}

type Worked = Authority<Box<dyn Administration>, Anything>;

fn authority(store: Box<dyn Administration>, keys: KeyRing) -> Outcome<Worked> {
    Ok(Authority::new(store, keys, Anything, Config::default())?)
}

fn create(store: &Store) -> Outcome<Box<dyn Administration>> {
    Ok((named(&store.engine).create)(&store.place.join("store"))?)
}

/// Creates a store on disk and fills it. The keys and a sample of the tokens are kept beside it.
pub(crate) fn fill(store: &Store, tell: &mut impl FnMut(Value)) -> Outcome<()> {
    let keys = KeyRing::create(store.place.join("keys"))?;
    let authority = authority(create(store)?, keys)?;
    let tokens = fill_up(&authority, store, tell)?;
    drop(authority);
    let mut file = BufWriter::new(fs::File::create(store.place.join("tokens"))?);
    for token in tokens {
        writeln!(file, "{token}")?;
    }
    file.flush()?;
    let bytes = machine::on_disk(&store.place.join("store"))?;
    tell(json!({
        "measure": "disk", "store": store.engine, "records": store.records,
        "bytes": bytes, "bytes_per_record": per(bytes, store.records),
    }));
    Ok(())
}

/// Mints until the store has this many records. Returns a sample of the tokens.
fn fill_up(authority: &Worked, store: &Store, tell: &mut impl FnMut(Value)) -> Outcome<Vec<String>> {
    let every = store.records.div_ceil(SAMPLE).max(1);
    let mint = |index: usize| {
        let token = mint(authority, index)?;
        Ok(index.is_multiple_of(every).then_some(token))
    };
    let threads = match store.engine.as_str() {
        // More threads would leave memory arenas behind, which would distort the store's memory.
        "memory" => thread::available_parallelism()?.get(),
        // With 512 it takes longer, and 7 GiB of memory for a million records instead of half a GiB.
        "sled" => 64,
        // Enough for full batches, so that hundreds of mints share a sync.
        _ => 512,
    };
    let filled = phase(threads, store.records, Duration::MAX, mint)?;
    tell(json!({
        "measure": "fill", "store": store.engine, "records": store.records,
        "threads": threads, "seconds": filled.pace.time.as_secs_f64(),
        "per_second": filled.pace.per_second(), "peak_bytes": machine::peak()?,
    }));
    Ok(filled.results.into_iter().flatten().collect())
}

/// Opens a store and measures it with more and more threads.
pub(crate) fn work(store: &Store, plan: &Plan, tell: &mut impl FnMut(Value)) -> Outcome<()> {
    let name = store.engine.as_str();
    let (tokens, before, authority) = match name {
        "memory" => {
            let before = machine::resident()?;
            let authority = authority(create(store)?, KeyRing::generate()?)?;
            (fill_up(&authority, store, tell)?, before, authority)
        }
        _ => {
            let tokens = BufReader::new(fs::File::open(store.place.join("tokens"))?).lines();
            let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
            let keys = KeyRing::load(store.place.join("keys"))?;
            let sync = machine::sync_time(&store.place)?;
            let before = machine::resident()?;
            let start = Instant::now();
            let opened = (named(&store.engine).open)(&store.place.join("store"))?;
            tell(json!({
                "measure": "open", "store": name, "records": store.records,
                "seconds": start.elapsed().as_secs_f64(), "sync_us": sync.as_secs_f64() * 1e6,
            }));
            (tokens, before, authority(opened, keys)?)
        }
    };
    let resident = |when: &str| -> Outcome<Value> {
        let bytes = machine::resident()?.saturating_sub(before);
        Ok(
            json!({"measure": "resident", "store": name, "records": store.records, "when": when, "bytes": bytes}),
        )
    };
    tell(resident("open")?);
    for threads in WORKERS {
        let mut told = |what: &str, done: &Pace| {
            tell(json!({
                "measure": "load", "store": name, "records": store.records, "threads": threads, "what": what,
                "calls": done.latencies.len(), "per_second": done.per_second(),
                "p50_us": done.quantile(0.5), "p90_us": done.quantile(0.9),
                "p99_us": done.quantile(0.99), "p999_us": done.quantile(0.999),
            }));
        };
        let verified = phase(threads, VERIFICATIONS, plan.time, |index| {
            let token = pick(&tokens, index).ok_or("no tokens")?;
            authority.verify(token, Some(Purpose::SpaceSupport), &authority.context())?;
            Ok(())
        })?;
        told("verify", &verified.pace);
        let minted = phase(threads, MINTS, plan.time, |index| mint(&authority, index))?;
        told("mint", &minted.pace);
        let consumed = phase(threads, minted.results.len(), Duration::MAX, |index| {
            let token = minted.results.get(index).ok_or("no token")?;
            let (claim, mut context) = (authority.draw_claim()?, authority.context());
            context.consumer = Some(Subject::Provider("p1".into()));
            let consumed = authority.spend(token, Purpose::SpaceSupport, &claim, &context)?;
            if consumed.repeated { Err("a new claim is an old one".into()) } else { Ok(()) }
        })?;
        told("consume", &consumed.pace);
        // Remove the records that were added.
        let (now, step) = (authority.now(), 1_000);
        while authority.store().purge_spent(now, Duration::ZERO, step)? == step {}
    }
    tell(resident("worked")?);
    Ok(())
}

/// One of a thousand spaces, by one of a hundred users.
fn mint(authority: &Worked, index: usize) -> Outcome<String> {
    let (space, user) = (format!("space-{:028}", index % 1_000), format!("user-{:027}", index % 100));
    Ok(authority.mint(&MintRequest::space_support(&space, Subject::User(&user)))?.token)
}

/// One token at random, so that no cache can predict it.
fn pick<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(SplitMix64::new(u64::try_from(index).ok()?).below(all.len()))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn per(whole: u64, parts: usize) -> f64 {
    whole as f64 / parts as f64
}

/// The speed of calls from many threads that each call as fast as they can.
struct Pace {
    /// From the first call to the end of the last.
    time: Duration,
    /// In nanoseconds.
    latencies: Histogram<u64>,
}

impl Pace {
    fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
        let calls = self.latencies.len() as f64;
        calls / self.time.as_secs_f64()
    }

    /// In microseconds.
    fn quantile(&self, quantile: f64) -> f64 {
        Duration::from_nanos(self.latencies.value_at_quantile(quantile)).as_secs_f64() * 1e6
    }
}

struct Phase<T> {
    pace: Pace,
    results: Vec<T>,
}

/// Calls from many threads, with the numbers from 0, until the time is over or the numbers are used up.
fn phase<T: Send>(
    threads: usize,
    calls: usize,
    time: Duration,
    call: impl Fn(usize) -> Outcome<T> + Sync,
) -> Outcome<Phase<T>> {
    let (next, barrier) = (AtomicUsize::new(0), Barrier::new(threads));
    let worker = || -> Outcome<Share<T>> {
        barrier.wait();
        let (mut latencies, mut results) = (Histogram::new(3)?, Vec::new());
        let begin = Instant::now();
        let mut start = begin;
        while start.duration_since(begin) < time {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= calls {
                break;
            }
            results.push(call(index)?);
            let end = Instant::now();
            latencies.record(u64::try_from(end.duration_since(start).as_nanos())?)?;
            start = end;
        }
        Ok(Share { begin, end: start, latencies, results })
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        // The workers report the times: the waiting thread may get no processor until they are done.
        let (mut begin, mut end) = (None, None);
        let (mut latencies, mut results) = (Histogram::new(3)?, Vec::new());
        for worker in workers {
            let share = worker.join().map_err(|_| "a thread panicked")??;
            begin = Some(begin.map_or(share.begin, |first: Instant| first.min(share.begin)));
            end = end.max(Some(share.end));
            latencies.add(share.latencies)?;
            results.extend(share.results);
        }
        let time = end.zip(begin).map_or(Duration::ZERO, |(end, begin)| end.duration_since(begin));
        Ok(Phase { pace: Pace { time, latencies }, results })
    })
}

/// The share of one thread in a phase.
struct Share<T> {
    begin: Instant,
    end: Instant,
    latencies: Histogram<u64>,
    results: Vec<T>,
}
