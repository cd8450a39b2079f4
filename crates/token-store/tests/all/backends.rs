//! Every backend, and every wrapper of one, passes the conformance suite.

use std::sync::Arc;

use token_store::{Administration, CacheConfig, CachedStore, MemoryStore, conformance};
use token_test::stores::{Backend, REDB, SLED};

#[test]
fn memory() {
    let store = MemoryStore::new();
    conformance::administration(|| store.clone());
}

#[test]
fn boxed_and_shared() {
    let store = Arc::new(MemoryStore::new());
    conformance::administration(|| Box::new(store.clone()) as Box<dyn Administration>);
}

#[test]
fn cached_memory() {
    let store = CachedStore::new(MemoryStore::new(), CacheConfig::default());
    conformance::administration(|| store.clone());
    assert!(store.metrics().hits > 0, "the cache was passed by");
}

fn on_disk(backend: Backend) {
    let dir = tempfile::tempdir().unwrap();
    conformance::administration(|| (backend.open_or_create)(&dir.path().join("store")).unwrap());
}

#[test]
fn redb() {
    on_disk(REDB);
}

#[test]
fn sled() {
    on_disk(SLED);
}
