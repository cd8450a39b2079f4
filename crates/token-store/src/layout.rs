//! Where everything stands in the one ordered key space that every embedded backend has.
//!
//! ```text
//! 00 "format"                          the version of the layout, u32 big-endian
//! 00 "commits"                         how many commits there were, u64 big-endian (in sled only)
//! 00 "newest"                          the newest time of creation that was seen, to within ten minutes
//! 00 "void"                            before when everything created is void
//! 01 id                                a record
//! 02 len(id) id claim                  a claim on a record with a use limit
//! 03 len(kind) kind len(id) id token   index: the records about a resource
//! 04 len(kind) kind len(id) id token   index: the records of an issuer
//! 05 expiry token                      index: the records that expire
//! 06 len(kind) kind id                 the generation of a subject
//! 07 token                             when a purge first found a spent record
//! 08 time token                        index: the spent records by that time, 0 until then
//! 09 token                             that claims are left of a record that was purged
//! ```
//!
//! Lengths are u32 and times are u64, big-endian, so that byte order is the order of a listing. All that
//! varies in length but the last part is preceded by its length: no two keys of different parts are equal, and
//! no key of one entity begins like those of another.

use token_core::UnixTime;

use crate::{ClaimId, Entity, StoreError, TokenId, codec};

/// The version of the layout. A change that this software's older releases would misread raises it. Version 1 had no
/// index of spent records; version 2 sealed root keys for ids alone, and noted no claims that were left.
pub(crate) const VERSION: u32 = 3;

const META: u8 = 0;
const RECORD: u8 = 1;
const CLAIM: u8 = 2;
const RESOURCE: u8 = 3;
const ISSUER: u8 = 4;
const EXPIRY: u8 = 5;
const GENERATION: u8 = 6;
const SEEN: u8 = 7;
const SPENT: u8 = 8;
const LEFT: u8 = 9;

/// Where the version stands.
pub(crate) fn format() -> Vec<u8> {
    key(META, &[b"format"])
}

/// Where the number of commits stands.
#[cfg(feature = "sled")]
pub(crate) fn commits() -> Vec<u8> {
    key(META, &[b"commits"])
}

/// Where it stands before when everything created is void.
pub(crate) fn void() -> Vec<u8> {
    key(META, &[b"void"])
}

/// Where the newest time of creation stands.
pub(crate) fn newest() -> Vec<u8> {
    key(META, &[b"newest"])
}

/// Where a record stands.
pub(crate) fn record(id: &TokenId) -> Vec<u8> {
    key(RECORD, &[id.as_bytes()])
}

/// Where a claim stands.
pub(crate) fn claim(id: &TokenId, claim: &ClaimId) -> Vec<u8> {
    let mut key = claims(id);
    key.extend_from_slice(claim.as_bytes());
    key
}

/// Whether the version that an engine holds can be read.
pub(crate) fn check_format(value: &[u8]) -> Result<(), StoreError> {
    match value.try_into().map(u32::from_be_bytes) {
        Ok(VERSION) => Ok(()),
        Ok(found @ 1..VERSION) => Err(StoreError::OlderVersion { found, known: VERSION }),
        Ok(found) if found > VERSION => Err(StoreError::NewerVersion { found, known: VERSION }),
        _ => Err(StoreError::Corrupt { what: "the version of the layout" }),
    }
}

/// What the claims on a record begin with.
pub(crate) fn claims(id: &TokenId) -> Vec<u8> {
    key(CLAIM, &[&len(id.as_bytes()), id.as_bytes()])
}

/// What all claims begin with.
pub(crate) fn all_claims() -> Vec<u8> {
    vec![CLAIM]
}

/// The token and the claim that the key of a claim names.
pub(crate) fn claim_of(key: &[u8]) -> Option<(TokenId, ClaimId)> {
    let (len, rest) = key.strip_prefix(&[CLAIM])?.split_first_chunk::<4>()?;
    let (id, claim) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    Some((TokenId::new(id).ok()?, ClaimId::new(claim).ok()?))
}

/// What all records begin with.
pub(crate) fn records() -> Vec<u8> {
    vec![RECORD]
}

/// What the index entries of a resource begin with.
pub(crate) fn resource(entity: &Entity) -> Vec<u8> {
    of_entity(RESOURCE, entity)
}

/// What the index entries of an issuer begin with.
pub(crate) fn issuer(entity: &Entity) -> Vec<u8> {
    of_entity(ISSUER, entity)
}

/// What the index entries by expiry begin with.
pub(crate) fn expiries() -> Vec<u8> {
    vec![EXPIRY]
}

/// What the index entries of one expiry begin with.
pub(crate) fn expiry(at: UnixTime) -> Vec<u8> {
    key(EXPIRY, &[&at.as_secs().to_be_bytes()])
}

/// Where the generation of a subject stands.
pub(crate) fn generation(subject: &Entity) -> Vec<u8> {
    key(GENERATION, &[&len(subject.kind.as_bytes()), subject.kind.as_bytes(), subject.id.as_bytes()])
}

/// Whether a store keeps a generation of this subject: it keeps none whose key is too long. To be asked before a
/// subject of any length is copied or looked up.
pub(crate) fn may_have_generation(subject: &Entity) -> bool {
    const BEFORE: usize = 5; // the space, and the length of the kind
    let parts = subject.kind.len().saturating_add(subject.id.len());
    parts.saturating_add(BEFORE) <= codec::MAX_KEY_LEN
}

/// What all generations begin with.
pub(crate) fn generations() -> Vec<u8> {
    vec![GENERATION]
}

/// The subject whose generation stands under a key.
pub(crate) fn subject_of(key: &[u8]) -> Option<Entity> {
    let (len, rest) = key.strip_prefix(&[GENERATION])?.split_first_chunk::<4>()?;
    let (kind, id) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let text = |bytes: &[u8]| str::from_utf8(bytes).ok().map(str::to_owned);
    Some(Entity { kind: text(kind)?, id: text(id)? })
}

/// Where it stands when a purge first found a spent record.
pub(crate) fn seen(id: &TokenId) -> Vec<u8> {
    key(SEEN, &[id.as_bytes()])
}

/// What the index entries of the spent records begin with that a purge first found at this time; 0 for those that
/// none has found.
pub(crate) fn spent(seen: UnixTime) -> Vec<u8> {
    key(SPENT, &[&seen.as_secs().to_be_bytes()])
}

/// Where it stands that claims are left of a record that was purged.
pub(crate) fn left(id: &TokenId) -> Vec<u8> {
    key(LEFT, &[id.as_bytes()])
}

/// What all of those begin with.
pub(crate) fn all_left() -> Vec<u8> {
    vec![LEFT]
}

/// What stands under a key.
pub(crate) enum Entry {
    /// A number about all of the store.
    Meta,
    /// A record.
    Record(TokenId),
    /// A claim on a record.
    Claim(TokenId),
    /// An index entry of a record.
    Index(TokenId),
    /// When a purge first found a spent record.
    Seen(TokenId),
    /// That claims are left of a record that was purged.
    Left(TokenId),
    /// The generation of a subject.
    Generation(Entity),
}

/// What stands under a key; `None` where no version of the layout has such a key.
pub(crate) fn entry_of(key: &[u8]) -> Option<Entry> {
    let (space, rest) = key.split_first()?;
    let id = |bytes: &[u8]| TokenId::new(bytes).ok();
    match *space {
        META => {
            let known = [format(), newest(), void(), b"\0commits".to_vec()];
            known.contains(&key.to_vec()).then_some(Entry::Meta)
        }
        RECORD => id(rest).map(Entry::Record),
        CLAIM => claim_of(key).map(|(id, _)| Entry::Claim(id)),
        RESOURCE | ISSUER => {
            let part = |bytes: &'_ [u8]| -> Option<Vec<u8>> {
                let (len, rest) = bytes.split_first_chunk::<4>()?;
                rest.get(usize::try_from(u32::from_be_bytes(*len)).ok()?..).map(<[u8]>::to_vec)
            };
            id(&part(&part(rest)?)?).map(Entry::Index)
        }
        EXPIRY | SPENT => id(rest.get(size_of::<u64>()..)?).map(Entry::Index),
        GENERATION => subject_of(key).map(Entry::Generation),
        SEEN => id(rest).map(Entry::Seen),
        LEFT => id(rest).map(Entry::Left),
        _ => None,
    }
}

/// The key of the index entry of a token.
pub(crate) fn entry(mut prefix: Vec<u8>, id: &TokenId) -> Vec<u8> {
    prefix.extend_from_slice(id.as_bytes());
    prefix
}

/// The token that a key ends with.
pub(crate) fn token(key: &[u8], prefix_len: usize) -> Result<TokenId, StoreError> {
    key.get(prefix_len..)
        .and_then(|id| TokenId::new(id).ok())
        .ok_or(StoreError::Corrupt { what: "a key holds no token id" })
}

/// The first key after all that begin with `prefix`; `None` where there is none.
pub(crate) fn after_all(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}

/// The first key after this one.
pub(crate) fn next(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

fn of_entity(space: u8, entity: &Entity) -> Vec<u8> {
    let (kind, id) = (entity.kind.as_bytes(), entity.id.as_bytes());
    key(space, &[&len(kind), kind, &len(id), id])
}

fn key(space: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().fold(1, |len: usize, part| len.saturating_add(part.len()));
    let mut key = Vec::with_capacity(len);
    key.push(space);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

// Parts too long for this belong to records that are too large to be kept; saturating cannot make two of the
// kept ones equal.
fn len(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(kind: &str, id: &str) -> Entity {
        Entity { kind: kind.into(), id: id.into() }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(resource(&entity("ab", "c")), resource(&entity("a", "bc")));
        assert_ne!(generation(&entity("ab", "c")), generation(&entity("a", "bc")));
        let (a, ab) = (TokenId::new(*b"a").unwrap(), TokenId::new(*b"ab").unwrap());
        let (c, bc) = (ClaimId::new(*b"c").unwrap(), ClaimId::new(*b"bc").unwrap());
        assert_ne!(claim(&ab, &c), claim(&a, &bc));
        assert!(!claims(&ab).starts_with(&claims(&a)));
        assert!(!resource(&entity("a", "bc")).starts_with(&resource(&entity("a", "b"))));
    }

    #[test]
    fn a_subject_that_is_too_long_is_known_by_its_length() {
        for len in [codec::MAX_KEY_LEN - 10, codec::MAX_KEY_LEN - 9, codec::MAX_KEY_LEN - 8] {
            let subject = entity("user", &"x".repeat(len));
            assert_eq!(may_have_generation(&subject), generation(&subject).len() <= codec::MAX_KEY_LEN);
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_key_that_lacks_it() {
        assert_eq!(after_all(vec![1, 2]), Some(vec![1, 3]));
        assert_eq!(after_all(vec![1, 0xff, 0xff]), Some(vec![2]));
        assert_eq!(after_all(vec![0xff]), None);
    }
}
