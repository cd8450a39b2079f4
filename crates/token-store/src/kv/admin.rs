//! Administration: many records at once.

use token_core::UnixTime;

use super::{Kv, index_entries, listed, spent, void_before};
use crate::{
    ClaimId, Counts, Entity, Filter, Generation, Item, KeyPlace, Reseal, StoreError, Sweep, TokenId,
    codec::{self, Claim},
    cursor::Listing,
    engine::{Engine, Pair, View},
    layout,
};

/// How many pairs are read at a time.
pub(super) const PAGE: usize = 1024;

impl<E: Engine> Kv<E> {
    pub(crate) fn revoke_all(
        &self,
        filter: &Filter,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Sweep, StoreError> {
        let (filter, listing) = (filter.clone(), Listing::new(filter));
        let from = listing.start(after)?;
        let nothing = after.map_or_else(|| listing.cursor(&[]), <[u8]>::to_vec);
        self.write(move |draft| {
            let mut pairs = draft.scan(&from, listing.end(), limit.saturating_add(1))?;
            let more = pairs.len() > limit;
            pairs.truncate(limit);
            let next = more.then(|| pairs.last().map_or(nothing, |(key, _)| listing.cursor(key)));
            let mut sweep = Sweep { revoked: 0, damaged: 0, next };
            for pair in &pairs {
                match listed(draft, &filter, &listing, pair) {
                    Ok(mut record) if !record.revoked => {
                        record.revoked = true;
                        draft.put_record(&record)?;
                        sweep.revoked = sweep.revoked.saturating_add(1);
                    }
                    Ok(_) => {}
                    Err(StoreError::Corrupt { .. }) => sweep.damaged = sweep.damaged.saturating_add(1),
                    Err(error) => return Err(error),
                }
            }
            Ok(sweep)
        })
    }

    pub(crate) fn void_before(&self, time: UnixTime) -> Result<UnixTime, StoreError> {
        let time = self.write(move |draft| {
            let present = void_before(draft)?;
            if time <= present {
                return Ok(present);
            }
            draft.upgrade()?;
            let key = layout::void();
            let value = codec::encode_time(&key, time)?;
            draft.put(key, value);
            Ok(time)
        })?;
        self.note_void(time);
        Ok(time)
    }

    pub(crate) fn counts(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        let add = |count: &mut u64, one: bool| *count = count.saturating_add(u64::from(one));
        let records = layout::records();
        self.each_page(&records, |(key, value)| {
            let id = layout::token(key, records.len())?;
            add(&mut counts.records, true);
            let record = match codec::decode_record(key, id, value) {
                Ok(record) => self.judged(record),
                Err(StoreError::Corrupt { .. }) => {
                    add(&mut counts.damaged, true);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            add(&mut counts.spent, record.is_spent());
            add(&mut counts.revoked, record.revoked);
            add(&mut counts.expiring, record.expires.is_some());
            Ok(())
        })?;
        self.each_page(&layout::all_claims(), |_| {
            add(&mut counts.claims, true);
            Ok(())
        })?;
        self.each_page(&layout::generations(), |_| {
            add(&mut counts.generations, true);
            Ok(())
        })?;
        Ok(counts)
    }

    pub(crate) fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, u64)>, StoreError> {
        let all = layout::claims(id);
        let from = after.map_or_else(|| all.clone(), |after| layout::next(layout::claim(id, after)));
        let end = layout::after_all(all).unwrap_or_default();
        let claim = |(key, value): Pair| {
            let (_, claim) =
                layout::claim_of(&key).ok_or(StoreError::Corrupt { what: "the key of a claim" })?;
            Ok((claim, codec::decode_claim(&key, &value)?.uses_left))
        };
        self.read(|view| view.scan(&from, &end, limit)?.into_iter().map(claim).collect())
    }

    pub(crate) fn generations(
        &self,
        after: Option<&Entity>,
        limit: usize,
    ) -> Result<Vec<(Entity, Generation)>, StoreError> {
        let all = layout::generations();
        let from = after.map_or_else(|| all.clone(), |after| layout::next(layout::generation(after)));
        let end = layout::after_all(all).unwrap_or_default();
        let generation = |(key, value): Pair| {
            let subject =
                layout::subject_of(&key).ok_or(StoreError::Corrupt { what: "the key of a generation" })?;
            Ok((subject, codec::decode_generation(&key, &value)?))
        };
        self.read(|view| view.scan(&from, &end, limit)?.into_iter().map(generation).collect())
    }

    pub(crate) fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError> {
        let changes = changes.to_vec();
        self.write(move |draft| {
            let mut resealed = 0_usize;
            for Reseal { place, old, new } in changes {
                match place {
                    KeyPlace::Token(id) => match draft.record(&id)? {
                        Some(mut record) if record.root_key == old => {
                            record.root_key = new;
                            draft.put_record(&record)?;
                        }
                        _ => continue,
                    },
                    KeyPlace::Generation(subject) => {
                        let key = layout::generation(&subject);
                        let Some(value) = draft.get(&key)? else { continue };
                        let mut generation = codec::decode_generation(&key, &value)?;
                        if generation.root_key != old {
                            continue;
                        }
                        generation.root_key = new;
                        let value = codec::encode_generation(&key, &generation)?;
                        draft.put(key, value);
                    }
                }
                resealed = resealed.saturating_add(1);
            }
            Ok(resealed)
        })
    }

    pub(crate) fn restore(&self, items: &[Item]) -> Result<usize, StoreError> {
        let items = items.to_vec();
        self.write(move |draft| {
            let mut kept = 0_usize;
            for item in items {
                let place = match &item {
                    Item::Token { record, .. } => layout::record(&record.id),
                    Item::Generation { subject, .. } => layout::generation(subject),
                };
                if draft.get(&place)?.is_some() {
                    continue;
                }
                match item {
                    Item::Token { record, claims } => {
                        draft.put_record(&record)?;
                        for entry in index_entries(&record) {
                            let value = codec::encode_index(&entry)?;
                            draft.put(entry, value);
                        }
                        for (claim, uses_left) in claims {
                            let key = layout::claim(&record.id, &claim);
                            // The store it came from may have answered it to others: its use stays spent.
                            let claim = Claim { uses_left, answered_again: true };
                            let value = codec::encode_claim(&key, claim)?;
                            draft.put(key, value);
                        }
                        if record.is_spent() {
                            spent::add(draft, &record.id)?;
                        }
                    }
                    Item::Generation { generation, .. } => {
                        let value = codec::encode_generation(&place, &generation)?;
                        draft.put(place, value);
                    }
                }
                kept = kept.saturating_add(1);
            }
            Ok(kept)
        })
    }

    // Everything that begins with a prefix, page by page, each of its own moment.
    fn each_page(
        &self,
        prefix: &[u8],
        mut see: impl FnMut(&Pair) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let end = layout::after_all(prefix.to_vec()).unwrap_or_default();
        let mut from = prefix.to_vec();
        loop {
            let pairs = self.read(|view| view.scan(&from, &end, PAGE))?;
            pairs.iter().try_for_each(&mut see)?;
            match pairs.into_iter().next_back() {
                Some((last, _)) => from = layout::next(last),
                None => return Ok(()),
            }
        }
    }
}
