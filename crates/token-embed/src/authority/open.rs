//! `open`: a store, the source of its keys, and a configuration.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use token_api::{Config, Dialect, Lifetime};
use token_store::{
    Administration, KeyFile, KeyRing, KeySource as _, KeySourceError, KeyVariable, MemoryStore, RedbStore,
    StoreError,
};

use super::Inner;
use crate::{
    error::Error,
    seal::key_ring,
    text::{Octets, Text, some_object},
};

/// `open`: opens a store.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Open<'a> {
    #[serde(borrow)]
    store: Text<'a>,
    #[serde(borrow, default, deserialize_with = "some_object")]
    keys: Option<Keys<'a>>,
    create: Option<bool>,
    #[serde(borrow)]
    location: Option<Text<'a>>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    dialect: Option<Text<'a>>,
    lifetime: Option<u64>,
    max_temporary_lifetime: Option<u64>,
}

/// The source of the key ring: one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys<'a> {
    #[serde(borrow)]
    file: Option<Text<'a>>,
    #[serde(borrow)]
    variable: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Octets<'a>>,
}

enum Place<'a> {
    Memory,
    Redb(&'a Path),
    #[cfg(feature = "sled")]
    Sled(&'a Path),
    #[cfg(feature = "postgres")]
    Postgres(Box<token_api::PostgresConfig>),
}

impl Open<'_> {
    pub(super) fn open(&self) -> Result<Inner, Error> {
        let place = self.place()?;
        let config = self.config()?;
        // The store first: while it is open, no process replaces its keys.
        let (store, keys) = match place.open() {
            Err(StoreError::NotFound { .. }) if self.create == Some(true) => {
                let keys = self.keys(true)?;
                (place.create()?, keys)
            }
            store => (store?, self.keys(false)?),
        };
        Ok(Inner::new(store, keys, (), config)?)
    }

    fn place(&self) -> Result<Place<'_>, Error> {
        let unknown = "none of memory:, redb:PATH, sled:PATH and postgres://…, or not built in";
        match self.store.split_once(':') {
            Some(("memory", "")) => Ok(Place::Memory),
            Some(("redb", path)) if !path.is_empty() => Ok(Place::Redb(Path::new(path))),
            #[cfg(feature = "sled")]
            Some(("sled", path)) if !path.is_empty() => Ok(Place::Sled(Path::new(path))),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => {
                // Its error may quote the URL, which may have a password.
                let config =
                    self.store.parse().map_err(|_| Error::argument("store", "no URL of PostgreSQL"))?;
                Ok(Place::Postgres(Box::new(config)))
            }
            _ => Err(Error::argument("store", unknown)),
        }
    }

    /// Loads the key ring. Makes it if it may be new: a file that does not exist, or, of a store that has none, a ring
    /// that is not kept.
    fn keys(&self, may_be_new: bool) -> Result<KeyRing, Error> {
        match &self.keys {
            Some(Keys { file: Some(path), variable: None, text: None }) => {
                let path = PathBuf::from(&**path);
                match KeyFile(path.clone()).load() {
                    Err(KeySourceError::Io { source, .. })
                        if may_be_new && source.kind() == io::ErrorKind::NotFound =>
                    {
                        Ok(KeyRing::create(&path)?)
                    }
                    loaded => Ok(loaded?),
                }
            }
            Some(Keys { file: None, variable: Some(name), text: None }) => {
                Ok(KeyVariable((&**name).into()).load()?)
            }
            Some(Keys { file: None, variable: None, text: Some(text) }) => key_ring(text),
            None if matches!(self.place()?, Place::Memory) => {
                Ok(KeyRing::generate().map_err(KeySourceError::from)?)
            }
            _ => Err(Error::argument("keys", "one of file, variable and text is needed")),
        }
    }

    fn config(&self) -> Result<Config, Error> {
        let mut config = Config::default();
        if let Some(location) = &self.location {
            config.location = (**location).into();
        }
        if let Some(domain) = &self.domain {
            config.domain = (**domain).into();
        }
        config.dialect = match self.dialect.as_deref() {
            None | Some("legacy") => Dialect::Legacy,
            Some("modern") => Dialect::Modern,
            Some(_) => return Err(Error::argument("dialect", "neither legacy nor modern")),
        };
        if let Some(secs) = self.lifetime {
            config.lifetime = Lifetime::For(Duration::from_secs(secs));
        }
        if let Some(secs) = self.max_temporary_lifetime {
            config.max_temporary_lifetime = Duration::from_secs(secs);
        }
        Ok(config)
    }
}

impl Place<'_> {
    fn open(&self) -> Result<Box<dyn Administration>, StoreError> {
        Ok(match self {
            Self::Memory => Box::new(MemoryStore::new()),
            Self::Redb(path) => Box::new(RedbStore::open(path)?),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Box::new(token_store::SledStore::open(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(config) => Box::new(token_api::PostgresStore::open(config)?),
        })
    }

    fn create(&self) -> Result<Box<dyn Administration>, StoreError> {
        match self {
            Self::Memory => self.open(),
            Self::Redb(path) => Ok(Box::new(RedbStore::create(path)?)),
            #[cfg(feature = "sled")]
            Self::Sled(path) => Ok(Box::new(token_store::SledStore::create(path)?)),
            #[cfg(feature = "postgres")]
            Self::Postgres(config) => {
                token_api::PostgresStore::init(config)?;
                self.open()
            }
        }
    }
}
