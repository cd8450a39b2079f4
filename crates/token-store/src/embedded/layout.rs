//! The layout of the one ordered key space that every embedded backend has.
//!
//! ```text
//! 00 "format"                          the version of the layout, u32 big-endian
//! 00 "commits"                         how many commits there were, u64 big-endian (in sled only)
//! 00 "newest"                          the newest creation time that was seen, to within ten minutes
//! 00 "revoked before"                  records created before this time are revoked
//! 00 "last event"                      the number of the next event, and the tag of the last
//! 01 id' 00                            a record
//! 01 id' 00 01 claim                   a claim on a record with a use limit
//! 03 bucket hash token                 index: the records about a resource
//! 04 bucket hash token                 index: the records of an issuer
//! 05 expiry token                      index: the records that expire
//! 06 len(kind) kind id                 the generation of a subject
//! 07 time number token                 index: the spent records by the time of their last use
//! 08 token                             a note that claims of a purged record are left
//! 09 len(kind) kind len(id) id len(name) name token   index: the records of an issuer by name
//! 0a number                            an event
//! ```
//!
//! In id', each byte 00 has ff after it, so that the keys have the order of the ids. A hash is the first 16 bytes of the
//! SHA-256 of an entity. Lengths, buckets and the numbers of spends are u32 and times are u64, big-endian, so that byte
//! order is the order of a listing. Every other part of variable length except the last has its length before it. So no
//! two keys with different parts are equal, and no key of one entity begins like those of another.
//!
//! An index entry has no value, since it counts only if its record has the same key for it.
//!
//! The first byte of a key names its space. redb keeps each space in a table of its own.
//!
//! # Near keys
//!
//! What a commit costs is the pages that it rewrites, so that keys written together should stand together. Four steps
//! lead there:
//!
//! 1. A claim stands beside its record, whose key is the beginning of the claim's.
//! 2. The index of spent records has the running number of the spend after the time. The value of the record keeps the
//!    number, by which the entry is found again.
//! 3. The entries of 1,024 inserts in the indexes by resource and issuer stand in one bucket, in which they are ordered by
//!    entity. The value of the record keeps the number of its bucket. A listing seeks its entity in each bucket, and so
//!    has the order of the buckets, and within each that of the ids.
//! 4. Ids begin with the time at which the authority drew them. Ids that a host draws at random work as well. Their
//!    records stand at random places: a store of 10^6 of them then took a third of the mints (11,000 to 13,000 a second
//!    instead of 34,000 to 47,000, by 64 callers).
//!
//! To find an entity with the hash of another takes some 2^128 tries. So a listing compares hashes, not entities.
//!
//! A store that is opened goes on to fill the last bucket that has entries. The number of a spend begins again at 0,
//! which is harmless: the time before it is another by then.

use token_core::UnixTime;

pub(crate) use crate::contract::codec::{
    GENERATION, RECORD, generation_key as generation, record_key as record,
};
use crate::{ClaimId, Entity, StoreError, TokenId, contract::codec};

/// The version of the layout. A change that older releases of this software would misread raises it.
pub(crate) const VERSION: u32 = 1;

// The first byte of a key names its space.
pub(crate) const META: u8 = 0;
pub(crate) const RESOURCE: u8 = 3;
pub(crate) const ISSUER: u8 = 4;
pub(crate) const EXPIRY: u8 = 5;
pub(crate) const SPENT: u8 = 7;
pub(crate) const LEFT: u8 = 8;
pub(crate) const NAME: u8 = 9;
pub(crate) const EVENT: u8 = 10;

/// The key of the version.
pub(crate) const FORMAT: &[u8] = b"\0format";

/// The key of the number of commits.
pub(crate) const COMMITS: &[u8] = b"\0commits";

/// The key of the time before which records are revoked.
pub(crate) const REVOKED_BEFORE: &[u8] = b"\0revoked before";

/// The key of the newest creation time.
pub(crate) const NEWEST: &[u8] = b"\0newest";

/// The key of the state of the log of events.
pub(crate) const LOG: &[u8] = b"\0last event";

/// The prefix of all records and claims.
pub(crate) const RECORDS: &[u8] = &[RECORD];

/// The prefix of the index entries by expiry.
pub(crate) const EXPIRIES: &[u8] = &[EXPIRY];

/// The prefix of all generations.
pub(crate) const GENERATIONS: &[u8] = &[GENERATION];

/// The prefix of all notes that claims of a purged record are left.
pub(crate) const ALL_LEFT: &[u8] = &[LEFT];

/// The prefix of all events.
pub(crate) const EVENTS: &[u8] = &[EVENT];

/// Returns the token that the key of a record names.
pub(crate) fn record_of(key: &[u8]) -> Option<TokenId> {
    let (id, rest) = record_part(key)?;
    rest.is_empty().then_some(id)
}

/// Returns the token of the key of a record or a claim.
pub(crate) fn token_of(key: &[u8]) -> Option<TokenId> {
    record_part(key).map(|(id, _)| id)
}

// Splits the key of a record or a claim after the part of the record.
fn record_part(key: &[u8]) -> Option<(TokenId, &[u8])> {
    let mut rest = key.strip_prefix(RECORDS)?;
    let mut id = Vec::with_capacity(rest.len());
    loop {
        let (part, end) = rest.split_at_checked(rest.iter().position(|byte| *byte == 0)?)?;
        id.extend_from_slice(part);
        match end {
            [0, 0xff, more @ ..] => {
                id.push(0);
                rest = more;
            }
            [_, end @ ..] => return Some((TokenId::new(id).ok()?, end)),
            [] => return None,
        }
    }
}

/// The key of a claim.
pub(crate) fn claim(id: &TokenId, claim: &ClaimId) -> Vec<u8> {
    let mut key = claims(id);
    key.extend_from_slice(claim.as_bytes());
    key
}

/// Checks that this software can read the version that an engine holds.
pub(crate) fn require_format(value: Option<&[u8]>) -> Result<(), StoreError> {
    let value = value.ok_or(StoreError::Corrupt { what: "the version of the layout is gone" })?;
    match value.try_into().map(u32::from_be_bytes) {
        Ok(VERSION) => Ok(()),
        Ok(found) if found > VERSION => Err(StoreError::NewerVersion { found, known: VERSION }),
        _ => Err(StoreError::Corrupt { what: "the version of the layout" }),
    }
}

/// The prefix of the claims on a record.
pub(crate) fn claims(id: &TokenId) -> Vec<u8> {
    let mut prefix = record(id);
    prefix.push(1);
    prefix
}

/// Returns the token and the claim that the key of a claim names.
pub(crate) fn claim_of(key: &[u8]) -> Option<(TokenId, ClaimId)> {
    match record_part(key)? {
        (id, [1, claim @ ..]) => Some((id, ClaimId::new(claim).ok()?)),
        _ => None,
    }
}

/// The prefix of the index entries of a resource in a bucket.
pub(crate) fn resource(bucket: u32, entity: &Entity) -> Vec<u8> {
    key(RESOURCE, &[&bucket.to_be_bytes(), &codec::entity_hash(entity)])
}

/// The prefix of the index entries of an issuer in a bucket.
pub(crate) fn issuer(bucket: u32, entity: &Entity) -> Vec<u8> {
    key(ISSUER, &[&bucket.to_be_bytes(), &codec::entity_hash(entity)])
}

/// The prefix of all entries of an index in a bucket.
pub(crate) fn bucket(index: u8, bucket: u32) -> Vec<u8> {
    key(index, &[&bucket.to_be_bytes()])
}

/// Splits the key of an entry of an index with buckets into its bucket and the rest.
pub(crate) fn split_bucket(key: &[u8]) -> Option<(u32, &[u8])> {
    let (bucket, rest) = key.get(1..)?.split_first_chunk()?;
    Some((u32::from_be_bytes(*bucket), rest))
}

/// The prefix of the index entry of an issuer's record of this name.
pub(crate) fn name(issuer: &Entity, name: &str) -> Vec<u8> {
    let mut key = of_entity(NAME, issuer);
    key.extend_from_slice(&codec::part_len(name.as_bytes()));
    key.extend_from_slice(name.as_bytes());
    key
}

/// Returns the prefix of the index entry of a name.
pub(crate) fn name_prefix(entry: &[u8]) -> Option<&[u8]> {
    let (_, rest) = part(entry.get(1..)?)?;
    let (_, rest) = part(rest)?;
    let (_, id) = part(rest)?;
    entry.strip_suffix(id)
}

/// Returns the number of the event that the key of an event names.
pub(crate) fn event_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(EVENTS)?.try_into().ok()?))
}

/// The key of an event.
pub(crate) fn event(number: u64) -> Vec<u8> {
    key(EVENT, &[&number.to_be_bytes()])
}

/// The prefix of the index entries of one expiry.
pub(crate) fn expiry(at: UnixTime) -> Vec<u8> {
    key(EXPIRY, &[&at.as_secs().to_be_bytes()])
}

/// Returns the subject that the key of a generation names.
pub(crate) fn subject_of(key: &[u8]) -> Option<Entity> {
    codec::entity_of(key.strip_prefix(&[GENERATION])?)
}

/// The prefix of the index entries of the records whose last use was spent at this time.
pub(crate) fn spent(at: UnixTime) -> Vec<u8> {
    key(SPENT, &[&at.as_secs().to_be_bytes()])
}

/// The key that notes claims left of a purged record.
pub(crate) fn left(id: &TokenId) -> Vec<u8> {
    key(LEFT, &[id.as_bytes()])
}

/// The key of the index entry of a spent record.
pub(crate) fn spent_entry(at: UnixTime, number: u32, id: &TokenId) -> Vec<u8> {
    key(SPENT, &[&at.as_secs().to_be_bytes(), &number.to_be_bytes(), id.as_bytes()])
}

/// The kind of entry under a key.
pub(crate) enum Entry {
    /// A number about the whole store.
    Meta,
    /// A record.
    Record(TokenId),
    /// A claim on a record.
    Claim(TokenId),
    /// An index entry of a record.
    Index(TokenId),
    /// A note that claims are left of a purged record.
    Left(TokenId),
    /// The generation of a subject.
    Generation(Entity),
    /// An event.
    Event,
}

/// Returns the kind of entry under a key; `None` if no version of the layout has such a key.
pub(crate) fn entry_of(key: &[u8]) -> Option<Entry> {
    let (space, rest) = key.split_first()?;
    let id = |bytes: &[u8]| TokenId::new(bytes).ok();
    match *space {
        META => [FORMAT, COMMITS, REVOKED_BEFORE, NEWEST, LOG].contains(&key).then_some(Entry::Meta),
        RECORD => match claim_of(key) {
            Some((id, _)) => Some(Entry::Claim(id)),
            None => record_of(key).map(Entry::Record),
        },
        RESOURCE | ISSUER => {
            let (_, rest) = split_bucket(key)?;
            id(rest.get(codec::HASH_LEN..)?).map(Entry::Index)
        }
        NAME => {
            let (_, rest) = part(rest)?;
            let (_, rest) = part(rest)?;
            id(part(rest)?.1).map(Entry::Index)
        }
        EVENT => event_of(key).map(|_| Entry::Event),
        EXPIRY => id(rest.get(size_of::<u64>()..)?).map(Entry::Index),
        SPENT => id(rest.get(size_of::<u64>()..)?.get(size_of::<u32>()..)?).map(Entry::Index),
        GENERATION => subject_of(key).map(Entry::Generation),
        LEFT => id(rest).map(Entry::Left),
        _ => None,
    }
}

/// Returns the key of a token's index entry under a prefix.
pub(crate) fn entry(mut prefix: Vec<u8>, id: &TokenId) -> Vec<u8> {
    prefix.extend_from_slice(id.as_bytes());
    prefix
}

/// Returns the token that a key ends with.
pub(crate) fn token(key: &[u8], prefix_len: usize) -> Result<TokenId, StoreError> {
    key.get(prefix_len..)
        .and_then(|id| TokenId::new(id).ok())
        .ok_or(StoreError::Corrupt { what: "a key holds no token id" })
}

/// Returns the first key after all that begin with `prefix`; an empty one, before which there is none, if there is none.
pub(crate) fn after_all(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

/// Returns the first key after this one.
pub(crate) fn next(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

// Splits a part off that has its length before it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

fn of_entity(space: u8, entity: &Entity) -> Vec<u8> {
    let (kind, id) = (entity.kind.as_bytes(), entity.id.as_bytes());
    key(space, &[&codec::part_len(kind), kind, &codec::part_len(id), id])
}

fn key(space: u8, parts: &[&[u8]]) -> Vec<u8> {
    // Room for a token's id behind a prefix.
    const ID: usize = 48;
    let len = parts.iter().fold(ID, |len: usize, part| len.saturating_add(part.len()));
    let mut key = Vec::with_capacity(len);
    key.push(space);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(kind: &str, id: &str) -> Entity {
        Entity { kind: kind.to_owned().into(), id: id.into() }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(resource(0, &entity("ab", "c")), resource(0, &entity("a", "bc")));
        assert_ne!(name(&entity("ab", "c"), ""), name(&entity("a", "bc"), ""));
        assert_ne!(generation(&entity("ab", "c")), generation(&entity("a", "bc")));
        let (a, ab) = (TokenId::new(*b"a").unwrap(), TokenId::new(*b"ab").unwrap());
        let (c, bc) = (ClaimId::new(*b"c").unwrap(), ClaimId::new(*b"bc").unwrap());
        assert_ne!(claim(&ab, &c), claim(&a, &bc));
        assert!(!claims(&ab).starts_with(&claims(&a)));
        assert!(!claims(&ab).starts_with(&record(&a)));
        assert!(!name(&entity("a", "bc"), "").starts_with(&of_entity(NAME, &entity("a", "b"))));
    }

    #[test]
    fn records_are_in_the_order_of_their_ids_each_before_its_claims() {
        let bytes = [0, 1, b'a', 0xfe, 0xff];
        let ones = bytes.iter().map(|a| vec![*a]);
        let twos = bytes.iter().flat_map(|a| bytes.map(|b| vec![*a, b]));
        let threes =
            bytes.iter().flat_map(|a| bytes.iter().flat_map(move |b| bytes.map(|c| vec![*a, *b, c])));
        let mut all: Vec<Vec<u8>> = ones.chain(twos).chain(threes).collect();
        all.sort();
        let claimed: Vec<ClaimId> = all.iter().map(|claim| ClaimId::new(claim.clone()).unwrap()).collect();
        let mut keys = Vec::new();
        for id in &all {
            let id = TokenId::new(id.clone()).unwrap();
            keys.push(record(&id));
            assert_eq!((record_of(&record(&id)), claim_of(&record(&id))), (Some(id.clone()), None));
            for by in &claimed {
                let key = claim(&id, by);
                assert_eq!((record_of(&key), claim_of(&key)), (None, Some((id.clone(), by.clone()))));
                keys.push(key);
            }
        }
        assert!(keys.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_key_that_no_id_has_is_refused() {
        for key in
            [&[1][..], &[1, 0], &[1, b'a'], &[1, b'a', 0, 1], &[1, b'a', 0, 2, b'c'], &[1, b'a', 0, 0xff]]
        {
            assert!(entry_of(key).is_none(), "{key:?}");
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_key_that_lacks_it() {
        assert_eq!(after_all(&[1, 2]), [1, 3]);
        assert_eq!(after_all(&[1, 0xff, 0xff]), [2]);
        assert!(after_all(&[0xff]).is_empty());
    }
}
