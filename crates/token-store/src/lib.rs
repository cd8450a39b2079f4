//! Stores for token records: one contract, several backends.
#![forbid(unsafe_code)]

mod backends;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cursor;
mod disk;
mod engine;
mod keyring;
mod kv;
mod layout;
mod record;
mod store;

pub use backends::MemoryStore;
#[cfg(feature = "redb")]
pub use backends::RedbStore;
#[cfg(feature = "sled")]
pub use backends::SledStore;
pub use keyring::{KeyFileError, KeyRing, KeyTextError, OpenError, Owner, SealError};
pub use record::{ClaimId, Entity, Generation, InvalidId, Record, SealedKey, TokenId};
pub use store::{Filter, Insert, Page, Raise, Redeem, Refund, Retry, Revoke, StoreError, TokenStore};
