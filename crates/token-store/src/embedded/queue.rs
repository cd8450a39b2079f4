//! A queue of jobs: callers hand in jobs, and one of them at a time does all that wait.
//!
//! A caller that finds no leader becomes the leader. It takes jobs in the order of their arrival, its own first, hands
//! out the results, and passes the lead to the caller that has waited longest. So a lone caller never waits, no caller
//! is overtaken, and there is no extra thread and no timer.

use std::{collections::VecDeque, mem, sync::PoisonError};

use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

pub(crate) struct Queue<J, R>(Mutex<State<J, R>>);

/// While there is no leader, no caller waits.
struct State<J, R> {
    led: bool,
    waiting: VecDeque<(J, Arc<Slot<R>>)>,
}

/// The place where one caller waits.
struct Slot<R> {
    turn: Mutex<Turn<R>>,
    changed: Condvar,
}

enum Turn<R> {
    Wait,
    Lead,
    /// `None` if the leader returned no result.
    Done(Option<R>),
}

impl<J, R> Queue<J, R> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { led: false, waiting: VecDeque::new() }))
    }

    /// Submits a job and returns its result. This thread or another does the job; `None` if that thread panicked or
    /// returned no result for it.
    ///
    /// If this thread leads, `work` does the jobs that it takes, at least the first, and returns their results in that
    /// order. No two threads work at once.
    pub(crate) fn submit(
        &self,
        job: J,
        work: impl FnOnce(&mut dyn FnMut() -> Option<J>) -> Vec<R>,
    ) -> Option<R> {
        let slot = Arc::new(Slot { turn: Mutex::new(Turn::Wait), changed: Condvar::new() });
        let leads = {
            let mut state = lock(&self.0);
            state.waiting.push_back((job, Arc::clone(&slot)));
            !mem::replace(&mut state.led, true)
        };
        if !leads && let Some(result) = slot.wait() {
            return result;
        }
        {
            let mut lead = Lead { queue: self, taken: Vec::new(), results: Vec::new() };
            let results = work(&mut || lead.next());
            lead.results = results;
        }
        slot.wait().flatten()
    }
}

impl<R> Slot<R> {
    fn set(&self, turn: Turn<R>) {
        *lock(&self.turn) = turn;
        self.changed.notify_one();
    }

    /// Waits for the result, or for `None`, which means to lead.
    fn wait(&self) -> Option<Option<R>> {
        let mut turn = lock(&self.turn);
        loop {
            match mem::replace(&mut *turn, Turn::Wait) {
                Turn::Wait => turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner),
                Turn::Lead => return None,
                Turn::Done(result) => return Some(result),
            }
        }
    }
}

/// The lead, which is passed on when dropped, also after a panic.
struct Lead<'a, J, R> {
    queue: &'a Queue<J, R>,
    taken: Vec<Arc<Slot<R>>>,
    results: Vec<R>,
}

impl<J, R> Lead<'_, J, R> {
    fn next(&mut self) -> Option<J> {
        let (job, slot) = lock(&self.queue.0).waiting.pop_front()?;
        self.taken.push(slot);
        Some(job)
    }
}

impl<J, R> Drop for Lead<'_, J, R> {
    fn drop(&mut self) {
        let mut results = mem::take(&mut self.results).into_iter();
        for slot in self.taken.drain(..) {
            slot.set(Turn::Done(results.next()));
        }
        // Last, so that callers that return at once join the next round.
        let mut state = lock(&self.queue.0);
        match state.waiting.front() {
            Some((_, slot)) => slot.set(Turn::Lead),
            None => state.led = false,
        }
    }
}

// A panic of ours never leaves a lock's content half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
