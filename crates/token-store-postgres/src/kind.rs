//! The kinds of calls. Most share a statement with calls of many callers: it takes arrays, with one row for each.

use std::{any::Any, collections::HashMap};

use futures_util::future::LocalBoxFuture;
use token_core::UnixTime;
use token_store::{Insert, Record, Revocation, StoreError, TokenId, kit};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    error::Failure,
    session::{Parameter, Session},
};

/// A kind of call.
pub(crate) trait Kind: Sized + 'static {
    /// The question of one caller.
    type Ask: Send;
    /// The answer to one caller.
    type Answer: Send;

    /// The subject of a row, if a statement may hold only one row about it.
    fn subject(_: &Self::Ask) -> Option<Subject> {
        None
    }

    /// Whether the call may be repeated.
    fn repeat(_: &Self::Ask) -> Repeat {
        Repeat::Reads
    }

    /// Asks the server for all answers at once. The answer is `None` for a row that changed meanwhile, to which nothing
    /// was done, and for a locked row if `skip_locked`, which is for use after a lock timeout or a deadlock.
    async fn ask(session: &Session, asks: &[&Self::Ask], skip_locked: bool) -> Answers<Self>;
}

/// The answers of [`Kind::ask`], in the order of the asks.
pub(crate) type Answers<K> = Result<Vec<Option<<K as Kind>::Answer>>, Failure>;

/// A token, and a claim on it or nothing.
pub(crate) type Subject = (Vec<u8>, Vec<u8>);

/// Whether a call may be repeated if its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Only reads; a retry is always safe.
    Reads,
    /// Idempotent write. Reports [`StoreError::Unknown`] if every attempt fails.
    SameWrite,
    /// Not idempotent: a retry could report a different outcome.
    OtherWrite,
}

/// Inserts new records.
pub(crate) struct Inserts;

/// A record as a row of the table.
#[derive(Clone)]
pub(crate) struct NewRecord {
    pub(crate) id: Vec<u8>,
    pub(crate) record: Vec<u8>,
    pub(crate) resource: Option<Vec<u8>>,
    pub(crate) issuer: Option<Vec<u8>>,
    pub(crate) created: i64,
    pub(crate) expires: Option<i64>,
    pub(crate) use_limit: Option<i64>,
    pub(crate) uses: i64,
    pub(crate) last_use: Option<i64>,
    pub(crate) revocation: Option<Vec<u8>>,
    pub(crate) reversible: Option<bool>,
    pub(crate) name: Option<Vec<u8>>,
}

/// The columns of [`NewRecord`], and the parameters that hold them.
macro_rules! new_records {
    (columns) => {
        "id, record, resource, issuer, created, expires, use_limit, uses, last_use, revocation, reversible, name"
    };
    (asked) => {
        concat!(
            "unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], ",
            "$8::bigint[], $9::bigint[], $10::bytea[], $11::boolean[], $12::bytea[]) AS a(",
            new_records!(columns),
            ")"
        )
    };
}
pub(crate) use new_records;

impl NewRecord {
    /// Builds the row. Fails for records that every store refuses.
    pub(crate) fn new(record: &Record) -> Result<Self, StoreError> {
        Ok(Self {
            id: record.id.as_bytes().to_vec(),
            record: record.to_bytes()?,
            resource: record.resource.as_ref().and_then(kit::entity_key),
            issuer: kit::entity_key(&record.issuer),
            created: bigint(record.created.as_secs()),
            expires: record.expires.map(|time| bigint(time.as_secs())),
            use_limit: record.use_limit.map(|limit| bigint(limit.get())),
            uses: bigint(record.uses),
            last_use: record.last_use.map(|time| bigint(time.as_secs())),
            revocation: record.revocation.as_ref().map(Revocation::to_bytes).transpose()?,
            reversible: record.revocation.as_ref().map(|revocation| revocation.reversible),
            name: record.name.as_ref().map(|name| name.clone().into_bytes()),
        })
    }

    /// The columns of the rows, as [`new_records`] names them.
    pub(crate) fn columns<'a>(rows: &[&'a Self]) -> Vec<Column<'a>> {
        vec![
            column(rows.iter().map(|row| &*row.id)),
            column(rows.iter().map(|row| &*row.record)),
            column(rows.iter().map(|row| row.resource.as_deref())),
            column(rows.iter().map(|row| row.issuer.as_deref())),
            column(rows.iter().map(|row| row.created)),
            column(rows.iter().map(|row| row.expires)),
            column(rows.iter().map(|row| row.use_limit)),
            column(rows.iter().map(|row| row.uses)),
            column(rows.iter().map(|row| row.last_use)),
            column(rows.iter().map(|row| row.revocation.as_deref())),
            column(rows.iter().map(|row| row.reversible)),
            column(rows.iter().map(|row| row.name.as_deref())),
        ]
    }
}

impl Kind for Inserts {
    type Ask = NewRecord;
    type Answer = Insert;

    fn subject(ask: &NewRecord) -> Option<Subject> {
        Some((ask.id.clone(), Vec::new()))
    }

    fn repeat(_: &NewRecord) -> Repeat {
        Repeat::OtherWrite
    }

    async fn ask(session: &Session, asks: &[&NewRecord], _: bool) -> Answers<Self> {
        // Inserts in the order of the names and the ids, so that two hosts with the same ones cannot deadlock.
        const SQL: &str = concat!(
            "INSERT INTO onetoken.tokens (",
            new_records!(columns),
            ") SELECT * FROM ",
            new_records!(asked),
            " WHERE {mark} ORDER BY name, issuer, id ON CONFLICT DO NOTHING RETURNING id"
        );
        // A statement of its own, which also sees what others committed while the insert waited for them.
        const WHY: &str = "
            SELECT a.id, EXISTS (SELECT FROM onetoken.tokens t WHERE t.id = a.id),
                   EXISTS (SELECT FROM onetoken.tokens t WHERE t.issuer = a.issuer AND t.name = a.name)
            FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS a(id, issuer, name)
            WHERE {mark}";
        let mut found: HashMap<Vec<u8>, Insert> = HashMap::new();
        for row in session.write(SQL, &parameters(&NewRecord::columns(asks))).await? {
            found.insert(get(&row, 0)?, Insert::Inserted);
        }
        let left: Vec<_> = asks.iter().filter(|ask| !found.contains_key(&ask.id)).collect();
        if !left.is_empty() {
            let columns = [
                column(left.iter().map(|ask| &*ask.id)),
                column(left.iter().map(|ask| ask.issuer.as_deref())),
                column(left.iter().map(|ask| ask.name.as_deref())),
            ];
            // After a failure the store asks again about these, and not about those that it has inserted.
            for row in session.write(WHY, &parameters(&columns)).await.unwrap_or_default() {
                match (get(&row, 1)?, get(&row, 2)?) {
                    (true, _) => drop(found.insert(get(&row, 0)?, Insert::Exists)),
                    (false, true) => drop(found.insert(get(&row, 0)?, Insert::NameTaken)),
                    // Another removed it since.
                    (false, false) => {}
                }
            }
        }
        Ok(asks.iter().map(|ask| found.get(&ask.id).copied()).collect())
    }
}

/// The columns of [`Stored`] in the table `t` of tokens.
macro_rules! stored {
    () => {
        "t.record, t.uses, t.last_use, t.revocation, t.name, t.metadata, \
         (SELECT s.revoke_before FROM onetoken.store s)"
    };
}
pub(crate) use stored;

/// Reads records.
pub(crate) struct Gets;

impl Kind for Gets {
    type Ask = TokenId;
    type Answer = Option<Stored>;

    async fn ask(session: &Session, asks: &[&TokenId], _: bool) -> Answers<Self> {
        const SQL: &str = concat!(
            "SELECT a.n, ",
            stored!(),
            " FROM unnest($1::bytea[]) WITH ORDINALITY AS a(id, n) JOIN onetoken.tokens t ON t.id = a.id"
        );
        let ids: Vec<&[u8]> = asks.iter().map(|id| id.as_bytes()).collect();
        found(asks.len(), &session.query(SQL, &[&ids]).await?, |row| Stored::read(row, 1))
    }
}

/// A record as the table has it.
pub(crate) struct Stored {
    record: Vec<u8>,
    uses: u64,
    last_use: Option<UnixTime>,
    revocation: Option<Vec<u8>>,
    name: Option<Vec<u8>>,
    metadata: Option<Vec<u8>>,
    revoke_before: UnixTime,
}

impl Stored {
    /// Reads the columns of [`stored`] from index `at`. [`STRANGE`] if they are others, `Corrupt` for a negative
    /// number.
    pub(crate) fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        let at = |column| at.saturating_add(column);
        let time = |number| Ok(UnixTime::from_secs(count(number)?));
        Ok(Self {
            record: get(row, at(0))?,
            uses: count(get(row, at(1))?)?,
            last_use: get::<Option<i64>>(row, at(2))?.map(time).transpose()?,
            revocation: get(row, at(3))?,
            name: get(row, at(4))?,
            metadata: get(row, at(5))?,
            revoke_before: time(get(row, at(6))?)?,
        })
    }

    /// Decodes the record, and takes over the columns that change. Fails as [`Record::from_bytes`] does.
    pub(crate) fn record(self, id: TokenId) -> Result<Record, StoreError> {
        let record = Record::from_bytes(id, &self.record)?;
        let name = self.name.map(String::from_utf8).transpose();
        let record = Record {
            // The column saturates at `i64::MAX`; the record has the exact count.
            uses: if self.uses == i64::MAX.unsigned_abs() { self.uses.max(record.uses) } else { self.uses },
            last_use: self.last_use,
            revocation: self.revocation.map(|bytes| Revocation::from_bytes(&bytes)).transpose()?,
            name: name.map_err(|_| StoreError::Corrupt { what: "a name" })?,
            metadata: self.metadata.unwrap_or(record.metadata),
            ..record
        };
        Ok(kit::revoked_before(record, self.revoke_before))
    }
}

/// Reads generations.
pub(crate) struct Generations;

impl Kind for Generations {
    // The key of the subject.
    type Ask = Vec<u8>;
    type Answer = Option<Vec<u8>>;

    async fn ask(session: &Session, asks: &[&Vec<u8>], _: bool) -> Answers<Self> {
        const SQL: &str = "
            SELECT a.n, g.generation
            FROM unnest($1::bytea[]) WITH ORDINALITY AS a(subject, n)
            JOIN onetoken.generations g ON g.subject = a.subject";
        found(asks.len(), &session.query(SQL, &[&asks]).await?, |row| get(row, 1))
    }
}

/// Calls that share no statement, each with whether it may be repeated.
pub(crate) struct Others;

/// What a call does on a connection. Each attempt calls it again.
pub(crate) type Task =
    Box<dyn for<'s> Fn(&'s Session) -> LocalBoxFuture<'s, Result<Box<dyn Any + Send>, Failure>> + Send>;

impl Kind for Others {
    type Ask = (Task, Repeat);
    type Answer = Box<dyn Any + Send>;

    fn repeat((_, repeat): &Self::Ask) -> Repeat {
        *repeat
    }

    // The lane asks one at a time: each may take long.
    async fn ask(session: &Session, asks: &[&Self::Ask], _: bool) -> Answers<Self> {
        let [(run, _)] = asks else { return Err(STRANGE.into()) };
        Ok(vec![Some(run(session).await?)])
    }
}

// The answers of a call that reads one row for each caller.
fn found<T>(
    count: usize,
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<Option<Option<T>>>, Failure> {
    let mut answers: Vec<_> = (0..count).map(|_| Some(None)).collect();
    for row in rows {
        *numbered(&mut answers, row)? = Some(Some(read(row)?));
    }
    Ok(answers)
}

/// A column of a table as an array parameter.
pub(crate) type Column<'a> = Box<dyn ToSql + Sync + 'a>;

/// Makes a column of the values of all rows.
pub(crate) fn column<'a, T: ToSql + Sync + 'a>(values: impl Iterator<Item = T>) -> Column<'a> {
    Box::new(values.collect::<Vec<T>>())
}

/// Columns as the parameters of a statement.
pub(crate) fn parameters<'a>(columns: &'a [Column<'_>]) -> Vec<Parameter<'a>> {
    columns.iter().map(|column| &**column as Parameter<'a>).collect()
}

/// Returns the place of the answer to a row, whose first column numbers the ask from 1. [`STRANGE`] for a number that
/// no ask has.
pub(crate) fn numbered<'a, A>(answers: &'a mut [A], row: &Row) -> Result<&'a mut A, StoreError> {
    let number: i64 = get(row, 0)?;
    let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| answers.get_mut(at)).ok_or(STRANGE)
}

/// Reads a column of a row, counted from 0. [`STRANGE`] if there is none, or it has another type.
pub(crate) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    at: usize,
) -> Result<T, StoreError> {
    row.try_get(at).map_err(|_| STRANGE)
}

/// Reads the first column of the first row. [`STRANGE`] if there is none, or it has another type.
pub(crate) fn first<'a, T: tokio_postgres::types::FromSql<'a>>(rows: &'a [Row]) -> Result<T, StoreError> {
    get(rows.first().ok_or(STRANGE)?, 0)
}

/// The server's answer does not fit the statement.
pub(crate) const STRANGE: StoreError = StoreError::Corrupt { what: "the server answers something else" };

/// A time or a count as a column holds it. Larger values (times beyond the year 292 277 026 596) saturate; the record
/// has the exact value.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of rows that a limit bounds. [`STRANGE`] if it is negative.
pub(crate) fn small(number: i64) -> Result<usize, StoreError> {
    usize::try_from(number).map_err(|_| STRANGE)
}

/// A count from a column. [`StoreError::Corrupt`] if it is negative.
pub(crate) fn count(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt { what: "a count is negative" })
}
