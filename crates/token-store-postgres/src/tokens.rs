//! The contract of a store.

use token_core::UnixTime;
use token_store::{
    Amend, Amendment, ClaimId, Cursor, Delete, Entity, Filter, Generation, GrantId, Held, Insert, Page,
    Raise, Record, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId, TokenStore, Use, kit,
};

use crate::{
    change::{Act, Change, Changed, Changes},
    error::{self, Failure},
    events::telling,
    kind::{Generations, Gets, Inserts, NewRecord, Repeat, STRANGE, bigint, get},
    lane::Job,
    listing::Listing,
    notices::Subject,
    purge,
    store::{PostgresStore, lane_of},
};

/// Ends a statement that raises a generation and returns it as `done`.
macro_rules! raised {
    () => {
        concat!(
            ", told AS MATERIALIZED (SELECT 'raise generation' AS event, subject, number AS value FROM done)",
            telling!(),
            " SELECT number FROM done"
        )
    };
}

#[deny(clippy::missing_trait_methods)]
impl TokenStore for PostgresStore {
    fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        let lane = lane_of(&self.0.writers, record.id.as_bytes())?;
        self.ask::<Inserts>(lane, Job::Insert, NewRecord::new(record)?)
    }

    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        let stored = self.ask::<Gets>(lane_of(&self.0.readers, id.as_bytes())?, Job::Get, id.clone())?;
        stored.map(|stored| stored.record(id.clone())).transpose()
    }

    fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Result<Spend, StoreError> {
        change(self, id, Act::spend(claim, GrantId::draw()?, by)?)?.spend()
    }

    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        change(self, id, Act::claimed(claim))?.claimed()
    }

    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        change(self, id, Act::refund(claim, grant))?.refund()
    }

    fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Result<Revoke, StoreError> {
        let done = change(self, id, Act::revoke(revocation)?).and_then(Changed::revoke);
        self.announce(Subject::Token(id.clone()), done)
    }

    fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError> {
        let done = change(self, id, Act::reinstate()).and_then(Changed::reinstate);
        self.announce(Subject::Token(id.clone()), done)
    }

    fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError> {
        // A name that another takes meanwhile violates the unique index, and the store asks again.
        const SQL: &str = "
            WITH present AS MATERIALIZED (
                SELECT id, issuer FROM onetoken.tokens WHERE id = $1::bytea AND {mark}
            ), taken AS MATERIALIZED (
                SELECT t.id FROM onetoken.tokens t JOIN present p
                ON t.issuer = p.issuer AND t.name = $3::bytea AND t.id <> p.id
            ), done AS (
                UPDATE onetoken.tokens t
                SET name = CASE WHEN $2::boolean THEN $3::bytea ELSE t.name END,
                    metadata = coalesce($4::bytea, t.metadata), changes = t.changes + 1
                FROM present p WHERE t.id = p.id AND NOT EXISTS (SELECT FROM taken)
                RETURNING t.id
            )
            SELECT EXISTS (SELECT FROM present), EXISTS (SELECT FROM taken), EXISTS (SELECT FROM done)";
        let Amendment { name, metadata } = amendment.clone();
        let new_name = name.clone().flatten().map(String::into_bytes);
        for (len, max) in [
            (new_name.as_ref().map_or(0, Vec::len), Record::MAX_NAME_LEN),
            (metadata.as_ref().map_or(0, Vec::len), Record::MAX_METADATA_LEN),
        ] {
            if len > max {
                return Err(StoreError::TooLarge { len, max });
            }
        }
        let (lane, id) = (lane_of(&self.0.writers, id.as_bytes())?, id.clone());
        self.run(lane, Repeat::OtherWrite, async move |session| {
            let rows = session.write(SQL, &[&id.as_bytes(), &name.is_some(), &new_name, &metadata]).await?;
            let row = rows.first().ok_or(STRANGE)?;
            match (get(row, 0)?, get(row, 1)?, get(row, 2)?) {
                (false, ..) => Ok(Amend::Absent),
                (_, true, _) => Ok(Amend::NameTaken),
                (.., true) => Ok(Amend::Amended),
                (.., false) => Err(Failure::Again(error::timed_out("others delete it"))),
            }
        })
    }

    fn delete(&self, id: &TokenId) -> Result<Delete, StoreError> {
        let (lane, key) = (lane_of(&self.0.writers, id.as_bytes())?, id.clone());
        let deleted = self.run(lane, Repeat::OtherWrite, async move |session| {
            match purge::deleted(session, &[key.as_bytes()]).await? {
                (0, _) => Ok(Delete::Absent),
                (_, 0) => Err(Failure::Again(error::timed_out("others change it as well"))),
                _ => Ok(Delete::Deleted),
            }
        });
        self.announce(Subject::Token(id.clone()), deleted)
    }

    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let listing = Listing::new(filter, after, limit)?;
        self.administer(Repeat::Reads, async move |session| listing.page(session).await)
    }

    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        purge::expired(self, now, limit)
    }

    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        // A forged token may name a subject of any length.
        let Some(key) = kit::entity_key(subject) else { return Ok(None) };
        let found = self.ask::<Generations>(lane_of(&self.0.readers, &key)?, Job::Generation, key)?;
        found.map(|bytes| Generation::from_bytes(subject, &bytes)).transpose()
    }

    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.generation(subject)
    }

    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        const READ: &str = "SELECT generation FROM onetoken.generations WHERE subject = $1::bytea";
        const FIRST: &str = concat!(
            "WITH done AS (
                INSERT INTO onetoken.generations (subject, number, generation) SELECT $1::bytea, $2::bigint, $3::bytea
                WHERE {mark}
                ON CONFLICT (subject) DO NOTHING
                RETURNING subject, number
            )",
            raised!()
        );
        const NEXT: &str = concat!(
            "WITH done AS (
                UPDATE onetoken.generations SET number = $2::bigint, generation = $3::bytea
                WHERE subject = $1::bytea AND generation = $4::bytea AND {mark}
                RETURNING subject, number
            )",
            raised!()
        );
        let value = next.to_bytes(subject)?;
        let key = kit::entity_key(subject).unwrap_or_default();
        let lane = lane_of(&self.0.writers, &key)?;
        let (of, to) = (subject.clone(), next.clone());
        let raised = self.run(lane, Repeat::OtherWrite, async move |session| {
            let found = session.query(READ, &[&key]).await?;
            let stored: Option<&[u8]> = found.first().map(|row| get(row, 0)).transpose()?;
            let raise = kit::raise(&of, stored, &to)?;
            if raise != Raise::Raised {
                session.settle().await?;
                return Ok(raise);
            }
            let number = bigint(to.number);
            let raised = match &stored {
                None => session.write(FIRST, &[&key, &number, &value]).await?,
                Some(stored) => session.write(NEXT, &[&key, &number, &value, stored]).await?,
            };
            match raised.is_empty() {
                false => Ok(raise),
                // Another host changed the row after it was read.
                true => Err(Failure::Again(error::timed_out("others raise it as well"))),
            }
        });
        match next.number {
            // The first generation revokes nothing that a cache may hold, or replaces a damaged one.
            1 => raised,
            _ => self.announce(Subject::Generation(subject.clone()), raised),
        }
    }

    fn delete_generation(&self, subject: &Entity) -> Result<Delete, StoreError> {
        const SQL: &str = concat!(
            "WITH done AS (
                DELETE FROM onetoken.generations WHERE subject = $1::bytea AND {mark} RETURNING subject
            ), told AS MATERIALIZED (
                SELECT 'delete generation' AS event, subject, NULL::bigint AS value FROM done
            )",
            telling!(),
            " SELECT subject FROM done"
        );
        let Some(key) = kit::entity_key(subject) else { return Ok(Delete::Absent) };
        let deleted = self.run(lane_of(&self.0.writers, &key)?, Repeat::OtherWrite, async move |session| {
            let deleted = session.write(SQL, &[&key]).await?;
            Ok(if deleted.is_empty() { Delete::Absent } else { Delete::Deleted })
        });
        self.announce(Subject::Generation(subject.clone()), deleted)
    }
}

fn change(store: &PostgresStore, id: &TokenId, act: Act) -> Result<Changed, StoreError> {
    let change = Change { id: id.clone(), act };
    store.ask::<Changes>(lane_of(&store.0.writers, id.as_bytes())?, Job::Change, change)
}
