//! All threads spend one token at once.

use std::{
    num::NonZeroU64,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
};

use token_store::{ClaimId, Insert, Spend, TokenId, TokenStore};

use crate::{args::Args, failure::Failure, output, random, subject, target, threads};

/// The use limits of the tokens, in turn: mostly 1, and some that let a few threads win.
const LIMITS: [NonZeroU64; 4] =
    [NonZeroU64::MIN, NonZeroU64::MIN, NonZeroU64::MIN.saturating_add(1), NonZeroU64::MIN.saturating_add(6)];

pub(crate) fn race(args: &Args) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(&args.at).map_err(Failure::opening)?;
    let name = random::fresh().map_err(Failure::opening)?;
    let threads = args.threads.unwrap_or(64);
    let racers: Vec<&dyn TokenStore> = (0..threads).map(|_| &*store as &dyn TokenStore).collect();
    let (mut wrong, rounds) = (0_u64, args.count.unwrap_or(10_000));
    for (round, limit) in (0..rounds).zip(LIMITS.into_iter().cycle()) {
        let id = TokenId::new(format!("{name:016x}-{round}"))?;
        let Insert::Inserted = store.insert(&subject::record(&keys, &id, Some(limit), None)?)? else {
            return Err(Failure::WRONG);
        };
        if winners(&racers, &id, name)? != limit.get().min(threads.into()) {
            wrong = wrong.saturating_add(1);
        }
    }
    output::line(format_args!("RACE {rounds} {wrong}"))?;
    if wrong == 0 { Ok(()) } else { Err(Failure::printed(1)) }
}

/// Spends the token over each of the stores at once, under a claim of its own. Returns how many took a use.
pub(crate) fn winners(stores: &[&dyn TokenStore], id: &TokenId, name: u64) -> Result<u64, Failure> {
    let (start, won) = (Barrier::new(stores.len()), AtomicU64::new(0));
    threads::each(stores.iter().enumerate(), |(number, store)| {
        let claim = ClaimId::new(format!("{name:016x}-{number}")).map_err(Failure::from);
        start.wait();
        match store.spend(id, &claim?, &subject::USE)? {
            Spend::Spent { repeated: false, .. } => drop(won.fetch_add(1, Ordering::Relaxed)),
            Spend::Exhausted => {}
            _ => return Err(Failure::WRONG),
        }
        Ok(())
    })?;
    Ok(won.into_inner())
}
