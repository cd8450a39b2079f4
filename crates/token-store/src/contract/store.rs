//! The contract of a store.

use std::fmt;

use token_core::UnixTime;

use crate::{
    ClaimId, Cursor, Entity, Generation, GrantId, Held, Record, Revocation, StoreError, TokenId, Use,
};

/// Stores token records.
///
/// # Contract
/// Every backend keeps this contract. The conformance suite (`conformance::all`, feature `conformance`) tests it.
///
/// - **G1 atomic.** A call takes effect wholly or not at all.
/// - **G2 linearizable** per token id. Each call takes effect at one moment between its start and its return.
/// - **G3 durable.** Once a call returns `Ok`, its effect survives a crash and a power cut, except in memory. So does
///   the state that the answer of a writing call rests on: after [`Insert::Exists`] the record, after a repeated claim
///   the claim.
/// - **G4 shared.** Clones of a store share their state.
/// - **G5 blind.** A store reads no clock. It neither logs a key nor shows one in `Debug` or an error.
/// - **G6 idempotent.** On a token with a use limit, a claim holds at most one use, however often the caller retries
///   [`spend`](Self::spend). The store never gives back a use that it reported more than once. A
///   [`refund`](Self::refund) gives back only the use whose grant it names.
///
/// Absence and the outcome of a race are data, not errors. [`StoreError::retry`] says what the caller of a failed call
/// may do.
///
/// There are no default methods: a wrapper that forgets one does not compile.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Inserts a new record. Never overwrites one, and never gives a name that another record of the issuer has.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::TooLarge`]. After [`StoreError::Unknown`], insert the record again:
    /// [`Insert::Exists`] means that it is durable. [`get`](Self::get) shows only that the record is there now; on a
    /// server, a failover may still undo it.
    fn insert(&self, record: &Record) -> Result<Insert, StoreError>;

    /// Reads a record. Returns `None` if there is none under this id.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::Corrupt`] for a damaged record.
    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError>;

    /// Spends one use under a claim. With a limit of `k`, exactly `k` of any number of racing claims get
    /// [`Spend::Spent`].
    ///
    /// Idempotent for a token with a limit: the store keeps each claim that it grants beside the record. A retry under
    /// such a claim gets the same use and costs no other, even if the token was exhausted or revoked since. From the
    /// first retry on, the use cannot be refunded ([`Refund::Kept`]): each caller that got the answer may have acted on
    /// it.
    ///
    /// Not idempotent for a token without a limit: each call counts one use. The store keeps no claims on such a token,
    /// because their number would have no bound.
    ///
    /// The answer names the grant, which a [`refund`](Self::refund) must name. The store draws a new grant for each use
    /// ([`GrantId::draw`]). A repeated claim gets the grant that the claim holds.
    ///
    /// `by` says who spends the use, and when: a store reads no clock. The store keeps it with the claim
    /// ([`Held::spent`]). The record remembers the latest time ([`Record::last_use`]), and
    /// [`purge_spent`](crate::Administration::purge_spent) counts from it. A repeated claim changes neither. The caller
    /// checks expiry.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::TooLarge`] for a consumer that is too long to be stored. After
    /// [`StoreError::Unknown`], retry under the same claim.
    fn spend(&self, id: &TokenId, claim: &ClaimId, by: &Use) -> Result<Spend, StoreError>;

    /// Returns the use that a claim holds. Returns `None` if the claim was never made or was refunded, or if the token
    /// is absent or has no limit. With this a caller can answer a repeated claim on a token that it would no longer
    /// spend.
    ///
    /// Like a repeated [`spend`](Self::spend), this makes the use impossible to refund: the caller that learns of the
    /// use may act on it.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::Corrupt`] for a damaged claim. After [`StoreError::Unknown`], retry.
    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError>;

    /// Gives back the use that a claim holds under this grant, and forgets the claim.
    ///
    /// Idempotent: after [`Refund::Refunded`], a repeated call returns [`Refund::NotClaimed`]. This holds even if the
    /// claim was made again in between, because the claim then holds another grant, on which its caller may have acted.
    ///
    /// A use that the store reported more than once stays spent ([`Refund::Kept`]): this caller knows that it did not
    /// act, but not whether another did. A token without a limit has no use to give back.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], retry.
    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError>;

    /// Revokes a token. Idempotent: the first revocation stands, except that one for good replaces a reversible one.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::TooLarge`]. After [`StoreError::Unknown`], retry.
    fn revoke(&self, id: &TokenId, revocation: &Revocation) -> Result<Revoke, StoreError>;

    /// Undoes a reversible revocation. Idempotent. Leaves one for good, and that of
    /// [`revoke_before`](crate::Administration::revoke_before).
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], retry.
    fn reinstate(&self, id: &TokenId) -> Result<Reinstate, StoreError>;

    /// Changes the name or the metadata of a record, both in one step. Idempotent.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::TooLarge`]. After [`StoreError::Unknown`], retry.
    fn amend(&self, id: &TokenId, amendment: &Amendment) -> Result<Amend, StoreError>;

    /// Removes a record and all its claims. Idempotent. The token is then unknown. None of its claims gets an answer or
    /// another use, even if a record is inserted under that id again.
    ///
    /// Works in steps as [`purge`](Self::purge) does: the first removes the record with all its claims.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::Corrupt`] for a damaged record whose index entries the store cannot find:
    /// that record stays. After [`StoreError::Unknown`], retry.
    fn delete(&self, id: &TokenId) -> Result<Delete, StoreError>;

    /// Returns one page of the records that pass the filter.
    ///
    /// They are ordered by id, or by expiry and then id under [`Filter::ExpiresBefore`]. Under [`Filter::Resource`] and
    /// [`Filter::Issuer`] the store chooses an order. It may be that of the ids, or roughly that of the inserts. The
    /// order of two records never changes.
    ///
    /// `after` is the [`Page::next`] of the previous page. A page has at most `limit` records. Damaged records count
    /// toward `limit` and are listed by id only.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::InvalidCursor`] for an `after` that did not come from a page of this
    /// listing.
    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError>;

    /// Removes at most `limit` records that expired at or before `now`, the earliest first, with their claims.
    ///
    /// Returns how many it removed. Fewer than `limit` means that no sound expired record is left. A purge skips
    /// damaged records; [`list`](Self::list) names them.
    ///
    /// Works in steps, so that others can write meanwhile, as [`delete`](Self::delete) does and no other call. Each step
    /// is atomic. One step makes a record absent together with all its claims: from then on none of them gets an answer
    /// or another use.
    ///
    /// # Errors
    /// [`StoreError`]; retry at any time. [`StoreError::ClockAhead`] if `now` is too far in the future, so that a host
    /// whose clock is wrong does not remove live records. On a server, the bound is five minutes ahead of the server's
    /// clock. Elsewhere it is about 90 days ahead of the newest `created` of any record ever inserted or restored, even
    /// if that record was purged since; minting a token moves the bound. A store that has never kept a record accepts
    /// any time.
    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError>;

    /// Returns the current generation of a subject's temporary tokens, or `None` before the first. A subject that is
    /// too long to be stored has none; the store does not look it up, since a forged token may name any subject.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::Corrupt`] for a damaged generation.
    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError>;

    /// Returns the current generation as [`generation`](Self::generation) does, but never from a cache, whose answer
    /// may be stale: for decisions that cannot be undone. A wrapper passes this call to the store beneath.
    ///
    /// # Errors
    /// As [`generation`](Self::generation).
    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError>;

    /// Replaces a subject's generation by the next one. The number of `next` must be one more than the current number,
    /// or 1 if there is no generation. A damaged generation counts as none.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], call [`present_generation`](Self::present_generation) to see
    /// which is in force.
    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError>;

    /// Removes the generation of a subject, even a damaged one: no temporary token of the subject is valid any more.
    /// Idempotent. The next generation of the subject has the number 1 and another key.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], retry.
    fn delete_generation(&self, subject: &Entity) -> Result<Delete, StoreError>;
}

/// What [`TokenStore::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Insert {
    /// The record was inserted.
    Inserted,
    /// A record with this id exists. It was not changed.
    Exists,
    /// Another record of the issuer has this name. Nothing was inserted.
    NameTaken,
}

/// What [`TokenStore::spend`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Spend {
    /// The claim holds one use.
    Spent {
        /// How many uses were left when the claim was first made; `None` for a token without a limit.
        uses_left: Option<u64>,
        /// The grant of this use, which a refund must name; `None` for a token without a limit.
        grant: Option<GrantId>,
        /// Whether the claim already held this use, so that this call cost nothing.
        repeated: bool,
    },
    /// No use is left.
    Exhausted,
    /// The token is revoked.
    Revoked,
    /// There is no record with this id.
    Absent,
}

impl Spend {
    /// Returns the grant of the use; `None` if no use was granted or the token has no limit.
    #[must_use]
    pub const fn grant(&self) -> Option<GrantId> {
        match self {
            Self::Spent { grant, .. } => *grant,
            Self::Exhausted | Self::Revoked | Self::Absent => None,
        }
    }
}

/// What [`TokenStore::refund`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Refund {
    /// The use was given back.
    Refunded,
    /// The use was reported more than once, so that another caller may have acted on it. It stays spent, and the claim
    /// stays.
    Kept,
    /// The claim holds no use of this grant: it never did, the use was refunded already, or the token has no limit.
    NotClaimed,
    /// There is no record with this id.
    Absent,
}

/// What [`TokenStore::revoke`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Revoke {
    /// The token is revoked, by this call or an earlier one.
    Revoked,
    /// There is no record with this id.
    Absent,
}

/// What [`TokenStore::reinstate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Reinstate {
    /// The token is not revoked: this call or an earlier one undid the revocation, or there was none.
    Reinstated,
    /// The token is revoked for good. Nothing was changed.
    ForGood,
    /// There is no record with this id.
    Absent,
}

/// What [`TokenStore::amend`] changes: every part that is `Some`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// The new name; `Some(None)` removes the name.
    pub name: Option<Option<String>>,
    /// The new metadata.
    pub metadata: Option<Vec<u8>>,
}

/// What [`TokenStore::amend`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Amend {
    /// The record is as requested.
    Amended,
    /// Another record of the issuer has this name. Nothing was changed.
    NameTaken,
    /// There is no record with this id.
    Absent,
}

/// What [`TokenStore::delete`] or [`TokenStore::delete_generation`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Delete {
    /// It was there, and is removed.
    Deleted,
    /// There was none.
    Absent,
}

/// What [`TokenStore::raise_generation`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "part of the contract, and a caller handles every outcome")]
pub enum Raise {
    /// The generation is in force.
    Raised,
    /// The current number is not one less than that of the new generation. Nothing was changed.
    Stale {
        /// The number of the current generation; 0 if there is none.
        present: u64,
    },
}

/// Which records [`TokenStore::list`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store lists by every filter")]
pub enum Filter {
    /// All records.
    All,
    /// Records about this resource.
    Resource(Entity),
    /// Records of this issuer.
    Issuer(Entity),
    /// The record of this issuer that has this name.
    Name(Entity, String),
    /// Records that expired at or before this time.
    ExpiresBefore(UnixTime),
}

/// Cursors, for stores of your own.
impl Filter {
    /// Makes a cursor for [`Page::next`](crate::Page::next), which leads to the records after `place` in the listing of
    /// this filter. The store defines the places. In most listings a place is the id of the page's last record; under
    /// [`Filter::ExpiresBefore`] it is its expiry and its id. The empty place precedes the first record.
    /// `examples/sqlite.rs` lists so.
    #[must_use]
    pub fn cursor(&self, place: &[u8]) -> Cursor {
        self.listed(|listing| Cursor::new(listing, place))
    }

    /// Returns the place that a [`cursor`](Self::cursor) of this filter was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for any other cursor.
    pub fn place<'a>(&self, cursor: &'a Cursor) -> Result<&'a [u8], StoreError> {
        self.listed(|listing| cursor.place(listing))
    }

    // Calls with the parts that name this listing and no other.
    fn listed<T>(&self, call: impl FnOnce(&[&[u8]]) -> T) -> T {
        match self {
            Self::All => call(&[b"all"]),
            Self::Resource(Entity { kind, id }) => call(&[b"resource", kind.as_bytes(), id.as_bytes()]),
            Self::Issuer(Entity { kind, id }) => call(&[b"issuer", kind.as_bytes(), id.as_bytes()]),
            Self::Name(Entity { kind, id }, name) => {
                call(&[b"name", kind.as_bytes(), id.as_bytes(), name.as_bytes()])
            }
            Self::ExpiresBefore(time) => call(&[b"expires", &time.as_secs().to_be_bytes()]),
        }
    }
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The ids whose records, or whose entries in the index of this filter, are damaged. They may or may not pass the
    /// filter.
    pub damaged: Vec<TokenId>,
    /// The cursor for the next page; `None` on the last page.
    pub next: Option<Cursor>,
}

impl Page {
    /// Adds the next record of the listing, or only its id if it is damaged. For a store of your own.
    ///
    /// # Errors
    /// Those of `record`, except [`StoreError::Corrupt`].
    pub fn add(&mut self, id: TokenId, record: Result<Record, StoreError>) -> Result<(), StoreError> {
        match record {
            Ok(record) => self.records.push(record),
            Err(StoreError::Corrupt { .. }) => self.damaged.push(id),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
