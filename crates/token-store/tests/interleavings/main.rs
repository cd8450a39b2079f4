//! Every interleaving of a few threads.
//!
//! A binary of its own, since it compiles two modules of the library anew, over loom's primitives.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod cache;
mod jobs;

#[path = "../../src/embedded/queue.rs"]
#[allow(unreachable_pub, reason = "as in the library, it is used within the crate")]
mod queue;
#[path = "../../src/cached/reads.rs"]
#[allow(unreachable_pub, dead_code, reason = "as in the library, it is used within the crate")]
mod reads;

/// Where the library has the primitives of the standard library.
mod sync {
    pub(crate) use loom::{
        sync::{Arc, Mutex, MutexGuard},
        thread::{Thread, current, park},
    };

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
