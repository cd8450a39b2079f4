//! Random operations on ids of random bytes, compared with the simplest model of a store.

use std::{collections::BTreeMap, num::NonZeroU64};

use proptest::{collection::vec, option, prelude::*};
use token_core::UnixTime;
use token_store::{
    Amend, Amendment, CacheConfig, CachedStore, Delete, Entity, Filter, GrantId, Held, Insert, KeyRing,
    MemoryStore, Record, Refund, Reinstate, Revocation, Revoke, Spend, Terms, TokenId, TokenStore, Use,
};
use token_test::{
    records::{FOR_GOOD, claim, record, terms},
    stores::{Backend, REDB, SLED},
};

#[derive(Clone, Debug)]
enum Operation {
    Insert { id: usize, limit: u64, expires: Option<u64>, entity: u8, name: Option<u8> },
    Spend { id: usize, claim: u8 },
    Claimed { id: usize, claim: u8 },
    Refund { id: usize, claim: u8, back: usize },
    Revoke { id: usize, reversible: bool },
    Reinstate { id: usize },
    Amend { id: usize, name: Option<Option<u8>>, metadata: Option<u8> },
    Delete { id: usize },
    Get { id: usize },
    Purge { now: u64, limit: usize },
}

fn operations() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Operation>)> {
    // Few and short ids of few bytes collide often: equal, neighbors, one a prefix of the other.
    let byte = prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()];
    let ids = vec(vec(byte, 1..6), 1..6);
    let id = 0..6_usize;
    let name = option::of(0..3_u8);
    let operation = prop_oneof![
        4 => (id.clone(), 0..3_u64, option::of(0..6_u64), 0..3_u8, name.clone()).prop_map(
            |(id, limit, expires, entity, name)| Operation::Insert { id, limit, expires, entity, name }
        ),
        4 => (id.clone(), 0..4_u8).prop_map(|(id, claim)| Operation::Spend { id, claim }),
        1 => (id.clone(), 0..4_u8).prop_map(|(id, claim)| Operation::Claimed { id, claim }),
        2 => (id.clone(), 0..4_u8, 0..3_usize)
            .prop_map(|(id, claim, back)| Operation::Refund { id, claim, back }),
        2 => (id.clone(), any::<bool>()).prop_map(|(id, reversible)| Operation::Revoke { id, reversible }),
        1 => id.clone().prop_map(|id| Operation::Reinstate { id }),
        2 => (id.clone(), option::of(name), option::of(0..3_u8))
            .prop_map(|(id, name, metadata)| Operation::Amend { id, name, metadata }),
        1 => id.clone().prop_map(|id| Operation::Delete { id }),
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

    fn takes_name(&self, record: &Record) -> bool {
        let holds = |other: &Record| {
            other.id != record.id && other.issuer == record.issuer && other.name == record.name
        };
        record.name.is_some() && self.0.values().any(|(other, _)| holds(other))
    }

    fn insert(&mut self, record: Record) -> Insert {
        if self.0.contains_key(&record.id) {
            return Insert::Exists;
        }
        if self.takes_name(&record) {
            return Insert::NameTaken;
        }
        self.0.insert(record.id.clone(), (record, BTreeMap::new()));
        Insert::Inserted
    }

    fn revoke(&mut self, id: &TokenId, revocation: &Revocation) -> Revoke {
        let Some((record, _)) = self.0.get_mut(id) else { return Revoke::Absent };
        match &record.revocation {
            Some(first) if revocation.reversible || !first.reversible => {}
            _ => record.revocation = Some(revocation.clone()),
        }
        Revoke::Revoked
    }

    fn reinstate(&mut self, id: &TokenId) -> Reinstate {
        let Some((record, _)) = self.0.get_mut(id) else { return Reinstate::Absent };
        match &record.revocation {
            Some(Revocation { reversible: false, .. }) => Reinstate::ForGood,
            _ => {
                record.revocation = None;
                Reinstate::Reinstated
            }
        }
    }

    fn amend(&mut self, id: &TokenId, Amendment { name, metadata }: Amendment) -> Amend {
        let Some((record, _)) = self.0.get(id) else { return Amend::Absent };
        let mut record = record.clone();
        record.name = name.unwrap_or(record.name);
        record.metadata = metadata.unwrap_or(record.metadata);
        if self.takes_name(&record) {
            return Amend::NameTaken;
        }
        self.0.entry(id.clone()).and_modify(|(present, _)| *present = record);
        Amend::Amended
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

fn name(number: u8) -> String {
    "n".repeat(number.into())
}

fn run(store: &dyn TokenStore, keys: &KeyRing, ids: &[Vec<u8>], operations: Vec<Operation>) {
    let ids: Vec<TokenId> = ids.iter().map(|id| TokenId::new(id.as_slice()).unwrap()).collect();
    let id_at = |at: usize| &ids[at % ids.len()];
    let mut model = Model::default();
    let mut granted: Vec<(&TokenId, u8, GrantId)> = Vec::new();
    for operation in operations {
        match operation {
            Operation::Insert { id, limit, expires, entity: number, name } => {
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
                let record = Record { name: name.map(self::name), ..record(keys, terms) };
                assert_eq!(store.insert(&record).unwrap(), model.insert(record));
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
            Operation::Revoke { id, reversible } => {
                let revocation = Revocation { reversible, ..FOR_GOOD };
                let expected = model.revoke(id_at(id), &revocation);
                assert_eq!(store.revoke(id_at(id), &revocation).unwrap(), expected);
            }
            Operation::Reinstate { id } => {
                assert_eq!(store.reinstate(id_at(id)).unwrap(), model.reinstate(id_at(id)));
            }
            Operation::Amend { id, name, metadata } => {
                let name = name.map(|name| name.map(self::name));
                let amendment = Amendment { name, metadata: metadata.map(|byte| vec![byte]) };
                assert_eq!(store.amend(id_at(id), &amendment).unwrap(), model.amend(id_at(id), amendment));
            }
            Operation::Delete { id } => {
                let deleted =
                    if model.0.remove(id_at(id)).is_some() { Delete::Deleted } else { Delete::Absent };
                assert_eq!(store.delete(id_at(id)).unwrap(), deleted);
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
    // The store chooses their order.
    let by_id = |filter| {
        let mut records = listed(filter);
        records.sort_by(|a, b| a.id.cmp(&b.id));
        records
    };
    for number in 0..3 {
        let entity = entity(number);
        assert_eq!(by_id(Filter::Issuer(entity.clone())), expected(&|record| record.issuer == entity));
        for number in 0..3 {
            let (entity, name) = (entity.clone(), name(number));
            let holds = |record: &Record| record.issuer == entity && record.name.as_ref() == Some(&name);
            assert_eq!(listed(Filter::Name(entity.clone(), name.clone())), expected(&holds));
        }
        assert_eq!(
            by_id(Filter::Resource(entity.clone())),
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
