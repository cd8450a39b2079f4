//! A queue of jobs: callers hand in jobs, and one of them at a time does all that wait.
//!
//! A caller that finds no leader becomes the leader. It takes jobs in the order of their arrival, hands out the results,
//! and wakes the callers whose jobs it did, and the one that has waited longest, to lead next. So a lone caller never
//! waits, no job is overtaken, and there is no extra thread and no timer.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use crate::sync::{Mutex, Thread, current, lock, park};

pub(crate) struct Queue<J, R>(Mutex<State<J, R>>);

struct State<J, R> {
    led: bool,
    // The number of the next job.
    next: u64,
    waiting: VecDeque<(Caller, J)>,
    // The results of jobs that were taken; `None` if the leader returned none.
    done: HashMap<u64, Option<R>>,
}

struct Caller {
    /// The number of its job.
    number: u64,
    /// Each waits by itself: if all waited for one signal, all would wake after each round.
    thread: Thread,
}

impl<J, R> Queue<J, R> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { led: false, next: 0, waiting: VecDeque::new(), done: HashMap::new() }))
    }

    /// Submits a job and returns its result. This thread or another does the job; `None` if that thread panicked or
    /// returned no result for it.
    ///
    /// If this thread leads, `work` does the jobs that it takes, at least the first, and returns their results in that
    /// order. No two threads work at once.
    pub(crate) fn submit(&self, job: J, work: impl Fn(&mut dyn FnMut() -> Option<J>) -> Vec<R>) -> Option<R> {
        let mut state = lock(&self.0);
        let number = state.next;
        state.next = number.wrapping_add(1);
        state.waiting.push_back((Caller { number, thread: current() }, job));
        loop {
            if let Some(result) = state.done.remove(&number) {
                return result;
            }
            if state.led {
                drop(state);
                park();
            } else {
                state.led = true;
                drop(state);
                self.lead(number, &work);
            }
            state = lock(&self.0);
        }
    }

    fn lead(&self, number: u64, work: impl Fn(&mut dyn FnMut() -> Option<J>) -> Vec<R>) {
        let mut taken = Vec::new();
        let mut next = || {
            let (caller, job) = lock(&self.0).waiting.pop_front()?;
            taken.push(caller);
            Some(job)
        };
        let mut worked = catch_unwind(AssertUnwindSafe(|| work(&mut next)));
        let mut results = worked.as_mut().map(mem::take).unwrap_or_default().into_iter();
        lock(&self.0).done.extend(taken.iter().map(|caller| (caller.number, results.next())));
        let others = taken.iter().filter(|caller| caller.number != number);
        others.for_each(|caller| caller.thread.unpark());
        // Last, so that callers that return at once join the next round. Else one of them would lead a round of its own.
        let mut state = lock(&self.0);
        state.led = false;
        if worked.is_err() {
            // Nobody waits for this job any more.
            state.waiting.retain(|(caller, _)| caller.number != number);
            state.done.remove(&number);
        }
        let leads_next = state.waiting.front().map(|(caller, _)| caller.thread.clone());
        drop(state);
        leads_next.iter().for_each(Thread::unpark);
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
    }

    /// Returns how many jobs and results there are. None are left when every caller has returned.
    #[cfg(test)]
    #[allow(dead_code, reason = "for `tests/interleavings`")]
    pub(crate) fn held(&self) -> usize {
        let state = lock(&self.0);
        state.waiting.len().saturating_add(state.done.len())
    }
}
