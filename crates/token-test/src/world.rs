//! An authority in a small world: one group, one space, one owner, and a clock that moves only when set.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use token_api::{Authority, Config, Host, HostError, Purpose};
use token_core::{Subject, UnixTime};
use token_store::{
    Amend, Amendment, ClaimId, Delete, Entity, Filter, Generation, GrantId, Held, Insert, KeyRing,
    MemoryStore, Page, Raise, Record, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId,
    TokenStore, Use,
};

/// The group that exists.
pub const GROUP: &str = "HwUpk8jrwxKOe45uzLFX2GVC8lKEasj4q253sptVqF8";
/// The space that exists.
pub const SPACE: &str = "9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc";
/// The initial time, in Unix seconds.
pub const START: u64 = 1_700_000_000;

/// An authority, its host and its clock.
#[derive(Debug)]
pub struct World<S = MemoryStore> {
    /// The authority.
    pub authority: Authority<S, Arc<Members>>,
    /// Its host.
    pub members: Arc<Members>,
    now: Arc<AtomicU64>,
}

impl World {
    /// Creates a world with a store in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::over(MemoryStore::new())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: TokenStore> World<S> {
    /// Creates a world over this store.
    pub fn over(store: S) -> Self {
        Self::with_config(store, Config::default())
    }

    /// Creates a world over this store, with these settings.
    pub fn with_config(store: S, config: Config) -> Self {
        let members = Arc::new(Members::default());
        let now = Arc::new(AtomicU64::new(START));
        let clock = {
            let now = Arc::clone(&now);
            move || UnixTime::from_secs(now.load(Ordering::SeqCst))
        };
        let keys = KeyRing::generate().unwrap();
        let authority = Authority::new(store, keys, Arc::clone(&members), config).unwrap().with_clock(clock);
        Self { authority, members, now }
    }

    /// Sets the clock, in Unix seconds.
    pub fn set_time(&self, secs: u64) {
        self.now.store(secs, Ordering::SeqCst);
    }
}

/// `usr-owner` has every privilege until it is taken away, and sees everything; no other user has any.
///
/// Besides [`GROUP`] and [`SPACE`], a resource of any other kind exists under the id `target`.
#[derive(Debug, Default)]
pub struct Members {
    /// Whether the owner has lost every privilege.
    pub owner_is_out: AtomicBool,
    /// Whether every resource is gone.
    pub all_gone: AtomicBool,
    /// Whether the host fails to answer.
    pub fails: AtomicBool,
}

impl Members {
    fn answer(&self, answer: bool) -> Result<bool, HostError> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(HostError::new("the directory of members is down")),
            false => Ok(answer),
        }
    }
}

impl Host for Members {
    fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
        let known = match resource.kind.as_ref() {
            "group" => resource.id == GROUP,
            "space" => resource.id == SPACE,
            _ => resource.id == "target",
        };
        self.answer(known && !self.all_gone.load(Ordering::SeqCst))
    }

    fn may(&self, subject: Subject<&str>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
        self.answer(subject == Subject::User("owner") && !self.owner_is_out.load(Ordering::SeqCst))
    }

    fn may_see(&self, subject: Subject<&str>, _: &Entity) -> Result<bool, HostError> {
        self.answer(subject == Subject::User("owner"))
    }
}

/// A store whose disk has failed.
#[derive(Debug)]
pub struct BrokenStore;

fn broken<T>() -> Result<T, StoreError> {
    Err(StoreError::Io(Arc::new(std::io::Error::other("the disk with the secret name failed"))))
}

impl TokenStore for BrokenStore {
    fn insert(&self, _: &Record) -> Result<Insert, StoreError> {
        broken()
    }
    fn get(&self, _: &TokenId) -> Result<Option<Record>, StoreError> {
        broken()
    }
    fn spend(&self, _: &TokenId, _: &ClaimId, _: &Use) -> Result<Spend, StoreError> {
        broken()
    }
    fn claimed(&self, _: &TokenId, _: &ClaimId) -> Result<Option<Held>, StoreError> {
        broken()
    }
    fn refund(&self, _: &TokenId, _: &ClaimId, _: GrantId) -> Result<Refund, StoreError> {
        broken()
    }
    fn revoke(&self, _: &TokenId, _: &Revocation) -> Result<Revoke, StoreError> {
        broken()
    }
    fn reinstate(&self, _: &TokenId) -> Result<Reinstate, StoreError> {
        broken()
    }
    fn amend(&self, _: &TokenId, _: &Amendment) -> Result<Amend, StoreError> {
        broken()
    }
    fn delete(&self, _: &TokenId) -> Result<Delete, StoreError> {
        broken()
    }
    fn list(&self, _: &Filter, _: Option<&token_store::Cursor>, _: usize) -> Result<Page, StoreError> {
        broken()
    }
    fn purge(&self, _: UnixTime, _: usize) -> Result<usize, StoreError> {
        broken()
    }
    fn generation(&self, _: &Entity) -> Result<Option<Generation>, StoreError> {
        broken()
    }
    fn present_generation(&self, _: &Entity) -> Result<Option<Generation>, StoreError> {
        broken()
    }
    fn raise_generation(&self, _: &Entity, _: &Generation) -> Result<Raise, StoreError> {
        broken()
    }
    fn delete_generation(&self, _: &Entity) -> Result<Delete, StoreError> {
        broken()
    }
}
