//! The check of a whole store for consistency.

use super::{
    Kv,
    admin::{PAGE, each},
    index_entries, newest, record, revoke_before,
};
use crate::{
    CheckReport, Fault, KeyRing, Record, StoreError, TokenId,
    contract::codec,
    embedded::engine::{Engine, View},
    embedded::layout::{self, Entry},
};

impl<E: Engine> Kv<E> {
    pub(crate) fn check(&self, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError> {
        self.read(|view| {
            let mut check = Check { view, keys, report: CheckReport::default() };
            check.everything();
            Ok(check.report)
        })
    }
}

struct Check<'a, V> {
    view: &'a V,
    keys: Option<&'a KeyRing>,
    report: CheckReport,
}

impl<V: View> Check<'_, V> {
    fn everything(&mut self) {
        let mut from = Vec::new();
        loop {
            let Ok(pairs) = self.view.scan(&from, &[0xff], PAGE) else {
                return self.report.find(Fault::Unreadable, None);
            };
            for (key, value) in &pairs {
                // A pair that cannot be read now is a fault too. The walk continues.
                if self.pair(key, value).is_err() {
                    self.report.find(Fault::Unreadable, None);
                }
            }
            match pairs.into_iter().next_back() {
                Some((last, _)) => from = layout::next(last),
                None => return,
            }
        }
    }

    fn pair(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match layout::entry_of(key) {
            Some(Entry::Meta) => self.meta(key, value),
            Some(Entry::Record(id)) => self.record(&id, value)?,
            Some(Entry::Claim(id)) => self.claim(key, &id, value)?,
            Some(Entry::Index(id)) => self.index(key, &id, value)?,
            Some(Entry::Left(id)) => {
                add(&mut self.report.entries);
                if codec::decode_index(key, value).is_err() {
                    self.report.find(Fault::DamagedEntry, Some(&id));
                }
                if self.view.get(&layout::record(&id))?.is_some() {
                    self.report.find(Fault::StrayEntry, Some(&id));
                }
            }
            Some(Entry::Generation(subject)) => drop(self.report.generation(&subject, value, self.keys)),
            None => self.report.find(Fault::UnknownKey, None),
        }
        Ok(())
    }

    fn meta(&mut self, key: &[u8], value: &[u8]) {
        let sound = if key == layout::FORMAT {
            layout::check_format(value).is_ok()
        } else if key == layout::REVOKED_BEFORE {
            revoke_before(self.view).is_ok()
        } else if key == layout::NEWEST {
            newest::newest(self.view).is_ok()
        } else {
            // The number of commits, which the engine checks.
            value.len() == size_of::<u64>()
        };
        if !sound {
            self.report.find(Fault::DamagedMeta, None);
        }
    }

    fn record(&mut self, id: &TokenId, value: &[u8]) -> Result<(), StoreError> {
        let Some(record) = self.report.record(id, value, self.keys) else { return Ok(()) };
        for entry in index_entries(&record) {
            if self.view.get(&entry)?.is_none() {
                self.report.find(Fault::MissingEntry, Some(id));
            }
        }
        let claims = self.claims_on(&record)?;
        self.report.uses(&record, claims);
        Ok(())
    }

    fn claim(&mut self, key: &[u8], id: &TokenId, value: &[u8]) -> Result<(), StoreError> {
        let found = self.sound(id)?;
        if matches!(found, Found::Absent) && self.view.get(&layout::left(id))?.is_some() {
            // The next purge removes it.
            return Ok(());
        }
        let use_limit = match &found {
            Found::Sound(record) => record.use_limit,
            Found::Damaged | Found::Absent => None,
        };
        match codec::decode_claim(key, value) {
            Ok(claim) if !matches!(found, Found::Damaged) => {
                self.report.claim(id, claim.held.uses_left, use_limit);
            }
            // The record of the claim is unknown.
            Ok(_) => add(&mut self.report.claims),
            Err(_) => {
                add(&mut self.report.claims);
                self.report.find(Fault::DamagedClaim, Some(id));
            }
        }
        Ok(())
    }

    fn index(&mut self, key: &[u8], id: &TokenId, value: &[u8]) -> Result<(), StoreError> {
        add(&mut self.report.entries);
        if codec::decode_index(key, value).is_err() {
            self.report.find(Fault::DamagedEntry, Some(id));
        }
        let agrees = match self.sound(id)? {
            Found::Sound(record) => index_entries(&record).any(|entry| entry == key),
            Found::Damaged => true,
            Found::Absent => false,
        };
        if !agrees {
            self.report.find(Fault::StrayEntry, Some(id));
        }
        Ok(())
    }

    fn sound(&self, id: &TokenId) -> Result<Found, StoreError> {
        match record(self.view, id) {
            Ok(Some(record)) => Ok(Found::Sound(Box::new(record))),
            Ok(None) => Ok(Found::Absent),
            // It is counted during the walk over the records.
            Err(StoreError::Corrupt { .. } | StoreError::NewerVersion { .. }) => Ok(Found::Damaged),
            Err(error) => Err(error),
        }
    }

    fn claims_on(&self, record: &Record) -> Result<u64, StoreError> {
        let mut count = 0;
        let scan = |from: &[u8], end: &[u8]| self.view.scan(from, end, PAGE);
        each(&layout::claims(&record.id), scan, |_| {
            add(&mut count);
            Ok(())
        })?;
        Ok(count)
    }
}

enum Found {
    Sound(Box<Record>),
    Damaged,
    Absent,
}

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
