//! Texts taken apart at an ASCII character. The standard library is made for long texts; the parts of tokens have a few
//! bytes each, and there it takes four times as long.

/// What stands before the first such character, and behind it.
pub(crate) fn once(text: &str, at: u8) -> Option<(&str, &str)> {
    debug_assert!(at.is_ascii());
    let len = text.as_bytes().iter().position(|byte| *byte == at)?;
    Some((text.get(..len)?, text.get(len.saturating_add(1)..)?))
}

/// All that stands between such characters: one part more than there are of them.
pub(crate) const fn parts(text: &str, at: u8) -> Parts<'_> {
    Parts { rest: Some(text), at }
}

#[derive(Clone)]
pub(crate) struct Parts<'a> {
    rest: Option<&'a str>,
    at: u8,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (part, rest) = match once(rest, self.at) {
            Some((part, rest)) => (part, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_standard_library_does() {
        for text in ["", "|", "||", "a", "a|", "|a", "a|b", "ä|ö", "ab|cd||ef|", "a b", "😀|"] {
            assert_eq!(once(text, b'|'), text.split_once('|'), "{text:?}");
            assert!(parts(text, b'|').eq(text.split('|')), "{text:?}");
        }
    }
}
