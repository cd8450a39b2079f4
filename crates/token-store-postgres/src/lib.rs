//! A store for Onedata tokens in a PostgreSQL server, or in a server that speaks its protocol. Many hosts share it.
//!
//! It keeps the contract of [`token_store`], which has the traits and the other stores. It does not set the server up:
//! `docs/POSTGRES.md` says what the server must do so that no failover loses a write.
//!
//! [`PostgresConfig`] is parsed from a URL. [`PostgresStore::init`] creates the tables once; [`PostgresStore::open`]
//! opens the store in each host.
//!
//! ```no_run
//! use token_store::TokenStore as _;
//! use token_store_postgres::{PostgresConfig, PostgresStore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config: PostgresConfig = "postgres://onetoken@db1,db2/tokens".parse()?;
//! PostgresStore::init(&config)?;
//! let store = PostgresStore::open(&config)?;
//! assert!(store.get(&token_store::TokenId::new(*b"an id that nobody can guess")?)?.is_none());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(unnameable_types, clippy::exhaustive_enums)]

mod admin;
mod backoff;
mod change;
mod check;
mod config;
mod error;
mod events;
mod hosts;
mod kind;
mod lane;
mod listing;
mod log;
mod metrics;
mod notices;
mod purge;
mod schema;
mod session;
mod store;
mod tls;
mod tokens;

pub use config::{InvalidPostgresUrl, PostgresConfig};
pub use metrics::PostgresMetrics;
pub use store::PostgresStore;
