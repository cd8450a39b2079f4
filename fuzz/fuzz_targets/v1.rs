//! Any bytes: read or refused, and what is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{Caveat, DecodeOptions, EncodeError, Encoding, Macaroon};

fuzz_target!(|bytes: &[u8]| {
    let options = DecodeOptions::default();
    let macaroon = match Macaroon::from_bytes(bytes, &options) {
        Ok(macaroon) => macaroon,
        Err(error) => {
            assert!(error.offset() <= bytes.len().max(options.limits.text), "{error}");
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // Every byte is a field's or a frame's, and the fields are where they say.
    let fields: usize = macaroon
        .caveats()
        .map(|caveat| match caveat {
            Caveat::FirstParty { predicate } => predicate.len() + 9,
            Caveat::ThirdParty { identifier, vid, location } => {
                identifier.len() + 9 + vid.len() + 9 + location.len() + 8
            }
        })
        .sum();
    assert_eq!(macaroon.location().len() + 14 + macaroon.identifier().len() + 16 + fields + 47, bytes.len());
    match macaroon.to_bytes() {
        Ok(written) => {
            assert_eq!(written, bytes);
            for encoding in [Encoding::Base62, Encoding::Base64Url] {
                let text = macaroon.to_text(encoding).expect("what is written as bytes is written as text");
                if text.len() <= options.limits.text {
                    let (again, spelling) =
                        Macaroon::from_text(&text, &options).expect("what is written is read");
                    assert_eq!(spelling.encoding, encoding);
                    assert_eq!(again.to_bytes().as_deref(), Ok(bytes));
                }
            }
        }
        Err(error) => assert!(matches!(error, EncodeError::NotUtf8 { .. }), "{error}"),
    }
});
