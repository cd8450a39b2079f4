//! The contract of a store: its traits, what they take and return, and the encodings of what a store keeps.

mod admin;
pub(crate) mod codec;
mod cursor;
mod entity;
mod error;
mod record;
pub(crate) mod report;
mod store;

pub use admin::{Administration, Counts, Event, Events, Generations, Item, Reseal, Sweep};
pub use cursor::Cursor;
pub use entity::{Entity, EntityKind};
pub use error::{Retry, StoreError};
pub use record::{
    ClaimId, Generation, GrantId, Held, InvalidId, KeyPlace, Record, Revocation, SealedKey, Terms, TokenId,
    Use,
};
pub use report::{CheckReport, Fault};
pub use store::{
    Amend, Amendment, Delete, Filter, Insert, Page, Raise, Refund, Reinstate, Revoke, Spend, TokenStore,
};
