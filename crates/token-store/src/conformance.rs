//! The conformance suite that every backend must pass, ours and yours.
//!
//! ```
//! let store = token_store::MemoryStore::new();
//! token_store::conformance::administration(|| store.clone());
//! ```
//!
//! A violation panics, and the message names the broken guarantee: one of G1 to G6, or the contract of a method. The
//! suite writes under names of its own, which differ from run to run. So the store may hold other data, but nothing
//! else may use it meanwhile. The suite purges records that expired before 1970-01-01T00:16:40Z.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "a test suite"
)]

mod administration;
mod deleting;
mod events;
mod generations;
mod listing;
mod names;
mod races;
mod records;
mod restoring;
mod revoking;
mod spending;
mod suite;

use crate::{Administration, TokenStore};
use suite::Suite;

/// Tests every guarantee of [`TokenStore`]. `open` opens the store. The suite drops the store and calls `open` again,
/// which must return the same data; for a store in memory it returns a clone.
///
/// In one test, 64 threads spend one token in 1,000 rounds, with use limits from 1 to 4. That is some 4,500 writes.
///
/// # Panics
/// At the first violation.
pub fn all<S: TokenStore>(open: impl Fn() -> S) {
    let suite = Suite::new();
    records::check(&suite, &open);
    spending::check(&suite, &open);
    revoking::check(&suite, &open);
    names::check(&suite, &open);
    deleting::check(&suite, &open);
    listing::check(&suite, &open);
    generations::check(&suite, &open);
    races::check(&suite, &open());
}

/// Tests every guarantee of [`TokenStore`] and then of [`Administration`]. Use a store for this alone: afterwards all
/// records created before 1970-01-01T00:16:40Z are revoked, and spent records are purged.
///
/// # Panics
/// At the first violation.
pub fn administration<S: Administration>(open: impl Fn() -> S) {
    all(&open);
    let suite = Suite::new();
    events::check(&suite, &open);
    deleting::check_administration(&suite, &open);
    restoring::check(&suite, &open);
    administration::check(&suite, &open);
}
