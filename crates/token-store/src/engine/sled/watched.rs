//! A flush that ends where the disk fails.
//!
//! sled writes a batch in two parts, each by a thread of its own: the head, which says where the batch ends, and the
//! rest. Where writing the head fails, it notes that and wakes nobody (`Log::exit_reservation`); if the rest is
//! on disk by then, whoever flushes has nothing more to be woken by. But a flush that finds such a note wakes all
//! others (`make_stable_inner`), so that it takes another one, begun later. It may come before the failure and then
//! waits like the first: there have to be more of them, ever less often.
//!
//! A batch waits for all flushes in the process, those of other stores too, and while it waits no further flush
//! begins. So our batches wait before they are handed to sled.

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

/// How long a flush may take before another one is begun; then twice as long, and so on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held by the one store of the process that writes.
static WRITING: Mutex<()> = Mutex::new(());

/// A database and a thread that watches over its flushes.
pub(super) struct Watched {
    db: Db,
    // How many flushes have begun and ended, taken together: odd while one is underway.
    flushes: Arc<AtomicU64>,
    // There until the end: see `drop`.
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

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Returns when the batch and all before it are written, or cannot be.
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
    let (mut wait, mut seen) = (PATIENCE, 0);
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
        let now = flushes.load(Ordering::Relaxed);
        wait = if now == seen && now % 2 == 1 {
            let db = db.clone();
            // Where there is no thread to be had, the next may be.
            drop(thread::Builder::new().name("onetoken-sled".to_owned()).spawn(move || drop(db.flush())));
            wait.saturating_mul(2)
        } else {
            PATIENCE
        };
        seen = now;
    }
}
