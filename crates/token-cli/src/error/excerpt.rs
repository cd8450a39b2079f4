//! Excerpts of caveats in messages.

use std::fmt;

use token_core::Predicate;

use crate::bytes::Plain;

/// The text of a caveat, cut if it is long: the author of the token must not fill a log.
pub(super) struct Excerpt<'a> {
    pub(super) text: &'a [u8],
    /// The full length in bytes, if the text is cut.
    pub(super) cut_from: Option<usize>,
}

impl<'a> Excerpt<'a> {
    /// The greatest length that is shown, in bytes (`macaroon-formats.md` §6).
    const MAX_LEN: usize = 128;

    pub(super) fn new(text: &'a [u8]) -> Self {
        let Some((head, _)) = text.split_at_checked(Self::MAX_LEN).filter(|(_, rest)| !rest.is_empty())
        else {
            return Self { text, cut_from: None };
        };
        // Not within a character, if it is text.
        let whole = match std::str::from_utf8(head) {
            Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).unwrap_or(head),
            _ => head,
        };
        Self { text: whole, cut_from: Some(text.len()) }
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Plain(self.text);
        match self.cut_from {
            None => text.fmt(f),
            Some(len) => write!(f, "{text}… ({len} bytes)"),
        }
    }
}

/// Says that a caveat cannot be written, and suggests a known one.
pub(crate) fn unwritable(caveat: &str) -> String {
    let text = Excerpt::new(caveat.as_bytes());
    if Predicate::read(caveat.as_bytes()).is_some() {
        return format!(
            "`{text}` has a value that no request has: a country is two capital letters, a path begins with `/`"
        );
    }
    let nearest = Predicate::nearest(caveat).map(|form| format!("; did you mean `{form}`?"));
    format!("`{text}` is not a caveat that Onedata knows{}", nearest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_caveat_is_cut_between_characters() {
        let cut = |text: &[u8]| {
            let excerpt = Excerpt::new(text);
            (excerpt.text.len(), excerpt.cut_from)
        };
        assert_eq!(cut(&[b'a'; 128]), (128, None));
        assert_eq!(cut(&[b'a'; 129]), (128, Some(129)));
        assert_eq!(cut(format!("{}é!", "a".repeat(127)).as_bytes()), (127, Some(130)));
        assert_eq!(cut(&[0xff; 200]), (128, Some(200)));
    }
}
