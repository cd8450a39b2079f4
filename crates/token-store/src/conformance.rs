//! What a backend has to pass to be called a store, for ours and for yours.
//!
//! ```
//! let store = token_store::MemoryStore::new();
//! token_store::conformance::administration(|| store.clone());
//! ```
//!
//! A violation panics, and the message names what is broken: one of the guarantees G1 to G6, or the contract of a
//! method. The suite writes under names of its own, which differ from run to run, so that it may run on a store that is
//! in use by nobody else but not empty. It purges what expired before 1970-01-01T00:16:40Z.
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
    Redeem, Terms, TokenId, TokenStore,
};

mod administration;
mod generations;
mod listing;
mod races;
mod records;
mod spending;

/// Holds a store to every guarantee of [`TokenStore`]. `open` opens the store, and opens it again, with what it
/// holds, after it was dropped; for a store in memory it gives a clone.
///
/// Among others, 64 threads spend one token, in 1,000 rounds with use limits from 1 to 4. That is some 4,500 writes.
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

/// Holds a store to every guarantee of [`Administration`], and of [`TokenStore`] before. The store is to be its
/// own: all that was created before 1970-01-01T00:16:40Z is void from then on, and what was spent is purged.
///
/// # Panics
/// At the first violation.
pub fn administration<S: Administration>(open: impl Fn() -> S) {
    all(&open);
    administration::check(&Suite::new(), &open);
}

/// The year 3000, and as far as time goes: no store believes that it is so late.
const FAR_AHEAD: [UnixTime; 2] = [UnixTime::from_secs(32_503_680_000), UnixTime::MAX];

const ATOMIC: &str = "G1 (atomic)";
const LINEARIZABLE: &str = "G2 (linearizable)";
const DURABLE: &str = "G3 (durable)";
const IDEMPOTENT: &str = "G6 (idempotent)";

/// Runs one part of the suite. If it panics, so does this, and says which promise the store breaks.
#[track_caller]
fn holds(promise: &str, part: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(part)) else { return };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    panic!("the store breaks {promise}: {what}");
}

/// Names and records of one run.
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

    /// A record that never expires, without a limit, and about nothing.
    fn record(&self, id: &TokenId) -> Record {
        let terms = Terms {
            id,
            kind: "space-support",
            resource: None,
            issuer: &self.entity("user", "issuer"),
            created: UnixTime::from_secs(1_500_000_000),
            expires: None,
            use_limit: None,
        };
        Record::new(terms, &self.root_key(id.as_bytes()), &self.keys).unwrap()
    }

    fn limited(&self, id: &TokenId, limit: u64) -> Record {
        self.sealed(Record { use_limit: Some(NonZeroU64::new(limit).unwrap()), ..self.record(id) })
    }

    /// The same record with its key sealed for what it says now.
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

    // A key that tells what it was made for.
    fn root_key(&self, name: &[u8]) -> RootKey {
        RootKey::derive_any(&[self.run.as_bytes(), name].concat())
    }

    /// The record opens to the key that was sealed for it.
    fn assert_opens(&self, record: &Record) {
        let opened = self.keys.open(&record.root_key, record.owner()).expect("the sealed key opens");
        assert_eq!(opened.expose(), self.root_key(record.id.as_bytes()).expose());
    }
}

fn claim(name: impl AsRef<[u8]>) -> ClaimId {
    ClaimId::new(name.as_ref()).unwrap()
}

/// What was answered, without the grant, which is another each time.
fn plain(answer: Redeem) -> Redeem {
    match answer {
        Redeem::Redeemed { uses_left, grant, repeated } => {
            assert_eq!(
                uses_left.is_some(),
                grant.is_some(),
                "a use of a limited token has a grant, no other has"
            );
            Redeem::Redeemed { uses_left, grant: None, repeated }
        }
        other => other,
    }
}

/// As [`plain`], for a token with a limit.
fn won(uses_left: u64) -> Redeem {
    Redeem::Redeemed { uses_left: Some(uses_left), grant: None, repeated: false }
}

fn again(uses_left: u64) -> Redeem {
    Redeem::Redeemed { uses_left: Some(uses_left), grant: None, repeated: true }
}

fn redeem<S: TokenStore>(store: &S, id: &TokenId, name: impl AsRef<[u8]>) -> Redeem {
    plain(store.redeem(id, &claim(name)).unwrap())
}

/// Spends a use, which is there, and returns its grant.
fn granted<S: TokenStore>(store: &S, id: &TokenId, name: impl AsRef<[u8]>) -> GrantId {
    let answer = store.redeem(id, &claim(name)).unwrap();
    assert!(matches!(answer, Redeem::Redeemed { repeated: false, .. }), "{answer:?}");
    answer.grant().expect("a use of a limited token has a grant")
}

fn insert<S: TokenStore + ?Sized>(store: &S, record: &Record) {
    assert_eq!(store.insert(record).unwrap(), Insert::Inserted);
}

/// Every page of a listing, joined.
fn pages<S: TokenStore + ?Sized>(store: &S, filter: &Filter, limit: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let Page { records: page, damaged, next } = store.list(filter, after.as_deref(), limit).unwrap();
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
