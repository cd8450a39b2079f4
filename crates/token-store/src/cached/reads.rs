//! Cached answers and reads in flight: the part of the cache that threads share.
//!
//! A slot holds the last answer and the read in flight. Dropping a key removes its slot. The reader in flight, and
//! those who wait for it, still get its answer, but it finds no slot of its own to store the answer in.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    // One copy of a key, shared by its slot and the queue. Not from `sync`: threads do not synchronize through it.
    sync::{Arc as Key, PoisonError},
    time::{Duration, Instant},
};

use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

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

/// The source of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A fresh cached answer.
    Kept,
    /// A stale cached answer, because the store cannot be reached.
    Old,
    /// Another caller's read.
    Joined,
    /// A read of the store.
    Asked,
}

/// `None` if the store has no value.
type Answer<V> = Option<Arc<V>>;

pub(crate) struct Reads<K, V, E> {
    config: CacheConfig,
    /// Returns the size of an answer with its key, in bytes.
    weigh: fn(&K, Option<&V>) -> usize,
    /// Returns whether an error means that the store cannot be reached.
    unreachable: fn(&E) -> bool,
    hasher: RandomState,
    shards: Vec<Mutex<Shard<K, V, E>>>,
    /// When a read last failed to reach the store; `None` while the store answers.
    asked_in_vain: Mutex<Option<Instant>>,
}

struct Shard<K, V, E> {
    slots: HashMap<Key<K>, Slot<V, E>>,
    // Absences have a queue of their own, so that names made up by an attacker evict no present value.
    present: Queue<K>,
    absent: Queue<K>,
    count: u64,
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

/// Never empty.
struct Slot<V, E> {
    kept: Option<Kept<V>>,
    flight: Option<Arc<Flight<V, E>>>,
}

struct Kept<V> {
    number: u64,
    began: Instant,
    answer: Answer<V>,
}

/// A read in flight.
struct Flight<V, E> {
    began: Instant,
    landing: Mutex<Landing<V, E>>,
    changed: Condvar,
}

enum Landing<V, E> {
    Underway,
    Done(Result<Answer<V>, E>),
    /// The reader panicked.
    Lost,
}

/// What a caller must do next.
enum Turn<V, E> {
    Take(Answer<V>, Source),
    Wait(Arc<Flight<V, E>>),
    Read(Arc<Flight<V, E>>),
}

impl<K: Eq + Hash + Clone, V, E: Clone> Reads<K, V, E> {
    pub(crate) fn new(
        config: CacheConfig,
        weigh: fn(&K, Option<&V>) -> usize,
        unreachable: fn(&E) -> bool,
        shards: usize,
    ) -> Self {
        let shard = || {
            let (present, absent) = (Queue::new(), Queue::new());
            Mutex::new(Shard { slots: HashMap::new(), present, absent, count: 0 })
        };
        let shards = std::iter::repeat_with(shard).take(shards.max(1)).collect();
        let (hasher, asked_in_vain) = (RandomState::new(), Mutex::new(None));
        Self { config, weigh, unreachable, hasher, shards, asked_in_vain }
    }

    pub(crate) const fn config(&self) -> &CacheConfig {
        &self.config
    }

    /// Returns the cached answer if it is fresh, and otherwise that of `read`. Only one caller per key runs `read` at a
    /// time, and holds no lock meanwhile.
    pub(crate) fn get(
        &self,
        key: &K,
        now: &dyn Fn() -> Instant,
        read: impl FnOnce() -> Result<Option<V>, E>,
    ) -> (Result<Answer<V>, E>, Source) {
        let asked = now();
        let flight = loop {
            match self.turn(key, asked) {
                Turn::Take(answer, source) => return (Ok(answer), source),
                Turn::Wait(flight) => {
                    if let Some(answer) = flight.wait() {
                        return (answer, Source::Joined);
                    }
                }
                Turn::Read(flight) => break flight,
            }
        };
        let reading = Reading { reads: self, key, flight };
        let answer = read().map(|found| found.map(Arc::new));
        reading.land(answer, now)
    }

    /// Drops a key: its cached answer and the slot of the read in flight.
    pub(crate) fn drop_key(&self, key: &K) {
        if let Some(mut shard) = self.shard(key) {
            shard.slots.remove(key);
        }
    }

    /// Drops every key.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.slots.clear();
            shard.present = Queue::new();
            shard.absent = Queue::new();
        }
    }

    /// Returns the size of all cached answers in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(lock).fold(0, |bytes, shard| {
            bytes.saturating_add(shard.present.bytes).saturating_add(shard.absent.bytes)
        })
    }

    fn turn(&self, key: &K, asked: Instant) -> Turn<V, E> {
        let new = || Arc::new(Flight::new(asked));
        let Some(mut shard) = self.shard(key) else { return Turn::Read(new()) };
        let Some(slot) = shard.slots.get_mut(key) else {
            let flight = new();
            shard.slots.insert(Key::new(key.clone()), Slot { kept: None, flight: Some(Arc::clone(&flight)) });
            return Turn::Read(flight);
        };
        if let Some(kept) = &slot.kept {
            let serves = if kept.answer.is_some() { self.config.ttl } else { self.config.absent_ttl };
            if age(kept.began, asked) < serves {
                return Turn::Take(kept.answer.clone(), Source::Kept);
            }
            if self.serves_in_an_outage(kept, asked) && self.leaves_alone(asked) {
                return Turn::Take(kept.answer.clone(), Source::Old);
            }
        }
        match &slot.flight {
            // A read that began earlier would already be stale when it returns.
            Some(flight) if age(flight.began, asked) < self.config.ttl => Turn::Wait(Arc::clone(flight)),
            _ => {
                let flight = new();
                slot.flight = Some(Arc::clone(&flight));
                Turn::Read(flight)
            }
        }
    }

    fn serves_in_an_outage(&self, kept: &Kept<V>, asked: Instant) -> bool {
        kept.answer.is_some() && age(kept.began, asked) < self.config.outage
    }

    /// Returns whether the store could not be reached a moment ago. After that moment one caller tries again, while the
    /// others leave the store alone.
    fn leaves_alone(&self, asked: Instant) -> bool {
        let mut asked_in_vain = lock(&self.asked_in_vain);
        match *asked_in_vain {
            None => false,
            Some(at) if age(at, asked) < RETRY => true,
            Some(_) => {
                *asked_in_vain = Some(asked);
                false
            }
        }
    }

    fn shard(&self, key: &K) -> Option<MutexGuard<'_, Shard<K, V, E>>> {
        let count = u64::try_from(self.shards.len()).ok()?;
        let at = usize::try_from(self.hasher.hash_one(key).checked_rem(count)?).ok()?;
        self.shards.get(at).map(lock)
    }
}

impl<V, E: Clone> Flight<V, E> {
    fn new(began: Instant) -> Self {
        Self { began, landing: Mutex::new(Landing::Underway), changed: Condvar::new() }
    }

    /// Returns `None` if the reader panicked.
    fn wait(&self) -> Option<Result<Answer<V>, E>> {
        let mut landing = lock(&self.landing);
        loop {
            match &*landing {
                Landing::Underway => {
                    landing = self.changed.wait(landing).unwrap_or_else(PoisonError::into_inner);
                }
                Landing::Done(answer) => return Some(answer.clone()),
                Landing::Lost => return None,
            }
        }
    }
}

/// A caller that reads. Dropping this wakes those who wait, also after a panic.
struct Reading<'a, K: Eq + Hash + Clone, V, E: Clone> {
    reads: &'a Reads<K, V, E>,
    key: &'a K,
    flight: Arc<Flight<V, E>>,
}

impl<K: Eq + Hash + Clone, V, E: Clone> Reading<'_, K, V, E> {
    fn land(self, answer: Result<Answer<V>, E>, now: &dyn Fn() -> Instant) -> (Result<Answer<V>, E>, Source) {
        if self.reads.config.outage > Duration::ZERO {
            let failed = answer.as_ref().is_err_and(self.reads.unreachable).then(now);
            *lock(&self.reads.asked_in_vain) = failed;
        }
        let landed = match answer {
            Ok(answer) => {
                self.keep(&answer);
                (Ok(answer), Source::Asked)
            }
            Err(error) => match self.old(&error, now) {
                Some(old) => (Ok(old), Source::Old),
                None => (Err(error), Source::Asked),
            },
        };
        *lock(&self.flight.landing) = Landing::Done(landed.0.clone());
        landed
    }

    fn keep(&self, answer: &Answer<V>) {
        let Some(mut shard) = self.reads.shard(self.key) else { return };
        let Shard { slots, present, absent, count } = &mut *shard;
        let Some((key, slot)) = slots.remove_entry(self.key) else { return };
        if !slot.is_read_by(&self.flight) {
            slots.insert(key, slot);
            return;
        }
        *count = count.wrapping_add(1);
        let (number, began) = (*count, self.flight.began);
        let kept = Kept { number, began, answer: answer.clone() };
        let CacheConfig { ttl, absent_ttl, outage, entries, bytes } = self.reads.config;
        let weight = (self.reads.weigh)(self.key, answer.as_deref());
        let (queue, serves) = match answer {
            Some(_) => (present, ttl.max(outage)),
            None => (absent, absent_ttl),
        };
        queue.entries.push_back(Queued { key: Key::clone(&key), number, began, bytes: weight });
        queue.bytes = queue.bytes.saturating_add(weight);
        slots.insert(key, Slot { kept: Some(kept), flight: None });
        let part = |bound: usize| bound.div_ceil(self.reads.shards.len());
        while let Some(oldest) = queue.entries.front()
            && (queue.entries.len() > part(entries)
                || queue.bytes > part(bytes)
                || age(oldest.began, began) >= serves)
            && let Some(evicted) = queue.entries.pop_front()
        {
            queue.bytes = queue.bytes.saturating_sub(evicted.bytes);
            if let Some(slot) = slots.get_mut(&evicted.key)
                && slot.kept.as_ref().is_some_and(|kept| kept.number == evicted.number)
            {
                slot.kept = None;
                if slot.flight.is_none() {
                    slots.remove(&evicted.key);
                }
            }
        }
    }

    /// Returns the stale answer, if it may be used in place of this error.
    fn old(&self, error: &E, now: &dyn Fn() -> Instant) -> Option<Answer<V>> {
        let mut shard = self.reads.shard(self.key)?;
        let slot = shard.slots.get_mut(self.key)?;
        if !slot.is_read_by(&self.flight) {
            return None;
        }
        slot.flight = None;
        let serves =
            |kept: &Kept<V>| (self.reads.unreachable)(error) && self.reads.serves_in_an_outage(kept, now());
        slot.kept = slot.kept.take().filter(serves);
        let old = slot.kept.as_ref().map(|kept| kept.answer.clone());
        if old.is_none() {
            shard.slots.remove(self.key);
        }
        old
    }
}

impl<K: Eq + Hash + Clone, V, E: Clone> Drop for Reading<'_, K, V, E> {
    fn drop(&mut self) {
        if matches!(*lock(&self.flight.landing), Landing::Underway) {
            // First, so that the woken threads do not find this read in flight again.
            if let Some(mut shard) = self.reads.shard(self.key)
                && shard.slots.get(self.key).is_some_and(|slot| slot.is_read_by(&self.flight))
            {
                shard.slots.remove(self.key);
            }
            *lock(&self.flight.landing) = Landing::Lost;
        }
        self.flight.changed.notify_all();
    }
}

impl<K> Queue<K> {
    const fn new() -> Self {
        Self { entries: VecDeque::new(), bytes: 0 }
    }
}

impl<V, E> Slot<V, E> {
    fn is_read_by(&self, flight: &Arc<Flight<V, E>>) -> bool {
        self.flight.as_ref().is_some_and(|present| Arc::ptr_eq(present, flight))
    }
}

fn age(began: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(began)
}

// A panic of ours never leaves a lock's content half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
