//! A process forked while a store is open gets nothing from the store, and leaves it unchanged.
//!
//! This binary forks itself. It runs without a harness, whose threads a forked process does not have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test: a panic is how it fails"
)]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    if std::env::args().nth(1).is_none_or(|argument| argument != "--list") {
        unix::main();
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        collections::BTreeMap,
        fmt::Debug,
        fs, panic,
        path::{Path, PathBuf},
        process,
        time::Duration,
    };

    use fork::{Fork, fork, waitpid};
    use token_core::{RootKey, UnixTime};
    use token_store::{
        Administration, CacheConfig, CachedStore, ClaimId, Entity, Filter, Generation, GrantId, Insert,
        KeyRing, MemoryStore, Owner, Record, RedbStore, Retry, SledStore, Spend, StoreError, Terms, TokenId,
        TokenStore,
    };

    type Store = Box<dyn Administration>;

    pub(crate) fn main() {
        // First, since sled's threads are those of the process that used it first.
        for engine in ["redb", "sled"] {
            opened_by_the_forked(engine);
        }
        for engine in ["memory", "cached", "redb", "sled"] {
            refused_to_the_forked(engine);
        }
        inspected_by_the_parent();
        println!("memory, a cache, redb and sled: a forked process gets nothing, and changes nothing");
    }

    /// Runs this in a forked process, and fails if it panics.
    fn forked(run: impl FnOnce()) {
        match fork().unwrap() {
            Fork::Child => {
                let ran = panic::catch_unwind(panic::AssertUnwindSafe(run));
                process::exit(i32::from(ran.is_err()));
            }
            Fork::Parent(child) => assert_eq!(waitpid(child).unwrap(), 0, "the forked process failed"),
        }
    }

    fn open(engine: &str, path: &Path) -> Result<Store, StoreError> {
        Ok(match engine {
            "memory" => Box::new(MemoryStore::new()),
            "cached" => Box::new(CachedStore::new(MemoryStore::new(), CacheConfig::default())),
            "redb" => Box::new(RedbStore::open_or_create(path)?),
            _ => Box::new(SledStore::open_or_create(path)?),
        })
    }

    fn id() -> TokenId {
        TokenId::new(*b"one use").unwrap()
    }

    fn claim(name: &str) -> ClaimId {
        ClaimId::new(name).unwrap()
    }

    fn record(keys: &KeyRing) -> Record {
        let terms = Terms {
            id: &id(),
            purpose: token_core::Purpose::SpaceSupport,
            resource: None,
            issuer: &Entity { kind: "user".into(), id: "u1".into() },
            created: UnixTime::from_secs(1_500_000_000),
            expires: None,
            use_limit: std::num::NonZeroU64::new(1),
        };
        Record::new(terms, &RootKey::from_derived([7; 32]), keys).unwrap()
    }

    /// A forked process may open the store itself, before its parent does.
    fn opened_by_the_forked(engine: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let keys = KeyRing::generate().unwrap();
        forked(|| {
            let store = open(engine, &path).unwrap();
            assert_eq!(store.insert(&record(&keys)).unwrap(), Insert::Inserted);
        });
        // Once it is closed here, the parent can use it too. Not with sled, see above.
        if engine == "redb" {
            drop(open(engine, &path).unwrap());
        }
        forked(|| {
            let won = open(engine, &path).unwrap().spend(&id(), &claim("a")).unwrap();
            assert!(matches!(won, Spend::Spent { uses_left: Some(0), repeated: false, .. }));
        });
    }

    fn refused_to_the_forked(engine: &str) {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = dir.path().join("store");
        let keys = KeyRing::generate().unwrap();
        let store = open(engine, &path).unwrap();
        assert_eq!(store.insert(&record(&keys)).unwrap(), Insert::Inserted);
        assert!(store.get(&id()).unwrap().is_some(), "also what a cache could answer");
        let before = content(dir.path());
        // The store is dropped in both processes.
        let mut store = Some(store);
        forked(|| {
            let forked = store.take().unwrap();
            all_refused(&*forked, &keys);
            drop(forked);
            match open(engine, &path) {
                Ok(_) => assert!(matches!(engine, "memory" | "cached")),
                Err(error) => assert!(matches!(error, StoreError::AlreadyOpen { .. }), "{engine}: {error}"),
            }
            let other = open(engine, &other.path().join("store"));
            match engine {
                "sled" => assert!(matches!(other, Err(StoreError::Forked)), "its threads are the parent's"),
                _ => drop(other.unwrap()),
            }
        });
        assert!(content(dir.path()) == before, "{engine}: dropped there, it writes nothing");
        let store = store.unwrap();
        let won = store.spend(&id(), &claim("a")).unwrap();
        assert!(matches!(won, Spend::Spent { uses_left: Some(0), repeated: false, .. }), "{engine}");
        assert_eq!(store.spend(&id(), &claim("b")).unwrap(), Spend::Exhausted, "{engine}");
        assert!(store.check(Some(&keys)).unwrap().is_sound(), "{engine}");
        drop(store);
        if !matches!(engine, "memory" | "cached") {
            let store = open(engine, &path).unwrap();
            assert_eq!(store.spend(&id(), &claim("b")).unwrap(), Spend::Exhausted, "{engine}");
        }
    }

    fn all_refused(store: &dyn Administration, keys: &KeyRing) {
        fn refused<T: Debug>(outcome: Result<T, StoreError>) {
            let error = outcome.unwrap_err();
            assert!(matches!(error, StoreError::Forked) && error.retry() == Retry::Never, "{error}");
        }
        let user = Entity { kind: "user".into(), id: "u1".into() };
        let owner = Owner::Generation { subject: &user, number: 1 };
        let root_key = keys.seal(&RootKey::from_derived([7; 32]), owner).unwrap();
        let time = UnixTime::from_secs(1);
        refused(store.get(&id())); // first, as long as a cache has it
        refused(store.spend(&id(), &claim("b")));
        refused(store.insert(&record(keys)));
        refused(store.claimed(&id(), &claim("b")));
        refused(store.refund(&id(), &claim("b"), GrantId::from_bytes([0; 8])));
        refused(store.revoke(&id()));
        refused(store.list(&Filter::All, None, 9));
        refused(store.purge(time, 9));
        refused(store.generation(&user));
        refused(store.present_generation(&user));
        refused(store.raise_generation(&user, &Generation { number: 1, root_key }));
        refused(store.revoke_all(&Filter::All, None, 9));
        refused(store.revoke_before(time));
        refused(store.revoke_before(UnixTime::from_secs(0)));
        refused(store.counts());
        refused(store.purge_spent(time, Duration::ZERO, 9));
        refused(store.claims(&id(), None, 9));
        refused(store.generations(None, 9));
        refused(store.reseal(&[]));
        refused(store.restore(&[]));
        refused(store.check(None));
    }

    /// The copy of an inspection belongs to the parent, and is removed by the parent alone.
    fn inspected_by_the_parent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        drop(open("redb", &path).unwrap());
        let mut store = Some(RedbStore::inspect(&path).unwrap());
        forked(|| {
            let forked = store.take().unwrap();
            assert!(matches!(forked.get(&id()), Err(StoreError::Forked)));
            assert!(matches!(forked.revoke(&id()), Err(StoreError::Forked)));
        });
        assert_eq!(store.unwrap().get(&id()).unwrap(), None);
    }

    /// Returns all files below a directory, with their content.
    fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => all.extend(content(&path)),
                false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
        all
    }
}
