//! The log of events, and the names that no two records share: what several hosts do at the same time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use token_core::UnixTime;
use token_store::{
    Administration as _, Amend, Amendment, Cursor, Delete, Entity, Event, Events, Filter, Generation, Insert,
    Item, Raise, Record, Reinstate, Revocation, Revoke, StoreError, TokenStore as _,
};
use token_store_postgres::PostgresStore;
use token_test::postgres;

use crate::{
    FOR_GOOD, USE, claim, config, id, in_one_batch, insert, now, patient, record, store, until_blocked,
};

fn reversible() -> Revocation {
    Revocation { reversible: true, reason: "lost\0".into(), ..FOR_GOOD }
}

fn named(name: &str, called: &str) -> Record {
    Record { name: Some(called.into()), ..record(name, Some(9)) }
}

fn rename(store: &PostgresStore, name: &str, called: &str) -> Amend {
    let amendment = Amendment { name: Some(Some(called.into())), metadata: None };
    store.amend(&id(name), &amendment).unwrap()
}

/// The place of the next event.
fn end(store: &PostgresStore) -> Cursor {
    let found = store.events(None, 9).unwrap();
    assert!(found.events.is_empty() && !found.missed);
    found.next
}

/// All events after a place, read in pages of three.
fn after(store: &PostgresStore, place: &Cursor) -> Vec<Event> {
    let (mut all, mut place) = (Vec::new(), place.clone());
    loop {
        let found = store.events(Some(&place), 3).unwrap();
        assert!(!found.missed);
        all.extend(found.events.iter().cloned());
        if found.events.len() < 3 {
            return all;
        }
        place = found.next;
    }
}

// A row that is not committed yet may take the name, or not.
#[test]
fn a_name_that_another_host_takes_meanwhile_is_taken() {
    type Ask = fn(&PostgresStore) -> String;
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let raw = server.connect(&url).unwrap();
    let asks: [(&str, Ask, &str, &str); 4] = [
        ("a", |store| format!("{:?}", store.insert(&named("a", "it")).unwrap()), "NameTaken", "Inserted"),
        ("b", |store| format!("{:?}", rename(store, "b", "it")), "NameTaken", "Amended"),
        (
            "c",
            |store| {
                let record = named("c", "it");
                assert_eq!(store.restore(&[Item::Token { record, claims: Vec::new() }]).unwrap(), 1);
                format!("{:?}", store.get(&id("c")).unwrap().unwrap().name)
            },
            "None",
            "Some(\"it\")",
        ),
        // The same id and the same name.
        (
            "other",
            |store| format!("{:?}", store.insert(&named("other", "it")).unwrap()),
            "Exists",
            "Inserted",
        ),
    ];
    for (name, ask, taken, free) in asks {
        for commits in [true, false] {
            if name == "b" {
                insert(&store, &record("b", None));
            }
            insert(&store, &named("other", "it"));
            raw.sql("CREATE TABLE copy AS SELECT * FROM onetoken.tokens WHERE id = 'other'").unwrap();
            assert_eq!(store.delete(&id("other")).unwrap(), Delete::Deleted);
            let columns = "id, record, issuer, created, use_limit, uses, name";
            raw.sql(&format!("BEGIN; INSERT INTO onetoken.tokens ({columns}) SELECT {columns} FROM copy"))
                .unwrap();
            thread::scope(|scope| {
                let asked = scope.spawn(|| ask(&store));
                until_blocked(server, &url);
                raw.sql(if commits { "COMMIT" } else { "ROLLBACK" }).unwrap();
                assert_eq!(asked.join().unwrap(), if commits { taken } else { free }, "{name}");
            });
            raw.sql("DROP TABLE copy").unwrap();
            drop(store.delete_all(&Filter::All, None, 9).unwrap());
        }
    }
    assert!(store.check(None).unwrap().is_sound());
}

#[test]
fn of_two_hosts_that_race_for_a_name_one_record_gets_it() {
    const THREADS: usize = 8;
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let hosts = [store(&url), PostgresStore::open(&config(&url)).unwrap()];
    for round in 0..20 {
        let issuer = Entity::user(format!("round {round}"));
        let ask = |number: usize, issuer: &Entity| {
            let host = &hosts[number % 2];
            let new = Record { issuer: issuer.clone(), ..named(&format!("{round} {number}"), "it") };
            match number % 4 {
                0 | 1 => host.insert(&new).unwrap() == Insert::Inserted,
                _ => {
                    insert(host, &Record { name: None, ..new.clone() });
                    let amendment = Amendment { name: Some(new.name), metadata: Some(vec![7]) };
                    host.amend(&new.id, &amendment).unwrap() == Amend::Amended
                }
            }
        };
        let won = thread::scope(|scope| {
            let (ask, issuer) = (&ask, &issuer);
            let asked: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || ask(number, issuer))).collect();
            asked.into_iter().filter_map(|asked| asked.join().unwrap().then_some(())).count()
        });
        assert_eq!(won, 1, "round {round}");
        let found = hosts[0].list(&Filter::Name(issuer, "it".into()), None, 9).unwrap();
        assert_eq!((found.records.len(), found.next), (1, None));
    }
    assert!(hosts[0].check(None).unwrap().is_sound());
}

#[test]
fn each_change_is_told_once_and_nothing_else_is() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    let store = patient(&url);
    let place = end(&store);
    let user = Entity::user("u\0");
    let generation = |number| Generation { number, root_key: record("x", None).root_key };
    for name in ["a", "b", "c", "d"] {
        insert(&store, &record(name, Some(9)));
    }
    let mut told = Vec::new();

    // Many callers revoke it at once.
    type Ask<'a> = Box<dyn FnOnce() -> Revoke + Send + 'a>;
    let revoke = || -> Ask<'_> { Box::new(|| store.revoke(&id("a"), &reversible()).unwrap()) };
    let asks = (0..20).map(|_| revoke()).collect();
    let answers = in_one_batch(server, &url, &store, asks, |_| {});
    assert_eq!(answers, [Revoke::Revoked; 20]);
    told.push(Event::Revoked(id("a")));
    assert_eq!(store.get(&id("a")).unwrap().unwrap().revocation, Some(reversible()));
    for _ in 0..2 {
        assert_eq!(store.reinstate(&id("a")).unwrap(), Reinstate::Reinstated);
    }
    told.push(Event::Reinstated(id("a")));
    assert_eq!(store.revoke(&id("a"), &reversible()).unwrap(), Revoke::Revoked);
    for revocation in [FOR_GOOD, reversible(), FOR_GOOD] {
        assert_eq!(store.revoke(&id("a"), &revocation).unwrap(), Revoke::Revoked);
        assert_eq!(store.get(&id("a")).unwrap().unwrap().revocation, Some(FOR_GOOD));
    }
    assert_eq!(store.reinstate(&id("a")).unwrap(), Reinstate::ForGood);
    told.extend([Event::Revoked(id("a")), Event::Revoked(id("a"))]);

    let sweep = store.revoke_all(&Filter::Issuer(record("a", None).issuer), &reversible(), None, 2).unwrap();
    assert_eq!((sweep.changed, sweep.next.is_some()), (1, true), "a is revoked already");
    told.push(Event::Revoked(id("b")));
    let revoked = Record { revocation: Some(FOR_GOOD), ..record("b", None) };
    let items = [Item::Token { record: revoked, claims: Vec::new() }];
    assert_eq!((store.restore(&items).unwrap(), store.restore(&items).unwrap()), (1, 0));
    told.push(Event::Revoked(id("b")));
    let kept = store.spend(&id("c"), &claim("x"), &USE).unwrap();
    for deleted in [Delete::Deleted, Delete::Absent] {
        assert_eq!(store.delete(&id("c")).unwrap(), deleted);
    }
    told.push(Event::Deleted(id("c")));
    assert_eq!(store.claimed(&id("c"), &claim("x")).unwrap(), None, "{kept:?}");
    assert_eq!(rename(&store, "d", "it"), Amend::Amended);

    assert_eq!(store.raise_generation(&user, &generation(1)).unwrap(), Raise::Raised);
    assert_eq!(store.raise_generation(&user, &generation(1)).unwrap(), Raise::Stale { present: 1 });
    assert_eq!(store.raise_generation(&user, &generation(2)).unwrap(), Raise::Raised);
    for deleted in [Delete::Deleted, Delete::Absent] {
        assert_eq!(store.delete_generation(&user).unwrap(), deleted);
    }
    told.extend([1, 2].map(|number| Event::GenerationRaised(user.clone(), number)));
    told.push(Event::GenerationDeleted(user));
    for time in [5, 4, 5] {
        assert_eq!(store.revoke_before(UnixTime::from_secs(time)).unwrap(), UnixTime::from_secs(5));
    }
    told.push(Event::RevokedBefore(UnixTime::from_secs(5)));
    assert_eq!(after(&store, &place), told);

    assert_eq!(store.delete_all(&Filter::All, None, 9).unwrap().changed, 4, "the gate too");
    assert_eq!(after(&store, &place).len(), told.len() + 4);
}

// A use that is spent meanwhile would leave a claim without its record.
#[test]
fn a_page_of_deletions_that_others_disturb_begins_again() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let place = end(&store);
    ["a", "b", "c", "d"].iter().for_each(|name| insert(&store, &record(name, Some(9))));
    let raw = server.connect(&url).unwrap();
    raw.sql("BEGIN; UPDATE onetoken.tokens SET changes = changes + 1 WHERE id = 'b'").unwrap();
    let sweep = thread::scope(|scope| {
        let asked = scope.spawn(|| store.delete_all(&Filter::All, None, 3).unwrap());
        until_blocked(server, &url);
        raw.sql("COMMIT").unwrap();
        asked.join().unwrap()
    });
    assert_eq!(sweep.changed, 2);
    assert!(store.get(&id("b")).unwrap().is_some());
    let again = store.delete_all(&Filter::All, sweep.next.as_ref(), 3).unwrap();
    assert_eq!((again.changed, again.next), (2, None));
    let deleted: BTreeSet<_> =
        ["a", "b", "c", "d"].map(|name| format!("{:?}", Event::Deleted(id(name)))).into();
    assert_eq!(
        after(&store, &place).iter().map(|event| format!("{event:?}")).collect::<BTreeSet<_>>(),
        deleted
    );
}

// Spends change it all the time, and leave no claims.
#[test]
fn a_busy_token_without_a_limit_is_deleted_at_the_first_attempt() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    insert(&store, &record("busy", None));
    let raw = server.connect(&url).unwrap();
    raw.sql("BEGIN; UPDATE onetoken.tokens SET uses = uses + 1, changes = changes + 1 WHERE id = 'busy'")
        .unwrap();
    let sweep = thread::scope(|scope| {
        let asked = scope.spawn(|| store.delete_all(&Filter::All, None, 3).unwrap());
        until_blocked(server, &url);
        raw.sql("COMMIT").unwrap();
        asked.join().unwrap()
    });
    assert_eq!((sweep.changed, sweep.next), (1, None));
    assert_eq!(store.get(&id("busy")).unwrap(), None);
}

#[test]
fn events_are_complete_and_in_order_while_many_change_the_same_tokens() {
    const TOKENS: [&str; 3] = ["a", "b", "c"];
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let hosts = [store(&url), PostgresStore::open(&config(&url)).unwrap()];
    TOKENS.iter().for_each(|name| insert(&hosts[0], &record(name, None)));
    let (mut place, done) = (end(&hosts[1]), AtomicBool::new(false));
    let seen = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread: usize| {
                let host = &hosts[thread % 2];
                scope.spawn(move || {
                    for round in 0..60 {
                        let token = id(TOKENS[(thread + round) % 3]);
                        match (thread / 2 + round) % 2 {
                            0 => assert_eq!(host.revoke(&token, &reversible()).unwrap(), Revoke::Revoked),
                            _ => assert_eq!(host.reinstate(&token).unwrap(), Reinstate::Reinstated),
                        }
                    }
                })
            })
            .collect();
        let (hosts, done) = (&hosts, &done);
        let reader = scope.spawn(move || {
            let mut seen = Vec::new();
            loop {
                let last = done.load(Ordering::SeqCst);
                let found = hosts[1].events(Some(&place), 7).unwrap();
                assert!(!found.missed);
                if last && found.events.is_empty() {
                    return seen;
                }
                seen.extend(found.events);
                place = found.next;
            }
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    let mut of_token: BTreeMap<_, Vec<bool>> = BTreeMap::new();
    for event in seen {
        match event {
            Event::Revoked(id) => of_token.entry(id).or_default().push(true),
            Event::Reinstated(id) => of_token.entry(id).or_default().push(false),
            other => panic!("{other:?}"),
        }
    }
    for name in TOKENS {
        let states = of_token.remove(&id(name)).unwrap();
        assert!(
            states.iter().enumerate().all(|(at, revoked)| *revoked == (at % 2 == 0)),
            "{name}: {states:?}"
        );
        let changes = format!("SELECT changes FROM onetoken.tokens WHERE id = '{name}'");
        let changes = server.sql(&url, &changes).unwrap().remove(0).remove(0).unwrap();
        assert_eq!(changes, states.len().to_string());
        assert_eq!(hosts[0].get(&id(name)).unwrap().unwrap().is_revoked(), *states.last().unwrap());
    }
}

// Another transaction of the same server stays open, and one that has stored an event is committed late or never.
#[test]
fn a_transaction_held_open_loses_no_event() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let place = end(&store);
    ["a", "b", "c"].iter().for_each(|name| insert(&store, &record(name, None)));
    let other = server.connect(&url).unwrap();
    other.sql("CREATE TABLE other (x int); BEGIN; INSERT INTO other VALUES (1)").unwrap();
    assert_eq!(store.revoke(&id("a"), &FOR_GOOD).unwrap(), Revoke::Revoked);
    let mut told = vec![Event::Revoked(id("a"))];
    assert_eq!(after(&store, &place), told);

    let late = server.connect(&url).unwrap();
    for (ends, name) in [("COMMIT", "b"), ("ROLLBACK", "c")] {
        late.sql(
            "BEGIN; UPDATE onetoken.next_event SET number = number + 1;
             INSERT INTO onetoken.events SELECT number - 1, 7, 'delete', 'late' FROM onetoken.next_event",
        )
        .unwrap();
        thread::scope(|scope| {
            let asked = scope.spawn(|| store.revoke(&id(name), &FOR_GOOD).unwrap());
            until_blocked(server, &url);
            assert_eq!(after(&store, &place), told);
            // Neither a spend nor a mint waits for it.
            let reader = PostgresStore::open(&config(&url)).unwrap();
            assert!(reader.spend(&id("a"), &claim("x"), &USE).is_ok());
            insert(&reader, &record(&format!("new {name}"), None));
            late.sql(ends).unwrap();
            assert_eq!(asked.join().unwrap(), Revoke::Revoked);
        });
        told.extend((ends == "COMMIT").then(|| Event::Deleted(id("late"))));
        told.push(Event::Revoked(id(name)));
        assert_eq!(after(&store, &place), told);
    }
    other.sql("COMMIT").unwrap();
    assert_eq!(after(&store, &place), told);
}

#[test]
fn a_place_whose_events_are_lost_is_recognized() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let sql = |text: &str| server.sql(&url, text).unwrap();
    let revoke = |name: &str| {
        insert(&store, &record(name, None));
        assert_eq!(store.revoke(&id(name), &FOR_GOOD).unwrap(), Revoke::Revoked);
        end(&store)
    };
    // No event has such a number.
    let forged = Events::cursor(&[i64::MIN.to_be_bytes(), [0; 8]].concat());
    assert!(matches!(store.events(Some(&forged), 1), Err(StoreError::InvalidCursor)));
    let missed = |place: &Cursor| {
        let found = store.events(Some(place), 1).unwrap();
        assert!(!found.missed || found.events.is_empty() && found.next == end(&store));
        found.missed
    };
    let first = end(&store);
    let places: Vec<Cursor> = (0..5).map(|number| revoke(&number.to_string())).collect();
    assert!(!missed(&first) && places.iter().all(|place| !missed(place)));

    // A backup was restored, and the store went on past the place.
    sql("DELETE FROM onetoken.events WHERE number > 2; UPDATE onetoken.next_event SET number = 3");
    assert_eq!([1, 2, 3, 4].map(|at| missed(&places[at])), [false, false, true, true]);
    for name in ["5", "6", "7"] {
        revoke(name);
    }
    assert_eq!([1, 2, 3, 4].map(|at| missed(&places[at])), [false, false, true, true]);

    // Damaged, or lost.
    for (number, damage) in [
        (2, "UPDATE onetoken.events SET event = 'else' WHERE number = 3"),
        (1, "UPDATE onetoken.events SET subject = NULL WHERE number = 2"),
        (0, "DELETE FROM onetoken.events WHERE number = 1"),
    ] {
        assert!(!missed(&places[number]));
        sql(damage);
        assert!(missed(&places[number]), "{damage}");
    }

    // A purge keeps the newest.
    let new = revoke("8");
    sql("INSERT INTO onetoken.events SELECT n, n, 'delete', 'x' FROM generate_series(7, 100006) n;
         UPDATE onetoken.next_event SET number = 100007");
    let last = revoke("9");
    assert!(!missed(&new) && !missed(&last));
    // More than one step removes, without a purge for long.
    sql("INSERT INTO onetoken.events SELECT n, n, 'delete', 'x' FROM generate_series(-25000, -1) n");
    store.purge(now(), 0).unwrap();
    let kept = sql("SELECT count(*), min(number) FROM onetoken.events").remove(0);
    assert_eq!(kept, ["100000", "8"].map(|number| Some(number.to_owned())));
    assert!(missed(&new) && !missed(&last));
    drop(revoke("10"));
    assert!(!missed(&last) && store.check(None).unwrap().is_sound());
    for damage in ["UPDATE onetoken.next_event SET number = 5", "DELETE FROM onetoken.next_event"] {
        sql(damage);
        assert!(!store.check(None).unwrap().is_sound(), "{damage}");
    }
}
