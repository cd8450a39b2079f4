//! Mint, attenuate, verify and inspect macaroon tokens, those of Onedata above all. Pure: no I/O, no clock, no
//! randomness, no global state.
//!
//! It does not store tokens (see `token-store`), know who may do what (`token-api`) or speak HTTP.
//!
//! [`Token::mint`] → [`Token::attenuate`] → [`Token::encode`] ⇢ the wire ⇢ [`Token::decode`] → [`Verifier::verify`]
//!
//! # A token's life
//!
//! Onezone mints a token under a root key that only it has, and hands the text to a person.
//!
//! ```
//! use token_core::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = RootKey::derive(b"thirty-two random bytes, or more")?;
//! let identifier = IdentifierV2 {
//!     persistence: Persistence::Named,
//!     subject: Subject::User("u1"),
//!     token_type: TokenType::Invite { invite: InviteType::SupportSpace, target: "s1" },
//!     id: "t1",
//! };
//! let token = Token::mint(&key, "onezone.example.com", &identifier)?;
//! let text = token.encode()?;
//! # assert!(!format!("{token:?}").contains(&text));
//!
//! // The holder narrows it, without any key, before passing it on: for one provider, for a while.
//! let mut token = Token::decode(&text, &DecodeOptions::default())?;
//! token.attenuate(PredicateBuf::consumer([Subject::Provider("p1")])?)?;
//! token.attenuate(PredicateBuf::time(UnixTime::from_secs(1_800_000_000)))?;
//! let text = token.encode()?;
//!
//! // Onezone verifies what comes back against the facts of the request: the signature first, then each caveat.
//! let token = Token::decode(&text, &DecodeOptions::default())?;
//! let mut context = Context::at(UnixTime::from_secs(1_700_000_000));
//! context.consumer = Some(Subject::Provider("p1"));
//! let verifier = Verifier::new(&context).used_as(TokenUse::Invite);
//! let verified = verifier.verify(token.macaroon(), &key)?;
//! assert_eq!(verified.subject(), Some(Subject::User("u1")));
//! assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(1_800_000_000)));
//!
//! // Another provider is refused, and told nothing but which caveat.
//! context.consumer = Some(Subject::Provider("p2"));
//! let refused = Verifier::new(&context).verify(token.macaroon(), &key).unwrap_err();
//! assert_eq!(refused, VerifyError::CaveatUnmet { at: Place { discharge: None, index: 0 }, why: Unmet::Refuted });
//!
//! // A provider has no key. It can read the token, and see that asking Onezone would be in vain.
//! let inspection = inspect(&text, &DecodeOptions::default())?;
//! assert_eq!(inspection.token().map(|token| token.id), Some("t1"));
//! let preflight = Verifier::new(&context).preflight(token.macaroon());
//! assert_eq!(preflight, Preflight::Refuted { index: 0, why: Refutation::Unmet(Unmet::Refuted) });
//! # Ok(())
//! # }
//! ```
//!
//! # Third parties
//!
//! A caveat can ask for the word of somebody else: the macaroon then holds only together with a *discharge*, a
//! macaroon that the third party mints once it is satisfied. Whoever appends the caveat chooses a key and lets
//! the third party have it, commonly encrypted in the caveat's identifier.
//!
//! ```
//! use token_core::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = RootKey::derive(b"thirty-two random bytes, or more")?;
//! let caveat_key = CaveatKey::derive(b"other random bytes, for one caveat alone")?;
//! let nonce = [7; 24]; // 24 random bytes; token-api draws them
//! let mut macaroon = Macaroon::mint(&key, "https://onezone.example.com", b"m1")?;
//! macaroon.add_third_party("https://login.example.com", b"user is u1?", &caveat_key, &nonce)?;
//!
//! // The third party, asked by whoever holds the macaroon, may set conditions of its own.
//! let mut discharge = Macaroon::discharge(&caveat_key, "https://login.example.com", b"user is u1?")?;
//! discharge.attenuate(PredicateBuf::time(UnixTime::from_secs(2_000)))?;
//!
//! // The holder binds it to the macaroon, so that it serves with no other, and presents both.
//! let bound = discharge.bound_to(&macaroon);
//! let context = Context::at(UnixTime::from_secs(1_000));
//! let verified = Verifier::new(&context).verify_with(&macaroon, &[bound], &key)?;
//! assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(2_000)));
//!
//! // Alone it is worth nothing.
//! let at = Place { discharge: None, index: 0 };
//! assert_eq!(Verifier::new(&context).verify(&macaroon, &key).unwrap_err(), VerifyError::DischargeMissing { at });
//! # Ok(())
//! # }
//! ```
//!
//! # Beyond Onedata
//!
//! Macaroons of other programs come in v2 ([`Format::V2`]) and as JSON ([`Format::V2J`]); all formats are read, and
//! converting between them keeps the signature. A program judges predicates of its own with a [`Check`], beside
//! Onedata's vocabulary. [`DecodeOptions::compat`] reads what other libraries write and should not.
//!
//! # What may be trusted
//!
//! Trust is a type. A [`Token`] or a [`Macaroon`] is what somebody wrote; an [`Inspection`] shows it and a
//! [`Preflight`] refutes it, and neither proves anything. Only [`Verifier::verify`] makes a [`Verified`].
//!
//! Received bytes are the truth. Identifiers and caveats are signed as they came and never written anew; the
//! types of this crate ([`Identifier`], [`Predicate`], …) are views of them, made without allocation. A caveat
//! that is not understood can be carried and attenuated, and is refused by verification.
//!
//! The location is not signed, and neither is the spelling: one token has many texts. Store, spend and revoke by
//! [`Identifier::id`], never by text. Cache a verdict by [`Token::fingerprint`] only, together with the facts of the
//! request that it was given for, and with the fingerprints of the discharges where there were any. An id is in logs,
//! and a forgery can carry it; a signature stays on a text whose caveats were taken off.
//!
//! # Hostile input
//!
//! No input makes this crate panic. Decoding is strict and iterative, takes no length on trust, and stops at
//! [`Limits`]; the text of a token of Onedata that it accepts, it writes back byte for byte. Secrets are wiped when dropped, and neither they nor
//! signatures appear in `Debug` or in errors.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod caveat;
mod context;
mod fingerprint;
mod identifier;
mod inspect;
mod judge;
mod limits;
mod mac;
mod macaroon;
mod predicate;
mod purpose;
mod seal;
mod secret;
mod service;
mod split;
mod subject;
mod time;
mod token;
mod token_type;
mod verify;
mod wire;

pub use caveat::Caveat;
pub use context::{Context, Scope};
pub use fingerprint::Fingerprint;
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
pub use purpose::StatedPurpose;
pub use seal::CaveatNonce;
pub use secret::{CaveatKey, RootKey, ShortSecret};
pub use service::{Service, ServiceKind};
pub use subject::Subject;
pub use time::UnixTime;
pub use token::{MintError, Token};
pub use token_type::{InviteConsumer, InviteType, LegacyType, TokenType};
pub use verify::{Check, Judgment, Place, Preflight, Refutation, Verified, Verifier, VerifyError};
pub use wire::{
    error::{DecodeError, EncodeError, Problem, Stage, Unit},
    format::{DecodeOptions, Format},
    text::{Encoding, Spelling},
};
