//! The authority that mints, verifies and spends Onedata tokens, and its two documented REST endpoints as
//! function calls.
//!
//! It does not speak HTTP, store tokens (see `token-store`) or define formats (see `token-core`). The embedding
//! program decides who may do what, through [`Host`].
//!
//! # The verbs, in order
//!
//! [`Authority::mint`] → [`Authority::verify`] → [`Authority::spend`] → [`Authority::revoke`] → [`Authority::purge`]
//!
//! ```
//! use token_api::{
//!     Authority, ClaimId, Config, Entity, Host, HostError, KeyRing, MemoryStore, MintRequest, Purpose, Subject,
//! };
//!
//! /// One space, and one user who may mint support tokens for it.
//! struct Members;
//!
//! impl Host for Members {
//!     fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
//!         Ok(*resource == Entity::space("s1"))
//!     }
//!
//!     fn may(&self, subject: Subject<&str>, purpose: Purpose, _: &Entity) -> Result<bool, HostError> {
//!         Ok(subject == Subject::User("u1") && purpose == Purpose::SpaceSupport)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::new(MemoryStore::new(), KeyRing::generate()?, Members, Config::default())?;
//! let minted = authority.mint(&MintRequest::space_support("s1", Subject::User("u1")))?;
//!
//! // A provider presents the token. The claim names this spend: a retry costs nothing.
//! let (mut context, claim) = (authority.context(), ClaimId::new("request 1")?);
//! context.consumer = Some(Subject::Provider("p1".into()));
//! let spend = |claim| authority.spend(&minted.token, Purpose::SpaceSupport, claim, &context);
//! assert_eq!(spend(&claim)?.accepted.resource.map(|space| space.id), Some("s1".to_owned()));
//! assert!(spend(&claim)?.repeated);
//! assert!(spend(&ClaimId::new("request 2")?).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # What an embedding server has to know
//!
//! - Calls are synchronous and may wait for the disk. An asynchronous server runs writes in `spawn_blocking` and
//!   verifies on the worker: see below.
//! - Spend before you act, and name the spend. [`Authority::spend_with`] does it in the right order.
//! - [`Refusal`] says why a token was refused, for the log alone. Clients get one answer for every reason: convert
//!   the [`AcceptError`] into an [`ApiError`].
//! - A program that cannot be called back takes two steps: [`Authority::prepare`] and [`Authority::spend_prepared`].
//! - Every decision is logged to `tracing` under the token's id. Tokens and secrets are never logged.
//! - [`Authority::create_group_spaces_token`] and [`Authority::get_space_provider_token`] are the endpoints. Their
//!   return values serialize to the documented bodies.
//!
//! # Asynchronous servers
//!
//! A write (mint, spend, refund, revoke, purge) waits for a disk sync or a database server, and would block every
//! other task of its worker. A verification over an embedded store reads memory: 3 to 5 µs on the worker, 20 to 26 µs
//! in `spawn_blocking`. `docs/EMBEDDING.md` has the measurements. So:
//!
//! ```
//! # use std::sync::Arc;
//! # use token_api::{ApiError, Authority, Host, SpaceSupportToken, Subject, TokenStore};
//! async fn space_token<S, H>(authority: Arc<Authority<S, H>>, user: String, id: String) -> Result<SpaceSupportToken, ApiError>
//! where
//!     S: TokenStore + 'static,
//!     H: Host + 'static,
//! {
//!     let mint = move || authority.get_space_provider_token(Some(Subject::User(&user)), &id);
//!     tokio::task::spawn_blocking(mint).await.map_err(|_| ApiError::SERVER_ERROR)?
//! }
//! ```
//!
//! Over PostgreSQL, a verification waits for the network too unless a `CachedStore` answers it: run every call in
//! `spawn_blocking`. A client that hangs up does not cancel a blocking call: the token may still be minted or spent.
//!
//! # One dependency
//!
//! This crate re-exports the types that its signatures name. The rest is in [`token_core`] and [`token_store`],
//! re-exported as modules. Features: `redb`, `sled` and `postgres` for the stores, `rayon` for
//! [`Authority::verify_many`], and `test-random` for tests that need the same token every time.
#![forbid(unsafe_code)]
#![warn(unnameable_types, clippy::exhaustive_enums)]

mod authority;
mod body;
mod clock;
mod config;
mod decision;
mod error;
mod host;
mod id;
mod import;
mod many;
mod mint;
mod prepare;
mod random;
mod records;
mod rest;
mod spend;
mod subject;
mod third_party;
mod verify;

pub use authority::{Authority, Inspected};
pub use config::{Absence, Config, Dialect, Lifetime};
pub use decision::{Decision, Question};
pub use error::{AcceptError, Failure, MintError, Refusal};
pub use host::{Host, HostError};
pub use import::Foreign;
pub use mint::{MintRequest, Minted};
pub use prepare::Prepared;
pub use records::Stated;
pub use rest::{ApiError, SpaceInviteToken, SpaceSupportToken};
pub use spend::{SpendError, Spent};
pub use third_party::{ThirdPartyError, add_third_party};
pub use verify::{Accepted, Explained, TokenInput};

pub use token_core;
#[doc(no_inline)]
pub use token_core::{
    BuildError, CaveatKey, Context, Damage, DecodeError, DecodeOptions, EncodeError, Finding, Fingerprint,
    Inspection, Interface, InviteConsumer, InviteType, Limits, Macaroon, PredicateBuf, Purpose, Region,
    Scope, Service, Session, Subject, Token, UnixTime, VerifyError,
};
pub use token_store;
#[cfg(feature = "redb")]
#[doc(no_inline)]
pub use token_store::RedbStore;
#[cfg(feature = "sled")]
#[doc(no_inline)]
pub use token_store::SledStore;
#[doc(no_inline)]
pub use token_store::{
    Administration, Amend, Amendment, CacheConfig, CachedStore, ClaimId, Cursor, Delete, Entity, EntityKind,
    Event, Events, Filter, Held, InvalidId, KeyError, KeyRing, KeySourceError, MemoryStore, Page, Record,
    Refund, Reinstate, Retry, Revocation, Revoke, StoreError, Sweep, TokenId, TokenStore, Use,
};
#[cfg(feature = "postgres")]
#[doc(no_inline)]
pub use token_store_postgres::{PostgresConfig, PostgresStore};
