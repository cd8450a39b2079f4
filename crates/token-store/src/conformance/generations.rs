//! The generations of temporary tokens.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::Suite;
use crate::{Entity, Owner, Raise, TokenStore};

pub(super) fn check<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    one_after_another(suite, open);
    subjects_do_not_run_into_each_other(suite, &open());
    of_racing_raises_one_wins(suite, &open());
}

fn one_after_another<S: TokenStore>(suite: &Suite, open: &impl Fn() -> S) {
    let subject = suite.entity("user", "generations");
    assert_eq!(open().generation(&subject).unwrap(), None);
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
        let owner = Owner::Generation { subject: &subject, number };
        assert_eq!(
            suite.keys.open(&kept.root_key, owner).unwrap().expose(),
            suite.root_key(&number.to_be_bytes()).expose()
        );
    }
}

fn subjects_do_not_run_into_each_other<S: TokenStore>(suite: &Suite, store: &S) {
    let subjects = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("ab", "c\0")]
        .map(|(kind, id)| Entity { kind: format!("{}{kind}", suite.run), id: id.into() });
    for subject in &subjects {
        assert_eq!(store.generation(subject).unwrap(), None);
        let first = suite.generation(subject, 1);
        assert_eq!(store.raise_generation(subject, &first).unwrap(), Raise::Raised);
        assert_eq!(store.generation(subject).unwrap(), Some(first));
    }
}

fn of_racing_raises_one_wins<S: TokenStore>(suite: &Suite, store: &S) {
    const THREADS: usize = 8;
    let subject = suite.entity("user", "racing");
    let (barrier, raised) = (Barrier::new(THREADS), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for number in 1..=10 {
                    let next = suite.generation(&subject, number);
                    barrier.wait();
                    if store.raise_generation(&subject, &next).unwrap() == Raise::Raised {
                        raised.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(store.generation(&subject).unwrap().unwrap(), next, "the winner's stays");
                    }
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(raised.load(Ordering::Relaxed), 10);
    assert_eq!(store.generation(&subject).unwrap().unwrap().number, 10);
}
