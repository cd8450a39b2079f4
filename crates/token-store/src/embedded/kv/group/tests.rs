//! Operations that share a commit, run as one group without threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::embedded::engine::memory::Memory;

/// An engine that counts its commits, and can refuse them.
#[derive(Default)]
struct Counting {
    memory: Memory,
    commits: AtomicUsize,
    fails: AtomicBool,
}

impl Engine for Counting {
    type View<'a> = <Memory as Engine>::View<'a>;

    const GROUPS: bool = true;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        self.memory.view()
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Unknown(None));
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.memory.commit(batch)
    }
}

impl Counting {
    fn all(&self) -> Vec<Pair> {
        self.memory.view().unwrap().scan(&[], &[0xff], usize::MAX).unwrap()
    }

    fn group(&self, operations: Vec<Operation>) -> Vec<Outcome> {
        let mut operations = operations.into_iter();
        run(self, &mut || operations.next())
    }
}

fn put(key: u8, value: u8) -> Operation {
    Box::new(move |draft| {
        draft.put(vec![key], vec![value]);
        Ok(())
    })
}

fn expect(key: u8, value: Option<u8>) -> Operation {
    Box::new(move |draft| {
        assert_eq!(draft.get(&[key])?, value.map(|value| Cow::from(vec![value])));
        Ok(())
    })
}

fn pairs(pairs: &[(u8, u8)]) -> Vec<Pair> {
    pairs.iter().map(|(key, value)| (vec![*key], vec![*value])).collect()
}

fn told(outcomes: Vec<Outcome>) -> String {
    let tell = |outcome: Outcome| match outcome {
        Ok(Ok(())) => '.',
        Ok(Err(StoreError::Unknown(_))) => '?',
        Ok(Err(_)) => 'e',
        Err(_) => 'p',
    };
    outcomes.into_iter().map(tell).collect()
}

#[test]
fn a_group_is_one_commit_and_its_operations_see_those_before_them() {
    let engine = Counting::default();
    let operations =
        vec![expect(1, None), put(1, 1), expect(1, Some(1)), put(1, 2), expect(1, Some(2)), put(2, 3)];
    assert_eq!(told(engine.group(operations)), "......");
    assert_eq!(engine.commits.load(Ordering::Relaxed), 1);
    assert_eq!(engine.all(), pairs(&[(1, 2), (2, 3)]));

    assert_eq!(told(engine.group(vec![expect(1, Some(2)), expect(3, None)])), "..");
    assert_eq!(engine.commits.load(Ordering::Relaxed), 1, "what changes nothing costs no sync");
}

#[test]
fn what_fails_or_panics_leaves_nothing_in_the_group() {
    let engine = Counting::default();
    let operations: Vec<Operation> = vec![
        put(1, 1),
        Box::new(|draft| {
            draft.put(vec![1], vec![9]);
            draft.put(vec![2], vec![9]);
            Err(StoreError::InvalidCursor)
        }),
        Box::new(|draft| {
            draft.remove(vec![1]);
            panic!("a fault of ours");
        }),
        expect(1, Some(1)),
        put(3, 3),
    ];
    assert_eq!(told(engine.group(operations)), ".ep..");
    assert_eq!(engine.all(), pairs(&[(1, 1), (3, 3)]));
}

#[test]
fn a_failed_commit_is_told_to_all_that_rest_on_it_and_to_nobody_else() {
    let engine = Counting::default();
    assert_eq!(told(engine.group(vec![put(1, 1)])), ".");
    engine.fails.store(true, Ordering::Relaxed);
    let operations: Vec<Operation> = vec![
        expect(1, Some(1)),
        put(2, 2),
        expect(2, Some(2)),
        Box::new(|draft| {
            assert_eq!(draft.scan(&[0], &[9], 9)?, pairs(&[(1, 1), (2, 2)]));
            Ok(())
        }),
        Box::new(|draft| {
            assert_eq!(draft.scan(&[0], &[2], 9)?, pairs(&[(1, 1)]));
            Ok(())
        }),
        expect(1, Some(1)),
    ];
    assert_eq!(told(engine.group(operations)), ".???..");
    assert_eq!(engine.all(), pairs(&[(1, 1)]));
}

#[test]
fn a_group_is_bounded_by_operations_and_by_bytes() {
    let engine = Counting::default();
    let mut many = (0..MAX_OPERATIONS + 1).map(|_| put(1, 1));
    assert_eq!(run(&engine, &mut || many.next()).len(), MAX_OPERATIONS);
    assert_eq!(many.len(), 1);

    let large = |key: u8| -> Operation {
        Box::new(move |draft| {
            draft.put(vec![key], vec![0; MAX_BYTES / 2]);
            Ok(())
        })
    };
    let mut few = (0..3).map(large);
    assert_eq!(run(&engine, &mut || few.next()).len(), 2);
}

#[test]
fn a_scan_shows_what_was_changed_and_is_cut_after() {
    let engine = Counting::default();
    assert_eq!(told(engine.group((1..=6).map(|key| put(key, key)).collect())), "......");
    let operations: Vec<Operation> = vec![
        Box::new(|draft| {
            draft.remove(vec![1]);
            draft.remove(vec![2]);
            draft.put(vec![4], vec![44]);
            Ok(())
        }),
        Box::new(|draft| {
            draft.remove(vec![3]);
            draft.put(vec![1], vec![11]);
            draft.put(vec![4, 0], vec![40]);
            let keys = |pairs: Vec<Pair>| pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
            let all = [vec![1], vec![4], vec![4, 0], vec![5], vec![6]];
            for limit in 0..7 {
                assert_eq!(keys(draft.scan(&[0], &[9], limit)?), all[..limit.min(5)]);
            }
            assert_eq!(keys(draft.scan(&[4], &[5], 9)?), all[1..3]);
            assert!(draft.scan(&[5], &[4], 9)?.is_empty());
            Ok(())
        }),
    ];
    assert_eq!(told(engine.group(operations)), "..");
}

#[test]
fn a_panic_reaches_its_own_caller_and_leaves_the_store_usable() {
    let (engine, group) = (Counting::default(), Group::new());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        group.write(&engine, |_| -> Result<(), StoreError> { panic!("a fault of ours") })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"a fault of ours"));
    let written = group.write(&engine, |draft| {
        draft.put(vec![1], vec![1]);
        Ok("done")
    });
    assert_eq!(written.unwrap(), "done");
    assert_eq!(engine.all(), pairs(&[(1, 1)]));
}

#[test]
fn a_short_scan_reads_few_pairs_beside_many_changes() {
    struct Reads(Vec<Pair>, Cell<usize>);

    impl View for Reads {
        fn get(&self, _: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
            panic!("a scan gets nothing")
        }

        fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
            let within = |(key, _): &&Pair| from <= key.as_slice() && key.as_slice() < to;
            let pairs: Vec<Pair> = self.0.iter().filter(within).take(limit).cloned().collect();
            self.1.set(self.1.get() + pairs.len());
            Ok(pairs)
        }
    }

    let stored: Vec<(u8, u8)> = (0..200).map(|key| (key, key)).collect();
    let view = Reads(pairs(&stored), Cell::new(0));
    // Three removed at the beginning, and many changed at the end.
    let changed = (0..3).map(|key| (vec![key], None)).chain((100..200).map(|key| (vec![key], Some(vec![0]))));
    let before = changed.collect();
    let draft = Draft { view: &view, before: &before, own: Batch::new(), rests_on_others: Cell::new(false) };
    assert_eq!(draft.scan(&[3], &[0xff], 2).unwrap(), pairs(&[(3, 3), (4, 4)]));
    assert_eq!((view.1.take(), draft.rests_on_others.get()), (2, false));
    assert_eq!(draft.scan(&[0], &[0xff], 2).unwrap(), pairs(&[(3, 3), (4, 4)]));
    assert_eq!((view.1.take(), draft.rests_on_others.get()), (5, true));
    assert_eq!(draft.scan(&[98], &[101], 9).unwrap(), pairs(&[(98, 98), (99, 99), (100, 0)]));
}
