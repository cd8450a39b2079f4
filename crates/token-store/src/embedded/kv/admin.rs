//! Administration: calls on many records at once.

use std::sync::atomic::Ordering;

use token_core::UnixTime;

use super::{
    Kv, events,
    group::Draft,
    is_name_taken, newest, put_new, revoke, revoke_before,
    stored::{New, Stored, listed, name_entry, stored},
};
use crate::{
    ClaimId, Counts, Cursor, Event, Events, Filter, Generation, Generations, Held, Item, KeyPlace, Raise,
    Record, Reseal, Revocation, StoreError, Sweep, TokenId,
    contract::codec::{self, Claim},
    contract::report::add,
    embedded::engine::{Engine, Pair, View},
    embedded::layout,
    embedded::listing::{Listing, PAGE, count, each},
    kit,
};

impl<E: Engine> Kv<E> {
    pub(crate) fn revoke_all(
        &self,
        filter: &Filter,
        revocation: &Revocation,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Sweep, StoreError> {
        codec::check_revocation(revocation)?;
        let (listing, revocation, after) = (Listing::new(filter), revocation.clone(), after.cloned());
        self.write(move |draft| {
            let (pairs, next) = listing.page(draft, after.as_ref(), limit)?;
            let mut sweep = Sweep { changed: 0, damaged: 0, next };
            for pair in &pairs {
                match listed(draft, &listing, pair) {
                    Ok(mut stored) => {
                        let changed = revoke(draft, &mut stored, &revocation)?;
                        sweep.changed = sweep.changed.saturating_add(usize::from(changed));
                    }
                    Err(StoreError::Corrupt { .. }) => sweep.damaged = sweep.damaged.saturating_add(1),
                    Err(error) => return Err(error),
                }
            }
            Ok(sweep)
        })
    }

    pub(crate) fn events(&self, after: Option<&Cursor>, limit: usize) -> Result<Events, StoreError> {
        self.read(|view| events::read(view, after, limit))
    }

    pub(crate) fn revoke_before(&self, time: UnixTime) -> Result<UnixTime, StoreError> {
        self.engine.get()?;
        let present = UnixTime::from_secs(self.revoked_before.load(Ordering::Acquire));
        if time <= present {
            return Ok(present);
        }
        self.revoking.fetch_add(1, Ordering::AcqRel);
        let set = self.write(move |draft| {
            let present = revoke_before(draft)?;
            if time > present {
                newest::believe(draft, time)?;
                draft.put_value(layout::REVOKED_BEFORE.to_vec(), &time)?;
                events::append(draft, Event::RevokedBefore(time))?;
            }
            Ok(time.max(present))
        });
        if let Ok(time) = set {
            self.note_revoked_before(time);
        }
        self.revoking.fetch_sub(1, Ordering::AcqRel);
        set
    }

    pub(crate) fn counts(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        let before = self.read(|view| revoke_before(view))?;
        let scan = |from: &[u8], end: &[u8]| self.read(|view| view.scan(from, end, PAGE));
        each(layout::RECORDS, scan, |(key, value)| {
            if layout::claim_of(key).is_some() {
                add(&mut counts.claims, 1);
                return Ok(());
            }
            add(&mut counts.records, 1);
            let damaged = Err(StoreError::Corrupt { what: "the key of a record" });
            let stored = match layout::record_of(key).map_or(damaged, |id| Stored::decode(key, id, value)) {
                Err(StoreError::Corrupt { .. }) => {
                    add(&mut counts.damaged, 1);
                    return Ok(());
                }
                stored => stored?,
            };
            add(&mut counts.spent, stored.is_spent().into());
            add(&mut counts.revoked, (stored.is_revoked() || stored.created < before).into());
            add(&mut counts.expiring, stored.expires.is_some().into());
            Ok(())
        })?;
        counts.generations = count(layout::GENERATIONS, scan)?;
        // Claims of purged records no longer count.
        each(layout::ALL_LEFT, scan, |(key, _)| {
            let claims = layout::claims(&layout::token(key, layout::ALL_LEFT.len())?);
            counts.claims = counts.claims.saturating_sub(count(&claims, scan)?);
            Ok(())
        })?;
        Ok(counts)
    }

    pub(crate) fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError> {
        let all = layout::claims(id);
        let from = after.map_or_else(|| all.clone(), |after| layout::next(layout::claim(id, after)));
        let end = layout::after_all(&all);
        let claim = |(key, value): Pair| {
            let (_, claim) =
                layout::claim_of(&key).ok_or(StoreError::Corrupt { what: "the key of a claim" })?;
            Ok((claim, codec::decode::<Claim>(&key, &value)?.held()))
        };
        self.read(|view| match view.get(&layout::record(id))? {
            Some(_) => view.scan(&from, &end, limit)?.into_iter().map(claim).collect(),
            // Claims of a purged record no longer count.
            None => Ok(Vec::new()),
        })
    }

    pub(crate) fn generations(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Generations, StoreError> {
        self.read(|view| {
            let (pairs, next) = Listing::generations().page(view, after, limit)?;
            let mut page = Generations { sound: Vec::new(), damaged: Vec::new(), next };
            for (key, value) in &pairs {
                // No call looks up a key that names no subject; `check` reports it.
                let Some(subject) = layout::subject_of(key) else { continue };
                match Generation::from_bytes(&subject, value) {
                    Ok(generation) => page.sound.push((subject, generation)),
                    Err(StoreError::Corrupt { .. }) => page.damaged.push(subject),
                    Err(error) => return Err(error),
                }
            }
            Ok(page)
        })
    }

    pub(crate) fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError> {
        let changes = changes.to_vec();
        self.write(move |draft| {
            let mut resealed = 0_usize;
            for Reseal { place, old, new } in changes {
                match place {
                    KeyPlace::Token(id) => match stored(draft, &id)? {
                        Some(mut stored) if stored.root_key == old => {
                            stored.root_key = new;
                            draft.put_record(&stored)?;
                        }
                        _ => continue,
                    },
                    KeyPlace::Generation(subject) => {
                        let key = layout::generation(&subject);
                        let Some(value) = draft.get(&key)? else { continue };
                        let mut generation = Generation::from_bytes(&subject, &value)?;
                        if generation.root_key != old {
                            continue;
                        }
                        generation.root_key = new;
                        draft.put(key, generation.to_bytes(&subject)?);
                    }
                }
                resealed = resealed.saturating_add(1);
            }
            Ok(resealed)
        })
    }

    pub(crate) fn restore(&self, items: &[Item]) -> Result<usize, StoreError> {
        loop {
            let items: Vec<_> = items.iter().map(|item| (item.clone(), self.buckets.draw())).collect();
            // The inner `Err` names a purged record with claims left. They are removed first.
            let restored = self.write(move |draft| {
                for (item, _) in &items {
                    if let Item::Token { record, .. } = item
                        && draft.get(&layout::left(&record.id))?.is_some()
                    {
                        return Ok(Err(record.id.clone()));
                    }
                }
                let mut kept = 0_usize;
                for (item, bucket) in items {
                    let changed = match item {
                        Item::Token { record, claims } => restore(draft, record, claims, bucket)?,
                        Item::Generation { subject, generation } => {
                            let key = layout::generation(&subject);
                            let is_later =
                                match kit::raise(&subject, draft.get(&key)?.as_deref(), &generation)? {
                                    Raise::Raised => true,
                                    Raise::Stale { present } => present < generation.number,
                                };
                            if is_later {
                                draft.put(key, generation.to_bytes(&subject)?);
                                events::append(draft, Event::GenerationRaised(subject, generation.number))?;
                            }
                            is_later
                        }
                    };
                    kept = kept.saturating_add(usize::from(changed));
                }
                Ok(Ok(kept))
            })?;
            match restored {
                Ok(kept) => return Ok(kept),
                Err(id) => self.sweep_one(&id)?,
            }
        }
    }
}

// Returns whether it changed anything.
fn restore(
    draft: &mut Draft<'_>,
    mut record: Record,
    claims: Vec<(ClaimId, Held)>,
    bucket: u32,
) -> Result<bool, StoreError> {
    match stored(draft, &record.id) {
        Ok(None) => {}
        Ok(Some(mut standing)) => {
            return match &record.revocation {
                Some(revocation) => revoke(draft, &mut standing, revocation),
                None => Ok(false),
            };
        }
        // A damaged record verifies no token.
        Err(StoreError::Corrupt { .. }) => return Ok(false),
        Err(error) => return Err(error),
    }
    if is_name_taken(draft, name_entry(&record).as_deref())? {
        record.name = None;
    }
    put_new(draft, New::encode(&record, bucket)?)?;
    for (claim, held) in claims {
        held.spent.consumer.iter().try_for_each(codec::check_entity)?;
        let key = layout::claim(&record.id, &claim);
        // The store it came from may have reported the use to others: it stays spent.
        draft.put_value(key, &Claim::new(held, true))?;
    }
    Ok(true)
}
