//! Bytes as lowercase hexadecimal digits.

/// Appends the digits of these bytes.
pub(crate) fn push(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
}

/// Returns the digits of these bytes.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    push(&mut text, bytes);
    text
}

/// Returns the bytes that these digits stand for; `None` where there are other characters.
pub(crate) fn bytes(text: &str) -> impl Iterator<Item = Option<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pairs = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    pairs.chain((!rest.is_empty()).then_some(None))
}

/// Returns the bytes, if there are exactly `N`.
pub(crate) fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut array = [0; N];
    let mut found = bytes(text);
    for byte in &mut array {
        *byte = found.next()??;
    }
    found.next().is_none().then_some(array)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a' - 10),
        _ => None,
    }
}
