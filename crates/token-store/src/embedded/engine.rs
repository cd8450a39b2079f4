//! The interface of an embedded backend: an ordered map of bytes with snapshots and atomic, durable commits. `kv`
//! implements the contract of a store on top of it, once.

use std::{borrow::Cow, collections::BTreeMap};

use crate::StoreError;

pub(crate) mod memory;
#[cfg(feature = "redb")]
pub(crate) mod redb;
#[cfg(feature = "sled")]
pub(crate) mod sled;

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// The changes of one commit: the new value of each key, or `None` to remove it.
pub(crate) type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An ordered map of bytes, whose commits are atomic and durable.
pub(crate) trait Engine: Send + Sync {
    /// A snapshot.
    type View<'a>: View
    where
        Self: 'a;

    /// Whether a commit takes so long that operations should share one.
    const GROUPS: bool;

    /// Returns a snapshot of the committed, durable state. Views are short-lived: a commit may have to wait for them.
    fn view(&self) -> Result<Self::View<'_>, StoreError>;

    /// Commits the changes, all or none, and returns when they are on disk. The caller commits one batch at a time and
    /// holds no view.
    ///
    /// After [`StoreError::Unknown`], every call returns [`StoreError::Poisoned`]. A failed sync must not be retried:
    /// the kernel forgets the pages that it could not write, so that memory may differ from the disk.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}

/// A snapshot of the map.
pub(crate) trait View {
    /// Returns the value of a key, or `None` if the map does not have the key.
    fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError>;

    /// Does [`scan`](Self::scan) for `from` before `to`: some maps panic at other ranges.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError>;

    /// Returns the first `limit` pairs in order of their keys, from `from` to before `to`.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        if from < to { self.range(from, to, limit) } else { Ok(Vec::new()) }
    }
}
