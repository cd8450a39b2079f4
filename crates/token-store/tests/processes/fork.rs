//! A process forked while a store is open gets nothing from the store, and leaves it unchanged.

use std::{fmt::Debug, panic, process, time::Duration};

use fork::{Fork, fork, waitpid};
use token_core::UnixTime;
use token_store::{
    Administration, Amendment, Filter, GrantId, Insert, KeyRing, Record, RedbStore, Retry, Spend, StoreError,
    TokenStore,
};
use token_test::{
    files::content,
    records::{self, FOR_GOOD, USE, claim, generation, id, terms, user},
    stores::{ALL, Backend, EMBEDDED, REDB},
};

const NAME: &str = "one use";

pub(crate) fn run() {
    // First, since sled's threads are those of the process that used it first.
    for backend in EMBEDDED {
        opened_by_the_forked(backend);
    }
    for backend in ALL {
        refused_to_the_forked(backend);
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

fn record(keys: &KeyRing) -> Record {
    records::record(keys, terms(&id(NAME)))
}

/// A forked process may open the store itself, before its parent does.
fn opened_by_the_forked(backend: Backend) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let keys = KeyRing::generate().unwrap();
    forked(|| {
        let store = (backend.open_or_create)(&path).unwrap();
        assert_eq!(store.insert(&record(&keys)).unwrap(), Insert::Inserted);
    });
    // Once it is closed here, the parent can use it too. Not with sled, see above.
    if backend.name == "redb" {
        drop((backend.open_or_create)(&path).unwrap());
    }
    forked(|| {
        let won = (backend.open_or_create)(&path).unwrap().spend(&id(NAME), &claim("a"), &USE).unwrap();
        assert!(matches!(won, Spend::Spent { uses_left: Some(0), repeated: false, .. }));
    });
}

fn refused_to_the_forked(backend: Backend) {
    let name = backend.name;
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("store");
    let keys = KeyRing::generate().unwrap();
    let store = (backend.open_or_create)(&path).unwrap();
    assert_eq!(store.insert(&record(&keys)).unwrap(), Insert::Inserted);
    assert!(store.get(&id(NAME)).unwrap().is_some(), "also what a cache could answer");
    let before = content(dir.path());
    // The store is dropped in both processes.
    let mut store = Some(store);
    forked(|| {
        let forked = store.take().unwrap();
        all_refused(&*forked, &keys);
        drop(forked);
        match (backend.open_or_create)(&path) {
            Ok(_) => assert!(!backend.is_durable),
            Err(error) => assert!(matches!(error, StoreError::AlreadyOpen { .. }), "{name}: {error}"),
        }
        let other = (backend.open_or_create)(&other.path().join("store"));
        match backend.name {
            "sled" => assert!(matches!(other, Err(StoreError::Forked)), "its threads are the parent's"),
            _ => drop(other.unwrap()),
        }
    });
    assert!(content(dir.path()) == before, "{name}: dropped there, it writes nothing");
    let store = store.unwrap();
    let won = store.spend(&id(NAME), &claim("a"), &USE).unwrap();
    assert!(matches!(won, Spend::Spent { uses_left: Some(0), repeated: false, .. }), "{name}");
    assert_eq!(store.spend(&id(NAME), &claim("b"), &USE).unwrap(), Spend::Exhausted, "{name}");
    assert!(store.check(Some(&keys)).unwrap().is_sound(), "{name}");
    drop(store);
    if backend.is_durable {
        let store = (backend.open_or_create)(&path).unwrap();
        assert_eq!(store.spend(&id(NAME), &claim("b"), &USE).unwrap(), Spend::Exhausted, "{name}");
    }
}

fn all_refused(store: &dyn Administration, keys: &KeyRing) {
    fn refused<T: Debug>(outcome: Result<T, StoreError>) {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Forked) && error.retry() == Retry::Never, "{error}");
    }
    let time = UnixTime::from_secs(1);
    refused(store.get(&id(NAME))); // first, as long as a cache has it
    refused(store.spend(&id(NAME), &claim("b"), &USE));
    refused(store.insert(&record(keys)));
    refused(store.claimed(&id(NAME), &claim("b")));
    refused(store.refund(&id(NAME), &claim("b"), GrantId::from_bytes([0; 8])));
    refused(store.revoke(&id(NAME), &FOR_GOOD));
    refused(store.list(&Filter::All, None, 9));
    refused(store.purge(time, 9));
    refused(store.generation(user()));
    refused(store.present_generation(user()));
    refused(store.raise_generation(user(), &generation(keys, 1)));
    refused(store.revoke_all(&Filter::All, &FOR_GOOD, None, 9));
    refused(store.reinstate(&id(NAME)));
    refused(store.amend(&id(NAME), &Amendment::default()));
    refused(store.delete(&id(NAME)));
    refused(store.delete_generation(user()));
    refused(store.delete_all(&Filter::All, None, 9));
    refused(store.events(None, 9));
    refused(store.revoke_before(time));
    refused(store.revoke_before(UnixTime::from_secs(0)));
    refused(store.counts());
    refused(store.purge_spent(time, Duration::ZERO, 9));
    refused(store.claims(&id(NAME), None, 9));
    refused(store.generations(None, 9));
    refused(store.reseal(&[]));
    refused(store.restore(&[]));
    refused(store.check(None));
}

/// The copy of an inspection belongs to the parent, and is removed by the parent alone.
fn inspected_by_the_parent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop((REDB.create)(&path).unwrap());
    let mut store = Some(RedbStore::inspect(&path).unwrap());
    forked(|| {
        let forked = store.take().unwrap();
        assert!(matches!(forked.get(&id(NAME)), Err(StoreError::Forked)));
        assert!(matches!(forked.revoke(&id(NAME), &FOR_GOOD), Err(StoreError::Forked)));
    });
    assert_eq!(store.unwrap().get(&id(NAME)).unwrap(), None);
}
