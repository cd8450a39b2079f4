//! Mint, attenuate, verify and inspect macaroon tokens. Pure: no I/O, no clock, no randomness, no global state.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod caveat;
mod context;
mod identifier;
mod inspect;
mod judge;
mod limits;
mod mac;
mod macaroon;
mod predicate;
mod secret;
mod service;
mod subject;
mod time;
mod token;
mod token_type;
mod verify;
mod wire;

pub use caveat::Caveat;
pub use context::{Context, Scope};
pub use identifier::{Identifier, IdentifierError, IdentifierProblem, IdentifierV2, Persistence};
pub use inspect::{Damage, Hint, Inspection, Report, inspect};
pub use judge::{TokenUse, Unmet};
pub use limits::Limits;
pub use mac::Signature;
pub use macaroon::{FieldError, Macaroon};
pub use predicate::{
    ApiPattern, Country, DataPath, EmptyList, Filter, Interface, IpMask, Item, JsonPredicate, List, ObjectId,
    Predicate, PredicateBuf, Region,
};
pub use secret::{RootKey, ShortSecret};
pub use service::{Service, ServiceKind};
pub use subject::Subject;
pub use time::UnixTime;
pub use token::{MintError, Token};
pub use token_type::{InviteConsumer, InviteType, LegacyType, TokenType};
pub use verify::{Preflight, Refutation, Verified, Verifier, VerifyError};
pub use wire::{
    DecodeOptions, EncodeError,
    error::{DecodeError, Problem, Stage, Unit},
    text::{Encoding, Spelling},
};
