//! Times and durations in the forms that people write and read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use token_core::UnixTime;

use crate::{error::Failure, exit::Exit};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// The mean year of the Gregorian calendar.
const YEAR: u64 = 31_556_952;

/// The time of the system's clock. Fails if it is before 1970.
pub(crate) fn now() -> Result<UnixTime, Failure> {
    // A clock this wrong would revive expired tokens.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| {
        Failure::new(Exit::Unusable, "clock", "the system's clock shows a time before 1970; set it")
    })?;
    Ok(UnixTime::from_secs(since.as_secs()))
}

const INVALID_TIME: &str =
    "not a time from 1970 on, such as 2030-01-31T12:00:00Z, 2030-01-31 or Unix seconds";

/// Reads a time from 1970 on: RFC 3339, its date alone for the day's first second in UTC, or Unix seconds. Drops a
/// fraction of a second.
pub(crate) fn parse_time(text: &str) -> Result<UnixTime, &'static str> {
    let secs = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        let midnight = format!("{text}T00:00:00Z");
        let read = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&midnight));
        read.ok().and_then(|time| time.timestamp().try_into().ok())
    };
    secs.map(UnixTime::from_secs).ok_or(INVALID_TIME)
}

const INVALID_DURATION: &str = "not a duration, such as 90s, 15m, 24h, 7d, 1w or 1d12h";

/// Reads `90s`, `15m`, `24h`, `7d`, `1w`, or several of these together, the longer units first: `1d12h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const UNITS: [(char, u64); 5] = [('w', WEEK), ('d', DAY), ('h', HOUR), ('m', MINUTE), ('s', 1)];
    let sum = || {
        let (mut rest, mut total) = (text, 0_u64);
        for (unit, length) in UNITS {
            let Some((digits, after)) = rest.split_once(unit) else { continue };
            // `parse` alone would take a plus sign.
            let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(length)?)?;
            rest = after;
        }
        (!text.is_empty() && rest.is_empty()).then_some(Duration::from_secs(total))
    };
    sum().ok_or(INVALID_DURATION)
}

/// Reads a lifetime from now on, as [`parse_duration`] does. Refuses zero, and an end after the year 9999.
pub(crate) fn parse_ttl(text: &str) -> Result<Duration, &'static str> {
    let ttl = parse_duration(text)?;
    // If the clock cannot be read, the caller that needs the time fails.
    let now = now().unwrap_or(UnixTime::from_secs(0));
    match now.plus_secs(ttl.as_secs()).to_rfc3339() {
        _ if ttl.is_zero() => Err("the token would expire at once"),
        Some(_) => Ok(ttl),
        None => Err("it ends after the year 9999, the last that RFC 3339 can write"),
    }
}

/// `expired 9 years ago` or `expires in 14 minutes`.
pub(crate) fn expiry(at: UnixTime, now: UnixTime) -> String {
    let (at, now) = (at.as_secs(), now.as_secs());
    match at.checked_sub(now) {
        // A token has expired at its expiry time itself.
        None | Some(0) => format!("expired {} ago", span(now.saturating_sub(at))),
        Some(left) => format!("expires in {}", span(left)),
    }
}

/// A token's expiry and its distance from now, or `never`.
pub(crate) fn until(at: Option<UnixTime>, now: UnixTime) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{at} ({})", expiry(at, now)))
}

/// A stretch of seconds, rounded to its largest unit: a week less a second is 7 days.
pub(crate) fn span(secs: u64) -> String {
    /// Each unit, and the count of it at which the next is used.
    const UNITS: [(u64, u64, &str); 5] = [
        (1, 60, "second"),
        (MINUTE, 60, "minute"),
        (HOUR, 24, "hour"),
        (DAY, 365, "day"),
        (YEAR, u64::MAX, "year"),
    ];
    let rounded = |length: u64| secs.saturating_add(length / 2).checked_div(length).unwrap_or_default();
    let mut counts = UNITS.into_iter().map(|(length, most, unit)| (rounded(length), most, unit));
    let (count, _, unit) = counts.find(|(count, most, _)| count < most).unwrap_or_default();
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
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
        assert_eq!(secs("2017-05-30"), Ok(1_496_102_400));
        for bad in [
            "",
            "-1",
            "1.5",
            "now",
            "2017-05",
            "2017-05-30T",
            "2017-02-30",
            "1969-12-31",
            "1969-12-31T23:59:59Z",
            "18446744073709551616",
        ] {
            assert_eq!(secs(bad), Err(INVALID_TIME), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, secs) in [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("007d", 604_800)]
            .into_iter()
            .chain([("1w", 604_800), ("1d12h", 129_600), ("1w1d1h1m1s", 694_861), ("0d5s", 5)])
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        for bad in ["", "s", "90", "-1s", "+1s", "1 s", "1.5h", "1y", "1hs", "h1", "213503982334602d", "1é"]
            .into_iter()
            .chain(["12h1d", "1h1h", "1d 12h", "1d12", "dh", "30500568904943w1w"])
        {
            assert_eq!(parse_duration(bad), Err(INVALID_DURATION), "{bad}");
        }
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_ttl("0s"), Err("the token would expire at once"));
        assert_eq!(parse_ttl("365000d"), Ok(Duration::from_secs(365_000 * DAY)));
        assert!(parse_ttl("3650000d").is_err_and(|error| error.contains("9999")));
    }

    #[test]
    fn relative_times() {
        let of = |at, now| expiry(UnixTime::from_secs(at), UnixTime::from_secs(now));
        assert_eq!(of(1_496_140_144, 1_795_000_000), "expired 9 years ago");
        assert_eq!(of(100, 100), "expired 0 seconds ago");
        assert_eq!(of(101, 100), "expires in 1 second");
        assert_eq!(of(100 + 14 * MINUTE, 100), "expires in 14 minutes");
        assert_eq!(of(7 * DAY - 1, 0), "expires in 7 days", "as it was asked for a second ago");
        assert_eq!(of(DAY - 1, 0), "expires in 1 day");
        assert_eq!(of(36 * HOUR - 1, 0), "expires in 1 day");
        assert_eq!(of(HOUR - 1, 0), "expires in 1 hour");
        assert_eq!(of(59, 0), "expires in 59 seconds");
        assert_eq!(of(89, 0), "expires in 1 minute");
        assert_eq!(of(364 * DAY, 0), "expires in 364 days");
        assert_eq!(of(365 * DAY, 0), "expires in 1 year");
        assert_eq!(of(u64::MAX, 0), "expires in 584554049253 years");
    }
}
