//! The records of tokens, and what their owner or the operator does with them.

use token_core::Subject;
use token_store::{
    Administration, Amend, Amendment, ClaimId, Cursor, Delete, Events, Filter, Held, Record, Reinstate,
    Revocation, Revoke, StoreError, Sweep, TokenId, TokenStore,
};

use crate::{
    Authority, Failure,
    body::{self, Head},
    subject::entity,
};

/// What a stored token states besides the fields of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stated<'a> {
    /// The session that an access token is bound to.
    pub session: Option<&'a str>,
    /// The privileges that the token carries, in the host's own form.
    pub privileges: &'a [u8],
    /// The caveats as they were signed, in their order; `None` if they were too long to be kept
    /// ([`Record::MAX_BODY_LEN`]).
    pub caveats: Option<Vec<&'a str>>,
}

/// What needs no host.
impl<S: TokenStore, H> Authority<S, H> {
    /// Returns the record of the issuer's token that has this name. [`TokenStore::get`] reads one by its id.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn find(&self, issuer: Subject<&str>, name: &str) -> Result<Option<Record>, Failure> {
        let page = self.store.list(&Filter::Name(entity(issuer), name.to_owned()), None, 1)?;
        match page.damaged.is_empty() {
            true => Ok(page.records.into_iter().next()),
            false => Err(StoreError::Corrupt { what: "a record, or the entry of its name" }.into()),
        }
    }

    /// Reads what the token of this record states besides the record's fields.
    ///
    /// # Errors
    /// [`Failure`], for example for a record that was edited.
    pub fn stated<'r>(&self, record: &'r Record) -> Result<Stated<'r>, Failure> {
        drop(self.keys.open(&record.root_key, record.owner())?);
        let (Head { session, privileges, .. }, caveats) = body::whole(record)?;
        Ok(Stated { session, privileges, caveats })
    }

    /// Changes the name or the metadata of a token.
    ///
    /// # Errors
    /// [`Failure`], for example for a name that is too long.
    pub fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, Failure> {
        let amended = self.store.amend(id, amendment)?;
        tracing::info!(%id, outcome = ?amended, "amend");
        Ok(amended)
    }

    /// Revokes a token; `None`: for good, now, by nobody and without a reason. The first revocation stands, except that
    /// one for good replaces a reversible one.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn revoke(&self, id: &TokenId, revocation: Option<&Revocation>) -> Result<Revoke, Failure> {
        let for_good = Revocation::for_good(self.now());
        let revoked = self.store.revoke(id, revocation.unwrap_or(&for_good))?;
        tracing::info!(%id, outcome = ?revoked, "revoke");
        Ok(revoked)
    }

    /// Undoes a reversible revocation.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn reinstate(&self, id: &TokenId) -> Result<Reinstate, Failure> {
        let reinstated = self.store.reinstate(id)?;
        tracing::info!(%id, outcome = ?reinstated, "reinstate");
        Ok(reinstated)
    }

    /// Deletes a token with all that is known of its uses. It is then unknown.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn delete(&self, id: &TokenId) -> Result<Delete, Failure> {
        let deleted = self.store.delete(id)?;
        tracing::info!(%id, outcome = ?deleted, "delete");
        Ok(deleted)
    }
}

/// What needs no host.
impl<S: Administration, H> Authority<S, H> {
    /// Deletes all tokens of a subject, temporary ones too, and its generation. When this returns, none is valid, except
    /// that another host may verify one from its cache for a few seconds. Repeat an interrupted call. First stop minting
    /// for the subject.
    ///
    /// Returns how many records it deleted, and how many damaged ones are left: they verify no token.
    ///
    /// # Errors
    /// [`Failure`]; repeat the call.
    pub fn delete_subject(&self, subject: Subject<&str>) -> Result<Sweep, Failure> {
        const PAGE: usize = 1000;
        let subject = entity(subject);
        let filter = Filter::Issuer(subject.clone());
        let mut deleted = Sweep { changed: 0, damaged: 0, next: None };
        loop {
            let sweep = self.store.delete_all(&filter, deleted.next.as_ref(), PAGE)?;
            deleted.changed = deleted.changed.saturating_add(sweep.changed);
            deleted.damaged = deleted.damaged.saturating_add(sweep.damaged);
            deleted.next = sweep.next;
            if deleted.next.is_none() {
                break;
            }
        }
        // Last: a temporary token minted in the meantime would have begun a new generation.
        let _ = self.store.delete_generation(&subject)?;
        tracing::info!(subject = subject.id, records = deleted.changed, "all tokens deleted");
        Ok(deleted)
    }

    /// Returns at most `limit` uses of a token with a use limit, from the first past `after`: who spent each, when, and
    /// the key of its claim, which is a hash. The store keeps no uses of a token without a limit; its record has their
    /// number and the time of the last one.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn uses(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, Failure> {
        Ok(self.store.claims(id, after, limit)?)
    }

    /// Returns at most `limit` changes that make verdicts obsolete, from the first past `after`; `None` begins now. See
    /// [`Administration::events`].
    ///
    /// # Errors
    /// [`Failure`]
    pub fn events(&self, after: Option<&Cursor>, limit: usize) -> Result<Events, Failure> {
        Ok(self.store.events(after, limit)?)
    }
}
