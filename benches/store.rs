//! The cost of inserting, getting and spending a record, by backend. On disk, each call is synced.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up stops")]

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use token_core::{RootKey, UnixTime};
#[cfg(feature = "sled")]
use token_store::SledStore;
use token_store::{
    CacheConfig, CachedStore, ClaimId, Entity, KeyRing, MemoryStore, Record, RedbStore, Spend, Terms,
    TokenId, TokenStore,
};

/// Numbers the ids, which must be new in each round.
#[derive(Default)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> [u8; 32] {
        self.0 = self.0.wrapping_add(1);
        let mut id = [0; 32];
        // Ids are random in production, so consecutive tokens are not neighbors in the key space.
        let spread = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        id.iter_mut().zip(spread.into_iter().chain(self.0.to_be_bytes())).for_each(|(to, from)| *to = from);
        id
    }
}

fn record(keys: &KeyRing, id: [u8; 32]) -> Record {
    let id = TokenId::new(id).unwrap();
    let space = Entity { kind: "space".into(), id: "9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc".into() };
    let terms = Terms {
        id: &id,
        purpose: token_core::Purpose::SpaceSupport,
        resource: Some(&space),
        issuer: &Entity { kind: "user".into(), id: "u1".into() },
        created: UnixTime::from_secs(1_700_000_000),
        expires: Some(UnixTime::from_secs(1_700_604_800)),
        use_limit: NonZeroU64::new(u64::MAX),
    };
    Record::new(terms, &RootKey::from_derived([7; 32]), keys).unwrap()
}

fn calls(criterion: &mut Criterion, name: &str, store: &impl TokenStore) {
    let keys = KeyRing::generate().unwrap();
    let mut numbers = Numbers::default();
    let kept = record(&keys, numbers.next());
    let _ = store.insert(&kept).unwrap();
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    // The record is sealed once, outside of the measurement: the store treats any sealed key alike.
    group.bench_function("insert", |bencher| {
        bencher.iter(|| {
            let record = Record { id: TokenId::new(numbers.next()).unwrap(), ..kept.clone() };
            store.insert(black_box(&record)).unwrap()
        });
    });
    group.bench_function("get", |bencher| bencher.iter(|| store.get(black_box(&kept.id)).unwrap().unwrap()));
    group.bench_function("spend", |bencher| {
        bencher.iter(|| {
            let claim = ClaimId::new(numbers.next()).unwrap();
            let spent = store.spend(black_box(&kept.id), &claim).unwrap();
            assert!(matches!(spent, Spend::Spent { repeated: false, .. }));
        });
    });
    group.finish();
}

fn backends(criterion: &mut Criterion) {
    calls(criterion, "memory", &MemoryStore::new());
    calls(criterion, "cached memory", &CachedStore::new(MemoryStore::new(), CacheConfig::default()));
    let directory = tempfile::tempdir().unwrap();
    calls(criterion, "redb", &RedbStore::create(directory.path().join("store.redb")).unwrap());
    #[cfg(feature = "sled")]
    calls(criterion, "sled", &SledStore::create(directory.path().join("store.sled")).unwrap());
}

criterion_group!(benches, backends);
criterion_main!(benches);
