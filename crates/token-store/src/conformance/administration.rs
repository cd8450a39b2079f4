//! Administration: calls on many tokens at once.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use token_core::UnixTime;

use super::events::{present, since};
use super::suite::{
    FAR_AHEAD, FOR_GOOD, NOW, Suite, USE, again, altered, claim, granted, holds, insert, insert_ten, pages,
    spend, together, won,
};
use crate::{
    Administration, Cursor, Event, Filter, Held, Item, KeyPlace, KeyRing, Owner, Raise, Record, Refund,
    Reinstate, Reseal, Revocation, Revoke, SealedKey, Spend, StoreError, Use,
};

/// Later than every time of the suite, and not ahead of any clock.
const LATE: u64 = 1_500_000_000;

pub(super) fn check<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `revoke_all`", || revoking_all_of_something(suite, open));
    holds("the contract of `revoke_before`", || everything_older_is_revoked(suite, open));
    holds("the contract of `revoke_before` and `purge_spent`", || {
        a_clock_far_ahead_revokes_and_removes_nothing(suite, open)
    });
    holds("the contract of `purge_spent`", || spent_records_go_after_their_retention(suite, open));
    holds("the contract of `spend` and `purge_spent`", || {
        a_clock_that_goes_back_shortens_no_retention(suite, open)
    });
    holds("the contract of `purge` and `purge_spent`", || many_claims_are_purged(suite, &open()));
    holds("the contract of `counts`", || counts_tell_what_is_there(suite, &open()));
    holds("the contract of `claims` and `generations`", || claims_and_generations_are_paged(suite, &open()));
    holds("the contract of `reseal`", || keys_are_replaced_where_they_are_the_old_ones(suite, open));
    holds("the contract of `check`", || what_was_written_is_sound(&open(), &suite.keys));
}

fn revoking_all_of_something<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let (_, [space, alice, bob]) = insert_ten(suite, &open(), b'v', |_| None);
    let sweep = |filter: &Filter, limit: usize| -> Vec<usize> {
        let (mut revoked, mut after) = (Vec::new(), None);
        loop {
            let page = open().revoke_all(filter, &FOR_GOOD, after.as_ref(), limit).unwrap();
            revoked.push(page.changed);
            match page.next {
                Some(next) => after = Some(next),
                None => return revoked,
            }
        }
    };
    assert_eq!(sweep(&Filter::Resource(space), 2), [2, 2, 1]);
    assert_eq!(sweep(&Filter::Issuer(alice.clone()), 10), [3], "three of six were revoked before");
    assert_eq!(sweep(&Filter::Issuer(alice), 6), [0]);
    let store = open();
    for number in 0..10_u8 {
        let record = store.get(&suite.id([b'v', number])).unwrap().unwrap();
        assert_eq!(record.is_revoked(), number < 6 || number % 2 == 0, "{number}");
    }
    let filter = Filter::Issuer(bob);
    let none = store.revoke_all(&filter, &FOR_GOOD, None, 0).unwrap();
    assert_eq!(none.changed, 0);
    assert_eq!(store.revoke_all(&filter, &FOR_GOOD, none.next.as_ref(), 9).unwrap().changed, 2);
    let refused = store.revoke_all(&filter, &FOR_GOOD, Some(&b"nonsense".to_vec().into()), 1);
    assert!(matches!(refused, Err(StoreError::InvalidCursor)));
}

// The other parts of the suite create their records later than this time.
fn everything_older_is_revoked<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let at = |secs: u64, name: &str| {
        suite.sealed(Record {
            created: UnixTime::from_secs(secs),
            issuer: suite.entity("user", "older"),
            ..suite.limited(&suite.id(name), 3)
        })
    };
    let (older, newer) = (at(999, "older"), at(1000, "newer"));
    let store = open();
    let mark = store.revoke_before(UnixTime::from_secs(0)).unwrap();
    assert!(mark <= UnixTime::from_secs(1000), "the suite needs a store where nothing newer is revoked");
    insert(&store, &older);
    insert(&store, &newer);
    if mark == UnixTime::from_secs(0) {
        assert_eq!(spend(&store, &older.id, "held"), won(2));
        assert!(!store.get(&older.id).unwrap().unwrap().is_revoked());
    }
    let from = present(&store);
    for _ in 0..2 {
        assert_eq!(store.revoke_before(UnixTime::from_secs(1000)).unwrap(), UnixTime::from_secs(1000));
    }
    let expected =
        (mark < UnixTime::from_secs(1000)).then_some(Event::RevokedBefore(UnixTime::from_secs(1000)));
    assert_eq!(
        since(&store, &from),
        expected.into_iter().collect::<Vec<_>>(),
        "one event, for what it changed"
    );
    assert_eq!(store.revoke_before(UnixTime::from_secs(5)).unwrap(), UnixTime::from_secs(1000), "for good");
    drop(store);
    let store = open();
    assert_eq!(store.spend(&older.id, &claim("a"), &USE).unwrap(), Spend::Revoked);
    assert!(store.get(&older.id).unwrap().unwrap().is_revoked());
    if mark == UnixTime::from_secs(0) {
        assert_eq!(spend(&store, &older.id, "held"), again(2));
    }
    assert_eq!(spend(&store, &newer.id, "a"), won(2));
    let late = at(3, "older, but late");
    insert(&store, &late);
    assert_eq!(store.spend(&late.id, &claim("a"), &USE).unwrap(), Spend::Revoked);
    let at_that_time = Revocation::for_good(UnixTime::from_secs(1000));
    assert_eq!(store.get(&late.id).unwrap().unwrap().revocation, Some(at_that_time));
    // A revocation of its own is shown, and can no longer be undone.
    assert_eq!(store.reinstate(&late.id).unwrap(), Reinstate::ForGood);
    let own = Revocation { reason: "lost".into(), reversible: true, ..FOR_GOOD };
    assert_eq!(store.revoke(&late.id, &own).unwrap(), Revoke::Revoked);
    assert_eq!(store.reinstate(&late.id).unwrap(), Reinstate::ForGood);
    let shown = store.get(&late.id).unwrap().unwrap().revocation;
    assert_eq!(shown, Some(Revocation { reversible: false, ..own }));
    let listed = pages(&store, &Filter::Issuer(suite.entity("user", "older")), 10);
    let revoked = listed.iter().filter(|record| record.is_revoked()).map(|record| &record.id);
    assert_eq!(revoked.collect::<BTreeSet<_>>(), BTreeSet::from([&older.id, &late.id]));
}

fn a_clock_far_ahead_revokes_and_removes_nothing<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let store = open();
    let in_force = store.revoke_before(UnixTime::from_secs(0)).unwrap();
    // One record that was inserted, and one that was restored.
    let inserted = suite.limited(&suite.id("far ahead, inserted"), 1);
    insert(&store, &inserted);
    assert_eq!(spend(&store, &inserted.id, "a"), won(0));
    let restored = suite.limited(&suite.id("far ahead, restored"), 1);
    let item = Item::Token { record: Record { uses: 1, ..restored }, claims: Vec::new() };
    assert_eq!(store.restore(&[item]).unwrap(), 1);
    for ahead in FAR_AHEAD {
        let purge =
            |retention| store.purge_spent(ahead, Duration::from_secs(retention), usize::MAX).map(drop);
        for refused in [store.revoke_before(ahead).map(drop), purge(0), purge(1)] {
            assert!(matches!(refused, Err(StoreError::ClockAhead { .. })), "at {ahead}: {refused:?}");
        }
    }
    drop(store);
    assert_eq!(open().revoke_before(UnixTime::from_secs(0)).unwrap(), in_force, "nothing was revoked");
    for name in ["far ahead, inserted", "far ahead, restored"] {
        let kept = open().get(&suite.id(name)).unwrap().expect("nothing was removed");
        assert_eq!((kept.uses, kept.is_revoked()), (1, false));
    }
}

fn drained<S: Administration>(store: &S) {
    while store.purge_spent(UnixTime::from_secs(LATE), Duration::ZERO, 100).unwrap() == 100 {}
}

fn spent_records_go_after_their_retention<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let time = UnixTime::from_secs;
    let purge = |now: u64, retention: u64, limit: usize| {
        open().purge_spent(time(now), Duration::from_secs(retention), limit).unwrap()
    };
    // First removes the spent records that other parts of the suite left.
    drained(&open());
    let id = |name: &str| suite.id(["retention ", name].concat());
    let spend = |name: &str, now: u64| {
        let spent = open().spend(&id(name), &claim("x"), &Use::anonymous(time(now))).unwrap();
        assert!(matches!(spent, Spend::Spent { repeated: false, .. }), "{spent:?}");
        assert_eq!(open().get(&id(name)).unwrap().unwrap().last_use, Some(time(now)));
        spent.grant()
    };
    for name in ["a", "b", "c", "d", "unspent"] {
        insert(&open(), &suite.limited(&id(name), 1));
    }
    insert(&open(), &suite.limited(&id("used"), 2));
    insert(&open(), &suite.record(&id("unlimited")));
    let spent = Record { uses: 1, ..suite.limited(&id("spent when inserted"), 1) };
    insert(&open(), &Record { last_use: Some(time(100)), ..spent.clone() });
    insert(&open(), &Record { id: id("spent unknown when"), ..spent });
    for name in ["a", "used", "unlimited"] {
        spend(name, 100);
    }
    let spent_b = spend("b", 100).unwrap();
    let there = |name: &str| open().get(&id(name)).unwrap().is_some();

    assert_eq!(purge(149, 50, 10), 0);
    spend("c", 120);
    assert_eq!(open().refund(&id("b"), &claim("x"), spent_b).unwrap(), Refund::Refunded);
    assert_eq!(open().get(&id("b")).unwrap().unwrap().last_use, Some(time(100)));
    assert_eq!(purge(150, 50, 10), 2, "a, and the one that was spent when inserted");
    assert!(!there("a") && there("b") && there("c") && !there("spent when inserted"));
    assert_eq!(open().spend(&id("a"), &claim("x"), &Use::anonymous(time(150))).unwrap(), Spend::Absent);

    spend("b", 110);
    spend("d", 160);
    assert_eq!(purge(10, u64::MAX, 9), 0, "a retention that never ends");
    assert_eq!(purge(170, 0, 0), 0);
    assert_eq!(purge(170, 0, 1), 1);
    assert!(!there("b") && there("c"), "the earliest first");
    assert_eq!(purge(170, 0, 10), 2);
    assert!(!there("c") && !there("d"));
    assert_eq!(purge(LATE - 1, 0, 10), 0);
    assert_eq!(purge(LATE, 0, 10), 1, "without a time of its last use, it was spent when it was created");
    assert!(!there("spent unknown when"));
    assert!(there("unspent") && there("used") && there("unlimited"));
    insert(&open(), &suite.limited(&id("a"), 1));
    spend("a", 200);
}

fn a_clock_that_goes_back_shortens_no_retention<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let id = suite.id("a clock that goes back");
    drained(&open());
    insert(&open(), &suite.limited(&id, 2));
    for (name, now) in [("a", 100), ("b", 50)] {
        let spent = open().spend(&id, &claim(name), &Use::anonymous(UnixTime::from_secs(now))).unwrap();
        assert!(matches!(spent, Spend::Spent { repeated: false, .. }), "{spent:?}");
    }
    let purge = |now| open().purge_spent(UnixTime::from_secs(now), Duration::from_secs(50), 9).unwrap();
    assert_eq!((purge(149), purge(150)), (0, 1));
}

// More claims than fit into one step. While they are removed, the record is present with all of them, or absent.
fn many_claims_are_purged<S: Administration>(suite: &Suite, store: &S) {
    const CLAIMS: u64 = 600;
    for (name, expires) in [("many, expired", Some(UnixTime::from_secs(12))), ("many, spent", None)] {
        let record = suite.sealed(Record { expires, ..suite.limited(&suite.id(name), CLAIMS) });
        insert(store, &record);
        together(0..8, |part: u32| {
            for number in (0..CLAIMS).filter(|number| number % 8 == u64::from(part)) {
                granted(store, &record.id, number.to_string());
            }
        });
        // Not an answer to the claim.
        let (_, Held { grant, .. }) = store.claims(&record.id, None, 1).unwrap().remove(0);
        let done = AtomicBool::new(false);
        let refunded = thread::scope(|scope| {
            let (id, done) = (&record.id, &done);
            for name in ["1", "300", "599"] {
                scope.spawn(move || {
                    while !done.load(Ordering::SeqCst) {
                        let answer = spend(store, id, name);
                        assert!(
                            matches!(answer, Spend::Absent | Spend::Spent { repeated: true, .. }),
                            "a claim that was answered is answered alike until its record is absent: {answer:?}"
                        );
                    }
                });
            }
            let refund = scope.spawn(move || store.refund(id, &claim("0"), grant).unwrap());
            match expires {
                Some(time) => while store.purge(time, 100).unwrap() == 100 {},
                None => drained(store),
            }
            done.store(true, Ordering::SeqCst);
            refund.join().unwrap()
        });
        let left = match (refunded, expires) {
            // The record was no longer spent when the purge reached it.
            (Refund::Refunded, None) => CLAIMS - 1,
            (Refund::Refunded | Refund::Absent, _) => 0,
            (other, _) => panic!("{other:?}"),
        };
        let kept = store.get(&record.id).unwrap().map_or(0, |record| record.uses);
        let claims = store.claims(&record.id, None, usize::MAX).unwrap().len();
        assert_eq!((kept, u64::try_from(claims).unwrap()), (left, left), "all of its claims, or none");
    }
}

fn counts_tell_what_is_there<S: Administration>(suite: &Suite, store: &S) {
    let before = store.counts().unwrap();
    let id = |name: &str| suite.id(["counted ", name].concat());
    insert(store, &suite.record(&id("a")));
    insert(store, &Record { revocation: Some(FOR_GOOD), ..suite.limited(&id("b"), 2) });
    let never = Record { expires: Some(UnixTime::MAX), ..suite.limited(&id("c"), 1) };
    insert(store, &suite.sealed(never));
    let old = Record { created: UnixTime::from_secs(0), ..suite.record(&id("old")) };
    insert(store, &suite.sealed(old));
    let _won = store.spend(&id("c"), &claim("x"), &USE).unwrap();
    let subject = suite.entity("user", "counted");
    assert_eq!(store.raise_generation(&subject, &suite.generation(&subject, 1)).unwrap(), Raise::Raised);
    let after = store.counts().unwrap();
    assert_eq!(after.records - before.records, 4);
    assert_eq!(after.revoked - before.revoked, 2);
    assert_eq!(after.spent - before.spent, 1);
    assert_eq!(after.expiring - before.expiring, 1);
    assert_eq!(after.claims - before.claims, 1);
    assert_eq!(after.generations - before.generations, 1);
}

fn claims_and_generations_are_paged<S: Administration>(suite: &Suite, store: &S) {
    let id = suite.id("paged");
    insert(store, &suite.limited(&id, 9));
    let made: Vec<_> = ["\0", "a", "a\0", "ab", "b"].into_iter().map(claim).zip((4..9).rev()).collect();
    let by = |uses_left: u64| Use {
        consumer: uses_left.is_multiple_of(2).then(|| suite.entity("user", &uses_left.to_string())),
        at: UnixTime::from_secs(uses_left),
    };
    for (claim, uses_left) in &made {
        let _won = store.spend(&id, claim, &by(*uses_left)).unwrap();
    }
    for limit in 1..7 {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|(claim, _)| claim).cloned();
            let page = store.claims(&id, after.as_ref(), limit).unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        let all_by = found.iter().all(|(_, held): &(_, Held)| held.spent == by(held.uses_left));
        assert!(all_by, "each with who spent it, and when: {found:?}");
        let found: Vec<_> = found.into_iter().map(|(claim, held)| (claim, held.uses_left)).collect();
        assert_eq!(found, made);
    }

    let subjects = ["p", "pp", "q"].map(|name| suite.entity("paged", name));
    for subject in &subjects {
        assert_eq!(store.raise_generation(subject, &suite.generation(subject, 1)).unwrap(), Raise::Raised);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.generations(after.as_ref(), 2).unwrap();
        assert!(page.sound.len() <= 2 && page.damaged.is_empty());
        found.extend(page.sound.into_iter().filter(|(subject, _)| subjects.contains(subject)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // An empty page leads to the same place as the previous page.
    let mut after = None;
    for _ in 0..3 {
        let nothing = store.generations(after.as_ref(), 0).unwrap();
        assert!(nothing.sound.is_empty() && nothing.damaged.is_empty());
        after = nothing.next;
        assert!(after.is_some(), "there are more");
    }
    assert_eq!(store.generations(after.as_ref(), 2).unwrap(), store.generations(None, 2).unwrap());
    let first = store.generations(None, 1).unwrap().next;
    let nothing = store.generations(first.as_ref(), 0).unwrap().next;
    let after = |cursor: Option<&Cursor>| store.generations(cursor, 1).unwrap();
    assert_eq!(after(nothing.as_ref()), after(first.as_ref()));
    let cursor = first.unwrap();
    for wrong in altered(&cursor) {
        assert!(matches!(store.generations(Some(&wrong), 2), Err(StoreError::InvalidCursor)));
    }
    assert!(matches!(store.list(&Filter::All, Some(&cursor), 2), Err(StoreError::InvalidCursor)));
    assert_eq!(found.len(), 3);
    for (subject, generation) in found {
        assert_eq!(store.generation(&subject).unwrap(), Some(generation));
    }
}

fn keys_are_replaced_where_they_are_the_old_ones<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("resealed"), 2);
    let subject = suite.entity("user", "resealed");
    let generation = suite.generation(&subject, 1);
    let owner = Owner::Generation { subject: &subject, number: 1 };
    let new = suite.sealed(record.clone()).root_key;
    let new_generation = suite.keys.seal(&suite.root_key(b"other"), owner).unwrap();
    let reseal =
        |place, old: &SealedKey, new: &SealedKey| Reseal { place, old: old.clone(), new: new.clone() };
    let changes = [
        reseal(KeyPlace::Token(record.id.clone()), &record.root_key, &new),
        reseal(KeyPlace::Generation(subject.clone()), &generation.root_key, &new_generation),
    ];
    let store = open();
    assert_eq!(store.reseal(&changes).unwrap(), 0, "there is nothing yet");
    insert(&store, &record);
    assert_eq!(store.raise_generation(&subject, &generation).unwrap(), Raise::Raised);
    let _won = store.spend(&record.id, &claim("x"), &USE).unwrap();
    assert_eq!(store.reseal(&changes).unwrap(), 2);
    assert_eq!(store.reseal(&changes).unwrap(), 0, "these are no longer the old keys");
    drop(store);
    let store = open();
    let kept = store.get(&record.id).unwrap().unwrap();
    suite.assert_opens(&kept);
    assert_eq!(kept, Record { root_key: new, uses: 1, last_use: Some(NOW), ..record });
    assert_eq!(store.generation(&subject).unwrap().unwrap().root_key, new_generation);
}

// Runs after the rest of the suite. No fault of this kind may exist, even if others use the store.
fn what_was_written_is_sound<S: Administration>(store: &S, keys: &KeyRing) {
    let report = store.check(None).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.opened, 0);
    let counts = store.counts().unwrap();
    assert_eq!((report.records, report.claims), (counts.records, counts.claims));
    assert!(store.check(Some(keys)).unwrap().opened > 0);
}
