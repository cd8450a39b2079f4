//! Stores what an authority must remember about each token that it mints: the sealed root key, the number of uses
//! allowed and spent, and whether it was revoked. One contract, [`TokenStore`], over several backends.
//!
//! It is *not* a database: it stores tokens and nothing else. It knows nothing of macaroons, caveats or HTTP, reads no
//! clock, and decides about no one's rights. It never sees a root key in the clear: [`KeyRing`] seals keys before they
//! reach the store.
//!
//! # The verbs
//!
//! | verb | does |
//! |---|---|
//! | [`insert`](TokenStore::insert), [`get`](TokenStore::get) | inserts a [`Record`]; reads it |
//! | [`spend`](TokenStore::spend), [`refund`](TokenStore::refund) | spends one use under a [`ClaimId`]; gives it back by its [`GrantId`]; a retry under the same claim costs no use, and makes the use impossible to refund |
//! | [`revoke`](TokenStore::revoke), [`reinstate`](TokenStore::reinstate) | revokes a token, for good or not; undoes a reversible revocation |
//! | [`amend`](TokenStore::amend), [`delete`](TokenStore::delete) | changes the name or the metadata; removes the record with its claims |
//! | [`list`](TokenStore::list), [`purge`](TokenStore::purge) | lists records by resource, issuer, name or expiry, page by page; removes expired records |
//! | [`generation`](TokenStore::generation), [`raise_generation`](TokenStore::raise_generation), [`delete_generation`](TokenStore::delete_generation) | reads the shared key of a subject's temporary tokens; replaces it by the next; removes it |
//!
//! The operator of a store also has [`Administration`]: it revokes or deletes all tokens of a resource or an issuer,
//! revokes all older tokens, reads the log of [events](Administration::events), counts, purges spent records, and
//! [checks](Administration::check) the store. [`rekey`] re-seals every key under the newest key of the ring.
//!
//! ```
//! use std::num::NonZeroU64;
//!
//! use token_core::{Purpose, RootKey, UnixTime};
//! use token_store::{ClaimId, Entity, KeyRing, MemoryStore, Record, Spend, Terms, TokenId, TokenStore, Use};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let keys = KeyRing::generate()?;
//!
//! let id = TokenId::new(*b"an id that nobody can guess")?;
//! let root_key = RootKey::derive(b"32 random bytes or more, please.")?;
//! let terms = Terms {
//!     id: &id,
//!     purpose: Purpose::SpaceSupport,
//!     resource: Some(&Entity { kind: "space".into(), id: "s1".into() }),
//!     issuer: &Entity { kind: "user".into(), id: "u1".into() },
//!     created: UnixTime::from_secs(1_500_000_000),
//!     expires: None,
//!     use_limit: NonZeroU64::new(1),
//!     body: b"",
//! };
//! let _inserted = store.insert(&Record::new(terms, &root_key, &keys)?)?;
//!
//! let record = store.get(&id)?.ok_or("no such token")?;
//! assert_eq!(keys.open(&record.root_key, record.owner())?.expose(), root_key.expose());
//!
//! let by = Use {
//!     consumer: Some(Entity { kind: "provider".into(), id: "p1".into() }),
//!     at: UnixTime::from_secs(1_500_000_009), // by the clock of the caller
//! };
//! let (mine, yours) = (ClaimId::new(*b"request 1")?, ClaimId::new(*b"request 2")?);
//! let Spend::Spent { uses_left, grant, repeated: false } = store.spend(&id, &mine, &by)? else {
//!     return Err("the first to ask gets the use".into());
//! };
//! assert_eq!(store.spend(&id, &mine, &by)?, Spend::Spent { uses_left, grant, repeated: true });
//! assert_eq!(store.spend(&id, &yours, &by)?, Spend::Exhausted);
//! # Ok(())
//! # }
//! ```
//!
//! # Backends
//!
//! | | what it is | what to know |
//! |---|---|---|
//! | [`MemoryStore`] | a map | lost with the process |
//! | `RedbStore` | one file, [redb](https://docs.rs/redb); the one to use | each write is two syncs; opening checks every page, about a second per million records |
//! | `SledStore` | a directory, [sled](https://docs.rs/sled) 0.34 | a beta engine without further releases, whose known faults are guarded against; reads wait for a write in flight; opens and purges with 8 MiB free, and does all other writes with 16; if a power cut coincides with damage to the end of its log, the damage may go unnoticed |
//! | `PostgresStore` of [onetoken-store-postgres](https://docs.rs/onetoken-store-postgres) | a PostgreSQL server, which many hosts share | a lost connection leaves a write in doubt; retry under the same claim |
//!
//! Only one process at a time can open a store, except a `PostgresStore`. If a process is forked while a store is open,
//! the child gets [`StoreError::Forked`], in memory too: open stores after the fork. A store whose file is removed,
//! moved or replaced stops working ([`StoreError::Replaced`]).
//!
//! Writes of many threads share a commit, and so a sync. A call returns when its own write is on disk; a lone call
//! waits for no other.
//!
//! A checksum in every value detects damage, and [`KeyRing`] seals root keys. But an attacker who can write to the
//! store's files can restore an older copy of them, which revives tokens. Engines panic on some damaged files; the
//! store catches the panic and returns [`StoreError::Corrupt`], unless the program is built with `panic = "abort"`.
//!
//! A key ring comes from a [`KeyFile`], a [`KeyVariable`], or a [`KeySource`] of the host's own.
//!
//! `create` makes a store on disk and `open` opens one. Neither does the other's work, since an empty store at a
//! mistyped path would reject every token.
//!
//! [`CachedStore`] is a cache in front of any of them, for hosts that verify tokens far from their store.
//!
//! A store of your own implements [`TokenStore`] with what [`kit`] offers, and passes `conformance::all`.
//!
//! # Features
//!
//! - `redb` (default): `RedbStore`.
//! - `sled`: `SledStore`.
//! - `transfer`: `export`, `export_to`, `verify_export` and `import`, which move tokens between stores in a file.
//! - `conformance`: the suite that every backend must pass.
#![forbid(unsafe_code)]
#![warn(unnameable_types, clippy::exhaustive_enums)]
#![cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    allow(dead_code, reason = "only what is on disk needs all of it")
)]

mod cached;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod disk;
mod embedded;
mod keys;
pub mod kit;
mod owned;
mod sync;
#[cfg(feature = "transfer")]
mod transfer;
mod walk;

pub use cached::{CacheConfig, CacheMetrics, CachedStore, Invalidator};
pub use contract::{
    Administration, Amend, Amendment, CheckReport, ClaimId, Counts, Cursor, Delete, Entity, EntityKind,
    Event, Events, Fault, Filter, Generation, Generations, GrantId, Held, Insert, InvalidId, Item, KeyPlace,
    Page, Raise, Record, Refund, Reinstate, Reseal, Retry, Revocation, Revoke, SealedKey, Spend, StoreError,
    Sweep, Terms, TokenId, TokenStore, Use,
};
pub use embedded::MemoryStore;
#[cfg(feature = "redb")]
pub use embedded::RedbStore;
#[cfg(feature = "sled")]
pub use embedded::SledStore;
pub use keys::{
    KeyError, KeyFile, KeyRing, KeySource, KeySourceError, KeyTextError, KeyVariable, Owner, RekeyError,
    Rekeyed, SealNonce, rekey,
};
#[cfg(feature = "transfer")]
pub use transfer::{Epoch, Moved, TransferError, export, export_to, import, verify_export};
