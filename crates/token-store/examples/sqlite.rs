//! A whole store over SQLite, as a template for a store of your own. It passes the conformance suite (see the end).
//!
//! - Each call is one transaction that excludes other writers. So it is atomic (G1), and nothing changes between what
//!   it reads and what it writes (G2). Several processes may open the store.
//! - SQLite syncs its log before it acknowledges a commit (G3). After a failed commit, open the store again.
//! - The encoded record holds all that a call may change; the other columns only find records (see `sqlite.sql`).

use std::{io, path::Path, sync::Arc, sync::Mutex, sync::PoisonError, time::Duration};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params, Row, TransactionBehavior, params};
use token_core::UnixTime;
use token_store::{
    Amend, Amendment, ClaimId, Cursor, Delete, Entity, Filter, Generation, GrantId, Held, Insert, Page,
    Raise, Record, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId, TokenStore, Use, kit,
};

const TABLES: &str = include_str!("sqlite.sql");
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON";

type Outcome<T> = Result<T, StoreError>;
type Read<T> = rusqlite::Result<T>;

/// A store in one file. It has no connection after a commit of unknown outcome.
#[derive(Clone, Debug)]
struct SqliteStore(Arc<kit::Owned<Mutex<Option<Connection>>>>);

impl SqliteStore {
    /// Creates a store in a new file.
    fn create(path: &Path) -> Outcome<Self> {
        if path.exists() {
            return Err(StoreError::Exists { path: path.into() });
        }
        // Of two processes at once, the second finds the tables of the first and fails.
        Connection::open(path).and_then(|new| new.execute_batch(TABLES)).map_err(failed)?;
        Self::open(path)
    }

    /// Opens a store. Never creates one: an empty store at a mistyped path would reject every token.
    fn open(path: &Path) -> Outcome<Self> {
        if !path.exists() {
            return Err(StoreError::NotFound { path: path.into() });
        }
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        match connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)? {
            1 => connection.execute_batch(SETTINGS).map_err(failed)?,
            0 => return Err(StoreError::NotAStore { path: path.into(), found: "a file without tables" }),
            found => return Err(StoreError::NewerVersion { found, known: 1 }),
        }
        Ok(Self(Arc::new(kit::Owned::new(Mutex::new(Some(connection))))))
    }

    /// Runs a call as one transaction, which writes nothing if the call fails.
    fn run<T>(&self, call: impl FnOnce(&Db<'_>) -> Outcome<T>) -> Outcome<T> {
        let mut open = self.0.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = open.as_mut().ok_or(StoreError::Poisoned)?;
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let answer = call(&Db(&begun))?;
        begun.commit().map(|()| answer).map_err(|error| {
            *open = None;
            StoreError::Unknown(Some(Arc::new(io::Error::other(error))))
        })
    }
}

/// The tables, within one transaction.
struct Db<'a>(&'a Connection);

impl Db<'_> {
    fn one<T>(&self, sql: &str, with: impl Params, row: impl Fn(&Row<'_>) -> Read<T>) -> Outcome<Option<T>> {
        self.0.query_row(sql, with, row).optional().map_err(failed)
    }

    fn write(&self, sql: &str, with: impl Params) -> Outcome<usize> {
        self.0.execute(sql, with).map_err(failed)
    }

    fn record(&self, id: &TokenId) -> Outcome<Option<Record>> {
        let found = self.one("SELECT record FROM tokens WHERE id = ?1", [id.as_bytes()], |row| row.get(0))?;
        found.map(|record: Vec<u8>| Record::from_bytes(id.clone(), &record)).transpose()
    }

    /// Changes nothing if another record has the name.
    fn update(&self, record: &Record) -> Outcome<usize> {
        let row = params![record.id.as_bytes(), record.to_bytes()?, named(record)];
        self.write("UPDATE OR IGNORE tokens SET record = ?2, named = ?3 WHERE id = ?1", row)
    }

    fn delete(&self, id: &TokenId) -> Outcome<usize> {
        self.write("DELETE FROM tokens WHERE id = ?1", [id.as_bytes()])
    }

    /// Returns the use that a claim holds. The caller may act on it, so that it can no longer be refunded.
    fn answer_again(&self, id: &TokenId, claim: &ClaimId) -> Outcome<Option<Held>> {
        let sql =
            "UPDATE claims SET again = true WHERE id = ?1 AND claim = ?2 RETURNING uses_left, granted, spent";
        let found = self.one(sql, [id.as_bytes(), claim.as_bytes()], |row| row.try_into())?;
        let held = |(left, grant, spent): (_, _, Vec<u8>)| {
            let (uses_left, grant) = (u64::from_be_bytes(left), GrantId::from_bytes(grant));
            Use::from_bytes(&spent).map(|spent| Held { uses_left, grant, spent })
        };
        found.map(held).transpose()
    }

    fn generation(&self, subject: &Entity) -> Outcome<Option<Vec<u8>>> {
        // A forged token may name a subject of any length, which has no key: nothing equals NULL.
        let key = [kit::entity_key(subject)];
        self.one("SELECT generation FROM generations WHERE subject = ?1", key, |row| row.get(0))
    }

    fn page(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Outcome<Page> {
        // The column that orders the listing is the place of a cursor, too.
        let (by, which, key) = match filter {
            Filter::All => ("id", "?1 IS NULL", None),
            Filter::Resource(of) => ("id", "resource = ?1", kit::entity_key(of)),
            Filter::Issuer(of) => ("id", "issuer = ?1", kit::entity_key(of)),
            Filter::Name(of, name) => ("id", "named = ?1", name_key(of, name)),
            Filter::ExpiresBefore(time) => ("due", "due <= ?1", Some(due(*time, &[0xff; TokenId::MAX_LEN]))),
        };
        let mut last = after.map_or(Ok(&[][..]), |cursor| filter.place(cursor))?.to_vec();
        let sql = format!("SELECT {by}, id, record FROM tokens WHERE {which} AND {by} > ?2 ORDER BY {by}");
        let mut statement = self.0.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query(params![key, last]).map_err(failed)?;
        let mut page = Page::default();
        while let Some(row) = rows.next().map_err(failed)? {
            if page.records.len().saturating_add(page.damaged.len()) == limit {
                return Ok(Page { next: Some(filter.cursor(&last)), ..page });
            }
            let (place, id, record): (_, Vec<u8>, Vec<u8>) = row.try_into().map_err(failed)?;
            let id = TokenId::new(id).map_err(|_| StoreError::Corrupt { what: "the id of a record" })?;
            page.add(id.clone(), Record::from_bytes(id, &record))?;
            last = place;
        }
        Ok(page)
    }
}

impl TokenStore for SqliteStore {
    fn insert(&self, record: &Record) -> Outcome<Insert> {
        let (id, created) = (record.id.as_bytes(), record.created.as_secs().to_be_bytes());
        let (resource, issuer) = (record.resource.as_ref(), kit::entity_key(&record.issuer));
        let (resource, due) = (resource.and_then(kit::entity_key), record.expires.map(|time| due(time, id)));
        let row = params![id, record.to_bytes()?, resource, issuer, named(record), created, due];
        let sql = "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        self.run(|db| match db.write(sql, row)? {
            0 => match db.one("SELECT 1 FROM tokens WHERE id = ?1", [id], |_| Ok(()))? {
                Some(()) => Ok(Insert::Exists),
                None => Ok(Insert::NameTaken),
            },
            _ => Ok(Insert::Inserted),
        })
    }

    fn get(&self, id: &TokenId) -> Outcome<Option<Record>> {
        self.run(|db| db.record(id))
    }

    fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Outcome<Spend> {
        let (grant, by_whom) = (GrantId::draw()?, by.to_bytes()?);
        self.run(|db| {
            let Some(mut record) = db.record(id)? else { return Ok(Spend::Absent) };
            if let Some(Held { uses_left, grant, .. }) = db.answer_again(id, claim)? {
                return Ok(Spend::Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true });
            }
            let spent = kit::spend(&mut record, grant, by.at);
            let Spend::Spent { uses_left, .. } = spent else { return Ok(spent) };
            if let Some(left) = uses_left {
                let claim =
                    params![id.as_bytes(), claim.as_bytes(), left.to_be_bytes(), grant.to_bytes(), by_whom];
                db.write("INSERT INTO claims VALUES (?1, ?2, ?3, ?4, ?5, false)", claim)?;
            }
            db.update(&record).map(|_| spent)
        })
    }

    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Outcome<Option<Held>> {
        self.run(|db| db.answer_again(id, claim))
    }

    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Outcome<Refund> {
        self.run(|db| {
            let Some(mut record) = db.record(id)? else { return Ok(Refund::Absent) };
            let claim = params![id.as_bytes(), claim.as_bytes(), grant.to_bytes()];
            let of = "FROM claims WHERE id = ?1 AND claim = ?2 AND granted = ?3";
            match db.one(&format!("SELECT again {of}"), claim, |row| row.get(0))? {
                None => return Ok(Refund::NotClaimed),
                Some(true) => return Ok(Refund::Kept),
                Some(false) => db.write(&format!("DELETE {of}"), claim)?,
            };
            record.uses = record.uses.saturating_sub(1);
            db.update(&record).map(|_| Refund::Refunded)
        })
    }

    fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Outcome<Revoke> {
        self.run(|db| {
            let Some(mut record) = db.record(id)? else { return Ok(Revoke::Absent) };
            kit::revoke(&mut record, revocation);
            db.update(&record).map(|_| Revoke::Revoked)
        })
    }

    fn reinstate(&self, id: &TokenId) -> Outcome<Reinstate> {
        self.run(|db| {
            let Some(mut record) = db.record(id)? else { return Ok(Reinstate::Absent) };
            let reinstated = kit::reinstate(&mut record);
            db.update(&record).map(|_| reinstated)
        })
    }

    fn amend(&self, id: &TokenId, amendment: &Amendment) -> Outcome<Amend> {
        self.run(|db| {
            let Some(mut record) = db.record(id)? else { return Ok(Amend::Absent) };
            kit::amend(&mut record, amendment);
            Ok(if db.update(&record)? == 0 { Amend::NameTaken } else { Amend::Amended })
        })
    }

    fn delete(&self, id: &TokenId) -> Outcome<Delete> {
        self.run(|db| match db.record(id)? {
            None => Ok(Delete::Absent),
            Some(_) => db.delete(id).map(|_| Delete::Deleted),
        })
    }

    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Outcome<Page> {
        self.run(|db| db.page(filter, after, limit))
    }

    fn purge(&self, now: UnixTime, limit: usize) -> Outcome<usize> {
        kit::purge(now, limit, |filter, after, limit| {
            self.run(|db| {
                let newest = db.one("SELECT at FROM newest", [], |row| row.get(0).map(u64::from_be_bytes))?;
                kit::refuse_far_ahead(now, newest.map(UnixTime::from_secs))?;
                let page = db.page(filter, after, limit)?;
                for Record { id, .. } in &page.records {
                    db.delete(id)?;
                }
                Ok(page)
            })
        })
    }

    fn generation(&self, subject: &Entity) -> Outcome<Option<Generation>> {
        let found = self.run(|db| db.generation(subject))?;
        found.map(|stored| Generation::from_bytes(subject, &stored)).transpose()
    }

    fn present_generation(&self, subject: &Entity) -> Outcome<Option<Generation>> {
        self.generation(subject)
    }

    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Outcome<Raise> {
        let new = params![kit::entity_key(subject), next.to_bytes(subject)?];
        self.run(|db| {
            let raise = kit::raise(subject, db.generation(subject)?.as_deref(), next)?;
            if raise == Raise::Raised {
                db.write("INSERT OR REPLACE INTO generations VALUES (?1, ?2)", new)?;
            }
            Ok(raise)
        })
    }

    fn delete_generation(&self, subject: &Entity) -> Outcome<Delete> {
        let key = [kit::entity_key(subject)];
        let deleted = self.run(|db| db.write("DELETE FROM generations WHERE subject = ?1", key))?;
        Ok(if deleted == 0 { Delete::Absent } else { Delete::Deleted })
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { what: "SQLite says so" },
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
        _ => StoreError::Io(Arc::new(io::Error::other(error))),
    }
}

fn due(time: UnixTime, id: &[u8]) -> Vec<u8> {
    [&time.as_secs().to_be_bytes(), id].concat()
}

fn named(record: &Record) -> Option<Vec<u8>> {
    name_key(&record.issuer, record.name.as_deref()?)
}

/// The key of a name, which differs from that of any other name or issuer.
fn name_key(issuer: &Entity, name: &str) -> Option<Vec<u8>> {
    let issuer = kit::entity_key(issuer)?;
    Some([&issuer.len().to_be_bytes(), issuer.as_slice(), name.as_bytes()].concat())
}

fn main() -> Outcome<()> {
    SqliteStore::create(Path::new("tokens.sqlite")).map(drop)
}

#[test]
fn it_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.sqlite");
    drop(SqliteStore::create(&path).unwrap());
    token_store::conformance::all(|| SqliteStore::open(&path).unwrap());
}
