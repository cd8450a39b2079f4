//! The conformance suite that every backend must pass, ours and yours.
//!
//! ```
//! let store = token_store::MemoryStore::new();
//! token_store::conformance::administration(|| store.clone());
//! ```
//!
//! A violation panics, and the message names the broken guarantee: one of G1 to G6, or the contract of a method. The
//! suite writes under names of its own, which differ from run to run. So the store may hold other data, but nothing
//! else may use it meanwhile. The suite purges records that expired before 1970-01-01T00:16:40Z.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "a test suite"
)]

use std::{
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
};

use ring::rand::{SecureRandom, SystemRandom};
use token_core::{RootKey, UnixTime};

use crate::{
    Administration, ClaimId, Entity, Filter, Generation, GrantId, Insert, KeyRing, Owner, Page, Record,
    Spend, Terms, TokenId, TokenStore,
};

mod administration;
mod generations;
mod listing;
mod races;
mod records;
mod spending;

/// Tests every guarantee of [`TokenStore`]. `open` opens the store. The suite drops the store and calls `open` again,
/// which must return the same data; for a store in memory it returns a clone.
///
/// In one test, 64 threads spend one token in 1,000 rounds, with use limits from 1 to 4. That is some 4,500 writes.
///
/// # Panics
/// At the first violation.
pub fn all<S: TokenStore>(open: impl Fn() -> S) {
    let suite = Suite::new();
    records::check(&suite, &open);
    spending::check(&suite, &open);
    listing::check(&suite, &open);
    generations::check(&suite, &open);
    races::check(&suite, &open());
}

/// Tests every guarantee of [`TokenStore`] and then of [`Administration`]. Use a store for this alone: afterwards all
/// records created before 1970-01-01T00:16:40Z are revoked, and spent records are purged.
///
/// # Panics
/// At the first violation.
pub fn administration<S: Administration>(open: impl Fn() -> S) {
    all(&open);
    administration::check(&Suite::new(), &open);
}

/// The year 3000, and the latest time: no store accepts that it is so late.
const FAR_AHEAD: [UnixTime; 2] = [UnixTime::from_secs(32_503_680_000), UnixTime::MAX];

/// The time at which the suite spends.
const NOW: UnixTime = UnixTime::from_secs(1_500_000_000);

const ATOMIC: &str = "G1 (atomic)";
const LINEARIZABLE: &str = "G2 (linearizable)";
const DURABLE: &str = "G3 (durable)";
const IDEMPOTENT: &str = "G6 (idempotent)";

/// Runs one part of the suite. If it panics, panics with the name of the broken promise.
#[track_caller]
fn holds(promise: &str, part: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(part)) else { return };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    panic!("the store breaks {promise}: {what}");
}

/// The names and records of one run.
struct Suite {
    run: String,
    keys: KeyRing,
}

impl Suite {
    fn new() -> Self {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).unwrap();
        Self { run: format!("{:016x}", u64::from_be_bytes(random)), keys: KeyRing::generate().unwrap() }
    }

    fn id(&self, name: impl AsRef<[u8]>) -> TokenId {
        TokenId::new([self.run.as_bytes(), name.as_ref()].concat()).unwrap()
    }

    fn entity(&self, kind: &str, name: &str) -> Entity {
        Entity { kind: kind.into(), id: format!("{}{name}", self.run) }
    }

    /// Makes a record without an expiry, a use limit or a resource.
    fn record(&self, id: &TokenId) -> Record {
        let issuer = self.entity("user", "issuer");
        Record::new(Terms::unlimited(id, &issuer), &self.root_key(id.as_bytes()), &self.keys).unwrap()
    }

    fn limited(&self, id: &TokenId, limit: u64) -> Record {
        self.sealed(Record { use_limit: Some(NonZeroU64::new(limit).unwrap()), ..self.record(id) })
    }

    /// Re-seals the key of a record for its present terms.
    fn sealed(&self, mut record: Record) -> Record {
        let root_key = self.root_key(record.id.as_bytes());
        record.root_key = self.keys.seal(&root_key, record.owner()).unwrap();
        record
    }

    fn generation(&self, subject: &Entity, number: u64) -> Generation {
        let root_key = self.root_key(&number.to_be_bytes());
        let root_key = self.keys.seal(&root_key, Owner::Generation { subject, number }).unwrap();
        Generation { number, root_key }
    }

    // Makes a key that depends on the name.
    fn root_key(&self, name: &[u8]) -> RootKey {
        RootKey::derive_any(&[self.run.as_bytes(), name].concat())
    }

    /// Asserts that the record opens to the key that was sealed for it.
    fn assert_opens(&self, record: &Record) {
        let opened = self.keys.open(&record.root_key, record.owner()).expect("the sealed key opens");
        assert_eq!(opened.expose(), self.root_key(record.id.as_bytes()).expose());
    }
}

fn claim(name: impl AsRef<[u8]>) -> ClaimId {
    ClaimId::new(name.as_ref()).unwrap()
}

/// Drops the grant from an answer, since it differs each time.
fn plain(answer: Spend) -> Spend {
    match answer {
        Spend::Spent { uses_left, grant, repeated } => {
            assert_eq!(
                uses_left.is_some(),
                grant.is_some(),
                "a use of a limited token has a grant, no other has"
            );
            Spend::Spent { uses_left, grant: None, repeated }
        }
        other => other,
    }
}

/// The answer to a winning claim, as [`plain`] returns it.
fn won(uses_left: u64) -> Spend {
    Spend::Spent { uses_left: Some(uses_left), grant: None, repeated: false }
}

fn again(uses_left: u64) -> Spend {
    Spend::Spent { uses_left: Some(uses_left), grant: None, repeated: true }
}

fn spend<S: TokenStore>(store: &S, id: &TokenId, name: impl AsRef<[u8]>) -> Spend {
    plain(store.spend(id, &claim(name), NOW).unwrap())
}

/// Spends a use that must be left, and returns its grant.
fn granted<S: TokenStore>(store: &S, id: &TokenId, name: impl AsRef<[u8]>) -> GrantId {
    let answer = store.spend(id, &claim(name), NOW).unwrap();
    assert!(matches!(answer, Spend::Spent { repeated: false, .. }), "{answer:?}");
    answer.grant().expect("a use of a limited token has a grant")
}

fn insert<S: TokenStore + ?Sized>(store: &S, record: &Record) {
    assert_eq!(store.insert(record).unwrap(), Insert::Inserted);
}

/// Returns every page of a listing, joined.
fn pages<S: TokenStore + ?Sized>(store: &S, filter: &Filter, limit: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let Page { records: page, damaged, next } = store.list(filter, after.as_ref(), limit).unwrap();
        assert_eq!(damaged, []);
        assert!(page.len() <= limit);
        assert!(!page.is_empty() || next.is_none(), "an empty page has none after it");
        assert!(next.is_none() || next != after, "each page leads on");
        records.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => return records,
        }
    }
}
