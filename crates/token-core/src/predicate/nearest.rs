//! What a caveat that is not understood was meant to be.

use alloc::vec::Vec;

use super::Predicate;

/// How the caveats of each name are written.
const FORMS: [(&str, &str); 14] = [
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
    /// The form of the known caveat whose name is nearest to this text's: a hint for a person whose caveat was not
    /// understood. `None` where no name is near.
    ///
    /// ```
    /// assert_eq!(token_core::Predicate::nearest("tiem < 1496140144"), Some("time < SECONDS"));
    /// ```
    #[must_use]
    pub fn nearest(text: &str) -> Option<&'static str> {
        /// Longer than any name, in bytes: the work is bounded.
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

/// Levenshtein's distance, whatever the case: how many bytes are to be added, removed or replaced.
fn distance(from: &[u8], to: &[u8]) -> usize {
    // How far the beginning of `from` that was read is from each beginning of `to`.
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
