//! The contract of a store.

use std::{fmt, path::PathBuf, sync::Arc};

use token_core::UnixTime;

use crate::{ClaimId, Entity, Generation, GrantId, Held, Record, TokenId};

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
    /// Inserts a new record. Never overwrites one.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], insert the record again: [`Insert::Exists`] means that it is
    /// durable. [`get`](Self::get) shows only that the record is there now; on a server, a failover may still undo it.
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
    /// The caller checks expiry, since a store reads no clock.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], retry under the same claim.
    fn spend(&self, id: &TokenId, claim: &ClaimId) -> Result<Spend, StoreError>;

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

    /// Revokes a token for good. Idempotent.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], retry.
    fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError>;

    /// Returns one page of the records that pass the filter, ordered by id, or by expiry and then id under
    /// [`Filter::ExpiresBefore`].
    ///
    /// `after` is the [`Page::next`] of the previous page. A cursor stays valid while others write; [`Filter::cursor`]
    /// makes one. A page has at most `limit` records. Damaged records count toward `limit` and are listed by id only.
    ///
    /// # Errors
    /// [`StoreError`], such as [`StoreError::InvalidCursor`] for an `after` that did not come from a page of this
    /// listing.
    fn list(&self, filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError>;

    /// Removes at most `limit` records that expired at or before `now`, the earliest first, with their claims.
    ///
    /// Returns how many it removed. Fewer than `limit` means that no sound expired record is left. A purge skips
    /// damaged records; [`list`](Self::list) names them.
    ///
    /// Works in steps, so that others can write meanwhile; no other call of this trait does. Each step is atomic. One
    /// step makes a record absent together with all its claims: from then on none of them gets an answer or another
    /// use.
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

    /// Returns the same from the store itself, for decisions that cannot be undone. A cache may answer
    /// [`generation`](Self::generation), and that answer may be stale. A wrapper passes this call to the store beneath.
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
}

/// What [`TokenStore::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Insert {
    /// The record was inserted.
    Inserted,
    /// A record with this id exists. It was not changed.
    Exists,
}

/// What [`TokenStore::spend`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
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
pub enum Revoke {
    /// The token is revoked, by this call or an earlier one.
    Revoked,
    /// There is no record with this id.
    Absent,
}

/// What [`TokenStore::raise_generation`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
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
#[non_exhaustive]
pub enum Filter {
    /// All records.
    All,
    /// Records about this resource.
    Resource(Entity),
    /// Records of this issuer.
    Issuer(Entity),
    /// Records that expired at or before this time.
    ExpiresBefore(UnixTime),
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The ids whose records, or whose entries in the index of this filter, are damaged. They may or may not pass the
    /// filter.
    pub damaged: Vec<TokenId>,
    /// The cursor for the next page; `None` on the last page. Opaque; valid for the same filter on the same store.
    pub next: Option<Vec<u8>>,
}

/// Why a call of a store failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store in this process, has the store open.
    #[error("the store at {} is open elsewhere; close that first", path.display())]
    AlreadyOpen {
        /// The path of the store.
        path: PathBuf,
    },
    /// There is no store at this path. Opening does not create one: an empty store at a mistyped path would know no
    /// token.
    #[error("there is no store at {}; name the place of yours, or create one there first", path.display())]
    NotFound {
        /// The path that was named.
        path: PathBuf,
    },
    /// The path of a new store exists already. It was left as it is.
    #[error("{} exists; open it, or name another place for a new store", path.display())]
    Exists {
        /// The path that was named.
        path: PathBuf,
    },
    /// The path holds something other than a store of this kind. It was left as it is.
    #[error("{} holds something else: {found}", path.display())]
    NotAStore {
        /// The path that was named.
        path: PathBuf,
        /// What was found there.
        found: &'static str,
    },
    /// The store was written by a newer version of this software.
    #[error("the store is of version {found}; this program knows versions up to {known}")]
    NewerVersion {
        /// The version found.
        found: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// The store was written by an older version of this software and must be upgraded first.
    #[error("the store is of version {found}, and has to be brought to version {known} first")]
    OlderVersion {
        /// The version found.
        found: u32,
        /// The version that is needed.
        known: u32,
    },
    /// The server cannot be reached, or accepts no connections at the moment. Nothing was written.
    #[error("the server cannot be reached: {place}")]
    Unreachable {
        /// Its URL, without the password.
        place: String,
        /// The last failure.
        source: Arc<std::io::Error>,
    },
    /// The server does not accept the user or the password, or the user lacks a privilege. Nothing was written.
    #[error("the server denies access: {place}")]
    Denied {
        /// Its URL, without the password.
        place: String,
        /// The server's answer.
        source: Arc<std::io::Error>,
    },
    /// Another role owns the schema of the tables, and can change them at will. Nothing was written.
    #[error(
        "the schema onetoken of {place} belongs to {owner}; connect as that role, or have it given to this one"
    )]
    ForeignOwner {
        /// Its URL, without the password.
        place: String,
        /// The role that owns it.
        owner: String,
    },
    /// A setting of the server lets it lose writes that it has acknowledged.
    #[error("the server may lose what it acknowledges: {setting} is {found}")]
    NotDurable {
        /// The name of the setting.
        setting: &'static str,
        /// Its value.
        found: String,
    },
    /// The server's log lacks writes that it acknowledged to this store. Either a former primary runs again, a standby
    /// was promoted before it had received everything, or the server runs on an older copy of the data. Nothing was
    /// written.
    ///
    /// Stop the server that lacks the writes, and open the store again. Opening the store while that server runs
    /// accepts the loss: spent and revoked tokens may then become valid again.
    #[error(
        "the log of {place} went back: it holds {found}, and {acknowledged} was acknowledged; stop the server that \
         lacks it and open the store again, or open it with that server to accept the loss"
    )]
    WentBack {
        /// Its URL, without the password.
        place: String,
        /// The last position that the server's log shares with the log of the server that acknowledged.
        found: LogPosition,
        /// The last position that was acknowledged.
        acknowledged: LogPosition,
    },
    /// A pooler gives this connection to other clients between statements (PgBouncer in transaction or statement mode).
    /// The store's session settings would then apply to them, not to the store. Nothing was written.
    #[error("a pooler shares the connection to {place}; connect directly, or in session mode")]
    Pooled {
        /// Its URL, without the password.
        place: String,
    },
    /// The stored bytes are damaged. The store returned nothing that it could not verify.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// Which part is damaged.
        what: &'static str,
    },
    /// The disk or a quota is full. Nothing was written.
    #[error("no space is left for the store")]
    Full,
    /// The store cannot be written: its file system is read-only, its server is a standby, or it is a copy for
    /// inspection.
    #[error("the store is read-only")]
    ReadOnly,
    /// The operating system or the server refused the call. Nothing was written.
    #[error("the store cannot be used")]
    Io(#[source] Arc<std::io::Error>),
    /// A write failed in flight, so that it may or may not have happened. Retry to find out, after reopening the store
    /// if it is poisoned.
    #[error("the store may or may not have done it; retry, and a spend under the same claim")]
    Unknown(#[source] Option<Arc<std::io::Error>>),
    /// An earlier write failed in flight. The store no longer reads or writes; open it again.
    #[error("an earlier write failed; the store must be opened again")]
    Poisoned,
    /// The store's file was removed, moved or replaced while the store was open, so that another process may use a new
    /// file in its place. The store no longer reads or writes. A write in flight may or may not be in the file that was
    /// moved.
    #[error(
        "the store at {} was removed, moved or replaced while it was open; stop what uses the new one, put the former \
         back if there is one, then open the store again", path.display()
    )]
    Replaced {
        /// The path of the store.
        path: PathBuf,
    },
    /// The store was opened before this process was forked. Nothing was read or written. The forked processes keep the
    /// files locked until they exit. The threads of sled stay with the process that used it first.
    #[error(
        "the store was opened before this process was forked; open the store after the fork, once in each process"
    )]
    Forked,
    /// The record, or an entity in it, is too large: at most 24 KiB for a whole record and 1 KiB for an entity.
    #[error("{len} bytes to be stored; {max} are allowed")]
    TooLarge {
        /// The stored length in bytes, including what the store adds.
        len: usize,
        /// The greatest length allowed, in bytes.
        max: usize,
    },
    /// The caller's time is so far ahead of the store's evidence of the present that the caller's clock must be wrong.
    /// Records that the call would remove or void may still be valid. Nothing was written.
    #[error("the time {now} is more than {} ahead of {witness}", span(*bound))]
    ClockAhead {
        /// The caller's time.
        now: UnixTime,
        /// The store's evidence of the present.
        witness: ClockWitness,
        /// How far ahead the time may be, in seconds.
        bound: u64,
    },
    /// The cursor did not come from a page of this listing.
    #[error("the cursor is not one of this listing")]
    InvalidCursor,
}

// In days if the bound is a whole number of days, otherwise in seconds.
fn span(secs: u64) -> String {
    const DAY: u64 = 24 * 3600;
    match secs.checked_div(DAY) {
        Some(days) if secs.is_multiple_of(DAY) => format!("{days} days"),
        _ => format!("{secs} seconds"),
    }
}

/// The evidence of the present that a store has without reading a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockWitness {
    /// The time on the server's clock.
    Server(UnixTime),
    /// The creation time of the newest token that the store has seen.
    NewestToken(UnixTime),
}

/// Shows the evidence, and what to do if it contradicts the caller's time.
impl fmt::Display for ClockWitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(time) => {
                write!(f, "the server's clock, {time}; set the clock of this host")
            }
            Self::NewestToken(time) => write!(
                f,
                "the newest token that the store has seen, of {time}; set the clock of this host, or mint a token first \
                 if the store has been idle for so long"
            ),
        }
    }
}

/// A position in the log of a PostgreSQL server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// The timeline; each promotion of a standby starts a higher one.
    pub timeline: u32,
    /// The position in the log, in bytes.
    pub at: u64,
}

/// Formats the position as PostgreSQL does, followed by the timeline.
impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X} of timeline {}", self.at >> 32, self.at & 0xFFFF_FFFF, self.timeline)
    }
}

/// What the caller of a failed call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing happened. The same call may be made again, now or after its cause is gone.
    Safe,
    /// The call may have happened. Open the store again if it is poisoned or replaced, then retry; a spend, under the
    /// same claim.
    Ask,
    /// The same call will fail again until its cause is fixed.
    Never,
}

impl StoreError {
    /// Returns what the caller may do after this error.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::AlreadyOpen { .. } | Self::Full | Self::Io(_) | Self::Unreachable { .. } => Retry::Safe,
            Self::Unknown(_) | Self::Replaced { .. } => Retry::Ask,
            Self::Poisoned
            | Self::Forked
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::NotAStore { .. }
            | Self::NewerVersion { .. }
            | Self::OlderVersion { .. }
            | Self::Denied { .. }
            | Self::NotDurable { .. }
            | Self::ForeignOwner { .. }
            | Self::Pooled { .. }
            | Self::WentBack { .. }
            | Self::Corrupt { .. }
            | Self::ReadOnly
            | Self::TooLarge { .. }
            | Self::ClockAhead { .. }
            | Self::InvalidCursor => Retry::Never,
        }
    }
}
