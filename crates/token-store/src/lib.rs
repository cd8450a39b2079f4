//! Stores for token records: one contract, several backends.
#![forbid(unsafe_code)]

mod record;
mod store;

pub use record::{ClaimId, Entity, Generation, InvalidId, Record, SealedKey, TokenId};
pub use store::{Filter, Insert, Page, Raise, Redeem, Refund, Retry, Revoke, StoreError, TokenStore};
