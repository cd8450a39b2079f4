//! redb 4.5: one file, copy-on-write B-trees.
//!
//! Each space of the layout is a table. redb fills a leaf only if the new key lies past the end of its table, and leaves
//! it half empty otherwise. In one table for all, only the last space would grow at the end.
//!
//! Each commit is durable ([`Durability::Immediate`]) and has two phases: the data is synced before the root that
//! points at it. So no checksum has to tell a crash from damage, which an attacker who shapes the data could forge.
//! Quick-repair stays off: it makes the open after a crash faster, but saves the allocator's state in every commit and
//! so halves the write rate. We check every page at each open anyway, since redb verifies no checksum when it reads;
//! that takes about a second per million records.

use std::{
    borrow::Cow,
    cell::OnceCell,
    fs,
    io::{self, Read},
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use ::redb::{
    CommitError, Database, DatabaseError, Durability, Error, ReadOnlyTable, ReadTransaction,
    ReadableDatabase, StorageError, TableDefinition, TableError, WriteTransaction, backends::FileBackend,
};

use crate::{
    StoreError,
    disk::{self, Draft},
    embedded::engine::{Batch, Engine, Pair, View},
    embedded::layout,
    embedded::place::Place,
};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;
type OpenTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// The table of each space, in order. Its keys lack their first byte, which names the space.
const TABLES: [(u8, Table); 10] = [
    (layout::META, Table::new("onetoken")),
    (layout::RECORD, Table::new("records")),
    (layout::RESOURCE, Table::new("resources")),
    (layout::ISSUER, Table::new("issuers")),
    (layout::EXPIRY, Table::new("expiries")),
    (layout::GENERATION, Table::new("generations")),
    (layout::SPENT, Table::new("spent")),
    (layout::LEFT, Table::new("left")),
    (layout::NAME, Table::new("names")),
    (layout::EVENT, Table::new("events")),
];

/// The first bytes of a redb file.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// The size of the page cache in bytes; redb's default is a gibibyte.
const CACHE_LEN: usize = 64 * 1024 * 1024;

pub(crate) struct Redb {
    database: Database,
    place: Place,
}

impl Redb {
    /// Creates a store at `path`, and opens it.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        create(path).and_then(|()| Self::open(path))
    }

    /// Opens the store at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let metadata = disk::existing(path, fs::metadata(path))?;
        if metadata.is_dir() {
            return Err(not_a_store(path, "a directory"));
        }
        if !metadata.is_file() {
            return Err(not_a_store(path, "something other than a file"));
        }
        let file = fs::OpenOptions::new().read(true).write(true).open(path).map_err(disk::refused)?;
        let mut magic = [0; MAGIC.len()];
        match (&file).read_exact(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(disk::refused(error)),
            // Also an empty file: it may be the remains of a store.
            _ => return Err(not_a_store(path, "a file of another kind")),
        }
        let place = Place::of(path, &[(path, &file)]).map_err(disk::refused)?;
        guarded(|| {
            let backend = FileBackend::new(file).map_err(|error| opening_file(path, error))?;
            // After locking: from now on, a process that opens the path meets the lock.
            place.require()?;
            let database =
                builder().create_with_backend(backend).map_err(|error| opening_file(path, error))?;
            let view = RedbView::new(&database)?;
            match view.open_table(layout::META) {
                Ok(_) => {}
                Err(TableError::Storage(error)) => return Err(failure(error)),
                Err(_) => return Err(not_a_store(path, "a redb database of another program")),
            }
            layout::require_format(view.get(layout::FORMAT)?.as_deref())?;
            for (space, _) in TABLES {
                view.open_table(space).map_err(failure)?;
            }
            Ok(Self { database, place })
        })
    }

    /// Returns the path of the file that is locked while the store at `path` is open.
    pub(crate) fn locked(path: &Path) -> PathBuf {
        path.to_owned()
    }
}

impl Engine for Redb {
    type View<'a> = RedbView;

    const GROUPS: bool = true;

    fn view(&self) -> Result<RedbView, StoreError> {
        self.place.require_lately()?;
        guarded(|| RedbView::new(&self.database))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.place.require()?;
        // Nothing that redb writes counts before it is told to commit.
        let transaction = guarded(|| {
            let mut transaction = self.database.begin_write().map_err(failure)?;
            fill(&mut transaction, &batch)?;
            Ok(transaction)
        })?;
        self.place.settle(match catch_unwind(AssertUnwindSafe(|| transaction.commit())) {
            Ok(committed) => committed.map_err(|error| StoreError::Unknown(cause(error))),
            Err(_) => Err(StoreError::Unknown(None)),
        })
    }
}

pub(crate) struct RedbView {
    transaction: ReadTransaction,
    // Opened at their first use: most reads are of one table.
    tables: [OnceCell<OpenTable>; TABLES.len()],
}

impl RedbView {
    fn new(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_read().map_err(failure)?;
        Ok(Self { transaction, tables: Default::default() })
    }

    // Returns the table of a space; `None` if the layout has no such space.
    fn open_table(&self, space: u8) -> Result<Option<&OpenTable>, TableError> {
        let mut tables = self.tables.iter().zip(TABLES);
        let Some((opened, (_, table))) = tables.find(|(_, (of, _))| *of == space) else { return Ok(None) };
        match opened.get() {
            Some(opened) => Ok(Some(opened)),
            None => {
                let table = self.transaction.open_table(table)?;
                Ok(Some(opened.get_or_init(|| table)))
            }
        }
    }
}

impl View for RedbView {
    fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        guarded(|| {
            let Some((space, key)) = key.split_first() else { return Ok(None) };
            let Some(table) = self.open_table(*space).map_err(failure)? else { return Ok(None) };
            Ok(table.get(key).map_err(failure)?.map(|value| value.value().to_vec().into()))
        })
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        guarded(|| {
            let mut pairs = Vec::new();
            for (space, _) in TABLES {
                let left = limit.saturating_sub(pairs.len());
                let Some(range) = within(space, from, to).filter(|_| left > 0) else { continue };
                let Some(table) = self.open_table(space).map_err(failure)? else { continue };
                for item in table.range::<&[u8]>(range).map_err(failure)?.take(left) {
                    let (key, value) = item.map_err(failure)?;
                    pairs.push(([&[space], key.value()].concat(), value.value().to_vec()));
                }
            }
            Ok(pairs)
        })
    }
}

// Returns the part of a range that lies in a space, without the first byte of the keys.
fn within<'a>(space: u8, from: &'a [u8], to: &'a [u8]) -> Option<Range<'a>> {
    let from = match from.split_first() {
        Some((first, _)) if *first > space => return None,
        Some((first, rest)) if *first == space => Bound::Included(rest),
        _ => Bound::Unbounded,
    };
    let to = match to.split_first() {
        Some((first, _)) if *first > space => Bound::Unbounded,
        Some((first, rest)) if *first == space && !rest.is_empty() => Bound::Excluded(rest),
        _ => return None,
    };
    Some((from, to))
}

// The new store appears under its name only when it is complete. So a file found there later was made by another
// process.
fn create(path: &Path) -> Result<(), StoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::Exists { path: path.to_owned() }); // publishing would fail too, after the work
    }
    let draft = Draft::create(path).map_err(disk::refused)?;
    let file = draft.file.try_clone().map_err(disk::refused)?;
    guarded(|| {
        let backend = FileBackend::new(file).map_err(|error| opening_file(path, error))?;
        let database = builder().create_with_backend(backend).map_err(|error| opening_file(path, error))?;
        let mut transaction = database.begin_write().map_err(failure)?;
        for (_, table) in TABLES {
            transaction.open_table(table).map_err(failure)?;
        }
        let format = Batch::from([(layout::FORMAT.to_vec(), Some(layout::VERSION.to_be_bytes().to_vec()))]);
        fill(&mut transaction, &format)?;
        transaction.commit().map_err(|error| StoreError::Io(cause(error).unwrap_or_else(unspecified)))?;
        database.close().map_err(|error| opening_file(path, error))
    })?;
    draft.publish(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Exists { path: path.to_owned() },
        _ => disk::refused(error),
    })
}

fn builder() -> ::redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_LEN).set_check_integrity_on_open(true);
    builder
}

fn fill(transaction: &mut WriteTransaction, batch: &Batch) -> Result<(), StoreError> {
    transaction.set_durability(Durability::Immediate).map_err(|_| StoreError::Io(unspecified()))?;
    transaction.set_two_phase_commit(true);
    let mut filled = 0_usize;
    for (space, table) in TABLES {
        let mut changes =
            batch.range(vec![space]..).take_while(|(key, _)| key.first() == Some(&space)).peekable();
        if changes.peek().is_none() {
            continue;
        }
        let mut table = transaction.open_table(table).map_err(failure)?;
        for (key, value) in changes {
            let key = key.get(1..).unwrap_or_default();
            match value {
                Some(value) => table.insert(key, value.as_slice()).map_err(failure)?,
                None => table.remove(key).map_err(failure)?,
            };
            filled = filled.saturating_add(1);
        }
    }
    match filled == batch.len() {
        true => Ok(()),
        false => Err(StoreError::Corrupt { what: "a key outside the layout" }),
    }
}

// redb asserts that its pages are sound, and panics if they are not.
fn guarded<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(StoreError::Corrupt { what: "redb panicked" }))
}

fn not_a_store(path: &Path, found: &'static str) -> StoreError {
    StoreError::NotAStore { path: path.to_owned(), found }
}

fn opening_file(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::AlreadyOpen { path: path.to_owned() }
        }
        DatabaseError::UpgradeRequired(_) => not_a_store(path, "a redb database of an older format"),
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Corrupt { what: "the file of redb is cut short" }
        }
        DatabaseError::Storage(error) => failure(error),
        _ => StoreError::Corrupt { what: "redb cannot repair the file" },
    }
}

fn failure(error: impl Into<Error>) -> StoreError {
    match error.into() {
        Error::Io(error) => disk::refused(error),
        Error::PreviousIo | Error::LockPoisoned(_) | Error::DatabaseClosed => StoreError::Poisoned,
        Error::Corrupted(_) => StoreError::Corrupt { what: "redb found a damaged page" },
        Error::TableDoesNotExist(_)
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TableIsNotMultimap(_)
        | Error::TypeDefinitionChanged { .. } => StoreError::Corrupt { what: "a table of the store is gone" },
        _ => StoreError::Io(unspecified()),
    }
}

fn cause(error: CommitError) -> Option<Arc<io::Error>> {
    match error {
        CommitError::Storage(StorageError::Io(error)) => Some(Arc::new(error)),
        _ => None,
    }
}

fn unspecified() -> Arc<io::Error> {
    Arc::new(io::Error::other("redb refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cross_tables() {
        let dir = tempfile::tempdir().unwrap();
        let redb = Redb::create(&dir.path().join("store")).unwrap();
        let put: Vec<Vec<u8>> =
            TABLES.iter().flat_map(|(space, _)| [vec![*space, 0], vec![*space, 1]]).collect();
        redb.commit(put.iter().map(|key| (key.clone(), Some(key.clone()))).collect()).unwrap();
        let mut keys = [put, vec![layout::FORMAT.to_vec()]].concat();
        keys.sort();
        let firsts = (0..=12).chain([0xff]).map(|first| vec![first]);
        let bounds: Vec<Vec<u8>> = keys.iter().cloned().chain(firsts).collect();
        let view = redb.view().unwrap();
        for (from, to) in bounds.iter().flat_map(|from| bounds.iter().map(move |to| (from, to))) {
            for limit in [0, 1, 3, usize::MAX] {
                let found = view.scan(from, to, limit).unwrap();
                let expected = keys.iter().filter(|key| (from..to).contains(key)).take(limit);
                assert!(found.iter().map(|(key, _)| key).eq(expected), "{from:?} {to:?} {limit}");
                assert!(found.iter().all(|(key, value)| key == value || key == layout::FORMAT));
            }
        }
    }

    #[test]
    fn a_key_outside_the_layout_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let redb = Redb::create(&dir.path().join("store")).unwrap();
        let inside = [layout::RECORD, 1];
        let batch = [&inside[..], &[99], &[]].map(|key| (key.to_vec(), Some(vec![1])));
        assert!(matches!(redb.commit(batch.into()), Err(StoreError::Corrupt { .. })));
        let view = redb.view().unwrap();
        for key in [&inside[..], &[99], &[]] {
            assert_eq!(view.get(key).unwrap(), None);
        }
    }
}
