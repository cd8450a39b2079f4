//! Names, metadata and bodies.

use std::sync::Mutex;

use token_core::UnixTime;

use super::suite::{
    ATOMIC, FOR_GOOD, LINEARIZABLE, NOW, Suite, claim, granted, holds, insert, pages, together,
};
use crate::{
    Amend, Amendment, Delete, Entity, Filter, Insert, Record, Revocation, Revoke, StoreError, TokenId,
    TokenStore, Use,
};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `insert`: names", || a_name_is_of_one_record(suite, open));
    holds("the contract of `amend`", || names_and_metadata_change(suite, open));
    holds("the contract of `delete` and `purge`: names", || what_goes_frees_its_name(suite, open));
    holds("the contract of `TooLarge`", || the_longest_is_kept(suite, open));
    holds(ATOMIC, || what_is_too_long_changes_nothing(suite, open));
    holds(LINEARIZABLE, || of_racing_names_one_wins(suite, &open()));
}

fn named(suite: &Suite, id: &str, issuer: &Entity, name: &str) -> Record {
    let record = suite.record(&suite.id(id));
    suite.sealed(Record { issuer: issuer.clone(), name: Some(name.into()), ..record })
}

fn found<S: TokenStore>(store: &S, issuer: &Entity, name: &str) -> Vec<TokenId> {
    let found = pages(store, &Filter::Name(issuer.clone(), name.into()), 1);
    found.into_iter().map(|record| record.id).collect()
}

fn rename(name: Option<&str>) -> Amendment {
    Amendment { name: Some(name.map(str::to_owned)), metadata: None }
}

fn a_name_is_of_one_record<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let longest = "\u{e9}".repeat(Record::MAX_NAME_LEN / 2);
    // Neighbors, prefixes, and names that differ only in the kind of their letters.
    let names = ["", "\0", "a", "A", "a ", "a\0", "ab", longest.as_str()];
    // Ids that would collide with the names if they were only concatenated.
    let issuers = ["n", "na", "n\0"].map(|id| suite.entity("user", id));
    for (at, issuer) in issuers.iter().enumerate() {
        for (number, name) in names.iter().enumerate() {
            let store = open();
            let first = named(suite, &format!("named {at} {number}"), issuer, name);
            insert(&store, &first);
            assert_eq!(store.insert(&first).unwrap(), Insert::Exists, "a retry finds its own record");
            let second = named(suite, "named like another", issuer, name);
            assert_eq!(store.insert(&second).unwrap(), Insert::NameTaken, "{name:?}");
            assert_eq!(store.get(&second.id).unwrap(), None);
        }
    }
    for (at, issuer) in issuers.iter().enumerate() {
        for (number, name) in names.iter().enumerate() {
            let expected = [suite.id(format!("named {at} {number}"))];
            assert_eq!(found(&open(), issuer, name), expected, "{name:?}");
        }
        assert_eq!(found(&open(), issuer, "b"), []);
    }
    // Records without a name do not get in each other's way.
    for id in ["nameless 1", "nameless 2"] {
        let record = Record { name: None, ..named(suite, id, &issuers[0], "") };
        insert(&open(), &record);
    }
}

fn names_and_metadata_change<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let issuer = suite.entity("user", "amended");
    let (one, two) = (named(suite, "one", &issuer, "one"), named(suite, "two", &issuer, "two"));
    let mut one = suite.sealed(Record { metadata: b"old".to_vec(), body: b"body".to_vec(), ..one });
    assert_eq!(open().amend(&one.id, &rename(Some("one"))).unwrap(), Amend::Absent);
    insert(&open(), &one);
    insert(&open(), &two);
    let amend = |amendment: &Amendment| open().amend(&one.id.clone(), amendment).unwrap();

    let metadata = b"new\0\xff".to_vec();
    let taken = Amendment { name: Some(Some("two".into())), metadata: Some(metadata.clone()) };
    assert_eq!(amend(&taken), Amend::NameTaken);
    assert_eq!(open().get(&one.id).unwrap().as_ref(), Some(&one), "neither is changed");
    assert_eq!(amend(&Amendment::default()), Amend::Amended);
    assert_eq!(open().get(&one.id).unwrap().as_ref(), Some(&one));

    let own = Amendment { name: Some(Some("one".into())), metadata: Some(metadata.clone()) };
    for _ in 0..2 {
        assert_eq!(amend(&own), Amend::Amended, "its own name is not taken");
    }
    one.metadata = metadata;
    assert_eq!(open().get(&one.id).unwrap().as_ref(), Some(&one));
    assert_eq!(open().amend(&one.id, &rename(Some("three"))).unwrap(), Amend::Amended);
    one.name = Some("three".into());
    assert_eq!(open().get(&one.id).unwrap().as_ref(), Some(&one));
    assert_eq!(found(&open(), &issuer, "three"), [one.id.clone()]);
    assert_eq!(found(&open(), &issuer, "one"), []);
    assert_eq!(open().amend(&two.id, &rename(Some("one"))).unwrap(), Amend::Amended, "it is free");
    assert_eq!(found(&open(), &issuer, "one"), [two.id]);

    // Also once it is revoked.
    assert_eq!(open().revoke(&one.id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    let nothing = Amendment { name: Some(None), metadata: Some(Vec::new()) };
    assert_eq!(open().amend(&one.id, &nothing).unwrap(), Amend::Amended);
    let kept = open().get(&one.id).unwrap().unwrap();
    assert_eq!(kept, Record { name: None, metadata: Vec::new(), revocation: Some(FOR_GOOD), ..one });
    suite.assert_opens(&kept);
    assert_eq!(found(&open(), &issuer, "three"), []);
    assert_eq!(pages(&open(), &Filter::Issuer(issuer), 9).len(), 2);
}

fn what_goes_frees_its_name<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let (issuer, gone) = (suite.entity("user", "freed"), UnixTime::from_secs(13));
    let record = |id: &str| {
        let record = named(suite, id, &issuer, "the name");
        suite.sealed(Record { expires: Some(gone), ..record })
    };
    insert(&open(), &record("purged with its name"));
    while open().purge(gone, 100).unwrap() == 100 {}
    let second = record("deleted with its name");
    assert_eq!(open().insert(&second).unwrap(), Insert::Inserted, "a purge frees the name");
    assert_eq!(open().delete(&second.id).unwrap(), Delete::Deleted);
    let third = record("named after all");
    assert_eq!(open().insert(&third).unwrap(), Insert::Inserted, "a deletion frees the name");
    assert_eq!(found(&open(), &issuer, "the name"), [third.id]);
}

/// Makes a record in which every part is as long as it may be.
fn longest(suite: &Suite, id: &str) -> Record {
    let entity = |kind: &str| Entity { kind: kind.to_owned().into(), id: format!("{:x<1020}", suite.run) };
    suite.sealed(Record {
        resource: Some(entity("data")),
        issuer: entity("user"),
        body: vec![0xff; Record::MAX_BODY_LEN],
        name: Some("x".repeat(Record::MAX_NAME_LEN)),
        metadata: vec![0xff; Record::MAX_METADATA_LEN],
        expires: Some(UnixTime::MAX),
        ..suite.limited(
            &suite.id(format!("{id:x<width$}", width = TokenId::MAX_LEN - suite.run.len())),
            u64::MAX,
        )
    })
}

fn the_longest_is_kept<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = longest(suite, "longest");
    let by = Use { consumer: Some(record.issuer.clone()), at: NOW };
    insert(&open(), &record);
    let longest = "x".repeat(64);
    let spent = open().spend(&record.id, &claim(&longest), &by).unwrap();
    assert!(spent.grant().is_some(), "{spent:?}");
    assert_eq!(open().claimed(&record.id, &claim(&longest)).unwrap().map(|held| held.spent), Some(by));
    let revocation = Revocation {
        at: UnixTime::MAX,
        by: Some(record.issuer.clone()),
        reason: "x".repeat(Revocation::MAX_REASON_LEN),
        reversible: true,
    };
    assert_eq!(open().revoke(&record.id, &revocation).unwrap(), Revoke::Revoked);
    let kept = open().get(&record.id).unwrap().unwrap();
    suite.assert_opens(&kept);
    let expected = Record { uses: 1, last_use: Some(NOW), revocation: Some(revocation), ..record };
    assert_eq!(kept, expected);
    assert_eq!(open().delete(&expected.id).unwrap(), Delete::Deleted);
}

fn what_is_too_long_changes_nothing<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let store = open();
    let record = suite.limited(&suite.id("too long"), 2);
    let (name, metadata) = ("x".repeat(Record::MAX_NAME_LEN + 1), vec![0; Record::MAX_METADATA_LEN + 1]);
    let body = suite.sealed(Record { body: vec![0; Record::MAX_BODY_LEN + 1], ..record.clone() });
    for record in [
        body,
        Record { name: Some(name.clone()), ..record.clone() },
        Record { metadata: metadata.clone(), ..record.clone() },
    ] {
        assert!(matches!(store.insert(&record), Err(StoreError::TooLarge { .. })));
        assert_eq!(store.get(&record.id).unwrap(), None);
    }
    insert(&store, &record);
    let short = Some(b"short".to_vec());
    for amendment in [
        Amendment { name: Some(Some(name)), metadata: short },
        Amendment { name: Some(Some("short".into())), metadata: Some(metadata) },
    ] {
        let refused = store.amend(&record.id, &amendment);
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }
    let entity = Entity::user("x".repeat(2000));
    for revocation in [
        Revocation { by: Some(entity.clone()), ..FOR_GOOD },
        Revocation { reason: "x".repeat(Revocation::MAX_REASON_LEN + 1), ..FOR_GOOD },
    ] {
        let refused = store.revoke(&record.id, &revocation);
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }
    let refused = store.spend(&record.id, &claim("a"), &Use { consumer: Some(entity), at: NOW });
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    assert_eq!(store.get(&record.id).unwrap().as_ref(), Some(&record));
    granted(&store, &record.id, "a");
}

fn of_racing_names_one_wins<S: TokenStore>(suite: &Suite, store: &S) {
    let issuer = suite.entity("user", "racing for a name");
    for round in 0..10 {
        let (inserted, amended) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let name = round.to_string();
        together(0..16, |thread| {
            let record = named(suite, &format!("racing {round} {thread}"), &issuer, &name);
            match store.insert(&record).unwrap() {
                Insert::Inserted => inserted.lock().unwrap().push(record.id),
                Insert::NameTaken => insert(store, &Record { name: None, ..record }),
                Insert::Exists => panic!("nobody inserted it"),
            }
        });
        let inserted = inserted.into_inner().unwrap();
        assert_eq!((inserted.len(), found(store, &issuer, &name)), (1, inserted));
        let name = format!("{round}, amended");
        together(0..16, |thread| {
            let id = suite.id(format!("racing {round} {thread}"));
            match store.amend(&id, &rename(Some(&name))).unwrap() {
                Amend::Amended => amended.lock().unwrap().push(id),
                Amend::NameTaken => {}
                Amend::Absent => panic!("it was inserted"),
            }
        });
        let amended = amended.into_inner().unwrap();
        assert_eq!((amended.len(), found(store, &issuer, &name)), (1, amended));
    }
}
