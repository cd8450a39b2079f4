//! Removing records: purges, in steps, and deletions.

use std::time::Duration;

use token_core::UnixTime;
use token_store::StoreError;

use crate::{
    error::Failure,
    events::{self, telling},
    kind::{Repeat, STRANGE, bigint, count, first, get, small},
    session::{Parameter, Session},
    store::PostgresStore,
};

/// How far a host's clock may be ahead of the server's, in seconds. Clocks that are synchronized differ by less.
const AHEAD: u64 = 300;

/// Most records that one step removes. Their rows stay locked for some milliseconds.
const STEP: usize = 512;

macro_rules! removing {
    ($which:literal, $tell:expr) => {
        concat!(
            "WITH doomed AS MATERIALIZED (SELECT id, changes FROM onetoken.tokens WHERE {mark} AND ",
            $which,
            "
            ), locked AS MATERIALIZED (
                -- Skips a token that changed meanwhile: a claim added to it would be orphaned. A token without a limit
                -- has no claims, and on a busy one a deletion would starve.
                SELECT t.id FROM onetoken.tokens t
                JOIN doomed d ON d.id = t.id AND (d.changes = t.changes OR t.use_limit IS NULL)
                ORDER BY t.id FOR UPDATE OF t
            ), forgotten AS (
                DELETE FROM onetoken.claims c USING locked l WHERE c.id = l.id
            ), gone AS (
                DELETE FROM onetoken.tokens t USING locked l WHERE t.id = l.id
            )",
            $tell,
            "
            SELECT (SELECT count(*) FROM doomed), (SELECT count(*) FROM locked)"
        )
    };
}

/// Removes at most `limit` records that expired at or before `now`, and returns how many. `ClockAhead` as
/// [`refuse_far_ahead`].
pub(crate) fn expired(store: &PostgresStore, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
    const REMOVE: &str = removing!("expires <= $1::bigint ORDER BY expires, id LIMIT $2::bigint", "");
    refuse_far_ahead(store, now)?;
    while store.administer(Repeat::SameWrite, async |session| events::trim(session).await)? > 0 {}
    in_steps(store, limit, REMOVE, bigint(now.as_secs()))
}

/// Deletes the records under these ids, even damaged ones. Returns how many it found and how many it deleted, as
/// [`remove`].
pub(crate) async fn deleted(session: &Session, ids: &[&[u8]]) -> Result<(usize, usize), Failure> {
    const DELETE: &str = removing!(
        "id = ANY($1::bytea[])",
        concat!(
            ", told AS MATERIALIZED (SELECT 'delete' AS event, id AS subject, NULL::bigint AS value FROM locked)",
            telling!()
        )
    );
    remove(session, DELETE, &[&ids]).await
}

/// Removes at most `limit` records whose last use was spent `retention` before `now` or earlier, and returns how many.
/// `ClockAhead` as [`refuse_far_ahead`].
pub(crate) fn spent(
    store: &PostgresStore,
    now: UnixTime,
    retention: Duration,
    limit: usize,
) -> Result<usize, StoreError> {
    const REMOVE: &str = removing!("spent_at <= $1::bigint ORDER BY spent_at, id LIMIT $2::bigint", "");
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

// Repeats a statement, whose parameters are a time and a limit, until it finds nothing more to remove.
fn in_steps(store: &PostgresStore, limit: usize, sql: &'static str, time: i64) -> Result<usize, StoreError> {
    let mut total = 0_usize;
    loop {
        let left = limit.saturating_sub(total).min(STEP);
        if left == 0 {
            return Ok(total);
        }
        let rows = i64::try_from(left).unwrap_or(i64::MAX);
        let (found, done) = store.administer(Repeat::OtherWrite, async move |session| {
            remove(session, sql, &[&time, &rows]).await
        })?;
        total = total.saturating_add(done);
        if found < left && done == found {
            return Ok(total);
        }
    }
}

// Returns how many rows a statement found and how many it removed: it skips rows that others changed meanwhile.
async fn remove(
    session: &Session,
    sql: &'static str,
    parameters: &[Parameter<'_>],
) -> Result<(usize, usize), Failure> {
    let rows = session.write(sql, parameters).await?;
    let row = rows.first().ok_or(STRANGE)?;
    Ok((small(get(row, 0)?)?, small(get(row, 1)?)?))
}
