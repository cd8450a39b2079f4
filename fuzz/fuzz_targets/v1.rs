//! Any bytes as packets: read or refused. What is read is written back unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{Caveat, EncodeError, Format};

fuzz_target!(|bytes: &[u8]| {
    let Some((macaroon, format)) = token_fuzz::read_bytes(bytes) else { return };
    if format != Format::V1 {
        return;
    }
    // Every byte belongs to a field or a frame, and the fields are where the reader says.
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
    match macaroon.to_bytes(Format::V1) {
        Ok(written) => assert_eq!(written, bytes),
        Err(error) => assert!(matches!(error, EncodeError::NotUtf8 { .. }), "{error}"),
    }
});
