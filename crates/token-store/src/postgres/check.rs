//! Checks that the stored rows are consistent with each other.

use std::sync::mpsc::{SyncSender, sync_channel};

use tokio_postgres::{Row, types::ToSql};

use super::{
    PostgresStore,
    error::Failure,
    kind::{NewRecord, get},
    session::{Parameter, Session, Target},
    spawn,
};
use crate::{
    CheckReport, Fault, Generation, KeyPlace, KeyRing, Owner, Record, StoreError, TokenId, embedded::layout,
};

/// Rows read at a time.
const PAGE: usize = 1024;

/// Rows of one table, in order.
enum Rows {
    Records(Vec<Row>),
    Claims(Vec<Row>),
    Generations(Vec<Row>),
}

// Uses a connection of its own, since it is one long transaction.
pub(super) fn check(store: &PostgresStore, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError> {
    store.0.process.get()?;
    let (pages, judged) = sync_channel(1);
    let target = store.0.target.clone();
    let reader = spawn(move |runtime| runtime.block_on(read(&target, &pages)))?;
    let mut check = Check { keys, report: CheckReport::default() };
    // The root keys stay on the caller's thread.
    for page in judged {
        match page {
            Rows::Records(rows) => rows.iter().try_for_each(|row| check.record(row))?,
            Rows::Claims(rows) => rows.iter().try_for_each(|row| check.claim(row))?,
            Rows::Generations(rows) => rows.iter().try_for_each(|row| check.generation(row))?,
        }
    }
    match reader.join() {
        Ok(read) => read?.map(|()| check.report).map_err(Failure::into_error),
        Err(_) => Err(StoreError::Unknown(None)),
    }
}

async fn read(target: &Target, pages: &SyncSender<Rows>) -> Result<(), Failure> {
    let session = Session::open(target, None).await?;
    session.simple("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let read = walk(&session, pages).await;
    session.close().await;
    read.map_err(Failure::of_reading)
}

async fn walk(session: &Session, pages: &SyncSender<Rows>) -> Result<(), Failure> {
    const RECORDS: &str = "
        SELECT t.id, ''::bytea, t.record, t.resource, t.issuer, t.created, t.expires, t.use_limit, t.uses, t.revoked,
               t.spent_seen IS NOT NULL, (SELECT count(*) FROM onetoken.claims c WHERE c.id = t.id)
        FROM onetoken.tokens t WHERE (t.id, ''::bytea) > ($2::bytea, $3::bytea) ORDER BY t.id LIMIT $1::bigint";
    const CLAIMS: &str = "
        SELECT c.id, c.claim, c.uses_left, t.id IS NOT NULL, t.use_limit
        FROM onetoken.claims c LEFT JOIN onetoken.tokens t ON t.id = c.id
        WHERE (c.id, c.claim) > ($2::bytea, $3::bytea) ORDER BY c.id, c.claim LIMIT $1::bigint";
    const GENERATIONS: &str = "
        SELECT g.subject, ''::bytea, g.number, g.generation FROM onetoken.generations g
        WHERE (g.subject, ''::bytea) > ($2::bytea, $3::bytea) ORDER BY g.subject LIMIT $1::bigint";
    type Table = (&'static str, fn(Vec<Row>) -> Rows);
    let tables: [Table; 3] =
        [(RECORDS, Rows::Records), (CLAIMS, Rows::Claims), (GENERATIONS, Rows::Generations)];
    for (sql, page) in tables {
        let mut after: (Vec<u8>, Vec<u8>) = Default::default();
        loop {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let parameters: [&(dyn ToSql + Sync); 3] = [&limit, &after.0, &after.1];
            let parameters: &[Parameter<'_>] = &parameters;
            let rows = session.query(sql, parameters).await?;
            let Some(last) = rows.last() else { break };
            after = (get(last, 0)?, get(last, 1)?);
            let whole = rows.len() == PAGE;
            // The receiver stopped after an error.
            if pages.send(page(rows)).is_err() {
                return Ok(());
            }
            if !whole {
                break;
            }
        }
    }
    Ok(())
}

struct Check<'a> {
    keys: Option<&'a KeyRing>,
    report: CheckReport,
}

impl Check<'_> {
    fn record(&mut self, row: &Row) -> Result<(), StoreError> {
        add(&mut self.report.records);
        let Ok(id) = TokenId::new(get::<&[u8]>(row, 0)?) else {
            self.report.find(Fault::UnknownKey, None);
            return Ok(());
        };
        let Ok(record) = Record::from_bytes(id.clone(), get(row, 2)?) else {
            self.report.find(Fault::DamagedRecord, Some(&id));
            return Ok(());
        };
        let columns = NewRecord::new(&record)?;
        let (expires, use_limit): (Option<i64>, Option<i64>) = (get(row, 6)?, get(row, 7)?);
        let (uses, revoked, spent, claims): (i64, bool, bool, i64) =
            (get(row, 8)?, get(row, 9)?, get(row, 10)?, get(row, 11)?);
        for (present, same) in [
            (columns.resource.is_some(), columns.resource.as_deref() == get(row, 3)?),
            (true, columns.issuer == get::<&[u8]>(row, 4)?),
            (columns.expires.is_some(), columns.expires == expires),
        ] {
            self.report.entries = self.report.entries.saturating_add(u64::from(present));
            if !same {
                self.report.find(Fault::MissingEntry, Some(&id));
            }
        }
        // The columns that SQL decides by disagree with the record: the server would void or spend it by the wrong
        // values.
        if columns.created != get::<i64>(row, 5)?
            || columns.use_limit != use_limit
            || (record.revoked && !revoked)
        {
            self.report.find(Fault::DamagedRecord, Some(&id));
        }
        let is_spent = use_limit.is_some_and(|limit| uses >= limit);
        self.report.entries = self.report.entries.saturating_add(u64::from(spent));
        match (is_spent, spent) {
            (true, false) => self.report.find(Fault::MissingEntry, Some(&id)),
            (false, true) => self.report.find(Fault::StrayEntry, Some(&id)),
            _ => {}
        }
        if uses < 0 || claims > uses || use_limit.is_some_and(|limit| uses > limit) {
            self.report.find(Fault::WrongUses, Some(&id));
        }
        self.report.opens(self.keys, &record.root_key, record.owner());
        Ok(())
    }

    fn claim(&mut self, row: &Row) -> Result<(), StoreError> {
        add(&mut self.report.claims);
        let id = TokenId::new(get::<&[u8]>(row, 0)?).ok();
        let (uses_left, present, limit): (i64, bool, Option<i64>) =
            (get(row, 2)?, get(row, 3)?, get(row, 4)?);
        let fault = match limit {
            _ if uses_left < 0 => Fault::DamagedClaim,
            Some(limit) if uses_left >= limit => Fault::WrongClaim,
            Some(_) if present => return Ok(()),
            _ => Fault::StrayClaim,
        };
        self.report.find(fault, id.as_ref());
        Ok(())
    }

    fn generation(&mut self, row: &Row) -> Result<(), StoreError> {
        add(&mut self.report.generations);
        let Some(subject) = layout::subject_of(get(row, 0)?) else {
            self.report.find(Fault::UnknownKey, None);
            return Ok(());
        };
        match Generation::from_bytes(&subject, get(row, 3)?) {
            Ok(generation) if super::bigint(generation.number) == get::<i64>(row, 2)? => {
                let owner = Owner::Generation { subject: &subject, number: generation.number };
                self.report.opens(self.keys, &generation.root_key, owner);
            }
            _ => {
                let place = Some(KeyPlace::Generation(subject));
                self.report.find_at(Fault::DamagedGeneration, place);
            }
        }
        Ok(())
    }
}

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
