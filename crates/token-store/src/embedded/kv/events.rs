//! The log of events: changes that make verdicts about tokens obsolete, numbered in the order of their commits.

use serde::{Deserialize, Serialize};

use super::group::Draft;
use crate::{
    Cursor, Event, Events, GrantId, StoreError,
    contract::codec,
    embedded::engine::View,
    embedded::layout,
    embedded::listing::{PAGE, each},
};

/// The number of events that the log keeps.
const KEPT: u64 = 100_000;

const LOST: StoreError = StoreError::Corrupt { what: "events are lost" };

/// A place in the log. The store keeps its end, and a cursor holds one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    // The number of the event after it.
    next: u64,
    // The tag of the event before it; all zero at the start.
    tag: [u8; 8],
}

#[derive(Serialize, Deserialize)]
pub(super) struct Logged {
    // Drawn at random. So a place in another store, or in a store that was since restored from an older copy, is
    // recognized.
    tag: [u8; 8],
    event: Event,
}

impl Place {
    fn cursor(self) -> Cursor {
        Events::cursor(&[self.next.to_be_bytes(), self.tag].concat())
    }

    fn of(cursor: &Cursor) -> Result<Self, StoreError> {
        match Events::place(cursor)?.as_chunks() {
            ([next, tag], []) => Ok(Self { next: u64::from_be_bytes(*next), tag: *tag }),
            _ => Err(StoreError::InvalidCursor),
        }
    }
}

/// Returns the events after a cursor; without one, none and the end of the log.
pub(super) fn read(view: &impl View, after: Option<&Cursor>, limit: usize) -> Result<Events, StoreError> {
    let end = end(view)?;
    let from = after.map_or(Ok(end), Place::of)?;
    match page(view, from, end, limit) {
        // The caller forgets every verdict, so that it needs none of the events up to the end.
        Err(StoreError::Corrupt { .. }) => {
            Ok(Events { events: Vec::new(), next: end.cursor(), missed: true })
        }
        page => page,
    }
}

// Returns the events after a place. Fails with `Corrupt` if there is no such place or if any of the events is lost.
fn page(view: &impl View, from: Place, end: Place, limit: usize) -> Result<Events, StoreError> {
    let left = end.next.checked_sub(from.next).ok_or(LOST)?;
    let is_here = match from.next.checked_sub(1) {
        _ if left == 0 => from == end,
        None => from == Place::default(),
        Some(before) => {
            let key = layout::event(before);
            let value = view.get(&key)?.ok_or(LOST)?;
            codec::decode::<Logged>(&key, &value)?.tag == from.tag
        }
    };
    let pairs = view.scan(&layout::event(from.next), &layout::event(end.next), limit)?;
    if !is_here || pairs.len() != usize::try_from(left).unwrap_or(usize::MAX).min(limit) {
        return Err(LOST);
    }
    let (mut events, mut place) = (Vec::new(), from);
    for (key, value) in pairs {
        let Logged { tag, event } = codec::decode(&key, &value)?;
        events.push(event);
        place = Place { next: place.next.saturating_add(1), tag };
    }
    Ok(Events { events, next: place.cursor(), missed: false })
}

/// Appends an event, and removes the oldest if the log is full.
pub(super) fn append(draft: &mut Draft<'_>, event: Event) -> Result<(), StoreError> {
    append_as(draft, event, GrantId::draw()?.to_bytes())
}

pub(super) fn append_as(draft: &mut Draft<'_>, event: Event, tag: [u8; 8]) -> Result<(), StoreError> {
    let number = match end(draft) {
        // A revocation must not fail because of it.
        Err(StoreError::Corrupt { .. }) => last(draft)?.map_or(0, |last| last.saturating_add(1)),
        end => end?.next,
    };
    draft.put_value(layout::event(number), &Logged { tag, event })?;
    if let Some(old) = number.checked_sub(KEPT) {
        draft.remove(layout::event(old));
    }
    draft.put_value(layout::LOG.to_vec(), &Place { next: number.saturating_add(1), tag })
}

/// Returns the end of the log.
pub(super) fn end(view: &impl View) -> Result<Place, StoreError> {
    match view.get(layout::LOG)? {
        Some(end) => codec::decode(layout::LOG, &end),
        None if view.scan(layout::EVENTS, &layout::after_all(layout::EVENTS), 1)?.is_empty() => {
            Ok(Place::default())
        }
        None => Err(StoreError::Corrupt { what: "the end of the events is gone" }),
    }
}

// Returns the number of the last event.
fn last(view: &impl View) -> Result<Option<u64>, StoreError> {
    let mut last = None;
    let scan = |from: &[u8], end: &[u8]| view.scan(from, end, PAGE);
    each(layout::EVENTS, scan, |(key, _)| {
        last = layout::event_of(key).or(last);
        Ok(())
    })?;
    Ok(last)
}

#[cfg(test)]
mod tests;
