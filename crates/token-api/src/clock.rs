//! The source of an authority's time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use token_core::UnixTime;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the present time.
    fn now(&self) -> UnixTime;
}

/// The operating system's clock. A time before 1970 counts as 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl<F: Fn() -> UnixTime + Send + Sync> Clock for F {
    fn now(&self) -> UnixTime {
        self()
    }
}

/// A clock that never goes back, so that an expired token stays expired while the process lives.
pub(crate) struct ForwardClock {
    clock: Box<dyn Clock>,
    latest: AtomicU64,
}

impl ForwardClock {
    pub(crate) fn new(clock: Box<dyn Clock>) -> Self {
        Self { clock, latest: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> UnixTime {
        let now = self.clock.now().as_secs();
        UnixTime::from_secs(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}
