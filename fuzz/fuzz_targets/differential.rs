//! Another implementation reads everything that the strict rules read, with the same result, except for its faults
//! that are listed here by name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{Caveat, Format, Macaroon};
use token_test::oracle;

/// Valid input that macaroon 0.3 refuses.
const FAULTS: [(&str, fn(&Macaroon) -> bool); 1] = [
    // libmacaroons and go-macaroon write these, and so does this library if the location is empty.
    ("a third-party caveat of v2 without a location", |macaroon| {
        macaroon.caveats().any(|it| matches!(it, Caveat::ThirdParty { location: [], .. }))
    }),
];

fuzz_target!(|bytes: &[u8]| {
    // Longer input overflows the other implementation's stack.
    if bytes.len() > oracle::MAX_LEN {
        return;
    }
    let Some((macaroon, format)) = token_fuzz::read_bytes(bytes) else { return };
    if !matches!(format, Format::V1 | Format::V2) {
        return;
    }
    let theirs = match oracle::parse(bytes) {
        Ok(theirs) => theirs,
        Err(_) if FAULTS.iter().any(|(_, is_there)| is_there(&macaroon)) => return,
        Err(error) => panic!("macaroon 0.3 refuses it: {error:?}"),
    };
    assert_eq!(theirs.location.unwrap_or_default().as_bytes(), macaroon.location());
    assert_eq!(theirs.identifier, macaroon.identifier());
    assert_eq!(theirs.signature, *macaroon.signature().expose());
    assert_eq!(theirs.caveats.len(), macaroon.caveats().len());
    for (ours, theirs) in macaroon.caveats().zip(theirs.caveats) {
        match ours {
            Caveat::FirstParty { predicate } => {
                assert_eq!(theirs, oracle::Read::FirstParty(predicate.into()))
            }
            Caveat::ThirdParty { identifier, vid, location } => {
                let location = String::from_utf8(location.into()).expect("the strict rules take UTF-8 alone");
                let (identifier, vid) = (identifier.into(), vid.into());
                assert_eq!(theirs, oracle::Read::ThirdParty { identifier, vid, location });
            }
        }
    }
});
