//! What a store of your own needs besides the contract.
//!
//! | a store | by |
//! |---|---|
//! | encodes what it keeps, and refuses what is too large | [`Record::to_bytes`], [`Generation::to_bytes`], [`Use::to_bytes`], [`Revocation::to_bytes`] |
//! | finds records by resource and issuer, and generations by subject | [`entity_key`], [`entity_of`] |
//! | gives each use a grant of its own | [`GrantId::draw`] |
//! | spends a use of a record; revokes, reinstates and amends one | [`spend`]; [`revoke`], [`reinstate`], [`amend`] |
//! | shows a record that [`Administration::revoke_before`] revoked | [`revoked_before`] |
//! | leads from page to page | [`Filter::cursor`], [`Filter::place`]; [`Generations::cursor`], [`Generations::place`]; [`Events::cursor`], [`Events::place`] |
//! | fills a page with sound and damaged records | [`Page::add`] |
//! | raises a generation | [`raise`] |
//! | purges in steps, and not by a clock that is wrong | [`purge`], [`refuse_far_ahead`] |
//! | refuses to work in a forked process | [`Owned`] |
//! | reports a check | [`CheckReport::record`], [`CheckReport::claim`] and the others |
//!
//! Two rules are the store's own to keep. It marks a claim that it answers a second time, and refuses to refund a
//! marked claim ([`Refund::Kept`]). And it stores an [`Event`] in the same step as the change that it reports.
//!
//! `examples/sqlite.rs` is a whole store over SQLite.

use token_core::UnixTime;

#[cfg(doc)]
use crate::{Administration, CheckReport, Event, Events, Generations, Refund, Use};
use crate::{
    Amendment, Cursor, Entity, Filter, Generation, GrantId, Page, Raise, Record, Reinstate, Revocation,
    Spend, StoreError, contract::codec,
};

pub use crate::{contract::codec::entity_of, owned::Owned};

/// How many seconds a caller's time may be ahead of the newest record: how long a store may be idle.
pub(crate) const AHEAD: u64 = 90 * 24 * 3600;

/// The number of records that one step of a purge removes at most. Others wait for it.
const STEP: usize = 256;

/// Encodes an entity, so that a store finds what belongs to it. Different entities have different keys. Returns `None`
/// for an entity that is too large to be stored: no record and no generation of it exists.
///
/// ```
/// use token_store::{Entity, kit};
///
/// let space = Entity::space("s1");
/// let key = kit::entity_key(&space).ok_or("too large")?;
/// assert_eq!(kit::entity_of(&key), Some(space));
/// assert_eq!(kit::entity_key(&Entity::space("x".repeat(2000))), None);
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn entity_key(entity: &Entity) -> Option<Vec<u8>> {
    codec::is_stored(entity).then(|| codec::entity_bytes(entity))
}

/// Purges in steps, page by page. `step` is one transaction: it lists a page of these records and removes those that are
/// sound. Returns how many records were removed.
///
/// # Errors
/// Those of `step`.
pub fn purge(
    now: UnixTime,
    limit: usize,
    mut step: impl FnMut(&Filter, Option<&Cursor>, usize) -> Result<Page, StoreError>,
) -> Result<usize, StoreError> {
    let (filter, mut after, mut removed) = (Filter::ExpiresBefore(now), None, 0_usize);
    loop {
        // A damaged record takes a place on its page, and stays.
        let page = step(&filter, after.as_ref(), limit.saturating_sub(removed).min(STEP))?;
        removed = removed.saturating_add(page.records.len());
        after = page.next;
        if after.is_none() || removed >= limit {
            return Ok(removed);
        }
    }
}

/// Refuses a time that is more than 90 days ahead of the newest record, because the caller's clock must be wrong.
/// `newest` is the latest [`Record::created`] of all records that were ever inserted or restored, purged ones included.
/// Without such a record this accepts any time.
///
/// # Errors
/// [`StoreError::ClockAhead`]
pub fn refuse_far_ahead(now: UnixTime, newest: Option<UnixTime>) -> Result<(), StoreError> {
    match newest {
        Some(newest) if now.as_secs() > newest.as_secs().saturating_add(AHEAD) => {
            let evidence = "when the newest token that the store has seen was minted; set the clock of this host, or \
                            mint a token first if the store has been idle for so long";
            Err(StoreError::ClockAhead { now, present: newest, evidence, bound: AHEAD })
        }
        _ => Ok(()),
    }
}

/// Spends one use of the record, and returns the answer. The store writes the record, and this grant with the claim, after
/// [`Spend::Spent`]; otherwise the record is unchanged.
///
/// [`Record::last_use`] never moves back, so that a host whose clock is behind does not shorten the time for which
/// [`Administration::purge_spent`] keeps the record.
pub fn spend(record: &mut Record, grant: GrantId, now: UnixTime) -> Spend {
    if record.is_revoked() {
        return Spend::Revoked;
    }
    if record.is_spent() {
        return Spend::Exhausted;
    }
    record.uses = record.uses.saturating_add(1);
    record.last_use = record.last_use.max(Some(now));
    let uses_left = record.use_limit.map(|limit| limit.get().saturating_sub(record.uses));
    Spend::Spent { uses_left, grant: uses_left.map(|_| grant), repeated: false }
}

/// Revokes the record, and returns whether it changed: the first revocation stands, except that one for good replaces a
/// reversible one.
pub fn revoke(record: &mut Record, revocation: &Revocation) -> bool {
    let stands = record.revocation.as_ref().is_some_and(|first| !first.reversible || revocation.reversible);
    if !stands {
        record.revocation = Some(revocation.clone());
    }
    !stands
}

/// Returns the record as a store shows it while this is the time of [`Administration::revoke_before`]: revoked for good
/// if it was created earlier.
#[must_use]
pub fn revoked_before(mut record: Record, time: UnixTime) -> Record {
    if record.created < time {
        record.revocation.get_or_insert_with(|| Revocation::for_good(time)).reversible = false;
    }
    record
}

/// Undoes the revocation of the record if that is reversible, and returns the answer. The store writes the record if
/// this changed it.
pub fn reinstate(record: &mut Record) -> Reinstate {
    if record.revocation.as_ref().is_some_and(|revocation| !revocation.reversible) {
        return Reinstate::ForGood;
    }
    record.revocation = None;
    Reinstate::Reinstated
}

/// Changes the record as requested. The store first refuses a name that another record of the issuer has.
pub fn amend(record: &mut Record, amendment: &Amendment) {
    let Amendment { name, metadata } = amendment;
    if let Some(name) = name {
        record.name.clone_from(name);
    }
    if let Some(metadata) = metadata {
        record.metadata.clone_from(metadata);
    }
}

/// Decides whether the next generation of a subject may replace the stored one. The store writes it after
/// [`Raise::Raised`]. A damaged generation counts as none, since no temporary token is good under it.
///
/// # Errors
/// [`StoreError::NewerVersion`] or [`StoreError::OlderVersion`] if the stored generation cannot be read.
pub fn raise(subject: &Entity, stored: Option<&[u8]>, next: &Generation) -> Result<Raise, StoreError> {
    let present = match stored.map(|stored| Generation::from_bytes(subject, stored)) {
        None | Some(Err(StoreError::Corrupt { .. })) => 0,
        Some(generation) => generation?.number,
    };
    match present.checked_add(1) == Some(next.number) {
        true => Ok(Raise::Raised),
        false => Ok(Raise::Stale { present }),
    }
}

#[cfg(test)]
mod tests {
    use token_core::RootKey;

    use super::*;
    use crate::{KeyRing, Owner, Record, Terms, TokenId};

    #[test]
    fn an_entity_has_a_key_if_every_store_keeps_it() {
        let (keys, key) = (KeyRing::generate().unwrap(), RootKey::from_derived([1; 32]));
        for (len, stored) in [(1019, true), (1020, true), (1021, false)] {
            let entity = Entity::user("x".repeat(len));
            assert_eq!(entity_key(&entity).is_some(), stored);
            let id = TokenId::new(vec![7; TokenId::MAX_LEN]).unwrap();
            let terms = Terms { resource: Some(&entity), ..Terms::unlimited(&id, &entity) };
            assert_eq!(Record::new(terms, &key, &keys).unwrap().to_bytes().is_ok(), stored);
            let owner = Owner::Generation { subject: &entity, number: 1 };
            let generation = Generation { number: 1, root_key: keys.seal(&key, owner).unwrap() };
            assert_eq!(generation.to_bytes(&entity).is_ok(), stored);
        }
    }

    #[test]
    fn a_purge_steps_over_damaged_records_and_keeps_its_limit() {
        let ids: Vec<_> = (0..900_u16).map(|number| TokenId::new(number.to_be_bytes()).unwrap()).collect();
        let keys = KeyRing::generate().unwrap();
        let issuer = Entity::user("u1");
        // Every third of the records is damaged, and stays.
        let mut left: Vec<u16> = (0..900).collect();
        let mut step = |filter: &Filter, after: Option<&Cursor>, limit: usize| {
            assert!(limit <= STEP);
            let place = after.map_or(Ok(&[][..]), |cursor| filter.place(cursor))?.to_vec();
            let rest =
                left.iter().copied().filter(|number| number.to_be_bytes().as_slice() > place.as_slice());
            let (mut page, found): (Page, Vec<u16>) = (Page::default(), rest.take(limit + 1).collect());
            for number in found.iter().copied().take(limit) {
                let terms = Terms::unlimited(&ids[usize::from(number)], &issuer);
                let record = match number % 3 {
                    0 => Err(StoreError::Corrupt { what: "a record" }),
                    _ => Ok(Record::new(terms, &RootKey::from_derived([1; 32]), &keys).unwrap()),
                };
                page.add(terms.id.clone(), record)?;
            }
            let last = found.iter().take(limit).next_back().map(|number| number.to_be_bytes().to_vec());
            page.next = found.get(limit).map(|_| filter.cursor(&last.unwrap_or(place)));
            left.retain(|number| page.records.iter().all(|record| record.id != ids[usize::from(*number)]));
            Ok(page)
        };
        let now = UnixTime::from_secs(1);
        assert_eq!(purge(now, 0, &mut step).unwrap(), 0);
        assert_eq!(purge(now, 301, &mut step).unwrap(), 301);
        assert_eq!(purge(now, usize::MAX, &mut step).unwrap(), 299);
        assert_eq!(left, (0..900).filter(|number| number % 3 == 0).collect::<Vec<_>>());
    }

    #[test]
    fn only_a_key_is_an_entity() {
        for key in [b"".as_slice(), b"\0\0\0", b"\0\0\0\x05user", b"\0\0\0\x01\xff", b"\xff\xff\xff\xff"] {
            assert_eq!(entity_of(key), None, "{key:?}");
        }
        assert_eq!(entity_of(&[0; 4]), Some(Entity { kind: "".into(), id: String::new() }));
    }
}
