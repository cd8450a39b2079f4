//! The two spellings of a token, written down from `onedata-tokens.md` §1.2 and apart from the library's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Unpadded base64 of the URL-safe alphabet.
#[must_use]
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same with all but letters and digits escaped by `0`, and `0` by itself.
#[must_use]
pub fn base62(bytes: impl AsRef<[u8]>) -> String {
    base64url(bytes).replace('0', "00").replace('_', "01").replace('-', "02")
}

/// The bytes that base64url spells.
///
/// # Panics
/// If the text is not unpadded base64url.
#[must_use]
pub fn bytes(base64url: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64url).unwrap_or_else(|error| panic!("{base64url:?}: {error}"))
}

/// A version-1 packet, whatever its name and value.
///
/// # Panics
/// If it is longer than four hexadecimal digits can say.
#[must_use]
pub fn packet(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    let len = 4 + name.len() + 1 + value.as_ref().len() + 1;
    assert!(len <= 0xffff, "{len} bytes do not fit into a packet");
    [format!("{len:04x}{name} ").as_bytes(), value.as_ref(), b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn golden_tokens_are_spelled_so() {
        for vector in vectors::onedata() {
            let bytes = bytes(&vector.serialized_base64url);
            assert_eq!(base62(&bytes), vector.serialized_base62, "{}", vector.name);
            assert!(bytes.starts_with(&packet("location", &vector.onezone_domain)), "{}", vector.name);
        }
    }

    #[test]
    fn digits_and_punctuation_are_escaped() {
        assert_eq!(
            (base64url([0xff, 0xef, 0xbe]), base62([0xff, 0xef, 0xbe])),
            ("_---".into(), "01020202".into())
        );
        assert_eq!(
            (base64url([0xd3, 0x4d, 0x34]), base62([0xd3, 0x4d, 0x34])),
            ("0000".into(), "00000000".into())
        );
    }
}
