//! A queue of jobs: callers hand in jobs, and one of them at a time does all that wait.
//!
//! A caller that finds no leader becomes the leader. It takes jobs in the order of their arrival, hands out the results,
//! and wakes the others, one of whom leads next if jobs are left. So a lone caller never waits, no job is overtaken, and
//! there is no extra thread and no timer.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::PoisonError,
};

use crate::sync::{Condvar, Mutex, lock};

pub(crate) struct Queue<J, R> {
    state: Mutex<State<J, R>>,
    changed: Condvar,
}

struct State<J, R> {
    led: bool,
    // The number of the next job.
    next: u64,
    waiting: VecDeque<(u64, J)>,
    // The results of jobs that were taken; `None` if the leader returned none.
    done: HashMap<u64, Option<R>>,
}

impl<J, R> Queue<J, R> {
    pub(crate) fn new() -> Self {
        let state = State { led: false, next: 0, waiting: VecDeque::new(), done: HashMap::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Submits a job and returns its result. This thread or another does the job; `None` if that thread panicked or
    /// returned no result for it.
    ///
    /// If this thread leads, `work` does the jobs that it takes, at least the first, and returns their results in that
    /// order. No two threads work at once.
    pub(crate) fn submit(&self, job: J, work: impl Fn(&mut dyn FnMut() -> Option<J>) -> Vec<R>) -> Option<R> {
        let mut state = lock(&self.state);
        let number = state.next;
        state.next = number.wrapping_add(1);
        state.waiting.push_back((number, job));
        loop {
            if let Some(result) = state.done.remove(&number) {
                return result;
            }
            if state.led {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.led = true;
            drop(state);
            let mut taken = Vec::new();
            let mut next = || {
                let (number, job) = lock(&self.state).waiting.pop_front()?;
                taken.push(number);
                Some(job)
            };
            let mut worked = catch_unwind(AssertUnwindSafe(|| work(&mut next)));
            state = lock(&self.state);
            state.led = false;
            self.changed.notify_all();
            let mut results = worked.as_mut().map(mem::take).unwrap_or_default().into_iter();
            state.done.extend(taken.into_iter().map(|number| (number, results.next())));
            if let Err(panic) = worked {
                state.done.remove(&number);
                drop(state);
                resume_unwind(panic);
            }
        }
    }
}
