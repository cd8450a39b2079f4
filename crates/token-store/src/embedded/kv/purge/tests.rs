use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    ClaimId, Delete, Entity, Filter, Insert, KeyRing, Record, Refund, Spend, Terms, Use,
    embedded::engine::{Batch, memory::Memory},
};

const USE: Use = Use::anonymous(UnixTime::from_secs(1));

/// An engine that cannot read the page that holds the claims.
struct Damaged(Memory);

struct DamagedView<'a>(<Memory as Engine>::View<'a>);

impl Engine for Damaged {
    type View<'a> = DamagedView<'a>;

    const GROUPS: bool = true;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        self.0.view().map(DamagedView)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }
}

impl View for DamagedView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<std::borrow::Cow<'_, [u8]>>, StoreError> {
        View::get(&self.0, key)
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        match from.starts_with(&layout::claims(&TokenId::new(*b"token").unwrap())) {
            true => Err(StoreError::Corrupt { what: "a page" }),
            false => self.0.scan(from, to, limit),
        }
    }
}

/// An engine whose disk is full after this many commits.
struct Filling(Memory, AtomicUsize);

impl Engine for Filling {
    type View<'a> = <Memory as Engine>::View<'a>;

    const GROUPS: bool = true;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        self.0.view()
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        match self.1.load(Ordering::SeqCst).checked_sub(1) {
            None => Err(StoreError::Full),
            Some(left) => {
                self.1.store(left, Ordering::SeqCst);
                self.0.commit(batch)
            }
        }
    }
}

/// More than fit into two steps.
const CLAIMS: u64 = 600;

fn claim(number: u64) -> ClaimId {
    ClaimId::new(number.to_be_bytes()).unwrap()
}

fn again(answer: &Spend) -> bool {
    matches!(answer, Spend::Spent { repeated: true, .. })
}

fn record(keys: &KeyRing) -> Record {
    let (id, user) = (TokenId::new(*b"token").unwrap(), Entity::user("u1"));
    let terms = Terms {
        created: UnixTime::from_secs(1),
        expires: Some(UnixTime::from_secs(5)),
        use_limit: std::num::NonZeroU64::new(CLAIMS),
        ..Terms::unlimited(&id, &user)
    };
    Record::new(terms, &token_core::RootKey::from_derived([1; 32]), keys).unwrap()
}

/// The calls that remove records.
const REMOVALS: [&str; 4] = ["purge", "purge_spent", "delete", "delete_all"];

/// Removes the record by one of these calls. Returns how many records it removed.
fn remove_by<E: Engine>(store: &Kv<E>, by: &str, id: &TokenId) -> Result<usize, StoreError> {
    let now = UnixTime::from_secs(5);
    match by {
        "purge" => store.purge(now, 9),
        "purge_spent" => store.purge_spent(now, Duration::ZERO, 9),
        "delete" => store.delete(id).map(|deleted| usize::from(deleted == Delete::Deleted)),
        _ => store.delete_all(&Filter::All, None, 9).map(|sweep| sweep.changed),
    }
}

#[test]
fn a_page_of_deletions_ends_after_a_step() {
    let (keys, store) = (KeyRing::generate().unwrap(), Kv::new(Memory::default()));
    for number in 0..5 {
        let mut record = record(&keys);
        record.id = TokenId::new([number]).unwrap();
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
        for number in 0..100 {
            let _spent = store.spend(&record.id, &claim(number), &USE).unwrap();
        }
    }
    let first = store.delete_all(&Filter::All, None, usize::MAX).unwrap();
    let rest = store.delete_all(&Filter::All, first.next.as_ref(), usize::MAX).unwrap();
    assert_eq!((first.changed, rest.changed, rest.next), (3, 2, None));
}

#[test]
fn a_record_whose_claims_cannot_be_read_stays() {
    let keys = KeyRing::generate().unwrap();
    for by in REMOVALS {
        let store = Kv::new(Damaged(Memory::default()));
        let mut record = record(&keys);
        record.use_limit = std::num::NonZeroU64::new(1);
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
        let granted = store.spend(&record.id, &claim(1), &USE).unwrap();
        let before = store.engine.get().unwrap().0.view().unwrap().clone();
        let removed = remove_by(&store, by, &record.id);
        match by {
            "delete" => assert!(matches!(removed, Err(StoreError::Corrupt { .. })), "{removed:?}"),
            _ => assert_eq!(removed.unwrap(), 0, "{by} {granted:?}"),
        }
        assert!(*store.engine.get().unwrap().0.view().unwrap() == before, "no claim outlives its record");
    }
}

#[test]
fn an_interrupted_purge_grants_nothing_anew() {
    let keys = KeyRing::generate().unwrap();
    let resumed =
        REMOVALS.iter().flat_map(|by| ["resume", "insert", "restore"].map(|again_by| (*by, again_by)));
    for (by, again_by) in resumed {
        for commits in 0..5 {
            let name = format!("{by} {again_by} {commits}");
            let store = Kv::new(Filling(Memory::default(), AtomicUsize::new(usize::MAX)));
            let fresh = record(&keys);
            let id = &fresh.id;
            assert_eq!(store.insert(&fresh).unwrap(), Insert::Inserted);
            let grants: Vec<_> = (0..CLAIMS)
                .map(|number| store.spend(id, &claim(number), &USE).unwrap().grant().unwrap())
                .collect();
            let fill = |after: usize| store.engine.get().unwrap().1.store(after, Ordering::SeqCst);
            fill(commits);
            let purged = remove_by(&store, by, id);
            fill(usize::MAX);
            assert_eq!(purged.is_ok(), commits >= 3, "{name}: {purged:?}");

            // Whole or absent, after each step.
            let whole = store.get(id).unwrap().is_some();
            assert_eq!(whole, commits == 0, "{name}");
            let listed = store.claims(id, None, usize::MAX).unwrap().len();
            assert_eq!((listed, store.counts().unwrap().claims), if whole { (600, 600) } else { (0, 0) });
            assert!(store.check(None).unwrap().is_sound(), "{name}");
            for number in [0, 300, 599] {
                let answer = store.spend(id, &claim(number), &USE).unwrap();
                assert!(if whole { again(&answer) } else { answer == Spend::Absent }, "{name}: {answer:?}");
                assert_eq!(store.claimed(id, &claim(number)).unwrap().is_some(), whole, "{name}");
                let refund = store.refund(id, &claim(number), grants[0]).unwrap();
                assert!(whole || refund == Refund::Absent, "{name}: {refund:?}");
            }
            if whole {
                continue;
            }
            // Nothing is left for the next record with this id.
            match again_by {
                "resume" => assert_eq!(remove_by(&store, by, id).unwrap(), 0, "{name}"),
                "insert" => assert_eq!(store.insert(&fresh).unwrap(), Insert::Inserted),
                _ => {
                    let item = crate::Item::Token { record: fresh.clone(), claims: Vec::new() };
                    assert_eq!(store.restore(&[item]).unwrap(), 1);
                }
            }
            let kept = store.engine.get().unwrap().view().unwrap().scan(&[], &[0xff], usize::MAX).unwrap();
            assert!(kept.iter().all(|(key, _)| layout::claim_of(key).is_none()), "{name}");
            if again_by != "resume" {
                let answer = store.spend(id, &claim(0), &USE).unwrap();
                assert!(matches!(answer, Spend::Spent { uses_left: Some(599), repeated: false, .. }));
                assert_eq!(store.refund(id, &claim(0), grants[0]).unwrap(), Refund::NotClaimed);
            }
            assert!(store.check(None).unwrap().is_sound(), "{name}");
        }
    }
}

#[test]
fn a_listing_passes_over_claims() {
    let (keys, store) = (KeyRing::generate().unwrap(), Kv::new(Memory::default()));
    // Ids of which one is the beginning of the next.
    let ids: Vec<TokenId> = (1..=4).map(|len| TokenId::new(vec![0; len]).unwrap()).collect();
    for (number, id) in (0..).zip(&ids) {
        let mut record = record(&keys);
        record.id = id.clone();
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
        for number in 0..number * 7 {
            let _spent = store.spend(id, &claim(number), &USE).unwrap();
        }
    }
    for limit in 1..=5 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&Filter::All, after.as_ref(), limit).unwrap();
            found.extend(page.records.into_iter().map(|record| (record.id, record.uses)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, ids.iter().cloned().zip([0, 7, 14, 21]).collect::<Vec<_>>());
    }
    let counts = store.counts().unwrap();
    assert_eq!((counts.records, counts.claims), (4, 42));
    assert_eq!(store.claims(&ids[1], None, 99).unwrap().len(), 7);
    assert!(store.check(None).unwrap().is_sound());
}
