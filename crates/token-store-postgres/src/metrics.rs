//! Metrics.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counters of a [`PostgresStore`](crate::PostgresStore) since it was opened, for monitoring. Each number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresMetrics {
    /// Statements sent for batched calls.
    pub batches: u64,
    /// Calls in those statements. `calls / batches` is the average batch size.
    pub calls: u64,
    /// The most calls in one statement.
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

#[derive(Debug, Default)]
pub(crate) struct Meter {
    batches: AtomicU64,
    calls: AtomicU64,
    longest_batch: AtomicU64,
    waited_micros: AtomicU64,
    longest_wait_micros: AtomicU64,
    retries: AtomicU64,
    in_doubt: AtomicU64,
    connects: AtomicU64,
    listens: AtomicU64,
    notices: AtomicU64,
}

impl Meter {
    pub(crate) fn batch(&self, waits: impl Iterator<Item = Duration>) {
        let mut calls = 0_usize;
        for wait in waits {
            let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            add(&self.waited_micros, micros);
            self.longest_wait_micros.fetch_max(micros, Ordering::Relaxed);
            calls = calls.saturating_add(1);
        }
        if calls > 0 {
            add(&self.batches, 1);
            add(&self.calls, number(calls));
            self.longest_batch.fetch_max(number(calls), Ordering::Relaxed);
        }
    }

    pub(crate) fn again(&self, calls: usize) {
        add(&self.retries, number(calls));
    }

    pub(crate) fn in_doubt(&self, calls: usize) {
        add(&self.in_doubt, number(calls));
    }

    pub(crate) fn connecting(&self) {
        add(&self.connects, 1);
    }

    pub(crate) fn listening(&self) {
        add(&self.listens, 1);
    }

    pub(crate) fn heard(&self) {
        add(&self.notices, 1);
    }

    pub(crate) fn read(&self) -> PostgresMetrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PostgresMetrics {
            batches: read(&self.batches),
            calls: read(&self.calls),
            longest_batch: read(&self.longest_batch),
            waited: Duration::from_micros(read(&self.waited_micros)),
            longest_wait: Duration::from_micros(read(&self.longest_wait_micros)),
            retries: read(&self.retries),
            in_doubt: read(&self.in_doubt),
            connects: read(&self.connects),
            listens: read(&self.listens),
            notices: read(&self.notices),
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
