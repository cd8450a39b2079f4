//! Metrics.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Counters of a [`PostgresStore`](crate::PostgresStore) since it was opened, for monitoring. Each number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresMetrics {
    /// Batches of calls that were sent together.
    pub batches: u64,
    /// Calls in those batches. `calls / batches` is the average batch size.
    pub calls: u64,
    /// The most calls in one batch.
    pub longest_batch: u64,
    /// The total time that those calls waited before they were sent.
    pub waited: Duration,
    /// The longest wait of a call before it was sent.
    pub longest_wait: Duration,
    /// Calls that were asked again, since another change was faster or the server asked for a retry.
    pub retries: u64,
    /// Calls that ended with [`StoreError::Unknown`](token_store::StoreError::Unknown).
    pub in_doubt: u64,
    /// Attempts to connect.
    pub connects: u64,
    /// How often the store began to listen for notices: once for [`listen`](crate::PostgresStore::listen), and once
    /// after each loss of that connection.
    pub listens: u64,
    /// Notices received, the store's own included.
    pub notices: u64,
}

/// The counters of one store.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<PostgresMetrics>);

impl Meter {
    /// Returns the present counts.
    pub(crate) fn read(&self) -> PostgresMetrics {
        *self.lock()
    }

    /// Counts a batch of calls that waited this long.
    pub(crate) fn batch(&self, waits: impl ExactSizeIterator<Item = Duration>) {
        let calls = number(waits.len());
        let mut metrics = self.lock();
        for wait in waits {
            metrics.waited = metrics.waited.saturating_add(wait);
            metrics.longest_wait = metrics.longest_wait.max(wait);
        }
        metrics.batches = metrics.batches.saturating_add(u64::from(calls > 0));
        metrics.calls = metrics.calls.saturating_add(calls);
        metrics.longest_batch = metrics.longest_batch.max(calls);
    }

    /// Adds to one of the counters.
    pub(crate) fn add(&self, counter: fn(&mut PostgresMetrics) -> &mut u64, more: usize) {
        let mut metrics = self.lock();
        let counter = counter(&mut metrics);
        *counter = counter.saturating_add(number(more));
    }

    fn lock(&self) -> MutexGuard<'_, PostgresMetrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
