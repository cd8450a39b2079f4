//! Mints, spends and purges tokens: the store must stay small.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    args::Args,
    failure::Failure,
    output, random,
    subject::{CREATED, End, Guarded, Subject as _},
    target, threads,
};

/// Spent tokens are purged each time that this many were minted.
const PURGED_EACH: u64 = 500;

/// A line is printed each time that this many were minted.
const TOLD_EACH: u64 = 10_000;

pub(crate) fn churn(args: &Args) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(&args.at).map_err(Failure::opening)?;
    let (guarded, pairs) = (Guarded { store, keys }, args.count.unwrap_or(1_000_000));
    let name = random::fresh().map_err(Failure::opening)?;
    let started = AtomicU64::new(0);
    threads::each(0..args.threads.unwrap_or(4), |_| {
        loop {
            let pair = started.fetch_add(1, Ordering::Relaxed);
            if pair >= pairs {
                return Ok(());
            }
            let id = format!("{name:016x}-{pair}");
            guarded.mint(&id, false)?;
            guarded.end(&id, End::Spent, false)?;
            if pair.is_multiple_of(PURGED_EACH) {
                guarded.store.purge_spent(CREATED, Duration::ZERO, usize::MAX)?;
            }
            if pair.is_multiple_of(TOLD_EACH) {
                output::line(format_args!("S {pair}"))?;
            }
        }
    })?;
    output::line(format_args!("S {pairs}"))?;
    Ok(())
}
