//! Third-party caveats, with a random nonce.

use ring::rand::{SecureRandom as _, SystemRandom};
use token_core::{CaveatKey, CaveatNonce, FieldError, Macaroon};

use crate::Failure;

/// Appends a third-party caveat as [`Macaroon::add_third_party`] does, under a random nonce.
///
/// The location is an unsigned hint where to get the discharge. Share the key with the third party, which makes the
/// discharge, and with no one else.
///
/// ```
/// use token_api::add_third_party;
/// use token_core::{CaveatKey, Context, Macaroon, RootKey, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let root_key = RootKey::derive(b"thirty-two random bytes, or more")?;
/// let mut root = Macaroon::mint(&root_key, "https://bank.example", b"id7")?;
/// let shared = CaveatKey::derive(b"another thirty-two random bytes.")?;
/// add_third_party(&mut root, "https://auth.example", b"is it Alice?", &shared)?;
///
/// // The third party has authenticated Alice.
/// let discharge = Macaroon::discharge(&shared, "https://auth.example", b"is it Alice?")?;
///
/// let context = Context::at(UnixTime::from_secs(1_700_000_000));
/// Verifier::new(&context).verify_with(&root, &[discharge.bound_to(&root)], &root_key)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ThirdPartyError`]; the macaroon is then unchanged.
pub fn add_third_party(
    macaroon: &mut Macaroon,
    location: &str,
    identifier: &[u8],
    key: &CaveatKey,
) -> Result<(), ThirdPartyError> {
    let mut nonce = CaveatNonce::default();
    SystemRandom::new().fill(&mut nonce).map_err(|_| Failure::Random)?;
    Ok(macaroon.add_third_party(location, identifier, key, &nonce)?)
}

/// Why a third-party caveat was not appended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThirdPartyError {
    /// The identifier is empty, or it or the location is too long.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Failed(#[from] Failure),
}

#[cfg(test)]
mod tests {
    use token_core::{Caveat, RootKey};

    use super::*;

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
        assert!(matches!(error, ThirdPartyError::Field(FieldError::Empty)), "{error:?}");
        assert_eq!((macaroon.caveats().len(), *macaroon.signature().expose()), (0, before));
    }
}
