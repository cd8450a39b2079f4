//! The URL of a server, which may hold a password.

use std::{fmt, io, sync::Arc};

use token_store::StoreError;
use token_store_postgres::{PostgresConfig, PostgresStore};

/// The URL as given. Checked at its use, since the parser of the command line would quote it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(String);

impl Url {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The URL with the password.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn open(&self) -> Result<PostgresStore, StoreError> {
        PostgresStore::open(&self.config()?)
    }

    /// Makes the tables if there are none.
    pub(super) fn open_or_create(&self) -> Result<PostgresStore, StoreError> {
        let config = self.config()?;
        match PostgresStore::open(&config) {
            Err(StoreError::NotFound { .. }) => {
                PostgresStore::init(&config)?;
                PostgresStore::open(&config)
            }
            opened => opened,
        }
    }

    // A command makes one call at a time.
    fn config(&self) -> Result<PostgresConfig, StoreError> {
        let config: Result<PostgresConfig, _> = self.0.parse();
        let config = config
            .map_err(|error| StoreError::Io(Arc::new(io::Error::new(io::ErrorKind::InvalidInput, error))));
        Ok(config?.connections(1, 1))
    }
}

/// The URL without the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.parse::<PostgresConfig>() {
            Ok(config) => config.fmt(f),
            Err(_) => f.write_str("postgres:"),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}
