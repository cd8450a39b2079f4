//! The log of events.
//!
//! A statement that revokes, reinstates or deletes stores the events of what it did. It takes their numbers from a
//! counter, whose row stays locked until the commit. So events are numbered in the order of their commits, without
//! gaps, and a reader sees all events up to a number. A sequence would give numbers in another order than that of the
//! commits, and a reader would skip an event that is committed late.
//!
//! A statement locks the counter after all other rows, so that two cannot deadlock over it. A statement that stores no
//! event does not lock it.

use token_core::UnixTime;
use token_store::{Cursor, Event, Events, StoreError, TokenId, kit};
use tokio_postgres::Row;

use crate::{
    error::Failure,
    kind::{STRANGE, count, first, get, small},
    session::Session,
};

/// How many events the log keeps. A purge removes older ones.
const KEPT: i64 = 100_000;

/// Most events that one statement removes, so that it ends in time even if no purge has run for months.
const STEP: i64 = 10_000;

const LOST: StoreError = StoreError::Corrupt { what: "events are lost" };

/// Ends the common table expressions of a statement: stores the events that the one called `told` lists, by `event`,
/// `subject` and `value`. `told` must read the results of all changes whose rows others may have locked.
macro_rules! telling {
    () => {
        ", numbered AS (
            UPDATE onetoken.next_event e SET number = e.number + c.count
            FROM (SELECT count(*) AS count FROM told) c WHERE c.count > 0
            RETURNING e.number
        ), stored AS (
            INSERT INTO onetoken.events (number, tag, event, subject, value)
            SELECT e.number - row_number() OVER (), (random() * 9e15)::bigint, t.event, t.subject, t.value
            FROM told t, numbered e
        )"
    };
}
pub(crate) use telling;

/// A place in the log: the number of the event after it, and the tag of the event before it, or 0. So a place that was
/// read before a failover or a restored backup is recognized if the event before it is now another.
#[derive(Clone, Copy)]
struct Place {
    number: i64,
    tag: i64,
}

impl Place {
    fn of(cursor: &Cursor) -> Result<Self, StoreError> {
        match Events::place(cursor)?.as_chunks() {
            ([number, tag], []) if i64::from_be_bytes(*number) >= 0 => {
                Ok(Self { number: i64::from_be_bytes(*number), tag: i64::from_be_bytes(*tag) })
            }
            _ => Err(StoreError::InvalidCursor),
        }
    }

    fn cursor(self) -> Cursor {
        Events::cursor(&[self.number.to_be_bytes(), self.tag.to_be_bytes()].concat())
    }
}

/// What to read from the log.
pub(crate) struct Reading {
    after: Option<Place>,
    limit: i64,
}

impl Reading {
    /// The events after a cursor; without one, none. `InvalidCursor` for a cursor of a listing.
    pub(crate) fn new(after: Option<&Cursor>, limit: usize) -> Result<Self, StoreError> {
        Ok(Self { after: after.map(Place::of).transpose()?, limit: i64::try_from(limit).unwrap_or(i64::MAX) })
    }

    /// Reads the events.
    pub(crate) async fn read(&self, session: &Session) -> Result<Events, Failure> {
        // The first row has the end of the log, and the tag before the place. The others are events.
        const SQL: &str = "
            SELECT n.number, coalesce((SELECT tag FROM onetoken.events WHERE number = n.number - 1), 0),
                   '', NULL::bytea, coalesce((SELECT tag FROM onetoken.events WHERE number = $1::bigint - 1), 0), 1
            FROM onetoken.next_event n
            UNION ALL
            (SELECT number, tag, event, subject, value, 2 FROM onetoken.events
             WHERE number >= $1::bigint ORDER BY number LIMIT $2::bigint)
            ORDER BY 6, 1";
        let from = self.after.map(|place| place.number);
        let rows = session.query(SQL, &[&from, &self.limit]).await?;
        let (first, rows) = rows.split_first().ok_or(STRANGE)?;
        let end = Place { number: get(first, 0)?, tag: get(first, 1)? };
        let page = match self.after {
            None => Ok(Events { events: Vec::new(), next: end.cursor(), missed: false }),
            Some(from) if from.tag == get::<i64>(first, 4)? => self.page(rows, from, end),
            Some(_) => Err(LOST),
        };
        match page {
            // The caller forgets every verdict, so that it needs none of the events up to the end.
            Err(StoreError::Corrupt { .. }) => {
                Ok(Events { events: Vec::new(), next: end.cursor(), missed: true })
            }
            page => Ok(page?),
        }
    }

    // `Corrupt` if an event is lost or damaged.
    fn page(&self, rows: &[Row], from: Place, end: Place) -> Result<Events, StoreError> {
        let (mut events, mut place) = (Vec::new(), from);
        for row in rows {
            if place.number != get::<i64>(row, 0)? {
                return Err(LOST);
            }
            events.push(event(row)?);
            place = Place { number: place.number.saturating_add(1), tag: get(row, 1)? };
        }
        match place.number == end.number.min(from.number.saturating_add(self.limit)) {
            true => Ok(Events { events, next: place.cursor(), missed: false }),
            false => Err(LOST),
        }
    }
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let subject: Option<&[u8]> = get(row, 3)?;
    let token = || subject.and_then(|id| TokenId::new(id).ok()).ok_or(LOST);
    let entity = || subject.and_then(kit::entity_of).ok_or(LOST);
    let value = || count(get(row, 4)?);
    Ok(match get::<&str>(row, 2)? {
        "revoke" => Event::Revoked(token()?),
        "reinstate" => Event::Reinstated(token()?),
        "delete" => Event::Deleted(token()?),
        "revoke before" => Event::RevokedBefore(UnixTime::from_secs(value()?)),
        "raise generation" => Event::GenerationRaised(entity()?, value()?),
        "delete generation" => Event::GenerationDeleted(entity()?),
        _ => return Err(LOST),
    })
}

/// Removes some of the events that the log need not keep, the oldest first. Returns how many.
pub(crate) async fn trim(session: &Session) -> Result<usize, Failure> {
    const SQL: &str = "
        WITH gone AS (
            DELETE FROM onetoken.events
            WHERE number < (SELECT least(n.number - $1::bigint, $2::bigint + (SELECT min(number) FROM onetoken.events))
                            FROM onetoken.next_event n)
                AND {mark}
            RETURNING number
        )
        SELECT count(*) FROM gone";
    let rows = session.write(SQL, &[&KEPT, &STEP]).await?;
    Ok(small(first(&rows)?)?)
}
