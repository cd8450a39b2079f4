//! The verbs of onetoken as plain documents in and out, for programs in other languages: Erlang, C, Python, the browser.
//!
//! It holds no rule about tokens: those are in [`token_core`] and, for the feature `authority`, in `token_api`. A shell for
//! another language holds nothing at all: it converts a request, calls, and converts the answer.
//!
//! [`Request::read`] → [`Request::answer`] → serialize the [`Answer`]; or [`call`], which does all three in JSON
//!
//! ```
//! let secret = "an example secret of 32 bytes or more";
//! let request = format!(r#"{{"secret":"{secret}","location":"onezone","identifier":"id1","caveats":["time < 2000"]}}"#);
//! let minted = token_embed::call("mint", request.as_bytes()).unwrap();
//! let token = String::from_utf8(minted).unwrap();
//! let token = token.strip_prefix(r#"{"token":""#).unwrap().strip_suffix(r#""}"#).unwrap();
//!
//! let request = format!(r#"{{"token":"{token}","secret":"{secret}","context":{{"now":1999}}}}"#);
//! let verified = token_embed::call("verify", request.as_bytes()).unwrap();
//! assert!(verified.starts_with(br#"{"valid":true,"identifier":"id1","#));
//!
//! let request = request.replace("1999", "2000");
//! let refused = token_embed::call("verify", request.as_bytes()).unwrap_err();
//! assert!(refused.starts_with(br#"{"code":"token_caveat_unverified","detail":{"index":0,"#));
//! ```
//!
//! # Documents
//!
//! `docs/EMBEDDING.md` has the members of each request and answer, and the list of errors. Unknown members, members that
//! are there twice and requests beyond [`MAX_REQUEST`] are refused. Bytes are a string (their UTF-8), `{"hex":…}` or
//! `{"base64url":…}`; where the form has bytes of its own, such as Erlang's binaries, also those.
//!
//! A deserializer of a shell has to answer `deserialize_any` by what is there, and read maps with string keys. Texts that
//! it hands over as borrowed are not copied. A serializer has to write structs as maps with string keys.
//!
//! # Secrets
//!
//! A request has no `Debug`. What is copied of a secret is wiped, with one exception: the reader of JSON unescapes a string
//! with escapes, such as `\n`, in memory that nothing wipes. In JSON, pass such a secret, or a key ring of several lines, as
//! `{"base64url":…}`. An error shows no part of the request but names of its members, a caveat of the token and what can be
//! read of a damaged token.
//!
//! # Features
//!
//! - `simd` (default): base64 by vector instructions.
//! - `keys`: the verbs `seal` and `open`.
//! - `authority`: an authority over a store; `sled` and `postgres` add their stores.
#![cfg_attr(not(any(test, feature = "keys")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "authority")]
pub mod authority;
mod error;
mod facts;
mod json;
pub mod people;
mod pure;
mod request;
#[cfg(feature = "keys")]
mod seal;
mod text;
mod token;
mod verbs;

pub use error::{Code, Detail, ERRORS_JSON, Error, Partial};
pub use facts::{Facts, Use};
pub use json::MAX_REQUEST;
pub use pure::{
    ABI, Bind, Caveat, CaveatRead, Confine, Inspect, Inspected, Mint, Needed, Needs, Preflight, Preflighted,
    Verified, Verify, Version, Versions, Written,
};
pub use request::{Answer, Request, VERBS, answer_json, call};
#[cfg(feature = "keys")]
pub use seal::{Open, Opened, Seal, Sealed};
/// What [`Verified::stated`] returns.
pub use token_core::{IdentifierV2, TokenType};
