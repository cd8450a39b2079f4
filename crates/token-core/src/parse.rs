//! Reads the parts of texts. Splits them at an ASCII character: the parts of tokens are a few bytes each; for these, the
//! standard library takes four times as long, since it is optimized for long texts.

/// Finds the first such byte, eight bytes at a time. The last eight may overlap those before them. A part of a token
/// takes one or two steps.
pub(crate) fn position(bytes: &[u8], of: u8) -> Option<usize> {
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().position(|byte| *byte == of);
    };
    let (eights, _) = bytes.as_chunks();
    let mut begin = 0_usize;
    for eight in eights {
        if let Some(at) = position_in(eight, of) {
            return begin.checked_add(at);
        }
        begin = begin.saturating_add(8);
    }
    position_in(last, of).and_then(|at| bytes.len().checked_sub(8)?.checked_add(at))
}

fn position_in(eight: &[u8; 8], of: u8) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let differing = u64::from_le_bytes(*eight) ^ u64::from_ne_bytes([of; 8]);
    // Sets the high bit of the first zero byte, and of none before it.
    let zero = differing.wrapping_sub(ONES) & !differing & (ONES << 7);
    if zero == 0 { None } else { usize::try_from(zero.trailing_zeros() / 8).ok() }
}

/// Returns the text before the first such character, and the text after it.
pub(crate) fn once(text: &str, at: u8) -> Option<(&str, &str)> {
    debug_assert!(at.is_ascii());
    let len = position(text.as_bytes(), at)?;
    Some((text.get(..len)?, text.get(len.saturating_add(1)..)?))
}

/// Returns the parts between such characters: one more than there are characters.
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

/// Reads decimal digits without a sign or leading zeros. Refuses a number beyond 64 bits: truncating it would change
/// the caveat's meaning.
pub(crate) fn canonical_u64(text: &str) -> Option<u64> {
    if text.is_empty() || (text.starts_with('0') && text.len() > 1) {
        return None;
    }
    text.bytes().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { sum.checked_mul(10)?.checked_add(digit.into()) } else { None }
    })
}

/// Implements the names of an enum without fields.
macro_rules! named {
    ($type:ident, $unknown:literal, $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// All values, in the order of their declaration.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Returns the name that tokens carry.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// Returns the value with this name; `None` for an unknown name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|known| known.as_str() == name)
            }
        }

        impl core::str::FromStr for $type {
            type Err = $crate::ParseError;

            fn from_str(name: &str) -> Result<Self, $crate::ParseError> {
                Self::from_name(name).ok_or($crate::ParseError($unknown))
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

/// The text does not have the form of the value that it should name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) &'static str);

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

    /// At every offset, within whole groups of eight and after them, beside bytes that differ in one bit.
    #[test]
    fn the_first_such_byte_wherever_it_is() {
        for at in 0..20 {
            for beside in [0x7c ^ 0x01, 0x7c ^ 0x80, 0x7c ^ 0x81, 0x00, 0xff] {
                let mut bytes = [beside; 20];
                assert_eq!(position(&bytes, b'|'), None);
                bytes[at] = b'|';
                assert_eq!(position(&bytes, b'|'), Some(at), "{beside:#x}");
                bytes[at..].fill(b'|');
                assert_eq!(position(&bytes, b'|'), Some(at), "{beside:#x}");
            }
        }
    }
}
