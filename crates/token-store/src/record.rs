//! What a store keeps.

use std::{fmt, io, num::NonZeroU64, sync::Arc};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use token_core::{RootKey, UnixTime};

use crate::{KeyRing, Owner, SealError, StoreError, codec, layout};

/// The name of a record: any 1 to 512 bytes, the same bytes in every backend. A token is stored, spent and
/// logged under this, never under its text, which has many spellings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct TokenId(Vec<u8>);

/// The caller's name of one spend: any 1 to 64 bytes. The same claim asked again gets the same answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct ClaimId(Vec<u8>);

/// The store's name for one grant of a use: 64 bits drawn at random. A claim that is refunded and made again holds
/// another grant, so a refund that names its grant can never take a use that was granted later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(u64);

/// The use that a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// How many uses were left when the claim was made.
    pub uses_left: u64,
    /// The grant of this use, which a refund has to name.
    pub grant: GrantId,
}

/// An id is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id of {len} bytes; 1 to {max} are allowed")]
pub struct InvalidId {
    /// The length of the id that was given, in bytes.
    pub len: usize,
    /// The greatest length allowed, in bytes.
    pub max: usize,
}

/// Somebody or something outside the store, by kind and id: the issuer of a token (`user`, `u1`), the resource
/// that it is about (`space`, `s1`). The store compares entities and knows nothing else about them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// What it is: the name of an [`EntityKind`](crate::EntityKind), or a word of the host's own.
    pub kind: String,
    /// Which one it is.
    pub id: String,
}

/// A root key as it is at rest: ciphertext that only a [`KeyRing`](crate::KeyRing) makes and opens. It is had from
/// there or from a stored record, so that no store can be handed a plaintext key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    pub(crate) key_id: u32,
    pub(crate) nonce: [u8; 12],
    pub(crate) ciphertext: Vec<u8>,
}

/// One token that was minted. [`Record::new`] makes one; its [`Terms`] never change after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name that everything is kept under.
    pub id: TokenId,
    /// The type of the token in the words of the host, such as `space-support`. Opaque to the store.
    pub kind: String,
    /// What the token is about, if it is about something.
    pub resource: Option<Entity>,
    /// Who had it minted, and on whose authority it is spent.
    pub issuer: Entity,
    /// The sealed root key, bound to the [`Terms`].
    pub root_key: SealedKey,
    /// When it was minted.
    pub created: UnixTime,
    /// From when on it is worth nothing and may be purged. `None`: never.
    pub expires: Option<UnixTime>,
    /// How often it may be redeemed. `None`: without limit.
    pub use_limit: Option<NonZeroU64>,
    /// How often it has been redeemed and not refunded.
    pub uses: u64,
    /// Whether it has been revoked. There is no way back.
    pub revoked: bool,
    /// A name that the issuer gave it.
    pub name: Option<String>,
}

/// What is settled when a token is minted, and never changes. Its root key is sealed for all of this: in a record in
/// which any of it was changed, the key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// [`Record::id`]
    pub id: &'a TokenId,
    /// [`Record::kind`]
    pub kind: &'a str,
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
}

/// The shared secret of all temporary tokens of one subject, at one generation. Raising the generation voids
/// every temporary token minted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Counts from 1.
    pub number: u64,
    /// The sealed root key, bound to the subject and the number.
    pub root_key: SealedKey,
}

impl Record {
    /// The record of a token minted on these terms: unspent, without a name, with its root key sealed.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn new(terms: Terms<'_>, root_key: &RootKey, keys: &KeyRing) -> Result<Self, SealError> {
        let Terms { id, kind, resource, issuer, created, expires, use_limit } = terms;
        Ok(Self {
            id: id.clone(),
            kind: kind.to_owned(),
            resource: resource.cloned(),
            issuer: issuer.clone(),
            root_key: keys.seal(root_key, Owner::Token(terms))?,
            created,
            expires,
            use_limit,
            uses: 0,
            revoked: false,
            name: None,
        })
    }

    /// What the root key is sealed for.
    #[must_use]
    pub fn owner(&self) -> Owner<'_> {
        let Self { id, kind, resource, issuer, created, expires, use_limit, .. } = self;
        let (created, expires, use_limit) = (*created, *expires, *use_limit);
        Owner::Token(Terms { id, kind, resource: resource.as_ref(), issuer, created, expires, use_limit })
    }

    /// Whether every use is taken.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.use_limit.is_some_and(|limit| self.uses >= limit.get())
    }

    /// The record as bytes, which every later version of this software reads: for a store of your own.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        codec::encode_record(&layout::record(&self.id), self)
    }

    /// The record `id`, from what [`to_bytes`](Self::to_bytes) made of it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the bytes are damaged or are those of another record,
    /// [`StoreError::NewerVersion`], [`StoreError::OlderVersion`].
    pub fn from_bytes(id: TokenId, bytes: &[u8]) -> Result<Self, StoreError> {
        codec::decode_record(&layout::record(&id), id, bytes)
    }
}

impl Generation {
    /// The generation as bytes, which every later version of this software reads: for a store of your own.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self, subject: &Entity) -> Result<Vec<u8>, StoreError> {
        codec::encode_generation(&layout::generation(subject), self)
    }

    /// The generation of a subject, from what [`to_bytes`](Self::to_bytes) made of it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the bytes are damaged or are those of another subject,
    /// [`StoreError::NewerVersion`].
    pub fn from_bytes(subject: &Entity, bytes: &[u8]) -> Result<Self, StoreError> {
        codec::decode_generation(&layout::generation(subject), bytes)
    }
}

impl GrantId {
    /// Draws a new one: for a store of your own.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the operating system gives no random bytes.
    pub fn draw() -> Result<Self, StoreError> {
        let mut bytes = [0; 8];
        match SystemRandom::new().fill(&mut bytes) {
            Ok(()) => Ok(Self::from_bytes(bytes)),
            Err(_) => Err(StoreError::Io(Arc::new(io::Error::other("no random bytes")))),
        }
    }

    /// The grant that [`to_bytes`](Self::to_bytes) wrote down.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// The grant as bytes: to keep it with the claim, or until it is known whether it must be refunded.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// As 16 hexadecimal digits.
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

            /// Takes 1 to `MAX_LEN` bytes.
            ///
            /// # Errors
            /// [`InvalidId`] when there are none, or more.
            pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, InvalidId> {
                let bytes = bytes.into();
                match bytes.len() {
                    1..=$max => Ok(Self(bytes)),
                    len => Err(InvalidId { len, max: $max }),
                }
            }

            /// The bytes themselves.
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

        /// As text where it is printable ASCII, with `\x..` for other bytes.
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
