//! What threads meet at. Of its own, so that `tests/interleavings.rs` can put a model checker's in their place.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
