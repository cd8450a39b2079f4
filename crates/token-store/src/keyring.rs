//! The keys under which root keys are sealed, and sealing itself.

use std::fmt;

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use token_core::RootKey;
use zeroize::Zeroizing;

use crate::{Entity, SealedKey, TokenId};

mod file;
mod source;
mod text;

pub use file::KeyFileError;
pub use source::{KeyFile, KeySource, KeySourceError, KeyVariable};
pub use text::KeyTextError;

/// Seals root keys, so that whoever reads a store, or a backup of it, learns none.
///
/// The newest key seals and every key opens, so that what was sealed before a [`rotate`](Self::rotate) stays
/// readable. Keys are wiped when dropped. A key seals under random nonces of 96 bits, which is sound for 2³²
/// seals (NIST SP 800-38D §8.3): rotate before that.
///
/// ```
/// use token_core::RootKey;
/// use token_store::{KeyRing, OpenError, Owner, TokenId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = KeyRing::generate()?;
/// let (a, b) = (TokenId::new(*b"a")?, TokenId::new(*b"b")?);
/// let sealed = keys.seal(&RootKey::from_derived([7; 32]), Owner::Token(&a))?;
/// assert_eq!(keys.open(&sealed, Owner::Token(&a))?.expose(), &[7; 32]);
/// assert_eq!(keys.open(&sealed, Owner::Token(&b)).unwrap_err(), OpenError::Forged);
/// # Ok(())
/// # }
/// ```
pub struct KeyRing {
    // By id, in ascending order; never empty.
    keys: Vec<SealingKey>,
}

// ChaCha20-Poly1305 (RFC 8439) rather than AES-256-GCM: it runs in constant time on every processor, and has no
// key schedule, so that the key is set up for each call from the bytes kept here, which are wiped on drop as
// ring's own keys are not.
struct SealingKey {
    id: u32,
    bytes: Zeroizing<[u8; KEY_LEN]>,
}

const KEY_LEN: usize = 32;

/// What a sealed key belongs to. It opens for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner<'a> {
    /// The token of this id.
    Token(&'a TokenId),
    /// The temporary tokens of a subject at one generation.
    Generation {
        /// Whose tokens.
        subject: &'a Entity,
        /// The number of the generation.
        number: u64,
    },
}

/// A key was not made or not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// Every key id has been used.
    #[error("every key id has been used")]
    NoKeyIdLeft,
}

/// A sealed key did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It was sealed under a key that this ring does not hold. Find the ring that does.
    #[error("sealed under key {key_id}, which this key ring does not hold")]
    KeyUnavailable {
        /// The id of that key.
        key_id: u32,
    },
    /// It is damaged, forged, or belongs to something else.
    #[error("the sealed key is damaged, forged, or belongs to something else")]
    Forged,
}

impl KeyRing {
    /// A ring of one new key.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn generate() -> Result<Self, SealError> {
        Ok(Self { keys: vec![SealingKey::generate(1)?] })
    }

    /// Adds a new key, which seals from now on. The others still open.
    ///
    /// # Errors
    /// [`SealError`]; the ring is unchanged.
    pub fn rotate(&mut self) -> Result<(), SealError> {
        let id = self.newest_id().checked_add(1).ok_or(SealError::NoKeyIdLeft)?;
        self.keys.push(SealingKey::generate(id)?);
        Ok(())
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn newest_id(&self) -> u32 {
        self.keys.last().map_or(0, |key| key.id)
    }

    /// The ids of all keys, in ascending order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = u32> {
        self.keys.iter().map(|key| key.id)
    }

    pub(crate) fn holds(&self, key_id: u32) -> bool {
        self.ids().any(|id| id == key_id)
    }

    pub(crate) fn forget(&mut self, key_id: u32) {
        self.keys.retain(|key| key.id != key_id);
    }

    /// Seals a root key for its owner, under the newest key and a fresh nonce.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, root_key: &RootKey, owner: Owner<'_>) -> Result<SealedKey, SealError> {
        // A ring without keys cannot be made, and ring refuses no key and no plaintext of this length.
        let key = self.keys.last().ok_or(SealError::NoKeyIdLeft)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut buffer = Zeroizing::new(*root_key.expose());
        let tag = key
            .aead()
            .and_then(|aead| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                aead.seal_in_place_separate_tag(nonce, aad(key.id, owner), buffer.as_mut_slice())
            })
            .map_err(|_| SealError::Random)?;
        Ok(SealedKey { key_id: key.id, nonce, ciphertext: [buffer.as_slice(), tag.as_ref()].concat() })
    }

    /// Opens the root key of an owner.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, sealed: &SealedKey, owner: Owner<'_>) -> Result<RootKey, OpenError> {
        let key_id = sealed.key_id;
        let key = self
            .keys
            .binary_search_by_key(&key_id, |key| key.id)
            .ok()
            .and_then(|at| self.keys.get(at))
            .ok_or(OpenError::KeyUnavailable { key_id })?;
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let mut buffer = Zeroizing::new(sealed.ciphertext.clone());
        let opened = key
            .aead()
            .and_then(|aead| aead.open_in_place(nonce, aad(key_id, owner), &mut buffer))
            .map_err(|_| OpenError::Forged)?;
        let mut bytes = Zeroizing::new([0; RootKey::LEN]);
        if opened.len() != bytes.len() {
            return Err(OpenError::Forged);
        }
        bytes.copy_from_slice(opened);
        Ok(RootKey::from_derived(*bytes))
    }
}

/// Shows the ids of the keys only.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl SealingKey {
    fn generate(id: u32) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| SealError::Random)?;
        Ok(Self { id, bytes })
    }

    fn aead(&self) -> Result<LessSafeKey, ring::error::Unspecified> {
        UnboundKey::new(&CHACHA20_POLY1305, self.bytes.as_slice()).map(LessSafeKey::new)
    }
}

// Everything that a sealed key is bound to. All parts but the last have a fixed length or are preceded by it.
fn aad(key_id: u32, owner: Owner<'_>) -> Aad<Vec<u8>> {
    let mut aad = b"onetoken sealed root key\0".to_vec();
    aad.push(1); // the version of the seal
    aad.extend(key_id.to_be_bytes());
    match owner {
        Owner::Token(id) => {
            aad.push(1);
            aad.extend(id.as_bytes());
        }
        Owner::Generation { subject, number } => {
            aad.push(2);
            aad.extend(number.to_be_bytes());
            aad.extend(u64::try_from(subject.kind.len()).unwrap_or(u64::MAX).to_be_bytes());
            aad.extend(subject.kind.as_bytes());
            aad.extend(subject.id.as_bytes());
        }
    }
    Aad::from(aad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bytes: &[u8]) -> TokenId {
        TokenId::new(bytes).unwrap()
    }

    #[test]
    fn a_key_opens_for_its_owner_alone() {
        let keys = KeyRing::generate().unwrap();
        let root = RootKey::from_derived([7; 32]);
        let (subject, other) = (
            Entity { kind: "user".into(), id: "u1".into() },
            Entity { kind: "use".into(), id: "ru1".into() },
        );
        let token = id(b"a");
        let another = id(b"b");
        let owners = [
            Owner::Token(&token),
            Owner::Token(&another),
            Owner::Generation { subject: &subject, number: 1 },
            Owner::Generation { subject: &subject, number: 2 },
            Owner::Generation { subject: &other, number: 1 },
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
        let token = id(b"a");
        let sealed = keys.seal(&RootKey::from_derived([7; 32]), Owner::Token(&token)).unwrap();
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(&flipped, Owner::Token(&token)).unwrap_err(), OpenError::Forged);
        }
        for bit in 0..sealed.nonce.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.nonce[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(&flipped, Owner::Token(&token)).unwrap_err(), OpenError::Forged);
        }
        for len in 0..sealed.ciphertext.len() {
            let mut cut = sealed.clone();
            cut.ciphertext.truncate(len);
            assert_eq!(keys.open(&cut, Owner::Token(&token)).unwrap_err(), OpenError::Forged);
        }
    }

    #[test]
    fn rotation_keeps_what_was_sealed() {
        let mut keys = KeyRing::generate().unwrap();
        let token = id(b"a");
        let old = keys.seal(&RootKey::from_derived([1; 32]), Owner::Token(&token)).unwrap();
        keys.rotate().unwrap();
        let new = keys.seal(&RootKey::from_derived([2; 32]), Owner::Token(&token)).unwrap();
        assert_eq!((old.key_id, new.key_id), (1, 2));
        assert_eq!(keys.open(&old, Owner::Token(&token)).unwrap().expose(), &[1; 32]);
        assert_eq!(keys.open(&new, Owner::Token(&token)).unwrap().expose(), &[2; 32]);

        let mut relabeled = old.clone();
        relabeled.key_id = 2;
        assert_eq!(keys.open(&relabeled, Owner::Token(&token)).unwrap_err(), OpenError::Forged);
        let stranger = KeyRing::generate().unwrap();
        assert_eq!(
            stranger.open(&new, Owner::Token(&token)).unwrap_err(),
            OpenError::KeyUnavailable { key_id: 2 }
        );
        assert_eq!(stranger.open(&old, Owner::Token(&token)).unwrap_err(), OpenError::Forged);
    }

    #[test]
    fn nothing_is_sealed_twice_alike() {
        let keys = KeyRing::generate().unwrap();
        let token = id(b"a");
        let root = RootKey::from_derived([7; 32]);
        let seal = || keys.seal(&root, Owner::Token(&token)).unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn debug_shows_ids_only() {
        let mut keys = KeyRing::generate().unwrap();
        keys.rotate().unwrap();
        assert_eq!(format!("{keys:?}"), "[1, 2]");
    }
}
