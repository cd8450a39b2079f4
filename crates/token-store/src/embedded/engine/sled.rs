//! sled 0.34.7: one directory, a log of pages. It gets no more releases, and has faults that we guard against:
//!
//! - Its flush calls `sync_file_range`, which survives no power cut. We sync its file after each flush, and the
//!   directories when they are made.
//! - A snapshot in flight at a crash or on a full disk, `snap.*.generating`, makes every later open fail, though
//!   nothing needs it. We set it aside, and neither open nor write with little space left.
//! - Pages above a quarter of a segment go to files of their own under `blobs`, which it never syncs. Segments are
//!   large enough, and keys and values small enough ([`codec::MAX_LEN`]), that no page gets there.
//! - It shows a batch to readers before it is on disk. Readers wait for the commit.
//! - `pop_min` and its like have given one key to many threads. We do not use them.
//! - It mistakes damage in the newest part of its log for the torn end of a write, and silently drops everything after
//!   it: spent tokens become valid again. Each batch therefore counts the commits, and the marker file holds a lower
//!   bound of their number. We refuse a log that holds fewer. Writing the bound costs no sync: after a power cut it may
//!   be behind, never ahead.
//! - It also mistakes an error of the disk for the torn end of its log, and overwrites what it could not read. We read
//!   the whole log before sled does.
//! - It panics on damaged files. We catch panics in every call.
//! - It waits for ever if it gets no threads, as in a process forked from one that used it. We first try to start as
//!   many ([`require_own_threads`]).
//! - Its flush may never return if a write failed. We make sure that it does ([`Watched`]).

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process,
    sync::{Arc, OnceLock, RwLock, RwLockReadGuard},
    thread,
    time::{Duration, Instant},
};

use ::sled::{Config, Db, Error};
use marker::Marker;
use watched::Watched;

use crate::{
    StoreError,
    contract::codec,
    disk::{self, refused},
    embedded::engine::{Batch, Engine, Pair, View},
    embedded::layout,
    embedded::place::Place,
};

mod marker;
mod watched;

/// The free space in bytes below which we neither open nor write: four segments, twice what a commit and a snapshot
/// take.
const MIN_FREE: u64 = 8 * 1024 * 1024;

/// The further free space in bytes that is reserved for purges, so that a store that has filled its disk can be opened
/// and purged: four segments. A purge of 29,000 records took one.
const FOR_PURGES: u64 = 8 * 1024 * 1024;

/// The length of a segment in bytes, fixed for the life of a store.
const SEGMENT_LEN: usize = 2 * 1024 * 1024;

// A leaf holds 16 pairs and an inner page 256 keys, each one more before it is split, and both ends of its range.
const _: () = assert!((16 + 3) * codec::MAX_LEN < SEGMENT_LEN / 4);
const _: () = assert!((256 + 3) * codec::MAX_KEY_LEN < SEGMENT_LEN / 4);

/// The size of the page cache in bytes.
const CACHE_LEN: u64 = 64 * 1024 * 1024;

/// The number of threads that sled starts when it is first used, and one of ours.
const THREADS: u32 = 8;

/// How long sled's threads may hold its lock after a store is dropped. We hold the marker, so that no other store of
/// ours has the files open; a foreign program holds the lock for longer.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(2);

pub(crate) struct Sled {
    dir: PathBuf,
    place: Place,
    state: RwLock<State>,
}

pub(crate) struct State {
    watched: Watched,
    // sled's own file, to sync it.
    file: File,
    // The number of commits.
    commits: u64,
    // Unlocks the store, after sled is dropped.
    marker: Marker,
}

impl Sled {
    /// Creates a store at `path`, and opens it.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let mut marker = Marker::create(path)?;
        match marker.read()? {
            None => {
                clear_cut_conf(path).map_err(refused)?;
                Self::start(path, marker, None)
            }
            Some(_) => Err(StoreError::Exists { path: path.to_owned() }),
        }
    }

    /// Opens the store at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut marker = Marker::open(path)?;
        let least = marker.read()?.ok_or_else(|| StoreError::NotFound { path: path.to_owned() })?;
        if !(path.join("db").is_file() && path.join("conf").is_file()) {
            return Err(StoreError::Corrupt { what: "a file of sled's is gone" });
        }
        Self::start(path, marker, Some(least))
    }

    /// Returns the path of the file that is locked while the store at `path` is open.
    pub(crate) fn locked(path: &Path) -> PathBuf {
        path.join(marker::NAME)
    }

    // Starts sled. `least` is the least number of commits that its log must hold; `None` for a store to complete.
    fn start(path: &Path, mut marker: Marker, least: Option<u64>) -> Result<Self, StoreError> {
        require_own_threads()?;
        require_readable(path).map_err(refused)?;
        set_aside_snapshots(path).map_err(refused)?;
        require_space(path, MIN_FREE)?;
        // The process may change its working directory.
        let dir = std::path::absolute(path).map_err(refused)?;
        guarded(|| {
            let db = open_db(path, &dir)?;
            let file = File::open(path.join("db")).map_err(refused)?;
            let commits = match least {
                Some(least) => recovered(&db, least)?,
                None => finish(path, &db, &file, &mut marker)?,
            };
            let watched = Watched::new(db)?;
            let files = [(&*path.join("db"), &file), (&*Self::locked(path), &marker.file)];
            let place = Place::of(path, &files).map_err(refused)?;
            place.require()?;
            let state = RwLock::new(State { watched, file, commits, marker });
            Ok(Self { dir, place, state })
        })
    }
}

impl Engine for Sled {
    type View<'a> = RwLockReadGuard<'a, State>;

    const GROUPS: bool = true;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        let state = self.state.read().map_err(|_| StoreError::Poisoned)?;
        self.place.require_lately()?;
        Ok(state)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut state = self.state.write().map_err(|_| StoreError::Poisoned)?;
        self.place.require()?;
        require_space(&self.dir, least_free(&batch))?;
        let mut changes = ::sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => changes.insert(key.as_slice(), value.as_slice()),
                None => changes.remove(key.as_slice()),
            }
        }
        let commits = state.commits.saturating_add(1);
        changes.insert(layout::COMMITS, commits.to_be_bytes().to_vec());
        let written = catch_unwind(AssertUnwindSafe(|| {
            state.watched.write(changes)?;
            state.file.sync_data()?;
            Ok::<(), Error>(())
        }));
        if let Ok(Ok(())) = written {
            state.commits = commits;
            // The commit is durable. If its number cannot be written, no further commit is accepted.
            let noted = state.marker.write(commits);
            let outcome = self.place.settle(Ok(()));
            if noted.is_err() {
                self.place.fail();
            }
            return outcome;
        }
        self.place.settle(Err(StoreError::Unknown(match written {
            Ok(Err(Error::Io(error))) => Some(Arc::new(original(error))),
            _ => None,
        })))
    }
}

impl View for RwLockReadGuard<'_, State> {
    fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        guarded(|| Ok(self.watched.db.get(key).map_err(reading)?.map(|value| value.to_vec().into())))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        guarded(|| {
            let pair = |item: Result<_, _>| {
                let (key, value): (::sled::IVec, ::sled::IVec) = item.map_err(reading)?;
                Ok((key.to_vec(), value.to_vec()))
            };
            self.watched.db.range(from..to).take(limit).map(pair).collect()
        })
    }
}

// sled starts its threads when it is first used, for all databases of the process. A process that is forked later has
// none of them, and would wait for ever.
fn require_own_threads() -> Result<(), StoreError> {
    static FIRST_USED_BY: OnceLock<u32> = OnceLock::new();
    if *FIRST_USED_BY.get_or_init(process::id) != process::id() {
        return Err(StoreError::Forked);
    }
    // sled would also wait for ever if it got no threads. Ours are all started before any of them ends.
    let gate = RwLock::new(());
    let held = gate.write();
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(gate.read())).map(drop);
        let started = (0..THREADS).try_for_each(start);
        drop(held);
        started
    })
    .map_err(refused)
}

fn open_db(path: &Path, dir: &Path) -> Result<Db, StoreError> {
    let config = Config::new()
        .path(dir)
        .segment_size(SEGMENT_LEN)
        .cache_capacity(CACHE_LEN)
        // Every commit flushes; sled must not write on its own.
        .flush_every_ms(None);
    let begun = Instant::now();
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && begun.elapsed() < UNLOCKED_WITHIN => {
                thread::sleep(Duration::from_millis(1))
            }
            Err(error) if is_locked(&error) => return Err(StoreError::AlreadyOpen { path: path.to_owned() }),
            outcome => return outcome.map_err(reading),
        }
    }
}

// sled reports its own lock as an error without an error code of the system, and reports no other error like it.
fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none())
}

// Returns the number of commits if none is missing.
fn recovered(db: &Db, least: u64) -> Result<u64, StoreError> {
    layout::require_format(db.get(layout::FORMAT).map_err(reading)?.as_deref())?;
    let commits = db.get(layout::COMMITS).map_err(reading)?;
    match commits.and_then(|value| value.as_ref().try_into().ok()).map(u64::from_be_bytes) {
        Some(commits) if commits >= least => Ok(commits),
        _ => Err(StoreError::Corrupt { what: "sled lost the end of its log" }),
    }
}

// Completes a new store, or one whose creation was interrupted: it cannot hold any record yet.
fn finish(dir: &Path, db: &Db, file: &File, marker: &mut Marker) -> Result<u64, StoreError> {
    for key in db.iter().keys() {
        let key = key.map_err(reading)?;
        if key != layout::FORMAT && key != layout::COMMITS {
            return Err(StoreError::Corrupt { what: "there is data in a store that was never completed" });
        }
    }
    db.insert(layout::FORMAT, layout::VERSION.to_be_bytes().to_vec()).map_err(reading)?;
    db.insert(layout::COMMITS, 0_u64.to_be_bytes().to_vec()).map_err(reading)?;
    db.flush().map_err(reading)?;
    let sync = || {
        let (conf, blobs) = (dir.join("conf"), dir.join("blobs"));
        // sled leaves them with the permissions of the directory, which may have existed before.
        disk::keep_to_owner(&dir.join("db"))?;
        disk::keep_to_owner(&conf)?;
        disk::keep_to_owner(&blobs)?;
        file.sync_all()?;
        File::open(conf)?.sync_all()?;
        disk::sync_dir(&blobs)?;
        disk::sync_dir(dir)
    };
    sync().and_then(|()| marker.complete()).map_err(refused)?;
    Ok(0)
}

// sled writes `conf` before there is a log, and never accepts one that a crash cut short.
fn clear_cut_conf(dir: &Path) -> io::Result<()> {
    match disk::found(fs::metadata(dir.join("db")))? {
        Some(log) if log.len() > 0 => Ok(()),
        _ => disk::found(fs::remove_file(dir.join("conf"))).map(drop),
    }
}

fn set_aside_snapshots(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(text) = name.to_str() else { continue };
        if text.starts_with("snap.") && text.ends_with(".generating") {
            fs::rename(dir.join(&name), dir.join(format!("aside.{text}")))?;
        }
    }
    Ok(())
}

fn require_space(dir: &Path, least: u64) -> Result<(), StoreError> {
    match fs2::available_space(dir) {
        Ok(free) if free < least => Err(StoreError::Full),
        Ok(_) => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

// A purge removes more than it writes. It may use the space that all other writes leave free.
fn least_free(batch: &Batch) -> u64 {
    let removed = batch.values().filter(|value| value.is_none()).count();
    match removed > batch.len().saturating_sub(removed) {
        true => MIN_FREE,
        false => MIN_FREE.saturating_add(FOR_PURGES),
    }
}

// sled mistakes a part of its log that it cannot read for the torn end of a write, and overwrites it: one passing error
// of the disk would cost everything behind it. Once read, the log is in the page cache of the system.
fn require_readable(dir: &Path) -> io::Result<()> {
    match disk::found(File::open(dir.join("db")))? {
        Some(log) => io::copy(&mut BufReader::with_capacity(64 * 1024, log), &mut io::sink()).map(drop),
        None => Ok(()),
    }
}

fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(StoreError::Corrupt { what: "sled panicked" }))
}

fn reading(error: Error) -> StoreError {
    match error {
        Error::Io(error) => refused(original(error)),
        _ => StoreError::Corrupt { what: "sled found damage" },
    }
}

// sled passes an error of the system to each of its threads as a text, `Os { code: 5, ... }`.
fn original(error: io::Error) -> io::Error {
    let text = error.get_ref().map(ToString::to_string);
    let code =
        text.as_deref().and_then(|text| text.strip_prefix("Os { code: ")?.split(',').next()?.parse().ok());
    code.map_or(error, io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The worst case for one page: the longest keys, which share only their beginning, and the longest values.
    #[test]
    fn no_page_becomes_a_blob() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Sled::create(dir.path()).unwrap();
        let key = |number: u32| [&number.to_be_bytes()[..], &vec![0xa5; codec::MAX_KEY_LEN - 4]].concat();
        for number in (0..600_u32).map(|number| number.wrapping_mul(0x9e37_79b9)) {
            let value = vec![0x5a; codec::MAX_LEN - codec::MAX_KEY_LEN];
            engine.commit(Batch::from([(key(number), Some(value))])).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
        assert_eq!(engine.view().unwrap().scan(&[0], &[0xff; 5], usize::MAX).unwrap().len(), 602);
    }

    #[test]
    fn the_last_of_the_space_is_for_batches_that_remove_more_than_they_put() {
        let least = |put: u8, removed: u8| {
            let put = (0..put).map(|key| (vec![0, key], Some(Vec::new())));
            least_free(&put.chain((0..removed).map(|key| (vec![1, key], None))).collect())
        };
        assert_eq!([least(0, 1), least(1, 2), least(0, 0)], [MIN_FREE, MIN_FREE, MIN_FREE + FOR_PURGES]);
        assert_eq!([least(1, 0), least(2, 2), least(9, 1)], [MIN_FREE + FOR_PURGES; 3]);
    }

    #[test]
    fn errors_are_told_in_the_words_of_the_system() {
        let passed_on = Error::Io(io::Error::from_raw_os_error(5)).clone();
        let StoreError::Io(told) = reading(passed_on) else { panic!("an error of the disk") };
        assert_eq!(told.raw_os_error(), Some(5));
        let StoreError::Io(told) = reading(Error::Io(io::Error::other("its own"))) else {
            panic!("as it was")
        };
        assert_eq!(told.to_string(), "its own");
    }

    #[test]
    fn nothing_is_read_or_written_after_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Sled::create(dir.path()).unwrap();
        engine.place.fail();
        assert!(matches!(engine.view().map(drop), Err(StoreError::Poisoned)));
        assert!(matches!(engine.commit(Batch::from([(vec![9], None)])), Err(StoreError::Poisoned)));
    }
}
