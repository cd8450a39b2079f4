//! Threads make random calls on a few tokens. Some order of calls must explain each token's history.

use std::{
    num::NonZeroU64,
    sync::{
        Barrier, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use token_store::{ClaimId, GrantId, KeyRing, Record, Revocation, TokenId, TokenStore};

use crate::{
    args::Args,
    failure::Failure,
    linear::{self, CLAIMS, Call, Event, Held, Seen},
    output,
    random::{self, Random},
    subject, target, threads,
};

/// How many tokens the threads share at a time.
const TOKENS: usize = 4;

/// How many calls each thread makes on them.
const CALLS: u64 = 10;

type Histories = [Vec<Event>; TOKENS];

pub(crate) fn model(args: &Args) -> Result<(), Failure> {
    let (store, keys) = target::with_keys(&args.at).map_err(Failure::opening)?;
    let name = random::fresh().map_err(Failure::opening)?;
    let seed = args.seed.unwrap_or(name);
    let world = World { store: &*store, keys: &keys, clock: AtomicU64::new(0) };
    let tokens = u64::try_from(TOKENS).unwrap_or(u64::MAX);
    let rounds = args.count.unwrap_or(100_000).div_ceil(tokens);
    let threads = args.threads.unwrap_or(8);
    let barrier = Barrier::new(threads.into());
    let gathered = Mutex::new(Histories::default());
    let failure = OnceLock::new();
    let wrong = AtomicU64::new(0);
    threads::each(0..threads, |thread| {
        for round in 0..rounds {
            let mut random = Random::new(seed ^ round.rotate_left(20) ^ u64::from(thread).rotate_left(56));
            let mut seen = Histories::default();
            let ids = ids(name, round);
            barrier.wait();
            let called =
                ids.and_then(|ids| (0..CALLS).try_for_each(|_| world.call(&ids, &mut random, &mut seen)));
            if let Err(cause) = called {
                let _other_failed_first = failure.set(cause);
            }
            let mut all = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter_mut().zip(seen).for_each(|(all, seen)| all.extend(seen));
            drop(all);
            barrier.wait();
            if failure.get().is_some() {
                return Ok(());
            }
            if thread == 0 {
                let mut all = gathered.lock().unwrap_or_else(PoisonError::into_inner);
                for history in std::mem::take(&mut *all).iter().filter(|history| !linear::explained(history))
                {
                    wrong.fetch_add(1, Ordering::Relaxed);
                    output::line(format_args!("WRONG seed {seed} round {round}: {history:?}"))?;
                }
            }
        }
        Ok(())
    })?;
    if let Some(cause) = failure.into_inner() {
        return Err(cause);
    }
    let wrong = wrong.into_inner();
    output::line(format_args!("MODEL {} {wrong}", rounds.saturating_mul(tokens)))?;
    if wrong == 0 { Ok(()) } else { Err(Failure::printed(1)) }
}

fn ids(name: u64, round: u64) -> Result<Vec<TokenId>, Failure> {
    let id = |token| Ok(TokenId::new(format!("{name:016x}-{round}-{token}"))?);
    (0..TOKENS).map(id).collect()
}

struct World<'a> {
    store: &'a dyn TokenStore,
    keys: &'a KeyRing,
    // Advances by one at each start and end of a call.
    clock: AtomicU64,
}

impl World<'_> {
    fn call(&self, ids: &[TokenId], random: &mut Random, seen: &mut Histories) -> Result<(), Failure> {
        let token = random.index(TOKENS).unwrap_or_default();
        let (Some(id), Some(history)) = (ids.get(token), seen.get_mut(token)) else {
            return Err(Failure::WRONG);
        };
        let claim = random.index(CLAIMS).unwrap_or_default();
        let name = ClaimId::new(claim.to_be_bytes())?;
        let choice = random.below(20);
        let limit = random.below(4);
        let record = subject::record(self.keys, id, NonZeroU64::new(limit), None)?;
        let begun = self.now();
        let call = match choice {
            0..4 => Call::Insert { limit, answer: self.store.insert(&record)? },
            4..9 => Call::Spend { claim, answer: self.store.spend(id, &name, &subject::USE)? },
            9 => {
                let held = self.store.claimed(id, &name)?;
                Call::Claimed {
                    claim,
                    answer: held.map(|held| Held { uses_left: held.uses_left, grant: held.grant }),
                }
            }
            10..12 => {
                let own = history.iter().filter_map(|event| granted(event, claim));
                let own: Vec<GrantId> = own.collect();
                // A claim without a known grant cannot be refunded.
                let other = GrantId::from_bytes([0; 8]);
                let grant = random.index(own.len()).and_then(|at| own.get(at)).copied().unwrap_or(other);
                Call::Refund { claim, grant, answer: self.store.refund(id, &name, grant)? }
            }
            12..15 => {
                let for_good = choice == 12;
                let revocation = Revocation { reversible: !for_good, ..subject::FOR_GOOD };
                Call::Revoke { for_good, answer: self.store.revoke(id, &revocation)? }
            }
            15 => Call::Reinstate { answer: self.store.reinstate(id)? },
            16 => Call::Delete { answer: self.store.delete(id)? },
            _ => Call::Get { answer: self.store.get(id)?.as_ref().map(look) },
        };
        history.push(Event { begun, ended: self.now(), call });
        Ok(())
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// The use that the store granted to a claim.
fn granted(event: &Event, claim: usize) -> Option<GrantId> {
    match event.call {
        Call::Spend { claim: of, answer } if of == claim => answer.grant(),
        _ => None,
    }
}

fn look(record: &Record) -> Seen {
    Seen {
        limit: record.use_limit.map_or(0, NonZeroU64::get),
        uses: record.uses,
        revoked: record.revocation.as_ref().map(|revocation| !revocation.reversible),
    }
}
