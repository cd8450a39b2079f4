//! Every backend, and every wrapper of one, passes the conformance suite.

use token_store::{Administration, MemoryStore, conformance};

#[test]
fn memory() {
    let store = MemoryStore::new();
    conformance::administration(|| store.clone());
    conformance::contention(&store, 1000);
}

#[test]
fn boxed_and_shared() {
    let store = std::sync::Arc::new(MemoryStore::new());
    conformance::administration(|| Box::new(store.clone()) as Box<dyn Administration>);
}

#[cfg(feature = "redb")]
#[test]
fn redb() {
    let dir = tempfile::tempdir().unwrap();
    let open = || token_store::RedbStore::open(dir.path().join("store")).unwrap();
    conformance::administration(open);
    conformance::contention(&open(), 1000);
}

#[cfg(feature = "sled")]
#[test]
fn sled() {
    let dir = tempfile::tempdir().unwrap();
    let open = || token_store::SledStore::open(dir.path().join("store")).unwrap();
    conformance::administration(open);
    conformance::contention(&open(), 1000);
}
