//! Suggests the known caveat nearest to an unknown one.

use alloc::vec::Vec;

use super::Predicate;

/// The name and the form of each type of caveat, in the order of the bits of [`CaveatTypes`](crate::CaveatTypes).
pub(crate) const FORMS: [(&str, &str); 14] = [
    ("time", "time < SECONDS"),
    ("ip", "ip = ADDRESS/BITS|…"),
    ("asn", "asn = NUMBER|…"),
    ("geo.country", "geo.country = CC|…"),
    ("geo.region", "geo.region = NAME|…"),
    ("service", "service = CODE-ID|…"),
    ("consumer", "consumer = CODE-ID|…"),
    ("interface", "interface = NAME"),
    ("api", "api = SERVICE/OPERATION/RESOURCE|…"),
    ("data.readonly", "data.readonly"),
    ("data.path", "data.path = BASE64|…"),
    ("data.objectid", "data.objectid = HEX|…"),
    ("authorization", "authorization = none"),
    ("tokenType", "tokenType = TYPE"),
];

impl Predicate<'_> {
    /// Returns the form of the known caveat whose name is nearest to this text's: a hint for a user whose caveat is
    /// unknown. Returns `None` if no name is near.
    ///
    /// ```
    /// assert_eq!(token_core::Predicate::nearest("tiem < 1496140144"), Some("time < SECONDS"));
    /// ```
    #[must_use]
    pub fn nearest(text: &str) -> Option<&'static str> {
        /// Longer than any name, in bytes. Bounds the work.
        const MAX_LEN: usize = 20;
        let end = text
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')));
        let name = text.get(..end.unwrap_or(text.len())).filter(|name| name.len() <= MAX_LEN)?;
        let near = FORMS.into_iter().filter_map(|(known, form)| {
            let distance = distance(name.as_bytes(), known.as_bytes());
            (distance <= 2.min(known.len() / 2)).then_some((distance, form))
        });
        near.min_by_key(|(distance, _)| *distance).map(|(_, form)| form)
    }
}

/// The Levenshtein distance, ignoring case: how many bytes to add, remove or replace.
fn distance(from: &[u8], to: &[u8]) -> usize {
    // The distance from the prefix of `from` read so far to each prefix of `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (read, from) in (1_usize..).zip(from) {
        let (mut left, mut above_left) = (read, read.saturating_sub(1));
        if let Some(first) = row.first_mut() {
            *first = read;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(to) {
            let replaced = above_left.saturating_add(usize::from(!from.eq_ignore_ascii_case(to)));
            above_left = *cell;
            *cell = replaced.min(left.saturating_add(1)).min(above_left.saturating_add(1));
            left = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}
