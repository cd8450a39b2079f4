//! Mints, spends, revokes and deletes until killed.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use token_store::Retry;

use crate::{
    args::Args,
    failure::Failure,
    output,
    random::{self, Random},
    subject::{self, End, Subject},
    target::StoreUrl,
    threads,
};

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let subject = subject::open(&args.at).map_err(Failure::opening)?;
    let name = random::fresh().map_err(Failure::opening)?;
    let work = Work {
        subject: &*subject,
        name,
        seed: args.seed.unwrap_or(name),
        left: AtomicU64::new(args.count.unwrap_or(u64::MAX)),
        errors: Mutex::new(0),
        past_errors: args.past_errors,
        asks_again: matches!(args.at.store, StoreUrl::Postgres(_)),
    };
    output::line(format_args!("OPEN"))?;
    threads::each(0..args.threads.unwrap_or(1), |thread| work.thread(thread))?;
    match *work.errors.lock().unwrap_or_else(PoisonError::into_inner) {
        0 => Ok(()),
        _ => Err(Failure::printed(4)),
    }
}

struct Work<'a> {
    subject: &'a dyn Subject,
    // Distinguishes the ids of this run from those of other runs.
    name: u64,
    seed: u64,
    // The number of operations left.
    left: AtomicU64,
    errors: Mutex<u32>,
    past_errors: u32,
    // A server that failed may be asked again. A local store must be reopened first.
    asks_again: bool,
}

impl Work<'_> {
    fn thread(&self, thread: u16) -> Result<(), Failure> {
        let mut random = Random::new(self.seed.wrapping_add(u64::from(thread)));
        let mut unspent: Vec<String> = Vec::new();
        let mut number = 0_u64;
        while self.another() {
            let id = match random.below(2) {
                0 => None,
                _ => random.index(unspent.len()).map(|at| unspent.swap_remove(at)),
            };
            let outcome = match id {
                Some(id) => {
                    // Mostly spent, as by hosts.
                    let how = match random.below(8) {
                        0 => End::Revoked,
                        1 => End::Deleted,
                        _ => End::Spent,
                    };
                    self.end(&id, how)?
                }
                None => {
                    number = number.wrapping_add(1);
                    let id = format!("{:016x}-{thread}-{number}", self.name);
                    let minted = self.resolved(&id, |again| self.subject.mint(&id, again))?;
                    if minted.is_ok() {
                        output::line(format_args!("M {id}"))?;
                        unspent.push(id);
                    }
                    minted
                }
            };
            if let Err(cause) = outcome
                && !self.failed(&cause)?
            {
                break;
            }
        }
        Ok(())
    }

    fn end(&self, id: &str, how: End) -> Result<Result<(), Failure>, Failure> {
        output::line(format_args!("B {id}"))?;
        let ended = self.resolved(id, |again| self.subject.end(id, how, again))?;
        if ended.is_ok() {
            output::line(format_args!("C {id}"))?;
        }
        Ok(ended)
    }

    // Retries until the outcome is known.
    fn resolved(
        &self,
        id: &str,
        ask: impl Fn(bool) -> Result<(), Failure>,
    ) -> Result<Result<(), Failure>, Failure> {
        let mut outcome = ask(false);
        let mut in_doubt = false;
        while let Err(cause) = &outcome
            && self.asks_again
            && (cause.retry == Retry::Ask || in_doubt && cause.retry == Retry::Safe)
        {
            in_doubt = true;
            output::line(format_args!("U {id}"))?;
            outcome = ask(true);
        }
        Ok(outcome)
    }

    fn another(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    // Prints an error. Returns whether to continue.
    fn failed(&self, cause: &Failure) -> Result<bool, Failure> {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if *errors > self.past_errors {
            return Ok(false);
        }
        *errors = errors.saturating_add(1);
        output::line(format_args!("ERR {}", cause.kind))?;
        if *errors <= self.past_errors {
            return Ok(true);
        }
        self.left.store(0, Ordering::Relaxed);
        Ok(false)
    }
}
