//! The synchronization primitives. A module of its own, so that `tests/interleavings` can replace them by loom's.

use std::sync::PoisonError;
pub(crate) use std::{
    sync::{Arc, Mutex, MutexGuard},
    thread::{Thread, current, park},
};

// A panic of ours never leaves a lock's content half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
