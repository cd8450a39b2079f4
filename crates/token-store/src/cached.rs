//! A cache in front of a store.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use token_core::UnixTime;

use crate::{
    Administration, Amend, Amendment, CheckReport, ClaimId, Counts, Cursor, Delete, Entity, Events, Filter,
    Generation, Generations, GrantId, Held, Insert, Item, KeyPlace, KeyRing, Page, Raise, Record, Refund,
    Reinstate, Reseal, Retry, Revocation, Revoke, Spend, StoreError, Sweep, TokenId, TokenStore, Use,
    contract::codec, embedded::forward, owned::Owned,
};
use reads::Reads;
pub use reads::{CacheConfig, CacheMetrics};

mod reads;

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

struct Cache {
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    records: Reads<TokenId, Record, StoreError>,
    generations: Reads<Entity, Generation, StoreError>,
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
            ),
            generations: Reads::new(config, weigh_generation, is_unreachable),
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
        let Ok(cache) = self.cache.0.get() else { return CacheMetrics::default() };
        let (one, other) = (cache.records.metrics(), cache.generations.metrics());
        CacheMetrics {
            hits: one.hits.saturating_add(other.hits),
            misses: one.misses.saturating_add(other.misses),
            joined: one.joined.saturating_add(other.joined),
            stale: one.stale.saturating_add(other.stale),
            bytes: one.bytes.saturating_add(other.bytes),
        }
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

    fn invalidate_records(&self) {
        self.on_here(|cache| cache.records.clear());
    }

    fn invalidate_purged(&self, done: Result<usize, StoreError>) -> Result<usize, StoreError> {
        if !matches!(done, Ok(0)) {
            self.invalidate_records();
        }
        done
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
            record.resource.as_ref().map_or(0, codec::entity_len),
            codec::entity_len(&record.issuer),
            record.name.as_ref().map_or(0, String::len),
            record.body.len(),
            record.metadata.len(),
            record.revocation.as_ref().map_or(0, |revocation| {
                let by = revocation.by.as_ref().map_or(0, codec::entity_len);
                by.saturating_add(revocation.reason.len())
            }),
        ];
        texts.into_iter().fold(size_of::<Record>(), usize::saturating_add)
    });
    OVERHEAD.saturating_add(id.as_bytes().len()).saturating_add(record)
}

fn weigh_generation(subject: &Entity, generation: Option<&Generation>) -> usize {
    let generation = generation.map_or(0, |_| size_of::<Generation>());
    OVERHEAD.saturating_add(codec::entity_len(subject)).saturating_add(generation)
}

#[deny(clippy::missing_trait_methods)]
impl<S: TokenStore> TokenStore for CachedStore<S> {
    forward! { self => self.store, then self.cache.invalidate(&record.id);
        fn insert(record: &Record) -> Insert;
    }

    forward! { self => self.store, then self.cache.invalidate(id);
        fn spend(id: &TokenId, claim: &ClaimId, by: &Use) -> Spend;
        fn claimed(id: &TokenId, claim: &ClaimId) -> Option<Held>;
        fn refund(id: &TokenId, claim: &ClaimId, grant: GrantId) -> Refund;
        fn revoke(id: &TokenId, revocation: &Revocation) -> Revoke;
        fn reinstate(id: &TokenId) -> Reinstate;
        fn amend(id: &TokenId, amendment: &Amendment) -> Amend;
        fn delete(id: &TokenId) -> Delete;
    }

    // A caller that saw a generation here must not see an older one afterwards.
    forward! { self => self.store, then self.cache.invalidate_generation(subject);
        fn present_generation(subject: &Entity) -> Option<Generation>;
        fn raise_generation(subject: &Entity, next: &Generation) -> Raise;
        fn delete_generation(subject: &Entity) -> Delete;
    }

    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        let Cache { records, clock, .. } = self.cache.0.get()?;
        let found = records.get(id, clock, || self.store.get(id))?;
        Ok(found.map(|record| Record::clone(&record)))
    }

    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let page = self.store.list(filter, after, limit)?;
        // A caller that saw a record here must not see an older one afterwards.
        let listed = page.records.iter().map(|record| &record.id).chain(&page.damaged);
        listed.for_each(|id| self.cache.invalidate(id));
        Ok(page)
    }

    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.cache.invalidate_purged(self.store.purge(now, limit))
    }

    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        if !codec::is_stored(subject) {
            return self.store.generation(subject);
        }
        let Cache { generations, clock, .. } = self.cache.0.get()?;
        let found = generations.get(subject, clock, || self.store.generation(subject))?;
        Ok(found.map(|generation| Generation::clone(&generation)))
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Administration> Administration for CachedStore<S> {
    forward! { self => self.store;
        fn counts() -> Counts;
        fn events(after: Option<&Cursor>, limit: usize) -> Events;
        fn check(keys: Option<&KeyRing>) -> CheckReport;
    }

    forward! { self => self.store, then self.cache.invalidate_records();
        fn revoke_all(filter: &Filter, revocation: &Revocation, after: Option<&Cursor>, limit: usize) -> Sweep;
        fn delete_all(filter: &Filter, after: Option<&Cursor>, limit: usize) -> Sweep;
        fn revoke_before(time: UnixTime) -> UnixTime;
    }

    forward! { self => self.store, then self.cache.invalidate(id);
        fn claims(id: &TokenId, after: Option<&ClaimId>, limit: usize) -> Vec<(ClaimId, Held)>;
    }

    forward! { self => self.store, then changes.iter().for_each(|change| self.cache.invalidate_place(&change.place));
        fn reseal(changes: &[Reseal]) -> usize;
    }

    forward! { self => self.store, then items.iter().for_each(|item| self.cache.invalidate_place(&item.sealed().1.place()));
        fn restore(items: &[Item]) -> usize;
    }

    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError> {
        self.cache.invalidate_purged(self.store.purge_spent(now, retention, limit))
    }

    fn generations(&self, after: Option<&Cursor>, limit: usize) -> Result<Generations, StoreError> {
        let page = self.store.generations(after, limit)?;
        let sound = page.sound.iter().map(|(subject, _)| subject);
        sound.chain(&page.damaged).for_each(|subject| self.cache.invalidate_generation(subject));
        Ok(page)
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
