//! The ids of new tokens: 43 characters of base64url.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The characters of base64url in the order of their bytes, so that ids with a time are in the order of their times.
const SORTED: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// The number of characters that hold the time, 6 bits each.
const TIME_LEN: u32 = 8;

/// Set in every time, so that no id with a time begins with `-`, like an option on a command line. It leaves 47 bits for
/// the milliseconds since 1970: enough for 4,000 years.
const LETTER: u64 = 1 << 47;

/// Writes an id. With a time, its milliseconds replace the first 48 random bits; 208 are left. A time before 1970 counts
/// as none. The time serves the speed of stores alone: nothing depends on a clock that is right or steady.
pub(crate) fn write(random: [u8; 32], at: Option<SystemTime>) -> Vec<u8> {
    let mut id = URL_SAFE_NO_PAD.encode(random).into_bytes();
    if let Some(since) = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
        let time = LETTER | u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        for (place, character) in (0..TIME_LEN).rev().zip(&mut id) {
            let digit = (time >> place.saturating_mul(6)) & 0x3f;
            if let Some(sorted) = usize::try_from(digit).ok().and_then(|digit| SORTED.get(digit)) {
                *character = *sorted;
            }
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> String {
        let at = UNIX_EPOCH.checked_add(Duration::from_millis(millis));
        String::from_utf8(write([0xff; 32], at)).unwrap()
    }

    #[test]
    fn a_time_replaces_the_first_eight_characters() {
        let random = write([0xff; 32], None);
        assert_eq!(random, b"__________________________________________8");
        let rest = "__________________________________8";
        for (millis, time) in [
            (0, "V-------"),
            (1, "V------0"),
            (64, "V-----0-"),
            (1_700_000_000_000, "VNjEtLV-"),
            ((1 << 47) - 1, "zzzzzzzz"),
        ] {
            assert_eq!(at(millis), [time, rest].concat());
        }
    }

    #[test]
    fn ids_are_in_the_order_of_their_times() {
        let times = (0..47)
            .flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit])
            .chain(1_700_000_000_000..1_700_000_000_999);
        let mut times: Vec<u64> = times.collect();
        times.sort_unstable();
        times.dedup();
        assert!(times.is_sorted_by(|a, b| at(*a) < at(*b)));
    }

    #[test]
    fn a_time_before_1970_counts_as_none() {
        let before = UNIX_EPOCH.checked_sub(Duration::from_millis(1));
        assert_eq!(write([7; 32], before), write([7; 32], None));
    }
}
