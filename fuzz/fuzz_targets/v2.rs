//! Any bytes as fields behind the version: read or refused. What is read is written back unchanged, except for empty
//! locations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::Format;

fuzz_target!(|bytes: &[u8]| {
    let bytes = [&[2], bytes].concat();
    let Some((macaroon, format)) = token_fuzz::read_bytes(&bytes) else { return };
    assert_eq!(format, Format::V2);
    let written = macaroon.to_bytes(Format::V2).expect("what v2 carried, v2 carries");
    // An empty location is two bytes.
    let left_out = bytes.len() - written.len();
    assert!(left_out % 2 == 0 && left_out <= 2 * (macaroon.caveats().len() + 1), "{left_out}");
    assert!(left_out > 0 || written == bytes);
});
