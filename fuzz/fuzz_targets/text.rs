//! Any text: read or refused, and what is read is written as it was but for padding and the other alphabet.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use token_core::{DecodeOptions, EncodeError, Encoding, Token, Unit};

fuzz_target!(|text: &str| -> Corpus {
    let options = DecodeOptions::default();
    let token = match Token::decode(text, &options) {
        Ok(token) => token,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.unit() == Unit::Byte || text.is_char_boundary(error.offset()), "{error}");
            return Corpus::Keep;
        }
    };
    let written = match token.encode() {
        Ok(written) => written,
        Err(error) => {
            assert!(matches!(error, EncodeError::NotUtf8 { .. }), "{error}");
            return Corpus::Keep;
        }
    };
    let is_canonical = match token.encoding() {
        // `03` and `04` spell `/` and `+`, `05` spells `=`; behind a `0` that is itself escaped they do not.
        Encoding::Base62 => escapes(text).all(|escaped| matches!(escaped, b'0'..=b'2')),
        _ => !text.contains(['+', '/', '=']),
    };
    assert_eq!(written == text, is_canonical);
    let again = Token::decode(&written, &options).expect("what is written is read");
    assert_eq!(again.macaroon().to_bytes(token.format()), token.macaroon().to_bytes(token.format()));
    assert_eq!(again.service(), token.service());
    Corpus::Keep
});

/// What stands behind each `0` that begins an escape.
fn escapes(text: &str) -> impl Iterator<Item = u8> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        bytes.find(|byte| *byte == b'0')?;
        bytes.next()
    })
}
