//! Who does the work of many: callers hand in jobs, one of them at a time does all that are waiting.
//!
//! Whoever finds nobody at work leads: takes jobs in the order in which they came, its own first, hands out the
//! results, and passes the lead to whoever has waited longest. So a lone caller waits for nobody, nobody is
//! overtaken, no thread is kept for it, and there is no timer.

use std::{collections::VecDeque, mem, sync::PoisonError};

use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

pub(crate) struct Queue<J, R>(Mutex<State<J, R>>);

/// While nobody leads, nobody waits.
struct State<J, R> {
    led: bool,
    waiting: VecDeque<(J, Arc<Slot<R>>)>,
}

/// Where one caller waits.
struct Slot<R> {
    turn: Mutex<Turn<R>>,
    changed: Condvar,
}

enum Turn<R> {
    Wait,
    Lead,
    /// `None` where the one who led gave no result.
    Done(Option<R>),
}

impl<J, R> Queue<J, R> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { led: false, waiting: VecDeque::new() }))
    }

    /// Has a job done, by this thread or another, and returns its result; `None` where whoever did it panicked or
    /// gave none.
    ///
    /// If it falls to this thread, `work` does the jobs that it is given, as many as it asks for: at least the
    /// first. It returns their results in that order. No two threads are at work at once.
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

    /// The result, or `None` to lead.
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

/// The lead, which passes on when dropped, also by a panic.
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
        // Last, so that those who come again at once are part of the next round.
        let mut state = lock(&self.queue.0);
        match state.waiting.front() {
            Some((_, slot)) => slot.set(Turn::Lead),
            None => state.led = false,
        }
    }
}

// No panic of ours leaves a lock's content half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
