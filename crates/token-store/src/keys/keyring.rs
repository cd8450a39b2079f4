//! Key rings, and the sealing of root keys.

use std::{fmt, num::NonZeroU64};

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use token_core::{RootKey, UnixTime};
use zeroize::Zeroizing;

use crate::{Entity, KeyPlace, Record, SealedKey, Terms};

/// Seals root keys, so that a reader of a store or of its backup learns none of them.
///
/// The newest key seals and every key opens, so that a key sealed before a [`rotate`](Self::rotate) can still be
/// opened. Keys are wiped when dropped. A key seals under random nonces of 96 bits, which is safe for 2³² seals (NIST
/// SP 800-38D §8.3): rotate before that.
///
/// ```
/// use token_core::RootKey;
/// use token_store::{Entity, KeyRing, KeyError, Owner};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = KeyRing::generate()?;
/// let subject = Entity { kind: "user".into(), id: "u1".into() };
/// let first = Owner::Generation { subject: &subject, number: 1 };
/// let second = Owner::Generation { subject: &subject, number: 2 };
/// let sealed = keys.seal(&RootKey::from_derived([7; 32]), first)?;
/// assert_eq!(keys.open(&sealed, first)?.expose(), &[7; 32]);
/// assert_eq!(keys.open(&sealed, second).unwrap_err(), KeyError::Forged);
/// # Ok(())
/// # }
/// ```
pub struct KeyRing {
    // In ascending order of ids; never empty.
    pub(super) keys: Vec<SealingKey>,
}

// ChaCha20-Poly1305 (RFC 8439) rather than AES-256-GCM. It runs in constant time on every processor, and has no key
// schedule: each call sets the key up from the bytes here, which are wiped on drop, as ring's own keys are not.
pub(super) struct SealingKey {
    pub(super) id: u32,
    pub(super) bytes: Zeroizing<[u8; KEY_LEN]>,
}

pub(super) const KEY_LEN: usize = 32;

/// A nonce for one seal: 12 random bytes. Not cloned, since no two seals may share one.
#[derive(Debug)]
pub struct SealNonce([u8; NONCE_LEN]);

impl SealNonce {
    /// The length of a nonce, in bytes.
    pub const LEN: usize = NONCE_LEN;

    /// Wraps fresh random bytes of the operating system.
    #[must_use]
    pub const fn from_random(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

/// The owner of a sealed key. The key opens for no other owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner<'a> {
    /// The token minted on these terms.
    Token(Terms<'a>),
    /// The temporary tokens of a subject at one generation.
    Generation {
        /// The subject.
        subject: &'a Entity,
        /// The number of the generation.
        number: u64,
    },
}

impl Owner<'_> {
    /// Returns where the key of this owner is stored.
    pub(crate) fn place(&self) -> KeyPlace {
        match self {
            Self::Token(terms) => KeyPlace::Token(terms.id.clone()),
            Self::Generation { subject, .. } => KeyPlace::Generation((*subject).clone()),
        }
    }
}

/// An error of a key ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// Every key id has been used.
    #[error("every key id has been used")]
    NoKeyIdLeft,
    /// The ring does not hold this key.
    #[error("the key ring holds no key {key_id}")]
    Absent {
        /// The id of the key.
        key_id: u32,
    },
    /// A sealed key is damaged or forged, or belongs to another owner.
    #[error("the sealed key is damaged, forged, or belongs to something else")]
    Forged,
    /// The key to remove is the one that seals.
    #[error("key {key_id} is the one that seals")]
    Newest {
        /// Its id.
        key_id: u32,
    },
    /// The key to remove is needed: a sealed key that needs it does not open, or a record is too damaged to tell which
    /// key it needs.
    #[error("key {key_id} is needed: something that is sealed under it was not sealed again")]
    Needed {
        /// Its id.
        key_id: u32,
    },
    /// The proof to remove a key is invalid: the rekeying was not done, used another ring, or preceded the ring's
    /// newest key.
    #[error("nothing proves that key {key_id} is no longer needed: rekey first, under the newest key")]
    Unproven {
        /// Its id.
        key_id: u32,
    },
}

impl KeyRing {
    /// Makes a ring of one new key.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self { keys: vec![SealingKey::generate(1)?] })
    }

    /// Adds a new key, which seals from now on. The older keys still open.
    ///
    /// # Errors
    /// [`KeyError`]; the ring is unchanged.
    pub fn rotate(&mut self) -> Result<(), KeyError> {
        let id = self.newest_id().checked_add(1).ok_or(KeyError::NoKeyIdLeft)?;
        self.keys.push(SealingKey::generate(id)?);
        Ok(())
    }

    /// Returns the id of the key that seals.
    #[must_use]
    pub fn newest_id(&self) -> u32 {
        self.keys.last().map_or(0, |key| key.id)
    }

    /// Returns the ids of all keys, in ascending order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = u32> {
        self.keys.iter().map(|key| key.id)
    }

    /// Seals a root key for its owner, under the newest key and a fresh nonce.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, root_key: &RootKey, owner: Owner<'_>) -> Result<SealedKey, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| KeyError::Random)?;
        self.seal_under(SealNonce(nonce), root_key, owner)
    }

    /// Seals a root key as [`seal`](Self::seal) does, under a nonce that was drawn together with other random bytes.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn seal_under(
        &self,
        SealNonce(nonce): SealNonce,
        root_key: &RootKey,
        owner: Owner<'_>,
    ) -> Result<SealedKey, KeyError> {
        // A ring is never empty, and ring accepts every key and plaintext of this length.
        let key = self.keys.last().ok_or(KeyError::NoKeyIdLeft)?;
        let mut sealed = Zeroizing::new([0; SealedKey::LEN]);
        let (buffer, end) = sealed.split_at_mut(RootKey::LEN);
        buffer.copy_from_slice(root_key.expose());
        let tag = key
            .aead()
            .and_then(|aead| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                aead.seal_in_place_separate_tag(nonce, aad(key.id, owner), buffer)
            })
            .map_err(|_| KeyError::Random)?;
        end.copy_from_slice(tag.as_ref());
        Ok(SealedKey { key_id: key.id, nonce, ciphertext: *sealed })
    }

    /// Opens a sealed root key for its owner.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(&self, sealed: &SealedKey, owner: Owner<'_>) -> Result<RootKey, KeyError> {
        let key_id = sealed.key_id;
        let key = self.keys.iter().find(|key| key.id == key_id);
        let key = key.ok_or(KeyError::Absent { key_id })?;
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let mut buffer = Zeroizing::new(sealed.ciphertext);
        let opened = key
            .aead()
            .and_then(|aead| aead.open_in_place(nonce, aad(key_id, owner), buffer.as_mut_slice()))
            .map_err(|_| KeyError::Forged)?;
        let mut bytes = Zeroizing::new([0; RootKey::LEN]);
        if opened.len() != bytes.len() {
            return Err(KeyError::Forged);
        }
        bytes.copy_from_slice(opened);
        Ok(RootKey::from_derived(*bytes))
    }
}

impl Record {
    /// Makes the record of a token minted on these terms: unspent, without a name, with its root key sealed.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn new(terms: Terms<'_>, root_key: &RootKey, keys: &KeyRing) -> Result<Self, KeyError> {
        let Terms { id, purpose, resource, issuer, created, expires, use_limit, body } = terms;
        Ok(Self {
            id: id.clone(),
            purpose,
            resource: resource.cloned(),
            issuer: issuer.clone(),
            root_key: keys.seal(root_key, Owner::Token(terms))?,
            created,
            expires,
            use_limit,
            body: body.to_vec(),
            uses: 0,
            last_use: None,
            revocation: None,
            name: None,
            metadata: Vec::new(),
        })
    }

    /// Returns the owner that the root key is sealed for.
    #[must_use]
    pub fn owner(&self) -> Owner<'_> {
        let Self { id, purpose, resource, issuer, created, expires, use_limit, body, .. } = self;
        let (purpose, created, expires, use_limit) = (*purpose, *created, *expires, *use_limit);
        Owner::Token(Terms {
            id,
            purpose,
            resource: resource.as_ref(),
            issuer,
            created,
            expires,
            use_limit,
            body,
        })
    }
}

/// Shows only the ids of the keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl SealingKey {
    fn generate(id: u32) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| KeyError::Random)?;
        Ok(Self { id, bytes })
    }

    fn aead(&self) -> Result<LessSafeKey, ring::error::Unspecified> {
        UnboundKey::new(&CHACHA20_POLY1305, self.bytes.as_slice()).map(LessSafeKey::new)
    }
}

// Encodes everything that a sealed key is bound to. Each part has a fixed length, a length prefix, or a byte that says
// whether it is present, so that no two owners have the same encoding.
fn aad(key_id: u32, owner: Owner<'_>) -> Aad<Vec<u8>> {
    // Enough for the terms of most tokens.
    let mut aad = Vec::with_capacity(320);
    aad.extend(b"onetoken sealed root key\0");
    aad.push(1); // the version of the seal
    aad.extend(key_id.to_be_bytes());
    match owner {
        Owner::Token(Terms { id, purpose, resource, issuer, created, expires, use_limit, body }) => {
            aad.push(1);
            text(&mut aad, id.as_bytes());
            text(&mut aad, purpose.as_str().as_bytes());
            optional(&mut aad, resource, entity);
            entity(&mut aad, issuer);
            number(&mut aad, created.as_secs());
            optional(&mut aad, expires.map(UnixTime::as_secs), number);
            optional(&mut aad, use_limit.map(NonZeroU64::get), number);
            text(&mut aad, body);
        }
        Owner::Generation { subject, number: generation } => {
            aad.push(2);
            entity(&mut aad, subject);
            number(&mut aad, generation);
        }
    }
    Aad::from(aad)
}

fn number(aad: &mut Vec<u8>, number: u64) {
    aad.extend(number.to_be_bytes());
}

fn text(aad: &mut Vec<u8>, text: &[u8]) {
    number(aad, u64::try_from(text.len()).unwrap_or(u64::MAX));
    aad.extend(text);
}

fn entity(aad: &mut Vec<u8>, entity: &Entity) {
    text(aad, entity.kind.as_bytes());
    text(aad, entity.id.as_bytes());
}

fn optional<T>(aad: &mut Vec<u8>, part: Option<T>, write: fn(&mut Vec<u8>, T)) {
    aad.push(u8::from(part.is_some()));
    if let Some(part) = part {
        write(aad, part);
    }
}

#[cfg(test)]
mod tests {
    use token_core::Purpose;

    use super::*;
    use crate::TokenId;

    fn entity(kind: &str, id: &str) -> Entity {
        Entity { kind: kind.to_owned().into(), id: id.into() }
    }

    fn id(bytes: &[u8]) -> TokenId {
        TokenId::new(bytes).unwrap()
    }

    #[test]
    fn a_key_opens_for_its_owner_alone() {
        let keys = KeyRing::generate().unwrap();
        let root = RootKey::from_derived([7; 32]);
        let (user, shifted) = (entity("user", "u1"), entity("use", "ru1"));
        let (a, b, ab) = (id(b"a"), id(b"b"), id(b"ab"));
        let one = Terms::unlimited(&a, &user);
        let time = |secs| UnixTime::from_secs(secs);
        let owners = [
            Owner::Token(one),
            Owner::Token(Terms { id: &b, ..one }),
            Owner::Token(Terms { id: &ab, purpose: Purpose::Identity, ..one }),
            Owner::Token(Terms { purpose: Purpose::Access, ..one }),
            Owner::Token(Terms { resource: Some(&user), ..one }),
            Owner::Token(Terms { resource: Some(&shifted), ..one }),
            Owner::Token(Terms { issuer: &shifted, ..one }),
            Owner::Token(Terms { created: time(2), ..one }),
            Owner::Token(Terms { expires: Some(time(1)), ..one }),
            Owner::Token(Terms { expires: Some(time(2)), ..one }),
            Owner::Token(Terms { use_limit: NonZeroU64::new(1), ..one }),
            Owner::Token(Terms { use_limit: NonZeroU64::new(2), ..one }),
            Owner::Token(Terms { body: b"b", ..one }),
            Owner::Generation { subject: &user, number: 1 },
            Owner::Generation { subject: &user, number: 2 },
            Owner::Generation { subject: &shifted, number: 1 },
        ];
        for mine in owners {
            let sealed = keys.seal(&root, mine).unwrap();
            for theirs in owners {
                let opened = keys.open(&sealed, theirs);
                assert_eq!(opened.is_ok(), mine == theirs, "{mine:?} by {theirs:?}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let keys = KeyRing::generate().unwrap();
        let (token, issuer) = (id(b"a"), entity("user", "u1"));
        let owner = Owner::Token(Terms::unlimited(&token, &issuer));
        let sealed = keys.seal(&RootKey::from_derived([7; 32]), owner).unwrap();
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(&flipped, owner).unwrap_err(), KeyError::Forged);
        }
        for bit in 0..sealed.nonce.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.nonce[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(&flipped, owner).unwrap_err(), KeyError::Forged);
        }
    }

    #[test]
    fn rotation_keeps_what_was_sealed() {
        let mut keys = KeyRing::generate().unwrap();
        let (token, issuer) = (id(b"a"), entity("user", "u1"));
        let owner = Owner::Token(Terms::unlimited(&token, &issuer));
        let old = keys.seal(&RootKey::from_derived([1; 32]), owner).unwrap();
        keys.rotate().unwrap();
        let new = keys.seal(&RootKey::from_derived([2; 32]), owner).unwrap();
        assert_eq!((old.key_id, new.key_id), (1, 2));
        assert_eq!(keys.open(&old, owner).unwrap().expose(), &[1; 32]);
        assert_eq!(keys.open(&new, owner).unwrap().expose(), &[2; 32]);

        let mut relabeled = old.clone();
        relabeled.key_id = 2;
        assert_eq!(keys.open(&relabeled, owner).unwrap_err(), KeyError::Forged);
        let stranger = KeyRing::generate().unwrap();
        assert_eq!(stranger.open(&new, owner).unwrap_err(), KeyError::Absent { key_id: 2 });
        assert_eq!(stranger.open(&old, owner).unwrap_err(), KeyError::Forged);
    }

    #[test]
    fn nothing_is_sealed_twice_alike() {
        let keys = KeyRing::generate().unwrap();
        let (token, issuer) = (id(b"a"), entity("user", "u1"));
        let owner = Owner::Token(Terms::unlimited(&token, &issuer));
        let root = RootKey::from_derived([7; 32]);
        let seal = || keys.seal(&root, owner).unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn debug_shows_ids_only() {
        let mut keys = KeyRing::generate().unwrap();
        keys.rotate().unwrap();
        assert_eq!(format!("{keys:?}"), "[1, 2]");
    }
}
