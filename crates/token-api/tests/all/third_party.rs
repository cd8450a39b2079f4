//! Third-party caveats with a random nonce.

use token_api::{ThirdPartyError, add_third_party};
use token_core::{BuildError, Caveat, CaveatKey, Macaroon, RootKey};

#[test]
fn every_caveat_has_a_nonce_of_its_own() {
    let key = CaveatKey::from_derived([8; 32]);
    let vid = || {
        let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "l", b"i").unwrap();
        add_third_party(&mut macaroon, "there", b"caveat", &key).unwrap();
        match macaroon.caveats().next().unwrap() {
            Caveat::ThirdParty { vid, location: b"there", identifier: b"caveat" } => vid.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    // The same key under the same signature: under one nonce the two would be equal.
    let (first, second) = (vid(), vid());
    assert_ne!(first[..24], second[..24]);
    assert_ne!(first[40..], second[40..]);
}

#[test]
fn what_cannot_be_appended_changes_nothing() {
    let mut macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "l", b"i").unwrap();
    let before = *macaroon.signature().expose();
    let error = add_third_party(&mut macaroon, "l", b"", &CaveatKey::from_derived([8; 32])).unwrap_err();
    assert!(matches!(error, ThirdPartyError::Field(BuildError::Empty)), "{error:?}");
    assert_eq!((macaroon.caveats().len(), *macaroon.signature().expose()), (0, before));
}
