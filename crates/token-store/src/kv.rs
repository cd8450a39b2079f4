//! The contract of a store, once, over any ordered map.

use std::sync::{Mutex, PoisonError};

use token_core::UnixTime;

use crate::{
    ClaimId, Entity, Filter, Generation, Insert, Page, Raise, Record, Redeem, Refund, Revoke, StoreError,
    TokenId,
    codec::{self, Claim},
    cursor::Listing,
    engine::{Batch, Engine, Pair, View},
    layout,
};

/// A store over an engine.
///
/// Writes go one after another: an operation is a function of a [`Draft`], which reads what is committed and
/// collects what is to change, and nothing else. Reads take a snapshot and wait for no operation.
pub(crate) struct Kv<E> {
    engine: E,
    writer: Mutex<()>,
}

impl<E: Engine> Kv<E> {
    /// The store that the engine holds.
    pub(crate) fn new(engine: E) -> Self {
        Self { engine, writer: Mutex::new(()) }
    }

    fn read<T>(&self, read: impl FnOnce(&E::View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&self.engine.view()?)
    }

    // An operation that changes nothing commits nothing: whoever comes too late costs no sync. Its answer rests
    // on what is committed, which is durable, as nobody else writes meanwhile.
    fn write<T>(
        &self,
        operation: impl FnOnce(&mut Draft<'_, E::View<'_>>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Whoever panicked here had committed or not: the engine's state is sound either way.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, batch) = {
            let view = self.engine.view()?;
            let mut draft = Draft { view: &view, batch: Batch::new() };
            (operation(&mut draft)?, draft.batch)
        };
        if !batch.is_empty() {
            self.engine.commit(&batch)?;
        }
        Ok(answer)
    }

    pub(crate) fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        let key = layout::record(&record.id);
        let value = codec::encode_record(&key, record)?;
        self.write(|draft| {
            if draft.get(&key)?.is_some() {
                return Ok(Insert::Exists);
            }
            for entry in index_entries(record) {
                let value = codec::encode_index(&entry)?;
                draft.put(entry, value);
            }
            draft.put(key, value);
            Ok(Insert::Inserted)
        })
    }

    pub(crate) fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        self.read(|view| record(view, id))
    }

    pub(crate) fn redeem(&self, id: &TokenId, claim: &ClaimId) -> Result<Redeem, StoreError> {
        self.write(|draft| {
            let Some(mut record) = draft.record(id)? else { return Ok(Redeem::Absent) };
            if record.use_limit.is_some()
                && let Some(left) = draft.answer_again(id, claim)?
            {
                return Ok(Redeem::Redeemed { uses_left: Some(left), repeated: true });
            }
            if record.revoked {
                return Ok(Redeem::Revoked);
            }
            let uses = record.uses.saturating_add(1);
            let uses_left = match record.use_limit {
                None => None,
                Some(limit) => match limit.get().checked_sub(uses) {
                    Some(left) => Some(left),
                    None => return Ok(Redeem::Exhausted),
                },
            };
            if let Some(left) = uses_left {
                let key = layout::claim(id, claim);
                let value = codec::encode_claim(&key, Claim { uses_left: left, answered_again: false })?;
                draft.put(key, value);
            }
            record.uses = uses;
            draft.put_record(&record)?;
            Ok(Redeem::Redeemed { uses_left, repeated: false })
        })
    }

    pub(crate) fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<u64>, StoreError> {
        self.write(|draft| draft.answer_again(id, claim))
    }

    pub(crate) fn refund(&self, id: &TokenId, claim: &ClaimId) -> Result<Refund, StoreError> {
        self.write(|draft| {
            let Some(mut record) = draft.record(id)? else { return Ok(Refund::Absent) };
            let key = layout::claim(id, claim);
            let Some(value) = draft.get(&key)? else { return Ok(Refund::NotClaimed) };
            if codec::decode_claim(&key, &value)?.answered_again {
                return Ok(Refund::Kept);
            }
            record.uses = record
                .uses
                .checked_sub(1)
                .ok_or(StoreError::Corrupt { what: "a claim on a record without uses" })?;
            draft.remove(key);
            draft.put_record(&record)?;
            Ok(Refund::Refunded)
        })
    }

    pub(crate) fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError> {
        self.write(|draft| {
            let Some(mut record) = draft.record(id)? else { return Ok(Revoke::Absent) };
            if !record.revoked {
                record.revoked = true;
                draft.put_record(&record)?;
            }
            Ok(Revoke::Revoked)
        })
    }

    pub(crate) fn list(
        &self,
        filter: &Filter,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let listing = Listing::new(filter);
        let from = listing.start(after)?;
        self.read(|view| {
            // One more than asked for tells whether this is the last page.
            let mut pairs = view.scan(&from, listing.end(), limit.saturating_add(1))?;
            let more = pairs.len() > limit;
            pairs.truncate(limit);
            let next = more.then(|| match pairs.last() {
                Some((key, _)) => listing.cursor(key),
                None => after.map_or_else(|| listing.cursor(&[]), <[u8]>::to_vec),
            });
            let records =
                pairs.iter().map(|pair| listed(view, filter, &listing, pair)).collect::<Result<_, _>>()?;
            Ok(Page { records, next })
        })
    }

    pub(crate) fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let filter = Filter::ExpiresBefore(now);
        let listing = Listing::new(&filter);
        self.write(|draft| {
            let expired = draft.view.scan(&listing.start(None)?, listing.end(), limit)?;
            for pair in &expired {
                let record = listed(draft.view, &filter, &listing, pair)?;
                let claims = layout::claims(&record.id);
                let end = layout::after_all(claims.clone()).unwrap_or_default();
                for (claim, _) in draft.view.scan(&claims, &end, usize::MAX)? {
                    draft.remove(claim);
                }
                for entry in index_entries(&record) {
                    draft.remove(entry);
                }
                draft.remove(layout::record(&record.id));
            }
            Ok(expired.len())
        })
    }

    pub(crate) fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        let key = layout::generation(subject);
        self.read(|view| view.get(&key)?.map(|value| codec::decode_generation(&key, &value)).transpose())
    }

    pub(crate) fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        let key = layout::generation(subject);
        let value = codec::encode_generation(&key, next)?;
        self.write(|draft| {
            let present = match draft.get(&key)? {
                Some(value) => codec::decode_generation(&key, &value)?.number,
                None => 0,
            };
            if present.checked_add(1) != Some(next.number) {
                return Ok(Raise::Stale { present });
            }
            draft.put(key, value);
            Ok(Raise::Raised)
        })
    }
}

/// What an operation reads and wants changed.
struct Draft<'a, V> {
    view: &'a V,
    batch: Batch,
}

impl<V: View> Draft<'_, V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.batch.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.view.get(key),
        }
    }

    fn record(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        let key = layout::record(id);
        self.get(&key)?.map(|value| codec::decode_record(&key, id.clone(), &value)).transpose()
    }

    // Tells how many uses the claim left, and marks it first: were its use given back by whoever was told of it
    // earlier, a third could spend what this caller acts on.
    fn answer_again(&mut self, id: &TokenId, claim: &ClaimId) -> Result<Option<u64>, StoreError> {
        let key = layout::claim(id, claim);
        let Some(value) = self.get(&key)? else { return Ok(None) };
        let Claim { uses_left, answered_again } = codec::decode_claim(&key, &value)?;
        if !answered_again {
            let value = codec::encode_claim(&key, Claim { uses_left, answered_again: true })?;
            self.put(key, value);
        }
        Ok(Some(uses_left))
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.batch.insert(key, Some(value));
    }

    fn put_record(&mut self, record: &Record) -> Result<(), StoreError> {
        let key = layout::record(&record.id);
        let value = codec::encode_record(&key, record)?;
        self.put(key, value);
        Ok(())
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.batch.insert(key, None);
    }
}

fn record(view: &impl View, id: &TokenId) -> Result<Option<Record>, StoreError> {
    let key = layout::record(id);
    view.get(&key)?.map(|value| codec::decode_record(&key, id.clone(), &value)).transpose()
}

// The record that a listing came upon. An index entry is believed only as far as its record agrees: both were
// written together, and the view shows them at one moment.
fn listed(
    view: &impl View,
    filter: &Filter,
    listing: &Listing,
    (key, value): &Pair,
) -> Result<Record, StoreError> {
    let id = listing.token(key)?;
    if let Filter::All = filter {
        return codec::decode_record(key, id, value);
    }
    codec::decode_index(key, value)?;
    let record =
        record(view, &id)?.ok_or(StoreError::Corrupt { what: "an index entry without its record" })?;
    if !index_entries(&record).any(|entry| entry == *key) {
        return Err(StoreError::Corrupt { what: "an index entry that its record contradicts" });
    }
    Ok(record)
}

fn index_entries(record: &Record) -> impl Iterator<Item = Vec<u8>> {
    let prefixes = [
        record.resource.as_ref().map(layout::resource),
        Some(layout::issuer(&record.issuer)),
        record.expires.map(layout::expiry),
    ];
    prefixes.into_iter().flatten().map(|prefix| layout::entry(prefix, &record.id))
}

#[cfg(test)]
mod tests;
