//! What a backend has to do: an ordered map of bytes with snapshots and atomic, durable commits. All that a
//! store means is built on top of it once, in `kv`.

use std::collections::BTreeMap;

use crate::StoreError;

pub(crate) mod memory;
#[cfg(feature = "redb")]
pub(crate) mod redb;
#[cfg(feature = "sled")]
pub(crate) mod sled;

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Changes that are made together: the new value of each key, `None` to remove it.
pub(crate) type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An ordered map of bytes.
pub(crate) trait Engine: Send + Sync {
    /// What is read of one moment.
    type View<'a>: View
    where
        Self: 'a;

    /// The committed, durable state of this moment. Views are short-lived: a commit may have to wait for them.
    fn view(&self) -> Result<Self::View<'_>, StoreError>;

    /// Makes the changes, all or none, and returns when they are on disk. The caller commits one batch at a
    /// time and holds no view.
    ///
    /// After [`StoreError::Unknown`], every call returns [`StoreError::Poisoned`]: a failed sync must not be
    /// tried again, since the kernel forgets what it could not write, and what memory holds may not be on disk.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;
}

/// One state of the map, which does not change while others write.
pub(crate) trait View {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first `limit` pairs of the keys from `from` on and before `to`.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError>;
}
