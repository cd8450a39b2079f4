//! Mint, attenuate, verify and inspect macaroon tokens, those of Onedata above all. Pure: no I/O, no clock, no
//! randomness, no global state.
//!
//! It does not store tokens (see `token-store`), decide who may do what (see `token-api`) or speak HTTP.
//!
//! [`Token::mint`] → [`Token::attenuate`] → [`Token::encode`] ⇢ the wire ⇢ [`Token::decode`] → [`Verifier::verify`]
//!
//! # A token's life
//!
//! Onezone mints a token under a root key that only Onezone has, and gives the text to a user.
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
//! // The holder attenuates it without any key before passing it on: for one provider, until a time.
//! let mut token = Token::decode(&text, &DecodeOptions::default())?;
//! token.attenuate(PredicateBuf::consumer([Subject::Provider("p1")])?)?;
//! token.attenuate(PredicateBuf::time(UnixTime::from_secs(1_800_000_000)))?;
//! let text = token.encode()?;
//!
//! // Onezone verifies the presented token against the facts of the request: the signature first, then each caveat.
//! let token = Token::decode(&text, &DecodeOptions::default())?;
//! let mut context = Context::at(UnixTime::from_secs(1_700_000_000));
//! context.consumer = Some(Subject::Provider("p1".into()));
//! let verifier = Verifier::new(&context).supporting(CaveatTypes::INVITE);
//! let verified = verifier.verify(token.macaroon(), &key)?;
//! assert_eq!(verified.subject(), Some(Subject::User("u1")));
//! assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(1_800_000_000)));
//!
//! // Another provider is refused. The error names the caveat.
//! context.consumer = Some(Subject::Provider("p2".into()));
//! let refused = Verifier::new(&context).verify(token.macaroon(), &key).unwrap_err();
//! assert_eq!(refused, VerifyError::CaveatUnmet { at: Place { discharge: None, index: 0 }, why: Unmet::Refuted });
//!
//! // A provider has no key. It can still read the token, and see that Onezone would refuse it.
//! let inspection = inspect(&text, &DecodeOptions::default())?;
//! assert_eq!(inspection.token().map(|token| token.id), Some("t1"));
//! assert_eq!(Verifier::new(&context).preflight(token.macaroon()), Some(refused));
//! # Ok(())
//! # }
//! ```
//!
//! # Third parties
//!
//! A third-party caveat requires a *discharge*: a macaroon that the third party mints once it is satisfied. The
//! appender of the caveat chooses a key and shares it with the third party, commonly encrypted in the caveat's
//! identifier.
//!
//! ```
//! use token_core::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = RootKey::derive(b"thirty-two random bytes, or more")?;
//! let caveat_key = CaveatKey::derive(b"other random bytes, for one caveat alone")?;
//! let nonce = CaveatNonce::from_random([7; 24]); // token-api draws it
//! let mut macaroon = Macaroon::mint(&key, "https://onezone.example.com", b"m1")?;
//! macaroon.add_third_party("https://login.example.com", b"user is u1?", &caveat_key, nonce)?;
//!
//! // The third party mints the discharge at the holder's request, and may add caveats of its own.
//! let mut discharge = Macaroon::discharge(&caveat_key, "https://login.example.com", b"user is u1?")?;
//! discharge.attenuate(PredicateBuf::time(UnixTime::from_secs(2_000)))?;
//!
//! // The holder binds it to the macaroon, so that it is valid with no other, and presents both.
//! let bound = macaroon.bind_discharge(&discharge);
//! let context = Context::at(UnixTime::from_secs(1_000));
//! let verified = Verifier::new(&context).verify_with(&macaroon, &[bound], &key)?;
//! assert_eq!(verified.expires_at(), Some(UnixTime::from_secs(2_000)));
//!
//! // Without the discharge, the macaroon is refused.
//! let at = Place { discharge: None, index: 0 };
//! assert_eq!(Verifier::new(&context).verify(&macaroon, &key).unwrap_err(), VerifyError::DischargeMissing { at });
//! # Ok(())
//! # }
//! ```
//!
//! # Beyond Onedata
//!
//! Other programs write macaroons as v2 ([`Format::V2`]) and as JSON ([`Format::V2J`]). This crate reads all formats,
//! and converting between them keeps the signature. A program judges predicates of its own with a [`Judge`], beside
//! Onedata's vocabulary. [`DecodeOptions::compat`] also reads texts that other libraries write against the rules.
//!
//! # Many at once
//!
//! [`Verifier::verify_many`] gives the answers of [`Verifier::verify`] for many macaroons. With the feature `simd` (on by
//! default) it takes about half of the time on a processor with AVX-512, and four fifths with SHA-NI. The crate
//! `onetoken-lanes`, the only one of onetoken with `unsafe`, computes these chains.
//!
//! # What may be trusted
//!
//! Trust is a type. Anyone can write a [`Token`] or a [`Macaroon`]. An [`Inspection`] shows it and a
//! [preflight](Verifier::preflight) can refute it, and neither proves anything. Only a [`Verifier`] makes a [`Verified`].
//!
//! Received bytes are the truth. Identifiers and caveats are MACed as received and never re-encoded. The types of
//! this crate ([`Identifier`], [`Predicate`], …) are views of them, made without allocation. An unknown caveat can be
//! carried and attenuated, and verification refuses it.
//!
//! The location and the spelling are not signed: one token has many texts. Store, spend and revoke by
//! [`Identifier::id`], never by text. Cache a verdict only by [`Token::fingerprint`], together with the facts of the
//! request and the fingerprints of all discharges. Neither id nor signature is a safe key: ids are in logs, so a
//! forgery can carry one, and a text whose caveats were removed can keep the signature.
//!
//! # Hostile input
//!
//! No input makes this crate panic. Decoding is strict, trusts no length field, recurs four levels deep at most, and
//! stops at [`Limits`]. An accepted Onedata token re-encodes to the same text, byte for byte. Secrets are wiped when
//! dropped. Neither secrets nor signatures appear in `Debug` or in errors.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![warn(unnameable_types, clippy::exhaustive_enums)]

extern crate alloc;

mod caveat;
mod context;
mod document;
mod fingerprint;
mod identifier;
mod inspect;
mod judge;
#[cfg(feature = "simd")]
mod lanes;
mod limits;
mod mac;
mod macaroon;
mod needs;
mod parse;
mod predicate;
mod purpose;
mod seal;
mod secret;
mod service;
mod subject;
mod time;
mod token;
mod token_type;
mod verify;
mod wire;
mod words;

pub use caveat::{Caveat, CaveatTypes};
pub use context::{Context, Scope, Session};
pub use document::{Bytes, Stamp};
pub use fingerprint::Fingerprint;
pub use identifier::{Identifier, IdentifierV2, Persistence};
pub use inspect::{Damage, Field, Hint, Inspection, Report, Stretch, Tail, inspect};
pub use judge::{Judge, Judgment, Unmet};
pub use limits::Limits;
pub use mac::Signature;
pub use macaroon::{BuildError, Macaroon};
pub use needs::Needs;
pub use parse::ParseError;
pub use predicate::{
    ApiPattern, DataPath, GeoFilter, Integer, Interface, IpMask, List, ListError, ListItem, Predicate,
    PredicateBuf, Region,
};
pub use purpose::Purpose;
pub use seal::CaveatNonce;
pub use secret::{CaveatKey, RootKey, ShortSecret};
pub use service::{Service, ServiceKind};
pub use subject::Subject;
pub use time::UnixTime;
pub use token::Token;
#[cfg(feature = "simd")]
#[doc(hidden)] // for tests and measurements of each kernel
pub use token_lanes::Kernel;
pub use token_type::{InviteConsumer, InviteType, LegacyType, TokenType};
pub use verify::{Confirmed, Explanation, Finding, Place, Verified, Verifier, VerifyError};
pub use wire::{
    error::{DecodeError, EncodeError, Problem},
    format::{DecodeOptions, Format},
    text::{Encoding, Spelling},
};
