//! The store to test, and opening it with its keys.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use token_store::{Administration, KeyRing, KeySourceError, MemoryStore, RedbStore, SledStore, StoreError};
use token_store_postgres::{PostgresConfig, PostgresStore};

use crate::failure::Failure;

/// A store and its keys.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// redb:PATH, sled:PATH, postgres://USER@HOST/DATABASE, memory: or, as a control that is known to lose data, sled-unguarded:PATH
    #[arg(long, value_name = "URL")]
    pub(crate) store: StoreUrl,
    /// The key file [default: the path of the store with .keys; a server has none, so name one]
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
}

/// A kind of store and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    Memory,
    Redb(PathBuf),
    Sled(PathBuf),
    /// Plain sled, without this project's guards. It loses data in a power cut: a harness that does not detect that
    /// detects nothing.
    SledUnguarded(PathBuf),
    /// The URL of a server, its parameters included.
    Postgres(String),
}

impl FromStr for StoreUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("postgres", _)) if text.parse::<PostgresConfig>().is_ok() => {
                Ok(Self::Postgres(text.to_owned()))
            }
            Some(("redb", path)) if !path.is_empty() => Ok(Self::Redb(path.into())),
            Some(("sled", path)) if !path.is_empty() => Ok(Self::Sled(path.into())),
            Some(("sled-unguarded", path)) if !path.is_empty() => Ok(Self::SledUnguarded(path.into())),
            _ => Err(
                "none of redb:PATH, sled:PATH, sled-unguarded:PATH, postgres://USER@HOST/DATABASE and memory:",
            ),
        }
    }
}

impl StoreUrl {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory | Self::Postgres(_) => None,
            Self::Redb(path) | Self::Sled(path) | Self::SledUnguarded(path) => Some(path),
        }
    }
}

/// Opens the token store at a place and its key ring. The control is not a token store: [`Failure::WRONG`].
pub(crate) fn with_keys(at: &At) -> Result<(Box<dyn Administration>, KeyRing), Failure> {
    let keys = keys(at)?;
    let store: Box<dyn Administration> = match &at.store {
        StoreUrl::Memory => Box::new(MemoryStore::new()),
        StoreUrl::Redb(path) => Box::new(RedbStore::open_or_create(path)?),
        StoreUrl::Sled(path) => Box::new(SledStore::open_or_create(path)?),
        StoreUrl::SledUnguarded(_) => return Err(Failure::WRONG),
        StoreUrl::Postgres(url) => Box::new(postgres(&config(url)?)?),
    };
    Ok((store, keys))
}

/// Opens several stores on one server, as separate processes would, each with one connection that writes and one that
/// reads; and their key ring. Fails with [`Failure::WRONG`] for a local store, which only one process can open.
pub(crate) fn alone(at: &At, count: u16) -> Result<(Vec<PostgresStore>, KeyRing), Failure> {
    let StoreUrl::Postgres(url) = &at.store else { return Err(Failure::WRONG) };
    let (keys, config) = (keys(at)?, config(url)?.connections(1, 1));
    let stores = (0..count).map(|_| postgres(&config)).collect::<Result<_, _>>()?;
    Ok((stores, keys))
}

fn config(url: &str) -> Result<PostgresConfig, Failure> {
    url.parse().map_err(|_| Failure::WRONG)
}

// Creates the tables if there are none.
fn postgres(config: &PostgresConfig) -> Result<PostgresStore, Failure> {
    match PostgresStore::open(config) {
        Err(StoreError::NotFound { .. }) => {
            PostgresStore::init(config)?;
            Ok(PostgresStore::open(config)?)
        }
        opened => Ok(opened?),
    }
}

/// The path of the key ring. By default there is none for a store in memory or on a server.
pub(crate) fn key_file(at: &At) -> Option<PathBuf> {
    let beside = || {
        let mut path = at.store.path()?.as_os_str().to_owned();
        path.push(".keys");
        Some(PathBuf::from(path))
    };
    at.keys.clone().or_else(beside)
}

// Creates the key ring if there is none, before the store: no store ever lacks its keys.
fn keys(at: &At) -> Result<KeyRing, Failure> {
    let Some(path) = key_file(at) else { return Ok(KeyRing::generate()?) };
    match KeyRing::create(&path) {
        Err(KeySourceError::Exists { .. }) => Ok(KeyRing::load(&path)?),
        // Creation can fail although the file exists: on a full or read-only disk.
        Err(KeySourceError::Io { .. }) if path.exists() => Ok(KeyRing::load(&path)?),
        made => Ok(made?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!("redb:a:b".parse::<StoreUrl>().unwrap(), StoreUrl::Redb("a:b".into()));
        assert_eq!("sled:/x".parse::<StoreUrl>().unwrap(), StoreUrl::Sled("/x".into()));
        assert_eq!("sled-unguarded:x".parse::<StoreUrl>().unwrap(), StoreUrl::SledUnguarded("x".into()));
        assert_eq!("memory:".parse::<StoreUrl>().unwrap(), StoreUrl::Memory);
        let url = "postgres://u@h/d";
        assert_eq!(url.parse::<StoreUrl>().unwrap(), StoreUrl::Postgres(url.to_owned()));
        for text in ["postgres:x", "", "redb", "redb:", "sled:", "memory:x", "sqlite:x", "/x"] {
            assert!(text.parse::<StoreUrl>().is_err(), "{text}");
        }
    }
}
