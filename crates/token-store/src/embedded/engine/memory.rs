//! A map in memory: for tests, and for tokens that may be lost with the process.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ops::Bound,
    sync::{RwLock, RwLockReadGuard},
};

use crate::{
    StoreError,
    embedded::engine::{Batch, Engine, Pair, View},
};

/// The engine of [`MemoryStore`](crate::MemoryStore).
#[derive(Default)]
pub(crate) struct Memory(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Engine for Memory {
    type View<'a> = RwLockReadGuard<'a, BTreeMap<Vec<u8>, Vec<u8>>>;

    const GROUPS: bool = false;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        self.0.read().map_err(|_| StoreError::Poisoned)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut map = self.0.write().map_err(|_| StoreError::Poisoned)?;
        for (key, value) in batch {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }
}

impl View for RwLockReadGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
    fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        Ok(BTreeMap::get(self, key).map(Cow::from))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        let range = BTreeMap::range::<[u8], _>(self, (Bound::Included(from), Bound::Excluded(to)));
        Ok(range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}
