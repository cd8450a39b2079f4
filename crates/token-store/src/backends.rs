//! The public stores, and what may stand for one.

use std::{fmt, sync::Arc};

use token_core::UnixTime;

use crate::{
    ClaimId, Entity, Filter, Generation, Insert, Page, Raise, Record, Redeem, Refund, Revoke, StoreError, TokenId,
    TokenStore, engine::memory::Memory, kv::Kv,
};

/// Every call of the contract, handed on to what `$inner` makes of `self`.
macro_rules! delegate {
    ($self:ident => $inner:expr) => {
        fn insert(&$self, record: &Record) -> Result<Insert, StoreError> {
            $inner.insert(record)
        }

        fn get(&$self, id: &TokenId) -> Result<Option<Record>, StoreError> {
            $inner.get(id)
        }

        fn redeem(&$self, id: &TokenId, claim: &ClaimId) -> Result<Redeem, StoreError> {
            $inner.redeem(id, claim)
        }

        fn refund(&$self, id: &TokenId, claim: &ClaimId) -> Result<Refund, StoreError> {
            $inner.refund(id, claim)
        }

        fn revoke(&$self, id: &TokenId) -> Result<Revoke, StoreError> {
            $inner.revoke(id)
        }

        fn list(&$self, filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
            $inner.list(filter, after, limit)
        }

        fn purge(&$self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
            $inner.purge(now, limit)
        }

        fn generation(&$self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
            $inner.generation(subject)
        }

        fn raise_generation(&$self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
            $inner.raise_generation(subject, next)
        }
    };
}

#[deny(clippy::missing_trait_methods)]
impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    delegate!(self => (**self));
}

#[deny(clippy::missing_trait_methods)]
impl<S: TokenStore + ?Sized> TokenStore for Box<S> {
    delegate!(self => (**self));
}

/// A store in memory: for tests, and for tokens that may die with the process. Everything of the contract but
/// G3 holds.
#[derive(Clone)]
pub struct MemoryStore(Arc<Kv<Memory>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Kv::new(Memory::default())))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[deny(clippy::missing_trait_methods)]
impl TokenStore for MemoryStore {
    delegate!(self => self.0);
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}
