//! Records of stores, their ids and claims, and the generations of a subject.

use std::{fmt::Display, num::NonZeroU64, sync::LazyLock};

use token_core::{Purpose, RootKey, UnixTime};
use token_store::{ClaimId, Entity, Generation, KeyRing, Owner, Record, Revocation, Terms, TokenId, Use};

/// The creation time in [`terms`].
pub const CREATED: UnixTime = UnixTime::from_secs(1_500_000_000);

/// A use by nobody known.
pub const USE: Use = Use::anonymous(UnixTime::from_secs(1));

/// A revocation by nobody known.
pub const FOR_GOOD: Revocation = Revocation::for_good(CREATED);

/// Returns the id of this name.
#[must_use]
pub fn id(name: impl Display) -> TokenId {
    TokenId::new(name.to_string()).unwrap()
}

/// Returns the claim of this name.
#[must_use]
pub fn claim(name: impl Display) -> ClaimId {
    ClaimId::new(name.to_string()).unwrap()
}

/// Returns the user `u1`, who issues every token here and is the subject of every generation.
#[must_use]
pub fn user() -> &'static Entity {
    static USER: LazyLock<Entity> = LazyLock::new(|| Entity::user("u1"));
    &USER
}

/// Returns the terms of a token that supports a space once and never expires. Other terms replace some of these:
/// `Terms { use_limit: None, ..terms(&id) }`.
#[must_use]
pub fn terms(id: &TokenId) -> Terms<'_> {
    Terms {
        id,
        purpose: Purpose::SpaceSupport,
        resource: None,
        issuer: user(),
        created: CREATED,
        expires: None,
        use_limit: NonZeroU64::new(1),
        body: &[],
    }
}

/// Returns the root key that [`record`] seals for a token.
#[must_use]
pub fn root_key(id: &TokenId) -> RootKey {
    RootKey::derive_any(id.as_bytes())
}

/// Returns a record with these terms.
#[must_use]
pub fn record(keys: &KeyRing, terms: Terms<'_>) -> Record {
    Record::new(terms, &root_key(terms.id), keys).unwrap()
}

/// Returns the root key that [`generation`] seals.
#[must_use]
pub fn generation_key() -> RootKey {
    RootKey::derive_any(b"generation")
}

/// Returns a generation of [`user`].
#[must_use]
pub fn generation(keys: &KeyRing, number: u64) -> Generation {
    let owner = Owner::Generation { subject: user(), number };
    Generation { number, root_key: keys.seal(&generation_key(), owner).unwrap() }
}
