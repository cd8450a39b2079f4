//! The log of events.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use token_core::UnixTime;

use super::suite::{FOR_GOOD, NOW, Suite, USE, altered, claim, holds, insert, insert_ten, together};
use crate::{
    Administration, Amend, Amendment, Cursor, Delete, Event, Events, Filter, Item, Record, Reinstate,
    Revocation, Revoke, StoreError, TokenId,
};

pub(super) fn check<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `events`: each change", || each_change_is_one_event(suite, open));
    holds("the contract of `events`: pages", || events_are_paged_and_stay(suite, open));
    holds("the contract of `events`: order", || a_reader_sees_each_change_once_in_order(suite, &open()));
}

/// Returns the place of the next event.
pub(super) fn present<S: Administration>(store: &S) -> Cursor {
    let Events { events, next, missed } = store.events(None, 10).unwrap();
    assert_eq!((events, missed), (Vec::new(), false));
    next
}

/// Returns all events after a place.
pub(super) fn since<S: Administration>(store: &S, after: &Cursor) -> Vec<Event> {
    let found = store.events(Some(after), usize::MAX).unwrap();
    assert!(!found.missed);
    found.events
}

fn reversible() -> Revocation {
    Revocation { reversible: true, ..FOR_GOOD }
}

fn each_change_is_one_event<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let name = |name: &str| suite.id(["event ", name].concat());
    let (a, b) = (name("a"), name("b"));
    let subject = suite.entity("user", "event");
    let mut from = present(&open());
    // Each step runs twice. The second time it changes nothing.
    let mut step = |act: &dyn Fn(&S), expected: &[Event]| {
        for expected in [expected, &[]] {
            act(&open());
            assert_eq!(since(&open(), &from), expected);
            from = present(&open());
        }
    };
    step(&|store| done(store.insert(&suite.limited(&a, 2)).unwrap()), &[]);
    step(&|store| done(store.insert(&suite.record(&b)).unwrap()), &[]);
    step(&|store| done(store.spend(&a, &claim("x"), &USE).unwrap()), &[]);
    step(&|store| assert_eq!(store.revoke(&name("none"), &FOR_GOOD).unwrap(), Revoke::Absent), &[]);
    step(&|store| assert_eq!(store.reinstate(&a).unwrap(), Reinstate::Reinstated), &[]);
    let revoked = |id: &TokenId| [Event::Revoked(id.clone())];
    step(&|store| done(store.revoke(&a, &reversible()).unwrap()), &revoked(&a));
    step(&|store| done(store.reinstate(&a).unwrap()), &[Event::Reinstated(a.clone())]);
    step(&|store| done(store.revoke(&a, &reversible()).unwrap()), &revoked(&a));
    step(&|store| done(store.revoke(&a, &FOR_GOOD).unwrap()), &revoked(&a));
    step(&|store| assert_eq!(store.reinstate(&a).unwrap(), Reinstate::ForGood), &[]);
    let amendment = Amendment { name: Some(Some("event".into())), metadata: None };
    step(&|store| assert_eq!(store.amend(&b, &amendment).unwrap(), Amend::Amended), &[]);
    step(&|store| done(store.delete(&b).unwrap()), &[Event::Deleted(b.clone())]);
    step(&|store| assert_eq!(store.delete_generation(&subject).unwrap(), Delete::Absent), &[]);
    let raise = |number| {
        let next = suite.generation(&subject, number);
        move |store: &S, subject: &_| done(store.raise_generation(subject, &next).unwrap())
    };
    let raised = |number| [Event::GenerationRaised(subject.clone(), number)];
    step(&|store| raise(1)(store, &subject), &raised(1));
    step(&|store| raise(2)(store, &subject), &raised(2));
    step(&|store| raise(4)(store, &subject), &[]);
    let item = Item::Generation { subject: subject.clone(), generation: suite.generation(&subject, 7) };
    step(&|store| done(store.restore(std::slice::from_ref(&item)).unwrap()), &raised(7));
    let deleted = [Event::GenerationDeleted(subject.clone())];
    step(&|store| done(store.delete_generation(&subject).unwrap()), &deleted);
    let item = Item::Token {
        record: Record { revocation: Some(reversible()), ..suite.record(&name("c")) },
        claims: Vec::new(),
    };
    step(&|store| done(store.insert(&suite.record(&name("c"))).unwrap()), &[]);
    step(&|store| done(store.restore(std::slice::from_ref(&item)).unwrap()), &revoked(&name("c")));
    let old = Record { expires: Some(UnixTime::from_secs(14)), ..suite.record(&name("old")) };
    step(&|store| done(store.insert(&suite.sealed(old.clone())).unwrap()), &[]);
    step(&|store| while store.purge(UnixTime::from_secs(14), 100).unwrap() == 100 {}, &[]);
}

fn done<T>(_: T) {}

fn events_are_paged_and_stay<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let (all, [space, alice, bob]) = insert_ten(suite, &open(), b'y', |_| None);
    let start = present(&open());
    let _even = open().revoke_all(&Filter::Resource(space), &reversible(), None, 99).unwrap();
    let _first = open().delete_all(&Filter::Issuer(alice), None, 99).unwrap();
    let _again = open().revoke_all(&Filter::Issuer(bob), &reversible(), None, 99).unwrap();
    let mut events = since(&open(), &start);
    for limit in [1, 2, 5, 12, 13, 99] {
        let (mut found, mut after) = (Vec::new(), start.clone());
        loop {
            let page = open().events(Some(&after), limit).unwrap();
            assert!(page.events.len() <= limit && !page.missed);
            if page.events.is_empty() {
                assert_eq!(page.next, after, "the end stays where it is");
                break;
            }
            found.extend(page.events);
            after = page.next;
        }
        assert_eq!((&found, after), (&events, present(&open())));
    }
    let none = open().events(Some(&start), 0).unwrap();
    assert_eq!((none.events, none.missed), (Vec::new(), false));
    assert_eq!(since(&open(), &none.next), events, "a page of no events leads to the first");

    // One call's events come in any order.
    let id = |number: u8| suite.id([b'y', number]);
    let key = |event: &Event| match event {
        Event::Revoked(id) | Event::Deleted(id) => id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(events.len(), 13, "{events:?}");
    events[..5].sort_by_key(key);
    events[5..11].sort_by_key(key);
    let revoked = [0, 2, 4, 6, 8].map(|number| Event::Revoked(id(number)));
    let deleted = (0..6).map(|number| Event::Deleted(id(number)));
    let last = [7, 9].map(|number| Event::Revoked(id(number)));
    events[11..].sort_by_key(key);
    assert_eq!(events, revoked.into_iter().chain(deleted).chain(last).collect::<Vec<_>>());

    let refused = |wrong: &Cursor| {
        let answer = open().events(Some(wrong), 1);
        assert!(matches!(answer, Err(StoreError::InvalidCursor)), "{wrong:?}: {answer:?}");
    };
    altered(&start).for_each(|wrong| refused(&wrong));
    let listing = open().list(&Filter::All, None, 1).unwrap().next;
    refused(&listing.expect("there are more records"));
    assert_eq!(all.len(), 10);
}

// Threads revoke and reinstate tokens, some of which they share, while a reader follows.
fn a_reader_sees_each_change_once_in_order<S: Administration>(suite: &Suite, store: &S) {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 25;
    let own = |writer: usize| suite.id(format!("followed {writer}"));
    let shared = suite.id("followed by all");
    for id in (0..WRITERS).map(own).chain([shared.clone()]) {
        insert(store, &suite.record(&id));
    }
    let (start, writing) = (present(store), AtomicUsize::new(WRITERS));
    let seen = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut after) = (Vec::new(), start);
            loop {
                // Polls once more after the writers are done.
                let last = writing.load(Ordering::SeqCst) == 0;
                let page = store.events(Some(&after), 7).unwrap();
                assert!(!page.missed && page.events.len() <= 7);
                if last && page.events.is_empty() {
                    return seen;
                }
                seen.extend(page.events);
                after = page.next;
            }
        });
        together(0..WRITERS, |writer| {
            for _ in 0..ROUNDS {
                for id in [&own(writer), &shared] {
                    assert_eq!(
                        store.revoke(id, &Revocation { at: NOW, ..reversible() }).unwrap(),
                        Revoke::Revoked
                    );
                    assert_eq!(store.reinstate(id).unwrap(), Reinstate::Reinstated);
                }
            }
            writing.fetch_sub(1, Ordering::SeqCst);
        });
        reader.join().unwrap()
    });
    let mut of: BTreeMap<TokenId, Vec<bool>> = BTreeMap::new();
    for event in seen {
        match event {
            Event::Revoked(id) => of.entry(id).or_default().push(true),
            Event::Reinstated(id) => of.entry(id).or_default().push(false),
            other => panic!("{other:?}"),
        }
    }
    for (id, changes) in &of {
        let alternate = changes.iter().enumerate().all(|(at, revoked)| *revoked == (at % 2 == 0));
        assert!(alternate, "a token is revoked and reinstated in turn: {id} {changes:?}");
        assert_eq!(changes.len() % 2, 0, "the last change is seen: {id}");
    }
    for writer in 0..WRITERS {
        assert_eq!(of[&own(writer)].len(), 2 * ROUNDS, "each change is seen");
    }
    assert!(of.contains_key(&shared));
    assert_eq!(of.len(), WRITERS + 1);
}
