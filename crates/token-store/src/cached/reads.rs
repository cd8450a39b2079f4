//! Cached answers and reads in flight: the part of the cache that threads share.
//!
//! Dropping a key removes its answer and its read in flight. The reader, and those who wait for it, still get the answer,
//! but it is not cached.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    // One copy of a key, shared by its answer and the queue. Not from `sync`: threads do not synchronize through it.
    sync::Arc as Key,
    time::{Duration, Instant},
};

use crate::sync::{Arc, Mutex, MutexGuard, lock};

/// How long reads with a usable stale answer leave an unreachable store alone.
const RETRY: Duration = Duration::from_secs(1);

/// The configuration of a [`CachedStore`](crate::CachedStore). Start from the default and change what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// How long a record or a generation is fresh, counted from before the cache asked the store for it. A revocation
    /// by another host may go unseen for as long. Default: 3 seconds. Zero: every read asks the store.
    pub ttl: Duration,
    /// How long an absence is fresh. Default: 1 second.
    pub absent_ttl: Duration,
    /// How long a stale generation is used while the store cannot be reached, counted likewise. Until then temporary
    /// tokens are verified, and a host that is cut off does not see that they were revoked. Default: 60 seconds. Zero:
    /// as for records, which are never used longer than `ttl`.
    pub outage: Duration,
    /// The maximum number of cached records. The same number applies to generations, to absent records, and to absent
    /// generations. Default: 16,384.
    pub entries: usize,
    /// The maximum size of the cached records in bytes, keys and overhead included. The same number applies to
    /// generations, to absent records, and to absent generations. Default: 16 MiB. A record takes about half a
    /// kibibyte, and at most 24 KiB.
    pub bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3),
            absent_ttl: Duration::from_secs(1),
            outage: Duration::from_secs(60),
            entries: 16_384,
            bytes: 16 << 20,
        }
    }
}

/// Counters of a [`CachedStore`](crate::CachedStore) since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheMetrics {
    /// Reads answered from the cache.
    pub hits: u64,
    /// Reads that asked the store.
    pub misses: u64,
    /// Reads that waited for another caller's read of the same key.
    pub joined: u64,
    /// Reads answered with a stale generation because the store could not be reached.
    pub stale: u64,
    /// The size of all cached entries in bytes.
    pub bytes: u64,
}

/// `None` if the store has no value.
type Answer<V> = Option<Arc<V>>;

pub(crate) struct Reads<K, V, E> {
    config: CacheConfig,
    /// Returns the size of an answer with its key, in bytes.
    weigh: fn(&K, Option<&V>) -> usize,
    /// Returns whether an error means that the store cannot be reached.
    unreachable: fn(&E) -> bool,
    shared: Mutex<Shared<K, V, E>>,
}

struct Shared<K, V, E> {
    kept: HashMap<Key<K>, Kept<V>>,
    flights: HashMap<K, Arc<Flight<V, E>>>,
    // Absences have a queue of their own, so that names made up by an attacker evict no present value.
    present: Queue<K>,
    absent: Queue<K>,
    // The number of the newest answer.
    number: u64,
    // When a read last failed to reach the store; `None` while the store answers.
    asked_in_vain: Option<Instant>,
    // All but the number of bytes.
    metrics: CacheMetrics,
}

/// Cached keys in the order of insertion. Includes dropped and replaced ones, so that its length and weight are upper
/// bounds of what is cached.
struct Queue<K> {
    entries: VecDeque<Queued<K>>,
    bytes: usize,
}

struct Queued<K> {
    key: Key<K>,
    number: u64,
    began: Instant,
    bytes: usize,
}

struct Kept<V> {
    number: u64,
    began: Instant,
    answer: Answer<V>,
}

/// A read in flight.
struct Flight<V, E> {
    began: Instant,
    /// Locked while the reader reads. `None` if it panicked.
    landed: Mutex<Option<Result<Answer<V>, E>>>,
}

/// What a caller must do next.
enum Turn<'a, K, V, E> {
    Take(Answer<V>),
    Wait(Arc<Flight<V, E>>),
    /// Lock this flight, then unlock the rest.
    Read(Arc<Flight<V, E>>, MutexGuard<'a, Shared<K, V, E>>),
}

impl<K: Eq + Hash + Clone, V, E: Clone> Reads<K, V, E> {
    pub(crate) fn new(
        config: CacheConfig,
        weigh: fn(&K, Option<&V>) -> usize,
        unreachable: fn(&E) -> bool,
    ) -> Self {
        Self { config, weigh, unreachable, shared: Mutex::new(Shared::new()) }
    }

    pub(crate) const fn config(&self) -> &CacheConfig {
        &self.config
    }

    /// Returns the cached answer if it is fresh, and otherwise that of `read`. Only one caller per key runs `read` at a
    /// time, and others need not wait for it.
    pub(crate) fn get(
        &self,
        key: &K,
        now: &dyn Fn() -> Instant,
        read: impl FnOnce() -> Result<Option<V>, E>,
    ) -> Result<Answer<V>, E> {
        let asked = now();
        let (flight, shared) = loop {
            match self.turn(key, asked) {
                Turn::Take(answer) => return Ok(answer),
                Turn::Wait(flight) => {
                    let landed = lock(&flight.landed).clone();
                    if let Some(answer) = landed {
                        add(&mut lock(&self.shared).metrics.joined);
                        return answer;
                    }
                }
                Turn::Read(flight, shared) => break (flight, shared),
            }
        };
        let mut landed = lock(&flight.landed);
        drop(shared);
        let read = || {
            let answer = read().map(|found| found.map(Arc::new));
            self.land(key, &flight, answer, now())
        };
        let answer = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
            // Before those who wait continue, so that they do not find this read in flight again.
            lock(&self.shared).remove(key, &flight);
            resume_unwind(panic)
        });
        *landed = Some(answer.clone());
        answer
    }

    /// Drops a key: its cached answer and its read in flight.
    pub(crate) fn drop_key(&self, key: &K) {
        let mut shared = lock(&self.shared);
        shared.kept.remove(key);
        shared.flights.remove(key);
    }

    /// Drops every key.
    pub(crate) fn clear(&self) {
        let mut shared = lock(&self.shared);
        let new = Shared { metrics: shared.metrics, ..Shared::new() };
        let old = mem::replace(&mut *shared, new);
        // Others need not wait until all of it is freed.
        drop(shared);
        drop(old);
    }

    pub(crate) fn metrics(&self) -> CacheMetrics {
        let shared = lock(&self.shared);
        let bytes = shared.present.bytes.saturating_add(shared.absent.bytes);
        CacheMetrics { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), ..shared.metrics }
    }

    fn turn(&self, key: &K, asked: Instant) -> Turn<'_, K, V, E> {
        let mut shared = lock(&self.shared);
        let Shared { kept, flights, asked_in_vain, metrics, .. } = &mut *shared;
        if let Some(kept) = kept.get(key) {
            let serves = if kept.answer.is_some() { self.config.ttl } else { self.config.absent_ttl };
            if age(kept.began, asked) < serves {
                add(&mut metrics.hits);
                return Turn::Take(kept.answer.clone());
            }
            if self.serves_in_an_outage(kept, asked) && leaves_alone(asked_in_vain, asked) {
                add(&mut metrics.stale);
                return Turn::Take(kept.answer.clone());
            }
        }
        match flights.get(key) {
            // A read that began earlier would already be stale when it returns.
            Some(flight) if age(flight.began, asked) < self.config.ttl => Turn::Wait(Arc::clone(flight)),
            _ => {
                let flight = Arc::new(Flight { began: asked, landed: Mutex::new(None) });
                flights.insert(key.clone(), Arc::clone(&flight));
                Turn::Read(flight, shared)
            }
        }
    }

    fn serves_in_an_outage(&self, kept: &Kept<V>, asked: Instant) -> bool {
        kept.answer.is_some() && age(kept.began, asked) < self.config.outage
    }

    /// Caches what a read returned, or returns the stale answer in place of an error.
    fn land(
        &self,
        key: &K,
        flight: &Arc<Flight<V, E>>,
        answer: Result<Answer<V>, E>,
        now: Instant,
    ) -> Result<Answer<V>, E> {
        let failed = answer.as_ref().is_err_and(self.unreachable);
        let bytes = answer.as_ref().map_or(0, |answer| (self.weigh)(key, answer.as_deref()));
        let mut shared = lock(&self.shared);
        shared.asked_in_vain = failed.then_some(now);
        if shared.remove(key, flight) {
            if let Ok(answer) = &answer {
                shared.number = shared.number.wrapping_add(1);
                // `insert` would not replace the copy of the key that is there.
                let known = shared.kept.remove_entry(key).map(|(key, _)| key);
                let key = known.unwrap_or_else(|| Key::new(key.clone()));
                let new = Queued { key, number: shared.number, began: flight.began, bytes };
                self.keep(&mut shared, new, answer.clone());
            } else if let Some(kept) = shared.kept.get(key)
                && failed
                && self.serves_in_an_outage(kept, now)
            {
                let old = kept.answer.clone();
                add(&mut shared.metrics.stale);
                return Ok(old);
            } else {
                shared.kept.remove(key);
            }
        }
        add(&mut shared.metrics.misses);
        answer
    }

    fn keep(&self, shared: &mut Shared<K, V, E>, new: Queued<K>, answer: Answer<V>) {
        let CacheConfig { ttl, absent_ttl, outage, entries, bytes } = self.config;
        let (queue, serves) = match answer {
            Some(_) => (&mut shared.present, ttl.max(outage)),
            None => (&mut shared.absent, absent_ttl),
        };
        let (number, began) = (new.number, new.began);
        shared.kept.insert(Key::clone(&new.key), Kept { number, began, answer });
        queue.bytes = queue.bytes.saturating_add(new.bytes);
        queue.entries.push_back(new);
        while let Some(oldest) = queue.entries.front()
            && (queue.entries.len() > entries || queue.bytes > bytes || age(oldest.began, began) >= serves)
            && let Some(evicted) = queue.entries.pop_front()
        {
            queue.bytes = queue.bytes.saturating_sub(evicted.bytes);
            if shared.kept.get(&evicted.key).is_some_and(|kept| kept.number == evicted.number) {
                shared.kept.remove(&evicted.key);
            }
        }
    }
}

impl<K: Eq + Hash, V, E> Shared<K, V, E> {
    fn new() -> Self {
        let queue = || Queue { entries: VecDeque::new(), bytes: 0 };
        let (present, absent) = (queue(), queue());
        Self {
            kept: HashMap::new(),
            flights: HashMap::new(),
            present,
            absent,
            number: 0,
            asked_in_vain: None,
            metrics: CacheMetrics::default(),
        }
    }

    /// Removes a read in flight. Returns whether it was there.
    fn remove(&mut self, key: &K, flight: &Arc<Flight<V, E>>) -> bool {
        let there = self.flights.get(key).is_some_and(|present| Arc::ptr_eq(present, flight));
        if there {
            self.flights.remove(key);
        }
        there
    }
}

/// Returns whether the store could not be reached a moment ago. After that moment one caller tries again, while the
/// others leave the store alone.
fn leaves_alone(asked_in_vain: &mut Option<Instant>, asked: Instant) -> bool {
    match *asked_in_vain {
        None => false,
        Some(at) if age(at, asked) < RETRY => true,
        Some(_) => {
            *asked_in_vain = Some(asked);
            false
        }
    }
}

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}

fn age(began: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(began)
}
