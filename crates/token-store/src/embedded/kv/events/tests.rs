use token_core::UnixTime;

use super::*;
use crate::{
    Administration, MemoryStore,
    embedded::engine::{Batch, Engine as _, memory::Memory},
    embedded::kv::Kv,
};

fn event(number: u64) -> Event {
    Event::RevokedBefore(UnixTime::from_secs(number))
}

fn log(store: &Kv<Memory>, numbers: std::ops::Range<u64>) {
    store
        .write(move |draft| numbers.into_iter().try_for_each(|number| append(draft, event(number))))
        .unwrap();
}

fn end_of(store: &Kv<Memory>) -> Cursor {
    store.events(None, 0).unwrap().next
}

/// Returns the numbers of the events after a cursor; `None` if some were missed.
fn after(store: &Kv<Memory>, cursor: &Cursor) -> Option<Vec<u64>> {
    let found = store.events(Some(cursor), usize::MAX).unwrap();
    assert_eq!(found.next, end_of(store));
    let number = |event| match event {
        Event::RevokedBefore(time) => time.as_secs(),
        other => panic!("{other:?}"),
    };
    (!found.missed).then(|| found.events.into_iter().map(number).collect())
}

fn commit(store: &Kv<Memory>, key: &[u8], value: Option<Vec<u8>>) {
    store.engine.get().unwrap().commit(Batch::from([(key.to_vec(), value)])).unwrap();
}

fn copy(store: &Kv<Memory>) -> Kv<Memory> {
    let pairs = store.engine.get().unwrap().view().unwrap().scan(&[], &[0xff], usize::MAX).unwrap();
    let engine = Memory::default();
    engine.commit(pairs.into_iter().map(|(key, value)| (key, Some(value))).collect()).unwrap();
    Kv::new(engine)
}

#[test]
fn the_newest_are_kept() {
    let store = Kv::new(Memory::default());
    let start = end_of(&store);
    log(&store, 0..3);
    let third = end_of(&store);
    log(&store, 3..4);
    let fourth = end_of(&store);
    log(&store, 4..KEPT);
    assert_eq!(after(&store, &start).map(|events| events.len()), Some(KEPT.try_into().unwrap()));
    log(&store, KEPT..KEPT + 3);
    let kept = store.engine.get().unwrap().view().unwrap();
    let all = kept.scan(layout::EVENTS, &layout::after_all(layout::EVENTS), usize::MAX).unwrap();
    assert_eq!(all.len(), usize::try_from(KEPT).unwrap());
    assert_eq!((after(&store, &start), after(&store, &third)), (None, None));
    assert_eq!(after(&store, &fourth), Some((4..KEPT + 3).collect()));
}

#[test]
fn a_place_in_another_history_is_recognized() {
    let store = Kv::new(Memory::default());
    log(&store, 0..5);
    let common = end_of(&store);
    let restored = copy(&store);
    log(&store, 5..8);
    let beyond = end_of(&store);
    assert_eq!(after(&restored, &beyond), None, "not there yet");
    log(&restored, 10..13);
    assert_eq!(after(&restored, &beyond), None, "as many events, but others");
    log(&restored, 13..20);
    assert_eq!(after(&restored, &beyond), None, "more events, and others");
    assert_eq!(after(&restored, &common), Some((10..20).collect()));
    let elsewhere = Kv::new(Memory::default());
    log(&elsewhere, 0..5);
    assert_eq!(after(&elsewhere, &common), None);
    let emptied = Kv::new(Memory::default());
    assert_eq!(after(&emptied, &common), None);
}

#[test]
fn a_damaged_event_is_missed_once() {
    for lost in [false, true] {
        let store = Kv::new(Memory::default());
        let start = end_of(&store);
        log(&store, 0..3);
        let before = end_of(&store);
        log(&store, 3..6);
        match lost {
            false => store.damage(&layout::event(4)),
            true => commit(&store, &layout::event(4), None),
        }
        assert_eq!((after(&store, &start), after(&store, &before)), (None, None));
        let sound = store.events(Some(&before), 1).unwrap();
        assert_eq!((sound.events, sound.missed), (vec![event(3)], false));
        let end = store.events(Some(&before), 9).unwrap().next;
        log(&store, 6..8);
        assert_eq!(after(&store, &end), Some(vec![6, 7]));
    }
}

#[test]
fn the_next_event_repairs_the_end() {
    for (damage, lost) in [(false, true), (true, false)] {
        let store = Kv::new(Memory::default());
        log(&store, 0..2);
        let before = end_of(&store);
        log(&store, 2..5);
        let end = end_of(&store);
        if damage {
            store.damage(layout::LOG);
        }
        if lost {
            commit(&store, layout::LOG, None);
        }
        assert!(matches!(store.events(Some(&before), 9), Err(StoreError::Corrupt { .. })));
        assert!(!store.check(None).unwrap().is_sound());
        log(&store, 5..7);
        assert_eq!(after(&store, &before), Some((2..7).collect()));
        assert_eq!(after(&store, &end), Some(vec![5, 6]));
        assert!(store.check(None).unwrap().is_sound());
    }
}

#[test]
fn a_cursor_of_another_form_is_refused() {
    let store = MemoryStore::new();
    for place in [&b""[..], &[0; 8], &[0; 15], &[0; 17], &[0; 24]] {
        let refused = store.events(Some(&Events::cursor(place)), 1);
        assert!(matches!(refused, Err(StoreError::InvalidCursor)), "{place:?}: {refused:?}");
    }
}
