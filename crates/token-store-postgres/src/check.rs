//! Checks that the stored rows are consistent with each other.

use std::num::NonZeroU64;

use token_store::{CheckReport, Fault, KeyRing, Record, StoreError, TokenId, kit};
use tokio_postgres::Row;

use crate::{
    error::Failure,
    kind::{NewRecord, bigint, get},
    session::Session,
};

/// Rows read at a time.
const PAGE: usize = 1024;

const RECORDS: &str = "
    SELECT t.id, ''::bytea, t.record, t.resource, t.issuer, t.created, t.expires, t.use_limit, t.uses, t.revoked,
           (SELECT count(*) FROM onetoken.claims c WHERE c.id = t.id)
    FROM onetoken.tokens t WHERE (t.id, ''::bytea) > ($2::bytea, $3::bytea) ORDER BY t.id LIMIT $1::bigint";
const CLAIMS: &str = "
    SELECT c.id, c.claim, c.uses_left, t.use_limit
    FROM onetoken.claims c LEFT JOIN onetoken.tokens t ON t.id = c.id
    WHERE (c.id, c.claim) > ($2::bytea, $3::bytea) ORDER BY c.id, c.claim LIMIT $1::bigint";
const GENERATIONS: &str = "
    SELECT g.subject, ''::bytea, g.number, g.generation FROM onetoken.generations g
    WHERE (g.subject, ''::bytea) > ($2::bytea, $3::bytea) ORDER BY g.subject LIMIT $1::bigint";

/// Checks all tables within the transaction of the session, which is one snapshot. A fault is no error, but part of the
/// report.
pub(crate) async fn check(session: &Session, keys: Option<&KeyRing>) -> Result<CheckReport, Failure> {
    let mut check = Check { keys, report: CheckReport::default() };
    check.walk(session, RECORDS, Check::record).await?;
    check.walk(session, CLAIMS, Check::claim).await?;
    check.walk(session, GENERATIONS, Check::generation).await?;
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
        let (uses, revoked, claims): (i64, bool, i64) = (get(row, 8)?, get(row, 9)?, get(row, 10)?);
        for (present, same) in [
            (columns.resource.is_some(), columns.resource.as_deref() == get(row, 3)?),
            (true, columns.issuer.as_deref() == get(row, 4)?),
            (columns.expires.is_some(), columns.expires == expires),
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
            || (record.revoked && !revoked)
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
        match (&id, u64::try_from(uses_left)) {
            (Ok(id), Ok(uses_left)) => self.report.claim(id, uses_left, use_limit),
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
