//! A whole store over SQLite, as a template for a store of your own. It passes the conformance suite (see the end).
//!
//! - Each call is one transaction that excludes other writers. So it is atomic (G1), and nothing changes between what
//!   it reads and what it writes (G2). Several processes may open the store.
//! - SQLite syncs its log before it acknowledges a commit (G3). If a commit fails, its outcome is unknown, and the
//!   store must be opened again.
//! - The encoded record holds `uses` and `revoked`; the other columns only find records (see `sqlite.sql`).

use std::{io, path::Path, sync::Arc, sync::Mutex, sync::PoisonError, time::Duration};

use rusqlite::{Connection, ErrorCode, Params, Row, TransactionBehavior, params};
use token_core::UnixTime;
use token_store::{
    ClaimId, Cursor, Entity, Filter, Generation, GrantId, Held, Insert, Page, Raise, Record, Refund, Revoke,
    Spend, StoreError, TokenId, TokenStore, kit,
};

const TABLES: &str = include_str!("sqlite.sql");
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON";

/// How many records one step of a purge removes.
const STEP: usize = 256;

type Outcome<T> = Result<T, StoreError>;

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
        if let Err(error) = begun.commit() {
            *open = None;
            return Err(StoreError::Unknown(Some(Arc::new(io::Error::other(error)))));
        }
        Ok(answer)
    }
}

/// The tables, within one transaction.
struct Db<'a>(&'a Connection);

impl Db<'_> {
    fn read<T: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error>>(
        &self,
        sql: &str,
        parameters: impl Params,
    ) -> Outcome<Vec<T>> {
        let mut statement = self.0.prepare(sql).map_err(failed)?;
        let rows = statement.query_map(parameters, |row| T::try_from(row)).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    fn write(&self, sql: &str, parameters: impl Params) -> Outcome<usize> {
        self.0.prepare(sql).and_then(|mut sql| sql.execute(parameters)).map_err(failed)
    }

    fn record(&self, id: &TokenId) -> Outcome<Option<Record>> {
        let found = self.read("SELECT record FROM tokens WHERE id = ?1", [id.as_bytes()])?.pop();
        found.map(|(record,): (Vec<u8>,)| Record::from_bytes(id.clone(), &record)).transpose()
    }

    fn update(&self, record: &Record) -> Outcome<usize> {
        let sql = "UPDATE tokens SET record = ?2 WHERE id = ?1";
        self.write(sql, params![record.id.as_bytes(), record.to_bytes()?])
    }

    /// Returns the use that a claim holds. The caller may act on it, so that it can no longer be refunded.
    fn answer_again(&self, id: &TokenId, claim: &ClaimId) -> Outcome<Option<Held>> {
        let sql = "UPDATE claims SET again = true WHERE id = ?1 AND claim = ?2 RETURNING uses_left, granted";
        let held = self.read(sql, [id.as_bytes(), claim.as_bytes()])?.pop();
        Ok(held.map(|(left, grant)| Held {
            uses_left: u64::from_be_bytes(left),
            grant: GrantId::from_bytes(grant),
        }))
    }

    fn generation(&self, subject: &Entity) -> Outcome<Option<Vec<u8>>> {
        // A forged token may name a subject of any length, which has no key: nothing equals NULL.
        let key = [kit::entity_key(subject)];
        let found = self.read("SELECT generation FROM generations WHERE subject = ?1", key)?.pop();
        Ok(found.map(|(stored,)| stored))
    }

    fn page(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Outcome<Page> {
        let (by_expiry, which, key) = match filter {
            Filter::All => (false, "id > ?2 ORDER BY id", None),
            Filter::Resource(of) => (false, "resource = ?1 AND id > ?2 ORDER BY id", kit::entity_key(of)),
            Filter::Issuer(of) => (false, "issuer = ?1 AND id > ?2 ORDER BY id", kit::entity_key(of)),
            Filter::ExpiresBefore(time) => (
                true,
                "expires <= ?1 AND (expires, id) > (?3, ?2) ORDER BY expires, id",
                Some(bytes(*time).to_vec()),
            ),
        };
        // The place of a cursor is the id of the page's last record, after its expiry if that orders the listing.
        let mut place = after.map_or(Ok(&[][..]), |cursor| filter.place(cursor))?.to_vec();
        let (expiry, id) = place.split_at(if by_expiry { place.len().min(8) } else { 0 });
        // One record more than the limit shows whether there is another page.
        let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let sql = format!("SELECT id, record, coalesce(expires, x'') FROM tokens WHERE {which} LIMIT ?4");
        let found: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = self.read(&sql, params![key, id, expiry, rows])?;
        let mut page = Page::default();
        let more = found.len() > limit;
        for (id, record, expires) in found.into_iter().take(limit) {
            place = if by_expiry { [expires, id.clone()].concat() } else { id.clone() };
            let id = TokenId::new(id).map_err(|_| StoreError::Corrupt { what: "the id of a record" })?;
            page.add(id.clone(), Record::from_bytes(id, &record))?;
        }
        page.next = more.then(|| filter.cursor(&place));
        Ok(page)
    }
}

impl TokenStore for SqliteStore {
    fn insert(&self, record: &Record) -> Outcome<Insert> {
        let (id, stored, created) = (record.id.as_bytes(), record.to_bytes()?, bytes(record.created));
        let (resource, issuer) =
            (record.resource.as_ref().and_then(kit::entity_key), kit::entity_key(&record.issuer));
        self.run(|db| {
            let sql = "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
            if db.write(sql, params![id, stored, resource, issuer, record.expires.map(bytes)])? == 0 {
                return Ok(Insert::Exists);
            }
            let sql =
                "INSERT INTO newest VALUES (1, ?1) ON CONFLICT DO UPDATE SET created = max(created, ?1)";
            db.write(sql, [created]).map(|_| Insert::Inserted)
        })
    }

    fn get(&self, id: &TokenId) -> Outcome<Option<Record>> {
        self.run(|db| db.record(id))
    }

    fn spend(&self, id: &TokenId, claim: &ClaimId, now: UnixTime) -> Outcome<Spend> {
        let grant = GrantId::draw()?;
        self.run(|db| {
            let Some(mut record) = db.record(id)? else { return Ok(Spend::Absent) };
            if let Some(Held { uses_left, grant }) = db.answer_again(id, claim)? {
                return Ok(Spend::Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true });
            }
            if record.revoked || record.is_spent() {
                return Ok(if record.revoked { Spend::Revoked } else { Spend::Exhausted });
            }
            (record.uses, record.last_use) = (record.uses.saturating_add(1), Some(now));
            db.update(&record)?;
            let uses_left = record.use_limit.map(|limit| limit.get().saturating_sub(record.uses));
            if let Some(left) = uses_left {
                let claim = params![id.as_bytes(), claim.as_bytes(), left.to_be_bytes(), grant.to_bytes()];
                db.write("INSERT INTO claims VALUES (?1, ?2, ?3, ?4, false)", claim)?;
            }
            Ok(Spend::Spent { uses_left, grant: uses_left.map(|_| grant), repeated: false })
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
            match db.read(&format!("SELECT again {of}"), claim)?.pop() {
                None => return Ok(Refund::NotClaimed),
                Some((true,)) => return Ok(Refund::Kept),
                Some((false,)) => db.write(&format!("DELETE {of}"), claim)?,
            };
            record.uses = record.uses.saturating_sub(1);
            db.update(&record).map(|_| Refund::Refunded)
        })
    }

    fn revoke(&self, id: &TokenId) -> Outcome<Revoke> {
        self.run(|db| match db.record(id)? {
            None => Ok(Revoke::Absent),
            Some(record) => db.update(&Record { revoked: true, ..record }).map(|_| Revoke::Revoked),
        })
    }

    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Outcome<Page> {
        self.run(|db| db.page(filter, after, limit))
    }

    fn purge(&self, now: UnixTime, limit: usize) -> Outcome<usize> {
        let (filter, mut after, mut removed) = (Filter::ExpiresBefore(now), None, 0_usize);
        loop {
            let page = self.run(|db| {
                let newest = db.read("SELECT created FROM newest", [])?.pop();
                let newest = newest.map(|(created,)| UnixTime::from_secs(u64::from_be_bytes(created)));
                kit::refuse_far_ahead(now, newest)?;
                let page = db.page(&filter, after.as_ref(), STEP.min(limit.saturating_sub(removed)))?;
                for Record { id, .. } in &page.records {
                    db.write("DELETE FROM claims WHERE id = ?1", [id.as_bytes()])?;
                    db.write("DELETE FROM tokens WHERE id = ?1", [id.as_bytes()])?;
                }
                Ok(page)
            })?;
            removed = removed.saturating_add(page.records.len());
            after = page.next;
            if after.is_none() || removed == limit {
                return Ok(removed);
            }
        }
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
}

fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { what: "SQLite says so" },
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
        _ => StoreError::Io(Arc::new(io::Error::other(error))),
    }
}

fn bytes(time: UnixTime) -> [u8; 8] {
    time.as_secs().to_be_bytes()
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
