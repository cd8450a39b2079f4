//! The contract of a store, implemented once over any ordered map.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use token_core::UnixTime;

use crate::{
    Amend, Amendment, ClaimId, Cursor, Delete, Entity, Event, Filter, Generation, GrantId, Held, Insert,
    Page, Raise, Record, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId, Use,
    contract::codec::{self, Claim},
    embedded::copy::Copy,
    embedded::engine::{Engine, View},
    embedded::layout,
    embedded::listing::Listing,
    kit,
    owned::Owned,
};
use buckets::Buckets;
use group::{Draft, Group};
use stored::{New, Stored, listed, name_entry, stored};

mod admin;
mod buckets;
mod check;
mod events;
mod group;
mod newest;
mod purge;
mod stored;

/// A store over an engine.
///
/// Writes are serialized and committed in groups. An operation is a function of a [`Draft`] alone, which reads the
/// committed state and collects the changes. Reads take a snapshot and never wait for an operation.
pub(crate) struct Kv<E> {
    engine: Owned<E>,
    group: Group,
    // The time of `revoke_before` in seconds, so that a read need not look it up. Never ahead of the disk.
    revoked_before: AtomicU64,
    // The number of calls about to set `revoked_before`. While it is not 0, the disk may be ahead of it.
    revoking: AtomicUsize,
    // The number of the next spend. A restart may begin again at 0: the numbers keep the index entries of one second
    // together, and the ids in the entries tell them apart.
    spends: AtomicU32,
    buckets: Buckets,
    // The engine's files, if they are a copy for inspection.
    copy: Option<Owned<Copy>>,
}

impl<E: Engine> Kv<E> {
    /// Makes a store on a new engine.
    pub(crate) fn new(engine: E) -> Self {
        let (revoked_before, revoking) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self {
            engine: Owned::new(engine),
            group: Group::new(),
            revoked_before,
            revoking,
            spends: AtomicU32::new(0),
            buckets: Buckets::new(),
            copy: None,
        }
    }

    /// Opens the store in the engine.
    pub(crate) fn open(engine: E) -> Result<Self, StoreError> {
        let mut store = Self::new(engine);
        store.note_revoked_before(store.read(|view| revoke_before(view))?);
        store.buckets = store.read(|view| Buckets::read(view))?;
        Ok(store)
    }

    /// Opens a copy of a store, read-only.
    pub(crate) fn open_copy(
        original: &Path,
        locked: &Path,
        open: impl FnOnce(&Path) -> Result<E, StoreError>,
    ) -> Result<Self, StoreError> {
        let copy = Copy::of(original, locked)?;
        let engine = open(&copy.path()).map_err(|error| crate::embedded::copy::about(original, error))?;
        Ok(Self { copy: Some(Owned::new(copy)), ..Self::open(engine)? })
    }

    // Notes a time of `revoke_before` that is on disk.
    fn note_revoked_before(&self, time: UnixTime) {
        self.revoked_before.fetch_max(time.as_secs(), Ordering::AcqRel);
    }

    // Returns the time of `revoke_before` for a reader. Reads `revoked_before` only while no call is about to set it, so
    // that a record once reported revoked is never reported valid later.
    fn noted_revoke_before(&self, view: &impl View) -> Result<UnixTime, StoreError> {
        match self.revoking.load(Ordering::Acquire) {
            0 => Ok(UnixTime::from_secs(self.revoked_before.load(Ordering::Acquire))),
            _ => revoke_before(view),
        }
    }

    fn read<T>(&self, read: impl FnOnce(&E::View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&self.engine.get()?.view()?)
    }

    fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Draft<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // First: another thread may have held a lock when this process was forked.
        let engine = self.engine.get()?;
        if self.copy.is_some() {
            return Err(StoreError::ReadOnly);
        }
        self.group.write(engine, operation)
    }

    pub(crate) fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        self.engine.get()?;
        loop {
            // Encoded before the operation, so that other callers do not wait for that.
            let new = New::encode(record, self.buckets.draw())?;
            let (left, name) = (layout::left(&record.id), name_entry(record));
            // `None` if claims of a purged record with this id are left. They are removed first.
            let inserted = self.write(move |draft| {
                if draft.get(&new.record.0)?.is_some() {
                    return Ok(Some(Insert::Exists));
                }
                if draft.get(&left)?.is_some() {
                    return Ok(None);
                }
                if is_name_taken(draft, name.as_deref())? {
                    return Ok(Some(Insert::NameTaken));
                }
                put_new(draft, new)?;
                Ok(Some(Insert::Inserted))
            })?;
            match inserted {
                Some(inserted) => return Ok(inserted),
                None => self.sweep_one(&record.id)?,
            }
        }
    }

    pub(crate) fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        self.read(|view| {
            let Some(found) = stored(view, id)? else { return Ok(None) };
            Ok(Some(kit::revoked_before(found.record, self.noted_revoke_before(view)?)))
        })
    }

    pub(crate) fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Result<Spend, StoreError> {
        self.spend_as(id, claim, by, GrantId::draw()?)
    }

    fn spend_as(&self, id: &TokenId, claim: &ClaimId, by: &Use, grant: GrantId) -> Result<Spend, StoreError> {
        by.consumer.iter().try_for_each(codec::check_entity)?;
        let (id, claim, by) = (id.clone(), claim.clone(), by.clone());
        let number = self.spends.fetch_add(1, Ordering::Relaxed);
        self.write(move |draft| {
            let Some(mut stored) = stored(draft, &id)? else { return Ok(Spend::Absent) };
            if stored.use_limit.is_some()
                && let Some(Held { uses_left, grant, .. }) = draft.answer_again(&id, &claim)?
            {
                return Ok(Spend::Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true });
            }
            stored.record = kit::revoked_before(stored.record, revoke_before(draft)?);
            let spent = kit::spend(&mut stored, grant, by.at);
            let Spend::Spent { uses_left, .. } = spent else { return Ok(spent) };
            if let Some(uses_left) = uses_left {
                let key = layout::claim(&id, &claim);
                let held = Held { uses_left, grant, spent: by };
                draft.put_value(key, &Claim::new(held, false))?;
            }
            if stored.is_spent() {
                stored.numbers.spent = number;
            }
            draft.put_record(&stored)?;
            if let Some(entry) = stored.spent_entry() {
                draft.put(entry, Vec::new());
            }
            Ok(spent)
        })
    }

    pub(crate) fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        let (id, claim) = (id.clone(), claim.clone());
        self.write(move |draft| match draft.get(&layout::record(&id))? {
            Some(_) => draft.answer_again(&id, &claim),
            None => Ok(None),
        })
    }

    pub(crate) fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        let (id, key) = (id.clone(), layout::claim(id, claim));
        self.write(move |draft| {
            let Some(mut stored) = stored(draft, &id)? else { return Ok(Refund::Absent) };
            let Some(value) = draft.get(&key)? else { return Ok(Refund::NotClaimed) };
            let claim: Claim = codec::decode(&key, &value)?;
            let answered_again = claim.answered_again;
            if claim.held().grant != grant {
                return Ok(Refund::NotClaimed);
            }
            if answered_again {
                return Ok(Refund::Kept);
            }
            if let Some(entry) = stored.spent_entry() {
                draft.remove(entry);
            }
            stored.uses = stored
                .uses
                .checked_sub(1)
                .ok_or(StoreError::Corrupt { what: "a claim on a record without uses" })?;
            draft.remove(key);
            draft.put_record(&stored)?;
            Ok(Refund::Refunded)
        })
    }

    pub(crate) fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Result<Revoke, StoreError> {
        codec::check_revocation(revocation)?;
        let (id, revocation) = (id.clone(), revocation.clone());
        self.write(move |draft| {
            let Some(mut stored) = stored(draft, &id)? else { return Ok(Revoke::Absent) };
            revoke(draft, &mut stored, &revocation)?;
            Ok(Revoke::Revoked)
        })
    }

    pub(crate) fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError> {
        let id = id.clone();
        self.write(move |draft| {
            let Some(mut stored) = stored(draft, &id)? else { return Ok(Reinstate::Absent) };
            stored.record = kit::revoked_before(stored.record, revoke_before(draft)?);
            let was_revoked = stored.is_revoked();
            let reinstated = kit::reinstate(&mut stored);
            if was_revoked && reinstated == Reinstate::Reinstated {
                draft.put_record(&stored)?;
                events::append(draft, Event::Reinstated(id))?;
            }
            Ok(reinstated)
        })
    }

    pub(crate) fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError> {
        let (id, amendment) = (id.clone(), amendment.clone());
        self.write(move |draft| {
            let Some(mut stored) = stored(draft, &id)? else { return Ok(Amend::Absent) };
            let old = name_entry(&stored);
            kit::amend(&mut stored, &amendment);
            let new = name_entry(&stored);
            if old != new && is_name_taken(draft, new.as_deref())? {
                return Ok(Amend::NameTaken);
            }
            draft.put_record(&stored)?;
            if old != new {
                old.into_iter().for_each(|entry| draft.remove(entry));
                new.into_iter().for_each(|entry| draft.put(entry, Vec::new()));
            }
            Ok(Amend::Amended)
        })
    }

    pub(crate) fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let listing = Listing::new(filter);
        self.read(|view| {
            let (pairs, next) = listing.page(view, after, limit)?;
            let mut page = Page { records: Vec::new(), damaged: Vec::new(), next };
            let before = self.noted_revoke_before(view)?;
            for pair in &pairs {
                let found = listed(view, &listing, pair);
                let record = found.map(|stored| kit::revoked_before(stored.record, before));
                page.add(listing.token(&pair.0)?, record)?;
            }
            Ok(page)
        })
    }

    pub(crate) fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        if !codec::is_stored(subject) {
            return Ok(None);
        }
        self.read(|view| {
            let value = view.get(&layout::generation(subject))?;
            value.map(|value| Generation::from_bytes(subject, &value)).transpose()
        })
    }

    pub(crate) fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.generation(subject)
    }

    pub(crate) fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        let (key, value) = (layout::generation(subject), next.to_bytes(subject)?);
        let (subject, next) = (subject.clone(), next.clone());
        self.write(move |draft| {
            let raise = kit::raise(&subject, draft.get(&key)?.as_deref(), &next)?;
            if raise == Raise::Raised {
                draft.put(key, value);
                events::append(draft, Event::GenerationRaised(subject, next.number))?;
            }
            Ok(raise)
        })
    }

    pub(crate) fn delete_generation(&self, subject: &Entity) -> Result<Delete, StoreError> {
        if !codec::is_stored(subject) {
            return Ok(Delete::Absent);
        }
        let subject = subject.clone();
        self.write(move |draft| {
            let key = layout::generation(&subject);
            if draft.get(&key)?.is_none() {
                return Ok(Delete::Absent);
            }
            draft.remove(key);
            events::append(draft, Event::GenerationDeleted(subject))?;
            Ok(Delete::Deleted)
        })
    }
}

/// Reads the time before which records are revoked.
fn revoke_before(view: &impl View) -> Result<UnixTime, StoreError> {
    Ok(group::time(view, layout::REVOKED_BEFORE)?.unwrap_or(UnixTime::from_secs(0)))
}

// Revokes the record, unless its present revocation stands. Returns whether it changed.
fn revoke(draft: &mut Draft<'_>, stored: &mut Stored, revocation: &Revocation) -> Result<bool, StoreError> {
    let changed = kit::revoke(stored, revocation);
    if changed {
        draft.put_record(stored)?;
        events::append(draft, Event::Revoked(stored.id.clone()))?;
    }
    Ok(changed)
}

// Returns whether another record of the issuer has the name of this entry. A damaged record keeps its name.
fn is_name_taken(view: &impl View, entry: Option<&[u8]>) -> Result<bool, StoreError> {
    let Some(prefix) = entry.and_then(layout::name_prefix) else { return Ok(false) };
    let holder = view.scan(prefix, &layout::after_all(prefix), 1)?.into_iter().next();
    Ok(holder.is_some_and(|(key, _)| Some(key.as_slice()) != entry))
}

// Puts a record that is not there yet.
fn put_new(draft: &mut Draft<'_>, new: New) -> Result<(), StoreError> {
    let New { record: (key, value), mut index, created } = new;
    draft.own.append(&mut index);
    draft.put(key, value);
    newest::see(draft, created)
}

#[cfg(test)]
mod tests;
