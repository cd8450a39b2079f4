//! The encoding of stored values: readable for ever, and never misread.
//!
//! ```text
//! version: 1 byte    payload: postcard    check: 8 bytes
//! ```
//!
//! The check is the beginning of a SHA-256 over the key and the value. It detects a damaged value, and one under the
//! wrong key; an engine's own checksums do not cover every read. It does not stop an attacker who can write; the seal
//! of the root key does.
//!
//! Each version has structs of its own, which never change once released; the public types may. They borrow from the
//! value and from the data to encode.

use std::num::NonZeroU64;

use ring::digest;
use serde::{Deserialize, Serialize};
use token_core::UnixTime;

use crate::{Entity, Generation, GrantId, Held, Record, SealedKey, StoreError, TokenId};

/// The greatest length of a key and its value together, in bytes. A mint writes some 300. These limits are those of the
/// narrowest engine (see `engine::sled`) and hold for all, so that every store accepts the same records.
pub(crate) const MAX_LEN: usize = 24 * 1024;

/// The greatest length of an entity, its kind and its id together, in bytes.
const MAX_ENTITY_LEN: usize = 1024;

/// The greatest length of a key, in bytes: an entity, the longest token id, and what the layout adds.
pub(crate) const MAX_KEY_LEN: usize = MAX_ENTITY_LEN + TokenId::MAX_LEN + 16;

/// The length of a check, in bytes.
pub(super) const CHECK_LEN: usize = 8;

/// The first byte of the key of a record.
pub(crate) const RECORD: u8 = 1;

/// The first byte of the key of a generation.
pub(crate) const GENERATION: u8 = 6;

/// The version of every value.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct RecordV1<'a> {
    purpose: &'a str,
    #[serde(borrow)]
    resource: Option<EntityV1<'a>>,
    #[serde(borrow)]
    issuer: EntityV1<'a>,
    #[serde(borrow)]
    root_key: SealedKeyV1<'a>,
    created: u64,
    expires: Option<u64>,
    use_limit: Option<NonZeroU64>,
    uses: u64,
    last_use: Option<u64>,
    revoked: bool,
    name: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct EntityV1<'a> {
    kind: &'a str,
    id: &'a str,
}

#[derive(Serialize, Deserialize)]
struct SealedKeyV1<'a> {
    key_id: u32,
    nonce: [u8; 12],
    ciphertext: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct GenerationV1<'a> {
    number: u64,
    #[serde(borrow)]
    root_key: SealedKeyV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct ClaimV1 {
    uses_left: u64,
    answered_again: bool,
    grant: [u8; 8],
}

#[derive(Serialize, Deserialize)]
struct TimeV1 {
    secs: u64,
}

#[derive(Serialize, Deserialize)]
struct IndexV1;

/// A stored claim.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    /// The use that it holds.
    pub(crate) held: Held,
    /// Whether the use was reported again after that.
    pub(crate) answered_again: bool,
}

/// Encodes a record for its key.
pub(crate) fn encode_record(key: &[u8], record: &Record) -> Result<Vec<u8>, StoreError> {
    record.resource.iter().chain([&record.issuer]).try_for_each(check_entity)?;
    encode(
        key,
        &RecordV1 {
            purpose: record.purpose.as_str(),
            resource: record.resource.as_ref().map(Into::into),
            issuer: (&record.issuer).into(),
            root_key: (&record.root_key).into(),
            created: record.created.as_secs(),
            expires: record.expires.map(UnixTime::as_secs),
            use_limit: record.use_limit,
            uses: record.uses,
            last_use: record.last_use.map(UnixTime::as_secs),
            revoked: record.revoked,
            name: record.name.as_deref(),
        },
    )
}

/// Decodes the record `id` from the value under `key`.
pub(crate) fn decode_record(key: &[u8], id: TokenId, value: &[u8]) -> Result<Record, StoreError> {
    let RecordV1 {
        purpose,
        resource,
        issuer,
        root_key,
        created,
        expires,
        use_limit,
        uses,
        last_use,
        revoked,
        name,
    } = decode(key, value)?;
    Ok(Record {
        id,
        purpose: purpose.parse().map_err(|_| StoreError::Corrupt { what: "the purpose of a record" })?,
        resource: resource.map(Into::into),
        issuer: issuer.into(),
        root_key: root_key.into(),
        created: UnixTime::from_secs(created),
        expires: expires.map(UnixTime::from_secs),
        use_limit,
        uses,
        last_use: last_use.map(UnixTime::from_secs),
        revoked,
        name: name.map(str::to_owned),
    })
}

/// Encodes a generation for its key.
pub(crate) fn encode_generation(key: &[u8], generation: &Generation) -> Result<Vec<u8>, StoreError> {
    encode(key, &GenerationV1 { number: generation.number, root_key: (&generation.root_key).into() })
}

/// Decodes the generation from the value under `key`.
pub(crate) fn decode_generation(key: &[u8], value: &[u8]) -> Result<Generation, StoreError> {
    let GenerationV1 { number, root_key } = decode(key, value)?;
    Ok(Generation { number, root_key: root_key.into() })
}

/// Encodes a claim for its key.
pub(crate) fn encode_claim(key: &[u8], claim: Claim) -> Result<Vec<u8>, StoreError> {
    let Claim { held: Held { uses_left, grant }, answered_again } = claim;
    encode(key, &ClaimV1 { uses_left, answered_again, grant: grant.to_bytes() })
}

/// Decodes the claim from the value under `key`.
pub(crate) fn decode_claim(key: &[u8], value: &[u8]) -> Result<Claim, StoreError> {
    let ClaimV1 { uses_left, answered_again, grant } = decode(key, value)?;
    Ok(Claim { held: Held { uses_left, grant: GrantId::from_bytes(grant) }, answered_again })
}

/// Encodes a time for its key.
pub(crate) fn encode_time(key: &[u8], time: UnixTime) -> Result<Vec<u8>, StoreError> {
    encode(key, &TimeV1 { secs: time.as_secs() })
}

/// Decodes the time from the value under `key`.
pub(crate) fn decode_time(key: &[u8], value: &[u8]) -> Result<UnixTime, StoreError> {
    decode(key, value).map(|TimeV1 { secs }| UnixTime::from_secs(secs))
}

/// Encodes an index entry for its key: nothing but the check of that key.
pub(crate) fn encode_index(key: &[u8]) -> Result<Vec<u8>, StoreError> {
    encode(key, &IndexV1)
}

/// Checks the index entry under `key`.
pub(crate) fn decode_index(key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    decode(key, value).map(|IndexV1| ())
}

impl Record {
    /// Encodes the record, for a store of your own. Every later version of this software can decode it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        encode_record(&record_key(&self.id), self)
    }

    /// Decodes the record `id` from the result of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bytes are damaged or are those of another record, [`StoreError::NewerVersion`].
    pub fn from_bytes(id: TokenId, bytes: &[u8]) -> Result<Self, StoreError> {
        decode_record(&record_key(&id), id, bytes)
    }
}

impl Generation {
    /// Encodes the generation, for a store of your own. Every later version of this software can decode it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn to_bytes(&self, subject: &Entity) -> Result<Vec<u8>, StoreError> {
        check_entity(subject)?;
        encode_generation(&generation_key(subject), self)
    }

    /// Decodes the generation of a subject from the result of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the bytes are damaged or are those of another subject, [`StoreError::NewerVersion`].
    pub fn from_bytes(subject: &Entity, bytes: &[u8]) -> Result<Self, StoreError> {
        decode_generation(&generation_key(subject), bytes)
    }
}

/// The key of a record.
pub(crate) fn record_key(id: &TokenId) -> Vec<u8> {
    [&[RECORD], id.as_bytes()].concat()
}

/// The key of the generation of a subject.
pub(crate) fn generation_key(subject: &Entity) -> Vec<u8> {
    [&[GENERATION], entity_bytes(subject).as_slice()].concat()
}

// The kind, with its length before it, and the id.
pub(crate) fn entity_bytes(entity: &Entity) -> Vec<u8> {
    let (kind, id) = (entity.kind.as_bytes(), entity.id.as_bytes());
    // A part too long for its length belongs to an entity that is too large to be stored.
    let len = u32::try_from(kind.len()).unwrap_or(u32::MAX).to_be_bytes();
    [len.as_slice(), kind, id].concat()
}

/// Returns the entity that [`entity_bytes`] encoded.
pub(crate) fn entity_of(bytes: &[u8]) -> Option<Entity> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, id) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let text = |bytes: &[u8]| str::from_utf8(bytes).ok().map(str::to_owned);
    Some(Entity { kind: text(kind)?, id: text(id)? })
}

/// Returns whether a store keeps this entity. Call this before copying or looking up an entity of unbounded length.
pub(crate) fn is_stored(entity: &Entity) -> bool {
    entity_len(entity) <= MAX_ENTITY_LEN
}

fn entity_len(entity: &Entity) -> usize {
    entity.kind.len().saturating_add(entity.id.len())
}

fn check_entity(entity: &Entity) -> Result<(), StoreError> {
    match entity_len(entity) {
        len if len > MAX_ENTITY_LEN => Err(StoreError::TooLarge { len, max: MAX_ENTITY_LEN }),
        _ => Ok(()),
    }
}

/// Returns the first 8 bytes of the SHA-256 of these parts, each with its length.
pub(crate) fn check(parts: &[&[u8]]) -> [u8; CHECK_LEN] {
    // Hashed in one piece, which is less work than piece by piece.
    let len = parts
        .iter()
        .fold(0, |len: usize, part| len.saturating_add(size_of::<u64>()).saturating_add(part.len()));
    let mut message = Vec::with_capacity(len);
    for part in parts {
        message.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        message.extend_from_slice(part);
    }
    let digest = digest::digest(&digest::SHA256, &message);
    let mut check = [0; CHECK_LEN];
    for (to, from) in check.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    check
}

fn encode<V: Serialize>(key: &[u8], payload: &V) -> Result<Vec<u8>, StoreError> {
    // With a growing vector, postcard fails only on values of unknown length, and there are none.
    let mut value = postcard::to_extend(payload, vec![VERSION])
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

fn decode<'a, V: Deserialize<'a>>(key: &[u8], value: &'a [u8]) -> Result<V, StoreError> {
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

impl<'a> From<&'a Entity> for EntityV1<'a> {
    fn from(Entity { kind, id }: &'a Entity) -> Self {
        Self { kind, id }
    }
}

impl From<EntityV1<'_>> for Entity {
    fn from(EntityV1 { kind, id }: EntityV1<'_>) -> Self {
        Self { kind: kind.to_owned(), id: id.to_owned() }
    }
}

impl<'a> From<&'a SealedKey> for SealedKeyV1<'a> {
    fn from(SealedKey { key_id, nonce, ciphertext }: &'a SealedKey) -> Self {
        Self { key_id: *key_id, nonce: *nonce, ciphertext }
    }
}

impl From<SealedKeyV1<'_>> for SealedKey {
    fn from(SealedKeyV1 { key_id, nonce, ciphertext }: SealedKeyV1<'_>) -> Self {
        Self { key_id, nonce, ciphertext: ciphertext.to_vec() }
    }
}
