//! Inserting, reading, revoking: G1, G3, G4, and ids of any bytes.

use token_core::{Purpose, UnixTime};

use super::suite::{ATOMIC, DURABLE, FOR_GOOD, Suite, holds, insert};
use crate::{Entity, Insert, Record, Revoke, StoreError, TokenId, TokenStore};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds(DURABLE, || everything_comes_back(suite, open));
    holds("the contract of `insert`", || an_insert_never_replaces(suite, &open()));
    holds("the contract of `insert`", || any_bytes_are_an_id(suite, open));
    holds(ATOMIC, || too_large_is_refused(suite, &open()));
    holds("the contract of `revoke`", || revoking_is_for_good(suite, open));
}

fn everything_comes_back<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let plain = suite.record(&suite.id("plain"));
    let full = suite.sealed(Record {
        purpose: Purpose::Access,
        resource: Some(Entity { kind: "space\0\u{10ffff}".into(), id: String::new() }),
        issuer: Entity { kind: "".into(), id: "\u{e9}'\"\\;--".into() },
        // Not later: later purges are compared with this time.
        created: UnixTime::from_secs(1_500_000_123),
        expires: Some(UnixTime::MAX),
        uses: 1,
        revocation: Some(FOR_GOOD),
        name: Some("n\0\u{feff}".repeat(50)),
        ..suite.limited(&suite.id("full"), u64::MAX)
    });
    let store = open();
    assert_eq!(store.get(&plain.id).unwrap(), None);
    insert(&store, &plain);
    insert(&store, &full);
    assert_eq!(store.get(&plain.id).unwrap().as_ref(), Some(&plain));
    drop(store);

    let store = open();
    for record in [&plain, &full] {
        let kept = store.get(&record.id).unwrap().unwrap();
        assert_eq!(&kept, record);
        suite.assert_opens(&kept);
    }
    assert_eq!(store.get(&suite.id("absent")).unwrap(), None);
}

fn an_insert_never_replaces<S: TokenStore>(suite: &Suite, store: &S) {
    let first = suite.record(&suite.id("twice"));
    insert(store, &first);
    for second in [first.clone(), Record { name: Some("other".into()), ..suite.record(&first.id) }] {
        assert_eq!(store.insert(&second).unwrap(), Insert::Exists);
        assert_eq!(store.get(&first.id).unwrap().as_ref(), Some(&first));
    }
}

fn any_bytes_are_an_id<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let longest = TokenId::MAX_LEN - suite.run.len();
    let mut names: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    for part in [b"\0".as_slice(), b"\xff", b"a", b"ab", b"\0\xff"] {
        names.extend((2..5).map(|times| part.repeat(times)));
    }
    names.extend([vec![0; longest], vec![0xff; longest], vec![b'/'; longest - 1]]);
    names.sort();
    names.dedup();

    let store = open();
    // Inserts half of them. Each of the others is a neighbor, a prefix or an extension of an inserted one.
    for name in names.iter().step_by(2) {
        insert(&store, &suite.record(&suite.id(name)));
    }
    drop(store);
    let store = open();
    for (at, name) in names.iter().enumerate() {
        let kept = store.get(&suite.id(name)).unwrap();
        assert_eq!(kept.is_some(), at % 2 == 0, "{}", name.escape_ascii());
        kept.iter().for_each(|record| suite.assert_opens(record));
    }
}

fn too_large_is_refused<S: TokenStore>(suite: &Suite, store: &S) {
    let id = suite.id("large");
    let large = "x".repeat(64 * 1024);
    let entity = Entity { kind: large.clone().into(), id: String::new() };
    let records = [
        Record { name: Some(large), ..suite.record(&id) },
        Record { issuer: entity.clone(), ..suite.record(&id) },
        Record { resource: Some(entity.clone()), ..suite.record(&id) },
    ];
    for record in records {
        assert!(matches!(store.insert(&record), Err(StoreError::TooLarge { .. })));
        assert_eq!(store.get(&id).unwrap(), None);
    }
    let generation = suite.generation(&entity, 1);
    assert!(matches!(store.raise_generation(&entity, &generation), Err(StoreError::TooLarge { .. })));
    assert_eq!(store.generation(&entity).unwrap(), None);
    assert_eq!(store.present_generation(&entity).unwrap(), None);
}

fn revoking_is_for_good<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.record(&suite.id("revoked"));
    let store = open();
    assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Absent);
    insert(&store, &record);
    for _ in 0..2 {
        assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    }
    drop(store);
    let revoked = Record { revocation: Some(FOR_GOOD), ..record };
    assert_eq!(open().get(&revoked.id).unwrap(), Some(revoked));
}
