//! The conformance suite names the promise that a broken store breaks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

use token_core::UnixTime;
use token_store::{
    Amend, Amendment, ClaimId, Cursor, Delete, Entity, Filter, Generation, GrantId, Held, Insert,
    MemoryStore, Page, Raise, Record, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId,
    TokenStore, Use, conformance,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    ForgetsWhenOpened,
    ForgetsClaims,
    ForgetsTheFilterOfACursor,
    BelievesAnyClock,
}

#[derive(Debug)]
struct Broken(MemoryStore, Defect);

impl TokenStore for Broken {
    fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        self.0.insert(record)
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
        self.0.revoke(id, revocation)
    }
    fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError> {
        self.0.reinstate(id)
    }
    fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError> {
        self.0.amend(id, amendment)
    }
    fn delete(&self, id: &TokenId) -> Result<Delete, StoreError> {
        self.0.delete(id)
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
        self.0.delete_generation(subject)
    }
}

#[test]
fn a_failure_names_the_promise_that_is_broken() {
    for (defect, promise) in [
        (Defect::ForgetsWhenOpened, "G3 (durable)"),
        (Defect::ForgetsClaims, "G6 (idempotent)"),
        (Defect::ForgetsTheFilterOfACursor, "the contract of `list`"),
        (Defect::BelievesAnyClock, "the contract of `purge`"),
    ] {
        let store = MemoryStore::new();
        let open = || match defect {
            Defect::ForgetsWhenOpened => Broken(MemoryStore::new(), defect),
            _ => Broken(store.clone(), defect),
        };
        let panic = catch_unwind(AssertUnwindSafe(|| conformance::all(open))).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with(&format!("the store breaks {promise}: ")), "{defect:?}: {message}");
    }
}
