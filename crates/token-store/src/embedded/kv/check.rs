//! The check of a whole store for consistency.

use super::{
    Kv, events, newest, revoke_before,
    stored::{Stored, stored},
};
use crate::{
    CheckReport, Fault, KeyRing, StoreError, TokenId,
    contract::codec::{self, Claim},
    contract::report::add,
    embedded::engine::{Engine, View},
    embedded::layout::{self, Entry},
    embedded::listing::{PAGE, count, each},
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
        let view = self.view;
        let walked = each(
            &[],
            |from, _| view.scan(from, &[0xff], PAGE),
            |(key, value)| {
                // A pair that cannot be read now is a fault too. The walk continues.
                if self.pair(key, value).is_err() {
                    self.report.find(Fault::Unreadable, None);
                }
                Ok(())
            },
        );
        if walked.is_err() {
            self.report.find(Fault::Unreadable, None);
        }
        if events::end(view).is_err() {
            self.report.find(Fault::DamagedMeta, None);
        }
    }

    fn pair(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match layout::entry_of(key) {
            Some(Entry::Meta) => self.meta(key, value),
            Some(Entry::Record(id)) => self.record(key, &id, value)?,
            Some(Entry::Claim(id)) => self.claim(key, &id, value)?,
            Some(Entry::Index(id)) => self.index(key, &id, value)?,
            Some(Entry::Left(id)) => {
                add(&mut self.report.entries, 1);
                if codec::decode::<()>(key, value).is_err() {
                    self.report.find(Fault::DamagedEntry, Some(&id));
                }
                if self.view.get(&layout::record(&id))?.is_some() {
                    self.report.find(Fault::StrayEntry, Some(&id));
                }
            }
            Some(Entry::Event) => {
                add(&mut self.report.entries, 1);
                if codec::decode::<events::Logged>(key, value).is_err() {
                    self.report.find(Fault::DamagedEntry, None);
                }
            }
            Some(Entry::Generation(subject)) => drop(self.report.generation(&subject, value, self.keys)),
            None => self.report.find(Fault::UnknownKey, None),
        }
        Ok(())
    }

    fn meta(&mut self, key: &[u8], value: &[u8]) {
        let sound = if key == layout::FORMAT {
            layout::require_format(Some(value)).is_ok()
        } else if key == layout::REVOKED_BEFORE {
            revoke_before(self.view).is_ok()
        } else if key == layout::LOG {
            // `everything` checks it even if it is missing.
            true
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

    fn record(&mut self, key: &[u8], id: &TokenId, value: &[u8]) -> Result<(), StoreError> {
        let stored = Stored::decode(key, id.clone(), value).ok();
        self.report.found(id, stored.as_deref(), self.keys);
        let Some(stored) = stored else { return Ok(()) };
        for entry in stored.index_entries() {
            if self.view.get(&entry)?.is_none() {
                self.report.find(Fault::MissingEntry, Some(id));
            }
        }
        let scan = |from: &[u8], end: &[u8]| self.view.scan(from, end, PAGE);
        let claims = count(&layout::claims(id), scan)?;
        self.report.uses(&stored, claims);
        Ok(())
    }

    fn claim(&mut self, key: &[u8], id: &TokenId, value: &[u8]) -> Result<(), StoreError> {
        let found = self.sound(id)?;
        if matches!(found, Some(None)) && self.view.get(&layout::left(id))?.is_some() {
            // The next purge removes it.
            return Ok(());
        }
        match (codec::decode::<Claim>(key, value), found) {
            (Ok(claim), Some(stored)) => {
                self.report.claim(id, claim.held().uses_left, stored.and_then(|stored| stored.use_limit));
            }
            // The record of the claim is unknown.
            (Ok(_), None) => add(&mut self.report.claims, 1),
            (Err(_), _) => {
                add(&mut self.report.claims, 1);
                self.report.find(Fault::DamagedClaim, Some(id));
            }
        }
        Ok(())
    }

    fn index(&mut self, key: &[u8], id: &TokenId, value: &[u8]) -> Result<(), StoreError> {
        add(&mut self.report.entries, 1);
        if !value.is_empty() {
            self.report.find(Fault::DamagedEntry, Some(id));
        }
        let agrees = |stored: Stored| stored.index_entries().any(|entry| entry == key);
        let agrees = self.sound(id)?.is_none_or(|stored| stored.is_some_and(agrees));
        if !agrees {
            self.report.find(Fault::StrayEntry, Some(id));
        }
        Ok(())
    }

    // Returns the record, if any; `None` if it is damaged, which the walk over the records counts.
    fn sound(&self, id: &TokenId) -> Result<Option<Option<Stored>>, StoreError> {
        match stored(self.view, id) {
            Err(StoreError::Corrupt { .. } | StoreError::NewerVersion { .. }) => Ok(None),
            found => found.map(Some),
        }
    }
}
