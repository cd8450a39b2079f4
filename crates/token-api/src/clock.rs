//! The source of an authority's time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use token_core::UnixTime;

/// A clock that never goes back, so that an expired token stays expired while the process lives.
pub(crate) struct Clock {
    time: Box<dyn Fn() -> UnixTime + Send + Sync>,
    latest: AtomicU64,
}

impl Clock {
    pub(crate) fn new(time: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        Self { time: Box::new(time), latest: AtomicU64::new(0) }
    }

    /// The operating system's clock. A time before 1970 counts as 1970.
    pub(crate) fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            UnixTime::from_secs(since.map_or(0, |since| since.as_secs()))
        })
    }

    pub(crate) fn now(&self) -> UnixTime {
        let (now, latest) = ((self.time)().as_secs(), self.latest.load(Ordering::Relaxed));
        // Written once a second: threads that write to one address wait for each other.
        let latest = if now > latest { self.latest.fetch_max(now, Ordering::Relaxed) } else { latest };
        UnixTime::from_secs(latest.max(now))
    }
}
