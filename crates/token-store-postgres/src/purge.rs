//! Purging: removing records in steps.

use std::time::Duration;

use token_core::UnixTime;
use token_store::{ClockWitness, StoreError};

use crate::{
    error::Failure,
    kind::{Repeat, bigint, count, first, get, small},
    session::Parameter,
    store::PostgresStore,
};

/// How far a host's clock may be ahead of the server's, in seconds. Clocks that are synchronized differ by less.
const AHEAD: u64 = 300;

/// Most records that one step removes or marks. Their rows stay locked for some milliseconds.
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

/// Removes records that expired at or before `now`.
pub(crate) fn expired(store: &PostgresStore, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
    const REMOVE: &str = removing!("expires <= $2::bigint ORDER BY expires, id");
    refuse_far_ahead(store, now)?;
    in_steps(store, limit, REMOVE, vec![bigint(now.as_secs())])
}

/// Removes records that a purge has seen spent for `retention`, and notes when it first sees one.
pub(crate) fn spent(
    store: &PostgresStore,
    now: UnixTime,
    retention: Duration,
    limit: usize,
) -> Result<usize, StoreError> {
    const REMOVE: &str = removing!("spent_seen BETWEEN $2::bigint AND $3::bigint ORDER BY spent_seen, id");
    const SEE: &str = "
        WITH unseen AS MATERIALIZED (
            SELECT id FROM onetoken.tokens WHERE spent_seen = 0 AND {mark} ORDER BY id LIMIT $1::bigint
        ), locked AS MATERIALIZED (
            SELECT t.id FROM onetoken.tokens t JOIN unseen u ON u.id = t.id
            WHERE t.spent_seen = 0 ORDER BY t.id FOR NO KEY UPDATE OF t
        ), done AS (
            UPDATE onetoken.tokens t SET spent_seen = $2::bigint FROM locked l WHERE t.id = l.id
        )
        SELECT (SELECT count(*) FROM unseen), (SELECT count(*) FROM locked)";
    refuse_far_ahead(store, now)?;
    let at_once = retention.as_secs() == 0;
    let removed = match now.as_secs().checked_sub(retention.as_secs()) {
        None => 0,
        // Without retention, also removes records that no purge has seen.
        Some(due) => in_steps(store, limit, REMOVE, vec![i64::from(!at_once), bigint(due)])?,
    };
    if at_once {
        return Ok(removed);
    }
    let seen = in_steps(store, limit.saturating_sub(removed), SEE, vec![bigint(now.as_secs().max(1))])?;
    Ok(removed.saturating_add(seen))
}

/// Refuses a time that is ahead of the server's clock: a purge or a revocation by it could hit tokens that are good for
/// days.
pub(crate) fn refuse_far_ahead(store: &PostgresStore, now: UnixTime) -> Result<(), StoreError> {
    const CLOCK: &str = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    let server = store.administer(Repeat::Reads, (), |session, ()| {
        Box::pin(async move { Ok(count(first(&session.query(CLOCK, &[]).await?)?)?) })
    })?;
    let witness = ClockWitness::Server(UnixTime::from_secs(server));
    match now.as_secs() > server.saturating_add(AHEAD) {
        true => Err(StoreError::ClockAhead { now, witness, bound: AHEAD }),
        false => Ok(()),
    }
}

// Repeats a statement, whose parameters are a limit and these numbers, until it finds nothing more to change. It
// returns how many rows it found and how many it changed: it skips rows that others changed meanwhile.
fn in_steps(
    store: &PostgresStore,
    limit: usize,
    sql: &'static str,
    numbers: Vec<i64>,
) -> Result<usize, StoreError> {
    let mut total = 0_usize;
    loop {
        let left = limit.saturating_sub(total).min(STEP);
        if left == 0 {
            return Ok(total);
        }
        let mut numbers = numbers.clone();
        numbers.insert(0, i64::try_from(left).unwrap_or(i64::MAX));
        let (found, done) =
            store.administer(Repeat::OtherWrite, (sql, numbers), |session, (sql, numbers)| {
                Box::pin(async move {
                    let parameters: Vec<Parameter<'_>> =
                        numbers.iter().map(|number| number as Parameter<'_>).collect();
                    let rows = session.write(sql, &parameters).await?;
                    let row = rows.first().ok_or(crate::kind::STRANGE)?;
                    Ok::<_, Failure>((small(get(row, 0)?)?, small(get(row, 1)?)?))
                })
            })?;
        total = total.saturating_add(done);
        if found < left && done == found {
            return Ok(total);
        }
    }
}
