//! The store of a command line, and opening it while others use it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use token_store::{Administration, MemoryStore, RedbStore, StoreError};

use crate::{
    home::HomeError,
    progress::{self, Progress},
    time::{Seconds, Span},
};

#[cfg(feature = "postgres")]
mod postgres;

/// `redb:PATH`, `sled:PATH`, `postgres://…` or `memory:`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum StoreUrl {
    Memory,
    Redb(PathBuf),
    #[cfg(feature = "sled")]
    Sled(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Url),
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Redb(PathBuf::from("store.redb"))
    }
}

impl StoreUrl {
    /// Its path, if it has one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory => None,
            Self::Redb(path) => Some(path),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Some(path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// Its path, if it exists.
    pub(crate) fn existing(&self) -> Option<PathBuf> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.open().is_ok().then(|| PathBuf::from(url.to_string())),
            _ => self.path().filter(|path| path.exists()).map(Path::to_owned),
        }
    }

    /// The same store, with a relative path resolved from this directory.
    pub(crate) fn within(&self, dir: &Path) -> Self {
        match self {
            Self::Memory => Self::Memory,
            Self::Redb(path) => Self::Redb(dir.join(path)),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Self::Sled(dir.join(path)),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Self::Postgres(url.clone()),
        }
    }

    /// The same store, with a relative path resolved from the current directory.
    pub(crate) fn absolute(&self) -> io::Result<Self> {
        Ok(self.within(&std::path::absolute(".")?))
    }

    /// Opens an existing store.
    fn open(&self) -> Result<Box<dyn Administration>, StoreError> {
        Ok(match self {
            Self::Memory => Box::new(MemoryStore::new()),
            Self::Redb(path) => Box::new(RedbStore::open(path)?),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Box::new(token_store::SledStore::open(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Box::new(url.open()?),
        })
    }

    /// Opens a copy of an existing store. On a server, opens the store itself, since opening does not change it.
    fn inspect(&self) -> Result<Box<dyn Administration>, StoreError> {
        Ok(match self {
            Self::Memory => Box::new(MemoryStore::new()),
            Self::Redb(path) => Box::new(RedbStore::inspect(path)?),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Box::new(token_store::SledStore::inspect(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Box::new(url.open()?),
        })
    }

    /// Opens the store, or makes one.
    fn open_or_create(&self) -> Result<Box<dyn Administration>, StoreError> {
        Ok(match self {
            Self::Memory => Box::new(MemoryStore::new()),
            Self::Redb(path) => Box::new(RedbStore::open_or_create(path)?),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Box::new(token_store::SledStore::open_or_create(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Box::new(url.open_or_create()?),
        })
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStore;

    fn from_str(text: &str) -> Result<Self, InvalidStore> {
        let path = |path: &str| match path.is_empty() {
            true => Err(InvalidStore::Unknown),
            false => Ok(PathBuf::from(path)),
        };
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("redb", rest)) => path(rest).map(Self::Redb),
            #[cfg(feature = "sled")]
            Some(("sled", rest)) => path(rest).map(Self::Sled),
            #[cfg(not(feature = "sled"))]
            Some(("sled", _)) => Err(InvalidStore::WithoutSled),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(postgres::Url::new(text))),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => Err(InvalidStore::WithoutPostgres),
            _ => Err(InvalidStore::Unknown),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = InvalidStore;

    fn try_from(text: String) -> Result<Self, InvalidStore> {
        text.parse()
    }
}

impl From<StoreUrl> for String {
    fn from(store: StoreUrl) -> Self {
        match store {
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => url.into_text(),
            store => store.to_string(),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Redb(path) => write!(f, "redb:{}", path.display()),
            #[cfg(feature = "sled")]
            Self::Sled(path) => write!(f, "sled:{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// The text does not name a store.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum InvalidStore {
    #[error("none of redb:PATH, sled:PATH, postgres://USER@HOST/DATABASE and memory:")]
    Unknown,
    #[cfg(not(feature = "sled"))]
    #[error(
        "this program was built without sled; build it with `cargo install --path crates/token-cli --features sled`"
    )]
    WithoutSled,
    #[cfg(not(feature = "postgres"))]
    #[error(
        "this program was built without PostgreSQL; build it with `cargo install --path crates/token-cli --features postgres`"
    )]
    WithoutPostgres,
}

/// Opens an existing store.
pub(crate) fn open(store: &StoreUrl, wait: Seconds) -> Result<Box<dyn Administration>, HomeError> {
    in_turn(wait, "opening the store", || store.open())
}

/// Opens the store, or makes one.
pub(crate) fn open_or_create(store: &StoreUrl, wait: Seconds) -> Result<Box<dyn Administration>, HomeError> {
    in_turn(wait, "opening the store", || store.open_or_create())
}

/// Opens a copy of an existing store, and leaves the store as it is.
pub(crate) fn inspect(store: &StoreUrl, wait: Seconds) -> Result<Box<dyn Administration>, HomeError> {
    in_turn(wait, "copying the store", || store.inspect())
}

/// The longest pause between attempts to open a store that another process has open.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Waits while another process has the store open: embedded engines admit one process at a time.
fn in_turn<S>(wait: Seconds, doing: &str, open: impl Fn() -> Result<S, StoreError>) -> Result<S, HomeError> {
    const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
    let begun = Instant::now();
    let wait = Duration::from_secs(wait.0);
    let mut progress = Progress::new();
    let mut pause = SHORTEST_PAUSE;
    loop {
        match progress::during(doing, &open) {
            Err(StoreError::AlreadyOpen { .. }) if begun.elapsed() < wait => {
                let so_far = Span(begun.elapsed().as_secs());
                progress.tell(format_args!(
                    "another process has the store open; waiting for it: {so_far} so far"
                ));
                thread::sleep(pause);
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
            opened => return Ok(opened?),
        }
    }
}
