//! Calls that meet damaged records.

use super::*;

/// Makes ten records that expire one after another, of which those with these numbers are damaged.
fn damaged(numbers: &[u8]) -> Kv<Memory> {
    let (keys, _) = golden();
    let store = Kv::new(Memory::default());
    for number in 0..10 {
        let id = TokenId::new([number]).unwrap();
        let root_key = token_core::RootKey::from_derived([number; 32]);
        let (space, user) = (space(), user());
        let terms = Terms {
            resource: Some(&space),
            created: UnixTime::from_secs(1),
            expires: Some(UnixTime::from_secs(10 + u64::from(number))),
            use_limit: std::num::NonZeroU64::new(1),
            ..Terms::unlimited(&id, &user)
        };
        let record = Record { uses: 1, ..Record::new(terms, &root_key, &keys).unwrap() };
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
    }
    let mut pairs = pairs(&store);
    for (key, value) in &mut pairs {
        if let Some(layout::Entry::Record(id)) = layout::entry_of(key)
            && numbers.contains(&id.as_bytes()[0])
        {
            value[3] ^= 1;
        }
    }
    self::store(&pairs)
}

#[test]
fn a_listing_goes_on_past_damage_and_names_it() {
    for filter in [
        Filter::All,
        Filter::Resource(space()),
        Filter::Issuer(user()),
        Filter::ExpiresBefore(UnixTime::from_secs(19)),
    ] {
        let store = damaged(&[0, 4, 5, 9]);
        let (mut whole, mut broken, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = store.list(&filter, after.as_ref(), 2).unwrap();
            assert!(page.records.len() + page.damaged.len() == 2);
            whole.extend(page.records.into_iter().map(|record| record.id));
            broken.extend(page.damaged);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((numbers(whole), numbers(broken)), (vec![1, 2, 3, 6, 7, 8], vec![0, 4, 5, 9]));
        let first = store.revoke_all(&filter, &FOR_GOOD, None, 5).unwrap();
        let rest = store.revoke_all(&filter, &FOR_GOOD, first.next.as_ref(), 5).unwrap();
        assert_eq!((first.changed, first.damaged, rest.changed, rest.damaged), (3, 2, 3, 2));
        assert_eq!(rest.next, None);
        let first = store.delete_all(&filter, None, 5).unwrap();
        let rest = store.delete_all(&filter, first.next.as_ref(), 5).unwrap();
        assert_eq!((first.changed, first.damaged, rest.changed, rest.damaged), (3, 2, 3, 2));
        let left = store.list(&filter, None, 9).unwrap();
        assert_eq!((left.records.len(), numbers(left.damaged)), (0, vec![0, 4, 5, 9]));
    }
    let counts = damaged(&[3]).counts().unwrap();
    assert_eq!((counts.records, counts.damaged, counts.spent), (10, 1, 9));
}

#[test]
fn a_damaged_record_stays_and_keeps_its_name() {
    let (keys, whole) = spent();
    let store = store(&whole);
    let spent = TokenId::new(*b"spent").unwrap();
    let record = store.get(&spent).unwrap().unwrap();
    store.damage(&layout::record(&spent));
    let before = pairs(&store);
    assert!(matches!(store.delete(&spent), Err(StoreError::Corrupt { .. })));
    assert!(matches!(store.reinstate(&spent), Err(StoreError::Corrupt { .. })));
    assert!(matches!(store.amend(&spent, &Amendment::default()), Err(StoreError::Corrupt { .. })));
    let mut other = Record { id: TokenId::new(*b"other").unwrap(), ..record };
    other.root_key = keys.seal(&token_core::RootKey::from_derived([1; 32]), other.owner()).unwrap();
    assert_eq!(store.insert(&other).unwrap(), Insert::NameTaken);
    assert!(pairs(&store) == before);
}

#[test]
fn purges_pass_over_what_is_damaged() {
    for (all_in_one, numbers_damaged) in [(true, &[0, 1, 2, 9][..]), (false, &[0, 1, 2, 9]), (false, &[4])] {
        let limit = if all_in_one { 100 } else { 2 };
        let now = UnixTime::from_secs(19);
        for spent in [false, true] {
            let store = damaged(numbers_damaged);
            let purge = || match spent {
                true => store.purge_spent(now, std::time::Duration::ZERO, limit).unwrap(),
                false => store.purge(now, limit).unwrap(),
            };
            let mut purged = 0;
            loop {
                let removed = purge();
                purged += removed;
                if removed < limit {
                    break;
                }
            }
            assert_eq!(purged, 10 - numbers_damaged.len());
            let page = store.list(&Filter::All, None, 10).unwrap();
            assert_eq!((page.records.len(), numbers(page.damaged)), (0, numbers_damaged.to_vec()));
        }
    }
}

#[test]
fn a_key_that_a_damaged_record_may_need_stays() {
    let (mut keys, _) = golden();
    let old = keys.newest_id();
    keys.rotate().unwrap();
    let store = crate::MemoryStore(std::sync::Arc::new(damaged(&[7])));
    let done = crate::rekey(&store, &keys, &mut |_| ()).unwrap();
    assert_eq!((done.seen, done.resealed, done.damaged, done.failed), (9, 9, 1, 0));
    assert_eq!(keys.remove(old, &[&done]), Err(crate::KeyError::Needed { key_id: old }));
}

#[cfg(feature = "transfer")]
#[test]
fn an_export_leaves_out_what_is_damaged_and_names_it() {
    let (_, mut golden) = golden();
    let (_, claim) = golden
        .iter_mut()
        .find(|(key, _)| matches!(layout::entry_of(key), Some(layout::Entry::Claim(_))))
        .unwrap();
    claim[1] ^= 1;
    for (store, tokens, damaged, generations) in [(damaged(&[2, 5]), 8, 2, 0), (store(&golden), 1, 1, 1)] {
        let store = crate::MemoryStore(std::sync::Arc::new(store));
        let mut export = Vec::new();
        let moved = crate::export_to(&store, &mut export, &mut |_| ()).unwrap();
        assert_eq!((moved.tokens, moved.damaged, moved.generations), (tokens, damaged, generations));
        let mut export = std::io::Cursor::new(export);
        let copy = crate::MemoryStore::new();
        let read = crate::import(&copy, &mut export, crate::Epoch::Same, &mut |_| ()).unwrap();
        assert_eq!((read.tokens, read.damaged, read.checksum), (tokens, damaged, moved.checksum));
        assert_eq!(read.kept, tokens + generations);
    }
}

#[test]
fn a_damaged_key_ends_no_listing_of_records() {
    let sound = pairs(&damaged(&[]));
    for at in (0..sound.len()).filter(|at| sound[*at].0[0] == layout::RECORDS[0]) {
        for bit in 8..sound[at].0.len() * 8 {
            let mut pairs = sound.clone();
            pairs[at].0[bit / 8] ^= 1 << (bit % 8);
            let store = store(&pairs);
            let page = store.list(&Filter::All, None, 20).unwrap();
            // The damaged key may be that of another record, which it then hides.
            assert!(page.records.len() >= 8 && page.next.is_none(), "{bit}");
            assert!((9..=10).contains(&store.counts().unwrap().records), "{bit}");
        }
    }
}
