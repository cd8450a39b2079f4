//! What the tests, benches and fuzz targets of this workspace share: vectors, mutations, a seeded generator
//! and an oracle. It is never published and nothing that ships depends on it.
//!
//! - [`vectors`]: tokens with their secrets, fields and signatures, written by other implementations.
//! - [`bit_flips`], [`truncations`]: every small damage to a message, for "a forgery is refused" tests.
//! - [`oracle`]: an independent implementation to agree with.
//! - [`peer`]: the other libraries, to exchange tokens with.
//! - `postgres` (a feature): a server for the tests of that backend.
//! - [`hostile`]: input that is made to cost its reader time, memory or stack.
//! - [`strategies`]: identifiers, caveats, requests and damage for property tests.
//! - [`text`]: the spellings and packets of tokens, written down once more.
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

pub mod hex;
pub mod hostile;
mod mutation;
pub mod oracle;
pub mod peer;
#[cfg(feature = "postgres")]
pub mod postgres;
mod random;
pub mod strategies;
pub mod text;
pub mod vectors;
pub mod world;

pub use mutation::{bit_flips, truncations};
pub use random::SplitMix64;

/// A root key as a vector gives it and as the oracle takes it. These keys are published test data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// Bytes of any length from which the root key is yet to be derived.
    Secret(&'a [u8]),
    /// The root key itself, used without derivation.
    Derived([u8; 32]),
}

impl Key<'_> {
    /// The root key as the library takes it.
    #[must_use]
    pub fn root_key(self) -> token_core::RootKey {
        match self {
            Self::Secret(secret) => token_core::RootKey::derive_any(secret),
            Self::Derived(key) => token_core::RootKey::from_derived(key),
        }
    }
}

/// Says that the test at hand does not run, for want of something.
///
/// # Panics
/// Where the variable of the environment says, with `1`, that it has to run.
pub fn not_run(required: &str, missing: &str) {
    let is_required = std::env::var_os(required).is_some_and(|value| value == "1");
    assert!(!is_required, "{required} is set, and this machine lacks {missing}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    // Not by a macro: the harness shows what those print for tests that fail only.
    drop(writeln!(std::io::stderr(), "NOT RUN: {test}: this machine lacks {missing}"));
}
