//! Threads of several hosts spend one token.

use std::{
    io::{self, BufRead as _},
    num::NonZeroU64,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use token_store::{ClaimId, Spend, TokenId, TokenStore};
use token_store_postgres::PostgresStore;

use crate::{
    args::Contend,
    failure::{Cause, Failure},
    output::Output,
    random, subject, target,
};

/// Every process gets the same tokens and mints the missing ones. The harness adds up how many uses each wins.
pub(crate) fn contend(args: &Contend, output: &Output) -> Result<(), Failure> {
    let (stores, keys) = target::alone(&args.at, args.threads).map_err(Failure::Open)?;
    let name = random::fresh().map_err(Failure::Open)?;
    output.line(format_args!("OPEN"))?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (id, limit) = token(&line).ok_or(Failure::Underway(Cause::Wrong))?;
        let record = subject::record(&keys, &id, Some(limit), None).map_err(Failure::Underway)?;
        if let Some(store) = stores.first() {
            let _at_most_once = store.insert(&record).map_err(|error| Failure::Underway(error.into()))?;
        }
        let won = spend(&stores, &id, name).map_err(Failure::Underway)?;
        output.line(format_args!("W {id} {won}"))?;
    }
    Ok(())
}

fn token(line: &str) -> Option<(TokenId, NonZeroU64)> {
    let (id, limit) = line.split_once(' ')?;
    Some((TokenId::new(id).ok()?, limit.parse().ok()?))
}

fn spend(stores: &[PostgresStore], id: &TokenId, name: u64) -> Result<u64, Cause> {
    let (start, won) = (Barrier::new(stores.len()), AtomicU64::new(0));
    let racer = |number: usize, store: &PostgresStore| {
        let claim = ClaimId::new(format!("{name:016x}-{number}")).map_err(|_| Cause::Wrong);
        start.wait();
        match store.spend(id, &claim?)? {
            Spend::Spent { repeated: false, .. } => drop(won.fetch_add(1, Ordering::Relaxed)),
            Spend::Exhausted => {}
            _ => return Err(Cause::Wrong),
        }
        Ok(())
    };
    let racer = &racer;
    thread::scope(|scope| {
        let racers: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(number, store)| scope.spawn(move || racer(number, store)))
            .collect();
        let outcomes = racers.into_iter().map(|racer| racer.join().unwrap_or(Err(Cause::Wrong)));
        outcomes.fold(Ok(()), Result::and)
    })?;
    Ok(won.into_inner())
}
