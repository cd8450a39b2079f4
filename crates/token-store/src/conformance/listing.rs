//! Listing page by page, also with concurrent writers, and purging.

use std::{collections::BTreeSet, thread};

use token_core::UnixTime;

use super::suite::{FAR_AHEAD, FOR_GOOD, Suite, altered, holds, insert, insert_ten, pages, pages_in_order};
use crate::{Cursor, Entity, Filter, Record, Revoke, StoreError, TokenId, TokenStore};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `list`", || filters_and_order(suite, open));
    holds("the contract of `list`", || entities_do_not_run_into_each_other(suite, &open()));
    holds("the contract of `list`", || cursors(suite, &open()));
    holds("the contract of `list`", || pages_stay_good_while_others_write(suite, &open()));
    holds("the contract of `purge`", || purge_takes_the_earliest(suite, open));
    holds("the contract of `purge`", || a_clock_far_ahead_purges_nothing(suite, open));
}

fn ids(records: &[Record]) -> Vec<TokenId> {
    records.iter().map(|record| record.id.clone()).collect()
}

fn filters_and_order<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    // Too late for the purges of this suite; the lower the id, the later.
    let expires = |number| (number % 3 != 0).then(|| UnixTime::from_secs(5_000_000 - number));
    let (mut all, [space, alice, bob]) = insert_ten(suite, &open(), b'l', expires);
    let those = |keep: fn(u8) -> bool| -> Vec<TokenId> {
        (0..10).filter(|number| keep(*number)).map(|number| suite.id([b'l', number])).collect()
    };

    let store = open();
    assert_eq!(store.revoke(&all[4].id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    all[4].revocation = Some(FOR_GOOD);
    for limit in [1, 2, 3, 9, 10, 11, usize::MAX] {
        let listed = pages(&store, &Filter::Issuer(alice.clone()), limit);
        assert_eq!(listed, all[..6], "whole records, by id");
        assert_eq!(ids(&pages(&store, &Filter::Issuer(bob.clone()), limit)), those(|number| number >= 6));
        let of_space = ids(&pages(&store, &Filter::Resource(space.clone()), limit));
        assert_eq!(of_space, those(|number| number % 2 == 0));
        assert!(pages(&store, &Filter::Resource(alice.clone()), limit).is_empty());

        let mut of_all = pages(&store, &Filter::All, limit.max(2));
        of_all.retain(|record| those(|_| true).contains(&record.id));
        assert_eq!(of_all, all);

        let mut expiring = ids(&pages(&store, &Filter::ExpiresBefore(UnixTime::MAX), limit));
        expiring.retain(|id| those(|_| true).contains(id));
        let mut latest_first = those(|number| number % 3 != 0);
        latest_first.reverse();
        assert_eq!(expiring, latest_first);
    }
    let at = UnixTime::from_secs(5_000_000 - 7);
    let expired: Vec<TokenId> = ids(&pages(&store, &Filter::ExpiresBefore(at), 10));
    assert!(expired.contains(&suite.id([b'l', 8])) && expired.contains(&suite.id([b'l', 7])), "at or before");
    assert!(!expired.contains(&suite.id([b'l', 5])));
}

fn entities_do_not_run_into_each_other<S: TokenStore>(suite: &Suite, store: &S) {
    let parts = ["", "\0", "a", "ab", "b", "\u{ff}"];
    let entities: Vec<Entity> = parts
        .iter()
        .flat_map(|kind| parts.iter().map(move |id| (kind, id)))
        .map(|(kind, id)| Entity { kind: format!("{}{kind}", suite.run).into(), id: (*id).into() })
        .collect();
    for (number, entity) in (0_u8..).zip(&entities) {
        let record = suite.record(&suite.id([b'e', number]));
        let record = Record { resource: Some(entity.clone()), issuer: entity.clone(), ..record };
        insert(store, &suite.sealed(record));
    }
    for (number, entity) in (0_u8..).zip(&entities) {
        let expected = [suite.id([b'e', number])];
        assert_eq!(ids(&pages(store, &Filter::Resource(entity.clone()), 5)), expected, "{entity:?}");
        assert_eq!(ids(&pages(store, &Filter::Issuer(entity.clone()), 5)), expected, "{entity:?}");
    }
}

fn cursors<S: TokenStore>(suite: &Suite, store: &S) {
    let issuer = suite.entity("user", "cursors");
    for name in ["cursor a", "cursor b"] {
        let record = Record { issuer: issuer.clone(), ..suite.record(&suite.id(name)) };
        insert(store, &suite.sealed(record));
    }
    let filter = Filter::Issuer(issuer);
    let cursor = store.list(&filter, None, 1).unwrap().next.expect("there is a second page");
    assert_eq!(store.list(&filter, Some(&cursor), 1).unwrap().next, None, "and no third");

    let refused = |filter: &Filter, cursor: &Cursor| {
        let answer = store.list(filter, Some(cursor), 1);
        assert!(matches!(answer, Err(StoreError::InvalidCursor)), "{cursor:?}");
    };
    altered(&cursor).for_each(|altered| refused(&filter, &altered));
    refused(&filter, &[cursor.as_bytes(), b"\0"].concat().into());
    refused(&Filter::All, &cursor);
    refused(&Filter::Issuer(suite.entity("user", "other")), &cursor);

    let nothing = store.list(&filter, None, 0).unwrap();
    assert!(nothing.records.is_empty());
    let rest = store.list(&filter, nothing.next.as_ref(), 5).unwrap();
    assert_eq!(rest.records.len(), 2, "a page of no records leads to the first");
}

// A record that stays is listed exactly once. A record that comes or goes meanwhile is listed at most once.
fn pages_stay_good_while_others_write<S: TokenStore>(suite: &Suite, store: &S) {
    let issuer = suite.entity("user", "pages");
    let record = |name: String, expires| {
        suite.sealed(Record { issuer: issuer.clone(), expires, ..suite.record(&suite.id(name)) })
    };
    let gone = UnixTime::from_secs(11);
    while store.purge(gone, 100).unwrap() == 100 {}
    for number in 0..20 {
        insert(store, &record(format!("stays {number:02}"), None));
        insert(store, &record(format!("stays {number:02} goes"), Some(gone)));
    }
    let stay: BTreeSet<TokenId> = (0..20).map(|number| suite.id(format!("stays {number:02}"))).collect();
    let listed = || ids(&pages_in_order(store, &Filter::Issuer(issuer.clone()), 3));
    let staying = |listed: &[TokenId]| -> Vec<TokenId> {
        listed.iter().filter(|id| stay.contains(*id)).cloned().collect()
    };
    let order = staying(&listed());
    assert_eq!(order.len(), 20);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..20 {
                insert(store, &record(format!("stays {number:02} comes"), None));
                store.purge(gone, 1).unwrap();
                let stays = suite.id(format!("stays {number:02}"));
                assert_eq!(store.revoke(&stays, &FOR_GOOD).unwrap(), Revoke::Revoked);
            }
        });
        let mut last = false;
        while !last {
            // Lists once more after the writer is done, so that the final state is listed at least once.
            last = writer.is_finished();
            let listed = listed();
            let unique: BTreeSet<&TokenId> = listed.iter().collect();
            assert_eq!(unique.len(), listed.len());
            assert_eq!(staying(&listed), order, "the order of two records never changes");
        }
        writer.join().unwrap();
    });
    assert_eq!(pages(store, &Filter::Issuer(issuer), 7).len(), 40);
}

fn purge_takes_the_earliest<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let (resource, issuer) = (suite.entity("space", "purge"), suite.entity("user", "purge"));
    let store = open();
    while store.purge(UnixTime::from_secs(1000), 100).unwrap() == 100 {}
    for (name, expires) in [
        ("d", Some(1000)),
        ("b", Some(100)),
        ("e", Some(1001)),
        ("a", Some(100)),
        ("c", Some(0)),
        ("f", None),
    ] {
        let record = Record {
            resource: Some(resource.clone()),
            issuer: issuer.clone(),
            expires: expires.map(UnixTime::from_secs),
            ..suite.limited(&suite.id([b"purge ", name.as_bytes()].concat()), 1)
        };
        insert(&store, &suite.sealed(record));
    }
    let left = |store: &S| -> String {
        let of_issuer = ids(&pages(store, &Filter::Issuer(issuer.clone()), 10));
        assert_eq!(ids(&pages(store, &Filter::Resource(resource.clone()), 10)), of_issuer);
        of_issuer.iter().map(|id| char::from(*id.as_bytes().last().unwrap())).collect()
    };
    drop(store);
    // The earliest, and by id where they are equal; at or before the time.
    for (time, limit, removed, kept) in [
        (1000, 0, 0, "abcdef"),
        (1000, 2, 2, "bdef"),
        (999, 10, 1, "def"),
        (1000, 10, 1, "ef"),
        (1000, 10, 0, "ef"),
    ] {
        let store = open();
        assert_eq!(store.purge(UnixTime::from_secs(time), limit).unwrap(), removed, "{kept}");
        assert_eq!(left(&store), kept);
    }
    assert_eq!(open().get(&suite.id("purge d")).unwrap(), None);
}

fn a_clock_far_ahead_purges_nothing<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let in_2100 = UnixTime::from_secs(4_102_444_800);
    let record =
        suite.sealed(Record { expires: Some(in_2100), ..suite.record(&suite.id("not expired for long")) });
    insert(&open(), &record);
    for ahead in FAR_AHEAD {
        let refused = open().purge(ahead, usize::MAX);
        assert!(matches!(refused, Err(StoreError::ClockAhead { .. })), "at {}: {refused:?}", ahead.as_secs());
    }
    assert_eq!(open().get(&record.id).unwrap(), Some(record), "nothing was removed");
}
