//! Many threads on one token: G2.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::suite::{FOR_GOOD, IDEMPOTENT, LINEARIZABLE, Suite, USE, claim, holds, insert, together};
use crate::{Insert, Record, Refund, Revoke, Spend, TokenStore};

const THREADS: usize = 64;

/// How often the threads race for a token with few uses.
const ROUNDS: usize = 1000;

pub(super) fn check<S: TokenStore>(suite: &Suite, store: &S) {
    holds(LINEARIZABLE, || as_many_win_as_there_are_uses(suite, store));
    holds(LINEARIZABLE, || of_racing_inserts_one_wins(suite, store));
    holds(IDEMPOTENT, || one_claim_counts_once(suite, store));
    holds(LINEARIZABLE, || refunds_leave_nothing(suite, store));
    holds(LINEARIZABLE, || nothing_is_spent_after_a_revocation(suite, store));
}

fn as_many_win_as_there_are_uses<S: TokenStore>(suite: &Suite, store: &S) {
    for round in 0..ROUNDS {
        let id = suite.id(format!("contention {round}"));
        let limit = u64::try_from(round % 4 + 1).unwrap();
        insert(store, &suite.limited(&id, limit));
        // The number of uses left after each win.
        let wins = Mutex::new(Vec::new());
        together(0..THREADS, |thread| match store.spend(&id, &claim(thread.to_string()), &USE).unwrap() {
            Spend::Spent { uses_left: Some(left), repeated: false, .. } => wins.lock().unwrap().push(left),
            Spend::Exhausted => {}
            other => panic!("{other:?}"),
        });
        let mut left = wins.into_inner().unwrap();
        left.sort_unstable();
        assert_eq!(left, (0..limit).collect::<Vec<_>>(), "round {round}");
        assert_eq!(store.get(&id).unwrap().unwrap().uses, limit);
    }
}

fn of_racing_inserts_one_wins<S: TokenStore>(suite: &Suite, store: &S) {
    let id = suite.id("inserts");
    let inserted = Mutex::new(Vec::new());
    let record = |thread: usize| Record { name: Some(thread.to_string()), ..suite.record(&id) };
    together((0..THREADS).map(record), |record| {
        if store.insert(&record).unwrap() == Insert::Inserted {
            inserted.lock().unwrap().push(record);
        }
    });
    let inserted = inserted.into_inner().unwrap();
    assert_eq!(inserted.len(), 1);
    assert_eq!(store.get(&id).unwrap().as_ref(), inserted.first());
}

fn one_claim_counts_once<S: TokenStore>(suite: &Suite, store: &S) {
    let id = suite.id("one claim");
    insert(store, &suite.limited(&id, 10));
    let first = AtomicUsize::new(0);
    together(0..THREADS, |_| match store.spend(&id, &claim("the one"), &USE).unwrap() {
        Spend::Spent { uses_left: Some(9), repeated, .. } => {
            first.fetch_add(usize::from(!repeated), Ordering::Relaxed);
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(first.load(Ordering::Relaxed), 1);
    assert_eq!(store.get(&id).unwrap().unwrap().uses, 1);
}

fn refunds_leave_nothing<S: TokenStore>(suite: &Suite, store: &S) {
    let id = suite.id("refunds");
    insert(store, &suite.limited(&id, 2));
    let holders = AtomicUsize::new(0);
    together(0..8, |thread| {
        for round in 0..10 {
            let claim = claim(format!("{thread} {round}"));
            if let Spend::Spent { grant: Some(grant), repeated: false, .. } =
                store.spend(&id, &claim, &USE).unwrap()
            {
                assert!(holders.fetch_add(1, Ordering::SeqCst) < 2, "more hold a use than the limit");
                holders.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(store.refund(&id, &claim, grant).unwrap(), Refund::Refunded);
            }
        }
    });
    assert_eq!(store.get(&id).unwrap().unwrap().uses, 0);
}

fn nothing_is_spent_after_a_revocation<S: TokenStore>(suite: &Suite, store: &S) {
    let id = suite.id("revocation");
    insert(store, &suite.limited(&id, 100));
    let revoked = AtomicBool::new(false);
    let won = Mutex::new(BTreeSet::new());
    together(0..5, |thread| {
        if thread == 4 {
            assert_eq!(store.revoke(&id, &FOR_GOOD).unwrap(), Revoke::Revoked);
            revoked.store(true, Ordering::SeqCst);
            return;
        }
        for round in 0..20 {
            let before = revoked.load(Ordering::SeqCst);
            match store.spend(&id, &claim(format!("{thread} {round}")), &USE).unwrap() {
                Spend::Spent { uses_left, .. } => {
                    assert!(!before, "spent after the revocation was acknowledged");
                    assert!(won.lock().unwrap().insert(uses_left), "two have one use");
                }
                Spend::Revoked => {}
                other => panic!("{other:?}"),
            }
        }
    });
    let kept = store.get(&id).unwrap().unwrap();
    assert_eq!(kept.uses, u64::try_from(won.into_inner().unwrap().len()).unwrap());
    assert!(kept.is_revoked());
}
