//! Two hosts, each with a cache of its own, over one store.

use std::{
    num::NonZeroU64,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use token_api::{Accepted, Authority, Config, MintRequest, Purpose, Refusal};
use token_core::UnixTime;
use token_store::{CacheConfig, CachedStore, ClaimId, KeyRing, MemoryStore, TokenStore};
use token_test::world::{Members, START};

use crate::{OWNER, PROVIDER, by, refusal, with};

type Host = Authority<CachedStore<MemoryStore>, Arc<Members>>;

/// Hosts that share a store and a key ring, and a clock for their caches.
struct Hosts {
    a: Host,
    b: Host,
    ttl: Duration,
    clock: Arc<Mutex<Instant>>,
}

impl Hosts {
    fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), Arc::new(Mutex::new(Instant::now())));
        let dir = tempfile::tempdir().unwrap();
        let ring = dir.path().join("keys");
        KeyRing::create(&ring).unwrap();
        let cache = CacheConfig::default();
        let ttl = cache.ttl;
        let host = || {
            let now = Arc::clone(&clock);
            let cached = CachedStore::with_clock(store.clone(), cache.clone(), move || *now.lock().unwrap());
            let time = || UnixTime::from_secs(START);
            let keys = KeyRing::load(&ring).unwrap();
            let members = Arc::new(Members::default());
            Authority::new(cached, keys, members, Config::default()).unwrap().with_clock(time)
        };
        let (a, b) = (host(), host());
        Self { a, b, ttl, clock }
    }

    fn pass(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }
}

fn support(use_limit: u64) -> MintRequest<'static> {
    with(crate::support(), |request| request.use_limit = NonZeroU64::new(use_limit))
}

fn verify(host: &Host, text: &str) -> Result<Accepted, Refusal> {
    host.verify(text, None, &host.context()).map_err(refusal)
}

fn spend(host: &Host, text: &str, claim: &str) -> Result<Option<u64>, Refusal> {
    let claim = ClaimId::new(claim).unwrap();
    let spent = host.spend(text, Purpose::SpaceSupport, &claim, &by(PROVIDER, &host.context()));
    spent.map(|spent| spent.uses_left).map_err(refusal)
}

#[test]
fn what_one_host_revokes_the_other_spends_no_more_and_verifies_until_the_time_to_live_ends() {
    let hosts = Hosts::new();
    let minted = hosts.a.mint(&support(9)).unwrap();
    verify(&hosts.b, &minted.token).unwrap();
    let _revoked = hosts.a.revoke(&minted.id, None).unwrap();
    assert!(matches!(verify(&hosts.a, &minted.token), Err(Refusal::Revoked)), "at once where it was revoked");

    hosts.pass(hosts.ttl - Duration::from_nanos(1));
    verify(&hosts.b, &minted.token).unwrap();
    hosts.pass(Duration::from_nanos(1));
    assert!(matches!(verify(&hosts.b, &minted.token), Err(Refusal::Revoked)));

    // Spending refuses at once.
    let minted = hosts.a.mint(&support(9)).unwrap();
    verify(&hosts.b, &minted.token).unwrap();
    let _revoked = hosts.a.revoke(&minted.id, None).unwrap();
    verify(&hosts.b, &minted.token).unwrap();
    assert!(matches!(spend(&hosts.b, &minted.token, "1"), Err(Refusal::Revoked)));
    assert!(matches!(verify(&hosts.b, &minted.token), Err(Refusal::Revoked)), "and it learned by that");
}

#[test]
fn a_host_whose_cache_is_invalidated_refuses_at_once() {
    let hosts = Hosts::new();
    let minted = hosts.a.mint(&support(9)).unwrap();
    verify(&hosts.b, &minted.token).unwrap();
    let _revoked = hosts.a.revoke(&minted.id, None).unwrap();
    hosts.b.store().invalidator().invalidate(&minted.id);
    assert!(matches!(verify(&hosts.b, &minted.token), Err(Refusal::Revoked)));
}

#[test]
fn what_one_host_spent_the_other_does_not_spend_though_it_shows_it_as_left() {
    let hosts = Hosts::new();
    let minted = hosts.a.mint(&support(1)).unwrap();
    assert_eq!(verify(&hosts.b, &minted.token).unwrap().uses_left, Some(1));
    assert_eq!(spend(&hosts.a, &minted.token, "1").unwrap(), Some(0));
    assert_eq!(verify(&hosts.b, &minted.token).unwrap().uses_left, Some(1), "as it was when it was read");
    assert!(matches!(spend(&hosts.b, &minted.token, "2"), Err(Refusal::Exhausted)));
    assert_eq!(verify(&hosts.b, &minted.token).unwrap().uses_left, Some(0));
    assert_eq!(spend(&hosts.b, &minted.token, "1").unwrap(), Some(0), "the claim is answered by any host");
}

#[test]
fn racing_hosts_spend_a_token_no_more_often_than_it_allows() {
    let hosts = Hosts::new();
    for round in 0..50 {
        let limit = 1 + round % 3;
        let minted = hosts.a.mint(&support(limit)).unwrap();
        let (start, spent) = (Barrier::new(16), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..16 {
                let (hosts, minted, start, spent) = (&hosts, &minted, &start, &spent);
                let host = if number % 2 == 0 { &hosts.a } else { &hosts.b };
                scope.spawn(move || {
                    start.wait();
                    verify(host, &minted.token).unwrap();
                    match spend(host, &minted.token, &number.to_string()) {
                        Ok(_) => drop(spent.fetch_add(1, SeqCst)),
                        Err(refusal) => assert!(matches!(refusal, Refusal::Exhausted), "{refusal}"),
                    }
                });
            }
        });
        assert_eq!(u64::try_from(spent.into_inner()).unwrap(), limit);
    }
}

#[test]
fn what_is_revoked_by_one_host_the_other_refuses_when_the_time_to_live_ends() {
    let hosts = Hosts::new();
    let access = with(MintRequest::access(OWNER), |request| request.temporary = true);
    let old = hosts.b.mint(&access).unwrap();
    verify(&hosts.a, &old.token).unwrap();
    verify(&hosts.b, &old.token).unwrap();
    assert_eq!(hosts.a.revoke_temporary(OWNER).unwrap(), 2);
    assert!(matches!(verify(&hosts.a, &old.token), Err(Refusal::Revoked)));
    // The other host mints under its cached generation. That generation is revoked too.
    let stale = hosts.b.mint(&access).unwrap();
    assert!(matches!(verify(&hosts.a, &stale.token), Err(Refusal::Revoked)));
    hosts.pass(hosts.ttl);
    for token in [&old.token, &stale.token] {
        assert!(matches!(verify(&hosts.b, token), Err(Refusal::Revoked)));
    }
    let new = hosts.b.mint(&access).unwrap();
    verify(&hosts.a, &new.token).unwrap();
    // The stale cache of the other host does not mislead its own revocation.
    assert_eq!(hosts.a.revoke_temporary(OWNER).unwrap(), 3);
    assert_eq!(hosts.b.revoke_temporary(OWNER).unwrap(), 4);
    assert_eq!(hosts.a.store().store().generation(&token_owner()).unwrap().unwrap().number, 4);
}

fn token_owner() -> token_store::Entity {
    token_store::Entity { kind: "user".into(), id: "owner".into() }
}
