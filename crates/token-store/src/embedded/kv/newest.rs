//! The newest creation time that the store has seen. A store reads no clock, so that this is its only evidence against
//! the time of a purge.

use token_core::UnixTime;

use super::group::{Draft, time};
use crate::{StoreError, embedded::engine::View, embedded::layout, kit};

/// How many seconds the noted time may lag behind, so that few inserts write it.
const LAG: u64 = 10 * 60;

/// Notes the creation time of a record.
pub(super) fn see(draft: &mut Draft<'_>, created: UnixTime) -> Result<(), StoreError> {
    let known = match newest(draft) {
        // The time of this record repairs it.
        Err(StoreError::Corrupt { .. }) => None,
        known => known?,
    };
    if known.is_none_or(|known| created.as_secs() > known.as_secs().saturating_add(LAG)) {
        draft.put_value(layout::NEWEST.to_vec(), &created)?;
    }
    Ok(())
}

/// Refuses a time that is too far ahead. A store that has never kept a record accepts any time.
pub(super) fn believe(view: &impl View, now: UnixTime) -> Result<(), StoreError> {
    kit::refuse_far_ahead(now, newest(view)?)
}

/// Returns the noted time; `None` if no record was ever kept.
pub(super) fn newest(view: &impl View) -> Result<Option<UnixTime>, StoreError> {
    time(view, layout::NEWEST)
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, time::Duration};

    use super::*;
    use crate::{
        Administration, Entity, Insert, Item, KeyRing, MemoryStore, Record, Terms, TokenId, TokenStore,
        kit::AHEAD,
    };

    const START: UnixTime = UnixTime::from_secs(1_500_000_000);

    /// Makes a spent record that was created, and expired, this many seconds after the start.
    fn record(after: u64) -> Record {
        let (id, user) = (TokenId::new(format!("created {after}")).unwrap(), Entity::user("u1"));
        let terms = Terms {
            created: START.plus_secs(after),
            expires: Some(START.plus_secs(after)),
            use_limit: NonZeroU64::new(1),
            ..Terms::unlimited(&id, &user)
        };
        let keys = KeyRing::generate().unwrap();
        let record = Record::new(terms, &token_core::RootKey::from_derived([1; 32]), &keys).unwrap();
        Record { uses: 1, ..record }
    }

    fn insert(store: &MemoryStore, after: u64) {
        assert_eq!(store.insert(&record(after)).unwrap(), Insert::Inserted);
    }

    fn restore(store: &MemoryStore, after: u64) {
        let item = Item::Token { record: record(after), claims: Vec::new() };
        assert_eq!(store.restore(&[item]).unwrap(), 1);
    }

    fn noted(store: &MemoryStore) -> Option<UnixTime> {
        store.0.read(|view| newest(view)).unwrap()
    }

    fn refused<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::ClockAhead { bound: AHEAD, .. }), "{error}");
    }

    #[test]
    fn few_inserts_write_it() {
        let store = MemoryStore::new();
        for (after, expected) in
            [(0, 0), (LAG, 0), (LAG + 1, LAG + 1), (5, LAG + 1), (2 * LAG + 1, LAG + 1), (9 * LAG, 9 * LAG)]
        {
            insert(&store, after);
            assert_eq!(noted(&store), Some(START.plus_secs(expected)));
        }
        assert!(store.check(None).unwrap().is_sound());
    }

    #[test]
    fn a_time_too_far_ahead_is_refused_until_a_record_is_kept() {
        for keep in [insert, restore] {
            let store = MemoryStore::new();
            let at = |after: u64| START.plus_secs(after);
            // The store has no evidence of the time, and no record to lose.
            assert_eq!(store.purge(UnixTime::MAX, 9).unwrap(), 0);
            keep(&store, 0);
            keep(&store, AHEAD); // as when the operator mints a token
            keep(&store, AHEAD + 7);
            let now = at(2 * AHEAD + 1);
            refused(store.purge(now, 9));
            refused(store.purge_spent(now, Duration::ZERO, 9));
            refused(store.revoke_before(now));
            assert_eq!(store.counts().unwrap().records, 3);
            assert_eq!(store.revoke_before(UnixTime::from_secs(0)).unwrap(), UnixTime::from_secs(0));
            assert_eq!(store.purge(at(2 * AHEAD), 1).unwrap(), 1);
            assert_eq!(store.purge_spent(at(2 * AHEAD), Duration::ZERO, 1).unwrap(), 1);
            assert_eq!(store.revoke_before(at(2 * AHEAD)).unwrap(), at(2 * AHEAD));
            // A purged record still counts.
            assert_eq!(store.purge(at(2 * AHEAD), 9).unwrap(), 1);
            refused(store.purge(now, 9));
            keep(&store, 2 * AHEAD);
            assert_eq!(store.purge(now, 9).unwrap(), 1);
        }
    }

    #[test]
    fn a_damaged_one_refuses_purges_and_no_inserts() {
        let store = MemoryStore::new();
        insert(&store, 0);
        store.0.damage(layout::NEWEST);
        assert!(matches!(store.purge(START, 9), Err(StoreError::Corrupt { .. })));
        insert(&store, 1);
        assert_eq!(noted(&store), Some(START.plus_secs(1)));
        assert_eq!(store.purge(START, 9).unwrap(), 1);
    }
}
