//! Removing what is no longer worth anything, in steps between which others write.

use std::time::Duration;

use token_core::UnixTime;

use super::{Kv, group::Draft, index_entries, listed, newest, record, spent};
use crate::{
    Filter, Record, StoreError, TokenId, codec,
    cursor::Listing,
    engine::{Engine, Pair, View},
    layout,
};

#[cfg(test)]
mod tests;

/// After how many changes a step ends. Some milliseconds of writing, which is what others wait at most.
const CHANGES: usize = 256;

/// What one step did.
struct Step {
    done: usize,
    more: bool,
    // The last of those that are damaged, which the next step is not to come upon again.
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

    /// Removes the claims that are left of purged records, also of those whose purge was interrupted.
    fn sweep(&self) -> Result<(), StoreError> {
        let all = layout::all_left();
        let end = layout::after_all(all.clone()).unwrap_or_default();
        while let Some((key, _)) = self.read(|view| view.scan(&all, &end, 1))?.into_iter().next() {
            self.sweep_one(&layout::token(&key, all.len())?)?;
        }
        Ok(())
    }

    /// Removes the claims that are left of a purged record, if any are: before the next one takes its place.
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

    // Does something to the spent records that were first come upon from one time to another.
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

    // Does something to all that stands from one key to another. `act` tells whether it is through with one, which
    // then is no longer there; where it finds damage, it has changed nothing.
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

// Takes care of as many of these as fit into a step.
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

// The record goes first, and is absent from then on: as long as it stood, a claim that is gone already would be granted
// another use. Those of its claims that do not fit into this step go by `sweep`.
fn remove(draft: &mut Draft<'_>, record: &Record) -> Result<bool, StoreError> {
    // What may find damage comes before all that changes something.
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

// As many claims on a record as fit into a step.
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
