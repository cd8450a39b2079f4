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
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
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
    watch: Option<(Sender<()>, JoinHandle<()>)>,
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
        let thread = start(move || watch(&watched, PATIENCE, help)).map_err(refused)?;
        Ok(Self { db, watch: Some((flushes, thread)) })
    }

    /// Returns when the batch and all before it are written, or have failed.
    pub(super) fn write(&self, batch: Batch) -> Result<(), Error> {
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        self.db.apply_batch(batch)?;
        self.tell();
        let flushed = self.db.flush();
        self.tell();
        flushed.map(drop)
    }

    // The thread learns that a flush begins or has ended.
    fn tell(&self) {
        if let Some((flushes, _)) = &self.watch {
            let _sent = flushes.send(());
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

// Receives twice for each flush: when it begins and when it has ended.
fn watch(flushes: &Receiver<()>, patience: Duration, help: impl Fn()) {
    while flushes.recv().is_ok() {
        let mut patience = patience;
        while let Err(RecvTimeoutError::Timeout) = flushes.recv_timeout(patience) {
            help();
            patience = patience.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn every_flush_is_helped_ever_less_often() {
        let unit = Duration::from_millis(100);
        let ((flushes, watched), (help, helped)) = (mpsc::channel(), mpsc::channel());
        let thread = thread::spawn(move || watch(&watched, unit, || help.send(Instant::now()).unwrap()));
        assert!(helped.recv_timeout(unit * 3).is_err(), "none is underway");
        let mut begun = Instant::now();
        flushes.send(()).unwrap();
        for times in [1, 2, 4] {
            let at = helped.recv().unwrap();
            assert!(at - begun >= unit * times);
            begun = at;
        }
        flushes.send(()).unwrap();
        assert!(helped.recv_timeout(unit * 10).is_err(), "it has ended");
        begun = Instant::now();
        flushes.send(()).unwrap();
        assert!(helped.recv().unwrap() - begun < unit * 8, "the next waits no longer for it");
        drop(flushes);
        thread.join().unwrap();
    }
}
