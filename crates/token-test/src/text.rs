//! The two text encodings of a token, implemented from `onedata-tokens.md` §1.2 independently of the library.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Unpadded base64 of the URL-safe alphabet.
#[must_use]
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same, with every character but letters and digits escaped by `0`, and `0` itself escaped too.
#[must_use]
pub fn base62(bytes: impl AsRef<[u8]>) -> String {
    base64url(bytes).replace('0', "00").replace('_', "01").replace('-', "02")
}

/// Decodes base64url.
///
/// # Panics
/// If the text is not unpadded base64url.
#[must_use]
pub fn bytes(base64url: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64url).unwrap_or_else(|error| panic!("{base64url:?}: {error}"))
}

/// Decodes base64 in either alphabet, padded or not. `None` for other text.
#[must_use]
pub fn any_base64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=').replace('+', "-").replace('/', "_")).ok()
}

/// Base62 with the escapes of the other alphabet and of padding, as Onedata writes them.
#[must_use]
pub fn canonical_base62(text: &str) -> String {
    // Escapes have two characters, so match `00` before the character behind it.
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, if character == '0' { characters.next() } else { None }) {
            ('0', Some('3')) => out.push_str("01"),
            ('0', Some('4')) => out.push_str("02"),
            ('0', Some('5')) => {}
            ('0', escaped) => out.extend(['0'].into_iter().chain(escaped)),
            (plain, _) => out.push(plain),
        }
    }
    out
}

/// A version-1 packet with any name and value.
///
/// # Panics
/// If its length does not fit into four hexadecimal digits.
#[must_use]
pub fn packet(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    let len = 4 + name.len() + 1 + value.as_ref().len() + 1;
    assert!(len <= 0xffff, "{len} bytes do not fit into a packet");
    [format!("{len:04x}{name} ").as_bytes(), value.as_ref(), b"\n"].concat()
}
