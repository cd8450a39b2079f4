//! A cache in front of a store.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use token_core::UnixTime;

use crate::{
    Administration, CheckReport, ClaimId, Counts, Cursor, Entity, Filter, Generation, Generations, GrantId,
    Held, Insert, Item, KeyPlace, KeyRing, Page, Raise, Record, Refund, Reseal, Retry, Revoke, Spend,
    StoreError, Sweep, TokenId, TokenStore, contract::codec, owned::Owned,
};
pub use reads::CacheConfig;
use reads::{Reads, Source};

mod reads;

/// The number of shards of a cache. Each has a lock of its own.
const SHARDS: usize = 16;

/// A cache in front of a store, so that a host can verify many tokens with few calls to its store.
///
/// The cache answers [`get`](TokenStore::get) and [`generation`](TokenStore::generation), but not
/// [`present_generation`](TokenStore::present_generation). Concurrent reads of the same key make one call to the store.
/// Every other call goes to the store, and invalidates what it touched before it returns. Errors are never cached.
///
/// # Contract
/// That of the store beneath, for calls through one cache and its clones. A write that bypasses the cache becomes
/// visible at most [`CacheConfig::ttl`] later, by a monotonic clock, or at once if an [`Invalidator`] is called. So one
/// host may accept a token for that long after another has revoked it. It can never spend what another has spent or
/// revoked, since the store decides that.
///
/// The clock is [`Instant`], which stands still on some systems while the machine sleeps. Call
/// [`Invalidator::invalidate_all`] after a sleep.
///
/// Root keys stay sealed in the cache, as in the store.
///
/// ```
/// use token_store::{CacheConfig, CachedStore, MemoryStore};
///
/// let store = CachedStore::new(MemoryStore::new(), CacheConfig::default());
/// // For a thread that receives changes made by other hosts.
/// let invalidator = store.invalidator();
/// std::thread::spawn(move || invalidator.invalidate_all());
/// ```
#[derive(Clone)]
pub struct CachedStore<S> {
    store: S,
    cache: Invalidator,
}

/// Invalidates entries of a [`CachedStore`] that changed in the store without the cache. For a listener, such as
/// `PostgresStore::listen` or one of your own. A listener that connects or reconnects has missed earlier changes, and
/// must call [`invalidate_all`](Self::invalidate_all).
#[derive(Clone)]
pub struct Invalidator(Arc<Owned<Cache>>);

/// Counters of a [`CachedStore`] since it was made.
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

struct Cache {
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    records: Reads<TokenId, Record, StoreError>,
    generations: Reads<Entity, Generation, StoreError>,
    answered: Answered,
}

#[derive(Default)]
struct Answered {
    hits: AtomicU64,
    misses: AtomicU64,
    joined: AtomicU64,
    stale: AtomicU64,
}

impl<S> CachedStore<S> {
    /// Makes a cache in front of a store.
    pub fn new(store: S, config: CacheConfig) -> Self {
        Self::with_clock(store, config, Instant::now)
    }

    /// As [`new`](Self::new), with another clock, which must never go back.
    pub fn with_clock(
        store: S,
        config: CacheConfig,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let cache = Cache {
            clock: Box::new(clock),
            // Stale records are never used.
            records: Reads::new(
                CacheConfig { outage: Duration::ZERO, ..config.clone() },
                weigh_record,
                is_unreachable,
                SHARDS,
            ),
            generations: Reads::new(config, weigh_generation, is_unreachable, SHARDS),
            answered: Answered::default(),
        };
        Self { store, cache: Invalidator(Arc::new(Owned::new(cache))) }
    }

    /// Returns the store beneath. The cache does not see what is written to it directly, as with a write by another
    /// host.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Returns an invalidator for this cache and its clones.
    #[must_use]
    pub fn invalidator(&self) -> Invalidator {
        self.cache.clone()
    }

    /// Returns the counters of this cache. They are not read at one moment. All zero in a forked process.
    #[must_use]
    pub fn metrics(&self) -> CacheMetrics {
        let Ok(Cache { records, generations, answered, .. }) = self.cache.0.get() else {
            return CacheMetrics::default();
        };
        let Answered { hits, misses, joined, stale } = answered;
        let [hits, misses, joined, stale] =
            [hits, misses, joined, stale].map(|count| count.load(Ordering::Relaxed));
        let bytes = records.bytes().saturating_add(generations.bytes());
        CacheMetrics { hits, misses, joined, stale, bytes: u64::try_from(bytes).unwrap_or(u64::MAX) }
    }
}

impl Invalidator {
    /// Invalidates a record and every read of it in flight: later reads ask the store. Does nothing for an absent
    /// entry, or in a forked process.
    pub fn invalidate(&self, id: &TokenId) {
        self.on_here(|cache| cache.records.drop_key(id));
    }

    /// Invalidates the generation of a subject, as [`invalidate`](Self::invalidate) does a record.
    pub fn invalidate_generation(&self, subject: &Entity) {
        self.on_here(|cache| cache.generations.drop_key(subject));
    }

    /// Invalidates every record and every generation, as [`invalidate`](Self::invalidate) does one record.
    pub fn invalidate_all(&self) {
        self.on_here(|cache| {
            cache.records.clear();
            cache.generations.clear();
        });
    }

    fn invalidate_place(&self, place: &KeyPlace) {
        match place {
            KeyPlace::Token(id) => self.invalidate(id),
            KeyPlace::Generation(subject) => self.invalidate_generation(subject),
        }
    }

    // Does nothing in a forked process, where a lock that another thread held would block for ever.
    fn on_here(&self, forget: impl FnOnce(&Cache)) {
        if let Ok(cache) = self.0.get() {
            forget(cache);
        }
    }
}

// Not for errors that an operator must fix, such as that the server denies access.
fn is_unreachable(error: &StoreError) -> bool {
    error.retry() == Retry::Safe
}

/// The overhead of an entry besides its key and its answer, in bytes: its slot, its place in the queue, and the
/// reference counts of what they share.
const OVERHEAD: usize = 256;

fn weigh_record(id: &TokenId, record: Option<&Record>) -> usize {
    let record = record.map_or(0, |record| {
        let texts = [
            record.id.as_bytes().len(),
            record.purpose.as_str().len(),
            record.resource.as_ref().map_or(0, len),
            len(&record.issuer),
            record.root_key.ciphertext.len(),
            record.name.as_ref().map_or(0, String::len),
        ];
        texts.into_iter().fold(size_of::<Record>(), usize::saturating_add)
    });
    OVERHEAD.saturating_add(id.as_bytes().len()).saturating_add(record)
}

fn weigh_generation(subject: &Entity, generation: Option<&Generation>) -> usize {
    let generation = generation
        .map_or(0, |generation| size_of::<Generation>().saturating_add(generation.root_key.ciphertext.len()));
    OVERHEAD.saturating_add(len(subject)).saturating_add(generation)
}

fn len(entity: &Entity) -> usize {
    entity.kind.len().saturating_add(entity.id.len())
}

impl Answered {
    fn count(&self, source: Source) {
        let count = match source {
            Source::Kept => &self.hits,
            Source::Asked => &self.misses,
            Source::Joined => &self.joined,
            Source::Old => &self.stale,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl<S> CachedStore<S> {
    /// Also after an error, since the call may have happened.
    fn forgetting<T>(&self, id: &TokenId, done: T) -> T {
        self.cache.invalidate(id);
        done
    }

    fn forgetting_records<T>(&self, done: T) -> T {
        self.cache.on_here(|cache| cache.records.clear());
        done
    }

    fn forgetting_purged(&self, done: Result<usize, StoreError>) -> Result<usize, StoreError> {
        match done {
            Ok(0) => done,
            _ => self.forgetting_records(done),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: TokenStore> TokenStore for CachedStore<S> {
    fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        self.forgetting(&record.id, self.store.insert(record))
    }

    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        let Cache { records, clock, answered, .. } = self.cache.0.get()?;
        let (found, source) = records.get(id, clock, || self.store.get(id));
        answered.count(source);
        Ok(found?.map(|record| Record::clone(&record)))
    }

    fn spend(&self, id: &TokenId, claim: &ClaimId, now: UnixTime) -> Result<Spend, StoreError> {
        self.forgetting(id, self.store.spend(id, claim, now))
    }

    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        self.forgetting(id, self.store.claimed(id, claim))
    }

    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        self.forgetting(id, self.store.refund(id, claim, grant))
    }

    fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError> {
        self.forgetting(id, self.store.revoke(id))
    }

    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let page = self.store.list(filter, after, limit)?;
        // A caller that saw a record here must not see an older one afterwards.
        let listed = page.records.iter().map(|record| &record.id).chain(&page.damaged);
        listed.for_each(|id| self.cache.invalidate(id));
        Ok(page)
    }

    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.forgetting_purged(self.store.purge(now, limit))
    }

    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        if !codec::is_stored(subject) {
            return self.store.generation(subject);
        }
        let Cache { generations, clock, answered, .. } = self.cache.0.get()?;
        let (found, source) = generations.get(subject, clock, || self.store.generation(subject));
        answered.count(source);
        Ok(found?.map(|generation| Generation::clone(&generation)))
    }

    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        let found = self.store.present_generation(subject);
        // A caller that saw this generation must not see an older one afterwards.
        self.cache.invalidate_generation(subject);
        found
    }

    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        let done = self.store.raise_generation(subject, next);
        self.cache.invalidate_generation(subject);
        done
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Administration> Administration for CachedStore<S> {
    fn revoke_all(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Sweep, StoreError> {
        self.forgetting_records(self.store.revoke_all(filter, after, limit))
    }

    fn revoke_before(&self, time: UnixTime) -> Result<UnixTime, StoreError> {
        self.forgetting_records(self.store.revoke_before(time))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.store.counts()
    }

    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError> {
        self.forgetting_purged(self.store.purge_spent(now, retention, limit))
    }

    fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError> {
        self.forgetting(id, self.store.claims(id, after, limit))
    }

    fn generations(&self, after: Option<&Cursor>, limit: usize) -> Result<Generations, StoreError> {
        let page = self.store.generations(after, limit)?;
        let sound = page.sound.iter().map(|(subject, _)| subject);
        sound.chain(&page.damaged).for_each(|subject| self.cache.invalidate_generation(subject));
        Ok(page)
    }

    fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError> {
        let done = self.store.reseal(changes);
        changes.iter().for_each(|change| self.cache.invalidate_place(&change.place));
        done
    }

    fn restore(&self, items: &[Item]) -> Result<usize, StoreError> {
        let done = self.store.restore(items);
        items.iter().for_each(|item| self.cache.invalidate_place(&item.sealed().2));
        done
    }

    fn check(&self, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError> {
        self.store.check(keys)
    }
}

/// Shows the store and the configuration of the cache.
impl<S: fmt::Debug> fmt::Debug for CachedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore")
            .field("store", &self.store)
            .field("config", &self.cache.0.get().map(|cache| cache.generations.config()).ok())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Invalidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalidator")
    }
}
