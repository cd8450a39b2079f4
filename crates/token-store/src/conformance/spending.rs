//! Spending and refunding: G3 and G6.

use std::cell::Cell;

use token_core::UnixTime;

use super::suite::{
    FOR_GOOD, IDEMPOTENT, NOW, Suite, USE, again, claim, granted, holds, insert, plain, spend, won,
};
use crate::{ClaimId, GrantId, Held, Insert, Record, Refund, Revoke, Spend, TokenId, TokenStore, Use};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `spend`", || a_limit_is_kept(suite, open));
    holds(IDEMPOTENT, || a_claim_is_answered_alike_for_ever(suite, open));
    holds("the contract of `spend`", || without_a_limit_each_call_counts(suite, open));
    holds("the contract of `spend`", || the_time_of_the_last_use_never_goes_back(suite, open));
    holds("the contract of `spend`: who spent", || a_claim_keeps_who_spent_it_and_when(suite, open));
    holds("the contract of `refund`", || a_refund_gives_one_use_back(suite, open));
    holds(IDEMPOTENT, || a_refund_gives_back_no_other_use(suite, open));
    holds(IDEMPOTENT, || a_use_that_was_granted_twice_stays_spent(suite, open));
    holds("the contract of `revoke`", || a_revoked_token_is_not_spent(suite, open));
    holds("the contract of `spend`", || claims_are_of_one_token(suite, &open()));
    holds("the contract of `purge`", || a_purged_token_takes_its_claims_along(suite, open));
    holds("the contract of `spend`", || nothing_comes_of_an_absent_token(suite, &open()));
}

fn refund<S: TokenStore>(store: &S, id: &TokenId, name: &str, grant: GrantId) -> Refund {
    store.refund(id, &claim(name), grant).unwrap()
}

fn uses<S: TokenStore>(store: &S, id: &TokenId) -> u64 {
    store.get(id).unwrap().unwrap().uses
}

fn a_limit_is_kept<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("limit"), 3);
    insert(&open(), &record);
    for (name, uses_left) in [("a", 2), ("b", 1), ("c", 0)] {
        assert_eq!(spend(&open(), &record.id, name), won(uses_left));
    }
    assert_eq!(spend(&open(), &record.id, "d"), Spend::Exhausted);
    let kept = open().get(&record.id).unwrap().unwrap();
    assert_eq!(kept, Record { uses: 3, last_use: Some(NOW), ..record });
    suite.assert_opens(&kept);
}

fn a_claim_is_answered_alike_for_ever<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("claims"), 2);
    let store = open();
    insert(&store, &record);
    assert_eq!(spend(&store, &record.id, "a"), won(1));
    assert_eq!(spend(&store, &record.id, "a"), again(1));
    assert_eq!(spend(&store, &record.id, "b"), won(0));
    drop(store);
    let store = open();
    for _ in 0..2 {
        assert_eq!(spend(&store, &record.id, "a"), again(1), "also when exhausted");
        assert_eq!(spend(&store, &record.id, "b"), again(0), "also when exhausted");
    }
    assert_eq!(spend(&store, &record.id, "c"), Spend::Exhausted);
    assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert_eq!(spend(&store, &record.id, "a"), again(1), "also when revoked");
    assert_eq!(spend(&store, &record.id, "c"), Spend::Revoked);
    assert_eq!(uses(&store, &record.id), 2);
    for (name, held) in [("a", Some(1)), ("b", Some(0)), ("c", None)] {
        let claimed = store.claimed(&record.id, &claim(name)).unwrap();
        assert_eq!(claimed.map(|claimed| claimed.uses_left), held);
    }
    assert_eq!(uses(&store, &record.id), 2, "asking costs nothing");
}

fn without_a_limit_each_call_counts<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.record(&suite.id("unlimited"));
    let store = open();
    insert(&store, &record);
    let without_limit = Spend::Spent { uses_left: None, grant: None, repeated: false };
    for name in ["a", "a", "b"] {
        assert_eq!(spend(&store, &record.id, name), without_limit);
    }
    assert_eq!(refund(&store, &record.id, "a", GrantId::draw().unwrap()), Refund::NotClaimed);
    assert_eq!(store.claimed(&record.id, &claim("a")).unwrap(), None);
    drop(store);
    assert_eq!(uses(&open(), &record.id), 3);
}

fn the_time_of_the_last_use_never_goes_back<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    for record in [suite.record(&suite.id("last use")), suite.limited(&suite.id("last use, limited"), 9)] {
        insert(&open(), &record);
        for (name, now, latest) in [("a", 20, 20), ("b", 30, 30), ("c", 10, 30), ("d", 40, 40)] {
            let spent =
                open().spend(&record.id, &claim(name), &Use::anonymous(UnixTime::from_secs(now))).unwrap();
            assert!(matches!(spent, Spend::Spent { repeated: false, .. }), "{spent:?}");
            let kept = open().get(&record.id).unwrap().unwrap();
            assert_eq!(kept.last_use, Some(UnixTime::from_secs(latest)));
        }
        let again = open().spend(&record.id, &claim("d"), &Use::anonymous(UnixTime::from_secs(50))).unwrap();
        if record.use_limit.is_some() {
            assert!(matches!(again, Spend::Spent { repeated: true, .. }), "{again:?}");
            assert_eq!(open().get(&record.id).unwrap().unwrap().last_use, Some(UnixTime::from_secs(40)));
        }
    }
}

fn a_claim_keeps_who_spent_it_and_when<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let by =
        |name: &str, secs| Use { consumer: Some(suite.entity("user", name)), at: UnixTime::from_secs(secs) };
    let record = suite.limited(&suite.id("consumers"), 3);
    insert(&open(), &record);
    let spend = |name: &str, by: &Use| open().spend(&record.id, &claim(name), by).unwrap();
    let shown = |name: &str| open().claimed(&record.id, &claim(name)).unwrap().map(|held| held.spent);
    let grant = spend("a", &by("first", 70)).grant().expect("it has a limit");
    assert_eq!(open().refund(&record.id, &claim("a"), grant).unwrap(), Refund::Refunded);
    for (name, first) in [("a", by("second", 60)), ("b", Use::anonymous(UnixTime::MAX)), ("c", by("", 0))] {
        assert!(matches!(spend(name, &first), Spend::Spent { repeated: false, .. }));
        for _ in 0..2 {
            assert!(matches!(spend(name, &by("another", 90)), Spend::Spent { repeated: true, .. }));
            assert_eq!(shown(name), Some(first.clone()), "a repeated claim changes neither");
        }
    }
}

fn a_refund_gives_one_use_back<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("refund"), 1);
    let (store, other) = (open(), GrantId::draw().unwrap());
    insert(&store, &record);
    assert_eq!(refund(&store, &record.id, "a", other), Refund::NotClaimed);
    let grant = granted(&store, &record.id, "a");
    assert_eq!(refund(&store, &record.id, "b", grant), Refund::NotClaimed);
    assert_eq!(refund(&store, &record.id, "a", other), Refund::NotClaimed);
    assert_eq!(refund(&store, &record.id, "a", grant), Refund::Refunded);
    drop(store);
    let store = open();
    assert_eq!(refund(&store, &record.id, "a", grant), Refund::NotClaimed, "once only");
    assert_eq!(uses(&store, &record.id), 0);
    let grant = granted(&store, &record.id, "b");
    assert_eq!(spend(&store, &record.id, "a"), Spend::Exhausted, "a refunded claim is forgotten");
    assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert_eq!(refund(&store, &record.id, "b", grant), Refund::Refunded);
    assert_eq!(spend(&store, &record.id, "b"), Spend::Revoked);
}

// One caller's action fails; it refunds, and the answer is lost. Another caller makes the same claim again, and acts.
// The first retries its refund. If the store granted it, a third caller could spend the use that the second acted on.
fn a_refund_gives_back_no_other_use<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("refunded twice"), 1);
    insert(&open(), &record);
    let first = granted(&open(), &record.id, "a");
    assert_eq!(refund(&open(), &record.id, "a", first), Refund::Refunded);
    let second = granted(&open(), &record.id, "a");
    assert_ne!(first, second, "each use that is granted has a grant of its own");
    for _ in 0..2 {
        assert_eq!(refund(&open(), &record.id, "a", first), Refund::NotClaimed);
    }
    assert_eq!(spend(&open(), &record.id, "b"), Spend::Exhausted, "the second caller's use stays with it");
    assert_eq!(
        open().get(&record.id).unwrap(),
        Some(Record { uses: 1, last_use: Some(NOW), ..record.clone() })
    );
    let held = Held { uses_left: 0, grant: second, spent: USE };
    let repeated = Spend::Spent { uses_left: Some(0), grant: Some(second), repeated: true };
    assert_eq!(open().spend(&record.id, &claim("a"), &USE).unwrap(), repeated, "the same grant");
    assert_eq!(open().claimed(&record.id, &claim("a")).unwrap(), Some(held));
    assert_eq!(refund(&open(), &record.id, "a", first), Refund::NotClaimed);
    assert_eq!(refund(&open(), &record.id, "a", second), Refund::Kept);
}

// One caller claims the use. Another retries the same claim, gets the same use, and acts. The action of the first
// fails, and it refunds. If the store granted the refund, a third caller could spend the use that the second acted on.
fn a_use_that_was_granted_twice_stays_spent<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    type Ask<S> = fn(&S, &Record);
    let asks: [(&str, Ask<S>); 2] = [
        ("spend", |store, record| assert_eq!(spend(store, &record.id, "a"), again(0))),
        ("claimed", |store, record| {
            let held = store.claimed(&record.id, &claim("a")).unwrap();
            assert_eq!(held.map(|held| held.uses_left), Some(0));
        }),
    ];
    for (name, ask) in asks {
        for reopened in [false, true] {
            let record = suite.limited(&suite.id(format!("granted twice {name} {reopened}")), 1);
            let mut store = Some(open());
            let mut step = |act: &dyn Fn(&S)| {
                if reopened {
                    store = None; // close before reopening
                    store = Some(open());
                }
                act(store.as_ref().unwrap());
            };
            step(&|store| insert(store, &record));
            let grant = Cell::new(None);
            step(&|store| grant.set(Some(granted(store, &record.id, "a"))));
            let grant = grant.get().unwrap();
            step(&|store| ask(store, &record));
            for _ in 0..2 {
                step(&|store| assert_eq!(refund(store, &record.id, "a", grant), Refund::Kept, "{name}"));
            }
            step(&|store| assert_eq!(spend(store, &record.id, "b"), Spend::Exhausted, "{name}"));
            step(&|store| assert_eq!(spend(store, &record.id, "a"), again(0), "{name}"));
            step(&|store| assert_eq!(uses(store, &record.id), 1, "{name}"));
        }
    }
}

fn a_revoked_token_is_not_spent<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    for (name, record) in [
        ("revoked limited", suite.limited(&suite.id("revoked limited"), 5)),
        ("revoked unlimited", suite.record(&suite.id("revoked unlimited"))),
    ] {
        let store = open();
        insert(&store, &record);
        assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Revoked);
        assert_eq!(spend(&store, &record.id, "a"), Spend::Revoked, "{name}");
        drop(store);
        assert_eq!(spend(&open(), &record.id, "a"), Spend::Revoked, "{name}");
        assert_eq!(uses(&open(), &record.id), 0, "{name}");
    }
}

// Ids and claims that would collide if they were only concatenated.
fn claims_are_of_one_token<S: TokenStore>(suite: &Suite, store: &S) {
    let ids = ["c", "ca", "cab", "c\0", "c\0\0"].map(|name| suite.id(name));
    let claims = ["a", "ab", "b", "\0", "\0a", "\0\0"].map(claim);
    for id in &ids {
        insert(store, &suite.limited(id, 6));
    }
    let longest = ClaimId::new([0xff; ClaimId::MAX_LEN]).unwrap();
    for id in &ids {
        for (claim, uses_left) in claims.iter().zip((0..6).rev()) {
            assert_eq!(plain(store.spend(id, claim, &USE).unwrap()), won(uses_left), "{id} {claim}");
        }
        assert_eq!(store.spend(id, &longest, &USE).unwrap(), Spend::Exhausted);
    }
}

fn a_purged_token_takes_its_claims_along<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let time = UnixTime::from_secs(7);
    let record = suite.sealed(Record { expires: Some(time), ..suite.limited(&suite.id("purged"), 1) });
    let store = open();
    insert(&store, &record);
    let grant = granted(&store, &record.id, "a");
    while store.purge(time, 100).unwrap() == 100 {}
    assert_eq!(spend(&store, &record.id, "a"), Spend::Absent);
    drop(store);
    let store = open();
    assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
    assert_eq!(refund(&store, &record.id, "a", grant), Refund::NotClaimed);
    assert_eq!(spend(&store, &record.id, "a"), won(0), "nothing is left of the former record");
    assert_eq!(
        refund(&store, &record.id, "a", grant),
        Refund::NotClaimed,
        "nor does its grant name this use"
    );
}

fn nothing_comes_of_an_absent_token<S: TokenStore>(suite: &Suite, store: &S) {
    let id = suite.id("never inserted");
    assert_eq!(spend(store, &id, "a"), Spend::Absent);
    assert_eq!(refund(store, &id, "a", GrantId::draw().unwrap()), Refund::Absent);
    assert_eq!(store.get(&id).unwrap(), None);
}
