//! The contract of a store, implemented once over any ordered map.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use token_core::UnixTime;

use crate::{
    Amend, Amendment, ClaimId, Cursor, Delete, Entity, Event, Filter, Generation, GrantId, Held, Insert,
    Page, Raise, Record, Refund, Reinstate, Revocation, Revoke, Spend, StoreError, TokenId, Use,
    contract::codec::{self, Claim},
    embedded::copy::Copy,
    embedded::engine::{Engine, Pair, View},
    embedded::layout,
    embedded::listing::Listing,
    kit,
    owned::Owned,
};
use group::{Draft, Group};

mod admin;
mod check;
mod events;
mod group;
mod newest;
mod purge;

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
    // The engine's files, if they are a copy for inspection.
    copy: Option<Owned<Copy>>,
}

impl<E: Engine> Kv<E> {
    /// Makes a store on a new engine.
    pub(crate) fn new(engine: E) -> Self {
        let (revoked_before, revoking) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self { engine: Owned::new(engine), group: Group::new(), revoked_before, revoking, copy: None }
    }

    /// Opens the store in the engine.
    pub(crate) fn open(engine: E) -> Result<Self, StoreError> {
        let store = Self::new(engine);
        store.note_revoked_before(store.read(|view| revoke_before(view))?);
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
        record.to_bytes()?;
        loop {
            let new = record.clone();
            // `None` if claims of a purged record with this id are left. They are removed first.
            let inserted = self.write(move |draft| {
                if draft.get(&layout::record(&new.id))?.is_some() {
                    return Ok(Some(Insert::Exists));
                }
                if draft.get(&layout::left(&new.id))?.is_some() {
                    return Ok(None);
                }
                if is_name_taken(draft, &new)? {
                    return Ok(Some(Insert::NameTaken));
                }
                put_new(draft, &new)?;
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
            let Some(record) = record(view, id)? else { return Ok(None) };
            Ok(Some(kit::revoked_before(record, self.noted_revoke_before(view)?)))
        })
    }

    pub(crate) fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Result<Spend, StoreError> {
        self.spend_as(id, claim, by, GrantId::draw()?)
    }

    fn spend_as(&self, id: &TokenId, claim: &ClaimId, by: &Use, grant: GrantId) -> Result<Spend, StoreError> {
        by.consumer.iter().try_for_each(codec::check_entity)?;
        let (id, claim, by) = (id.clone(), claim.clone(), by.clone());
        self.write(move |draft| {
            let Some(mut record) = record(draft, &id)? else { return Ok(Spend::Absent) };
            if record.use_limit.is_some()
                && let Some(Held { uses_left, grant, .. }) = draft.answer_again(&id, &claim)?
            {
                return Ok(Spend::Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true });
            }
            record = kit::revoked_before(record, revoke_before(draft)?);
            let spent = kit::spend(&mut record, grant, by.at);
            let Spend::Spent { uses_left, .. } = spent else { return Ok(spent) };
            if let Some(uses_left) = uses_left {
                let key = layout::claim(&id, &claim);
                let held = Held { uses_left, grant, spent: by };
                draft.put_value(key, &Claim::new(held, false))?;
            }
            draft.put_record(&record)?;
            if let Some(at) = record.spent_at() {
                draft.put_value(layout::entry(layout::spent(at), &id), &())?;
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
            let Some(mut record) = record(draft, &id)? else { return Ok(Refund::Absent) };
            let Some(value) = draft.get(&key)? else { return Ok(Refund::NotClaimed) };
            let claim: Claim = codec::decode(&key, &value)?;
            let answered_again = claim.answered_again;
            if claim.held().grant != grant {
                return Ok(Refund::NotClaimed);
            }
            if answered_again {
                return Ok(Refund::Kept);
            }
            if let Some(at) = record.spent_at() {
                draft.remove(layout::entry(layout::spent(at), &id));
            }
            record.uses = record
                .uses
                .checked_sub(1)
                .ok_or(StoreError::Corrupt { what: "a claim on a record without uses" })?;
            draft.remove(key);
            draft.put_record(&record)?;
            Ok(Refund::Refunded)
        })
    }

    pub(crate) fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Result<Revoke, StoreError> {
        codec::check_revocation(revocation)?;
        let (id, revocation) = (id.clone(), revocation.clone());
        self.write(move |draft| {
            let Some(mut record) = record(draft, &id)? else { return Ok(Revoke::Absent) };
            revoke(draft, &mut record, &revocation)?;
            Ok(Revoke::Revoked)
        })
    }

    pub(crate) fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError> {
        let id = id.clone();
        self.write(move |draft| {
            let Some(record) = record(draft, &id)? else { return Ok(Reinstate::Absent) };
            let mut record = kit::revoked_before(record, revoke_before(draft)?);
            let was_revoked = record.is_revoked();
            let reinstated = kit::reinstate(&mut record);
            if was_revoked && reinstated == Reinstate::Reinstated {
                draft.put_record(&record)?;
                events::append(draft, Event::Reinstated(id))?;
            }
            Ok(reinstated)
        })
    }

    pub(crate) fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError> {
        let (id, amendment) = (id.clone(), amendment.clone());
        self.write(move |draft| {
            let Some(mut record) = record(draft, &id)? else { return Ok(Amend::Absent) };
            let old = name_entry(&record);
            kit::amend(&mut record, &amendment);
            let new = name_entry(&record);
            if old != new && is_name_taken(draft, &record)? {
                return Ok(Amend::NameTaken);
            }
            draft.put_record(&record)?;
            if old != new {
                old.into_iter().for_each(|entry| draft.remove(entry));
                new.into_iter().try_for_each(|entry| draft.put_value(entry, &()))?;
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
                let record = listed(view, &listing, pair).map(|record| kit::revoked_before(record, before));
                page.add(listing.token(&pair.0)?, record)?;
            }
            Ok(page)
        })
    }

    pub(crate) fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        if !codec::is_stored(subject) {
            return Ok(None);
        }
        let value = self.read(|view| view.get(&layout::generation(subject)))?;
        value.map(|value| Generation::from_bytes(subject, &value)).transpose()
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
fn revoke(draft: &mut Draft<'_>, record: &mut Record, revocation: &Revocation) -> Result<bool, StoreError> {
    let changed = kit::revoke(record, revocation);
    if changed {
        draft.put_record(record)?;
        events::append(draft, Event::Revoked(record.id.clone()))?;
    }
    Ok(changed)
}

// Returns whether another record of the issuer has the name. A damaged record keeps its name.
fn is_name_taken(view: &impl View, record: &Record) -> Result<bool, StoreError> {
    let Some(name) = &record.name else { return Ok(false) };
    let prefix = layout::name(&record.issuer, name);
    let holder = view.scan(&prefix, &layout::after_all(&prefix), 1)?.into_iter().next();
    Ok(holder.is_some_and(|(key, _)| key.get(prefix.len()..) != Some(record.id.as_bytes())))
}

// The index key of the record's name.
fn name_entry(record: &Record) -> Option<Vec<u8>> {
    let prefix = layout::name(&record.issuer, record.name.as_deref()?);
    Some(layout::entry(prefix, &record.id))
}

fn record(view: &impl View, id: &TokenId) -> Result<Option<Record>, StoreError> {
    let key = layout::record(id);
    view.get(&key)?.map(|value| codec::decode_record(&key, id.clone(), &value)).transpose()
}

fn listed(view: &impl View, listing: &Listing, pair: &Pair) -> Result<Record, StoreError> {
    let id = listing.token(&pair.0)?;
    match listing.is_of_records() {
        true => codec::decode_record(&pair.0, id, &pair.1),
        false => indexed(view, id, pair),
    }
}

// Returns the record of an index entry. An entry counts only if it agrees with its record: both were written together,
// and the view is one snapshot.
fn indexed(view: &impl View, id: TokenId, (key, value): &Pair) -> Result<Record, StoreError> {
    codec::decode::<()>(key, value)?;
    let record =
        record(view, &id)?.ok_or(StoreError::Corrupt { what: "an index entry without its record" })?;
    if !index_entries(&record).any(|entry| entry == *key) {
        return Err(StoreError::Corrupt { what: "an index entry that its record contradicts" });
    }
    Ok(record)
}

// Puts a record that is not there yet.
fn put_new(draft: &mut Draft<'_>, record: &Record) -> Result<(), StoreError> {
    draft.put_record(record)?;
    index_entries(record).try_for_each(|entry| draft.put_value(entry, &()))?;
    newest::see(draft, record.created)
}

/// Returns the index keys of a record.
fn index_entries(record: &Record) -> impl Iterator<Item = Vec<u8>> {
    let prefixes = [
        record.resource.as_ref().map(layout::resource),
        Some(layout::issuer(&record.issuer)),
        record.expires.map(layout::expiry),
        record.spent_at().map(layout::spent),
    ];
    let entries = prefixes.into_iter().flatten().map(|prefix| layout::entry(prefix, &record.id));
    entries.chain(name_entry(record))
}

#[cfg(test)]
mod tests;
