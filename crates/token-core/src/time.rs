//! Points in time, in whole seconds, as tokens carry them.

use alloc::string::String;
use core::fmt;

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
        if self.0 > LAST {
            return None;
        }
        let (day, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = civil(day);
        let parts = [(year / 100, ""), (year % 100, "-"), (month, "-"), (day, "T")];
        let time = [(second / 3_600, ":"), (second / 60 % 60, ":"), (second % 60, "Z")];
        let mut text = String::with_capacity("2017-05-30T10:29:04Z".len());
        for (number, end) in parts.into_iter().chain(time) {
            text.extend([number / 10, number % 10].map(digit));
            text.push_str(end);
        }
        Some(text)
    }
}

fn digit(digit: u64) -> char {
    u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 10)).unwrap_or('0')
}

/// The year, month and day of the Gregorian calendar, of a day counted from 1970-01-01. Counts the years from March, so
/// that the leap day is the last of a year.
const fn civil(day: u64) -> (u64, u64, u64) {
    const TO_1970: u64 = 719_468; // days from 0000-03-01
    const ERA: u64 = 146_097; // days of 400 years
    let day = day.saturating_add(TO_1970);
    let (era, day) = (day / ERA, day % ERA);
    let leap_days = (day / 1_460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year = day.saturating_sub(leap_days) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let day = day.saturating_sub(before);
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    let day = day.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let year = era.saturating_mul(400).saturating_add(year);
    if month < 10 {
        (year, month.saturating_add(3), day)
    } else {
        (year.saturating_add(1), month.saturating_sub(9), day)
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

    /// Every day of four hundred years, after which the calendar repeats, and the last days of all.
    #[test]
    fn days_are_those_of_the_calendar() {
        let is_leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for since in 0..2_932_897 {
            if !(150_000..2_800_000).contains(&since) {
                assert_eq!(civil(since), (year, month, day), "{since}");
            }
            let days = match month {
                2 if is_leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > days {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!((year, month, day), (10_000, 1, 1));
        assert_eq!(UnixTime::from_secs(951_782_399).to_string(), "2000-02-28T23:59:59Z");
        assert_eq!(UnixTime::from_secs(951_868_799).to_string(), "2000-02-29T23:59:59Z");
    }

    #[test]
    fn display_is_rfc3339_as_far_as_it_goes() {
        assert_eq!(UnixTime::from_secs(1_496_140_144).to_string(), "2017-05-30T10:29:04Z");
        assert_eq!(UnixTime::from_secs(253_402_300_799).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(UnixTime::from_secs(253_402_300_800).to_string(), "@253402300800");
        assert_eq!(UnixTime::MAX.to_string(), "@18446744073709551615");
    }
}
