//! Stores on a server. A URL may hold a password, so it is checked at its use: the parser of the command line would quote
//! it.

use std::{io, sync::Arc};

use token_store::StoreError;
use token_store_postgres::{PostgresConfig, PostgresStore};

pub(super) fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&config(url)?)
}

/// Makes the tables if there are none.
pub(super) fn open_or_create(url: &str) -> Result<PostgresStore, StoreError> {
    match open(url) {
        Err(StoreError::NotFound { .. }) => {
            PostgresStore::init(&config(url)?)?;
            open(url)
        }
        opened => opened,
    }
}

// A command makes one call at a time.
fn config(url: &str) -> Result<PostgresConfig, StoreError> {
    let invalid = |error| StoreError::Io(Arc::new(io::Error::new(io::ErrorKind::InvalidInput, error)));
    Ok(url.parse::<PostgresConfig>().map_err(invalid)?.connections(1, 1))
}

/// The URL without its password.
pub(super) fn shown(url: &str) -> String {
    url.parse().map_or_else(|_| "postgres:".to_owned(), |config: PostgresConfig| config.to_string())
}
