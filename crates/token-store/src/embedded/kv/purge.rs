//! Removing expired and spent records, in steps between which others can write.

use std::time::Duration;

use token_core::UnixTime;

use super::{
    Kv, events,
    group::Draft,
    newest,
    stored::{Stored, indexed, listed, stored},
};
use crate::{
    Cursor, Delete, Event, Filter, StoreError, Sweep, TokenId,
    embedded::engine::{Engine, Pair, View},
    embedded::layout::{self, Entry},
    embedded::listing::Listing,
};

#[cfg(test)]
mod tests;

/// The number of changes that ends a step: some milliseconds of writing, for which others wait at most.
const CHANGES: usize = 256;

impl<E: Engine> Kv<E> {
    pub(crate) fn delete(&self, id: &TokenId) -> Result<Delete, StoreError> {
        let deleting = id.clone();
        let deleted = self.write(move |draft| {
            let Some(stored) = stored(draft, &deleting)? else { return Ok(Delete::Absent) };
            remove(draft, &stored)?;
            events::append(draft, Event::Deleted(deleting))?;
            Ok(Delete::Deleted)
        })?;
        self.sweep_one(id)?;
        Ok(deleted)
    }

    pub(crate) fn delete_all(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Sweep, StoreError> {
        let (listing, after) = (Listing::new(filter), after.cloned());
        let deleted = self.write(move |draft| {
            let (pairs, next) = listing.page(draft, after.as_ref(), limit)?;
            let mut sweep = Sweep { changed: 0, damaged: 0, next };
            let mut last = None;
            for pair in &pairs {
                if let Some(last) = last
                    && draft.own.len() >= CHANGES
                {
                    sweep.next = Some(listing.after(last));
                    break;
                }
                last = Some(pair.0.as_slice());
                let found = listed(draft, &listing, pair);
                match found.and_then(|stored| remove(draft, &stored).map(|()| stored.record.id)) {
                    Ok(id) => {
                        events::append(draft, Event::Deleted(id))?;
                        sweep.changed = sweep.changed.saturating_add(1);
                    }
                    Err(StoreError::Corrupt { .. }) => sweep.damaged = sweep.damaged.saturating_add(1),
                    Err(error) => return Err(error),
                }
            }
            Ok(sweep)
        })?;
        self.sweep()?;
        Ok(deleted)
    }

    pub(crate) fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.read(|view| newest::believe(view, now))?;
        self.remove_until(layout::expiry, now, limit)
    }

    pub(crate) fn purge_spent(
        &self,
        now: UnixTime,
        retention: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.read(|view| newest::believe(view, now))?;
        match now.as_secs().checked_sub(retention.as_secs()) {
            Some(time) => self.remove_until(layout::spent, UnixTime::from_secs(time), limit),
            None => Ok(0),
        }
    }

    // Removes the records that an index has at or before a time.
    fn remove_until(
        &self,
        index: fn(UnixTime) -> Vec<u8>,
        time: UnixTime,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut from = index(UnixTime::from_secs(0));
        let end = layout::after_all(&index(time));
        let mut removed = 0_usize;
        loop {
            let left = limit.saturating_sub(removed).min(CHANGES);
            if left == 0 {
                break;
            }
            let (start, end) = (from.clone(), end.clone());
            let (some, next) = self.write(move |draft| {
                let pairs = draft.scan(&start, &end, left)?;
                remove_each(draft, start, &pairs)
            })?;
            removed = removed.saturating_add(some);
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        self.sweep()?;
        Ok(removed)
    }

    /// Removes the claims left of purged records, also after an interrupted purge.
    fn sweep(&self) -> Result<(), StoreError> {
        let all = layout::ALL_LEFT;
        let end = layout::after_all(all);
        while let Some((key, _)) = self.read(|view| view.scan(all, &end, 1))?.into_iter().next() {
            self.sweep_one(&layout::token(&key, all.len())?)?;
        }
        Ok(())
    }

    /// Removes the claims left of a purged record, if any, so that a new record may take its id.
    pub(super) fn sweep_one(&self, id: &TokenId) -> Result<(), StoreError> {
        let key = layout::left(id);
        while self.read(|view| Ok(view.get(&key)?.is_some()))? {
            let (id, key) = (id.clone(), key.clone());
            self.write(move |draft| {
                if draft.get(&key)?.is_none() {
                    return Ok(());
                }
                let claims = some_claims(draft, &id)?;
                if forget(draft, claims) {
                    draft.remove(key);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

// Removes the records of as many index entries as fit into a step. Returns how many, and the key at which the next step
// starts, after damaged records; `None` if there are no entries.
fn remove_each(
    draft: &mut Draft<'_>,
    start: Vec<u8>,
    pairs: &[Pair],
) -> Result<(usize, Option<Vec<u8>>), StoreError> {
    let (mut removed, mut next) = (0_usize, (!pairs.is_empty()).then_some(start));
    for pair in pairs {
        if draft.own.len() >= CHANGES {
            break;
        }
        let found = match layout::entry_of(&pair.0) {
            Some(Entry::Index(id)) => indexed(draft, &id, pair),
            _ => Err(StoreError::Corrupt { what: "a key holds no token id" }),
        };
        match found.and_then(|stored| remove(draft, &stored)) {
            Ok(()) => removed = removed.saturating_add(1),
            Err(StoreError::Corrupt { .. }) => next = Some(layout::next(pair.0.clone())),
            Err(error) => return Err(error),
        }
    }
    Ok((removed, next))
}

// Removes the record first, so that it is absent from then on: if it stayed, a claim already removed would be granted
// another use. `sweep` removes the claims that do not fit into this step.
fn remove(draft: &mut Draft<'_>, stored: &Stored) -> Result<(), StoreError> {
    // The read, which may find damage, precedes the first change.
    let claims = some_claims(draft, &stored.id)?;
    for entry in stored.index_entries() {
        draft.remove(entry);
    }
    draft.remove(layout::record(&stored.id));
    if !forget(draft, claims) {
        draft.put_value(layout::left(&stored.id), &())?;
    }
    Ok(())
}

// Reads as many claims on a record as fit into a step.
fn some_claims(draft: &Draft<'_>, id: &TokenId) -> Result<Vec<Pair>, StoreError> {
    let claims = layout::claims(id);
    draft.scan(&claims, &layout::after_all(&claims), CHANGES)
}

// Removes these claims. Returns whether none are left.
fn forget(draft: &mut Draft<'_>, claims: Vec<Pair>) -> bool {
    let all = claims.len() < CHANGES;
    for (claim, _) in claims {
        draft.remove(claim);
    }
    all
}
