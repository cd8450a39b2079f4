//! Purging: removing records in steps.

use std::time::Duration;

use token_core::UnixTime;
use token_store::StoreError;

use crate::{
    kind::{Repeat, STRANGE, bigint, count, first, get, small},
    store::PostgresStore,
};

/// How far a host's clock may be ahead of the server's, in seconds. Clocks that are synchronized differ by less.
const AHEAD: u64 = 300;

/// Most records that one step removes. Their rows stay locked for some milliseconds.
const STEP: usize = 512;

macro_rules! removing {
    ($which:literal) => {
        concat!(
            "WITH doomed AS MATERIALIZED (SELECT id, changes FROM onetoken.tokens WHERE {mark} AND ",
            $which,
            " LIMIT $1::bigint
            ), locked AS MATERIALIZED (
                -- Skips a token that changed meanwhile: a claim added to it would be orphaned.
                SELECT t.id FROM onetoken.tokens t JOIN doomed d ON d.id = t.id AND d.changes = t.changes
                ORDER BY t.id FOR UPDATE OF t
            ), forgotten AS (
                DELETE FROM onetoken.claims c USING locked l WHERE c.id = l.id
            ), gone AS (
                DELETE FROM onetoken.tokens t USING locked l WHERE t.id = l.id
            )
            SELECT (SELECT count(*) FROM doomed), (SELECT count(*) FROM locked)"
        )
    };
}

/// Removes at most `limit` records that expired at or before `now`, and returns how many. `ClockAhead` as
/// [`refuse_far_ahead`].
pub(crate) fn expired(store: &PostgresStore, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
    const REMOVE: &str = removing!("expires <= $2::bigint ORDER BY expires, id");
    refuse_far_ahead(store, now)?;
    in_steps(store, limit, REMOVE, bigint(now.as_secs()))
}

/// Removes at most `limit` records whose last use was spent `retention` before `now` or earlier, and returns how many.
/// `ClockAhead` as [`refuse_far_ahead`].
pub(crate) fn spent(
    store: &PostgresStore,
    now: UnixTime,
    retention: Duration,
    limit: usize,
) -> Result<usize, StoreError> {
    const REMOVE: &str = removing!("spent_at <= $2::bigint ORDER BY spent_at, id");
    refuse_far_ahead(store, now)?;
    match now.as_secs().checked_sub(retention.as_secs()) {
        Some(time) => in_steps(store, limit, REMOVE, bigint(time)),
        None => Ok(0),
    }
}

/// Refuses a time that is more than five minutes ahead of the server's clock (`ClockAhead`): a purge or a revocation by
/// it could hit tokens that are good for days.
pub(crate) fn refuse_far_ahead(store: &PostgresStore, now: UnixTime) -> Result<(), StoreError> {
    const CLOCK: &str = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    let server = store
        .administer(Repeat::Reads, async |session| Ok(count(first(&session.query(CLOCK, &[]).await?)?)?))?;
    if now.as_secs() <= server.saturating_add(AHEAD) {
        return Ok(());
    }
    let evidence = "the server's time; set the clock of this host";
    Err(StoreError::ClockAhead { now, present: UnixTime::from_secs(server), evidence, bound: AHEAD })
}

// Repeats a statement, whose parameters are a limit and a time, until it finds nothing more to remove. It returns how
// many rows it found and how many it removed: it skips rows that others changed meanwhile.
fn in_steps(store: &PostgresStore, limit: usize, sql: &'static str, time: i64) -> Result<usize, StoreError> {
    let mut total = 0_usize;
    loop {
        let left = limit.saturating_sub(total).min(STEP);
        if left == 0 {
            return Ok(total);
        }
        let rows = i64::try_from(left).unwrap_or(i64::MAX);
        let (found, done) = store.administer(Repeat::OtherWrite, async move |session| {
            let rows = session.write(sql, &[&rows, &time]).await?;
            let row = rows.first().ok_or(STRANGE)?;
            Ok((small(get(row, 0)?)?, small(get(row, 1)?)?))
        })?;
        total = total.saturating_add(done);
        if found < left && done == found {
            return Ok(total);
        }
    }
}
