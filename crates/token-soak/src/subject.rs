//! The operations that `run` and `check` need of a store.

use std::num::NonZeroU64;

use token_core::{RootKey, UnixTime};
use token_store::{
    Administration, ClaimId, Delete, Entity, Filter, Insert, KeyRing, Record, Revocation, Revoke, Spend,
    StoreError, Terms, TokenId, Use,
};

use crate::{
    failure::Failure,
    target::{self, At, StoreUrl},
};

/// How many records are listed at a time.
const PAGE: usize = 1_000;

/// The creation time of all tokens.
pub(crate) const CREATED: UnixTime = UnixTime::from_secs(0);

/// Every use.
pub(crate) const USE: Use = Use::anonymous(CREATED);

/// Every revocation.
pub(crate) const FOR_GOOD: Revocation = Revocation::for_good(CREATED);

/// What makes a token worthless for good.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// Its only use is spent.
    Spent,
    /// It is revoked.
    Revoked,
    /// It is deleted.
    Deleted,
}

/// A store of tokens of one use.
pub(crate) trait Subject: Send + Sync {
    /// Inserts a token and returns once the store acknowledges it. With `again`, it may exist already.
    fn mint(&self, id: &str, again: bool) -> Result<(), Failure>;

    /// Spends a token, or ends it otherwise, and returns once the store acknowledges it. With `again`, an earlier
    /// attempt may have done so.
    fn end(&self, id: &str, how: End, again: bool) -> Result<(), Failure>;

    /// Adds each token that can be spent, and whether its secret is the one that it was minted with. Before a failure,
    /// adds those that could be read.
    fn spendable(&self, found: &mut Vec<(String, bool)>) -> Result<(), Failure>;
}

/// Opens the store at a place.
pub(crate) fn open(at: &At) -> Result<Box<dyn Subject>, Failure> {
    if let StoreUrl::SledUnguarded(path) = &at.store {
        return Ok(Box::new(Unguarded(sled::open(path)?)));
    }
    let (store, keys) = target::with_keys(at)?;
    Ok(Box::new(Guarded { store, keys }))
}

/// A record of the token `id`. Its secret is derived from the id, so that a wrong secret shows.
pub(crate) fn record(
    keys: &KeyRing,
    id: &TokenId,
    use_limit: Option<NonZeroU64>,
    expires: Option<UnixTime>,
) -> Result<Record, Failure> {
    let entity = |kind: &str, id: &str| Entity { kind: kind.to_owned().into(), id: id.to_owned() };
    let terms = Terms {
        id,
        purpose: token_core::Purpose::SpaceSupport,
        resource: Some(&entity("space", "s1")),
        issuer: &entity("user", "u1"),
        created: CREATED,
        expires,
        use_limit,
        body: &[],
    };
    Ok(Record::new(terms, &secret(id), keys)?)
}

fn secret(id: &TokenId) -> RootKey {
    RootKey::derive_any(id.as_bytes())
}

/// A store of this project.
pub(crate) struct Guarded {
    pub(crate) store: Box<dyn Administration>,
    pub(crate) keys: KeyRing,
}

impl Subject for Guarded {
    fn mint(&self, id: &str, again: bool) -> Result<(), Failure> {
        let id = TokenId::new(id)?;
        let name = Some(id.to_string());
        let record = Record { name, ..record(&self.keys, &id, NonZeroU64::new(1), None)? };
        match self.store.insert(&record)? {
            Insert::Inserted => Ok(()),
            Insert::Exists if again => Ok(()),
            Insert::Exists | Insert::NameTaken => Err(Failure::WRONG),
        }
    }

    fn end(&self, id: &str, how: End, again: bool) -> Result<(), Failure> {
        let id = TokenId::new(id)?;
        let is_right = match how {
            End::Spent => {
                let spent = self.store.spend(&id, &ClaimId::new(*b"claim")?, &USE)?;
                matches!(spent, Spend::Spent { uses_left: Some(0), repeated, .. } if again || !repeated)
            }
            End::Revoked => self.store.revoke(&id, &FOR_GOOD)? == Revoke::Revoked,
            End::Deleted => self.store.delete(&id)? == Delete::Deleted || again,
        };
        if is_right { Ok(()) } else { Err(Failure::WRONG) }
    }

    fn spendable(&self, found: &mut Vec<(String, bool)>) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = self.store.list(&Filter::All, after.as_ref(), PAGE)?;
            if !page.damaged.is_empty() {
                return Err(StoreError::Corrupt { what: "a record" }.into());
            }
            for record in &page.records {
                let left = record.use_limit.is_none_or(|limit| record.uses < limit.get());
                if !left || record.is_revoked() {
                    continue;
                }
                let opened = self.keys.open(&record.root_key, record.owner());
                let sound = opened.is_ok_and(|key| key.expose() == secret(&record.id).expose());
                found.push((record.id.to_string(), sound));
            }
            match page.next {
                None => return Ok(()),
                next => after = next,
            }
        }
    }
}

/// The control: plain sled. A token is a key, removed when it is spent; a flush follows each change.
struct Unguarded(sled::Db);

impl Subject for Unguarded {
    fn mint(&self, id: &str, _: bool) -> Result<(), Failure> {
        self.0.insert(id, id)?;
        self.0.flush()?;
        Ok(())
    }

    fn end(&self, id: &str, _: End, _: bool) -> Result<(), Failure> {
        let removed = self.0.remove(id)?;
        self.0.flush()?;
        removed.map(drop).ok_or(Failure::WRONG)
    }

    fn spendable(&self, found: &mut Vec<(String, bool)>) -> Result<(), Failure> {
        for pair in self.0.iter() {
            let (id, value) = pair?;
            found.push((String::from_utf8_lossy(&id).into_owned(), id == value));
        }
        Ok(())
    }
}
