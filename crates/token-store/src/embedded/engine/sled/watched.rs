//! A flush that returns if the disk fails.
//!
//! sled writes a batch in two parts, each by a thread of its own: the head, which says where the batch ends, and the
//! rest. If writing the head fails, it notes that and wakes no thread (`Log::exit_reservation`). If the rest is on disk
//! by then, nothing wakes the flush any more. But a flush that finds such a note wakes all others
//! (`make_stable_inner`). So another flush, begun later, frees the first. It may come before the failure and then waits
//! like the first: so we begin more of them, at growing intervals.
//!
//! A batch waits for all flushes in the process, also those of other stores, and no further flush begins while it
//! waits. So our batches wait before they reach sled.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ::sled::{Batch, Db, Error};

use crate::{StoreError, disk::refused};

/// How long a flush may take before another one is begun. Each following interval is twice as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held by the store of this process that writes.
static WRITING: Mutex<()> = Mutex::new(());

/// A database, and a thread that watches its flushes.
pub(super) struct Watched {
    pub(super) db: Db,
    // `Some` until dropped: see `drop`.
    watch: Option<(Sender<Flush>, JoinHandle<()>)>,
}

#[derive(Clone, Copy)]
enum Flush {
    Begun,
    Ended,
}

impl Watched {
    pub(super) fn new(db: Db) -> Result<Self, StoreError> {
        let (flushes, watched) = mpsc::channel();
        let stuck = db.clone();
        let help = move || {
            let db = stuck.clone();
            // If no thread can be started now, a later attempt may succeed.
            drop(start(move || drop(db.flush())));
        };
        // With the longest patience it waits without end.
        let thread =
            start(move || watch(|patience| watched.recv_timeout(patience), help)).map_err(refused)?;
        Ok(Self { db, watch: Some((flushes, thread)) })
    }

    /// Returns when the batch and all before it are written, or have failed.
    pub(super) fn write(&self, batch: Batch) -> Result<(), Error> {
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        self.db.apply_batch(batch)?;
        self.tell(Flush::Begun);
        let flushed = self.db.flush();
        self.tell(Flush::Ended);
        flushed.map(drop)
    }

    fn tell(&self, flush: Flush) {
        if let Some((flushes, _)) = &self.watch {
            let _sent = flushes.send(flush);
        }
    }
}

// The thread holds the database open.
impl Drop for Watched {
    fn drop(&mut self) {
        if let Some((flushes, thread)) = self.watch.take() {
            drop(flushes);
            drop(thread.join());
        }
    }
}

fn start(run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("onetoken-sled".to_owned()).spawn(run)
}

// Receives each flush as it begins and as it ends. A flush that panics does not end; the next one takes its place.
fn watch(mut receive: impl FnMut(Duration) -> Result<Flush, RecvTimeoutError>, help: impl Fn()) {
    let mut patience = Duration::MAX;
    loop {
        patience = match receive(patience) {
            Ok(Flush::Begun) => PATIENCE,
            Ok(Flush::Ended) => Duration::MAX,
            Err(RecvTimeoutError::Timeout) => {
                help();
                patience.saturating_mul(2)
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn every_flush_is_helped_ever_less_often() {
        let (begun, ended, late) = (Ok(Flush::Begun), Ok(Flush::Ended), Err(RecvTimeoutError::Timeout));
        let mut received = [begun, late, late, late, ended, begun, late, begun, late, ended].into_iter();
        let (waited, helped) = (RefCell::new(Vec::new()), Cell::new(0));
        let receive = |patience| {
            waited.borrow_mut().push(patience);
            received.next().unwrap_or(Err(RecvTimeoutError::Disconnected))
        };
        watch(receive, || helped.set(helped.get() + 1));
        let forever = Duration::MAX;
        let [one, two, four, eight] = [1, 2, 4, 8].map(|times| PATIENCE * times);
        // The patience spent on one flush does not count for the next.
        assert_eq!(*waited.borrow(), [forever, one, two, four, eight, forever, one, two, one, two, forever]);
        assert_eq!(helped.get(), 5);
    }
}
