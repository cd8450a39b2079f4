//! Two hosts that share a store, each behind a cache of its own.

use std::time::Duration;

use token_api::{AcceptError, Authority, Config, Lifetime, MintRequest, Purpose, Refusal};
use token_core::{InviteType, Subject, UnixTime};
use token_store::{CacheConfig, CachedStore, ClaimId, KeyRing, MemoryStore};
use token_test::world::{Members, SPACE, START};

use crate::{KEYS, by, with};

fn host(shared: &MemoryStore) -> Authority<CachedStore<MemoryStore>, Members> {
    let forever = CacheConfig { ttl: Duration::MAX, absent_ttl: Duration::MAX, ..CacheConfig::default() };
    let store = CachedStore::new(shared.clone(), forever);
    let (keys, config) = (KeyRing::from_text(KEYS).unwrap(), Config::default());
    let authority = Authority::new(store, keys, Members::default(), config).unwrap();
    authority.with_clock(|| UnixTime::from_secs(START))
}

#[test]
fn a_temporary_invitation_revoked_on_one_host_is_spent_on_no_other() {
    let shared = MemoryStore::new();
    let (here, there) = (host(&shared), host(&shared));
    let owner = Subject::User("owner");
    let minted = here.mint(&with(MintRequest::invite(InviteType::UserJoinSpace, SPACE, owner), |request| {
        request.temporary = true;
        request.use_limit = None;
        request.lifetime = Some(Lifetime::For(Duration::from_secs(900)));
    }));
    let token = minted.unwrap().token;
    let (kind, guest) = (Purpose::Invite(InviteType::UserJoinSpace), Subject::User("guest"));
    let spend =
        |name: &str| there.spend(&token, kind, &ClaimId::new(name).unwrap(), &by(guest, &there.context()));
    assert!(spend("before").is_ok());
    there.verify(&token, Some(kind), &there.context()).unwrap();

    assert_eq!(here.revoke_temporary(owner).unwrap(), 2);
    for name in ["before", "after"] {
        let refused = spend(name).unwrap_err();
        assert!(matches!(refused, AcceptError::Refused(Refusal::Revoked)), "{name}: {refused:?}");
    }
    let refused = there.verify(&token, Some(kind), &there.context()).unwrap_err();
    let seen = matches!(refused, AcceptError::Refused(Refusal::Revoked));
    assert!(seen, "what a host has seen of the store, its cache does not deny: {refused:?}");
}
