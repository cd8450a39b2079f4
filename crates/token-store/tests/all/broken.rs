//! The conformance suite names the promise that a broken store breaks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use token_core::UnixTime;
use token_store::{
    Administration, Amend, Amendment, CheckReport, ClaimId, Counts, Cursor, Delete, Entity, Events, Filter,
    Generation, Generations, GrantId, Held, Insert, Item, KeyRing, MemoryStore, Page, Raise, Record, Refund,
    Reinstate, Reseal, Revocation, Revoke, Spend, StoreError, Sweep, TokenId, TokenStore, Use, conformance,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    ForgetsWhenOpened,
    ForgetsClaims,
    ForgetsTheFilterOfACursor,
    BelievesAnyClock,
    KeepsNoConsumer,
    RevokesForGoodOnly,
    GivesNamesTwice,
    ForgetsTheNewMetadata,
    DeletesNothing,
    KeepsGenerations,
    LosesAnEvent,
    RepeatsAnEvent,
    SweepsOnePage,
}

#[derive(Debug)]
struct Broken(MemoryStore, Defect);

impl TokenStore for Broken {
    fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        match self.0.insert(record)? {
            Insert::NameTaken if self.1 == Defect::GivesNamesTwice => {
                self.0.insert(&Record { name: None, ..record.clone() })
            }
            inserted => Ok(inserted),
        }
    }
    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        self.0.get(id)
    }
    fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Result<Spend, StoreError> {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        match self.1 {
            Defect::ForgetsClaims => {
                let call = CALLS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                self.0.spend(id, &ClaimId::new(call).unwrap(), by)
            }
            Defect::KeepsNoConsumer => self.0.spend(id, claim, &Use::anonymous(by.at)),
            _ => self.0.spend(id, claim, by),
        }
    }
    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        self.0.claimed(id, claim)
    }
    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        self.0.refund(id, claim, grant)
    }
    fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Result<Revoke, StoreError> {
        let reversible = revocation.reversible && self.1 != Defect::RevokesForGoodOnly;
        self.0.revoke(id, &Revocation { reversible, ..revocation.clone() })
    }
    fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError> {
        self.0.reinstate(id)
    }
    fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError> {
        match self.1 {
            Defect::ForgetsTheNewMetadata => {
                self.0.amend(id, &Amendment { metadata: None, ..amendment.clone() })
            }
            _ => self.0.amend(id, amendment),
        }
    }
    fn delete(&self, id: &TokenId) -> Result<Delete, StoreError> {
        match self.1 {
            Defect::DeletesNothing => Ok(Delete::Deleted),
            _ => self.0.delete(id),
        }
    }
    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        if self.1 != Defect::ForgetsTheFilterOfACursor {
            return self.0.list(filter, after, limit);
        }
        let after = after.map(|place| filter.cursor(place.as_bytes()));
        let mut page = self.0.list(filter, after.as_ref(), limit)?;
        page.next =
            page.next.map(|cursor| filter.place(&cursor).map(|place| place.to_vec().into())).transpose()?;
        Ok(page)
    }
    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        match self.0.purge(now, limit) {
            Err(StoreError::ClockAhead { .. }) if self.1 == Defect::BelievesAnyClock => Ok(0),
            purged => purged,
        }
    }
    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.0.generation(subject)
    }
    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.0.present_generation(subject)
    }
    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        self.0.raise_generation(subject, next)
    }
    fn delete_generation(&self, subject: &Entity) -> Result<Delete, StoreError> {
        match self.1 {
            Defect::KeepsGenerations => Ok(Delete::Deleted),
            _ => self.0.delete_generation(subject),
        }
    }
}

impl Administration for Broken {
    fn revoke_all(
        &self,
        filter: &Filter,
        revocation: &Revocation,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Sweep, StoreError> {
        self.0.revoke_all(filter, revocation, after, limit)
    }
    fn delete_all(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Sweep, StoreError> {
        let swept = self.0.delete_all(filter, after, limit)?;
        let next = swept.next.filter(|_| self.1 != Defect::SweepsOnePage);
        Ok(Sweep { next, ..swept })
    }
    fn events(&self, after: Option<&Cursor>, limit: usize) -> Result<Events, StoreError> {
        let mut found = self.0.events(after, limit)?;
        match self.1 {
            Defect::LosesAnEvent => drop(found.events.pop()),
            Defect::RepeatsAnEvent => found.events.extend(found.events.last().cloned()),
            _ => {}
        }
        Ok(found)
    }
    fn revoke_before(&self, time: UnixTime) -> Result<UnixTime, StoreError> {
        self.0.revoke_before(time)
    }
    fn counts(&self) -> Result<Counts, StoreError> {
        self.0.counts()
    }
    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError> {
        self.0.purge_spent(now, retention, limit)
    }
    fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError> {
        self.0.claims(id, after, limit)
    }
    fn generations(&self, after: Option<&Cursor>, limit: usize) -> Result<Generations, StoreError> {
        self.0.generations(after, limit)
    }
    fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError> {
        self.0.reseal(changes)
    }
    fn restore(&self, items: &[Item]) -> Result<usize, StoreError> {
        self.0.restore(items)
    }
    fn check(&self, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError> {
        self.0.check(keys)
    }
}

#[test]
fn a_failure_names_the_promise_that_is_broken() {
    for (defect, promise) in [
        (Defect::ForgetsWhenOpened, "G3 (durable)"),
        (Defect::ForgetsClaims, "G6 (idempotent)"),
        (Defect::ForgetsTheFilterOfACursor, "the contract of `list`"),
        (Defect::BelievesAnyClock, "the contract of `purge`"),
        (Defect::KeepsNoConsumer, "the contract of `spend`: who spent"),
        (Defect::RevokesForGoodOnly, "the contract of `revoke`"),
        (Defect::GivesNamesTwice, "the contract of `insert`: names"),
        (Defect::ForgetsTheNewMetadata, "the contract of `amend`"),
        (Defect::DeletesNothing, "the contract of `delete` and `purge`: names"),
        (Defect::KeepsGenerations, "the contract of `delete_generation`"),
        (Defect::LosesAnEvent, "the contract of `events`: each change"),
        (Defect::RepeatsAnEvent, "the contract of `events`: each change"),
        (Defect::SweepsOnePage, "the contract of `delete_all`"),
    ] {
        let store = MemoryStore::new();
        let open = || match defect {
            Defect::ForgetsWhenOpened => Broken(MemoryStore::new(), defect),
            _ => Broken(store.clone(), defect),
        };
        let panic = catch_unwind(AssertUnwindSafe(|| conformance::administration(open))).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with(&format!("the store breaks {promise}: ")), "{defect:?}: {message}");
    }
}
