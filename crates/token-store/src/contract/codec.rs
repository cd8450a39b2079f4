//! The encoding of stored values: readable for ever, and never misread.
//!
//! ```text
//! version: 1 byte    payload: postcard    check: 8 bytes
//! ```
//!
//! The check is over the key and the value. It detects a damaged value, and one under the wrong key; an engine's own
//! checksums do not cover every read. It does not stop an attacker who can write, who could as well compute a SHA-256;
//! the seal of the root key does.
//!
//! The structs of a version state the form of the stored types, and never change once released. An export has the same
//! fields, with hexadecimal digits for bytes. The stored types have no such form of their own: if anyone could decode a
//! [`SealedKey`], a plaintext key could be handed to a store.

use std::num::NonZeroU64;

use ring::digest;
use serde::{Deserialize, Serialize};
use token_core::{Purpose, UnixTime};

use super::entity::kind_name;
use crate::{Entity, Generation, GrantId, Held, Record, Revocation, SealedKey, StoreError, TokenId, Use};

/// The greatest length of a key and its value together, in bytes. A mint writes some 300. These limits are those of the
/// narrowest engine (see `engine::sled`) and hold for all, so that every store accepts the same records.
pub(crate) const MAX_LEN: usize = 24 * 1024;

/// The greatest length of an entity, its kind and its id together, in bytes.
const MAX_ENTITY_LEN: usize = 1024;

/// The greatest length of a key, in bytes: an entity, the longest name and token id, and what the layout adds.
pub(crate) const MAX_KEY_LEN: usize = MAX_ENTITY_LEN + Record::MAX_NAME_LEN + TokenId::MAX_LEN + 16;

/// The length of a check, in bytes.
pub(super) const CHECK_LEN: usize = 8;

/// Enough for most values, in bytes, so that they do not move while they are written.
const TYPICAL_LEN: usize = 320;

/// The length of the hash of an entity, in bytes: no second entity with a given hash can be found.
pub(crate) const HASH_LEN: usize = 16;

/// The first byte of the key of a record.
pub(crate) const RECORD: u8 = 1;

/// The first byte of the key of a generation.
pub(crate) const GENERATION: u8 = 6;

/// What the check of a use covers as its key.
const USE: &[u8] = b"use";

/// The version of every value.
const VERSION: u8 = 1;

/// What the check of a revocation covers as its key.
const REVOCATION: &[u8] = b"revocation";

#[derive(Serialize, Deserialize)]
#[serde(remote = "Record")]
pub(crate) struct RecordV1 {
    // The key of the value names it.
    #[serde(skip, default = "TokenId::unset")]
    id: TokenId,
    #[serde(with = "purpose")]
    purpose: Purpose,
    resource: Option<Entity>,
    issuer: Entity,
    #[serde(with = "SealedKeyV1")]
    root_key: SealedKey,
    created: UnixTime,
    expires: Option<UnixTime>,
    use_limit: Option<NonZeroU64>,
    #[serde(with = "bytes::whole")]
    body: Vec<u8>,
    uses: u64,
    last_use: Option<UnixTime>,
    revocation: Option<Revocation>,
    name: Option<String>,
    #[serde(with = "bytes::whole")]
    metadata: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Generation")]
pub(crate) struct GenerationV1 {
    number: u64,
    #[serde(with = "SealedKeyV1")]
    root_key: SealedKey,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SealedKey", deny_unknown_fields)]
struct SealedKeyV1 {
    key_id: u32,
    #[serde(with = "bytes")]
    nonce: [u8; 12],
    #[serde(with = "bytes::whole")]
    ciphertext: [u8; SealedKey::LEN],
}

/// Bytes; in a text, as hexadecimal digits.
pub(crate) mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::keys::hex;

    const INVALID: &str = "bytes that are not in hexadecimal digits, or too few or too many";

    pub(crate) fn serialize<T, S>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Clone + Into<Vec<u8>> + Serialize,
        S: Serializer,
    {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&hex::text(&bytes.clone().into())),
            false => bytes.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: TryFrom<Vec<u8>> + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        if !deserializer.is_human_readable() {
            return T::deserialize(deserializer);
        }
        let bytes = hex::bytes(&String::deserialize(deserializer)?).collect::<Option<Vec<u8>>>();
        let value = bytes.and_then(|bytes| T::try_from(bytes).ok());
        value.ok_or_else(|| D::Error::custom(INVALID))
    }

    /// In one piece, with its length before it: every mint and every read of a record comes here.
    pub(super) mod whole {
        use super::*;

        pub(in super::super) fn serialize<S: Serializer>(
            bytes: &impl AsRef<[u8]>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match serializer.is_human_readable() {
                true => serializer.serialize_str(&hex::text(bytes.as_ref())),
                false => serializer.serialize_bytes(bytes.as_ref()),
            }
        }

        pub(in super::super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
        where
            T: for<'b> TryFrom<&'b [u8]>,
            D: Deserializer<'de>,
        {
            let value = match deserializer.is_human_readable() {
                true => {
                    let bytes = hex::bytes(&String::deserialize(deserializer)?).collect::<Option<Vec<u8>>>();
                    bytes.and_then(|bytes| T::try_from(&bytes).ok())
                }
                false => T::try_from(<&[u8]>::deserialize(deserializer)?).ok(),
            };
            value.ok_or_else(|| D::Error::custom(INVALID))
        }
    }
}

mod purpose {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use token_core::Purpose;

    pub(super) fn serialize<S: Serializer>(purpose: &Purpose, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(purpose.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Purpose, D::Error> {
        let purpose = match deserializer.is_human_readable() {
            true => String::deserialize(deserializer)?.parse(),
            // Without a copy: every read of a record comes here.
            false => <&str>::deserialize(deserializer)?.parse(),
        };
        purpose.map_err(D::Error::custom)
    }
}

/// A stored claim.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Claim {
    uses_left: u64,
    /// Whether the use was reported again after it was granted.
    pub(crate) answered_again: bool,
    grant: [u8; 8],
    spent: Use,
}

impl Claim {
    pub(crate) fn new(held: Held, answered_again: bool) -> Self {
        let Held { uses_left, grant, spent } = held;
        Self { uses_left, answered_again, grant: grant.to_bytes(), spent }
    }

    /// Returns the use that the claim holds.
    pub(crate) fn held(self) -> Held {
        Held { uses_left: self.uses_left, grant: GrantId::from_bytes(self.grant), spent: self.spent }
    }
}

/// Decodes the record `id`, and what its store keeps with it, from the value under its key.
pub(crate) fn decode_record<'a, W: Deserialize<'a>>(
    key: &[u8],
    id: TokenId,
    value: &'a [u8],
) -> Result<(Record, W), StoreError> {
    #[derive(Deserialize)]
    struct V1<W>(#[serde(with = "RecordV1")] Record, W);
    let V1(record, with) = decode(key, value)?;
    Ok((Record { id, ..record }, with))
}

/// Encodes a record, and what its store keeps with it, for its key.
pub(crate) fn encode_record<W: Serialize>(
    key: &[u8],
    record: &Record,
    with: &W,
) -> Result<Vec<u8>, StoreError> {
    #[derive(Serialize)]
    struct V1<'a, W>(#[serde(with = "RecordV1")] &'a Record, &'a W);
    record.resource.iter().chain([&record.issuer]).try_for_each(check_entity)?;
    check_len(record.body.len(), Record::MAX_BODY_LEN)?;
    check_name(record.name.as_deref())?;
    check_metadata(&record.metadata)?;
    record.revocation.iter().try_for_each(check_revocation)?;
    encode(key, &V1(record, with))
}

impl Record {
    /// Encodes the record, for a store of your own. Every later version of this software can decode it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        encode_record(&record_key(&self.id), self, &())
    }

    /// Decodes the record `id` from the result of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bytes are damaged or are those of another record, [`StoreError::NewerVersion`].
    pub fn from_bytes(id: TokenId, bytes: &[u8]) -> Result<Self, StoreError> {
        decode_record(&record_key(&id), id, bytes).map(|(record, ())| record)
    }
}

impl Use {
    /// Encodes the use, for a store of your own. Every later version of this software can decode it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        self.consumer.iter().try_for_each(check_entity)?;
        encode(USE, self)
    }

    /// Decodes the use from the result of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bytes are damaged, [`StoreError::NewerVersion`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        decode(USE, bytes)
    }
}

impl Generation {
    /// Encodes the generation, for a store of your own. Every later version of this software can decode it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self, subject: &Entity) -> Result<Vec<u8>, StoreError> {
        #[derive(Serialize)]
        struct V1<'a>(#[serde(with = "GenerationV1")] &'a Generation);
        check_entity(subject)?;
        encode(&generation_key(subject), &V1(self))
    }

    /// Decodes the generation of a subject from the result of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bytes are damaged or are those of another subject, [`StoreError::NewerVersion`].
    pub fn from_bytes(subject: &Entity, bytes: &[u8]) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct V1(#[serde(with = "GenerationV1")] Generation);
        decode(&generation_key(subject), bytes).map(|V1(generation)| generation)
    }
}

impl Revocation {
    /// Encodes the revocation, for a store of your own. Every later version of this software can decode it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        check_revocation(self)?;
        encode(REVOCATION, self)
    }

    /// Decodes the revocation from the result of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bytes are damaged, [`StoreError::NewerVersion`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        decode(REVOCATION, bytes)
    }
}

/// The key of a record. It ends with 00, and each byte 00 of the id has ff after it. So the keys have the order of the
/// ids, and what follows an end can be told from the rest of an id.
pub(crate) fn record_key(id: &TokenId) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.as_bytes().len().saturating_add(3));
    key.push(RECORD);
    // Run by run: ids that hold a zero byte are rare.
    let mut runs = id.as_bytes().split(|byte| *byte == 0);
    key.extend_from_slice(runs.next().unwrap_or_default());
    for run in runs {
        key.extend_from_slice(&[0, 0xff]);
        key.extend_from_slice(run);
    }
    key.push(0);
    key
}

/// The key of the generation of a subject.
pub(crate) fn generation_key(subject: &Entity) -> Vec<u8> {
    [&[GENERATION], entity_bytes(subject).as_slice()].concat()
}

// The kind, with its length before it, and the id.
pub(crate) fn entity_bytes(entity: &Entity) -> Vec<u8> {
    let (kind, id) = (entity.kind.as_bytes(), entity.id.as_bytes());
    [part_len(kind).as_slice(), kind, id].concat()
}

/// Returns the beginning of the SHA-256 of an entity.
pub(crate) fn entity_hash(entity: &Entity) -> [u8; HASH_LEN] {
    let (kind, id) = (entity.kind.as_bytes(), entity.id.as_bytes());
    let mut hash = digest::Context::new(&digest::SHA256);
    [part_len(kind).as_slice(), kind, id].iter().for_each(|part| hash.update(part));
    beginning(&hash.finish())
}

fn beginning<const LEN: usize>(digest: &digest::Digest) -> [u8; LEN] {
    let mut beginning = [0; LEN];
    for (to, from) in beginning.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    beginning
}

/// Encodes the length of a part of a key. A part too long for this is too large to be stored, so that saturating cannot
/// make two stored keys equal.
pub(crate) fn part_len(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// Decodes the entity from the result of [`entity_key`](crate::kit::entity_key). Returns `None` for other bytes.
#[must_use]
pub fn entity_of(key: &[u8]) -> Option<Entity> {
    let (len, rest) = key.split_first_chunk::<4>()?;
    let (kind, id) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    Some(Entity { kind: kind_name(str::from_utf8(kind).ok()?), id: str::from_utf8(id).ok()?.to_owned() })
}

/// Returns whether a store keeps this entity. Call this before copying or looking up an entity of unbounded length.
pub(crate) fn is_stored(entity: &Entity) -> bool {
    entity_len(entity) <= MAX_ENTITY_LEN
}

/// The length of an entity, its kind and its id together, in bytes.
pub(crate) fn entity_len(entity: &Entity) -> usize {
    entity.kind.len().saturating_add(entity.id.len())
}

pub(crate) fn check_entity(entity: &Entity) -> Result<(), StoreError> {
    check_len(entity_len(entity), MAX_ENTITY_LEN)
}

/// Refuses a name that is too long.
pub(crate) fn check_name(name: Option<&str>) -> Result<(), StoreError> {
    check_len(name.map_or(0, str::len), Record::MAX_NAME_LEN)
}

/// Refuses a revocation whose parts are too long.
pub(crate) fn check_revocation(revocation: &Revocation) -> Result<(), StoreError> {
    revocation.by.iter().try_for_each(check_entity)?;
    check_len(revocation.reason.len(), Revocation::MAX_REASON_LEN)
}

/// Refuses metadata that is too long.
pub(crate) fn check_metadata(metadata: &[u8]) -> Result<(), StoreError> {
    check_len(metadata.len(), Record::MAX_METADATA_LEN)
}

const fn check_len(len: usize, max: usize) -> Result<(), StoreError> {
    if len > max { Err(StoreError::TooLarge { len, max }) } else { Ok(()) }
}

/// Returns a check over these parts, each with its length.
///
/// It detects damage. A change within eight aligned bytes of a part, such as a flipped bit, always changes the check, and
/// random data almost always. Some changes of a few bits in two neighboring words cancel, and anyone can make data of a
/// given check.
pub(crate) fn check(parts: &[&[u8]]) -> [u8; CHECK_LEN] {
    let sum = parts.iter().fold(0, |sum, part| {
        let (words, rest) = part.as_chunks::<8>();
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
        words.chain([len]).fold(sum, mix)
    });
    sum.to_be_bytes()
}

// A bijection of the sum for each word, and of the word for each sum: a difference in one word never vanishes.
const fn mix(sum: u64, word: u64) -> u64 {
    let product = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

/// Encodes a value for its key: a [`Claim`], a [`UnixTime`], or `()` for a note.
pub(crate) fn encode<V: Serialize>(key: &[u8], payload: &V) -> Result<Vec<u8>, StoreError> {
    // With a growing vector, postcard fails only on values of unknown length, and there are none.
    let mut value = Vec::with_capacity(TYPICAL_LEN);
    value.push(VERSION);
    let mut value = postcard::to_extend(payload, value)
        .map_err(|_| StoreError::Corrupt { what: "a value to be stored" })?;
    let check = check(&[key, &value]);
    value.extend_from_slice(&check);
    let too_large = |len, max| Err(StoreError::TooLarge { len, max });
    match (key.len(), key.len().saturating_add(value.len())) {
        (len, _) if len > MAX_KEY_LEN => too_large(len, MAX_KEY_LEN),
        (_, len) if len > MAX_LEN => too_large(len, MAX_LEN),
        _ => Ok(value),
    }
}

/// Decodes the value under `key`.
pub(crate) fn decode<'a, V: Deserialize<'a>>(key: &[u8], value: &'a [u8]) -> Result<V, StoreError> {
    let damaged = |what| StoreError::Corrupt { what };
    if value.len() > MAX_LEN {
        return Err(damaged("a value is longer than any that is stored"));
    }
    let (checked, found) = value.split_last_chunk::<CHECK_LEN>().ok_or(damaged("a value is cut short"))?;
    if check(&[key, checked]) != *found {
        return Err(damaged("a value does not match its checksum"));
    }
    let (&found, payload) = checked.split_first().ok_or(damaged("a value is cut short"))?;
    match found {
        VERSION => match postcard::take_from_bytes(payload) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(damaged("a value has bytes left over")),
            Err(_) => Err(damaged("a value cannot be read")),
        },
        0 => Err(damaged("a value of no version")),
        _ => Err(StoreError::NewerVersion { found: found.into(), known: VERSION.into() }),
    }
}

#[cfg(test)]
mod tests {
    use token_core::RootKey;

    use super::*;
    use crate::{KeyRing, Owner};

    #[test]
    fn a_sealed_key_of_another_length_is_refused() {
        let (keys, subject) = (KeyRing::generate().unwrap(), Entity::user("u1"));
        let owner = Owner::Generation { subject: &subject, number: 1 };
        let root_key = keys.seal(&RootKey::from_derived([7; 32]), owner).unwrap();
        let whole = Generation { number: 1, root_key }.to_bytes(&subject).unwrap();
        // The version, two numbers and the nonce; the length; the sealed key; the check.
        let (before, [len, sealed @ ..]) = whole[..whole.len() - CHECK_LEN].split_at(1 + 1 + 1 + 12) else {
            panic!()
        };
        assert_eq!((usize::from(*len), sealed.len()), (SealedKey::LEN, SealedKey::LEN));
        let read = |sealed: &[u8]| {
            let mut value = [before, &[u8::try_from(sealed.len()).unwrap()], sealed].concat();
            let check = check(&[&generation_key(&subject), &value]);
            value.extend(check);
            Generation::from_bytes(&subject, &value)
        };
        assert!(read(sealed).is_ok());
        for other in [&sealed[1..], &[sealed, &[0]].concat(), &[]] {
            assert!(matches!(read(other), Err(StoreError::Corrupt { .. })), "{}", other.len());
        }
    }

    #[test]
    fn damage_changes_a_check() {
        for len in 0..=40_u8 {
            let whole: Vec<u8> = (0..len).map(|at| at.wrapping_mul(37)).collect();
            let sound = check(&[b"key", &whole]);
            let refused = |key: &[u8], value: &[u8]| assert_ne!(check(&[key, value]), sound, "{value:?}");
            for (at, pattern) in
                (0..whole.len()).flat_map(|at| (1..=u8::MAX).map(move |pattern| (at, pattern)))
            {
                let mut damaged = whole.clone();
                damaged[at] ^= pattern;
                refused(b"key", &damaged);
            }
            for at in 0..whole.len() {
                refused(b"key", &whole[..at]);
                refused(b"key", &whole[at + 1..]);
                refused(&[b"key", &whole[..=at]].concat(), &whole[at + 1..]);
                let mut zeroed = whole.clone();
                zeroed[at..].fill(0);
                assert!(zeroed == whole || check(&[b"key", &zeroed]) != sound);
            }
            for zeros in 1..=16 {
                refused(b"key", &[&whole[..], &vec![0; zeros]].concat());
                refused(&[&b"key"[..], &vec![0; zeros]].concat(), &whole);
            }
            refused(b"kez", &whole);
        }
    }
}
