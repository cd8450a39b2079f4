//! Administration: many records at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use token_core::UnixTime;

use super::{
    PostgresStore, apart,
    change::{grant_column, grant_of},
    check,
    error::Failure,
    kind::{NewRecord, Repeat, STRANGE, bigint, column, count, get},
    listing::{Walk, page},
    notices::EVERYTHING,
    session::{Parameter, Session},
};
use crate::{
    Administration, CheckReport, ClaimId, ClockWitness, Counts, Cursor, Filter, Generation, Generations,
    Held, Item, KeyPlace, KeyRing, Record, Reseal, StoreError, Sweep, TokenId, embedded::layout,
};

/// How far a host's clock may be ahead of the server's, in seconds. Clocks that are synchronized differ by less.
const AHEAD: u64 = 300;

/// Most records that one step removes or marks. Their rows stay locked for some milliseconds.
const STEP: usize = 512;

/// How many rows one step found and how many it changed. It skips rows that others changed meanwhile.
struct Step {
    found: usize,
    done: usize,
}

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

pub(super) fn purge(store: &PostgresStore, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
    const SQL: &str = removing!("expires <= $2::bigint ORDER BY expires, id");
    believe(store, now)?;
    in_steps(store, limit, SQL, [bigint(now.as_secs()), 0], 1)
}

#[deny(clippy::missing_trait_methods)]
impl Administration for PostgresStore {
    fn revoke_all(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Sweep, StoreError> {
        const SQL: &str = "
            WITH locked AS MATERIALIZED (
                SELECT id FROM onetoken.tokens WHERE id = ANY($1::bytea[]) AND NOT revoked AND {mark}
                ORDER BY id FOR NO KEY UPDATE
            ), done AS (
                UPDATE onetoken.tokens t SET revoked = true, changes = t.changes + 1
                FROM locked l WHERE t.id = l.id
                RETURNING t.id
            )
            SELECT count(*) FROM done";
        let walk = Walk::new(filter, after, limit)?;
        let (filter, after) = (filter.clone(), after.cloned());
        let swept = self.run(&self.0.administration, Repeat::OtherWrite, move |session| {
            let (walk, filter, after) = (walk.clone(), filter.clone(), after.clone());
            Box::pin(async move {
                let (found, next) = page(walk.records(session).await?, &filter, after.as_ref(), limit);
                let sound = found.iter().filter(|found| found.record.is_ok());
                let ids: Vec<&[u8]> = sound.map(|found| found.id.as_bytes()).collect();
                let revoked = number(session, SQL, &[&ids]).await?;
                Ok(Sweep { revoked, damaged: found.len().saturating_sub(ids.len()), next })
            })
        });
        self.telling(|| EVERYTHING, swept)
    }

    fn revoke_before(&self, time: UnixTime) -> Result<UnixTime, StoreError> {
        believe(self, time)?;
        const SQL: &str = "
            UPDATE onetoken.store SET revoke_before = greatest(revoke_before, $1::bigint)
            WHERE {mark} RETURNING revoke_before";
        let voided = self.run(&self.0.administration, Repeat::SameWrite, move |session| {
            Box::pin(async move {
                let rows = session.write(SQL, &[&bigint(time.as_secs())]).await?;
                let in_force = get(rows.first().ok_or(STRANGE)?, 0)?;
                Ok(UnixTime::from_secs(count(in_force)?))
            })
        });
        self.telling(|| EVERYTHING, voided)
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        const SQL: &str = "
            SELECT count(*), count(*) FILTER (WHERE t.uses >= t.use_limit),
                   count(*) FILTER (WHERE t.revoked OR t.created < (SELECT s.revoke_before FROM onetoken.store s)), count(t.expires),
                   (SELECT count(*) FROM onetoken.claims), (SELECT count(*) FROM onetoken.generations)
            FROM onetoken.tokens t";
        self.0.process.get()?;
        let target = self.0.target.clone();
        apart(async move || {
            let session = Session::open(&target, None).await?;
            let rows = session.query(SQL, &[]).await.map_err(Failure::of_reading)?;
            session.close().await;
            let row = rows.first().ok_or(STRANGE)?;
            Ok(Counts {
                records: count(get(row, 0)?)?,
                // Counting does not decode the records.
                damaged: 0,
                spent: count(get(row, 1)?)?,
                revoked: count(get(row, 2)?)?,
                expiring: count(get(row, 3)?)?,
                claims: count(get(row, 4)?)?,
                generations: count(get(row, 5)?)?,
            })
        })
    }

    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError> {
        const REMOVE: &str =
            removing!("spent_seen BETWEEN $2::bigint AND $3::bigint ORDER BY spent_seen, id");
        const SEE: &str = "
            WITH unseen AS MATERIALIZED (
                SELECT id FROM onetoken.tokens WHERE spent_seen = 0 AND {mark}
                ORDER BY id LIMIT $1::bigint
            ), locked AS MATERIALIZED (
                SELECT t.id FROM onetoken.tokens t JOIN unseen u ON u.id = t.id
                WHERE t.spent_seen = 0 ORDER BY t.id FOR NO KEY UPDATE OF t
            ), done AS (
                UPDATE onetoken.tokens t SET spent_seen = $2::bigint FROM locked l WHERE t.id = l.id
            )
            SELECT (SELECT count(*) FROM unseen), (SELECT count(*) FROM locked)";
        believe(self, now)?;
        let removed = match now.as_secs().checked_sub(retention.as_secs()) {
            None => 0,
            Some(seen_by) => {
                // Without retention, also remove records that no purge has seen.
                let from = if retention.is_zero() { 0 } else { 1 };
                in_steps(self, limit, REMOVE, [from, bigint(seen_by)], 2)?
            }
        };
        let left = limit.saturating_sub(removed);
        if retention.is_zero() || left == 0 {
            return Ok(removed);
        }
        let seen = in_steps(self, left, SEE, [bigint(now.as_secs().max(1)), 0], 1)?;
        Ok(removed.saturating_add(seen))
    }

    fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError> {
        const SQL: &str = "
            SELECT claim, uses_left, grant_id FROM onetoken.claims
            WHERE id = $1::bytea AND claim > $2::bytea ORDER BY claim LIMIT $3::bigint";
        let id = id.as_bytes().to_vec();
        let after = after.map(|claim| claim.as_bytes().to_vec()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(&self.0.administration, Repeat::Reads, move |session| {
            let (id, after) = (id.clone(), after.clone());
            Box::pin(async move {
                let rows = session.query(SQL, &[&id, &after, &limit]).await?;
                let mut claims = Vec::with_capacity(rows.len());
                for row in &rows {
                    let claim = ClaimId::new(get::<&[u8]>(row, 0)?);
                    let claim = claim.map_err(|_| StoreError::Corrupt { what: "the id of a claim" })?;
                    let held = Held { uses_left: count(get(row, 1)?)?, grant: grant_of(get(row, 2)?) };
                    claims.push((claim, held));
                }
                Ok(claims)
            })
        })
    }

    fn generations(&self, after: Option<&Cursor>, limit: usize) -> Result<Generations, StoreError> {
        const SQL: &str = "
            SELECT subject, generation FROM onetoken.generations
            WHERE subject > $1::bytea ORDER BY subject LIMIT $2::bigint";
        let after = after.map_or(Ok(&[][..]), Generations::place)?.to_vec();
        // One row more than the limit shows whether there is another page.
        let wanted = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        self.run(&self.0.administration, Repeat::Reads, move |session| {
            let after = after.clone();
            Box::pin(async move {
                let mut rows = session.query(SQL, &[&after, &wanted]).await?;
                let more = rows.len() > limit;
                rows.truncate(limit);
                let mut page = Generations { sound: Vec::new(), damaged: Vec::new(), next: None };
                for row in &rows {
                    // No lookup uses a key that is not a subject's; `check` reports it.
                    let Some(subject) = layout::subject_of(get(row, 0)?) else { continue };
                    match Generation::from_bytes(&subject, get(row, 1)?) {
                        Ok(generation) => page.sound.push((subject, generation)),
                        Err(StoreError::Corrupt { .. }) => page.damaged.push(subject),
                        Err(error) => return Err(error.into()),
                    }
                }
                page.next = match rows.last() {
                    Some(last) if more => Some(Generations::cursor(get(last, 0)?)),
                    None if more => Some(Generations::cursor(&after)),
                    _ => None,
                };
                Ok(page)
            })
        })
    }

    fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError> {
        let changes = Arc::new(changes.to_vec());
        self.run(&self.0.administration, Repeat::OtherWrite, move |session| {
            let changes = Arc::clone(&changes);
            Box::pin(async move { reseal(session, &changes).await })
        })
    }

    fn restore(&self, items: &[Item]) -> Result<usize, StoreError> {
        let rows = Arc::new(Restored::new(items)?);
        let restored = self.run(&self.0.administration, Repeat::OtherWrite, move |session| {
            let rows = Arc::clone(&rows);
            Box::pin(async move { rows.keep(session).await })
        });
        self.telling(|| EVERYTHING, restored)
    }

    fn check(&self, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError> {
        check::check(self, keys)
    }
}

// Refuses a time that is ahead of the server's clock: purging or voiding by it could hit tokens that are good for
// days.
fn believe(store: &PostgresStore, now: UnixTime) -> Result<(), StoreError> {
    const SQL: &str = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    store.run(&store.0.administration, Repeat::Reads, move |session| {
        Box::pin(async move {
            let rows = session.query(SQL, &[]).await?;
            let server = UnixTime::from_secs(count(get(rows.first().ok_or(STRANGE)?, 0)?)?);
            match now.as_secs() > server.as_secs().saturating_add(AHEAD) {
                true => {
                    let witness = ClockWitness::Server(server);
                    Err(Failure::Refused(StoreError::ClockAhead { now, witness, bound: AHEAD }))
                }
                false => Ok(()),
            }
        })
    })
}

// Repeats a statement, whose parameters are a limit and one or two numbers, until it finds nothing more to change.
fn in_steps(
    store: &PostgresStore,
    limit: usize,
    sql: &'static str,
    numbers: [i64; 2],
    how_many: usize,
) -> Result<usize, StoreError> {
    let mut done = 0_usize;
    loop {
        let left = limit.saturating_sub(done).min(STEP);
        if left == 0 {
            return Ok(done);
        }
        let rows = i64::try_from(left).unwrap_or(i64::MAX);
        let step = store.run(&store.0.administration, Repeat::OtherWrite, move |session| {
            Box::pin(async move {
                let mut parameters: Vec<Parameter<'_>> = vec![&rows];
                parameters.extend(numbers.iter().take(how_many).map(|number| number as Parameter<'_>));
                let rows = session.write(sql, &parameters).await?;
                let row = rows.first().ok_or(STRANGE)?;
                Ok(Step { found: small(get(row, 0)?)?, done: small(get(row, 1)?)? })
            })
        })?;
        done = done.saturating_add(step.done);
        if step.found < left && step.done == step.found {
            return Ok(done);
        }
    }
}

async fn number(
    session: &Session,
    sql: &'static str,
    parameters: &[Parameter<'_>],
) -> Result<usize, Failure> {
    let rows = session.write(sql, parameters).await?;
    Ok(small(get(rows.first().ok_or(STRANGE)?, 0)?)?)
}

fn small(number: i64) -> Result<usize, StoreError> {
    usize::try_from(number).map_err(|_| STRANGE)
}

/// A new value for a row that still has the old one.
struct Replacement {
    key: Vec<u8>,
    old: Vec<u8>,
    new: Vec<u8>,
    // How many of the requested changes it contains.
    times: i64,
}

async fn reseal(session: &Session, changes: &[Reseal]) -> Result<usize, Failure> {
    const READ: &str = "
        SELECT true, id, record FROM onetoken.tokens WHERE id = ANY($1::bytea[])
        UNION ALL
        SELECT false, subject, generation FROM onetoken.generations WHERE subject = ANY($2::bytea[])";
    const WRITE: &str = "
        WITH asked AS MATERIALIZED (
            SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[]) AS a(id, old, new, times)
            WHERE {mark}
        ), locked AS MATERIALIZED (
            SELECT t.id FROM onetoken.tokens t JOIN asked a ON a.id = t.id AND a.old = t.record
            ORDER BY t.id FOR NO KEY UPDATE OF t
        ), records AS (
            UPDATE onetoken.tokens t SET record = a.new, changes = t.changes + 1
            FROM locked l JOIN asked a ON a.id = l.id WHERE t.id = l.id
            RETURNING a.times
        ), subjects AS MATERIALIZED (
            SELECT * FROM unnest($5::bytea[], $6::bytea[], $7::bytea[], $8::bigint[]) AS a(subject, old, new, times)
        ), locked_subjects AS MATERIALIZED (
            SELECT g.subject FROM onetoken.generations g JOIN subjects a ON a.subject = g.subject AND a.old = g.generation
            ORDER BY g.subject FOR NO KEY UPDATE OF g
        ), generations AS (
            UPDATE onetoken.generations g SET generation = a.new
            FROM locked_subjects l JOIN subjects a ON a.subject = l.subject WHERE g.subject = l.subject
            RETURNING a.times
        )
        SELECT (coalesce((SELECT sum(times) FROM records), 0)
            + coalesce((SELECT sum(times) FROM generations), 0))::bigint";
    let (mut ids, mut subjects) = (Vec::new(), Vec::new());
    for change in changes {
        match &change.place {
            KeyPlace::Token(id) => ids.push(id.as_bytes()),
            KeyPlace::Generation(subject) => subjects.push(layout::generation(subject)),
        }
    }
    let mut found: BTreeMap<(bool, Vec<u8>), Vec<u8>> = BTreeMap::new();
    for row in session.query(READ, &[&ids, &subjects]).await? {
        found.insert((get(&row, 0)?, get(&row, 1)?), get(&row, 2)?);
    }
    let mut replaced: BTreeMap<(bool, Vec<u8>), Replacement> = BTreeMap::new();
    for change in changes {
        let place = match &change.place {
            KeyPlace::Token(id) => (true, id.as_bytes().to_vec()),
            KeyPlace::Generation(subject) => (false, layout::generation(subject)),
        };
        let Some(stored) = found.get_mut(&place) else { continue };
        let Some(new) = resealed(change, stored)? else { continue };
        let old = std::mem::replace(stored, new.clone());
        let replacement = Replacement { key: place.1.clone(), old, new: Vec::new(), times: 0 };
        let replacement = replaced.entry(place).or_insert(replacement);
        replacement.new = new;
        replacement.times = replacement.times.saturating_add(1);
    }
    let columns = |of_tokens: bool| {
        let rows: Vec<&Replacement> =
            replaced.iter().filter(|((token, _), _)| *token == of_tokens).map(|(_, row)| row).collect();
        [
            column(&rows, |row| &*row.key),
            column(&rows, |row| &*row.old),
            column(&rows, |row| &*row.new),
            column(&rows, |row| row.times),
        ]
    };
    let columns: Vec<_> = columns(true).into_iter().chain(columns(false)).collect();
    let parameters: Vec<Parameter<'_>> = columns.iter().map(|column| &**column as Parameter<'_>).collect();
    number(session, WRITE, &parameters).await
}

// Returns the stored value with the new key in place of the old, or `None` if it holds another key.
fn resealed(change: &Reseal, stored: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let Reseal { place, old, new } = change;
    Ok(match place {
        KeyPlace::Token(id) => {
            let record = Record::from_bytes(id.clone(), stored)?;
            match record.root_key == *old {
                true => Some(Record { root_key: new.clone(), ..record }.to_bytes()?),
                false => None,
            }
        }
        KeyPlace::Generation(subject) => {
            let generation = Generation::from_bytes(subject, stored)?;
            match generation.root_key == *old {
                true => Some(Generation { root_key: new.clone(), ..generation }.to_bytes(subject)?),
                false => None,
            }
        }
    })
}

/// Items of another store, as rows.
struct Restored {
    records: Vec<NewRecord>,
    claims: Vec<(Vec<u8>, Vec<u8>, Held)>,
    generations: Vec<(Vec<u8>, i64, Vec<u8>)>,
}

impl Restored {
    // Keeps the first of several tokens with one id, revoked if any of them is, and the latest generation of a
    // subject.
    fn new(items: &[Item]) -> Result<Self, StoreError> {
        let (mut records, mut claims) = (Vec::<NewRecord>::new(), Vec::new());
        let (mut names, mut generations) = (BTreeSet::new(), BTreeMap::<Vec<u8>, (i64, Vec<u8>)>::new());
        for item in items {
            match item {
                Item::Token { record, claims: on_it } => {
                    let new = NewRecord::new(record)?;
                    if names.insert(layout::record(&record.id)) {
                        records.push(new);
                        let on_it: BTreeMap<&ClaimId, Held> =
                            on_it.iter().map(|(claim, held)| (claim, *held)).collect();
                        claims.extend(on_it.into_iter().map(|(claim, held)| {
                            (record.id.as_bytes().to_vec(), claim.as_bytes().to_vec(), held)
                        }));
                    } else if let Some(first) = records.iter_mut().find(|first| first.id == new.id) {
                        first.revoked |= new.revoked;
                    }
                }
                Item::Generation { subject, generation } => {
                    let (number, value) = (bigint(generation.number), generation.to_bytes(subject)?);
                    let latest = generations.entry(layout::generation(subject)).or_default();
                    if number > latest.0 {
                        *latest = (number, value);
                    }
                }
            }
        }
        let generations = generations.into_iter().map(|(subject, (number, value))| (subject, number, value));
        Ok(Self { records, claims, generations: generations.collect() })
    }

    async fn keep(&self, session: &Session) -> Result<usize, Failure> {
        // The other store may have acknowledged the claim, so its use stays spent: `answered_again` is true.
        const SQL: &str = "
            WITH kept AS (
                INSERT INTO onetoken.tokens
                    (id, record, resource, issuer, created, expires, use_limit, uses, revoked, spent_seen)
                SELECT id, record, resource, issuer, created, expires, use_limit, uses, revoked,
                       CASE WHEN uses >= use_limit THEN 0 END
                FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[],
                            $7::bigint[], $8::bigint[], $9::boolean[])
                    AS a(id, record, resource, issuer, created, expires, use_limit, uses, revoked)
                WHERE {mark}
                ORDER BY id
                -- Also covers a row that another host inserted after the snapshot of this statement.
                ON CONFLICT (id) DO UPDATE SET revoked = true, changes = tokens.changes + 1
                    WHERE excluded.revoked AND NOT tokens.revoked
                RETURNING id, changes
            ), claims AS (
                INSERT INTO onetoken.claims (id, claim, uses_left, grant_id, answered_again)
                SELECT a.id, a.claim, a.uses_left, a.grant_id, true
                FROM unnest($10::bytea[], $11::bytea[], $12::bigint[], $13::bigint[])
                    AS a(id, claim, uses_left, grant_id)
                JOIN kept k ON k.id = a.id AND k.changes = 0
            ), generations AS (
                INSERT INTO onetoken.generations (subject, number, generation)
                SELECT subject, number, generation
                FROM unnest($14::bytea[], $15::bigint[], $16::bytea[]) AS a(subject, number, generation)
                ORDER BY subject
                ON CONFLICT (subject) DO UPDATE SET number = excluded.number, generation = excluded.generation
                    WHERE excluded.number > generations.number
                RETURNING subject
            )
            SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM generations)";
        let mut columns = NewRecord::columns(&self.records.iter().collect::<Vec<_>>());
        let claims: Vec<_> = self.claims.iter().collect();
        columns.push(column(&claims, |(id, ..)| &**id));
        columns.push(column(&claims, |(_, claim, _)| &**claim));
        columns.push(column(&claims, |(.., held)| bigint(held.uses_left)));
        columns.push(column(&claims, |(.., held)| grant_column(held.grant)));
        let generations: Vec<_> = self.generations.iter().collect();
        columns.push(column(&generations, |(subject, ..)| &**subject));
        columns.push(column(&generations, |(_, number, _)| *number));
        columns.push(column(&generations, |(.., generation)| &**generation));
        let parameters: Vec<Parameter<'_>> =
            columns.iter().map(|column| &**column as Parameter<'_>).collect();
        number(session, SQL, &parameters).await
    }
}
