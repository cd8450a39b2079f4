//! The works W1 to W9 in nanoseconds, beside the crate `macaroon` and beside the floor that SHA-256 sets, and the
//! batches B1 to B3 in nanoseconds for each macaroon, beside that floor.
//!
//! Writes one JSON document per line to standard output and a table to standard error. All works are measured in one
//! process, in turn, in batches of some microseconds. The best batch counts: other work of the machine slows some
//! batches, but not the best one.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made stops"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use token_bench::{
    allocations::Counting,
    batches::{self, Batch},
    works,
};
use token_core::Kernel;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// The time of all batches together.
const BUDGET: Duration = Duration::from_secs(15);
/// The approximate time of a batch: far below a time slice of the scheduler, far above the resolution of the clock.
const BATCH_NS: f64 = 40_000.0;

struct Timed<'a> {
    once: &'a dyn Fn(),
    per_batch: u32,
    best_ns: f64,
}

impl<'a> Timed<'a> {
    fn new(once: &'a dyn Fn()) -> Self {
        let mut timed = Self { once, per_batch: 8, best_ns: f64::INFINITY };
        (0..64).for_each(|_| timed.batch());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 40,000")]
        let per_batch = (BATCH_NS / timed.best_ns).ceil().max(1.0) as u32;
        timed.per_batch = per_batch;
        timed
    }

    fn batch(&mut self) {
        let start = Instant::now();
        (0..self.per_batch).for_each(|_| (self.once)());
        #[expect(clippy::cast_precision_loss, reason = "some microseconds")]
        let nanos = start.elapsed().as_nanos() as f64;
        self.best_ns = self.best_ns.min(nanos / f64::from(self.per_batch));
    }
}

/// A thousand blocks, each of which depends on the one before.
fn thousand_blocks() {
    let (mut state, block) = (black_box([7; 8]), black_box([Default::default()]));
    (0..1000).for_each(|_| sha2::compress256(&mut state, &block));
    black_box(state);
}

/// `Authority::verify_many` on one thread and on as many as there are processors, in nanoseconds for each token.
fn many() {
    const TOKENS: u32 = 1000;
    let verify = works::many(Kernel::detect(), 1000);
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let mut pools = [1, all].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        (threads, pool, Duration::MAX)
    });
    for _ in 0..200 {
        for (_, pool, best) in &mut pools {
            let start = Instant::now();
            pool.install(&verify);
            *best = start.elapsed().min(*best);
        }
    }
    eprintln!();
    for (threads, _, best) in pools {
        let each_ns = (best / TOKENS).as_nanos();
        let what = format!("verify {TOKENS} stored tokens, threads: {threads}");
        eprintln!("{what:<43} {each_ns:>8}");
        println!("{}", json!({ "work": "many", "what": what, "ours_ns": each_ns, "threads": threads }));
    }
}

/// A batch for each macaroon in it. The floor is that of single chains.
fn report(batch: &Batch, batch_ns: f64, block_ns: f64) {
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let (macaroons, blocks) = (batches::MACAROONS as f64, batch.blocks as f64);
    let (ours_ns, floor_ns) = (batch_ns / macaroons, blocks * block_ns / macaroons);
    let kernel = batch.kernel.map_or("one by one".to_owned(), |kernel| format!("{kernel:?}"));
    let what = format!("{}, {kernel}", batch.what);
    let x_floor = ours_ns / floor_ns;
    eprintln!("{:<4} {what:<44} {ours_ns:>8.1} {floor_ns:>8.1} {x_floor:>8.3}", batch.name);
    println!(
        "{}",
        json!({
            "work": batch.name,
            "what": batch.what,
            "kernel": kernel,
            "ours_ns": rounded(ours_ns, 10.0),
            "floor_ns": rounded(floor_ns, 10.0),
            "x_floor": rounded(x_floor, 1000.0),
        })
    );
}

fn rounded(value: f64, scale: f64) -> Value {
    json!((value * scale).round() / scale)
}

fn main() {
    let works = works::all();
    let mut floor = Timed::new(&thousand_blocks);
    let mut timed: Vec<_> =
        works.iter().map(|work| (Timed::new(&*work.ours), work.oracle.as_deref().map(Timed::new))).collect();
    let batches = batches::all();
    let mut timed_batches: Vec<_> = batches.iter().map(|batch| Timed::new(&*batch.ours)).collect();
    let start = Instant::now();
    while start.elapsed() < BUDGET {
        floor.batch();
        timed_batches.iter_mut().for_each(Timed::batch);
        for (ours, oracle) in &mut timed {
            ours.batch();
            if let Some(oracle) = oracle {
                oracle.batch();
            }
        }
    }

    let block_ns = floor.best_ns / 1000.0;
    eprintln!("one block of SHA-256: {block_ns:.1} ns\n");
    eprintln!(
        "{:<4} {:<38} {:>8} {:>9} {:>8} {:>9} {:>8} {:>12}",
        "work", "what", "ours ns", "oracle ns", "floor ns", "x oracle", "x floor", "allocations"
    );
    let cell =
        |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
    for (work, (ours, oracle)) in works.iter().zip(&timed) {
        // A map in memory allocates a node now and then.
        let allocations = (0..8).map(|_| ALLOCATOR.count(&*work.ours)).min().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "some tens")]
        let floor_ns = work.blocks.map(|blocks| blocks as f64 * block_ns);
        let oracle_ns = oracle.as_ref().map(|oracle| oracle.best_ns);
        let x_oracle = oracle_ns.map(|oracle| oracle / ours.best_ns);
        let x_floor = floor_ns.map(|floor| ours.best_ns / floor);
        let number = |value: Option<f64>, scale| value.map_or(Value::Null, |value| rounded(value, scale));
        println!(
            "{}",
            json!({
                "work": work.name,
                "what": work.what,
                "ours_ns": rounded(ours.best_ns, 10.0),
                "oracle_ns": number(oracle_ns, 10.0),
                "floor_ns": number(floor_ns, 10.0),
                "x_oracle": number(x_oracle, 100.0),
                "x_floor": number(x_floor, 100.0),
                "allocations": allocations,
            })
        );
        eprintln!(
            "{:<4} {:<38} {:>8.1} {:>9} {:>8} {:>9} {:>8} {:>12}",
            work.name,
            work.what,
            ours.best_ns,
            cell(oracle_ns, 1),
            cell(floor_ns, 1),
            cell(x_oracle, 2),
            cell(x_floor, 2),
            allocations
        );
    }
    eprintln!();
    for (batch, timed) in batches.iter().zip(&timed_batches) {
        report(batch, timed.best_ns, block_ns);
    }
    many();
}
