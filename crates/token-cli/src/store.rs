//! The store that a command line names, and opening it while others use it.

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use token_store::{Administration, MemoryStore, RedbStore, StoreError};

use crate::{
    progress::{self, Progress},
    time::span,
};

#[cfg(feature = "postgres")]
mod postgres;

/// `redb:PATH`, `sled:PATH`, `postgres://…` or `memory:`. There is no `Debug`: it would show a password.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum StoreUrl {
    Memory,
    File(Engine, PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Redb,
    #[cfg(feature = "sled")]
    Sled,
}

/// How to open a store.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Existing,
    ExistingOrNew,
    /// A copy of an existing store. On a server, the store itself, since opening does not change it.
    Copy,
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::File(Engine::Redb, PathBuf::from("store.redb"))
    }
}

impl StoreUrl {
    /// Its path, or its URL without the password; `None` if it does not exist, or is in memory or cannot be opened.
    pub(crate) fn existing(&self) -> Option<PathBuf> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => postgres::open(url).is_ok().then(|| postgres::shown(url).into()),
            Self::File(_, path) => path.exists().then(|| path.clone()),
            Self::Memory => None,
        }
    }

    /// The same store, with a relative path resolved from this directory, or from the current one if that is empty.
    pub(crate) fn within(&self, dir: impl AsRef<Path>) -> io::Result<Self> {
        Ok(match self {
            Self::File(engine, path) => Self::File(*engine, std::path::absolute(dir.as_ref().join(path))?),
            other => other.clone(),
        })
    }

    /// Opens the store. Waits this long while another process has it open: embedded engines admit one at a time.
    pub(crate) fn open(&self, mode: Mode, wait: Duration) -> Result<Box<dyn Administration>, StoreError> {
        const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
        let begun = Instant::now();
        let doing = if matches!(mode, Mode::Copy) { "copying the store" } else { "opening the store" };
        let mut progress = Progress::new();
        let mut pause = SHORTEST_PAUSE;
        loop {
            match progress::during(doing, || self.open_at_once(mode)) {
                Err(StoreError::AlreadyOpen { .. }) if begun.elapsed() < wait => {
                    let so_far = span(begun.elapsed().as_secs());
                    progress
                        .tell(format_args!("waiting: another process has the store open ({so_far} so far)"));
                    thread::sleep(pause);
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
                opened => return opened,
            }
        }
    }

    fn open_at_once(&self, mode: Mode) -> Result<Box<dyn Administration>, StoreError> {
        Ok(match (self, mode) {
            (Self::Memory, _) => Box::new(MemoryStore::new()),
            (Self::File(Engine::Redb, path), mode) => Box::new(match mode {
                Mode::Existing => RedbStore::open(path)?,
                Mode::ExistingOrNew => RedbStore::open_or_create(path)?,
                Mode::Copy => RedbStore::inspect(path)?,
            }),
            #[cfg(feature = "sled")]
            (Self::File(Engine::Sled, path), mode) => Box::new(match mode {
                Mode::Existing => token_store::SledStore::open(path)?,
                Mode::ExistingOrNew => token_store::SledStore::open_or_create(path)?,
                Mode::Copy => token_store::SledStore::inspect(path)?,
            }),
            #[cfg(feature = "postgres")]
            (Self::Postgres(url), Mode::ExistingOrNew) => Box::new(postgres::open_or_create(url)?),
            #[cfg(feature = "postgres")]
            (Self::Postgres(url), Mode::Existing | Mode::Copy) => Box::new(postgres::open(url)?),
        })
    }
}

/// The longest pause between attempts to open a store that another process has open.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(20);

impl FromStr for StoreUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("redb", path)) if !path.is_empty() => Ok(Self::File(Engine::Redb, path.into())),
            #[cfg(feature = "sled")]
            Some(("sled", path)) if !path.is_empty() => Ok(Self::File(Engine::Sled, path.into())),
            #[cfg(not(feature = "sled"))]
            Some(("sled", _)) => {
                Err("this program was built without sled; build it with `cargo install --path \
                                      crates/token-cli --features sled`")
            }
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => {
                Err("this program was built without PostgreSQL; build it with \
                                      `cargo install --path crates/token-cli --features postgres`")
            }
            _ => Err("none of redb:PATH, sled:PATH, postgres://USER@HOST/DATABASE and memory:"),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

/// With its password, if it has one.
impl From<StoreUrl> for String {
    fn from(store: StoreUrl) -> Self {
        match store {
            StoreUrl::Memory => "memory:".to_owned(),
            StoreUrl::File(Engine::Redb, path) => format!("redb:{}", path.display()),
            #[cfg(feature = "sled")]
            StoreUrl::File(Engine::Sled, path) => format!("sled:{}", path.display()),
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => url,
        }
    }
}
