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
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ::sled::{Batch, Db, Error};

use crate::{StoreError, disk::refused, sync::lock};

/// How long a flush may take before another one is begun, and how often the thread looks.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held by the store of this process that writes.
static WRITING: Mutex<()> = Mutex::new(());

/// A database, and a thread that watches its flushes.
pub(super) struct Watched {
    pub(super) db: Db,
    // The thread looks here once in a while: waking it twice for each flush would cost some microseconds.
    flight: Arc<Mutex<Option<Flight>>>,
    // `Some` until dropped: see `drop`.
    watch: Option<(Sender<()>, JoinHandle<()>)>,
}

/// A flush in flight.
struct Flight {
    begun: Instant,
    patience: Duration,
}

impl Flight {
    fn begin() -> Self {
        Self { begun: Instant::now(), patience: PATIENCE }
    }

    /// Returns whether the flush needs help at this age. From then on the patience with it is twice its age.
    fn needs_help(&mut self, age: Duration) -> bool {
        let needs_help = age >= self.patience;
        if needs_help {
            self.patience = age.saturating_mul(2);
        }
        needs_help
    }
}

impl Watched {
    pub(super) fn new(db: Db) -> Result<Self, StoreError> {
        let flight = Arc::new(Mutex::new(None::<Flight>));
        let (stop, stopped) = mpsc::channel();
        let (stuck, watched) = (db.clone(), Arc::clone(&flight));
        let watch = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PATIENCE) {
                if lock(&watched).as_mut().is_some_and(|flight| flight.needs_help(flight.begun.elapsed())) {
                    let db = stuck.clone();
                    // If no thread can be started now, a later attempt may succeed.
                    drop(start(move || drop(db.flush())));
                }
            }
        };
        let thread = start(watch).map_err(refused)?;
        Ok(Self { db, flight, watch: Some((stop, thread)) })
    }

    /// Returns when the batch and all before it are written, or have failed.
    pub(super) fn write(&self, batch: Batch) -> Result<(), Error> {
        let _alone = lock(&WRITING);
        self.db.apply_batch(batch)?;
        *lock(&self.flight) = Some(Flight::begin());
        let flushed = self.db.flush();
        *lock(&self.flight) = None;
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

fn start(run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("onetoken-sled".to_owned()).spawn(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flush_is_helped_ever_less_often() {
        let mut flight = Flight::begin();
        let helped: Vec<u32> = (0..20).filter(|age| flight.needs_help(PATIENCE * *age)).collect();
        assert_eq!(helped, [1, 2, 4, 8, 16]);
        // As if the thread had not run for long.
        assert!(flight.needs_help(PATIENCE * 100) && !flight.needs_help(PATIENCE * 199));
        assert!(Flight::begin().needs_help(PATIENCE), "the patience with one does not count for the next");
    }

    #[test]
    fn a_flush_that_has_ended_is_in_flight_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let db = ::sled::Config::new().path(dir.path()).flush_every_ms(None).open().unwrap();
        let watched = Watched::new(db).unwrap();
        watched.write(Batch::default()).unwrap();
        assert!(lock(&watched.flight).is_none());
    }
}
