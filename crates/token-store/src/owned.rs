//! Values that belong to one process.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
};

use crate::StoreError;

/// A value that only the process that made it may use. A forked process has a copy of the memory and shares the open
/// files: both would write to one store, and both would grant the same use of a token.
pub struct Owned<T> {
    process: u32,
    // `Some` until dropped: see `drop`.
    value: Option<T>,
}

impl<T> Owned<T> {
    /// Makes a value that belongs to this process.
    pub fn new(value: T) -> Self {
        Self { process: process::id(), value: Some(value) }
    }

    /// Returns the value.
    ///
    /// # Errors
    /// [`StoreError::Forked`] in another process.
    pub fn get(&self) -> Result<&T, StoreError> {
        self.value.as_ref().filter(|_| self.is_here()).ok_or(StoreError::Forked)
    }

    fn is_here(&self) -> bool {
        self.process == process::id()
    }
}

/// Does not show the value.
impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").finish_non_exhaustive()
    }
}

// Does not drop the value in a forked process: engines write when dropped, and wait for threads that it does not have.
// Catches a panic: sled syncs its file when dropped, and panics if that fails, in a host that closes a store on a
// failing disk. Everything acknowledged is synced already.
impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        match self.is_here() {
            true => drop(catch_unwind(AssertUnwindSafe(move || drop(value)))),
            false => mem::forget(value),
        }
    }
}
