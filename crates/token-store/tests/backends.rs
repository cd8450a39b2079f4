//! Every backend, and every wrapper of one, passes the conformance suite.

use token_store::{Administration, CacheConfig, CachedStore, MemoryStore, conformance};

#[test]
fn memory() {
    let store = MemoryStore::new();
    conformance::administration(|| store.clone());
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
    conformance::administration(|| token_store::RedbStore::open_or_create(dir.path().join("store")).unwrap());
}

#[test]
fn cached_memory() {
    let store = CachedStore::new(MemoryStore::new(), CacheConfig::default());
    conformance::administration(|| store.clone());
    assert!(store.metrics().hits > 0, "the cache was passed by");
}

#[cfg(feature = "sled")]
#[test]
fn sled() {
    let dir = tempfile::tempdir().unwrap();
    conformance::administration(|| token_store::SledStore::open_or_create(dir.path().join("store")).unwrap());
}
