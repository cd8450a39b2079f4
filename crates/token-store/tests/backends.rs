//! Every backend, and every wrapper of one, passes the conformance suite.

use token_store::{MemoryStore, TokenStore, conformance};

#[test]
fn memory() {
    let store = MemoryStore::new();
    conformance::all(|| store.clone());
}

#[test]
fn boxed_and_shared() {
    let store = std::sync::Arc::new(MemoryStore::new());
    conformance::all(|| Box::new(store.clone()) as Box<dyn TokenStore>);
}

#[cfg(feature = "redb")]
#[test]
fn redb() {
    let dir = tempfile::tempdir().unwrap();
    conformance::all(|| token_store::RedbStore::open_or_create(dir.path().join("store")).unwrap());
}

#[cfg(feature = "sled")]
#[test]
fn sled() {
    let dir = tempfile::tempdir().unwrap();
    conformance::all(|| token_store::SledStore::open_or_create(dir.path().join("store")).unwrap());
}
