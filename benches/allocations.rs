//! Counts the memory allocations of a work.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The system's allocator with a counter. While it does not count, it costs one load and one branch, so that counting
/// does not slow what is timed.
#[derive(Debug)]
pub struct Counting {
    counts: AtomicBool,
    calls: AtomicU64,
}

impl Counting {
    /// Creates the allocator, with a count of zero.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a static is made in no other way")]
    pub const fn new() -> Self {
        Self { counts: AtomicBool::new(false), calls: AtomicU64::new(0) }
    }

    /// Returns how often all threads allocated or reallocated memory during the call.
    pub fn count(&self, work: impl FnOnce()) -> u64 {
        self.calls.store(0, Relaxed);
        self.counts.store(true, Relaxed);
        work();
        self.counts.store(false, Relaxed);
        self.calls.load(Relaxed)
    }

    fn call(&self) {
        if self.counts.load(Relaxed) {
            self.calls.fetch_add(1, Relaxed);
        }
    }
}

// SAFETY: each call and its result pass through the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.call();
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.call();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.call();
        // SAFETY: as above; the pointer came from the same allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}
