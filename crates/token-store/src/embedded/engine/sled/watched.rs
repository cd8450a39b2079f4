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
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ::sled::{Batch, Db, Error};

use crate::{StoreError, disk::refused};

/// How long a flush may take before another one is begun. The following intervals are as long, twice as long, and so
/// on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held by the store of this process that writes.
static WRITING: Mutex<()> = Mutex::new(());

/// A database, and a thread that watches its flushes.
pub(super) struct Watched {
    pub(super) db: Db,
    // The number of flushes begun plus the number ended: odd while one is in flight.
    flushes: Arc<AtomicU64>,
    // `Some` until dropped: see `drop`.
    watch: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Watched {
    pub(super) fn new(db: Db) -> Result<Self, StoreError> {
        let flushes = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("onetoken-sled".to_owned()).spawn({
            let (db, flushes) = (db.clone(), Arc::clone(&flushes));
            move || watch(&db, &flushes, &stopped)
        });
        let thread = thread.map_err(refused)?;
        Ok(Self { db, flushes, watch: Some((stop, thread)) })
    }

    /// Returns when the batch and all before it are written, or have failed.
    pub(super) fn write(&self, batch: Batch) -> Result<(), Error> {
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        self.db.apply_batch(batch)?;
        self.flushes.fetch_add(1, Ordering::Relaxed);
        let flushed = self.db.flush();
        self.flushes.fetch_add(1, Ordering::Relaxed);
        flushed.map(drop)
    }
}

// The thread holds the database open.
impl Drop for Watched {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watch.take() {
            drop(stop);
            drop(thread.join());
        }
    }
}

fn watch(db: &Db, flushes: &AtomicU64, stopped: &Receiver<()>) {
    let mut patience = Patience::default();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PATIENCE) {
        if patience.is_over(flushes.load(Ordering::Relaxed)) {
            let db = db.clone();
            // If no thread can be started now, a later attempt may succeed.
            drop(thread::Builder::new().name("onetoken-sled".to_owned()).spawn(move || drop(db.flush())));
        }
    }
}

/// How often in a row the same flush was in flight.
#[derive(Default)]
struct Patience {
    seen: u64,
    times: u32,
}

impl Patience {
    // Called at even intervals. The patience spent on one flush does not count for the next.
    fn is_over(&mut self, flushes: u64) -> bool {
        self.times = if flushes == self.seen && flushes % 2 == 1 { self.times.saturating_add(1) } else { 0 };
        self.seen = flushes;
        self.times.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flush_is_helped_ever_less_often() {
        let mut patience = Patience::default();
        let mut helped = |flushes, times: u32| (0..times).filter(|_| patience.is_over(flushes)).count();
        assert_eq!(helped(0, 100), 0, "none is underway");
        // Found once, then 1, 2, 4, ... times again.
        assert_eq!((helped(1, 1), helped(1, 1), helped(1, 1), helped(1, 1), helped(1, 1)), (0, 1, 1, 0, 1));
        assert_eq!(helped(1, 3596), 9);
        assert_eq!(helped(2, 1), 0, "it has ended");
        assert_eq!((helped(3, 1), helped(3, 1)), (0, 1), "the next waits no longer for it");
    }
}
