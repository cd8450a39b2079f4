//! Revoking and reinstating.

use super::suite::{FOR_GOOD, LINEARIZABLE, NOW, Suite, again, holds, insert, spend, together, won};
use crate::{Record, Reinstate, Revocation, Revoke, Spend, TokenStore};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `revoke`", || the_first_revocation_stands(suite, open));
    holds("the contract of `revoke` and `reinstate`", || only_the_reversible_is_undone(suite, open));
    holds("the contract of `reinstate`", || a_reinstated_token_is_spent_as_before(suite, open));
    holds(LINEARIZABLE, || a_revocation_for_good_wins_every_race(suite, &open()));
}

fn revocation(suite: &Suite, secs: u64, reversible: bool) -> Revocation {
    let by = secs.is_multiple_of(2).then(|| suite.entity("user", "operator"));
    let at = token_core::UnixTime::from_secs(secs);
    Revocation { at, by, reason: format!("reason \u{e9}\0 {secs}"), reversible }
}

fn the_first_revocation_stands<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let all = [(5, true), (6, true), (7, false), (8, false)]
        .map(|(secs, reversible)| revocation(suite, secs, reversible));
    for (first, one) in all.iter().enumerate() {
        for (second, other) in all.iter().enumerate() {
            let record = suite.record(&suite.id(format!("revoked {first} {second}")));
            assert_eq!(open().revoke(&record.id, one).unwrap(), Revoke::Absent);
            insert(&open(), &record);
            for revocation in [one, one, other, one] {
                assert_eq!(open().revoke(&record.id, revocation).unwrap(), Revoke::Revoked);
            }
            let stands = if one.reversible && !other.reversible { other } else { one };
            let expected = Record { revocation: Some(stands.clone()), ..record };
            assert_eq!(open().get(&expected.id).unwrap(), Some(expected), "{one:?}, then {other:?}");
        }
    }
}

fn only_the_reversible_is_undone<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    for (name, reversible, answer) in
        [("for good", false, Reinstate::ForGood), ("for now", true, Reinstate::Reinstated)]
    {
        let record = suite.record(&suite.id(name));
        assert_eq!(open().reinstate(&record.id).unwrap(), Reinstate::Absent);
        insert(&open(), &record);
        assert_eq!(open().reinstate(&record.id).unwrap(), Reinstate::Reinstated, "it was not revoked");
        let revocation = revocation(suite, 9, reversible);
        assert_eq!(open().revoke(&record.id, &revocation).unwrap(), Revoke::Revoked);
        assert_eq!(spend(&open(), &record.id, "a"), Spend::Revoked, "{name}");
        for _ in 0..2 {
            assert_eq!(open().reinstate(&record.id).unwrap(), answer);
        }
        let expected = Record { revocation: (!reversible).then_some(revocation), ..record };
        assert_eq!(open().get(&expected.id).unwrap(), Some(expected), "{name}");
    }
}

fn a_reinstated_token_is_spent_as_before<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let record = suite.limited(&suite.id("reinstated"), 3);
    insert(&open(), &record);
    assert_eq!(spend(&open(), &record.id, "a"), won(2));
    for (name, uses_left) in [("b", 1), ("c", 0)] {
        assert_eq!(open().revoke(&record.id, &revocation(suite, 3, true)).unwrap(), Revoke::Revoked);
        assert_eq!(spend(&open(), &record.id, name), Spend::Revoked);
        assert_eq!(spend(&open(), &record.id, "a"), again(2), "a claim is answered while it is revoked");
        assert_eq!(open().reinstate(&record.id).unwrap(), Reinstate::Reinstated);
        assert_eq!(spend(&open(), &record.id, name), won(uses_left));
    }
    let kept = open().get(&record.id).unwrap();
    assert_eq!(kept, Some(Record { uses: 3, last_use: Some(NOW), ..record }));
}

// One of the calls revokes for good. In any order, the token is revoked for good in the end.
fn a_revocation_for_good_wins_every_race<S: TokenStore>(suite: &Suite, store: &S) {
    for round in 0..20 {
        let record = suite.record(&suite.id(format!("racing revocations {round}")));
        insert(store, &record);
        together(0..8, |thread| match thread {
            0 => assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Revoked),
            1..4 => {
                let reversible = revocation(suite, 11, true);
                assert_eq!(store.revoke(&record.id, &reversible).unwrap(), Revoke::Revoked);
            }
            _ => assert_ne!(store.reinstate(&record.id).unwrap(), Reinstate::Absent),
        });
        let kept = store.get(&record.id).unwrap().unwrap();
        assert_eq!(kept.revocation, Some(FOR_GOOD));
    }
}
