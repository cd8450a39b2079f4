//! Removing expired and spent records, in steps between which others can write.

use std::time::Duration;

use token_core::UnixTime;

use super::{Kv, group::Draft, index_entries, listed, newest, record, spent};
use crate::{
    Filter, Record, StoreError, TokenId,
    contract::codec,
    embedded::engine::{Engine, Pair, View},
    embedded::layout,
    embedded::listing::Listing,
};

#[cfg(test)]
mod tests;

/// The number of changes that ends a step: some milliseconds of writing, for which others wait at most.
const CHANGES: usize = 256;

/// The result of one step.
struct Step {
    done: usize,
    more: bool,
    // The last damaged record, after which the next step starts.
    passed_over: Option<Vec<u8>>,
}

impl<E: Engine> Kv<E> {
    pub(crate) fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.read(|view| newest::believe(view, now))?;
        let filter = Filter::ExpiresBefore(now);
        let listing = Listing::new(&filter);
        let (from, to) = (listing.start(None)?, listing.end().to_vec());
        let removed = self.in_steps(from, to, limit, move |draft, pair| {
            let record = listed(draft, &filter, &listing, pair)?;
            remove(draft, &record)
        })?;
        self.sweep()?;
        Ok(removed)
    }

    /// Removes the claims left of purged records, also after an interrupted purge.
    fn sweep(&self) -> Result<(), StoreError> {
        let all = layout::all_left();
        let end = layout::after_all(all.clone()).unwrap_or_default();
        while let Some((key, _)) = self.read(|view| view.scan(&all, &end, 1))?.into_iter().next() {
            self.sweep_one(&layout::token(&key, all.len())?)?;
        }
        Ok(())
    }

    /// Removes the claims left of a purged record, if any, so that a new record may take its id.
    pub(super) fn sweep_one(&self, id: &TokenId) -> Result<(), StoreError> {
        let key = layout::left(id);
        while self.read(|view| view.get(&key))?.is_some() {
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

    pub(crate) fn purge_spent(
        &self,
        now: UnixTime,
        retention: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.read(|view| newest::believe(view, now))?;
        let seen_by = now.as_secs().checked_sub(retention.as_secs());
        let removed = match seen_by.map(UnixTime::from_secs) {
            None => 0,
            Some(seen_by) => {
                let from = if retention.is_zero() { 0 } else { 1 };
                self.spent(UnixTime::from_secs(from), seen_by, limit, remove)?
            }
        };
        self.sweep()?;
        let left = limit.saturating_sub(removed);
        if retention.is_zero() || left == 0 {
            return Ok(removed);
        }
        let now = UnixTime::from_secs(now.as_secs().max(1));
        let seen = self.spent(spent::UNSEEN, spent::UNSEEN, left, move |draft, record| {
            spent::see(draft, &record.id, now).map(|()| true)
        })?;
        Ok(removed.saturating_add(seen))
    }

    // Applies `act` to the spent records that a purge first found at or between two times.
    fn spent(
        &self,
        from: UnixTime,
        to: UnixTime,
        limit: usize,
        act: impl Fn(&mut Draft<'_>, &Record) -> Result<bool, StoreError> + Clone + Send + 'static,
    ) -> Result<usize, StoreError> {
        let start = layout::spent(from);
        let token_at = start.len();
        let end = layout::after_all(layout::spent(to)).unwrap_or_default();
        self.in_steps(start, end, limit, move |draft, (key, value)| {
            codec::decode_index(key, value)?;
            match record(draft, &layout::token(key, token_at)?)? {
                Some(record) if record.is_spent() => act(draft, &record),
                _ => Err(StoreError::Corrupt { what: "an entry of a record that is not spent" }),
            }
        })
    }

    // Applies `act` to every pair from one key to another, in steps. `act` returns whether it finished the pair and
    // removed it. Where it finds damage, it must not have changed anything.
    fn in_steps(
        &self,
        mut from: Vec<u8>,
        to: Vec<u8>,
        limit: usize,
        act: impl Fn(&mut Draft<'_>, &Pair) -> Result<bool, StoreError> + Clone + Send + 'static,
    ) -> Result<usize, StoreError> {
        let mut done = 0_usize;
        loop {
            let left = limit.saturating_sub(done).min(CHANGES);
            if left == 0 {
                return Ok(done);
            }
            let (start, end, act) = (from.clone(), to.clone(), act.clone());
            let step = self.write(move |draft| {
                let pairs = draft.scan(&start, &end, left)?;
                each(draft, &pairs, act)
            })?;
            done = done.saturating_add(step.done);
            if !step.more {
                return Ok(done);
            }
            if let Some(last) = step.passed_over {
                from = layout::next(last);
            }
        }
    }
}

// Applies `act` to as many pairs as fit into a step.
fn each(
    draft: &mut Draft<'_>,
    pairs: &[Pair],
    act: impl Fn(&mut Draft<'_>, &Pair) -> Result<bool, StoreError>,
) -> Result<Step, StoreError> {
    let mut step = Step { done: 0, more: !pairs.is_empty(), passed_over: None };
    for pair in pairs {
        if draft.changes() >= CHANGES {
            return Ok(step);
        }
        match act(draft, pair) {
            Ok(true) => step.done = step.done.saturating_add(1),
            Ok(false) => return Ok(step),
            Err(StoreError::Corrupt { .. }) => step.passed_over = Some(pair.0.clone()),
            Err(error) => return Err(error),
        }
    }
    Ok(step)
}

// Removes the record first, so that it is absent from then on: if it stayed, a claim already removed would be granted
// another use. `sweep` removes the claims that do not fit into this step.
fn remove(draft: &mut Draft<'_>, record: &Record) -> Result<bool, StoreError> {
    // Every read that may find damage precedes the first change.
    let claims = some_claims(draft, &record.id)?;
    if record.is_spent() {
        spent::remove(draft, &record.id)?;
    }
    for entry in index_entries(record) {
        draft.remove(entry);
    }
    draft.remove(layout::record(&record.id));
    if !forget(draft, claims) {
        let key = layout::left(&record.id);
        let value = codec::encode_index(&key)?;
        draft.put(key, value);
    }
    Ok(true)
}

// Reads as many claims on a record as fit into a step.
fn some_claims(draft: &Draft<'_>, id: &TokenId) -> Result<Vec<Pair>, StoreError> {
    let claims = layout::claims(id);
    let end = layout::after_all(claims.clone()).unwrap_or_default();
    draft.scan(&claims, &end, CHANGES)
}

// Removes these claims. Returns whether none are left.
fn forget(draft: &mut Draft<'_>, claims: Vec<Pair>) -> bool {
    let all = claims.len() < CHANGES;
    for (claim, _) in claims {
        draft.remove(claim);
    }
    all
}
