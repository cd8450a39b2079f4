//! The contract of a store.

use token_core::UnixTime;
use token_store::{
    ClaimId, Cursor, Entity, Filter, Generation, GrantId, Held, Insert, Page, Raise, Record, Refund, Revoke,
    Spend, StoreError, TokenId, TokenStore, kit,
};

use crate::{
    change::{Act, Change, Changed, Changes},
    error::{self, Failure},
    kind::{Generations, Gets, Inserts, NewRecord, Repeat, bigint, get},
    lane::Job,
    listing::Listing,
    notices::Subject,
    purge,
    store::{PostgresStore, lane_of},
};

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

    fn spend(&self, id: &TokenId, claim: &ClaimId, now: UnixTime) -> Result<Spend, StoreError> {
        change(self, id, Act::Spend(claim.clone(), GrantId::draw()?, now))?.spend()
    }

    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        change(self, id, Act::Claimed(claim.clone()))?.claimed()
    }

    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        change(self, id, Act::Refund(claim.clone(), grant))?.refund()
    }

    fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError> {
        let done = change(self, id, Act::Revoke).and_then(Changed::revoke);
        self.announce(Subject::Token(id.clone()), done)
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
        const FIRST: &str = "
            INSERT INTO onetoken.generations (subject, number, generation) SELECT $1::bytea, $2::bigint, $3::bytea
            WHERE {mark}
            ON CONFLICT (subject) DO NOTHING
            RETURNING number";
        const NEXT: &str = "
            UPDATE onetoken.generations SET number = $2::bigint, generation = $3::bytea
            WHERE subject = $1::bytea AND generation = $4::bytea AND {mark}
            RETURNING number";
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
}

fn change(store: &PostgresStore, id: &TokenId, act: Act) -> Result<Changed, StoreError> {
    let change = Change { id: id.clone(), act };
    store.ask::<Changes>(lane_of(&store.0.writers, id.as_bytes())?, Job::Change, change)
}
