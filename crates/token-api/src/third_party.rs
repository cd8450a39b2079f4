//! Third-party caveats, with a random nonce.

use token_core::{BuildError, CaveatKey, CaveatNonce, Macaroon};

use crate::{Failure, random};

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
/// Verifier::new(&context).verify_with(&root, &[root.bind_discharge(&discharge)], &root_key)?;
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
    let mut nonce = [0; 24];
    random::system(&mut nonce)?;
    Ok(macaroon.add_third_party(location, identifier, key, CaveatNonce::from_random(nonce))?)
}

/// Why a third-party caveat was not appended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThirdPartyError {
    /// The identifier is empty, or it or the location is too long.
    #[error(transparent)]
    Field(#[from] BuildError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Failed(#[from] Failure),
}
