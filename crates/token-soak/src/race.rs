//! All threads spend one token at once.

use std::{
    num::NonZeroU64,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use token_store::{ClaimId, Insert, Spend, TokenId, TokenStore};

use crate::{
    args::Race,
    failure::{Cause, Failure},
    output::Output,
    random, subject, target,
};

/// The use limits of the tokens, in turn: mostly 1, and some that let a few threads win.
const LIMITS: [u64; 4] = [1, 1, 2, 7];

pub(crate) fn race(args: &Race, output: &Output) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(&args.at).map_err(Failure::Open)?;
    let name = random::fresh().map_err(Failure::Open)?;
    let all = usize::from(args.threads);
    let (start, end) = (Barrier::new(all), Barrier::new(all));
    let (winners, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
    let racer = &|number: u16| -> Result<(), Cause> {
        let mut failure = Ok(());
        let mut round = 0;
        while round < args.rounds {
            let id = TokenId::new(format!("{name:016x}-{round}")).map_err(|_| Cause::Wrong)?;
            let limit = limit(round);
            if number == 0 {
                let minted = subject::record(&keys, &id, Some(limit), None)
                    .and_then(|record| Ok(store.insert(&record)?));
                keep(&mut failure, minted.map(|minted| minted == Insert::Inserted), &wrong);
            }
            start.wait();
            let spent = spend(&*store, &id, number);
            let won = matches!(spent, Ok(Spend::Spent { repeated: false, .. }));
            winners.fetch_add(u64::from(won), Ordering::Relaxed);
            keep(&mut failure, spent.map(|spent| won || spent == Spend::Exhausted), &wrong);
            end.wait();
            if number == 0 && winners.swap(0, Ordering::Relaxed) != limit.get().min(args.threads.into()) {
                wrong.fetch_add(1, Ordering::Relaxed);
            }
            round = round.wrapping_add(1);
        }
        failure
    };
    thread::scope(|scope| {
        let racers: Vec<_> = (0..args.threads).map(|number| scope.spawn(move || racer(number))).collect();
        let outcomes = racers.into_iter().map(|racer| racer.join().unwrap_or(Err(Cause::Wrong)));
        outcomes.fold(Ok(()), Result::and)
    })
    .map_err(Failure::Underway)?;
    let wrong = wrong.into_inner();
    output.line(format_args!("RACE {} {wrong}", args.rounds))?;
    if wrong == 0 { Ok(()) } else { Err(Failure::Told(1)) }
}

fn limit(round: u64) -> NonZeroU64 {
    let limit = usize::try_from(round).ok().and_then(|round| LIMITS.get(round & 3));
    limit.copied().and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN)
}

fn spend(store: &dyn TokenStore, id: &TokenId, racer: u16) -> Result<Spend, Cause> {
    let claim = ClaimId::new(racer.to_be_bytes()).map_err(|_| Cause::Wrong)?;
    Ok(store.spend(id, &claim)?)
}

// Threads wait for each other, so none may leave early: failures are kept until the end.
fn keep(failure: &mut Result<(), Cause>, right: Result<bool, Cause>, wrong: &AtomicU64) {
    match right {
        Ok(true) => {}
        Ok(false) => drop(wrong.fetch_add(1, Ordering::Relaxed)),
        Err(cause) => *failure = Err(cause),
    }
}
