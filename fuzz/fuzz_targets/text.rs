//! Any text: read or refused. What is read is written back unchanged, except for padding, the other alphabet and the
//! freedom of JSON.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use token_core::{DecodeOptions, EncodeError, Encoding, Format, Macaroon, Token};

fuzz_target!(|text: &str| -> Corpus {
    let options = DecodeOptions::default();
    token_fuzz::read_text(text);
    let token = match Token::decode(text, &options) {
        Ok(token) => token,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.unit() == "byte" || error.offset() <= text.chars().count(), "{error}");
            return Corpus::Keep;
        }
    };
    let (macaroon, spelling) = Macaroon::from_text(text, &options).expect("a token is a macaroon");
    assert!(token_fuzz::same(&macaroon, token.macaroon()));
    let written = match token.encode() {
        Ok(written) => written,
        Err(error) => {
            assert!(matches!(error, EncodeError::NotUtf8 { .. } | EncodeError::VidLength { .. }), "{error}");
            return Corpus::Keep;
        }
    };
    let again = Token::decode(&written, &options).expect("what is written is read");
    assert!(token_fuzz::same(&macaroon, again.macaroon()));
    assert_eq!(again.service(), token.service());
    let is_canonical = match (token.encoding(), spelling.format) {
        (_, Format::V2) if written.len() != text.trim_end_matches('=').len() => return Corpus::Keep,
        // `03` and `04` encode `/` and `+`, `05` encodes `=`, unless the `0` belongs to an escape itself.
        (Encoding::Base62, _) => escapes(text).all(|escaped| matches!(escaped, b'0'..=b'2')),
        (Encoding::Json, _) => return Corpus::Keep,
        _ => !text.contains(['+', '/', '=']),
    };
    assert_eq!(written == text, is_canonical);
    Corpus::Keep
});

/// Returns the character behind each `0` that begins an escape.
fn escapes(text: &str) -> impl Iterator<Item = u8> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        bytes.find(|byte| *byte == b'0')?;
        bytes.next()
    })
}
