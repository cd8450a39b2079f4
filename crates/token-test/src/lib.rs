//! Shared support for the tests, benches and fuzz targets of this workspace. It is never published, and nothing that
//! ships depends on it.
//!
//! - [`vectors`]: tokens with their secrets, fields and signatures, written by other implementations.
//! - [`ctool`]: caveats and tokens with what Onedata's own library made of them.
//! - [`bit_flips`], [`truncations`]: every small corruption of a message, for "a forgery is refused" tests.
//! - [`oracle`]: an independent implementation to compare with.
//! - `postgres` (a feature): a server for the tests of that backend.
//! - [`files`]: trees of files.
//! - [`hostile`]: input that is crafted to cost its reader time, memory or stack.
//! - [`onezone`]: a Onezone in play over any store, and its model.
//! - [`records`]: records of stores, their ids and claims.
//! - `stores` (a feature): the stores of one process, by name.
//! - [`FAMILIES`]: what the caveats of each type begin with.
//! - [`text`]: the encodings and packets of tokens, implemented independently of the library.
//! - [`SplitMix64`]: random but repeatable inputs.
//! - [`world`]: an authority with a host and a clock for tests.
//!
//! ```
//! for vector in token_test::vectors::onedata_legacy() {
//!     let token = token_test::oracle::mint(vector.key(), &vector.location, &vector.identifier, &vector.caveats);
//!     assert_eq!(token.signature, vector.signature, "{}", vector.name);
//! }
//! ```
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "only tests call this crate, and a broken vector has to fail them loudly"
)]

use std::io::Write as _;

pub mod ctool;
pub mod files;
pub mod hex;
pub mod hostile;
mod mutation;
pub mod onezone;
pub mod oracle;
#[cfg(feature = "postgres")]
pub mod postgres;
mod random;
pub mod records;
#[cfg(feature = "stores")]
pub mod stores;
pub mod text;
pub mod vectors;
pub mod world;

pub use mutation::{bit_flips, truncations};
pub use random::SplitMix64;

/// What the caveats of each type begin with, and last nothing, with which any caveat does.
pub const FAMILIES: [&str; 17] = [
    "time < ",
    "ip = ",
    "asn = ",
    "geo.country = ",
    "geo.country != ",
    "geo.region = ",
    "geo.region != ",
    "service = ",
    "consumer = ",
    "interface = ",
    "api = ",
    "data.readonly",
    "data.path = ",
    "data.objectid = ",
    "authorization = ",
    "tokenType = ",
    "",
];

/// A root key as vectors and the oracle give it. These keys are published test data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// Bytes of any length from which the root key is derived.
    Secret(&'a [u8]),
    /// The root key itself, used without derivation.
    Derived([u8; 32]),
}

impl Key<'_> {
    /// Returns the root key as a type of the library.
    #[must_use]
    pub fn root_key(self) -> token_core::RootKey {
        match self {
            Self::Secret(secret) => token_core::RootKey::derive_any(secret),
            Self::Derived(key) => token_core::RootKey::from_derived(key),
        }
    }
}

/// Reports that the present test does not run because something is missing.
///
/// # Panics
/// If the environment variable `required` is `1`.
pub fn not_run(required: &str, missing: &str) {
    let is_required = std::env::var_os(required).is_some_and(|value| value == "1");
    assert!(!is_required, "{required} is set, and this machine lacks {missing}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    // Not with a macro: the harness shows the output of macros for failed tests only.
    drop(writeln!(std::io::stderr(), "NOT RUN: {test}: this machine lacks {missing}"));
}
