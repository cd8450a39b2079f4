//! The authority that mints, verifies and spends Onedata tokens, and its two documented REST endpoints as
//! function calls.
//!
//! It speaks no HTTP, keeps nothing itself (see `token-store`) and knows no format (see `token-core`). Who may
//! do what is for the program that embeds it to say, through [`Host`].
//!
//! # The verbs, in order
//!
//! [`Authority::mint`] → [`Authority::verify`] → [`Authority::consume`] → [`Authority::revoke`] → [`Authority::purge`]
//!
//! ```
//! use token_api::{
//!     Authority, ClaimId, Config, Entity, Grant, Host, HostError, KeyRing, Kind, MemoryStore, MintRequest, Privilege,
//!     Subject,
//! };
//!
//! /// One space, and one user who may have it supported.
//! struct Members;
//!
//! impl Host for Members {
//!     fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
//!         Ok(*resource == Entity::space("s1"))
//!     }
//!
//!     fn may(&self, subject: Subject<'_>, privilege: Privilege, _: &Entity) -> Result<bool, HostError> {
//!         Ok(subject == Subject::User("u1") && privilege == Privilege::SpaceAddProvider)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::new(MemoryStore::new(), KeyRing::generate()?, Members, Config::default())?;
//! let grant = Grant::SpaceSupport { space: "s1", dialect: None };
//! let minted = authority.mint(&MintRequest::new(grant, Subject::User("u1")))?;
//!
//! // A provider presents the token. The claim names this spend: asked again, it costs nothing.
//! let (context, claim) = (authority.context(), ClaimId::new("request 1")?);
//! let spend = |claim| authority.consume(&minted.token, Kind::SpaceSupport, Subject::Provider("p1"), claim, &context);
//! assert_eq!(spend(&claim)?.accepted.resource.map(|space| space.id), Some("s1".to_owned()));
//! assert!(spend(&claim)?.repeated);
//! assert!(spend(&ClaimId::new("request 2")?).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # What an embedding server has to know
//!
//! - Calls are synchronous and may wait for the disk. An asynchronous server makes those that write by
//!   `spawn_blocking`, and verifies where it is: see below.
//! - Spend before you act, and name the spend. [`Authority::consume_with`] does it in the right order.
//! - [`Refusal`] says why a token is not good; it is for the log. Outside, all reasons are one answer: turn the
//!   [`CheckError`] into an [`ApiError`].
//! - Every decision goes to `tracing` under the token's id. Neither a token nor a secret ever does.
//! - [`Authority::create_group_spaces_token`] and [`Authority::get_space_provider_token`] are the endpoints; what
//!   they return serializes to the documented bodies.
//!
//! # Asynchronous servers
//!
//! What writes (mint, consume, refund, revoke, purge) waits for a sync of the disk or for a server, and everything
//! else that the worker should do waits with it. Measured on two workers of tokio over redb: 300 mints on the workers took
//! 1.82 s and made a timer 418 ms late; by `spawn_blocking` they took 19 ms, since callers share a sync, and the timer was
//! 5 ms late. A verification over an embedded store reads memory: 3 to 5 µs on the worker, 20 to 26 µs by
//! `spawn_blocking`. So:
//!
//! ```
//! # use std::sync::Arc;
//! # use token_api::{ApiError, Authority, Client, Failure, Host, SpaceSupportToken, TokenStore};
//! async fn space_token<S, H>(authority: Arc<Authority<S, H>>, client: Client, id: String) -> Result<SpaceSupportToken, ApiError>
//! where
//!     S: TokenStore + 'static,
//!     H: Host + 'static,
//! {
//!     let mint = move || authority.get_space_provider_token(&client, &id);
//!     tokio::task::spawn_blocking(mint).await.map_err(|_| ApiError::SERVER_ERROR)?
//! }
//! ```
//!
//! Over PostgreSQL verification waits for the network as well where no `CachedStore` answers: `spawn_blocking` for all.
//! A client that hangs up does not stop a blocking call: the token may be minted, or spent, all the same.
//!
//! # One dependency
//!
//! What the signatures here name is exported here as well; the rest of the two crates below is in [`token_core`] and
//! [`token_store`]. Features: `redb`, `sled` and `postgres` for the stores, `rayon` for [`Authority::verify_many`], and
//! `test-random` for tests that need the same token every time.
#![forbid(unsafe_code)]

mod authority;
mod check;
mod clock;
mod error;
mod host;
mod kind;
mod mint;
mod random;
mod rest;
mod third_party;

pub use authority::{Absence, Authority, Config, Dialect, InspectError, Inspected, Lifetime};
pub use check::{Accepted, Consumed};
pub use clock::{Clock, SystemClock};
pub use error::{CheckError, ConsumeError, Failure, MintError, Refusal, TheUse};
pub use host::{Host, HostError, Privilege};
pub use kind::{Kind, UnknownKind};
pub use mint::{Grant, MintRequest, Minted};
pub use rest::{ApiError, Client, SpaceInviteToken, SpaceSupportToken};
pub use third_party::{ThirdPartyError, add_third_party};

pub use token_core;
#[doc(no_inline)]
pub use token_core::{
    CaveatKey, Context, Damage, DecodeError, EncodeError, FieldError, Fingerprint, Inspection, Interface,
    InviteConsumer, InviteType, Limits, Macaroon, PredicateBuf, Region, Scope, Service, Subject, Token,
    UnixTime, VerifyError,
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
    CacheConfig, CachedStore, ClaimId, Entity, EntityKind, Filter, InvalidId, KeyFileError, KeyRing,
    MemoryStore, OpenError, Page, Record, Refund, Retry, Revoke, SealError, StoreError, TokenId, TokenStore,
};
#[cfg(feature = "postgres")]
#[doc(no_inline)]
pub use token_store::{PostgresConfig, PostgresStore};
