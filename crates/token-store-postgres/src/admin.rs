//! Administration: calls on many records at once.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::Duration,
};

use token_core::UnixTime;
use token_store::{
    Administration, CheckReport, ClaimId, Counts, Cursor, Events, Filter, Generation, Generations, Held,
    Item, KeyPlace, KeyRing, Page, Record, Reseal, Revocation, StoreError, Sweep, TokenId, Use, kit,
};

use crate::{
    change::{grant_column, grant_of},
    check,
    error::Failure,
    events::{Reading, telling},
    kind::{NewRecord, Repeat, STRANGE, bigint, column, count, first, get, new_records, parameters, small},
    listing::Listing,
    notices::Subject,
    purge,
    session::Session,
    store::{PostgresStore, lane_of},
};

#[deny(clippy::missing_trait_methods)]
impl Administration for PostgresStore {
    fn revoke_all(
        &self,
        filter: &Filter,
        revocation: &Revocation,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Sweep, StoreError> {
        const SQL: &str = concat!(
            "WITH locked AS MATERIALIZED (
                SELECT id FROM onetoken.tokens
                WHERE id = ANY($1::bytea[]) AND (revocation IS NULL OR (reversible AND NOT $3::boolean)) AND {mark}
                ORDER BY id FOR NO KEY UPDATE
            ), done AS (
                UPDATE onetoken.tokens t
                SET revocation = $2::bytea, reversible = $3::boolean, changes = t.changes + 1
                FROM locked l WHERE t.id = l.id
                RETURNING t.id
            ), told AS MATERIALIZED (
                SELECT 'revoke' AS event, id AS subject, NULL::bigint AS value FROM done
            )",
            telling!(),
            " SELECT count(*) FROM done"
        );
        let (bytes, reversible) = (revocation.to_bytes()?, revocation.reversible);
        let listing = Listing::new(filter, after, limit)?;
        let swept = self.administer(Repeat::OtherWrite, async move |session| {
            let page = listing.page(session).await?;
            let rows = session.write(SQL, &[&ids(&page), &bytes, &reversible]).await?;
            Ok(Sweep { changed: small(first(&rows)?)?, damaged: page.damaged.len(), next: page.next })
        });
        self.announce(Subject::Everything, swept)
    }

    fn delete_all(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Sweep, StoreError> {
        let listing = Listing::new(filter, after, limit)?;
        let swept = self.administer(Repeat::OtherWrite, async move |session| {
            let page = listing.page(session).await?;
            let (found, changed) = purge::deleted(session, &ids(&page)).await?;
            Ok(match found == changed {
                true => Sweep { changed, damaged: page.damaged.len(), next: page.next },
                // Others changed some of them meanwhile, so that the next page begins at the same place.
                false => Sweep { changed, damaged: 0, next: Some(listing.start()) },
            })
        });
        self.announce(Subject::Everything, swept)
    }

    fn events(&self, after: Option<&Cursor>, limit: usize) -> Result<Events, StoreError> {
        let reading = Reading::new(after, limit)?;
        let lane = lane_of(&self.0.readers, b"events")?;
        self.run(lane, Repeat::Reads, async move |session| reading.read(session).await)
    }

    fn revoke_before(&self, time: UnixTime) -> Result<UnixTime, StoreError> {
        const SQL: &str = concat!(
            "WITH locked AS MATERIALIZED (
                SELECT one, revoke_before FROM onetoken.store WHERE {mark} FOR NO KEY UPDATE
            ), done AS (
                UPDATE onetoken.store s SET revoke_before = $1::bigint
                FROM locked l WHERE s.one = l.one AND l.revoke_before < $1::bigint
                RETURNING s.revoke_before
            ), told AS MATERIALIZED (
                SELECT 'revoke before' AS event, NULL::bytea AS subject, revoke_before AS value FROM done
            )",
            telling!(),
            " SELECT greatest($1::bigint, revoke_before) FROM locked"
        );
        purge::refuse_far_ahead(self, time)?;
        let revoked = self.administer(Repeat::SameWrite, async move |session| {
            let rows = session.write(SQL, &[&bigint(time.as_secs())]).await?;
            Ok(UnixTime::from_secs(count(first(&rows)?)?))
        });
        self.announce(Subject::Everything, revoked)
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        const SQL: &str = "
            SELECT count(*), count(*) FILTER (WHERE t.uses >= t.use_limit),
                   count(*) FILTER (WHERE t.revocation IS NOT NULL
                                      OR t.created < (SELECT s.revoke_before FROM onetoken.store s)),
                   count(t.expires),
                   (SELECT count(*) FROM onetoken.claims), (SELECT count(*) FROM onetoken.generations)
            FROM onetoken.tokens t";
        self.apart(async |session| {
            let rows = session.query(SQL, &[]).await?;
            let row = rows.first().ok_or(STRANGE)?;
            // Counting does not decode the records, so it finds none damaged.
            let mut counts = Counts::default();
            counts.records = count(get(row, 0)?)?;
            counts.spent = count(get(row, 1)?)?;
            counts.revoked = count(get(row, 2)?)?;
            counts.expiring = count(get(row, 3)?)?;
            counts.claims = count(get(row, 4)?)?;
            counts.generations = count(get(row, 5)?)?;
            Ok(counts)
        })
    }

    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError> {
        purge::spent(self, now, retention, limit)
    }

    fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError> {
        const SQL: &str = "
            SELECT claim, uses_left, grant_id, spent FROM onetoken.claims
            WHERE id = $1::bytea AND claim > $2::bytea ORDER BY claim LIMIT $3::bigint";
        let after = after.map(|claim| claim.as_bytes().to_vec()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let id = id.clone();
        self.administer(Repeat::Reads, async move |session| {
            let rows = session.query(SQL, &[&id.as_bytes(), &after, &limit]).await?;
            let claim = |row| {
                let claim = ClaimId::new(get::<&[u8]>(row, 0)?);
                let claim = claim.map_err(|_| StoreError::Corrupt { what: "the id of a claim" })?;
                let (uses_left, grant) = (count(get(row, 1)?)?, grant_of(get(row, 2)?));
                Ok((claim, Held { uses_left, grant, spent: Use::from_bytes(get(row, 3)?)? }))
            };
            rows.iter().map(claim).collect()
        })
    }

    fn generations(&self, after: Option<&Cursor>, limit: usize) -> Result<Generations, StoreError> {
        const SQL: &str = "
            SELECT subject, generation FROM onetoken.generations
            WHERE subject > $1::bytea ORDER BY subject LIMIT $2::bigint";
        // A place is the key of a page's last subject.
        let after = after.map_or(Ok(&[][..]), Generations::place)?.to_vec();
        self.administer(Repeat::Reads, async move |session| {
            // One row more than the limit shows whether there is another page.
            let wanted = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
            let mut rows = session.query(SQL, &[&after, &wanted]).await?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let mut page = Generations { sound: Vec::new(), damaged: Vec::new(), next: None };
            let mut last = after.as_slice();
            for row in &rows {
                last = get(row, 0)?;
                // No call looks up a key that is not a subject's; `check` reports it.
                let Some(subject) = kit::entity_of(last) else { continue };
                match Generation::from_bytes(&subject, get(row, 1)?) {
                    Ok(generation) => page.sound.push((subject, generation)),
                    Err(StoreError::Corrupt { .. }) => page.damaged.push(subject),
                    Err(error) => return Err(error.into()),
                }
            }
            page.next = more.then(|| Generations::cursor(last));
            Ok(page)
        })
    }

    fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError> {
        let changes = changes.to_vec();
        self.administer(Repeat::OtherWrite, async move |session| reseal(session, &changes).await)
    }

    fn restore(&self, items: &[Item]) -> Result<usize, StoreError> {
        let items = items.to_vec();
        let restored =
            self.administer(Repeat::OtherWrite, async move |session| restore(session, &items).await);
        self.announce(Subject::Everything, restored)
    }

    fn check(&self, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError> {
        self.apart(async |session| {
            session.simple("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            check::check(session, keys).await
        })
    }
}

fn ids(page: &Page) -> Vec<&[u8]> {
    page.records.iter().map(|record| record.id.as_bytes()).collect()
}

/// Where a sealed key is: in a token's record or in a generation, by the row's key.
type Place = (bool, Vec<u8>);

fn place(place: &KeyPlace) -> Place {
    match place {
        KeyPlace::Token(id) => (true, id.as_bytes().to_vec()),
        // No row has the empty key.
        KeyPlace::Generation(subject) => (false, kit::entity_key(subject).unwrap_or_default()),
    }
}

async fn reseal(session: &Session, changes: &[Reseal]) -> Result<usize, Failure> {
    const READ: &str = "
        SELECT true, id, record FROM onetoken.tokens WHERE id = ANY($1::bytea[])
        UNION ALL
        SELECT false, subject, generation FROM onetoken.generations WHERE subject = ANY($1::bytea[])";
    const WRITE: &str = "
        WITH asked AS MATERIALIZED (
            SELECT * FROM unnest($1::boolean[], $2::bytea[], $3::bytea[], $4::bytea[]) AS a(of_token, key, old, new)
            WHERE {mark}
        ), locked AS MATERIALIZED (
            SELECT t.id, a.new FROM onetoken.tokens t JOIN asked a ON a.of_token AND a.key = t.id AND a.old = t.record
            ORDER BY t.id FOR NO KEY UPDATE OF t
        ), records AS (
            UPDATE onetoken.tokens t SET record = l.new, changes = t.changes + 1 FROM locked l WHERE t.id = l.id
            RETURNING t.id
        ), locked_generations AS MATERIALIZED (
            SELECT g.subject, a.new FROM onetoken.generations g
            JOIN asked a ON NOT a.of_token AND a.key = g.subject AND a.old = g.generation
            ORDER BY g.subject FOR NO KEY UPDATE OF g
        ), generations AS (
            UPDATE onetoken.generations g SET generation = l.new FROM locked_generations l WHERE g.subject = l.subject
            RETURNING g.subject
        )
        SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM generations)";
    let keys: Vec<Vec<u8>> = changes.iter().map(|change| place(&change.place).1).collect();
    let mut found: BTreeMap<Place, Vec<u8>> = BTreeMap::new();
    for row in session.query(READ, &[&keys]).await? {
        found.insert((get(&row, 0)?, get(&row, 1)?), get(&row, 2)?);
    }
    // The stored value and the new one, of each row that still holds the old key.
    let mut replaced: BTreeMap<Place, (&[u8], Vec<u8>)> = BTreeMap::new();
    for change in changes {
        let place = place(&change.place);
        let Some(old) = found.get(&place) else { continue };
        if let Some(new) = resealed(change, old)? {
            replaced.insert(place, (old, new));
        }
    }
    let columns = [
        column(replaced.keys().map(|(of_token, _)| *of_token)),
        column(replaced.keys().map(|(_, key)| &**key)),
        column(replaced.values().map(|(old, _)| *old)),
        column(replaced.values().map(|(_, new)| &**new)),
    ];
    Ok(small(first(&session.write(WRITE, &parameters(&columns)).await?)?)?)
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

// Keeps the first of several tokens with one id, with the revocation of any of them, the name of the first of several
// with one name, and the latest generation of a subject: a statement cannot change a row twice.
async fn restore(session: &Session, items: &[Item]) -> Result<usize, Failure> {
    // The other store may have acknowledged the claim, so its use stays spent: `answered_again` is true. A name that
    // another takes meanwhile violates the unique index, and the store asks again.
    const SQL: &str = concat!(
        "WITH kept AS (
            INSERT INTO onetoken.tokens (",
        new_records!(columns),
        ") SELECT id, record, resource, issuer, created, expires, use_limit, uses, last_use, revocation, reversible,
                CASE WHEN NOT EXISTS (SELECT FROM onetoken.tokens t WHERE t.issuer = a.issuer AND t.name = a.name)
                    THEN name END
            FROM ",
        new_records!(asked),
        " WHERE {mark}
            ORDER BY id
            -- Also covers a row that another host inserted after the snapshot of this statement.
            ON CONFLICT (id) DO UPDATE
                SET revocation = excluded.revocation, reversible = excluded.reversible, changes = tokens.changes + 1
                WHERE excluded.revocation IS NOT NULL
                    AND (tokens.revocation IS NULL OR (tokens.reversible AND NOT excluded.reversible))
            RETURNING id, changes
        ), claims AS (
            INSERT INTO onetoken.claims (id, claim, uses_left, grant_id, spent, answered_again)
            SELECT a.id, a.claim, a.uses_left, a.grant_id, a.spent, true
            FROM unnest($13::bytea[], $14::bytea[], $15::bigint[], $16::bigint[], $17::bytea[])
                AS a(id, claim, uses_left, grant_id, spent)
            JOIN kept k ON k.id = a.id AND k.changes = 0
        ), generations AS (
            INSERT INTO onetoken.generations (subject, number, generation)
            SELECT subject, number, generation
            FROM unnest($18::bytea[], $19::bigint[], $20::bytea[]) AS a(subject, number, generation)
            ORDER BY subject
            ON CONFLICT (subject) DO UPDATE SET number = excluded.number, generation = excluded.generation
                WHERE excluded.number > generations.number
            RETURNING subject, number
        ), told AS MATERIALIZED (
            SELECT 'revoke' AS event, id AS subject, NULL::bigint AS value FROM kept WHERE changes > 0
            UNION ALL
            SELECT 'raise generation', subject, number FROM generations
        )",
        telling!(),
        " SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM generations)"
    );
    let mut tokens: BTreeMap<&TokenId, (Record, BTreeMap<&ClaimId, &Held>)> = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut generations: BTreeMap<Vec<u8>, (i64, Vec<u8>)> = BTreeMap::new();
    for item in items {
        match item {
            Item::Token { record, claims } => match tokens.entry(&record.id) {
                Entry::Occupied(mut first) => {
                    if let Some(revocation) = &record.revocation {
                        kit::revoke(&mut first.get_mut().0, revocation);
                    }
                }
                Entry::Vacant(free) => {
                    let claims = claims.iter().map(|(claim, held)| (claim, held)).collect();
                    let is_free = |name: &String| names.insert((&record.issuer, name.clone()));
                    free.insert((
                        Record { name: record.name.clone().filter(is_free), ..record.clone() },
                        claims,
                    ));
                }
            },
            Item::Generation { subject, generation } => {
                let (number, value) = (bigint(generation.number), generation.to_bytes(subject)?);
                let latest = generations.entry(kit::entity_key(subject).unwrap_or_default()).or_default();
                if number > latest.0 {
                    *latest = (number, value);
                }
            }
        }
    }
    let claims = || {
        let all = tokens
            .iter()
            .map(|(id, (_, claims))| claims.iter().map(move |(claim, held)| (*id, *claim, *held)));
        all.flatten()
    };
    let records: Vec<NewRecord> =
        tokens.values().map(|(record, _)| NewRecord::new(record)).collect::<Result<_, _>>()?;
    let spent = claims().map(|(.., held)| held.spent.to_bytes()).collect::<Result<Vec<_>, _>>()?;
    let mut columns = NewRecord::columns(&records.iter().collect::<Vec<_>>());
    columns.push(column(claims().map(|(id, ..)| id.as_bytes())));
    columns.push(column(claims().map(|(_, claim, _)| claim.as_bytes())));
    columns.push(column(claims().map(|(.., held)| bigint(held.uses_left))));
    columns.push(column(claims().map(|(.., held)| grant_column(held.grant))));
    columns.push(column(spent.iter()));
    columns.push(column(generations.keys().map(|subject| &**subject)));
    columns.push(column(generations.values().map(|(number, _)| *number)));
    columns.push(column(generations.values().map(|(_, value)| &**value)));
    Ok(small(first(&session.write(SQL, &parameters(&columns)).await?)?)?)
}
