//! How far the server's log goes, and how far it went when something was acknowledged.
//!
//! A promoted standby begins a timeline of its own, whose number is higher, where the log that it had received ends. So
//! a lower timeline than one seen before is that of a former primary; and a timeline that begins before what was
//! acknowledged lacks it.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use crate::LogPosition;

/// Where the log of a server is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    pub(super) end: LogPosition,
    /// Where its timeline began, as long as it has not been restarted since.
    pub(super) began: Option<u64>,
    /// What was acknowledged before the server was asked. Others may have acknowledged more while it answered.
    pub(super) acknowledged: LogPosition,
}

/// What is known of the log, of all connections of one store. Nothing of it outlives the process.
#[derive(Debug, Default)]
pub(super) struct Log {
    newest: AtomicU32,
    acknowledged: Mutex<LogPosition>,
    used: AtomicBool,
}

impl Log {
    /// The highest timeline of a server that took writes. A connection to a lower one leads to a former primary.
    pub(super) fn newest(&self) -> u32 {
        self.newest.load(Ordering::Acquire)
    }

    /// Whether a server has all that was acknowledged before it was asked.
    ///
    /// # Errors
    /// How far its log goes as it was then, and how far it went that was acknowledged.
    pub(super) fn admit(&self, reached: &Reached) -> Result<(), (LogPosition, LogPosition)> {
        let Reached { end, began, acknowledged } = *reached;
        let newest = self.newest.fetch_max(end.timeline, Ordering::AcqRel);
        let holds = match end.timeline > acknowledged.timeline {
            true => began.unwrap_or(end.at),
            false => end.at,
        };
        match end.timeline < newest || holds < acknowledged.at {
            true => Err((LogPosition { at: holds, ..end }, acknowledged)),
            false => Ok(()),
        }
    }

    /// How far the log went when something was last acknowledged.
    pub(super) fn acknowledged(&self) -> LogPosition {
        *self.lock()
    }

    /// Notes what was acknowledged. False, and nothing is noted, for a former primary: what it acknowledges is lost, and its
    /// log has gone its own way.
    pub(super) fn acknowledge(&self, position: LogPosition) -> bool {
        if position.timeline < self.newest() {
            return false;
        }
        let mut acknowledged = self.lock();
        *acknowledged = LogPosition {
            timeline: position.timeline.max(acknowledged.timeline),
            at: position.at.max(acknowledged.at),
        };
        true
    }

    /// Notes that somebody asks something.
    pub(super) fn using(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether anybody has asked anything since this was last called.
    pub(super) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, LogPosition> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A position as the server writes it: `16/B374D848`.
pub(super) fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let half = |digits: &str| u32::from_str_radix(digits, 16).ok();
    Some(u64::from(half(high)?) << 32 | u64::from(half(low)?))
}

/// The timeline of a file of the log, which is named in 24 digits.
pub(super) fn timeline(file: &str) -> Option<u32> {
    u32::from_str_radix(file.get(..8)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_lacks_what_was_acknowledged_is_refused() {
        let at = |timeline, at| LogPosition { timeline, at };
        for (end, began, admitted) in [
            (at(2, 100), None, true),
            (at(2, 99), None, false),
            // A former primary, however far it has come since.
            (at(1, 1000), None, false),
            (at(3, 500), Some(100), true),
            (at(3, 500), Some(99), false),
            // It was restarted, and no longer knows where it began.
            (at(3, 500), None, true),
            (at(3, 99), None, false),
        ] {
            let log = Log::default();
            let early = Reached { end: at(2, 90), began: None, acknowledged: log.acknowledged() };
            log.admit(&early).unwrap();
            assert!(log.acknowledge(at(2, 100)));
            // It was asked before.
            log.admit(&early).unwrap();
            let reached = Reached { end, began, acknowledged: log.acknowledged() };
            assert_eq!(log.admit(&reached).is_ok(), admitted, "{end:?} {began:?}");
            assert_eq!(log.acknowledge(at(2, 101)), end.timeline <= 2, "{end:?}");
        }
    }

    // It commits what was underway when its successor was found, and nobody is told that it is durable.
    #[test]
    fn what_a_former_primary_commits_says_nothing_of_its_successor() {
        let at = |timeline, at| LogPosition { timeline, at };
        let log = Log::default();
        assert!(log.acknowledge(at(1, 100)));
        let reached = |end| Reached { end, began: Some(100), acknowledged: log.acknowledged() };
        log.admit(&reached(at(2, 110))).unwrap();
        assert!(log.acknowledge(at(2, 120)));
        assert!(!log.acknowledge(at(1, 900)));
        assert_eq!(log.admit(&reached(at(2, 130))), Ok(()));
    }

    #[test]
    fn positions_are_read_as_the_server_writes_them() {
        assert_eq!(position("16/B374D848"), Some(0x16_B374_D848));
        assert_eq!(timeline("0000000A0000000000000001"), Some(10));
        for text in ["", "16", "16/", "/1", "16/x", "1/100000000"] {
            assert_eq!(position(text), None, "{text}");
        }
        assert_eq!(timeline("1"), None);
    }
}
