//! What the parts of the suite share.

use std::{
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Barrier,
    thread,
};

use ring::rand::{SecureRandom, SystemRandom};
use token_core::{RootKey, UnixTime};

use crate::{
    ClaimId, Cursor, Entity, Filter, Generation, GrantId, Insert, KeyRing, Owner, Page, Record, Revocation,
    Spend, Terms, TokenId, TokenStore, Use,
};

/// The year 3000, and the latest time: no store accepts that it is so late.
pub(super) const FAR_AHEAD: [UnixTime; 2] = [UnixTime::from_secs(32_503_680_000), UnixTime::MAX];

/// The time at which the suite spends.
pub(super) const NOW: UnixTime = UnixTime::from_secs(1_500_000_000);

/// A use at that time.
pub(super) const USE: Use = Use::anonymous(NOW);

/// A revocation at that time.
pub(super) const FOR_GOOD: Revocation = Revocation::for_good(NOW);

pub(super) const ATOMIC: &str = "G1 (atomic)";
pub(super) const LINEARIZABLE: &str = "G2 (linearizable)";
pub(super) const DURABLE: &str = "G3 (durable)";
pub(super) const IDEMPOTENT: &str = "G6 (idempotent)";

/// Runs one part of the suite. If it panics, panics with the name of the broken promise.
#[track_caller]
pub(super) fn holds(promise: &str, part: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(part)) else { return };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    panic!("the store breaks {promise}: {what}");
}

/// The names and records of one run.
pub(super) struct Suite {
    pub(super) run: String,
    pub(super) keys: KeyRing,
}

impl Suite {
    pub(super) fn new() -> Self {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).unwrap();
        Self { run: format!("{:016x}", u64::from_be_bytes(random)), keys: KeyRing::generate().unwrap() }
    }

    pub(super) fn id(&self, name: impl AsRef<[u8]>) -> TokenId {
        TokenId::new([self.run.as_bytes(), name.as_ref()].concat()).unwrap()
    }

    pub(super) fn entity(&self, kind: &str, name: &str) -> Entity {
        Entity { kind: kind.to_owned().into(), id: format!("{}{name}", self.run) }
    }

    /// Makes a record without an expiry, a use limit or a resource.
    pub(super) fn record(&self, id: &TokenId) -> Record {
        let issuer = self.entity("user", "issuer");
        Record::new(Terms::unlimited(id, &issuer), &self.root_key(id.as_bytes()), &self.keys).unwrap()
    }

    pub(super) fn limited(&self, id: &TokenId, limit: u64) -> Record {
        self.sealed(Record { use_limit: Some(NonZeroU64::new(limit).unwrap()), ..self.record(id) })
    }

    /// Re-seals the key of a record for its present terms.
    pub(super) fn sealed(&self, mut record: Record) -> Record {
        let root_key = self.root_key(record.id.as_bytes());
        record.root_key = self.keys.seal(&root_key, record.owner()).unwrap();
        record
    }

    pub(super) fn generation(&self, subject: &Entity, number: u64) -> Generation {
        let root_key = self.root_key(&number.to_be_bytes());
        let root_key = self.keys.seal(&root_key, Owner::Generation { subject, number }).unwrap();
        Generation { number, root_key }
    }

    /// Makes a key that depends on the name.
    pub(super) fn root_key(&self, name: &[u8]) -> RootKey {
        RootKey::derive_any(&[self.run.as_bytes(), name].concat())
    }

    /// Asserts that the record opens to the key that was sealed for it.
    pub(super) fn assert_opens(&self, record: &Record) {
        let opened = self.keys.open(&record.root_key, record.owner()).expect("the sealed key opens");
        assert_eq!(opened.expose(), self.root_key(record.id.as_bytes()).expose());
    }
}

/// Runs a part for each of the items, all at once, each in a thread of its own.
pub(super) fn together<T: Send>(items: impl ExactSizeIterator<Item = T>, part: impl Fn(T) + Sync) {
    let (barrier, part) = (Barrier::new(items.len()), &part);
    thread::scope(|scope| {
        for item in items {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                part(item);
            });
        }
    });
}

pub(super) fn claim(name: impl AsRef<[u8]>) -> ClaimId {
    ClaimId::new(name.as_ref()).unwrap()
}

/// Drops the grant from an answer, since it differs each time.
pub(super) fn plain(answer: Spend) -> Spend {
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
pub(super) fn won(uses_left: u64) -> Spend {
    Spend::Spent { uses_left: Some(uses_left), grant: None, repeated: false }
}

pub(super) fn again(uses_left: u64) -> Spend {
    Spend::Spent { uses_left: Some(uses_left), grant: None, repeated: true }
}

pub(super) fn spend<S: TokenStore>(store: &S, id: &TokenId, name: impl AsRef<[u8]>) -> Spend {
    plain(store.spend(id, &claim(name), &USE).unwrap())
}

/// Spends a use that must be left, and returns its grant.
pub(super) fn granted<S: TokenStore>(store: &S, id: &TokenId, name: impl AsRef<[u8]>) -> GrantId {
    let answer = store.spend(id, &claim(name), &USE).unwrap();
    assert!(matches!(answer, Spend::Spent { repeated: false, .. }), "{answer:?}");
    answer.grant().expect("a use of a limited token has a grant")
}

pub(super) fn insert<S: TokenStore + ?Sized>(store: &S, record: &Record) {
    assert_eq!(store.insert(record).unwrap(), Insert::Inserted);
}

/// Inserts ten records under `letter` and a number, in this order, and returns them by id. The even ones are about
/// the first entity; the first six are of the second one, and the others of the third.
pub(super) fn insert_ten<S: TokenStore>(
    suite: &Suite,
    store: &S,
    letter: u8,
    expires: fn(u64) -> Option<UnixTime>,
) -> (Vec<Record>, [Entity; 3]) {
    let [space, alice, bob] = [("space", "s"), ("user", "a"), ("user", "b")]
        .map(|(kind, name)| suite.entity(kind, &format!("{letter}{name}")));
    let mut all = Vec::new();
    for number in [5_u8, 0, 9, 3, 7, 1, 8, 2, 6, 4] {
        let record = suite.sealed(Record {
            resource: (number % 2 == 0).then(|| space.clone()),
            issuer: if number < 6 { alice.clone() } else { bob.clone() },
            expires: expires(number.into()),
            ..suite.record(&suite.id([letter, number]))
        });
        insert(store, &record);
        all.push(record);
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    (all, [space, alice, bob])
}

/// Returns cursors that differ from this one in one bit, or are cut short.
pub(super) fn altered(cursor: &Cursor) -> impl Iterator<Item = Cursor> {
    let bytes = cursor.as_bytes();
    (0..bytes.len()).flat_map(|at| {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1;
        [altered.into(), bytes[..at].to_vec().into()]
    })
}

/// Returns every page of a listing, joined; by id where the contract leaves the order to the store.
pub(super) fn pages<S: TokenStore + ?Sized>(store: &S, filter: &Filter, limit: usize) -> Vec<Record> {
    let mut records = pages_in_order(store, filter, limit);
    if matches!(filter, Filter::Resource(_) | Filter::Issuer(_)) {
        records.sort_by(|a, b| a.id.cmp(&b.id));
    }
    records
}

/// Returns every page of a listing, joined, in the order of the store.
pub(super) fn pages_in_order<S: TokenStore + ?Sized>(
    store: &S,
    filter: &Filter,
    limit: usize,
) -> Vec<Record> {
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
