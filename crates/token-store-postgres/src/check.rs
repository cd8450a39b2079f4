//! Checks that the stored rows are consistent with each other.

use std::num::NonZeroU64;

use token_store::{CheckReport, Fault, KeyRing, Record, Revocation, StoreError, TokenId, Use, kit};
use tokio_postgres::Row;

use crate::{
    error::Failure,
    kind::{NewRecord, bigint, first, get},
    session::Session,
};

/// Rows read at a time.
const PAGE: usize = 1024;

const RECORDS: &str = "
    SELECT t.id, ''::bytea, t.record, t.resource, t.issuer, t.created, t.expires, t.use_limit, t.uses, t.reversible,
           (SELECT count(*) FROM onetoken.claims c WHERE c.id = t.id), t.revocation, t.name
    FROM onetoken.tokens t WHERE (t.id, ''::bytea) > ($2::bytea, $3::bytea) ORDER BY t.id LIMIT $1::bigint";
const CLAIMS: &str = "
    SELECT c.id, c.claim, c.uses_left, t.use_limit, c.spent
    FROM onetoken.claims c LEFT JOIN onetoken.tokens t ON t.id = c.id
    WHERE (c.id, c.claim) > ($2::bytea, $3::bytea) ORDER BY c.id, c.claim LIMIT $1::bigint";
const GENERATIONS: &str = "
    SELECT g.subject, ''::bytea, g.number, g.generation FROM onetoken.generations g
    WHERE (g.subject, ''::bytea) > ($2::bytea, $3::bytea) ORDER BY g.subject LIMIT $1::bigint";
// 1 if the next event has a number of its own.
const NEXT_EVENT: &str = "
    SELECT count(*) FROM onetoken.next_event
    WHERE number > coalesce((SELECT max(number) FROM onetoken.events), -1)";

/// Checks all tables within the transaction of the session, which is one snapshot. A fault is no error, but part of the
/// report.
pub(crate) async fn check(session: &Session, keys: Option<&KeyRing>) -> Result<CheckReport, Failure> {
    let mut check = Check { keys, report: CheckReport::default() };
    check.walk(session, RECORDS, Check::record).await?;
    check.walk(session, CLAIMS, Check::claim).await?;
    check.walk(session, GENERATIONS, Check::generation).await?;
    if first::<i64>(&session.query(NEXT_EVENT, &[]).await?)? != 1 {
        check.report.find(Fault::DamagedMeta, None);
    }
    Ok(check.report)
}

struct Check<'a> {
    keys: Option<&'a KeyRing>,
    report: CheckReport,
}

impl Check<'_> {
    async fn walk(
        &mut self,
        session: &Session,
        sql: &'static str,
        row: fn(&mut Self, &Row) -> Result<(), StoreError>,
    ) -> Result<(), Failure> {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let (mut first, mut second) = (Vec::<u8>::new(), Vec::<u8>::new());
        loop {
            let rows = session.query(sql, &[&limit, &first, &second]).await?;
            rows.iter().try_for_each(|found| row(self, found))?;
            match rows.last() {
                Some(last) if rows.len() == PAGE => (first, second) = (get(last, 0)?, get(last, 1)?),
                _ => return Ok(()),
            }
        }
    }

    fn record(&mut self, row: &Row) -> Result<(), StoreError> {
        let Ok(id) = TokenId::new(get::<&[u8]>(row, 0)?) else {
            self.report.find(Fault::UnknownKey, None);
            return Ok(());
        };
        let Some(record) = self.report.record(&id, get(row, 2)?, self.keys) else { return Ok(()) };
        let columns = NewRecord::new(&record)?;
        let (expires, use_limit): (Option<i64>, Option<i64>) = (get(row, 6)?, get(row, 7)?);
        let (uses, claims): (i64, i64) = (get(row, 8)?, get(row, 10)?);
        let (revocation, name): (Option<&[u8]>, Option<&[u8]>) = (get(row, 11)?, get(row, 12)?);
        for (present, same) in [
            (columns.resource.is_some(), columns.resource.as_deref() == get(row, 3)?),
            (true, columns.issuer.as_deref() == get(row, 4)?),
            (columns.expires.is_some(), columns.expires == expires),
            (name.is_some(), name.is_none_or(|name| str::from_utf8(name).is_ok())),
        ] {
            self.report.entries = self.report.entries.saturating_add(u64::from(present));
            if !same {
                self.report.find(Fault::MissingEntry, Some(&id));
            }
        }
        // The columns that SQL decides by disagree with the record: the server would revoke or spend it by the wrong
        // values.
        if columns.created != get::<i64>(row, 5)?
            || columns.use_limit != use_limit
            || !is_revoked_as(&record, revocation, get(row, 9)?)
        {
            self.report.find(Fault::DamagedRecord, Some(&id));
        }
        let is_spent = use_limit.is_some_and(|limit| uses >= limit);
        self.report.entries = self.report.entries.saturating_add(u64::from(is_spent));
        match (u64::try_from(uses), u64::try_from(claims)) {
            (Ok(uses), Ok(claims)) => self.report.uses(&Record { uses, ..record }, claims),
            _ => self.report.find(Fault::WrongUses, Some(&id)),
        }
        Ok(())
    }

    fn claim(&mut self, row: &Row) -> Result<(), StoreError> {
        let id = TokenId::new(get::<&[u8]>(row, 0)?);
        let (uses_left, use_limit): (i64, Option<i64>) = (get(row, 2)?, get(row, 3)?);
        let use_limit = use_limit.and_then(|limit| NonZeroU64::new(u64::try_from(limit).ok()?));
        match (&id, u64::try_from(uses_left), Use::from_bytes(get(row, 4)?)) {
            (Ok(id), Ok(uses_left), Ok(_)) => self.report.claim(id, uses_left, use_limit),
            _ => self.report.find(Fault::DamagedClaim, id.as_ref().ok()),
        }
        Ok(())
    }

    fn generation(&mut self, row: &Row) -> Result<(), StoreError> {
        let Some(subject) = kit::entity_of(get(row, 0)?) else {
            self.report.find(Fault::UnknownKey, None);
            return Ok(());
        };
        let generation = self.report.generation(&subject, get(row, 3)?, self.keys);
        if generation.is_some_and(|generation| get(row, 2).ok() != Some(bigint(generation.number))) {
            self.report.find(Fault::DamagedGeneration, None);
        }
        Ok(())
    }
}

// Whether the columns of a revocation agree. A record that was revoked for good when it was inserted stays so.
fn is_revoked_as(record: &Record, revocation: Option<&[u8]>, reversible: Option<bool>) -> bool {
    let is_for_good = record.revocation.as_ref().is_some_and(|revocation| !revocation.reversible);
    let decoded = revocation.map(Revocation::from_bytes).transpose();
    decoded.is_ok_and(|revocation| revocation.map(|revocation| revocation.reversible) == reversible)
        && (!is_for_good || reversible == Some(false))
}
