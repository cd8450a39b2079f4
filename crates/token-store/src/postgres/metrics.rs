//! What is counted.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What a [`PostgresStore`](crate::PostgresStore) has done since it was opened, for whoever watches it. Each number
/// only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresMetrics {
    /// Statements that many callers share.
    pub batches: u64,
    /// What was asked in them. Divided by `batches`, how many callers share one.
    pub calls: u64,
    /// The most that shared one.
    pub longest_batch: u64,
    /// How long all those calls waited before they were sent, together.
    pub waited: Duration,
    /// The longest of them.
    pub longest_wait: Duration,
    /// What was asked again, since something else was faster or the server said so.
    pub retries: u64,
    /// Calls that ended with [`StoreError::Unknown`](crate::StoreError::Unknown).
    pub in_doubt: u64,
    /// Attempts to connect.
    pub connects: u64,
    /// How often it began to listen to what other hosts void: once for [`listen`](crate::PostgresStore::listen), and once
    /// after each loss of that connection.
    pub listens: u64,
    /// What it has heard of, its own notices included.
    pub notices: u64,
}

#[derive(Debug, Default)]
pub(super) struct Meter {
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
    pub(super) fn batch(&self, waits: impl Iterator<Item = Duration>) {
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

    pub(super) fn again(&self, calls: usize) {
        add(&self.retries, number(calls));
    }

    pub(super) fn in_doubt(&self, calls: usize) {
        add(&self.in_doubt, number(calls));
    }

    pub(super) fn connecting(&self) {
        add(&self.connects, 1);
    }

    pub(super) fn listening(&self) {
        add(&self.listens, 1);
    }

    pub(super) fn heard(&self) {
        add(&self.notices, 1);
    }

    pub(super) fn read(&self) -> PostgresMetrics {
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
