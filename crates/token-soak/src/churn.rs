//! Mints, spends and purges tokens: the store must stay small.

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use token_store::{ClaimId, Insert, KeyRing, Spend, TokenId, TokenStore};

use crate::{
    args::Churn,
    failure::{Cause, Failure},
    output, random, subject, target, threads,
};

/// Spent tokens are purged each time that this many were minted.
const PURGED_EACH: u64 = 500;

/// A line is printed each time that this many were minted.
const TOLD_EACH: u64 = 10_000;

pub(crate) fn churn(args: &Churn) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(&args.at).map_err(Failure::Open)?;
    let name = random::fresh().map_err(Failure::Open)?;
    let started = AtomicU64::new(0);
    threads::each(0..args.threads, |_| {
        loop {
            let pair = started.fetch_add(1, Ordering::Relaxed);
            if pair >= args.pairs {
                return Ok(());
            }
            mint_and_spend(&*store, &keys, &format!("{name:016x}-{pair}"))?;
            if pair.is_multiple_of(PURGED_EACH) {
                store.purge_spent(subject::CREATED, Duration::ZERO, usize::MAX)?;
            }
            if pair.is_multiple_of(TOLD_EACH) {
                output::line(format_args!("S {pair}"))?;
            }
        }
    })?;
    output::line(format_args!("S {}", args.pairs))?;
    Ok(())
}

fn mint_and_spend(store: &dyn TokenStore, keys: &KeyRing, id: &str) -> Result<(), Cause> {
    let id = TokenId::new(id)?;
    let claim = ClaimId::new(*b"claim")?;
    let record = subject::record(keys, &id, NonZeroU64::new(1), None)?;
    match store.insert(&record)? {
        Insert::Inserted => {}
        Insert::Exists => return Err(Cause::Wrong),
    }
    match store.spend(&id, &claim, subject::CREATED)? {
        Spend::Spent { uses_left: Some(0), repeated: false, .. } => Ok(()),
        _ => Err(Cause::Wrong),
    }
}
