//! All threads spend one token at once.

use std::{
    num::NonZeroU64,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
};

use token_store::{ClaimId, Insert, Spend, TokenId, TokenStore};

use crate::{
    args::Race,
    failure::{Cause, Failure},
    output, random, subject, target, threads,
};

/// The use limits of the tokens, in turn: mostly 1, and some that let a few threads win.
const LIMITS: [NonZeroU64; 4] =
    [NonZeroU64::MIN, NonZeroU64::MIN, NonZeroU64::MIN.saturating_add(1), NonZeroU64::MIN.saturating_add(6)];

pub(crate) fn race(args: &Race) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(&args.at).map_err(Failure::Open)?;
    let name = random::fresh().map_err(Failure::Open)?;
    let racers: Vec<&dyn TokenStore> = (0..args.threads).map(|_| &*store as &dyn TokenStore).collect();
    let mut wrong = 0_u64;
    for (round, limit) in (0..args.rounds).zip(LIMITS.into_iter().cycle()) {
        let id = TokenId::new(format!("{name:016x}-{round}")).map_err(Cause::from)?;
        let Insert::Inserted = store.insert(&subject::record(&keys, &id, Some(limit), None)?)? else {
            return Err(Cause::Wrong.into());
        };
        if winners(&racers, &id, name)? != limit.get().min(args.threads.into()) {
            wrong = wrong.saturating_add(1);
        }
    }
    output::line(format_args!("RACE {} {wrong}", args.rounds))?;
    if wrong == 0 { Ok(()) } else { Err(Failure::Told(1)) }
}

/// Spends the token over each of the stores at once, under a claim of its own. Returns how many took a use.
pub(crate) fn winners(stores: &[&dyn TokenStore], id: &TokenId, name: u64) -> Result<u64, Failure> {
    let (start, won) = (Barrier::new(stores.len()), AtomicU64::new(0));
    threads::each(stores.iter().enumerate(), |(number, store)| {
        let claim = ClaimId::new(format!("{name:016x}-{number}")).map_err(Cause::from);
        start.wait();
        match store.spend(id, &claim?, subject::CREATED)? {
            Spend::Spent { repeated: false, .. } => drop(won.fetch_add(1, Ordering::Relaxed)),
            Spend::Exhausted => {}
            _ => return Err(Cause::Wrong.into()),
        }
        Ok(())
    })?;
    Ok(won.into_inner())
}
