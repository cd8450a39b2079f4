//! Restoring what another store kept.

use token_core::UnixTime;

use super::suite::{FOR_GOOD, Suite, USE, claim, granted, holds, insert, pages};
use crate::{
    Administration, Delete, Entity, Filter, GrantId, Held, Insert, Item, Raise, Record, Refund, Reinstate,
    Revocation, Spend, Use,
};

pub(super) fn check<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `restore`", || a_restored_store_answers_like_the_former(suite, open));
    holds("the contract of `restore`", || revocations_are_restored(suite, open));
    holds("the contract of `restore`", || a_taken_name_is_left_out(suite, open));
    holds("the contract of `restore`", || what_was_deleted_is_restored(suite, open));
}

fn a_restored_store_answers_like_the_former<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.sealed(Record {
        uses: 2,
        body: b"body".to_vec(),
        name: Some("restored".into()),
        metadata: b"metadata".to_vec(),
        expires: Some(UnixTime::from_secs(4_000_000)),
        resource: Some(suite.entity("space", "restored")),
        ..suite.limited(&suite.id("restored"), 2)
    });
    let subject = suite.entity("user", "restored");
    let grants = [GrantId::draw().unwrap(), GrantId::draw().unwrap()];
    let [a, b] = [(1, grants[0]), (0, grants[1])].map(|(uses_left, grant)| {
        let consumer = (uses_left == 1).then(|| suite.entity("user", "consumer"));
        Held { uses_left, grant, spent: Use { consumer, at: UnixTime::from_secs(uses_left) } }
    });
    let claims = vec![(claim("a"), a), (claim("b"), b)];
    let of = |subject: &Entity, number| Item::Generation {
        subject: subject.clone(),
        generation: suite.generation(subject, number),
    };
    let items = [Item::Token { record: record.clone(), claims: claims.clone() }, of(&subject, 7)];
    let store = open();
    assert_eq!(store.restore(&items).unwrap(), 2);
    assert_eq!(store.insert(&record).unwrap(), Insert::Exists);
    drop(store);
    let store = open();
    let again = Spend::Spent { uses_left: Some(1), grant: Some(grants[0]), repeated: true };
    assert_eq!(store.spend(&record.id, &claim("a"), &USE).unwrap(), again);
    assert_eq!(store.spend(&record.id, &claim("c"), &USE).unwrap(), Spend::Exhausted);
    assert_eq!(store.generation(&subject).unwrap().unwrap().number, 7);
    for filter in [
        Filter::Resource(suite.entity("space", "restored")),
        Filter::Name(record.issuer.clone(), "restored".into()),
    ] {
        assert_eq!(pages(&store, &filter, 2), std::slice::from_ref(&record));
    }
    let kept = store.refund(&record.id, &claim("b"), grants[1]).unwrap();
    assert_eq!(kept, Refund::Kept, "the store that the claim comes from may have answered it to others");
    assert_eq!(store.restore(&items).unwrap(), 0, "what is there stays as it is");
    // Of several generations of one subject the latest stays, in any order.
    let several = suite.entity("user", "several");
    for (numbers, latest) in [(&[9, 12, 10][..], 12), (&[14, 13], 14)] {
        let items: Vec<Item> = numbers.iter().map(|number| of(&several, *number)).collect();
        let _kept = store.restore(&items).unwrap();
        assert_eq!(store.generation(&several).unwrap().unwrap().number, latest);
    }
    assert_eq!(store.claims(&record.id, None, 9).unwrap(), claims);

    // A revoked token stays revoked, and a generation is never lowered, in any order.
    let revoked = Record { revocation: Some(FOR_GOOD), ..record };
    let items = [Item::Token { record: revoked.clone(), claims: Vec::new() }, of(&subject, 8)];
    assert_eq!((store.restore(&items).unwrap(), store.restore(&items).unwrap()), (2, 0));
    assert_eq!(store.restore(&[of(&subject, 6)]).unwrap(), 0);
    let _changed = store.restore(&[of(&subject, 10), of(&subject, 9)]).unwrap();
    let raised = store.raise_generation(&subject, &suite.generation(&subject, 11)).unwrap();
    assert_eq!(raised, Raise::Raised);
    drop(store);
    let store = open();
    assert_eq!(store.generation(&subject).unwrap().unwrap().number, 11);
    assert_eq!(store.get(&revoked.id).unwrap(), Some(revoked.clone()));
    assert_eq!(store.spend(&revoked.id, &claim("a"), &USE).unwrap(), again, "and its claims are answered");
}

fn revocations_are_restored<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let revocation = |secs, reversible| Revocation {
        at: UnixTime::from_secs(secs),
        by: Some(suite.entity("user", "operator")),
        reason: "lost".into(),
        reversible,
    };
    let (for_now, for_good) = (revocation(5, true), revocation(6, false));
    let record = suite.record(&suite.id("restored, revoked"));
    let item = |revocation: &Revocation| Item::Token {
        record: Record { revocation: Some(revocation.clone()), ..record.clone() },
        claims: Vec::new(),
    };
    let restore = |revocation: &Revocation| open().restore(&[item(revocation)]).unwrap();
    let shown = || open().get(&record.id).unwrap().unwrap().revocation;
    assert_eq!((restore(&for_now), restore(&for_now)), (1, 0));
    assert_eq!(shown(), Some(for_now.clone()));
    assert_eq!(open().reinstate(&record.id).unwrap(), Reinstate::Reinstated);
    assert_eq!((restore(&for_now), restore(&revocation(7, true))), (1, 0), "revoked again; the first stands");
    assert_eq!(shown(), Some(for_now.clone()));
    assert_eq!((restore(&for_good), restore(&for_good), restore(&for_now)), (1, 0, 0));
    assert_eq!(shown(), Some(for_good));
}

fn a_taken_name_is_left_out<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let [first, second] = ["restored, first", "restored, second"].map(|id| Record {
        name: Some("taken".into()),
        metadata: b"metadata".to_vec(),
        ..suite.record(&suite.id(id))
    });
    let items = [&first, &second].map(|record| Item::Token { record: record.clone(), claims: Vec::new() });
    for changed in [2, 0] {
        assert_eq!(open().restore(&items).unwrap(), changed);
    }
    assert_eq!(open().get(&first.id).unwrap().as_ref(), Some(&first));
    assert_eq!(open().get(&second.id).unwrap(), Some(Record { name: None, ..second }));
    let found = pages(&open(), &Filter::Name(first.issuer.clone(), "taken".into()), 9);
    assert_eq!(found, [first]);
}

// Claims of a deleted record that the store has yet to remove are not those of the one that is restored.
fn what_was_deleted_is_restored<S: Administration>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("deleted, restored"), 600);
    insert(&open(), &record);
    for number in 0..600 {
        granted(&open(), &record.id, number.to_string());
    }
    assert_eq!(open().delete(&record.id).unwrap(), Delete::Deleted);
    let grant = GrantId::draw().unwrap();
    let claims = vec![(claim("599"), Held { uses_left: 9, grant, spent: USE })];
    let restored = Record { uses: 1, ..record };
    let items = [Item::Token { record: restored.clone(), claims: claims.clone() }];
    assert_eq!(open().restore(&items).unwrap(), 1);
    assert_eq!(open().get(&restored.id).unwrap().as_ref(), Some(&restored));
    assert_eq!(open().claims(&restored.id, None, 9).unwrap(), claims);
}
