//! The report of a check.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU64,
};

use crate::{Entity, Generation, KeyError, KeyPlace, KeyRing, Owner, Record, SealedKey, TokenId};

/// The result of [`Administration::check`](crate::Administration::check).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many records were checked.
    pub records: u64,
    /// How many claims were checked.
    pub claims: u64,
    /// How many index entries were checked.
    pub entries: u64,
    /// How many generations were checked.
    pub generations: u64,
    /// How many sealed keys were opened; 0 without a key ring.
    pub opened: u64,
    /// The ids of keys that are needed but not in the ring ([`Fault::KeyUnavailable`]).
    pub missing_keys: BTreeSet<u32>,
    /// How often each kind of fault was found.
    pub faults: BTreeMap<Fault, u64>,
    /// The first [`CheckReport::EXAMPLES`] faults, each with its token or subject if it has one.
    pub examples: Vec<(Fault, Option<KeyPlace>)>,
}

impl CheckReport {
    /// The maximum number of examples.
    pub const EXAMPLES: usize = 100;

    /// Returns whether there is no fault.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Counts a record, and reports whether it is damaged and, given a key ring, whether its key opens. Returns the
    /// record if it is sound. For a store of your own.
    pub fn record(&mut self, id: &TokenId, stored: &[u8], keys: Option<&KeyRing>) -> Option<Record> {
        let record = Record::from_bytes(id.clone(), stored).ok();
        self.found(id, record.as_ref(), keys);
        record
    }

    /// Does the same for a record that was decoded; `None` if it is damaged.
    pub(crate) fn found(&mut self, id: &TokenId, record: Option<&Record>, keys: Option<&KeyRing>) {
        add(&mut self.records, 1);
        match record {
            Some(record) => self.opens(keys, &record.root_key, record.owner()),
            None => self.find(Fault::DamagedRecord, Some(id)),
        }
    }

    /// Reports a record with more uses than its limit or fewer uses than claims. For a store of your own.
    pub fn uses(&mut self, record: &Record, claims: u64) {
        if record.use_limit.is_some_and(|limit| record.uses > limit.get()) || claims > record.uses {
            self.find(Fault::WrongUses, Some(&record.id));
        }
    }

    /// Counts a claim, and reports whether it can hold a use. `use_limit` is that of the claim's record; `None` if there
    /// is no such record. For a store of your own.
    pub fn claim(&mut self, id: &TokenId, uses_left: u64, use_limit: Option<NonZeroU64>) {
        add(&mut self.claims, 1);
        match use_limit {
            None => self.find(Fault::StrayClaim, Some(id)),
            Some(limit) if uses_left >= limit.get() => self.find(Fault::WrongClaim, Some(id)),
            Some(_) => {}
        }
    }

    /// Counts a generation, and reports whether it is damaged and, given a key ring, whether its key opens. Returns the
    /// generation if it is sound. For a store of your own.
    pub fn generation(
        &mut self,
        subject: &Entity,
        stored: &[u8],
        keys: Option<&KeyRing>,
    ) -> Option<Generation> {
        add(&mut self.generations, 1);
        let Ok(generation) = Generation::from_bytes(subject, stored) else {
            self.find_at(Fault::DamagedGeneration, Some(KeyPlace::Generation(subject.clone())));
            return None;
        };
        self.opens(keys, &generation.root_key, Owner::Generation { subject, number: generation.number });
        Some(generation)
    }

    /// Reports another fault. For a store of your own.
    pub fn find(&mut self, fault: Fault, token: Option<&TokenId>) {
        self.find_at(fault, token.cloned().map(KeyPlace::Token));
    }

    fn opens(&mut self, keys: Option<&KeyRing>, sealed: &SealedKey, owner: Owner<'_>) {
        let Some(keys) = keys else { return };
        let fault = match keys.open(sealed, owner) {
            Ok(_) => {
                add(&mut self.opened, 1);
                return;
            }
            Err(KeyError::Absent { key_id }) => {
                self.missing_keys.insert(key_id);
                Fault::KeyUnavailable
            }
            Err(_) => Fault::Forged,
        };
        self.find_at(fault, Some(owner.place()));
    }

    fn find_at(&mut self, fault: Fault, place: Option<KeyPlace>) {
        add(self.faults.entry(fault).or_default(), 1);
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push((fault, place));
        }
    }
}

/// A fault in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A part of the store cannot be read at all, and was not checked.
    Unreadable,
    /// A key that no version of this software writes.
    UnknownKey,
    /// The version or another number about the whole store is damaged or missing.
    DamagedMeta,
    /// A record is damaged.
    DamagedRecord,
    /// A claim is damaged.
    DamagedClaim,
    /// An index entry is damaged.
    DamagedEntry,
    /// A generation is damaged.
    DamagedGeneration,
    /// A record has more uses than its limit, or fewer uses than claims.
    WrongUses,
    /// A claim has no record, or its record has no use limit.
    StrayClaim,
    /// A claim says that more uses were left than there were.
    WrongClaim,
    /// A record lacks an index entry, so that a listing or a purge misses it.
    MissingEntry,
    /// An index entry has no record, or contradicts its record.
    StrayEntry,
    /// A sealed key needs a key that the ring does not hold.
    KeyUnavailable,
    /// A sealed key does not open: it is damaged or forged, belongs to another owner, or its record was edited.
    Forged,
}

impl Fault {
    /// Returns the name for programs, which never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.texts().0
    }

    // The name for programs, and the description for people.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreadable => ("unreadable", "a part that cannot be read"),
            Self::UnknownKey => ("unknown-key", "an unknown key"),
            Self::DamagedMeta => ("damaged-meta", "a damaged number about the store"),
            Self::DamagedRecord => ("damaged-record", "a damaged record"),
            Self::DamagedClaim => ("damaged-claim", "a damaged claim"),
            Self::DamagedEntry => ("damaged-entry", "a damaged index entry"),
            Self::DamagedGeneration => ("damaged-generation", "a damaged generation"),
            Self::WrongUses => ("wrong-uses", "a record with a wrong number of uses"),
            Self::StrayClaim => ("stray-claim", "a claim on nothing"),
            Self::WrongClaim => ("wrong-claim", "a claim with a wrong number of uses"),
            Self::MissingEntry => ("missing-entry", "a record without its index entry"),
            Self::StrayEntry => ("stray-entry", "an index entry without its record"),
            Self::KeyUnavailable => ("key-unavailable", "a sealed key whose key is not in the ring"),
            Self::Forged => ("forged", "a sealed key that does not open"),
        }
    }
}

/// Formats the description for people.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().1)
    }
}

/// Adds to a count.
pub(crate) fn add(count: &mut u64, more: usize) {
    *count = count.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
}
