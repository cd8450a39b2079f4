//! The synchronization primitives. A module of its own, so that `tests/interleavings` can replace them by loom's.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
