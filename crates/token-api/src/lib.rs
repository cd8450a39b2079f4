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
//! use token_api::{Authority, Config, Grant, Host, HostError, Kind, MintRequest, Privilege};
//! use token_core::Subject;
//! use token_store::{ClaimId, Entity, KeyRing, MemoryStore};
//!
//! /// One space, and one user who may have it supported.
//! struct Members;
//!
//! impl Host for Members {
//!     fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
//!         Ok(resource.kind == "space" && resource.id == "s1")
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
//! - Calls are synchronous and may wait for the disk: an asynchronous server makes them where it may block.
//! - Spend before you act, and name the spend. [`Authority::consume_with`] does it in the right order.
//! - [`Refusal`] says why a token is not good; it is for the log. Outside, all reasons are one answer: turn the
//!   [`CheckError`] into an [`ApiError`].
//! - Every decision goes to `tracing` under the token's id. Neither a token nor a secret ever does.
//! - [`Authority::create_group_spaces_token`] and [`Authority::get_space_provider_token`] are the endpoints; what
//!   they return serializes to the documented bodies.
#![forbid(unsafe_code)]

mod authority;
mod check;
mod clock;
mod error;
mod host;
mod kind;
mod mint;
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
