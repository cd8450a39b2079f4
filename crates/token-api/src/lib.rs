//! The authority that mints, verifies and spends Onedata tokens, and its REST endpoints as function calls.
#![forbid(unsafe_code)]

mod authority;
mod check;
mod clock;
mod error;
mod host;
mod kind;
mod mint;
mod rest;

pub use authority::{Authority, Config, Dialect, InspectError, Inspected, Lifetime};
pub use check::{Accepted, Consumed};
pub use clock::{Clock, SystemClock};
pub use error::{CheckError, ConsumeError, Failure, MintError, Refusal};
pub use host::{Host, HostError, Privilege};
pub use kind::{Kind, UnknownKind};
pub use mint::{Grant, MintRequest, Minted};
pub use rest::{ApiError, Client, SpaceInviteToken, SpaceSupportToken};
