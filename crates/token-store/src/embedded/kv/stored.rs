//! A record as an engine stores it, with the numbers by which its index entries are found.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use token_core::UnixTime;

use crate::{
    Record, StoreError, TokenId,
    contract::codec,
    embedded::engine::{Batch, Pair, View},
    embedded::layout,
    embedded::listing::Listing,
};

/// A record and its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) numbers: Numbers,
}

/// The numbers of a record in the keys of its index entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    /// The bucket of the entries by resource and issuer.
    pub(super) bucket: u32,
    /// Orders the records that were spent in the same second. 0 for a record that was spent when it was put.
    pub(super) spent: u32,
}

impl Deref for Stored {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl DerefMut for Stored {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

impl Stored {
    /// Decodes the record `id` from the value under its key.
    pub(super) fn decode(key: &[u8], id: TokenId, value: &[u8]) -> Result<Self, StoreError> {
        let (record, numbers) = codec::decode_record(key, id, value)?;
        Ok(Self { record, numbers })
    }

    /// Encodes the record and its numbers, for its key.
    pub(super) fn to_bytes(&self, key: &[u8]) -> Result<Vec<u8>, StoreError> {
        codec::encode_record(key, &self.record, &self.numbers)
    }

    /// Returns the keys of all its index entries.
    pub(super) fn index_entries(&self) -> impl Iterator<Item = Vec<u8>> {
        self.numbers.index_entries(&self.record)
    }

    /// Returns the index key of a spent record.
    pub(super) fn spent_entry(&self) -> Option<Vec<u8>> {
        self.numbers.spent_entry(&self.record)
    }
}

impl Numbers {
    fn index_entries(self, record: &Record) -> impl Iterator<Item = Vec<u8>> {
        let prefixes = [
            record.resource.as_ref().map(|resource| layout::resource(self.bucket, resource)),
            Some(layout::issuer(self.bucket, &record.issuer)),
            record.expires.map(layout::expiry),
        ];
        let entries = prefixes.into_iter().flatten().map(|prefix| layout::entry(prefix, &record.id));
        entries.chain(self.spent_entry(record)).chain(name_entry(record))
    }

    fn spent_entry(self, record: &Record) -> Option<Vec<u8>> {
        Some(layout::spent_entry(record.spent_at()?, self.spent, &record.id))
    }
}

/// Returns the index key of a record's name.
pub(super) fn name_entry(record: &Record) -> Option<Vec<u8>> {
    let prefix = layout::name(&record.issuer, record.name.as_deref()?);
    Some(layout::entry(prefix, &record.id))
}

/// A record that is not stored yet, encoded with its index entries.
pub(super) struct New {
    pub(super) record: Pair,
    pub(super) index: Batch,
    pub(super) created: UnixTime,
}

impl New {
    pub(super) fn encode(record: &Record, bucket: u32) -> Result<Self, StoreError> {
        let numbers = Numbers { bucket, spent: 0 };
        let key = layout::record(&record.id);
        let value = codec::encode_record(&key, record, &numbers)?;
        // Not collected: that would sort them in a vector first.
        let mut index = Batch::new();
        index.extend(numbers.index_entries(record).map(|key| (key, Some(Vec::new()))));
        Ok(Self { record: (key, value), index, created: record.created })
    }
}

/// Reads a record.
pub(super) fn stored(view: &impl View, id: &TokenId) -> Result<Option<Stored>, StoreError> {
    let key = layout::record(id);
    view.get(&key)?.map(|value| Stored::decode(&key, id.clone(), &value)).transpose()
}

/// Returns the record of a pair of a listing.
pub(super) fn listed(view: &impl View, listing: &Listing, pair: &Pair) -> Result<Stored, StoreError> {
    let id = listing.token(&pair.0)?;
    match listing.is_of_records() {
        true => Stored::decode(&pair.0, id, &pair.1),
        false => indexed(view, &id, pair),
    }
}

/// Returns the record of an index entry. An entry counts only if it agrees with its record: both were written together,
/// and the view is one snapshot.
pub(super) fn indexed(view: &impl View, id: &TokenId, (key, value): &Pair) -> Result<Stored, StoreError> {
    if !value.is_empty() {
        return Err(StoreError::Corrupt { what: "an index entry with a value" });
    }
    let stored =
        stored(view, id)?.ok_or(StoreError::Corrupt { what: "an index entry without its record" })?;
    if !stored.index_entries().any(|entry| entry == *key) {
        return Err(StoreError::Corrupt { what: "an index entry that its record contradicts" });
    }
    Ok(stored)
}
