//! When a cache may answer by itself, and when it must ask the store.

use std::{
    cell::Cell,
    io,
    num::NonZeroU64,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use token_core::UnixTime;
use token_store::{
    Administration, Amend, Amendment, CacheConfig, CachedStore, ClaimId, Cursor, Delete, Entity, Filter,
    Generation, GrantId, Held, Insert, KeyPlace, KeyRing, MemoryStore, Page, Raise, Record, Refund,
    Reinstate, Reseal, Revocation, Revoke, Spend, StoreError, Terms, TokenId, TokenStore, Use,
};
use token_test::records::{self, FOR_GOOD, USE, claim, generation, id, terms, user};

const TTL: Duration = Duration::from_secs(3);
const ABSENT_TTL: Duration = Duration::from_secs(1);
const OUTAGE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);

// Ignores the answer of a call.
fn done<T>(_: T) {}

fn record(keys: &KeyRing, id: &TokenId, limit: Option<u64>) -> Record {
    let (expires, use_limit) = (Some(UnixTime::from_secs(1_500_003_600)), limit.and_then(NonZeroU64::new));
    records::record(keys, Terms { expires, use_limit, ..terms(id) })
}

/// A store in memory that counts reads. It fails, panics, or holds a read back on request.
#[derive(Clone, Debug, Default)]
struct Far {
    store: MemoryStore,
    told: Arc<Told>,
}

#[derive(Debug, Default)]
struct Told {
    reads: AtomicUsize,
    fails: Mutex<Option<StoreError>>,
    panics: AtomicBool,
    held: Mutex<Option<Stopped>>,
}

/// Makes the next read report that it has read, and return only when it is released.
#[derive(Debug)]
struct Stopped {
    has_read: Sender<()>,
    let_go: Receiver<()>,
}

impl Far {
    fn read<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.told.reads.fetch_add(1, SeqCst);
        assert!(!self.told.panics.swap(false, SeqCst), "the store panics");
        if let Some(error) = self.told.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let found = read();
        let held = self.told.held.lock().unwrap().take();
        if let Some(held) = held {
            held.has_read.send(()).unwrap();
            held.let_go.recv().unwrap();
        }
        found
    }

    /// Holds the next read. The receiver gets a message when it has read; the sender releases it.
    fn hold(&self) -> (Receiver<()>, Sender<()>) {
        let ((has_read, seen), (go, let_go)) = (mpsc::channel(), mpsc::channel());
        *self.told.held.lock().unwrap() = Some(Stopped { has_read, let_go });
        (seen, go)
    }

    fn fail(&self, error: Option<StoreError>) {
        *self.told.fails.lock().unwrap() = error;
    }

    fn reads(&self) -> usize {
        self.told.reads.load(SeqCst)
    }
}

#[deny(clippy::missing_trait_methods)]
impl TokenStore for Far {
    fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        self.store.insert(record)
    }
    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        self.read(|| self.store.get(id))
    }
    fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Result<Spend, StoreError> {
        self.store.spend(id, claim, by)
    }
    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        self.store.claimed(id, claim)
    }
    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        self.store.refund(id, claim, grant)
    }
    fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Result<Revoke, StoreError> {
        self.store.revoke(id, revocation)
    }
    fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError> {
        self.store.reinstate(id)
    }
    fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError> {
        self.store.amend(id, amendment)
    }
    fn delete(&self, id: &TokenId) -> Result<Delete, StoreError> {
        self.store.delete(id)
    }
    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.store.list(filter, after, limit)
    }
    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.store.purge(now, limit)
    }
    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.read(|| self.store.generation(subject))
    }
    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.read(|| self.store.present_generation(subject))
    }
    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        self.store.raise_generation(subject, next)
    }
    fn delete_generation(&self, subject: &Entity) -> Result<Delete, StoreError> {
        self.store.delete_generation(subject)
    }
}

/// A host with a cache, whose clock stands still.
struct Host {
    far: Far,
    cached: CachedStore<Far>,
    keys: KeyRing,
    clock: Arc<Mutex<Instant>>,
}

impl Host {
    fn new() -> Self {
        Self::with(CacheConfig { ttl: TTL, absent_ttl: ABSENT_TTL, outage: OUTAGE, ..CacheConfig::default() })
    }

    fn with(config: CacheConfig) -> Self {
        let (far, clock) = (Far::default(), Arc::new(Mutex::new(Instant::now())));
        let now = Arc::clone(&clock);
        let cached = CachedStore::with_clock(far.clone(), config, move || *now.lock().unwrap());
        Self { far, cached, keys: KeyRing::generate().unwrap(), clock }
    }

    /// Inserts a record at another host.
    fn insert(&self, name: impl std::fmt::Display, limit: Option<u64>) -> TokenId {
        let id = id(name);
        assert_eq!(self.far.store.insert(&record(&self.keys, &id, limit)).unwrap(), Insert::Inserted);
        id
    }

    fn raise(&self, number: u64) {
        let next = generation(&self.keys, number);
        assert_eq!(self.far.store.raise_generation(user(), &next).unwrap(), Raise::Raised);
    }

    fn pass(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }

    fn revoked(&self, id: &TokenId) -> bool {
        self.cached.get(id).unwrap().unwrap().is_revoked()
    }

    fn number(&self) -> u64 {
        self.cached.generation(user()).unwrap().unwrap().number
    }
}

fn unreachable() -> Option<StoreError> {
    Some(StoreError::Io(Arc::new(io::ErrorKind::ConnectionRefused.into())))
}

#[test]
fn sixty_four_that_ask_for_one_record_ask_the_store_once() {
    for present in [true, false] {
        let host = Host::new();
        let id = if present { host.insert("a", None) } else { id("a") };
        let (has_read, go) = host.far.hold();
        let (start, asking) = (Barrier::new(64), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    start.wait();
                    asking.fetch_add(1, SeqCst);
                    assert_eq!(host.cached.get(&id).unwrap().is_some(), present);
                });
            }
            has_read.recv().unwrap();
            while asking.load(SeqCst) < 64 {
                thread::yield_now();
            }
            go.send(()).unwrap();
        });
        assert_eq!(host.far.reads(), 1);
        let metrics = host.cached.metrics();
        assert_eq!((metrics.misses, metrics.hits + metrics.joined, metrics.stale), (1, 63, 0));
    }
}

#[test]
fn a_revocation_elsewhere_is_seen_after_the_time_to_live() {
    let host = Host::new();
    let id = host.insert("a", None);
    assert!(!host.revoked(&id));
    assert_eq!(host.far.revoke(&id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    host.pass(TTL - TICK);
    assert!(!host.revoked(&id));
    assert_eq!(host.far.reads(), 1);
    host.pass(TICK);
    assert!(host.revoked(&id));
    assert_eq!(host.far.reads(), 2);
}

#[test]
fn the_time_to_live_counts_from_before_the_store_was_asked() {
    let host = Host::new();
    let id = host.insert("a", None);
    let (has_read, go) = host.far.hold();
    thread::scope(|scope| {
        let slow = scope.spawn(|| host.revoked(&id));
        has_read.recv().unwrap();
        assert_eq!(host.far.revoke(&id, &FOR_GOOD).unwrap(), Revoke::Revoked);
        host.pass(TTL);
        // The slow answer would be stale for this caller, who does not wait for it.
        assert!(host.revoked(&id));
        go.send(()).unwrap();
        assert!(!slow.join().unwrap());
    });
    assert!(host.revoked(&id), "a slow answer does not replace a newer one");

    let other = host.insert("b", None);
    let (has_read, go) = host.far.hold();
    thread::scope(|scope| {
        let slow = scope.spawn(|| host.revoked(&other));
        has_read.recv().unwrap();
        assert_eq!(host.far.revoke(&other, &FOR_GOOD).unwrap(), Revoke::Revoked);
        host.pass(TTL);
        go.send(()).unwrap();
        assert!(!slow.join().unwrap());
    });
    assert!(host.revoked(&other), "an answer that comes too late serves nobody else");
}

#[test]
fn that_there_is_none_serves_shorter() {
    let host = Host::new();
    assert!(host.cached.get(&id("a")).unwrap().is_none());
    let id = host.insert("a", None);
    host.pass(ABSENT_TTL - TICK);
    assert!(host.cached.get(&id).unwrap().is_none());
    host.pass(TICK);
    assert!(host.cached.get(&id).unwrap().is_some());

    assert!(host.cached.generation(user()).unwrap().is_none());
    host.raise(1);
    host.pass(ABSENT_TTL);
    assert_eq!(host.number(), 1);
}

#[test]
fn nothing_serves_where_the_time_to_live_is_zero() {
    let zero = Duration::ZERO;
    let host =
        Host::with(CacheConfig { ttl: zero, absent_ttl: zero, outage: zero, ..CacheConfig::default() });
    let id = host.insert("a", None);
    assert!(!host.revoked(&id));
    assert_eq!(host.far.revoke(&id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert!(host.revoked(&id));
}

/// Starts a read, changes the store while it is in flight, and returns what two later reads return: one before and one
/// after the first reader has returned the old value.
fn overtaken<T: Copy + Send + PartialEq + std::fmt::Debug>(
    host: &Host,
    read: impl Fn() -> T + Send + Sync,
    change: impl FnOnce(),
) -> T {
    let before = read();
    host.cached.invalidator().invalidate_all();
    let (has_read, go) = host.far.hold();
    let during = thread::scope(|scope| {
        let slow = scope.spawn(&read);
        has_read.recv().unwrap();
        change();
        let during = read();
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap(), before);
        during
    });
    assert_ne!(during, before);
    assert_eq!(read(), during, "what was read before the change was kept");
    // Otherwise the second read would only be the store's own answer.
    assert!(host.cached.metrics().hits > 0);
    during
}

#[test]
fn what_was_read_before_a_change_is_not_kept_after_it() {
    let host = Host::new();
    let uses = |id: &TokenId| host.cached.get(id).unwrap().map(|record| record.uses);
    let revoked = |id: &TokenId| host.cached.get(id).unwrap().map(|record| record.is_revoked());
    let cached = &host.cached;

    let a = host.insert("a", Some(9));
    let grant = Cell::new(None);
    let spend = || grant.set(cached.spend(&a, &claim(1), &USE).unwrap().grant());
    assert_eq!(overtaken(&host, || uses(&a), spend), Some(1));
    let grant = grant.get().unwrap();
    let refunded = overtaken(&host, || uses(&a), || done(cached.refund(&a, &claim(1), grant).unwrap()));
    assert_eq!(refunded, Some(0));
    // A use that another host spent, and that this host learns of.
    let told = overtaken(
        &host,
        || uses(&a),
        || {
            let _spent = host.far.spend(&a, &claim(2), &USE).unwrap();
            let held = cached.claimed(&a, &claim(2)).unwrap();
            assert_eq!(held.map(|held| held.uses_left), Some(8));
        },
    );
    assert_eq!(told, Some(1));
    let listed = overtaken(
        &host,
        || uses(&a),
        || {
            let _spent = host.far.spend(&a, &claim(3), &USE).unwrap();
            assert_eq!(cached.list(&Filter::All, None, 9).unwrap().records[0].uses, 2);
        },
    );
    assert_eq!(listed, Some(2));
    let reversible = Revocation { reversible: true, ..FOR_GOOD };
    let revoke = || done(cached.revoke(&a, &reversible).unwrap());
    assert_eq!(overtaken(&host, || revoked(&a), revoke), Some(true));
    assert_eq!(overtaken(&host, || revoked(&a), || done(cached.reinstate(&a).unwrap())), Some(false));
    let metadata = |id: &TokenId| host.cached.get(id).unwrap().map(|record| record.metadata.len());
    let amendment = Amendment { name: None, metadata: Some(vec![1]) };
    let amend = || done(cached.amend(&a, &amendment).unwrap());
    assert_eq!(overtaken(&host, || metadata(&a), amend), Some(1));
    assert_eq!(overtaken(&host, || uses(&a), || done(cached.delete(&a).unwrap())), None);

    for (name, invalidate_all) in [("b", false), ("c", true)] {
        let id = host.insert(name, None);
        let change = || {
            let _revoked = host.far.revoke(&id, &FOR_GOOD).unwrap();
            let invalidator = cached.invalidator();
            if invalidate_all { invalidator.invalidate_all() } else { invalidator.invalidate(&id) }
        };
        assert_eq!(overtaken(&host, || revoked(&id), change), Some(true));
    }

    let new = id("new");
    let insert = || done(cached.insert(&record(&host.keys, &new, None)).unwrap());
    assert_eq!(overtaken(&host, || uses(&new), insert), Some(0));
    let purge = || assert!(cached.purge(UnixTime::from_secs(1_500_003_600), 99).unwrap() > 0);
    assert_eq!(overtaken(&host, || uses(&new), purge), None);

    host.raise(1);
    let raise = |number| done(cached.raise_generation(user(), &generation(&host.keys, number)).unwrap());
    assert_eq!(overtaken(&host, || host.number(), || raise(2)), 2);
    let elsewhere = || {
        host.raise(3);
        cached.invalidator().invalidate_generation(user());
    };
    assert_eq!(overtaken(&host, || host.number(), elsewhere), 3);
    let refused = || {
        host.raise(4);
        raise(4); // stale, which shows that there is a newer one
    };
    assert_eq!(overtaken(&host, || host.number(), refused), 4);
    let number = || cached.generation(user()).unwrap().map(|generation| generation.number);
    let delete = || done(cached.delete_generation(user()).unwrap());
    assert_eq!(overtaken(&host, number, delete), None);
}

#[test]
fn administration_forgets_what_it_changes() {
    let mut keys = KeyRing::generate().unwrap();
    let store = CachedStore::new(MemoryStore::new(), CacheConfig::default());
    let insert = |keys: &KeyRing, name: &str, limit| {
        let id = id(name);
        assert_eq!(store.insert(&record(keys, &id, limit)).unwrap(), Insert::Inserted);
        id
    };
    let (a, b, c) = (insert(&keys, "a", None), insert(&keys, "b", None), insert(&keys, "c", Some(1)));
    let get = |id: &TokenId| store.get(id).unwrap();
    let first = get(&a).unwrap().root_key;
    assert_eq!(store.raise_generation(user(), &generation(&keys, 1)).unwrap(), Raise::Raised);
    let old = store.generation(user()).unwrap().unwrap().root_key;

    keys.rotate().unwrap();
    let new = generation(&keys, 1).root_key;
    let place = KeyPlace::Generation(user().clone());
    assert_eq!(store.reseal(&[Reseal { place, old, new: new.clone() }]).unwrap(), 1);
    assert_eq!(store.generation(user()).unwrap().unwrap().root_key, new);
    let new = record(&keys, &a, None).root_key;
    let place = KeyPlace::Token(a.clone());
    assert_eq!(store.reseal(&[Reseal { place, old: first, new: new.clone() }]).unwrap(), 1);
    assert_eq!(get(&a).unwrap().root_key, new);

    assert!(!get(&a).unwrap().is_revoked() && !get(&b).unwrap().is_revoked());
    assert_eq!(store.revoke_all(&Filter::Issuer(user().clone()), &FOR_GOOD, None, 1).unwrap().changed, 1);
    assert!(get(&a).unwrap().is_revoked() && !get(&b).unwrap().is_revoked());
    let _void = store.revoke_before(UnixTime::from_secs(1_500_000_001)).unwrap();
    assert!(get(&b).unwrap().is_revoked());
    assert_eq!(store.delete_all(&Filter::Issuer(user().clone()), None, 1).unwrap().changed, 1);
    assert_eq!(get(&a), None);

    let d = id("d");
    assert_eq!(get(&d), None);
    let record = Record { created: UnixTime::from_secs(1_500_000_002), ..record(&keys, &d, None) };
    let item = token_store::Item::Token { record, claims: Vec::new() };
    assert_eq!(store.restore(&[item]).unwrap(), 1);
    assert!(get(&d).is_some());

    let other = CachedStore::new(MemoryStore::new(), CacheConfig::default());
    assert_eq!(
        other
            .insert(&Record { uses: 1, last_use: Some(UnixTime::from_secs(9)), ..get(&c).unwrap() })
            .unwrap(),
        Insert::Inserted
    );
    assert!(other.get(&c).unwrap().is_some());
    assert_eq!(other.purge_spent(UnixTime::from_secs(9), Duration::ZERO, 9).unwrap(), 1);
    assert_eq!(other.get(&c).unwrap(), None);
}

#[test]
fn an_error_is_not_kept() {
    let host = Host::new();
    let id = host.insert("a", None);
    for error in [unreachable(), Some(StoreError::Poisoned), Some(StoreError::Corrupt { what: "a record" })] {
        host.far.fail(error);
        assert!(host.cached.get(&id).is_err());
        assert!(host.cached.generation(user()).is_err());
        host.far.fail(None);
        assert!(host.cached.get(&id).unwrap().is_some());
        host.cached.invalidator().invalidate_all();
    }
}

#[test]
fn a_panic_of_the_store_stops_nobody_else() {
    let host = Host::new();
    let id = host.insert("a", None);
    host.far.told.panics.store(true, SeqCst);
    assert!(thread::scope(|scope| scope.spawn(|| host.revoked(&id)).join()).is_err());
    assert!(!host.revoked(&id));
}

#[test]
fn a_panic_of_the_clock_stops_nobody_else() {
    let (begun, looks) = (Instant::now(), AtomicUsize::new(0));
    // At the second look, when the answer is there.
    let clock = move || {
        assert_ne!(looks.fetch_add(1, SeqCst), 1, "the clock fails");
        begun
    };
    let cached = CachedStore::with_clock(MemoryStore::new(), CacheConfig::default(), clock);
    assert!(thread::scope(|scope| scope.spawn(|| cached.get(&id("a"))).join()).is_err());
    assert_eq!(cached.get(&id("a")).unwrap(), None);
}

#[test]
fn a_record_serves_no_longer_when_the_store_cannot_be_reached() {
    let host = Host::new();
    let id = host.insert("a", None);
    assert!(!host.revoked(&id));
    host.far.fail(unreachable());
    host.pass(TTL - TICK);
    assert!(!host.revoked(&id));
    host.pass(TICK);
    assert!(matches!(host.cached.get(&id), Err(StoreError::Io(_))));
    assert!(host.cached.spend(&id, &claim(1), &USE).is_ok(), "asks the store, which is there for that");
}

#[test]
fn a_generation_serves_longer_when_the_store_cannot_be_reached() {
    let host = Host::new();
    host.raise(1);
    assert_eq!(host.number(), 1);
    host.raise(2);
    host.far.fail(unreachable());
    host.pass(TTL);
    assert_eq!((host.number(), host.far.reads()), (1, 2), "in vain");
    host.pass(Duration::from_secs(1) - TICK);
    assert_eq!((host.number(), host.far.reads()), (1, 2), "left alone");
    host.pass(TICK);
    assert_eq!((host.number(), host.far.reads()), (1, 3), "asked again, and in vain");
    assert_eq!(host.cached.metrics().stale, 3);

    // While one waits for the unreachable store, the others do not.
    host.pass(Duration::from_secs(1));
    host.far.fail(None);
    let (has_read, go) = host.far.hold();
    thread::scope(|scope| {
        let slow = scope.spawn(|| host.number());
        has_read.recv().unwrap();
        assert_eq!(host.number(), 1);
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap(), 2, "it is back");
    });
    assert_eq!(host.number(), 2);

    host.raise(3);
    host.far.fail(unreachable());
    host.pass(OUTAGE - TICK);
    assert_eq!(host.number(), 2);
    host.pass(TICK);
    assert!(matches!(host.cached.generation(user()), Err(StoreError::Io(_))));
    host.far.fail(None);
    assert_eq!(host.number(), 3);
}

#[test]
fn a_generation_does_not_outlast_what_somebody_has_to_mend() {
    let host = Host::new();
    host.raise(1);
    assert_eq!(host.number(), 1);
    host.pass(TTL);
    host.far.fail(Some(StoreError::Corrupt { what: "a generation" }));
    assert!(matches!(host.cached.generation(user()), Err(StoreError::Corrupt { .. })));
    host.far.fail(unreachable());
    assert!(matches!(host.cached.generation(user()), Err(StoreError::Io(_))), "it was forgotten");
}

#[test]
fn a_generation_that_somebody_tried_to_raise_serves_nobody() {
    let host = Host::new();
    host.raise(1);
    assert_eq!(host.number(), 1);
    let tried = host.cached.raise_generation(user(), &generation(&host.keys, 7)).unwrap();
    assert_eq!(tried, Raise::Stale { present: 1 });
    host.far.fail(unreachable());
    assert!(host.cached.generation(user()).is_err());
}

#[test]
fn the_present_generation_is_the_store_s() {
    let host =
        Host::with(CacheConfig { ttl: Duration::MAX, absent_ttl: Duration::MAX, ..CacheConfig::default() });
    let present = || host.cached.present_generation(user()).unwrap().map(|generation| generation.number);
    assert_eq!((host.cached.generation(user()).unwrap(), present()), (None, None));
    for number in 1..4 {
        host.raise(number);
        assert_eq!((present(), host.number()), (Some(number), number), "and is not forgotten afterwards");
    }
    host.far.fail(unreachable());
    host.cached.present_generation(user()).unwrap_err();
}

#[test]
fn no_more_is_kept_than_allowed() {
    let host = Host::with(CacheConfig { entries: 32, ..CacheConfig::default() });
    let ids: Vec<TokenId> = (0..500).map(|name| host.insert(name, None)).collect();
    let read_all = || ids.iter().for_each(|id| assert!(!host.revoked(id)));
    read_all();
    assert_eq!(host.far.reads(), 500);
    read_all();
    let hits = host.cached.metrics().hits;
    assert!(hits <= 32, "{hits} of 500 were kept");
    let last = ids.last().unwrap();
    assert_eq!((host.revoked(last), host.cached.metrics().hits), (false, hits + 1), "the newest is kept");

    // Names that an attacker makes up evict nothing.
    (0..500).for_each(|name| assert!(host.cached.get(&id(format!("made up {name}"))).unwrap().is_none()));
    assert_eq!((host.revoked(last), host.cached.metrics().hits), (false, hits + 2));
}

#[test]
fn no_more_bytes_are_kept_than_allowed() {
    const BYTES: usize = 1 << 20;
    let host = Host::with(CacheConfig { bytes: BYTES, ..CacheConfig::default() });
    let bytes = || usize::try_from(host.cached.metrics().bytes).unwrap();
    let kept = host.insert("kept", None);
    assert!(!host.revoked(&kept));

    // Subjects and ids that an attacker makes up, of the greatest length: the cache fills up to its limit with both.
    for name in 0..4000 {
        let subject = Entity { kind: "user".into(), id: format!("{name:01000}") };
        assert_eq!(host.cached.generation(&subject).unwrap(), None);
        assert_eq!(host.cached.get(&id(format!("{name:0500}"))).unwrap(), None);
        assert!(bytes() <= 2 * BYTES + 1024, "{} bytes", bytes());
    }
    let full = bytes();
    assert!(full > BYTES, "{full} bytes: the test fills the cache");
    // A key that no store accepts does not make the cache larger.
    let subject = Entity { kind: "user".into(), id: "u".repeat(10 * BYTES) };
    assert_eq!((host.cached.generation(&subject).unwrap(), bytes()), (None, full));

    let hits = host.cached.metrics().hits;
    assert_eq!(
        (host.revoked(&kept), host.cached.metrics().hits),
        (false, hits + 1),
        "it was pushed out by nothing"
    );

    // Stale entries are evicted when new ones come.
    host.pass(Duration::from_secs(60));
    for name in 0..200 {
        let subject = Entity { kind: "user".into(), id: format!("later {name}") };
        assert_eq!(host.cached.generation(&subject).unwrap(), None);
    }
    let left = bytes();
    assert!(left < full - BYTES / 2, "{left} bytes of {full}");
}

// A record may have 12 KiB of caveats: the issuer of a token must not exceed the memory that the operator allows.
#[test]
fn every_part_of_a_record_counts_toward_the_bytes() {
    let host = Host::new();
    let bytes = |name: &str, change: fn(&mut Record)| {
        let id = id(name);
        let mut record = record(&host.keys, &id, None);
        change(&mut record);
        assert_eq!(host.far.store.insert(&record).unwrap(), Insert::Inserted);
        let before = host.cached.metrics().bytes;
        assert!(host.cached.get(&id).unwrap().is_some());
        host.cached.metrics().bytes - before
    };
    let plain = bytes("plain", |_| {});
    let body = bytes("bodyy", |record| record.body = vec![0; 12_000]);
    let metadata = bytes("metad", |record| record.metadata = vec![0; 4000]);
    let name = bytes("named", |record| record.name = Some("n".repeat(200)));
    let revoked = bytes("revok", |record| {
        let by = Some(Entity { kind: "user".into(), id: "u".repeat(900) });
        record.revocation = Some(Revocation { by, reason: "r".repeat(200), ..FOR_GOOD });
    });
    let more = [body, metadata, name, revoked].map(|bytes| bytes - plain);
    assert_eq!(more, [12_000, 4000, 200, 1104]);
}

#[test]
fn no_thread_is_told_what_was_before_a_change_that_has_returned() {
    const READERS: usize = 6;
    for (round, entries) in [0, 1, 16, 1024, 16, 1024].into_iter().enumerate() {
        // The real clock, and a time to live that ends now and then.
        let ttl = Duration::from_micros([20, 200, 3_000_000][round % 3]);
        let config =
            CacheConfig { ttl, absent_ttl: ttl, outage: Duration::ZERO, entries, ..CacheConfig::default() };
        let cached = CachedStore::new(MemoryStore::new(), config);
        let keys = KeyRing::generate().unwrap();
        let (a, b) = (id("a"), id("b"));
        for id in [&a, &b] {
            assert_eq!(cached.insert(&record(&keys, id, Some(10_000))).unwrap(), Insert::Inserted);
        }
        let (spent, revoked, over) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(false));
        let start = Barrier::new(READERS + 1);
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    start.wait();
                    while !over.load(SeqCst) {
                        let (least, must_be_revoked) = (spent.load(SeqCst), revoked.load(SeqCst));
                        let found = cached.get(&a).unwrap().unwrap();
                        assert!(found.uses >= least, "{} of {least} uses", found.uses);
                        assert!(found.is_revoked() || !must_be_revoked);
                        assert!(!cached.get(&b).unwrap().unwrap().is_revoked());
                    }
                });
            }
            start.wait();
            for number in 0..300 {
                let _spent = cached.spend(&a, &claim(number), &USE).unwrap();
                spent.fetch_add(1, SeqCst);
                if number % 8 == 0 {
                    thread::yield_now();
                }
            }
            let _revoked = cached.revoke(&a, &FOR_GOOD).unwrap();
            revoked.store(true, SeqCst);
            (0..50).for_each(|_| thread::yield_now());
            over.store(true, SeqCst);
        });
    }
}
