//! The generations of temporary tokens.

use std::sync::Mutex;

use super::suite::{LINEARIZABLE, Suite, holds, together};
use crate::{Entity, Owner, Raise, TokenStore};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    holds("the contract of `raise_generation`", || one_after_another(suite, open));
    holds("the contract of `raise_generation`", || subjects_do_not_run_into_each_other(suite, &open()));
    holds(LINEARIZABLE, || of_racing_raises_one_wins(suite, &open()));
}

fn one_after_another<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let subject = suite.entity("user", "generations");
    assert_eq!(open().generation(&subject).unwrap(), None);
    assert_eq!(open().present_generation(&subject).unwrap(), None);
    for number in 1..4 {
        let store = open();
        let present = number - 1;
        for wrong in [0, present, number + 1, u64::MAX] {
            let next = suite.generation(&subject, wrong);
            assert_eq!(store.raise_generation(&subject, &next).unwrap(), Raise::Stale { present });
        }
        let next = suite.generation(&subject, number);
        assert_eq!(store.raise_generation(&subject, &next).unwrap(), Raise::Raised);
        drop(store);
        let kept = open().generation(&subject).unwrap().unwrap();
        assert_eq!(kept, next);
        assert_eq!(open().present_generation(&subject).unwrap(), Some(next));
        let owner = Owner::Generation { subject: &subject, number };
        assert_eq!(
            suite.keys.open(&kept.root_key, owner).unwrap().expose(),
            suite.root_key(&number.to_be_bytes()).expose()
        );
    }
}

fn subjects_do_not_run_into_each_other<S: TokenStore>(suite: &Suite, store: &S) {
    let subjects = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("ab", "c\0")]
        .map(|(kind, id)| Entity { kind: format!("{}{kind}", suite.run).into(), id: id.into() });
    for subject in &subjects {
        assert_eq!(store.generation(subject).unwrap(), None);
        let first = suite.generation(subject, 1);
        assert_eq!(store.raise_generation(subject, &first).unwrap(), Raise::Raised);
        assert_eq!(store.generation(subject).unwrap(), Some(first));
    }
}

fn of_racing_raises_one_wins<S: TokenStore>(suite: &Suite, store: &S) {
    let subject = suite.entity("user", "racing");
    for number in 1..=10 {
        let raised = Mutex::new(Vec::new());
        let rivals = (0..8).map(|_| suite.generation(&subject, number));
        together(rivals, |next| match store.raise_generation(&subject, &next).unwrap() {
            Raise::Raised => raised.lock().unwrap().push(next),
            Raise::Stale { present } => assert_eq!(present, number),
        });
        let raised = raised.into_inner().unwrap();
        assert_eq!(raised.len(), 1);
        assert_eq!(store.generation(&subject).unwrap().as_ref(), raised.first(), "the winner's stays");
    }
}
