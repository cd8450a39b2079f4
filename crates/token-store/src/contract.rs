//! The contract of a store: its traits, what they take and return, and the encodings of what a store keeps.

mod admin;
pub(crate) mod codec;
mod cursor;
mod entity;
mod error;
mod record;
pub(crate) mod report;
mod store;

pub use admin::{Administration, Counts, Generations, Item, Reseal, Sweep};
pub use cursor::Cursor;
pub use entity::EntityKind;
pub use error::{Retry, StoreError};
pub use record::{
    ClaimId, Entity, Generation, GrantId, Held, InvalidId, KeyPlace, Record, SealedKey, Terms, TokenId,
};
pub use report::{CheckReport, Fault};
pub use store::{Filter, Insert, Page, Raise, Refund, Revoke, Spend, TokenStore};
