//! What belongs to one process.

use std::{mem, process};

use crate::StoreError;

/// What only the process that made it may use. A process that is forked from it has a copy of the memory and shares
/// the open files: both would write to one store, and both would grant the same use of a token.
pub(crate) struct Owned<T> {
    process: u32,
    // There until the end: see `drop`.
    value: Option<T>,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: process::id(), value: Some(value) }
    }

    /// The value; [`StoreError::Forked`] in another process.
    pub(crate) fn get(&self) -> Result<&T, StoreError> {
        self.value.as_ref().filter(|_| self.is_here()).ok_or(StoreError::Forked)
    }

    fn is_here(&self) -> bool {
        self.process == process::id()
    }
}

// Engines write when they are dropped, and wait for threads that a forked process does not have.
impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.is_here() {
            mem::forget(self.value.take());
        }
    }
}
