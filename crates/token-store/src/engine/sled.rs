//! sled 0.34.7: one directory, a log of pages. It gets no more releases, and has faults that we guard against:
//!
//! - Its flush calls `sync_file_range`, which survives no power cut. We sync its file after each flush, and the
//!   directories when they are made.
//! - A snapshot that was being written at a crash or on a full disk, `snap.*.generating`, makes every later open
//!   fail, though nothing needs it. We set it aside, and neither open nor write with little space left.
//! - Pages above a quarter of a segment go to files of their own under `blobs`, which it never syncs. Segments
//!   are large enough, and keys and values small enough ([`codec::MAX_LEN`]), that no page gets there.
//! - It shows a batch to readers before it is on disk. Readers wait for the commit.
//! - `pop_min` and its like have given one key to many threads. They are not used.
//! - It panics on damaged files. Every call is caught.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, RwLock, RwLockReadGuard},
    thread,
    time::{Duration, Instant},
};

use ::sled::{Config, Db, Error};

use crate::{
    StoreError, codec,
    disk::{self, refused},
    engine::{Batch, Engine, Pair, View},
    layout,
};

/// Below this, neither opened nor written, in bytes: four segments, twice what a commit and a snapshot take.
const MIN_FREE: u64 = 8 * 1024 * 1024;

/// The length of a segment in bytes, which a store keeps for ever.
const SEGMENT_LEN: usize = 2 * 1024 * 1024;

// A leaf holds 16 pairs and an inner page 256 keys, each one more before it is split, and both ends of its range.
const _: () = assert!((16 + 3) * codec::MAX_LEN < SEGMENT_LEN / 4);
const _: () = assert!((256 + 3) * codec::MAX_KEY_LEN < SEGMENT_LEN / 4);

/// How many bytes of pages are kept in memory.
const CACHE_LEN: u64 = 64 * 1024 * 1024;

/// After a store is dropped, threads of sled's hold its lock for a moment more. We hold the marker, so that nobody
/// else has the store open; a foreign program that does is told apart by its patience.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(2);

/// The file that makes a directory ours. It is locked while the store is open; it is empty, or cut short, until
/// the store in it is complete, and never changes after that.
const MARKER: &str = "onetoken-store";
const MARKER_TEXT: &str = "onetoken sled store ";

pub(crate) struct Sled {
    dir: PathBuf,
    state: RwLock<State>,
}

pub(crate) struct State {
    db: Db,
    // sled's own file, to sync it.
    file: File,
    // Set after a commit of unknown outcome, when even reads could tell what is not so on disk.
    failed: bool,
    // Unlocks the store, after sled has gone.
    _marker: File,
}

impl Sled {
    /// Opens the store at `path`, or makes one where there is nothing or an empty directory.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut marker = lock(path)?;
        let complete = is_complete(&mut marker)?;
        if complete && !(path.join("db").is_file() && path.join("conf").is_file()) {
            return Err(StoreError::Corrupt { what: "a file of sled's is gone" });
        }
        set_aside_snapshots(path).map_err(refused)?;
        require_space(path)?;
        guarded(|| {
            let db = open_db(path)?;
            let file = File::open(path.join("db")).map_err(refused)?;
            if complete {
                let format = db.get(layout::format()).map_err(reading)?;
                let format =
                    format.ok_or(StoreError::Corrupt { what: "the version of the layout is gone" })?;
                layout::check_format(&format)?;
            } else {
                finish(path, &db, &file, &mut marker)?;
            }
            let state = RwLock::new(State { db, file, failed: false, _marker: marker });
            Ok(Self { dir: path.to_owned(), state })
        })
    }
}

impl Engine for Sled {
    type View<'a> = RwLockReadGuard<'a, State>;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        let state = self.state.read().map_err(|_| StoreError::Poisoned)?;
        if state.failed { Err(StoreError::Poisoned) } else { Ok(state) }
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.state.write().map_err(|_| StoreError::Poisoned)?;
        if state.failed {
            return Err(StoreError::Poisoned);
        }
        require_space(&self.dir)?;
        let mut changes = ::sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => changes.insert(key.as_slice(), value.as_slice()),
                None => changes.remove(key.as_slice()),
            }
        }
        let written = catch_unwind(AssertUnwindSafe(|| {
            state.db.apply_batch(changes)?;
            state.db.flush()?;
            state.file.sync_data()?;
            Ok(())
        }));
        written.unwrap_or(Err(Error::Unsupported(String::new()))).map_err(|error| {
            state.failed = true;
            StoreError::Unknown(match error {
                Error::Io(error) => Some(Arc::new(error)),
                _ => None,
            })
        })
    }
}

impl View for RwLockReadGuard<'_, State> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded(|| Ok(self.db.get(key).map_err(reading)?.map(|value| value.to_vec())))
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        guarded(|| {
            let pair = |item: Result<_, _>| {
                let (key, value): (::sled::IVec, ::sled::IVec) = item.map_err(reading)?;
                Ok((key.to_vec(), value.to_vec()))
            };
            self.db.range(from..to).take(limit).map(pair).collect()
        })
    }
}

fn open_db(path: &Path) -> Result<Db, StoreError> {
    let config = Config::new()
        .path(path)
        .segment_size(SEGMENT_LEN)
        .cache_capacity(CACHE_LEN)
        // Every commit flushes; nothing else is to write behind our back.
        .flush_every_ms(None);
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(1))
            }
            Err(error) if is_locked(&error) => return Err(StoreError::AlreadyOpen { path: path.to_owned() }),
            outcome => return outcome.map_err(reading),
        }
    }
}

// sled gives its own lock as an error that no call to the system made, and no other error like it.
fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none())
}

// Makes sure that the directory is ours, or becomes so, and that nobody else has it open.
fn lock(dir: &Path) -> Result<File, StoreError> {
    match make_dir(dir) {
        Ok(()) => disk::sync_dir(disk::parent(dir)).map_err(refused)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(error)),
    }
    if !dir.is_dir() {
        return Err(not_a_store(dir, "something other than a directory"));
    }
    let marker = dir.join(MARKER);
    // Whoever makes a store makes the marker first.
    if !marker.exists() && fs::read_dir(dir).map_err(refused)?.next().is_some() && !marker.exists() {
        return Err(not_a_store(dir, "a directory with other files in it"));
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(marker).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::AlreadyOpen { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

fn is_complete(marker: &mut File) -> Result<bool, StoreError> {
    const KNOWN: u32 = layout::VERSION;
    let mut text = String::new();
    let damaged = StoreError::Corrupt { what: "the file onetoken-store" };
    marker.take(64).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => damaged.clone(),
        _ => refused(error),
    })?;
    match text.strip_prefix(MARKER_TEXT).and_then(|rest| rest.strip_suffix('\n')).map(str::parse) {
        Some(Ok(KNOWN)) => Ok(true),
        Some(Ok(found)) if found > KNOWN => Err(StoreError::NewerVersion { found, known: KNOWN }),
        None if marker_text().starts_with(&text) => Ok(false),
        _ => Err(damaged),
    }
}

fn marker_text() -> String {
    format!("{MARKER_TEXT}{}\n", layout::VERSION)
}

// Completes a new store, or one whose making was interrupted: nothing can have been kept in it yet.
fn finish(dir: &Path, db: &Db, file: &File, marker: &mut File) -> Result<(), StoreError> {
    let format = layout::format();
    for item in db.iter().keys() {
        if item.map_err(reading)? != format {
            return Err(StoreError::Corrupt { what: "there is data in a store that was never completed" });
        }
    }
    db.insert(format, layout::VERSION.to_be_bytes().to_vec()).map_err(reading)?;
    db.flush().map_err(reading)?;
    let durable = || {
        file.sync_all()?;
        File::open(dir.join("conf"))?.sync_all()?;
        disk::sync_dir(&dir.join("blobs"))?;
        disk::sync_dir(dir)?;
        marker.set_len(0)?;
        io::Seek::rewind(marker)?;
        marker.write_all(marker_text().as_bytes())?;
        marker.sync_all()?;
        disk::sync_dir(disk::parent(dir))
    };
    io_result(durable)
}

fn io_result(call: impl FnOnce() -> io::Result<()>) -> Result<(), StoreError> {
    call().map_err(refused)
}

#[cfg(unix)]
fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)
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

fn require_space(dir: &Path) -> Result<(), StoreError> {
    match fs2::available_space(dir) {
        Ok(free) if free < MIN_FREE => Err(StoreError::Full),
        Ok(_) => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(StoreError::Corrupt { what: "sled panicked" }))
}

fn not_a_store(path: &Path, found: &'static str) -> StoreError {
    StoreError::NotAStore { path: path.to_owned(), found }
}

fn reading(error: Error) -> StoreError {
    match error {
        Error::Io(error) => refused(error),
        _ => StoreError::Corrupt { what: "sled found damage" },
    }
}
