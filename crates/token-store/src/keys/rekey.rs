//! Re-sealing every key of a store under the newest key of the ring.

use std::{borrow::Cow, collections::BTreeSet};

use token_core::RootKey;

use crate::{
    Administration, Entity, KeyError, KeyPlace, KeyRing, Owner, Reseal, SealedKey, StoreError,
    contract::report::add,
    walk::{Part, Place},
};

/// The progress of a [`rekey`], or its result. The result proves which keys are no longer needed: [`KeyRing::remove`]
/// requires it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// How many sealed keys were examined, in records and generations.
    pub seen: u64,
    /// How many of them were re-sealed.
    pub resealed: u64,
    /// How many records and generations are damaged, so that the key they need is unknown. They were not changed.
    pub damaged: u64,
    /// How many sealed keys do not open. They were not changed.
    pub failed: u64,
    /// The first [`Rekeyed::EXAMPLES`] keys that do not open, and why.
    pub examples: Vec<(KeyPlace, KeyError)>,
    newest: u32,
    needed: BTreeSet<u32>,
    // Set once the rekeying is done: a sealed key that only the newest key opens.
    proof: Option<SealedKey>,
}

/// The subject of no temporary tokens: no generation has the number 0.
static NOBODY: Entity = Entity { kind: Cow::Borrowed(""), id: String::new() };
const PROOF: Owner<'static> = Owner::Generation { subject: &NOBODY, number: 0 };

impl Rekeyed {
    /// The maximum number of examples.
    pub const EXAMPLES: usize = 100;

    /// Returns the id of the key that everything was sealed under.
    #[must_use]
    pub fn newest_id(&self) -> u32 {
        self.newest
    }
}

/// An error that stopped a rekeying. Completed steps stay done: call [`rekey`] again to resume. A key that does not
/// open stops nothing: [`Rekeyed`] counts it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RekeyError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// No key was sealed.
    #[error("no key was sealed")]
    Seal(#[from] KeyError),
}

/// Re-seals every key under the newest key of the ring. Calls `progress` after each step.
///
/// Idempotent. Repeat an interrupted call, even one that was killed, to resume it: keys already sealed under the newest
/// key are only read. Others may use the store meanwhile if they seal under the same newest key. A host that still
/// mints under an older ring must be stopped, or given the new ring, before.
///
/// # Errors
/// [`RekeyError`]. A record that is damaged or does not open is no error: it is counted and not changed.
pub fn rekey<S: Administration + ?Sized>(
    store: &S,
    keys: &KeyRing,
    progress: &mut dyn FnMut(&Rekeyed),
) -> Result<Rekeyed, RekeyError> {
    let mut done = Rekeyed { newest: keys.newest_id(), ..Rekeyed::default() };
    let mut next = Some(Place::START);
    while let Some(place) = next {
        next = done.step(store, keys, &place, place.read(store)?)?;
        progress(&done);
    }
    done.proof = Some(keys.seal(&RootKey::from_derived([0; RootKey::LEN]), PROOF)?);
    Ok(done)
}

impl KeyRing {
    /// Removes an old key, which opens nothing from then on. `proof` holds the result of a [`rekey`] under this ring
    /// for every store that the ring is for. Keep a copy of the old ring for as long as backups of the stores are kept.
    ///
    /// # Errors
    /// [`KeyError`]; the ring is unchanged.
    pub fn remove(&mut self, key_id: u32, proof: &[&Rekeyed]) -> Result<(), KeyError> {
        if self.ids().all(|id| id != key_id) {
            return Err(KeyError::Absent { key_id });
        }
        if key_id == self.newest_id() {
            return Err(KeyError::Newest { key_id });
        }
        let is_proof = |done: &&Rekeyed| {
            done.newest == self.newest_id()
                && done.proof.as_ref().is_some_and(|sealed| self.open(sealed, PROOF).is_ok())
        };
        if proof.is_empty() || !proof.iter().all(is_proof) {
            return Err(KeyError::Unproven { key_id });
        }
        if proof.iter().any(|proof| proof.damaged > 0 || proof.needed.contains(&key_id)) {
            return Err(KeyError::Needed { key_id });
        }
        self.keys.retain(|key| key.id != key_id);
        Ok(())
    }
}

impl Rekeyed {
    // Re-seals the keys of a part, and returns the place of the next one. Reads the part again until nothing in it
    // changed in between.
    fn step<S: Administration + ?Sized>(
        &mut self,
        store: &S,
        keys: &KeyRing,
        place: &Place,
        mut part: Part,
    ) -> Result<Option<Place>, RekeyError> {
        loop {
            let (mut changes, mut failed) = (Vec::new(), Vec::new());
            for item in &part.items {
                let (sealed, owner) = item.sealed();
                if sealed.key_id == self.newest {
                    continue;
                }
                match keys.open(sealed, owner) {
                    Ok(root_key) => {
                        let new = keys.seal(&root_key, owner)?;
                        changes.push(Reseal { place: owner.place(), old: sealed.clone(), new });
                    }
                    Err(error) => failed.push((sealed.key_id, owner.place(), error)),
                }
            }
            let resealed = store.reseal(&changes)?;
            add(&mut self.resealed, resealed);
            if resealed < changes.len() {
                part = place.read(store)?;
                continue;
            }
            add(&mut self.seen, part.items.len());
            add(&mut self.damaged, part.damaged.len());
            add(&mut self.failed, failed.len());
            for (key_id, place, error) in failed {
                self.needed.insert(key_id);
                if self.examples.len() < Self::EXAMPLES {
                    self.examples.push((place, error));
                }
            }
            return Ok(part.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generation, Insert, MemoryStore, Raise, Record, Terms, TokenId, TokenStore};

    fn id(number: u32) -> TokenId {
        TokenId::new(number.to_be_bytes()).unwrap()
    }

    fn record(keys: &KeyRing, number: u32) -> Record {
        let (id, user) = (id(number), Entity::user("u1"));
        Record::new(Terms::unlimited(&id, &user), &RootKey::derive_any(&number.to_be_bytes()), keys).unwrap()
    }

    fn filled(keys: &KeyRing, records: u32) -> MemoryStore {
        let store = MemoryStore::new();
        for number in 0..records {
            assert_eq!(store.insert(&record(keys, number)).unwrap(), Insert::Inserted);
        }
        for name in 0..3 {
            let subject = Entity { kind: "user".into(), id: format!("u{name}") };
            let owner = Owner::Generation { subject: &subject, number: 1 };
            let root_key = keys.seal(&RootKey::from_derived([name; 32]), owner).unwrap();
            assert_eq!(
                store.raise_generation(&subject, &Generation { number: 1, root_key }).unwrap(),
                Raise::Raised
            );
        }
        store
    }

    #[test]
    fn nothing_is_left_under_an_old_key_and_everything_opens() {
        let mut keys = KeyRing::generate().unwrap();
        let store = filled(&keys, 600);
        keys.rotate().unwrap();
        let mut told = Vec::new();
        let done = rekey(&store, &keys, &mut |progress| told.push(progress.resealed)).unwrap();
        assert_eq!((done.seen, done.resealed, done.failed), (603, 603, 0));
        assert!(told.is_sorted() && told.len() > 3, "{told:?}");
        keys.remove(1, &[&done]).unwrap();
        let report = store.check(Some(&keys)).unwrap();
        assert!(report.is_sound() && report.opened == 603, "{report:?}");
        for number in 0..600 {
            let record = store.get(&id(number)).unwrap().unwrap();
            let opened = keys.open(&record.root_key, record.owner());
            assert_eq!(opened.unwrap().expose(), RootKey::derive_any(&number.to_be_bytes()).expose());
        }
        assert_eq!(rekey(&store, &keys, &mut |_| ()).unwrap().resealed, 0, "and there is nothing more to do");
    }

    #[test]
    fn an_interrupted_rekeying_goes_on() {
        let mut keys = KeyRing::generate().unwrap();
        let store = filled(&keys, 600);
        keys.rotate().unwrap();
        let stopped = std::panic::catch_unwind(|| rekey(&store, &keys, &mut |_| panic!("stopped"))).is_err();
        assert!(stopped);
        let rest = rekey(&store, &keys, &mut |_| ()).unwrap();
        assert_eq!((rest.seen, rest.resealed), (603, 603 - 256));
    }

    #[test]
    fn a_key_that_is_needed_stays() {
        let mut keys = KeyRing::generate().unwrap();
        let store = filled(&keys, 1);
        let foreign = KeyRing::generate().unwrap();
        let forged = record(&foreign, 9);
        assert_eq!(store.insert(&forged).unwrap(), Insert::Inserted);
        keys.rotate().unwrap();
        let mut underway = None;
        let done = rekey(&store, &keys, &mut |progress| underway = Some(progress.clone())).unwrap();
        assert_eq!((done.resealed, done.failed), (4, 1));
        assert_eq!(done.examples, [(KeyPlace::Token(id(9)), KeyError::Forged)]);
        assert_eq!(keys.remove(1, &[&done]), Err(KeyError::Needed { key_id: 1 }));
        assert_eq!(keys.remove(2, &[&done]), Err(KeyError::Newest { key_id: 2 }));
        assert_eq!(keys.remove(3, &[&done]), Err(KeyError::Absent { key_id: 3 }));
        assert_eq!(keys.remove(1, &[]), Err(KeyError::Unproven { key_id: 1 }));
        assert_eq!(keys.remove(1, &[&underway.unwrap()]), Err(KeyError::Unproven { key_id: 1 }));
        let mut other = KeyRing::generate().unwrap();
        other.rotate().unwrap();
        let elsewhere = rekey(&MemoryStore::new(), &other, &mut |_| ()).unwrap();
        assert_eq!(keys.remove(1, &[&elsewhere]), Err(KeyError::Unproven { key_id: 1 }));
        keys.rotate().unwrap();
        assert_eq!(keys.remove(1, &[&done]), Err(KeyError::Unproven { key_id: 1 }));
        assert_eq!(keys.open(&forged.root_key, forged.owner()).unwrap_err(), KeyError::Forged);
    }

    #[test]
    fn a_damaged_generation_stops_nothing_and_keeps_the_old_keys() {
        let mut keys = KeyRing::generate().unwrap();
        let store = filled(&keys, 2);
        let subject = Entity { kind: "user".into(), id: "u1".into() };
        store.0.damage(&crate::embedded::layout::generation(&subject));
        keys.rotate().unwrap();
        let done = rekey(&store, &keys, &mut |_| ()).unwrap();
        assert_eq!((done.resealed, done.damaged), (4, 1));
        assert_eq!(keys.remove(1, &[&done]), Err(KeyError::Needed { key_id: 1 }));
        let report = store.check(Some(&keys)).unwrap();
        assert_eq!(
            report.examples,
            [(crate::Fault::DamagedGeneration, Some(KeyPlace::Generation(subject.clone())))]
        );

        // A new generation replaces it.
        let owner = Owner::Generation { subject: &subject, number: 1 };
        let root_key = keys.seal(&RootKey::from_derived([9; 32]), owner).unwrap();
        assert_eq!(
            store.raise_generation(&subject, &Generation { number: 1, root_key }).unwrap(),
            Raise::Raised
        );
        keys.remove(1, &[&rekey(&store, &keys, &mut |_| ()).unwrap()]).unwrap();
        assert!(store.check(Some(&keys)).unwrap().is_sound());
    }

    // A store in which another writer changes a key first, once.
    #[test]
    fn what_changes_meanwhile_is_sealed_as_well() {
        let mut keys = KeyRing::generate().unwrap();
        let store = filled(&keys, 2);
        let forged = record(&KeyRing::generate().unwrap(), 9);
        assert_eq!(store.insert(&forged).unwrap(), Insert::Inserted);
        let part = Place::START.read(&store).unwrap();
        let (old, owner) = part.items[0].sealed();
        let place = owner.place();
        assert_eq!(place, KeyPlace::Token(id(0)));
        let new = keys.seal(&RootKey::derive_any(b"another"), owner).unwrap();
        let change = Reseal { place, old: old.clone(), new };
        assert_eq!(store.reseal(&[change]).unwrap(), 1);
        keys.rotate().unwrap();
        let mut done = rekey(&MemoryStore::new(), &keys, &mut |_| ()).unwrap();
        done.step(&store, &keys, &Place::START, part).unwrap();
        assert_eq!((done.seen, done.resealed, done.failed, done.examples.len()), (3, 2, 1, 1));
        let now = store.get(&id(0)).unwrap().unwrap();
        let opened = keys.open(&now.root_key, now.owner()).unwrap();
        assert_eq!((now.root_key.key_id, opened.expose()), (2, RootKey::derive_any(b"another").expose()));
    }
}
