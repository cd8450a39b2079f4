//! Hexadecimal text (RFC 4648 §8): writes lower case, reads both cases.

/// Encodes bytes as lower-case hexadecimal text.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes hexadecimal text.
///
/// # Panics
/// If the text is not pairs of hexadecimal digits.
#[must_use]
pub fn decode(text: &str) -> Vec<u8> {
    let digit = |c: u8| {
        char::from(c).to_digit(16).unwrap_or_else(|| panic!("{text:?} holds a character that is no digit"))
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "{text:?} has an odd number of digits");
    pairs.iter().map(|&[high, low]| (digit(high) << 4 | digit(low)).try_into().unwrap()).collect()
}
