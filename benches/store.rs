//! The cost of inserting, getting and spending a record, by backend. On disk, each call is synced.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up stops")]

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use token_core::UnixTime;
use token_store::{ClaimId, Entity, KeyRing, Record, Spend, Terms, TokenId, TokenStore};
use token_test::{
    SplitMix64,
    records::{USE, record, terms},
    stores,
    world::SPACE,
};

fn calls(criterion: &mut Criterion, name: &str, store: &dyn TokenStore) {
    let keys = KeyRing::generate().unwrap();
    let mut random = SplitMix64::new(1);
    let id = TokenId::new(random.bytes(32)).unwrap();
    let terms = Terms {
        resource: Some(&Entity::space(SPACE)),
        expires: Some(UnixTime::from_secs(1_600_000_000)),
        use_limit: NonZeroU64::new(u64::MAX),
        ..terms(&id)
    };
    let kept = record(&keys, terms);
    let _ = store.insert(&kept).unwrap();
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    // The record is sealed once, outside of the measurement: the store treats any sealed key alike.
    group.bench_function("insert", |bencher| {
        bencher.iter(|| {
            let record = Record { id: TokenId::new(random.bytes(32)).unwrap(), ..kept.clone() };
            store.insert(black_box(&record)).unwrap()
        });
    });
    group.bench_function("get", |bencher| bencher.iter(|| store.get(black_box(&kept.id)).unwrap().unwrap()));
    group.bench_function("spend", |bencher| {
        bencher.iter(|| {
            let claim = ClaimId::new(random.bytes(32)).unwrap();
            let spent = store.spend(black_box(&kept.id), &claim, &USE).unwrap();
            assert!(matches!(spent, Spend::Spent { repeated: false, .. }));
        });
    });
    group.finish();
}

fn backends(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    for backend in stores::ALL {
        calls(criterion, backend.name, &*(backend.create)(&directory.path().join(backend.name)).unwrap());
    }
}

criterion_group!(benches, backends);
criterion_main!(benches);
