//! Stores for token records: one contract, several backends.
#![forbid(unsafe_code)]

mod backends;
mod codec;
mod cursor;
mod disk;
mod engine;
mod keyring;
mod kv;
mod layout;
mod record;
mod store;

pub use backends::MemoryStore;
pub use keyring::{KeyFileError, KeyRing, KeyTextError, OpenError, Owner, SealError};
pub use record::{ClaimId, Entity, Generation, InvalidId, Record, SealedKey, TokenId};
pub use store::{Filter, Insert, Page, Raise, Redeem, Refund, Retry, Revoke, StoreError, TokenStore};
