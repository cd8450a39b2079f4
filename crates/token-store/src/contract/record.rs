//! The types that a store keeps.

use std::{fmt, io, num::NonZeroU64, sync::Arc};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use token_core::{Purpose, RootKey, UnixTime};

use super::entity::Entity;
use crate::StoreError;

/// The id of a record: any 1 to 512 bytes, the same in every backend. A token is stored, spent and logged under its id,
/// never under its text, which has many spellings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct TokenId(Vec<u8>);

/// The caller's id for one spend: any 1 to 64 bytes. A retry under the same claim gets the same answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct ClaimId(Vec<u8>);

/// The store's id for one grant of a use: 64 bits drawn at random. A claim that is refunded and made again holds
/// another grant. A refund names its grant, so that it cannot take a use that was granted later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(u64);

/// A use of a token: who spent it, and when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Use {
    /// The entity that spent it; `None` for a request of nobody.
    pub consumer: Option<Entity>,
    /// When it was spent, by the clock of the caller.
    pub at: UnixTime,
}

/// The use that a claim holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// How many uses were left when the claim was made.
    pub uses_left: u64,
    /// The grant of this use, which a refund must name.
    pub grant: GrantId,
    /// Who spent it, and when. A repeated claim changes neither.
    pub spent: Use,
}

/// The revocation of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revocation {
    /// When the token was revoked, by the clock of the caller.
    pub at: UnixTime,
    /// The entity that revoked it, if known.
    pub by: Option<Entity>,
    /// The reason, for the operator: at most [`MAX_REASON_LEN`](Self::MAX_REASON_LEN) bytes, or none.
    pub reason: String,
    /// Whether [`reinstate`](crate::TokenStore::reinstate) may undo it.
    pub reversible: bool,
}

impl Use {
    /// Makes a use by nobody known, at this time.
    #[must_use]
    pub const fn anonymous(at: UnixTime) -> Self {
        Self { consumer: None, at }
    }
}

impl Revocation {
    /// The greatest length of a reason, in bytes.
    pub const MAX_REASON_LEN: usize = 256;

    /// Makes a revocation for good, by nobody and without a reason.
    #[must_use]
    pub const fn for_good(at: UnixTime) -> Self {
        Self { at, by: None, reason: String::new(), reversible: false }
    }
}

/// An id is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id of {len} bytes; 1 to {max} are allowed")]
pub struct InvalidId {
    /// The length of the rejected id, in bytes.
    pub len: usize,
    /// The greatest length allowed, in bytes.
    pub max: usize,
}

/// A sealed root key: ciphertext that only a [`KeyRing`](crate::KeyRing) makes and opens. It comes only from there or
/// from a stored record, so that no plaintext key can be handed to a store.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    pub(crate) key_id: u32,
    pub(crate) nonce: [u8; 12],
    // The key, and the tag behind it.
    pub(crate) ciphertext: [u8; SealedKey::LEN],
}

impl SealedKey {
    /// The length of a sealed key: a root key and the tag of ChaCha20-Poly1305, in bytes.
    pub(crate) const LEN: usize = RootKey::LEN + 16;
}

/// Where a sealed key is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store re-seals every kind")]
pub enum KeyPlace {
    /// In the record of a token.
    Token(TokenId),
    /// In the generation of a subject.
    Generation(Entity),
}

/// The record of one token. [`Record::new`] makes one; its [`Terms`] never change after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The id of the token.
    pub id: TokenId,
    /// What the token is for.
    pub purpose: Purpose,
    /// The resource that the token is about, if any.
    pub resource: Option<Entity>,
    /// The entity that had it minted, on whose authority it is spent.
    pub issuer: Entity,
    /// The sealed root key, bound to the [`Terms`].
    pub root_key: SealedKey,
    /// When it was minted.
    pub created: UnixTime,
    /// When it expires: from then on it is invalid and may be purged. `None`: never.
    pub expires: Option<UnixTime>,
    /// How many uses it has. `None`: no limit.
    pub use_limit: Option<NonZeroU64>,
    /// What the authority needs to write the token again, such as its caveats: at most
    /// [`MAX_BODY_LEN`](Self::MAX_BODY_LEN) bytes, which a store does not read.
    pub body: Vec<u8>,
    /// How many uses are spent and not refunded.
    pub uses: u64,
    /// The latest time at which a use was spent, by the clocks of the callers. A refund does not change it.
    pub last_use: Option<UnixTime>,
    /// Its revocation, if it is revoked.
    pub revocation: Option<Revocation>,
    /// A name of at most [`MAX_NAME_LEN`](Self::MAX_NAME_LEN) bytes. No other record of the issuer has it.
    pub name: Option<String>,
    /// Bytes that the host keeps with the token and may change: at most [`MAX_METADATA_LEN`](Self::MAX_METADATA_LEN).
    pub metadata: Vec<u8>,
}

/// The terms of a token, which never change after it is minted. Its root key is sealed for these terms: if any of them
/// is changed in the record, the key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// [`Record::id`]
    pub id: &'a TokenId,
    /// [`Record::purpose`]
    pub purpose: Purpose,
    /// [`Record::resource`]
    pub resource: Option<&'a Entity>,
    /// [`Record::issuer`]
    pub issuer: &'a Entity,
    /// [`Record::created`]
    pub created: UnixTime,
    /// [`Record::expires`]
    pub expires: Option<UnixTime>,
    /// [`Record::use_limit`]
    pub use_limit: Option<NonZeroU64>,
    /// [`Record::body`]
    pub body: &'a [u8],
}

#[cfg(any(test, feature = "conformance"))]
impl<'a> Terms<'a> {
    /// Returns the terms of a token without limits, for tests to change.
    pub(crate) const fn unlimited(id: &'a TokenId, issuer: &'a Entity) -> Self {
        let created = UnixTime::from_secs(1_500_000_000);
        let purpose = Purpose::SpaceSupport;
        Self { id, purpose, resource: None, issuer, created, expires: None, use_limit: None, body: &[] }
    }
}

/// The shared secret of all temporary tokens of one subject, at one generation. Raising the generation revokes every
/// temporary token minted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The number of the generation, from 1.
    pub number: u64,
    /// The sealed root key, bound to the subject and the number.
    pub root_key: SealedKey,
}

impl Record {
    /// The greatest length of a name, in bytes.
    pub const MAX_NAME_LEN: usize = 256;

    /// The greatest length of the metadata, in bytes.
    pub const MAX_METADATA_LEN: usize = 4096;

    /// The greatest length of the body, in bytes.
    pub const MAX_BODY_LEN: usize = 12 * 1024;

    /// Returns whether the token is revoked.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.revocation.is_some()
    }

    /// Returns whether no use is left.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.use_limit.is_some_and(|limit| self.uses >= limit.get())
    }

    /// Returns when the last use was spent, if none is left; for a record that was made without
    /// [`last_use`](Self::last_use), when it was created.
    #[must_use]
    pub fn spent_at(&self) -> Option<UnixTime> {
        self.is_spent().then(|| self.last_use.unwrap_or(self.created))
    }
}

impl TokenId {
    // The id of a decoded record until it gets its own.
    pub(super) const fn unset() -> Self {
        Self(Vec::new())
    }
}

impl GrantId {
    /// Draws a new grant id, for a store of your own.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the operating system gives no random bytes.
    pub fn draw() -> Result<Self, StoreError> {
        let mut bytes = [0; 8];
        match SystemRandom::new().fill(&mut bytes) {
            Ok(()) => Ok(Self::from_bytes(bytes)),
            Err(_) => Err(StoreError::Io(Arc::new(io::Error::other("no random bytes")))),
        }
    }

    /// Decodes the grant id from the result of [`to_bytes`](Self::to_bytes).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// Encodes the grant id: to store it with the claim, or until the caller knows whether to refund it.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// Formats the grant id as 16 hexadecimal digits.
impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({self})")
    }
}

macro_rules! id {
    ($name:ident, $max:literal) => {
        impl $name {
            /// The greatest length in bytes.
            pub const MAX_LEN: usize = $max;

            /// Makes an id of 1 to `MAX_LEN` bytes.
            ///
            /// # Errors
            /// [`InvalidId`] if there are no bytes, or too many.
            pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, InvalidId> {
                let bytes = bytes.into();
                match bytes.len() {
                    1..=$max => Ok(Self(bytes)),
                    len => Err(InvalidId { len, max: $max }),
                }
            }

            /// Returns the bytes of the id.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<Vec<u8>> for $name {
            type Error = InvalidId;

            fn try_from(bytes: Vec<u8>) -> Result<Self, InvalidId> {
                Self::new(bytes)
            }
        }

        impl From<$name> for Vec<u8> {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        /// Formats printable ASCII as text, and other bytes as `\x..`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.escape_ascii())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id!(TokenId, 512);
id!(ClaimId, 64);

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKey(under key {})", self.key_id)
    }
}
