//! Keeps what an authority must remember about the tokens that it mints: the root key, sealed; how often each may
//! be spent, and how often it was; whether it was revoked. One contract, [`TokenStore`], over several backends.
//!
//! It is *not* a database: it keeps tokens and nothing else. It knows nothing of macaroons, caveats or HTTP, reads
//! no clock, decides about nobody's rights, and never sees a root key in the clear: [`KeyRing`] seals keys before
//! they get here.
//!
//! # The verbs
//!
//! | verb | does |
//! |---|---|
//! | [`insert`](TokenStore::insert), [`get`](TokenStore::get) | keeps a [`Record`], and reads it |
//! | [`redeem`](TokenStore::redeem), [`refund`](TokenStore::refund) | spends one use under a [`ClaimId`], and gives it back by its [`GrantId`]; asked again, the same claim costs no use, and is not given back |
//! | [`revoke`](TokenStore::revoke) | voids a token for good |
//! | [`list`](TokenStore::list), [`purge`](TokenStore::purge) | pages of records by resource, issuer or expiry; removes the expired |
//! | [`generation`](TokenStore::generation), [`raise_generation`](TokenStore::raise_generation) | the shared key of a subject's temporary tokens, and its successor |
//!
//! Those who run a store have [`Administration`] besides: revoking all of a resource or an issuer, voiding all that
//! is older, counting, purging what is spent, and [`check`](Administration::check). [`rekey`] seals everything under
//! the newest key.
//!
//! ```
//! use std::num::NonZeroU64;
//!
//! use token_core::{RootKey, UnixTime};
//! use token_store::{ClaimId, Entity, KeyRing, MemoryStore, Record, Redeem, Terms, TokenId, TokenStore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let keys = KeyRing::generate()?;
//!
//! let id = TokenId::new(*b"an id that nobody can guess")?;
//! let root_key = RootKey::derive(b"32 random bytes or more, please.")?;
//! let terms = Terms {
//!     id: &id,
//!     kind: "space-support",
//!     resource: Some(&Entity { kind: "space".into(), id: "s1".into() }),
//!     issuer: &Entity { kind: "user".into(), id: "u1".into() },
//!     created: UnixTime::from_secs(1_500_000_000),
//!     expires: None,
//!     use_limit: NonZeroU64::new(1),
//! };
//! let _inserted = store.insert(&Record::new(terms, &root_key, &keys)?)?;
//!
//! let record = store.get(&id)?.ok_or("no such token")?;
//! assert_eq!(keys.open(&record.root_key, record.owner())?.expose(), root_key.expose());
//!
//! let (mine, yours) = (ClaimId::new(*b"request 1")?, ClaimId::new(*b"request 2")?);
//! let Redeem::Redeemed { uses_left, grant, repeated: false } = store.redeem(&id, &mine)? else {
//!     return Err("the first to ask gets the use".into());
//! };
//! assert_eq!(store.redeem(&id, &mine)?, Redeem::Redeemed { uses_left, grant, repeated: true });
//! assert_eq!(store.redeem(&id, &yours)?, Redeem::Exhausted);
//! # Ok(())
//! # }
//! ```
//!
//! # Backends
//!
//! | | what it is | what to know |
//! |---|---|---|
//! | [`MemoryStore`] | a map | gone with the process |
//! | `RedbStore` | one file, [redb](https://docs.rs/redb); the one to use | each write is two syncs; opening checks every page, about a second per million records |
//! | `SledStore` | a directory, [sled](https://docs.rs/sled) 0.34 | a beta engine without further releases, whose known faults are guarded against; reads wait for a running write; opens and purges with 8 MiB free, and writes all else with 16; where a power cut and damage to the end of its log meet, the damage may go unnoticed |
//! | `PostgresStore` | a PostgreSQL server, which many hosts share | a lost connection leaves a write in doubt; ask again under the same claim |
//!
//! All but the last: one process at a time. A process that is forked while a store is open, in memory too, gets
//! [`StoreError::Forked`] from it: open stores after the fork. A store whose file is removed, moved or replaced under it
//! stops ([`StoreError::Replaced`]). Writes of many threads share a commit, and so a sync: a call returns when
//! its own write is on disk, and a lone one waits for nobody. Damage is told from data by a checksum in every
//! value, and root keys are sealed by [`KeyRing`]; but nobody who can write to the store's files can be kept from
//! restoring an older copy of them, which revives tokens. Engines panic on some damaged files; that is caught and
//! becomes [`StoreError::Corrupt`], unless the program is built with `panic = "abort"`.
//!
//! A key ring comes out of a [`KeyFile`], a [`KeyVariable`], or whatever else a host implements [`KeySource`] for.
//!
//! `create` makes a store on disk and `open` opens one. Neither does the other's work, since an empty store in a
//! mistyped place knows none of the tokens, and says so of every one.
//!
//! [`CachedStore`] is a cache in front of any of them, for verification on hosts that are far from their store.
//!
//! A store of your own implements [`TokenStore`], keeps [`Record::to_bytes`], makes its cursors by [`Filter::cursor`], and
//! passes `conformance::all`.
//!
//! # Features
//!
//! - `redb` (default): `RedbStore`.
//! - `sled`: `SledStore`.
//! - `postgres`: `PostgresStore`.
//! - `transfer`: `export`, `export_to`, `verify_export` and `import`, which move tokens from store to store by a file.
//! - `conformance`: the suite that every backend has to pass.
#![forbid(unsafe_code)]

mod admin;
mod backends;
mod cached;
mod check;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    allow(dead_code, reason = "only what is on disk needs all of it")
)]
mod copy;
mod cursor;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    allow(dead_code, reason = "only what is on disk needs all of it")
)]
mod disk;
mod engine;
mod entity;
mod keyring;
mod kv;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    allow(dead_code, reason = "only what is on disk needs all of it")
)]
mod layout;
mod owned;
#[cfg(any(feature = "redb", feature = "sled"))]
mod place;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod record;
mod rekey;
mod store;
mod sync;
#[cfg(feature = "transfer")]
mod transfer;

pub use admin::{Administration, Counts, Generations, Item, KeyPlace, Reseal, Sweep};
pub use backends::MemoryStore;
#[cfg(feature = "redb")]
pub use backends::RedbStore;
#[cfg(feature = "sled")]
pub use backends::SledStore;
pub use cached::{CacheConfig, CacheMetrics, CachedStore, Invalidator};
pub use check::{Fault, Report};
pub use entity::{EntityKind, UnknownEntityKind};
pub use keyring::{
    KeyFile, KeyFileError, KeyRing, KeySource, KeySourceError, KeyTextError, KeyVariable, OpenError, Owner,
    SealError,
};
#[cfg(feature = "postgres")]
pub use postgres::{InvalidPostgresUrl, PostgresConfig, PostgresMetrics, PostgresStore};
pub use record::{ClaimId, Entity, Generation, GrantId, Held, InvalidId, Record, SealedKey, Terms, TokenId};
pub use rekey::{RekeyError, Rekeyed, RemoveError, rekey};
pub use store::{
    ClockWitness, Filter, Insert, LogPosition, Page, Raise, Redeem, Refund, Retry, Revoke, StoreError,
    TokenStore,
};
#[cfg(feature = "transfer")]
pub use transfer::{Epoch, InvalidDocument, Moved, TransferError, export, export_to, import, verify_export};
