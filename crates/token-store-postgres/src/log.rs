//! How far the server's log reaches, and how far it reached at the last acknowledgement.
//!
//! A promoted standby begins a timeline with a higher number where the log that it received ends. So a timeline lower
//! than one seen before belongs to a former primary. A timeline that begins before an acknowledged position lacks
//! that write.

use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A position in the log of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// The timeline; each promotion of a standby starts a higher one.
    pub(crate) timeline: u32,
    /// The position in the log, in bytes.
    pub(crate) at: u64,
}

/// Formats the position as PostgreSQL does, followed by the timeline.
impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X} of timeline {}", self.at >> 32, self.at & 0xFFFF_FFFF, self.timeline)
    }
}

/// The log of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) end: LogPosition,
    /// Where its timeline began. `None` if the server was restarted since.
    pub(crate) began: Option<u64>,
    /// The acknowledged position before the server was asked. Other connections may have acknowledged more since.
    pub(crate) acknowledged: LogPosition,
}

/// What the connections of one store know of the log. Lost when the process ends.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    newest: u32,
    acknowledged: LogPosition,
    used: bool,
}

impl Log {
    /// Returns the highest timeline of any server that took writes. A connection to a lower one leads to a former
    /// primary.
    pub(crate) fn newest(&self) -> u32 {
        self.lock().newest
    }

    /// Checks that a server has every write that was acknowledged before it was asked.
    ///
    /// # Errors
    /// The position up to which the server has the acknowledged log, and the acknowledged position.
    pub(crate) fn admit(&self, reached: &Reached) -> Result<(), (LogPosition, LogPosition)> {
        let Reached { end, began, acknowledged } = *reached;
        let mut known = self.lock();
        known.newest = known.newest.max(end.timeline);
        let holds = match end.timeline > acknowledged.timeline {
            true => began.unwrap_or(end.at),
            false => end.at,
        };
        match end.timeline < known.newest || holds < acknowledged.at {
            true => Err((LogPosition { at: holds, ..end }, acknowledged)),
            false => Ok(()),
        }
    }

    /// Returns the furthest position that was acknowledged.
    pub(crate) fn acknowledged(&self) -> LogPosition {
        self.lock().acknowledged
    }

    /// Records an acknowledged position. Returns false and records nothing for a former primary: its writes are lost,
    /// since its log has diverged.
    pub(crate) fn acknowledge(&self, position: LogPosition) -> bool {
        let mut known = self.lock();
        if position.timeline < known.newest {
            return false;
        }
        known.acknowledged = LogPosition {
            timeline: position.timeline.max(known.acknowledged.timeline),
            at: position.at.max(known.acknowledged.at),
        };
        true
    }

    /// Records that the store is in use.
    pub(crate) fn using(&self) {
        self.lock().used = true;
    }

    /// Whether the store was in use since the last call of this function.
    pub(crate) fn was_used(&self) -> bool {
        mem::take(&mut self.lock().used)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parses a position as the server writes it, such as `16/B374D848`, into bytes. `None` for other texts.
pub(crate) fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let half = |digits: &str| u32::from_str_radix(digits, 16).ok();
    Some(u64::from(half(high)?) << 32 | u64::from(half(low)?))
}

/// Returns the timeline in the name of a log file: its first 8 hexadecimal digits. `None` if the name does not begin
/// with them.
pub(crate) fn timeline(file: &str) -> Option<u32> {
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
            // After a restart the server does not know where its timeline began.
            (at(3, 500), None, true),
            (at(3, 99), None, false),
        ] {
            let log = Log::default();
            let early = Reached { end: at(2, 90), began: None, acknowledged: log.acknowledged() };
            log.admit(&early).unwrap();
            assert!(log.acknowledge(at(2, 100)));
            // The position was read before the acknowledgement.
            log.admit(&early).unwrap();
            let reached = Reached { end, began, acknowledged: log.acknowledged() };
            assert_eq!(log.admit(&reached).is_ok(), admitted, "{end:?} {began:?}");
            assert_eq!(log.acknowledge(at(2, 101)), end.timeline <= 2, "{end:?}");
        }
    }

    // It commits what was in flight when its successor was found; the store acknowledges none of it.
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
