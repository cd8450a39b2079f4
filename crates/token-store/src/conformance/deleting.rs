//! Deleting records, with their claims, and generations.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use token_core::UnixTime;

use super::suite::{
    LINEARIZABLE, Suite, USE, again, claim, granted, holds, insert, insert_ten, pages, spend, together, won,
};
use crate::{
    Administration, Delete, Entity, Filter, GrantId, Insert, Raise, Record, Refund, Spend, StoreError, Sweep,
    TokenId, TokenStore,
};

/// More claims than a store removes in one step.
const CLAIMS: u64 = 300;

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `delete`", || a_deleted_record_takes_its_claims_along(suite, open));
    holds("the contract of `delete_generation`", || a_deleted_generation_begins_anew(suite, open));
    holds(LINEARIZABLE, || nothing_is_spent_after_a_deletion(suite, &open()));
}

pub(super) fn check_administration<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `delete_all`", || deleting_all_of_something(suite, open));
    holds("the contract of `delete_all`", || many_claims_go_with_their_records(suite, open));
}

/// Inserts the record, and spends all its uses at once. Returns one of the grants.
fn spent_up<S: TokenStore>(store: &S, record: &Record) -> GrantId {
    insert(store, record);
    let grant = granted(store, &record.id, "0");
    together(0..8, |part: u32| {
        for number in (1..CLAIMS).filter(|number| number % 8 == u64::from(part)) {
            granted(store, &record.id, number.to_string());
        }
    });
    grant
}

/// Asserts that nothing of the record that was deleted is left once another is inserted under its id.
fn begins_anew<S: TokenStore>(store: &S, record: &Record, old: GrantId) {
    assert_eq!(store.insert(record).unwrap(), Insert::Inserted);
    assert_eq!(store.get(&record.id).unwrap().as_ref(), Some(record));
    for number in [0, 7, CLAIMS - 1] {
        let claim = claim(number.to_string());
        assert_eq!(store.claimed(&record.id, &claim).unwrap(), None, "{number}");
        assert_eq!(store.refund(&record.id, &claim, old).unwrap(), Refund::NotClaimed);
    }
    for number in 0..CLAIMS {
        assert_eq!(spend(store, &record.id, number.to_string()), won(CLAIMS - 1 - number));
    }
    assert_eq!(spend(store, &record.id, "0"), again(CLAIMS - 1), "its new claims stay");
}

fn a_deleted_record_takes_its_claims_along<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let (issuer, resource) = (suite.entity("user", "deleted"), suite.entity("space", "deleted"));
    let record = suite.sealed(Record {
        issuer: issuer.clone(),
        resource: Some(resource.clone()),
        expires: Some(UnixTime::from_secs(6_000_000)),
        name: Some("deleted".into()),
        ..suite.limited(&suite.id("deleted"), CLAIMS)
    });
    assert_eq!(open().delete(&record.id).unwrap(), Delete::Absent);
    let grant = spent_up(&open(), &record);
    assert_eq!(open().delete(&record.id).unwrap(), Delete::Deleted);
    for _ in 0..2 {
        assert_eq!(open().delete(&record.id).unwrap(), Delete::Absent);
        assert_eq!(open().get(&record.id).unwrap(), None);
        assert_eq!(spend(&open(), &record.id, "0"), Spend::Absent);
        assert_eq!(open().claimed(&record.id, &claim("0")).unwrap(), None);
        assert_eq!(open().refund(&record.id, &claim("0"), grant).unwrap(), Refund::Absent);
    }
    for filter in
        [Filter::Issuer(issuer.clone()), Filter::Resource(resource), Filter::Name(issuer, "deleted".into())]
    {
        assert_eq!(pages(&open(), &filter, 9), [], "{filter:?}");
    }
    let expiring = pages(&open(), &Filter::ExpiresBefore(UnixTime::from_secs(6_000_000)), 99);
    assert!(expiring.iter().all(|other| other.id != record.id));
    begins_anew(&open(), &record, grant);
    assert_eq!(open().delete(&record.id).unwrap(), Delete::Deleted);
}

fn a_deleted_generation_begins_anew<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let (subject, other) = (suite.entity("user", "begins anew"), suite.entity("user", "begins"));
    for number in 1..4 {
        let next = suite.generation(&subject, number);
        assert_eq!(open().raise_generation(&subject, &next).unwrap(), Raise::Raised);
    }
    let kept = suite.generation(&other, 1);
    assert_eq!(open().raise_generation(&other, &kept).unwrap(), Raise::Raised);
    assert_eq!(open().delete_generation(&subject).unwrap(), Delete::Deleted);
    assert_eq!(open().delete_generation(&subject).unwrap(), Delete::Absent);
    assert_eq!(open().generation(&subject).unwrap(), None);
    assert_eq!(open().present_generation(&subject).unwrap(), None);
    assert_eq!(open().generation(&other).unwrap(), Some(kept));
    let fourth = suite.generation(&subject, 4);
    assert_eq!(open().raise_generation(&subject, &fourth).unwrap(), Raise::Stale { present: 0 });
    let first = suite.generation(&subject, 1);
    assert_eq!(open().raise_generation(&subject, &first).unwrap(), Raise::Raised);
    assert_eq!(open().generation(&subject).unwrap(), Some(first));
    assert_eq!(open().delete_generation(&Entity::user("x".repeat(2000))).unwrap(), Delete::Absent);
}

fn nothing_is_spent_after_a_deletion<S: TokenStore>(suite: &Suite, store: &S) {
    for round in 0..10 {
        let id = suite.id(format!("racing deletions {round}"));
        insert(store, &suite.limited(&id, 100));
        let (gone, deletions) = (AtomicBool::new(false), AtomicUsize::new(0));
        together(0..8, |thread| {
            if thread < 3 {
                if store.delete(&id).unwrap() == Delete::Deleted {
                    deletions.fetch_add(1, Ordering::SeqCst);
                }
                gone.store(true, Ordering::SeqCst);
                return;
            }
            for number in 0..5 {
                let before = gone.load(Ordering::SeqCst);
                match store.spend(&id, &claim(format!("{thread} {number}")), &USE).unwrap() {
                    Spend::Spent { .. } => assert!(!before, "spent after the deletion was acknowledged"),
                    Spend::Absent => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        assert_eq!(deletions.into_inner(), 1);
        assert_eq!(store.get(&id).unwrap(), None);
    }
}

/// Deletes page by page. Returns how many records.
fn sweep<S: Administration>(open: &impl Fn() -> S, filter: &Filter, limit: usize) -> usize {
    let (mut deleted, mut after) = (0, None);
    loop {
        let Sweep { changed, damaged, next } = open().delete_all(filter, after.as_ref(), limit).unwrap();
        assert!(changed <= limit && damaged == 0);
        deleted += changed;
        match next {
            Some(next) => after = Some(next),
            None => return deleted,
        }
    }
}

fn deleting_all_of_something<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let (all, [space, alice, bob]) = insert_ten(suite, &open(), b'x', |_| None);
    let left = || -> Vec<TokenId> {
        let there = |record: &&Record| open().get(&record.id).unwrap().is_some();
        all.iter().filter(there).map(|record| record.id.clone()).collect()
    };
    let those =
        |numbers: &[u8]| -> Vec<TokenId> { numbers.iter().map(|number| suite.id([b'x', *number])).collect() };
    assert_eq!(sweep(open, &Filter::Resource(alice.clone()), 2), 0);
    assert_eq!(sweep(open, &Filter::Resource(space.clone()), 2), 5);
    assert_eq!(left(), those(&[1, 3, 5, 7, 9]));
    assert_eq!(pages(&open(), &Filter::Resource(space), 9), []);
    let filter = Filter::Issuer(alice);
    let refused = open().delete_all(&filter, Some(&b"nonsense".to_vec().into()), 1);
    assert!(matches!(refused, Err(StoreError::InvalidCursor)));
    let none = open().delete_all(&filter, None, 0).unwrap();
    assert_eq!((none.changed, left().len()), (0, 5));
    assert_eq!(open().delete_all(&filter, none.next.as_ref(), 9).unwrap().changed, 3);
    assert_eq!(left(), those(&[7, 9]));
    assert_eq!((sweep(open, &Filter::Issuer(bob.clone()), 1), sweep(open, &Filter::Issuer(bob), 1)), (2, 0));
}

fn many_claims_go_with_their_records<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let issuer = suite.entity("user", "many claims");
    let records = ["a", "b"].map(|name| {
        let record = suite.limited(&suite.id(["many claims ", name].concat()), CLAIMS);
        suite.sealed(Record { issuer: issuer.clone(), ..record })
    });
    let grants = records.each_ref().map(|record| spent_up(&open(), record));
    let before = open().counts().unwrap();
    assert_eq!(sweep(open, &Filter::Issuer(issuer), 100), 2);
    let after = open().counts().unwrap();
    assert_eq!((before.records - after.records, before.claims - after.claims), (2, 2 * CLAIMS));
    for (record, grant) in records.iter().zip(grants) {
        begins_anew(&open(), record, grant);
    }
}
