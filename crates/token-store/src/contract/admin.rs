//! Administration of a store: calls on many records at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use token_core::UnixTime;

use crate::{
    CheckReport, ClaimId, Cursor, Entity, Filter, Generation, Held, KeyPlace, KeyRing, Record, Revocation,
    SealedKey, StoreError, TokenId, TokenStore,
};

/// Administration of many tokens at once, for the operator of a store.
///
/// The contract of [`TokenStore`] holds, except for G1 where a call says that it works in steps. Each step is atomic
/// and small, and others can write in between. Repeat an interrupted call to resume it.
///
/// There are no default methods: a wrapper that forgets one does not compile.
pub trait Administration: TokenStore {
    /// Revokes the records that pass the filter as [`revoke`](TokenStore::revoke) does, one page at a time. `after` is
    /// the [`Sweep::next`] of the previous page, and a page has at most `limit` records. Each page is one step. Skips
    /// damaged records: they verify no token.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::InvalidCursor`] for an `after` that did not come from a page of this
    /// sweep.
    fn revoke_all(
        &self,
        filter: &Filter,
        revocation: &Revocation,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Sweep, StoreError>;

    /// Deletes the records that pass the filter as [`delete`](TokenStore::delete) does, page by page as
    /// [`revoke_all`](Self::revoke_all) does. A page may end before `limit`, so that others need not wait. To delete all
    /// that a subject has, delete its generation too.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::InvalidCursor`] for an `after` that did not come from a page of this
    /// sweep.
    fn delete_all(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Sweep, StoreError>;

    /// Returns at most `limit` events after `after`, the [`Events::next`] of the previous call, in the order in which
    /// they took effect. `None` returns no event, and the place of the next one.
    ///
    /// The store keeps an event in the same step as the change that it reports, so that a crash loses none. A host that
    /// keeps verdicts elsewhere calls this with `None`, forgets all verdicts, and then asks for events again and again.
    ///
    /// The store keeps at least the newest 100,000 events. [`Events::missed`] says that the caller asked for older ones.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::InvalidCursor`] for an `after` that did not come from this call.
    fn events(&self, after: Option<&Cursor>, limit: usize) -> Result<Events, StoreError>;

    /// Revokes, in one step, all records created before `time`, including those inserted later.
    ///
    /// Returns the time in force. The time never moves back: if a later one was set before, that one stays in force.
    /// Time 0 reads it without a change. It does not revoke generations; raise them instead.
    ///
    /// The store shows such a record as revoked for good: by the revocation that it has, or else by one at that time,
    /// by nobody and without a reason.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], retry. [`StoreError::ClockAhead`] for a time that
    /// [`purge`](TokenStore::purge) would refuse.
    fn revoke_before(&self, time: UnixTime) -> Result<UnixTime, StoreError>;

    /// Counts the contents of the store. Walks over all of them in steps, in about a second per million records.
    /// Concurrent writes may or may not be counted.
    ///
    /// # Errors
    /// [`StoreError`]
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Removes at most `limit` spent records, with their claims, `retention` after their last use was spent
    /// ([`Record::spent_at`]); the earliest first. A retry of a removed claim gets no answer. Fractions of a second do
    /// not count. Without this call, spent records stay until they expire and are [purged](TokenStore::purge).
    ///
    /// `retention` is as exact as the clocks of the hosts: a purge by a clock that is ahead, or a last use by one that is
    /// behind, shortens it by that difference.
    ///
    /// Works in steps, and skips damaged records. Returns how many it removed. Fewer than `limit` means that nothing
    /// more is due at `now`.
    ///
    /// # Errors
    /// [`StoreError`]; retry at any time. [`StoreError::ClockAhead`] as in [`purge`](TokenStore::purge).
    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError>;

    /// Returns at most `limit` claims on a token, ordered by id, from the first one past `after`, each with the use
    /// that it holds.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::Corrupt`] for a damaged claim.
    fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError>;

    /// Returns one page of at most `limit` generations, in no particular order. `after` is the [`Generations::next`] of
    /// the previous page.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::InvalidCursor`] for an `after` that did not come from a page of
    /// generations.
    fn generations(&self, after: Option<&Cursor>, limit: usize) -> Result<Generations, StoreError>;

    /// Replaces sealed keys, all in one step. Skips a place that no longer holds the old key. Returns how many were
    /// replaced. [`rekey`](crate::rekey) calls this.
    ///
    /// # Errors
    /// [`StoreError`]; retry at any time.
    fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError>;

    /// Inserts items from another store, all in one step. Idempotent. Returns how many items changed the store.
    ///
    /// A token is inserted only if its id is free; a revoked token also revokes the record that has its id. If another
    /// record of the issuer has its name, it is inserted without the name. A generation is inserted only if the subject
    /// has none, or one with a lower number: a number never goes down.
    ///
    /// # Errors
    /// [`StoreError`]; retry at any time.
    fn restore(&self, items: &[Item]) -> Result<usize, StoreError>;

    /// Checks the whole store for consistency, and that every key opens if a key ring is given. Changes nothing.
    ///
    /// Checks one snapshot. In a backend where reads and writes exclude each other, such as sled, writes wait until the
    /// check is done.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read at all. Damage is not an error here but part of the [`CheckReport`].
    fn check(&self, keys: Option<&KeyRing>) -> Result<CheckReport, StoreError>;
}

/// What one page of [`Administration::revoke_all`] or [`Administration::delete_all`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Sweep {
    /// How many records this page changed.
    pub changed: usize,
    /// How many damaged records this page skipped.
    pub damaged: usize,
    /// The cursor for the next page; `None` after the last page.
    pub next: Option<Cursor>,
}

/// One page of events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Events {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The cursor for the next call.
    pub next: Cursor,
    /// Whether events between `after` and the first of these are lost: they were too many, or `after` is of another
    /// store. The caller must forget every verdict that it keeps.
    pub missed: bool,
}

/// A change that makes verdicts about tokens obsolete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A token was revoked.
    Revoked(TokenId),
    /// A revocation was undone.
    Reinstated(TokenId),
    /// A record was deleted. A purge is no event: it removes only records of tokens that are expired or spent.
    Deleted(TokenId),
    /// All records created before this time were revoked.
    RevokedBefore(UnixTime),
    /// The generation of a subject was raised to this number.
    GenerationRaised(Entity, u64),
    /// The generation of a subject was deleted. The numbers begin again at 1, under another key: a verdict about a
    /// temporary token of the subject is obsolete, even if its number comes into force again.
    GenerationDeleted(Entity),
}

/// Cursors, for stores of your own.
impl Events {
    /// Makes a cursor for [`Events::next`], which leads to the events after `place`. The store defines the places.
    #[must_use]
    pub fn cursor(place: &[u8]) -> Cursor {
        Cursor::new(&[b"events"], place)
    }

    /// Returns the place that a [`cursor`](Self::cursor) was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for a cursor of a listing.
    pub fn place(cursor: &Cursor) -> Result<&[u8], StoreError> {
        cursor.place(&[b"events"])
    }
}

/// One page of generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generations {
    /// The sound generations, each with its subject.
    pub sound: Vec<(Entity, Generation)>,
    /// The subjects whose generations are damaged.
    pub damaged: Vec<Entity>,
    /// The cursor for the next page; `None` after the last page.
    pub next: Option<Cursor>,
}

/// Cursors, for stores of your own.
impl Generations {
    /// Makes a cursor for [`Generations::next`], which leads to the generations after `place`. The store defines the
    /// places. The empty place precedes the first generation.
    #[must_use]
    pub fn cursor(place: &[u8]) -> Cursor {
        Cursor::new(&[b"generations"], place)
    }

    /// Returns the place that a [`cursor`](Self::cursor) was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for a cursor of another listing.
    pub fn place(cursor: &Cursor) -> Result<&[u8], StoreError> {
        cursor.place(&[b"generations"])
    }
}

/// The number of records, claims and generations in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All records, including those counted below.
    pub records: u64,
    /// Damaged records, which are counted in no other field but `records`.
    pub damaged: u64,
    /// Records with no use left.
    pub spent: u64,
    /// Revoked records.
    pub revoked: u64,
    /// Records that expire.
    pub expiring: u64,
    /// Claims, each of which holds a use.
    pub claims: u64,
    /// Generations: one per subject with temporary tokens.
    pub generations: u64,
}

/// A sealed key to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseal {
    /// Where the key is stored.
    pub place: KeyPlace,
    /// The key that is stored there.
    pub old: SealedKey,
    /// The key to store there.
    pub new: SealedKey,
}

/// An item to move from store to store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store restores every kind")]
#[expect(clippy::large_enum_variant, reason = "most items are tokens")]
pub enum Item {
    /// A record, with the claims on it and the use that each holds.
    Token {
        /// The record.
        record: Record,
        /// The claims.
        claims: Vec<(ClaimId, Held)>,
    },
    /// The generation of a subject.
    Generation {
        /// Its subject.
        subject: Entity,
        /// The generation.
        generation: Generation,
    },
}
