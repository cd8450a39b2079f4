//! The log of events: changes that make verdicts about tokens obsolete, numbered in the order of their commits.

use serde::{Deserialize, Serialize};

use super::{Kv, group::Draft};
use crate::{
    Cursor, Event, Events, GrantId, StoreError,
    contract::codec,
    embedded::engine::{Engine, View},
    embedded::layout,
};

/// The number of events that the log keeps.
const KEPT: u64 = 100_000;

/// The state of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Log {
    // Drawn with the first event, so that a cursor of another store is recognized. 0 before that.
    id: [u8; 8],
    // The number of the next event.
    next: u64,
}

impl Log {
    fn cursor(self, number: u64) -> Cursor {
        Events::cursor(&[self.id, number.to_be_bytes()].concat())
    }

    // Returns the number of the first event after a cursor; `None` if events in between are lost.
    fn number(self, cursor: &Cursor) -> Result<Option<u64>, StoreError> {
        let place: &[u8; 16] = Events::place(cursor)?.try_into().map_err(|_| StoreError::InvalidCursor)?;
        let (id, number) = place.split_at(8);
        let number = u64::from_be_bytes(number.try_into().map_err(|_| StoreError::InvalidCursor)?);
        let is_before_all = number == 0 && id == Self::default().id;
        let is_here = (id == self.id || is_before_all) && number <= self.next;
        Ok((is_here && number >= self.next.saturating_sub(KEPT)).then_some(number))
    }
}

impl<E: Engine> Kv<E> {
    pub(crate) fn events(&self, after: Option<&Cursor>, limit: usize) -> Result<Events, StoreError> {
        self.read(|view| {
            let log = log(view)?;
            let from = match after {
                None => Some(log.next),
                Some(cursor) => log.number(cursor)?,
            };
            let Some(from) = from else {
                return Ok(Events { events: Vec::new(), next: log.cursor(log.next), missed: true });
            };
            let pairs = view.scan(&layout::event(from), &layout::event(log.next), limit)?;
            let events: Vec<Event> =
                pairs.iter().map(|(key, value)| codec::decode(key, value)).collect::<Result<_, _>>()?;
            let next = from.saturating_add(u64::try_from(events.len()).unwrap_or(u64::MAX));
            Ok(Events { events, next: log.cursor(next), missed: false })
        })
    }
}

/// Appends an event, and removes the oldest if the log is full.
pub(super) fn append(draft: &mut Draft<'_>, event: &Event) -> Result<(), StoreError> {
    let mut log = log(draft)?;
    if log.id == Log::default().id {
        log.id = GrantId::draw()?.to_bytes();
    }
    draft.put_value(layout::event(log.next), event)?;
    if let Some(old) = log.next.checked_sub(KEPT) {
        draft.remove(layout::event(old));
    }
    log.next = log.next.saturating_add(1);
    draft.put_value(layout::LOG.to_vec(), &log)
}

/// Returns the state of the log.
pub(super) fn log(view: &impl View) -> Result<Log, StoreError> {
    let log = view.get(layout::LOG)?.map(|value| codec::decode(layout::LOG, &value)).transpose()?;
    Ok(log.unwrap_or_default())
}
