//! Times and durations as people write and read them.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::DateTime;
use serde::{Serialize, Serializer};
use token_core::UnixTime;

use crate::error::Failure;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The mean year of the Gregorian calendar.
const YEAR: u64 = 31_556_952;

pub(crate) fn now() -> Result<UnixTime, Failure> {
    // A clock that is so wrong would make expired tokens good again.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Failure::Clock)?;
    Ok(UnixTime::from_secs(since.as_secs()))
}

/// Reads RFC 3339 or Unix seconds. A fraction of a second is dropped.
pub(crate) fn parse_time(text: &str) -> Result<UnixTime, InvalidTime> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(UnixTime::from_secs).map_err(|_| InvalidTime);
    }
    let secs = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?.timestamp();
    secs.try_into().map(UnixTime::from_secs).map_err(|_| InvalidTime)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time from 1970 on, such as 2030-01-31T12:00:00Z or Unix seconds")]
pub(crate) struct InvalidTime;

/// A stretch of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u64);

/// Reads `90s`, `15m`, `24h` or `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Seconds, InvalidDuration> {
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => MINUTE,
        Some('h') => HOUR,
        Some('d') => DAY,
        _ => return Err(InvalidDuration),
    };
    let digits = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidDuration);
    }
    let count: u64 = digits.parse().map_err(|_| InvalidDuration)?;
    count.checked_mul(unit).map(Seconds).ok_or(InvalidDuration)
}

/// A duration for which a token can hold from now on.
pub(crate) fn parse_ttl(text: &str) -> Result<Seconds, InvalidTtl> {
    let seconds = parse_duration(text)?;
    // Where the clock cannot be read, whoever needs the time says so.
    let now = now().unwrap_or(UnixTime::from_secs(0));
    match now.plus_secs(seconds.0).to_rfc3339() {
        _ if seconds.0 == 0 => Err(InvalidDuration.into()),
        Some(_) => Ok(seconds),
        None => Err(InvalidTtl::TooLong),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTtl {
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    #[error("it ends after the year 9999, the last that RFC 3339 can write")]
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration, such as 90s, 15m, 24h or 7d")]
pub(crate) struct InvalidDuration;

/// A time as a document has it: RFC 3339, or the seconds where that cannot say it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp(pub(crate) UnixTime);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_rfc3339() {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_u64(self.0.as_secs()),
        }
    }
}

/// `expired 9 years ago` or `expires in 14 minutes`.
pub(crate) struct Expiry {
    pub(crate) at: UnixTime,
    pub(crate) now: UnixTime,
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, now) = (self.at.as_secs(), self.now.as_secs());
        match at.checked_sub(now) {
            // At its time a token has expired already.
            None | Some(0) => write!(f, "expired {} ago", Span(now.saturating_sub(at))),
            Some(left) => write!(f, "expires in {}", Span(left)),
        }
    }
}

/// A stretch of seconds in its largest whole unit.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(YEAR, "year"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")];
        let (count, unit) = UNITS
            .into_iter()
            .filter_map(|(length, unit)| Some((self.0.checked_div(length)?, unit)))
            .find(|(count, _)| *count > 0)
            .unwrap_or((self.0, "second"));
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let secs = |text| parse_time(text).map(UnixTime::as_secs);
        assert_eq!(secs("1496140144"), Ok(1_496_140_144));
        assert_eq!(secs("2017-05-30T10:29:04Z"), Ok(1_496_140_144));
        assert_eq!(secs("2017-05-30T12:29:04.9+02:00"), Ok(1_496_140_144));
        for bad in ["", "-1", "1.5", "now", "2017-05-30", "1969-12-31T23:59:59Z", "18446744073709551616"] {
            assert_eq!(secs(bad), Err(InvalidTime), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, secs) in [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("007d", 604_800)] {
            assert_eq!(parse_duration(text), Ok(Seconds(secs)), "{text}");
        }
        for bad in ["", "s", "90", "-1s", "+1s", "1 s", "1.5h", "1w", "1hs", "h1", "213503982334602d", "1é"]
        {
            assert_eq!(parse_duration(bad), Err(InvalidDuration), "{bad}");
        }
        assert_eq!(parse_duration("0s"), Ok(Seconds(0)));
        assert_eq!(parse_ttl("0s"), Err(InvalidDuration.into()));
        assert_eq!(parse_ttl("365000d"), Ok(Seconds(365_000 * DAY)));
        assert_eq!(parse_ttl("3650000d"), Err(InvalidTtl::TooLong));
    }

    #[test]
    fn relative_times() {
        let of = |at, now| Expiry { at: UnixTime::from_secs(at), now: UnixTime::from_secs(now) }.to_string();
        assert_eq!(of(1_496_140_144, 1_795_000_000), "expired 9 years ago");
        assert_eq!(of(100, 100), "expired 0 seconds ago");
        assert_eq!(of(101, 100), "expires in 1 second");
        assert_eq!(of(100 + 14 * MINUTE, 100), "expires in 14 minutes");
        assert_eq!(of(u64::MAX, 0), "expires in 584554049253 years");
    }
}
