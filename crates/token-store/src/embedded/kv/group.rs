//! Group commit: the operations of many callers share one commit, and so one sync. Over an engine that has no sync, each
//! operation has a commit of its own.
//!
//! Operations run one after another. Each sees the committed state and the changes of those before it. They are
//! committed together, and none of them returns before the commit. A reader sees a state that is on disk, never the
//! changes of a group in flight.

use std::{
    any::Any,
    borrow::Cow,
    cell::Cell,
    collections::BTreeMap,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use serde::Serialize;
use token_core::UnixTime;

use super::stored::Stored;
use crate::{
    ClaimId, Held, StoreError, TokenId,
    contract::codec::{self, Claim},
    embedded::engine::{Batch, Engine, Pair, View},
    embedded::layout,
    embedded::queue::Queue,
    sync::{Arc, Mutex, lock},
};

/// The maximum number of operations in a group. Further ones go into the next commit.
const MAX_OPERATIONS: usize = 1024;

/// The number of bytes of changes after which a group takes no further operation. A single operation may change more.
const MAX_BYTES: usize = 512 * 1024;

/// A function of a [`Draft`], which stores its answer itself.
type Operation = Box<dyn FnOnce(&mut Draft<'_>) -> Result<(), StoreError> + Send>;

/// The outcome of an operation; `Err` is the payload of its panic.
type Outcome = Result<Result<(), StoreError>, Box<dyn Any + Send>>;

/// The only way to write to an engine.
pub(super) struct Group {
    queue: Queue<Operation, Outcome>,
    // Held by each operation without a group.
    alone: Mutex<()>,
}

impl Group {
    pub(super) fn new() -> Self {
        Self { queue: Queue::new(), alone: Mutex::new(()) }
    }

    /// Runs an operation, and returns its answer once everything that the answer rests on is on disk. An operation that
    /// fails or panics changes nothing, and does not affect the others in its commit.
    pub(super) fn write<E: Engine, T: Send + 'static>(
        &self,
        engine: &E,
        operation: impl FnOnce(&mut Draft<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if !E::GROUPS {
            let _turn = lock(&self.alone);
            return run_alone(engine, operation);
        }
        let answer = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&answer);
        let operation: Operation = Box::new(move |draft| {
            let answer = operation(draft)?;
            *lock(&kept) = Some(answer);
            Ok(())
        });
        match self.queue.submit(operation, |next| run(engine, next)) {
            Some(Ok(outcome)) => outcome?,
            Some(Err(panic)) => resume_unwind(panic),
            None => return Err(StoreError::Unknown(None)),
        }
        lock(&answer).take().ok_or(StoreError::Unknown(None))
    }
}

fn run_alone<E: Engine, T>(
    engine: &E,
    operation: impl FnOnce(&mut Draft<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let view = engine.view()?;
    let before = Batch::new();
    let mut draft = Draft::new(&view, &before);
    let answer = operation(&mut draft)?;
    let own = mem::take(&mut draft.own);
    drop(view);
    if !own.is_empty() {
        engine.commit(own)?;
    }
    Ok(answer)
}

fn run<E: Engine>(engine: &E, next: &mut dyn FnMut() -> Option<Operation>) -> Vec<Outcome> {
    let mut group = Vec::new();
    let mut batch = Batch::new();
    match engine.view() {
        Err(error) => {
            while group.len() < MAX_OPERATIONS && next().is_some() {
                group.push((true, Ok(Err(error.clone()))));
            }
        }
        Ok(view) => {
            let mut len = 0_usize;
            while group.len() < MAX_OPERATIONS
                && len < MAX_BYTES
                && let Some(operation) = next()
            {
                let mut draft = Draft::new(&view, &batch);
                let outcome = catch_unwind(AssertUnwindSafe(|| operation(&mut draft)));
                let mut own = mem::take(&mut draft.own);
                if !matches!(outcome, Ok(Ok(()))) {
                    own.clear();
                }
                group.push((own.is_empty() && !draft.rests_on_others.get(), outcome));
                for (key, value) in own {
                    len = len.saturating_add(key.len()).saturating_add(value.as_ref().map_or(0, Vec::len));
                    batch.insert(key, value);
                }
            }
        }
    }
    let failure = if batch.is_empty() { None } else { engine.commit(batch).err() };
    let settle = |(stands, outcome): (bool, Outcome)| match &failure {
        Some(error) if !stands => outcome.map(|_| Err(error.clone())),
        // An operation that changed nothing costs no sync, and rests on what is on disk already.
        _ => outcome,
    };
    group.into_iter().map(settle).collect()
}

/// Returns the time that was put under a key.
pub(super) fn time(view: &impl View, key: &[u8]) -> Result<Option<UnixTime>, StoreError> {
    view.get(key)?.map(|value| codec::decode(key, &value)).transpose()
}

/// The state that an operation reads, and the changes that it makes.
pub(super) struct Draft<'a> {
    view: &'a dyn View,
    before: &'a Batch,
    pub(super) own: Batch,
    // Whether it read anything that others changed in this group.
    rests_on_others: Cell<bool>,
}

impl View for Draft<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        if let Some(changed) = self.own.get(key) {
            return Ok(changed.as_deref().map(Cow::from));
        }
        match self.before.get(key) {
            Some(changed) => {
                self.rests_on_others.set(true);
                Ok(changed.as_deref().map(Cow::from))
            }
            None => self.view.get(key),
        }
    }

    // Reads as few pairs as it can: a scan for one pair must not read one for each change of the group.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        let (mut found, mut from) = (Vec::new(), from.to_vec());
        while found.len() < limit && from.as_slice() < to {
            let wanted = limit.saturating_sub(found.len());
            let pairs = self.view.scan(&from, to, wanted)?;
            let end = match pairs.last() {
                Some((last, _)) if pairs.len() == wanted => layout::next(last.clone()),
                _ => to.to_vec(),
            };
            let mut pairs: BTreeMap<Vec<u8>, Vec<u8>> = pairs.into_iter().collect();
            for (batch, of_others) in [(self.before, true), (&self.own, false)] {
                for (key, value) in batch.range(from.clone()..end.clone()) {
                    match value {
                        Some(value) => pairs.insert(key.clone(), value.clone()),
                        None => pairs.remove(key),
                    };
                    self.rests_on_others.set(self.rests_on_others.get() || of_others);
                }
            }
            found.extend(pairs.into_iter().take(wanted));
            from = end;
        }
        Ok(found)
    }
}

impl<'a> Draft<'a> {
    fn new(view: &'a dyn View, before: &'a Batch) -> Self {
        Self { view, before, own: Batch::new(), rests_on_others: Cell::new(false) }
    }

    // Returns the use that the claim holds, and first marks it as reported again. If an earlier caller could still
    // refund it, a third caller could spend the use that this caller acts on.
    pub(super) fn answer_again(&mut self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        let key = layout::claim(id, claim);
        let Some(value) = self.get(&key)? else { return Ok(None) };
        let claim: Claim = codec::decode(&key, &value)?;
        let (answered_again, held) = (claim.answered_again, claim.held());
        if !answered_again {
            self.put_value(key, &Claim::new(held.clone(), true))?;
        }
        Ok(Some(held))
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.own.insert(key, Some(value));
    }

    pub(super) fn put_record(&mut self, stored: &Stored) -> Result<(), StoreError> {
        let key = layout::record(&stored.id);
        let value = stored.to_bytes(&key)?;
        self.put(key, value);
        Ok(())
    }

    pub(super) fn put_value(&mut self, key: Vec<u8>, value: &impl Serialize) -> Result<(), StoreError> {
        let value = codec::encode(&key, value)?;
        self.put(key, value);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.own.insert(key, None);
    }
}

#[cfg(test)]
mod tests;
