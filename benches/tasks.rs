//! Measures spends by 10,000 tasks of an asynchronous runtime with two workers, each by `spawn_blocking`, beside the same
//! spends by 64 plain threads, over redb.
//!
//! `cargo run --release -p token-bench --bin tasks`
//!
//! Writes one JSON document per line. A time is from the start of all to the end of one spend.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "figures to read"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde_json::json;
use token_api::{Authority, MintRequest, Purpose};
use token_bench::{
    load,
    machine::{self, Outcome},
};
use token_core::Subject;
use token_store::RedbStore;
use token_test::world::{Members, SPACE, World};

const SPENDS: usize = 10_000;
const THREADS: usize = 64;
const ROUNDS: usize = 5;

type Onezone = Authority<RedbStore, Arc<Members>>;

fn main() -> Outcome<()> {
    println!("{}", machine::line());
    let directory = tempfile::tempdir()?;
    let world = World::over(RedbStore::create(directory.path().join("redb"))?);
    let authority = Arc::new(world.authority);
    for round in 0..ROUNDS {
        let plain = threads(&authority, mint(&authority)?)?;
        let tasks = tasks(&authority, mint(&authority)?)?;
        for (by, times) in [("threads", &plain), ("tasks", &tasks)] {
            let millis = |share| times.value_at_quantile(share) as f64 / 1e6;
            println!("{}", json!({"round": round, "by": by, "p50_ms": millis(0.5), "p99_ms": millis(0.99)}));
        }
        println!("{}", json!({"round": round, "x_p99": ratio(&tasks, &plain)}));
    }
    Ok(())
}

fn ratio(tasks: &Histogram<u64>, plain: &Histogram<u64>) -> f64 {
    tasks.value_at_quantile(0.99) as f64 / plain.value_at_quantile(0.99) as f64
}

fn mint(authority: &Onezone) -> Outcome<Vec<String>> {
    let request = MintRequest::space_support(SPACE, Subject::User("owner"));
    Ok(load::calls(THREADS, SPENDS, Duration::MAX, |_| Ok(authority.mint(&request)?.token))?.1)
}

/// Spends a token, and returns the time since the start.
fn spend(authority: &Onezone, token: &str, start: Instant) -> Outcome<u64> {
    let (claim, mut context) = (authority.draw_claim()?, authority.context());
    context.consumer = Some(Subject::Provider("p1".into()));
    authority.spend(token, Purpose::SpaceSupport, &claim, &context)?;
    Ok(u64::try_from(start.elapsed().as_nanos())?)
}

fn threads(authority: &Onezone, tokens: Vec<String>) -> Outcome<Histogram<u64>> {
    let start = Instant::now();
    let token = |number| tokens.get(number).ok_or("no such token");
    let (_, times) =
        load::calls(THREADS, SPENDS, Duration::MAX, |number| spend(authority, token(number)?, start))?;
    histogram(times)
}

fn tasks(authority: &Arc<Onezone>, tokens: Vec<String>) -> Outcome<Histogram<u64>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = tokens
            .into_iter()
            .map(|token| {
                let authority = Arc::clone(authority);
                tokio::spawn(async move {
                    let spend = move || spend(&authority, &token, start).map_err(|error| error.to_string());
                    tokio::task::spawn_blocking(spend).await
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.push(task.await???);
        }
        histogram(times)
    })
}

fn histogram(times: Vec<u64>) -> Outcome<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    times.into_iter().try_for_each(|time| histogram.record(time))?;
    Ok(histogram)
}
