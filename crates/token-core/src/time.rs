//! Points in time, in whole seconds, as tokens carry them.

use alloc::string::String;
use core::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX.1 §4.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The latest time that can be represented.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns the time that many seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the time that many seconds later, or [`MAX`](Self::MAX).
    #[must_use]
    pub const fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// Formats the time by RFC 3339, in UTC: `2017-05-30T10:29:04Z`. Returns `None` after the year 9999, the last that
    /// RFC 3339 §5.6 can represent.
    #[must_use]
    pub fn to_rfc3339(self) -> Option<String> {
        const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
        let secs = i64::try_from(self.0).ok().filter(|_| self.0 <= LAST)?;
        Some(DateTime::from_timestamp(secs, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// RFC 3339 up to the year 9999, else `@` and the seconds.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_rfc3339() {
            Some(text) => f.write_str(&text),
            None => write!(f, "@{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_rfc3339_as_far_as_it_goes() {
        assert_eq!(UnixTime::from_secs(1_496_140_144).to_string(), "2017-05-30T10:29:04Z");
        assert_eq!(UnixTime::from_secs(253_402_300_799).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(UnixTime::from_secs(253_402_300_800).to_string(), "@253402300800");
        assert_eq!(UnixTime::MAX.to_string(), "@18446744073709551615");
    }
}
