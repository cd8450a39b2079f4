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
    assert_eq!(theirs.location().unwrap_or_default().as_bytes(), macaroon.location());
    assert_eq!(theirs.identifier().0, macaroon.identifier());
    assert_eq!(oracle::signature(&theirs), *macaroon.signature().expose());
    let all = theirs.caveats();
    assert_eq!(all.len(), macaroon.caveats().len());
    for (ours, theirs) in macaroon.caveats().zip(all) {
        match (ours, theirs) {
            (Caveat::FirstParty { predicate }, oracle::Caveat::FirstParty(theirs)) => {
                assert_eq!(theirs.predicate().0, predicate);
            }
            (Caveat::ThirdParty { identifier, vid, location }, oracle::Caveat::ThirdParty(theirs)) => {
                assert_eq!(theirs.id().0, identifier);
                assert_eq!(theirs.verifier_id().0, vid);
                assert_eq!(theirs.location().as_bytes(), location);
            }
            (ours, theirs) => panic!("{ours:?} is {theirs:?} there"),
        }
    }
});
