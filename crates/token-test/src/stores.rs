//! The stores that run in one process, by name.

use std::path::Path;

use token_store::{Administration, CacheConfig, CachedStore, MemoryStore, RedbStore, SledStore, StoreError};

/// A store of any kind.
pub type Store = Box<dyn Administration>;

type Make = fn(&Path) -> Result<Store, StoreError>;

/// One kind of store. A store in memory is always a new one, and ignores the path.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Its name.
    pub name: &'static str,
    /// Whether it keeps its data at the path.
    pub is_durable: bool,
    /// Creates a store.
    pub create: Make,
    /// Opens an existing store.
    pub open: Make,
    /// Opens an existing store, or creates one.
    pub open_or_create: Make,
    /// Opens an existing store to read it only.
    pub inspect: Make,
}

impl Backend {
    const fn in_memory(name: &'static str, create: Make) -> Self {
        Self { name, is_durable: false, create, open: create, open_or_create: create, inspect: create }
    }
}

fn boxed(store: impl Administration + 'static) -> Store {
    Box::new(store)
}

/// In memory.
pub const MEMORY: Backend = Backend::in_memory("memory", |_| Ok(boxed(MemoryStore::new())));

/// In memory, behind a cache.
pub const CACHED: Backend =
    Backend::in_memory("cached", |_| Ok(boxed(CachedStore::new(MemoryStore::new(), CacheConfig::default()))));

/// In one file.
pub const REDB: Backend = Backend {
    name: "redb",
    is_durable: true,
    create: |path| RedbStore::create(path).map(boxed),
    open: |path| RedbStore::open(path).map(boxed),
    open_or_create: |path| RedbStore::open_or_create(path).map(boxed),
    inspect: |path| RedbStore::inspect(path).map(boxed),
};

/// In a directory.
pub const SLED: Backend = Backend {
    name: "sled",
    is_durable: true,
    create: |path| SledStore::create(path).map(boxed),
    open: |path| SledStore::open(path).map(boxed),
    open_or_create: |path| SledStore::open_or_create(path).map(boxed),
    inspect: |path| SledStore::inspect(path).map(boxed),
};

/// The stores on disk.
pub const EMBEDDED: [Backend; 2] = [REDB, SLED];

/// All stores of one process.
pub const ALL: [Backend; 4] = [MEMORY, CACHED, REDB, SLED];

/// Returns the store of this name.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn named(name: &str) -> Backend {
    ALL.into_iter().find(|backend| backend.name == name).unwrap_or_else(|| panic!("no store {name:?}"))
}
