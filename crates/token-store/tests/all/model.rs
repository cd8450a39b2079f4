//! Random operations on ids of random bytes, compared with the simplest model of a store.

use std::{collections::BTreeMap, num::NonZeroU64};

use proptest::{collection::vec, prelude::*};
use token_core::UnixTime;
use token_store::{
    CacheConfig, CachedStore, Entity, Filter, GrantId, Held, Insert, KeyRing, MemoryStore, Record, Refund,
    Revoke, Spend, Terms, TokenId, TokenStore, Use,
};
use token_test::{
    records::{FOR_GOOD, claim, record, terms},
    stores::{Backend, REDB, SLED},
};

#[derive(Clone, Debug)]
enum Operation {
    Insert { id: usize, limit: u64, expires: Option<u64>, entity: u8 },
    Spend { id: usize, claim: u8 },
    Claimed { id: usize, claim: u8 },
    Refund { id: usize, claim: u8, back: usize },
    Revoke { id: usize },
    Get { id: usize },
    Purge { now: u64, limit: usize },
}

fn operations() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Operation>)> {
    // Few and short ids of few bytes collide often: equal, neighbors, one a prefix of the other.
    let byte = prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()];
    let ids = vec(vec(byte, 1..6), 1..6);
    let id = 0..6_usize;
    let operation = prop_oneof![
        3 => (id.clone(), 0..3_u64, proptest::option::of(0..6_u64), 0..3_u8)
            .prop_map(|(id, limit, expires, entity)| Operation::Insert { id, limit, expires, entity }),
        4 => (id.clone(), 0..4_u8).prop_map(|(id, claim)| Operation::Spend { id, claim }),
        1 => (id.clone(), 0..4_u8).prop_map(|(id, claim)| Operation::Claimed { id, claim }),
        2 => (id.clone(), 0..4_u8, 0..3_usize)
            .prop_map(|(id, claim, back)| Operation::Refund { id, claim, back }),
        1 => id.clone().prop_map(|id| Operation::Revoke { id }),
        3 => id.prop_map(|id| Operation::Get { id }),
        1 => (0..6_u64, 0..3_usize).prop_map(|(now, limit)| Operation::Purge { now, limit }),
    ];
    (ids, vec(operation, 0..40))
}

#[derive(Default)]
struct Model(BTreeMap<TokenId, (Record, BTreeMap<u8, Claim>)>);

struct Claim {
    held: Held,
    answered_again: bool,
}

impl Model {
    // `grant` is the grant of the use, if one is granted.
    fn spend(&mut self, id: &TokenId, claim: u8, by: &Use, grant: Option<GrantId>) -> Spend {
        if let Some(Held { uses_left, grant, .. }) = self.claimed(id, claim) {
            return Spend::Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true };
        }
        let Some((record, claims)) = self.0.get_mut(id) else { return Spend::Absent };
        if record.is_revoked() {
            return Spend::Revoked;
        }
        let uses_left = match record.use_limit {
            Some(limit) if record.uses == limit.get() => return Spend::Exhausted,
            limit => limit.map(|limit| limit.get() - record.uses - 1),
        };
        record.uses += 1;
        record.last_use = record.last_use.max(Some(by.at));
        let grant = uses_left.and(grant);
        let held =
            uses_left.zip(grant).map(|(uses_left, grant)| Held { uses_left, grant, spent: by.clone() });
        claims.extend(held.map(|held| (claim, Claim { held, answered_again: false })));
        Spend::Spent { uses_left, grant, repeated: false }
    }

    fn claimed(&mut self, id: &TokenId, claim: u8) -> Option<Held> {
        let claim = self.0.get_mut(id)?.1.get_mut(&claim)?;
        claim.answered_again = true;
        Some(claim.held.clone())
    }

    fn refund(&mut self, id: &TokenId, claim: u8, grant: GrantId) -> Refund {
        match self.0.get_mut(id) {
            None => Refund::Absent,
            Some((record, claims)) => match claims.get(&claim) {
                None => Refund::NotClaimed,
                Some(Claim { held, .. }) if held.grant != grant => Refund::NotClaimed,
                Some(Claim { answered_again: true, .. }) => Refund::Kept,
                Some(_) => {
                    claims.remove(&claim);
                    record.uses -= 1;
                    Refund::Refunded
                }
            },
        }
    }

    fn purge(&mut self, now: u64, limit: usize) -> usize {
        let mut expired: Vec<(UnixTime, TokenId)> =
            self.0.values().filter_map(|(record, _)| Some((record.expires?, record.id.clone()))).collect();
        expired.retain(|(expires, _)| *expires <= UnixTime::from_secs(now));
        expired.sort();
        expired.truncate(limit);
        expired.iter().for_each(|(_, id)| drop(self.0.remove(id)));
        expired.len()
    }
}

fn entity(number: u8) -> Entity {
    Entity { kind: "user".into(), id: "u".repeat(number.into()) }
}

fn run(store: &dyn TokenStore, keys: &KeyRing, ids: &[Vec<u8>], operations: Vec<Operation>) {
    let ids: Vec<TokenId> = ids.iter().map(|id| TokenId::new(id.as_slice()).unwrap()).collect();
    let id_at = |at: usize| &ids[at % ids.len()];
    let mut model = Model::default();
    let mut granted: Vec<(&TokenId, u8, GrantId)> = Vec::new();
    for operation in operations {
        match operation {
            Operation::Insert { id, limit, expires, entity: number } => {
                let id = id_at(id);
                let entity = entity(number);
                let terms = Terms {
                    resource: (number == 1).then_some(&entity),
                    issuer: &entity,
                    created: UnixTime::from_secs(0),
                    expires: expires.map(UnixTime::from_secs),
                    use_limit: NonZeroU64::new(limit),
                    ..terms(id)
                };
                let record = record(keys, terms);
                let present = model.0.contains_key(id);
                let expected = if present { Insert::Exists } else { Insert::Inserted };
                assert_eq!(store.insert(&record).unwrap(), expected);
                model.0.entry(id.clone()).or_insert((record, BTreeMap::new()));
            }
            Operation::Spend { id, claim: number } => {
                let at = UnixTime::from_secs(number.into());
                let by = Use { consumer: (number % 2 == 0).then(|| entity(number)), at };
                let answer = store.spend(id_at(id), &claim(number), &by).unwrap();
                assert_eq!(answer, model.spend(id_at(id), number, &by, answer.grant()));
                if let Spend::Spent { grant: Some(grant), repeated: false, .. } = answer {
                    assert!(granted.iter().all(|(.., known)| *known != grant), "each grant is a new one");
                    granted.push((id_at(id), number, grant));
                }
            }
            Operation::Claimed { id, claim: number } => {
                let expected = model.claimed(id_at(id), number);
                assert_eq!(store.claimed(id_at(id), &claim(number)).unwrap(), expected);
            }
            Operation::Refund { id, claim: number, back } => {
                let of_claim =
                    granted.iter().rev().filter(|(of, claim, _)| (*of, *claim) == (id_at(id), number));
                let grant =
                    of_claim.map(|(.., grant)| *grant).nth(back).unwrap_or(GrantId::from_bytes([0; 8]));
                let expected = model.refund(id_at(id), number, grant);
                assert_eq!(store.refund(id_at(id), &claim(number), grant).unwrap(), expected);
            }
            Operation::Revoke { id } => {
                let record = model.0.get_mut(id_at(id)).map(|(record, _)| record.revocation = Some(FOR_GOOD));
                let expected = if record.is_some() { Revoke::Revoked } else { Revoke::Absent };
                assert_eq!(store.revoke(id_at(id), &FOR_GOOD).unwrap(), expected);
            }
            Operation::Get { id } => {
                let expected = model.0.get(id_at(id)).map(|(record, _)| record);
                assert_eq!(store.get(id_at(id)).unwrap().as_ref(), expected);
            }
            Operation::Purge { now, limit } => {
                assert_eq!(store.purge(UnixTime::from_secs(now), limit).unwrap(), model.purge(now, limit));
            }
        }
    }
    for id in &ids {
        assert_eq!(store.get(id).unwrap().as_ref(), model.0.get(id).map(|(record, _)| record));
    }
    let listed = |filter| store.list(&filter, None, usize::MAX).unwrap().records;
    let expected = |keep: &dyn Fn(&Record) -> bool| -> Vec<Record> {
        model.0.values().map(|(record, _)| record).filter(|record| keep(record)).cloned().collect()
    };
    assert_eq!(listed(Filter::All), expected(&|_| true));
    for number in 0..3 {
        let entity = entity(number);
        assert_eq!(listed(Filter::Issuer(entity.clone())), expected(&|record| record.issuer == entity));
        assert_eq!(
            listed(Filter::Resource(entity.clone())),
            expected(&|record| record.resource == Some(entity.clone()))
        );
    }
}

fn on_disk(backend: Backend, ids: &[Vec<u8>], operations: Vec<Operation>) {
    let dir = tempfile::tempdir().unwrap();
    let store = (backend.create)(&dir.path().join("store")).unwrap();
    run(&store, &KeyRing::generate().unwrap(), ids, operations);
}

proptest! {
    #[test]
    fn memory_does_what_the_model_does((ids, operations) in operations()) {
        run(&MemoryStore::new(), &KeyRing::generate().unwrap(), &ids, operations);
    }

    #[test]
    fn cached_memory_does_what_the_model_does((ids, operations) in operations(), entries in 0..40_usize) {
        let config = CacheConfig { entries, ..CacheConfig::default() };
        let store = CachedStore::new(MemoryStore::new(), config);
        run(&store, &KeyRing::generate().unwrap(), &ids, operations);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn redb_does_what_the_model_does((ids, operations) in operations()) {
        on_disk(REDB, &ids, operations);
    }

    #[test]
    fn sled_does_what_the_model_does((ids, operations) in operations()) {
        on_disk(SLED, &ids, operations);
    }
}
