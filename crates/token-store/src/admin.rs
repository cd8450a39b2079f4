//! What those who run a store do with it.

use std::time::Duration;

use token_core::UnixTime;

use crate::{
    ClaimId, Entity, Filter, Generation, Held, KeyRing, Record, Report, SealedKey, StoreError, TokenId,
    TokenStore,
};

/// What those who run a store do with it: administration of many tokens at once.
///
/// The contract of [`TokenStore`] holds, but for G1 where a call says that it works in steps: each step is atomic
/// and small, others write in between, and what is interrupted is gone on with by calling again.
///
/// There are no default methods: a wrapper that forgets one does not compile.
pub trait Administration: TokenStore {
    /// Revokes the records that pass the filter, a page at a time: `after` is the [`Sweep::next`] of the page
    /// before, and a page has at most `limit` records. Each page is one step. Damaged records are passed over: no
    /// token is verified by one.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::InvalidCursor`] for an `after` that no page gave out.
    fn revoke_all(&self, filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Sweep, StoreError>;

    /// Voids at once whatever was created before a time, also what is inserted only later: it counts as revoked.
    /// Returns the time in force, which is later if one was set before: there is no way back, and time 0 only asks.
    /// Generations are raised, not voided.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`], ask again. [`StoreError::ClockAhead`] for a time that
    /// [`purge`](TokenStore::purge) would refuse.
    fn void_before(&self, time: UnixTime) -> Result<UnixTime, StoreError>;

    /// How much there is. Walks over everything in steps, a second per million records; what others write
    /// meanwhile may or may not be counted.
    ///
    /// # Errors
    /// [`StoreError`]
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Removes spent records, with their claims, some time after they were spent: a claim that is asked again
    /// finds no answer from then on. A store reads no clock, so the time counts from the first call that finds the
    /// record spent; a call with a retention of zero removes it right away. Fractions of a second do not count.
    ///
    /// Works in steps, on at most `limit` records. Returns how many it removed, or found spent for the first time;
    /// fewer than `limit` means that there is no more to do at `now`. Without this, spent records go when they
    /// expire. Damaged records are passed over.
    ///
    /// # Errors
    /// [`StoreError`]; ask again at any time. [`StoreError::ClockAhead`] as in [`purge`](TokenStore::purge).
    fn purge_spent(&self, now: UnixTime, retention: Duration, limit: usize) -> Result<usize, StoreError>;

    /// The claims on a token, by their ids: at most `limit` of those after `after`, each with the use that it holds.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Corrupt`] for a damaged claim among others.
    fn claims(
        &self,
        id: &TokenId,
        after: Option<&ClaimId>,
        limit: usize,
    ) -> Result<Vec<(ClaimId, Held)>, StoreError>;

    /// The generations, in some order: at most `limit` of them. `after` is the [`Generations::next`] of the page
    /// before.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::InvalidCursor`] for an `after` that no page gave out.
    fn generations(&self, after: Option<&[u8]>, limit: usize) -> Result<Generations, StoreError>;

    /// Replaces sealed keys, all in one step. Whatever no longer has the old key is left as it is. Returns how many
    /// were replaced. [`rekey`](crate::rekey) is what calls this.
    ///
    /// # Errors
    /// [`StoreError`]; ask again at any time.
    fn reseal(&self, changes: &[Reseal]) -> Result<usize, StoreError>;

    /// Keeps what came from another store, all in one step. A token is kept only where there is nothing yet under its
    /// id; but a record that comes revoked revokes the one that stands there. A generation is kept where there is
    /// none, or one of a lower number: a number is never lowered. Returns how many changed something.
    ///
    /// # Errors
    /// [`StoreError`]; ask again at any time.
    fn restore(&self, items: &[Item]) -> Result<usize, StoreError>;

    /// Compares all that is stored with all else that is stored, and with the key ring if there is one: every
    /// record opens. Changes nothing, and shows one moment; where reads and writes wait for each other, as in sled,
    /// writes wait for all of it.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read at all. Damage is no error here: it is what is looked for.
    fn check(&self, keys: Option<&KeyRing>) -> Result<Report, StoreError>;
}

/// What one page of [`Administration::revoke_all`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Sweep {
    /// How many records were not revoked before.
    pub revoked: usize,
    /// How many are damaged, and so were passed over.
    pub damaged: usize,
    /// Where the next page begins; `None` after the last. Opaque: good for the same filter on the same store.
    pub next: Option<Vec<u8>>,
}

/// One page of generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generations {
    /// Those that are sound, each with its subject.
    pub sound: Vec<(Entity, Generation)>,
    /// The subjects whose generations are damaged.
    pub damaged: Vec<Entity>,
    /// Where the next page begins; `None` after the last. Opaque.
    pub next: Option<Vec<u8>>,
}

/// How much there is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records, the following among them.
    pub records: u64,
    /// Records that are damaged: of them nothing else is known.
    pub damaged: u64,
    /// Records whose uses are all taken.
    pub spent: u64,
    /// Records that are revoked or void.
    pub revoked: u64,
    /// Records that expire.
    pub expiring: u64,
    /// Claims that are answered again.
    pub claims: u64,
    /// Generations, which is subjects with temporary tokens.
    pub generations: u64,
}

/// A sealed key to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseal {
    /// Where it stands.
    pub place: KeyPlace,
    /// The key that is there.
    pub old: SealedKey,
    /// The key that is to be there.
    pub new: SealedKey,
}

/// Where a sealed key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPlace {
    /// In the record of a token.
    Token(TokenId),
    /// In the generation of a subject.
    Generation(Entity),
}

/// What moves from store to store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
        /// Whose it is.
        subject: Entity,
        /// The generation.
        generation: Generation,
    },
}
