//! The contract of a store.

use std::{fmt, path::PathBuf, sync::Arc};

use token_core::UnixTime;

use crate::{ClaimId, Entity, Generation, GrantId, Held, Record, TokenId};

/// Keeps token records.
///
/// # Contract
/// Every backend keeps it, and the conformance suite (`conformance::all`, feature `conformance`) holds it to it.
///
/// - **G1 atomic.** A call happens wholly or not at all.
/// - **G2 linearizable** per token id: calls take effect one after another, between their start and their end.
/// - **G3 durable.** Once a call returns `Ok`, its effect survives a crash and a power cut (memory excepted). So does what
///   the answer of a call that writes rests on: after [`Insert::Exists`] or a repeated claim, the record and the claim.
/// - **G4 shared.** Clones of a store share their state.
/// - **G5 blind.** A store reads no clock, and neither logs a key nor shows one in `Debug` or an error.
/// - **G6 idempotent.** [`redeem`](Self::redeem) under one claim happens once, however often it is asked. A use
///   that was answered more than once is not given back, and a [`refund`](Self::refund) gives back no other use than
///   the one whose grant it names.
///
/// That something is absent, and who won a race, is data and not an error. An error says by
/// [`StoreError::retry`] what the caller may do.
///
/// There are no default methods: a wrapper that forgets one does not compile.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// Keeps a new record.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`], insert the record again: [`Insert::Exists`] means that it is there to
    /// stay. [`get`](Self::get) shows whether it is there now, which on a server a failover may still undo.
    fn insert(&self, record: &Record) -> Result<Insert, StoreError>;

    /// Reads a record; `None` where there is none under this id.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Corrupt`] for a damaged record among others.
    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError>;

    /// Counts one use. With a limit of `k`, exactly `k` of any number of racing claims get
    /// [`Redeem::Redeemed`].
    ///
    /// The claim is kept beside the record: asked again, it gets the answer that it got the first time, even
    /// when the token has been exhausted or revoked since, and costs no use. From then on the use stays spent
    /// ([`Refund::Kept`]): of those that were told of it, one may have acted. For a token without a limit no
    /// claim is kept (their number would have no bound): each call counts, also a repeated one.
    ///
    /// The answer names the grant, which a [`refund`](Self::refund) has to name. The store draws a new one for each
    /// use that it grants ([`GrantId::draw`]), and answers a repeated claim with the grant that the claim holds.
    ///
    /// Expiry is the caller's business, since a store reads no clock.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`], ask again under the same claim.
    fn redeem(&self, id: &TokenId, claim: &ClaimId) -> Result<Redeem, StoreError>;

    /// The use that a claim holds. `None` where it holds none: it was never made, it was refunded, or the token is
    /// absent or has no limit. With this a caller answers a claim again where it would no longer let it be made.
    ///
    /// To be told of a use is to be allowed to act on it, so this too makes it stay spent, as a repeated
    /// [`redeem`](Self::redeem) does.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Corrupt`] for a damaged claim among others; after
    /// [`StoreError::Unknown`], ask again.
    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError>;

    /// Gives back the use that was granted to a claim under this grant, and forgets the claim. A repeated call
    /// changes nothing ([`Refund::NotClaimed`]), also when the claim has been made again in between: that claim
    /// holds a use of another grant, on which its caller may have acted. A claim that was answered more than once
    /// keeps its use ([`Refund::Kept`]): the caller knows that it did not act, and not what the others did. A token
    /// without a limit has no use to give back.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`], ask again.
    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError>;

    /// Marks a token as revoked, for good.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`], ask again.
    fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError>;

    /// One page of the records that pass the filter: by id, or by expiry and id under
    /// [`Filter::ExpiresBefore`]. `after` is the [`Page::next`] of the page before; it stays good while others
    /// write. [`Filter::cursor`] makes such cursors. At most `limit` records come back, those that are damaged counted: of them, only the names do.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::InvalidCursor`] for an `after` that no page gave out.
    fn list(&self, filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError>;

    /// Removes records that expired at or before `now`, with their claims; the earliest first and at most
    /// `limit` of them. Returns how many; fewer than `limit` means that none are left, but for those that are
    /// damaged: they are passed over, and [`list`](Self::list) names them. However many they are, others write
    /// meanwhile: this alone is done in steps, each of them atomic. One step makes a record absent for everybody,
    /// with all its claims: none of them is answered, or granted another use, from then on.
    ///
    /// # Errors
    /// [`StoreError`]; ask again at any time. [`StoreError::ClockAhead`] where `now` is far ahead of what the store knows of
    /// the present, so that a host whose clock is wrong removes nobody's records: more than five minutes ahead of the
    /// clock of a server, or where there is none more than about 90 days ahead of the newest `created` that the store
    /// has seen, of a record that was inserted or restored, purged since or not. To mint a token says that it is that
    /// late. A store that has never kept a record refuses no time.
    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError>;

    /// The present generation of a subject's temporary tokens; `None` before the first. A subject that is longer
    /// than a store takes has none, and is not looked up: who presents a forged token may name any.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Corrupt`] for a damaged record among others.
    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError>;

    /// The same as the store itself has it now, for what cannot be taken back. [`generation`](Self::generation) may
    /// be answered by a cache, and then be late; a wrapper hands this call on to the store beneath.
    ///
    /// # Errors
    /// As [`generation`](Self::generation).
    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError>;

    /// Replaces a subject's generation by the next, whose number must be one more than the present one's (1 for
    /// the first). A damaged one counts as none.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`], [`generation`](Self::generation) tells.
    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError>;
}

/// What [`TokenStore::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Insert {
    /// The record is kept.
    Inserted,
    /// There is a record under this id, and it stays as it is.
    Exists,
}

/// What [`TokenStore::redeem`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Redeem {
    /// This claim has one use.
    Redeemed {
        /// How many were left when the claim was first made; `None` for a token without a limit.
        uses_left: Option<u64>,
        /// The grant of this use, for a refund; `None` for a token without a limit.
        grant: Option<GrantId>,
        /// Whether the claim had been made before, so that this call cost nothing.
        repeated: bool,
    },
    /// Every use is taken.
    Exhausted,
    /// The token was revoked.
    Revoked,
    /// There is no such record.
    Absent,
}

impl Redeem {
    /// The grant of the use; `None` where there is none, or the token has no limit.
    #[must_use]
    pub const fn grant(&self) -> Option<GrantId> {
        match self {
            Self::Redeemed { grant, .. } => *grant,
            Self::Exhausted | Self::Revoked | Self::Absent => None,
        }
    }
}

/// What [`TokenStore::refund`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Refund {
    /// The use is given back.
    Refunded,
    /// The claim was answered again, so that somebody other than the caller may have acted on it: the use
    /// stays spent, and the claim keeps its answer.
    Kept,
    /// The claim holds no use of this grant: it never did, that use was refunded already, or the token has no limit.
    NotClaimed,
    /// There is no such record.
    Absent,
}

/// What [`TokenStore::revoke`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Revoke {
    /// The token is revoked, by this call or an earlier one.
    Revoked,
    /// There is no such record.
    Absent,
}

/// What [`TokenStore::raise_generation`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Raise {
    /// The generation is in force.
    Raised,
    /// The present generation is not the one before it, and stays as it is.
    Stale {
        /// The number of the present generation; 0 where there is none.
        present: u64,
    },
}

/// Which records [`TokenStore::list`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// All of them.
    All,
    /// Those about this resource.
    Resource(Entity),
    /// Those of this issuer.
    Issuer(Entity),
    /// Those that expired at or before this time.
    ExpiresBefore(UnixTime),
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The tokens whose records, or entries in the index that was walked, are damaged. They might have been among
    /// the records.
    pub damaged: Vec<TokenId>,
    /// Where the next page begins; `None` on the last. Opaque: good for the same filter on the same store.
    pub next: Option<Vec<u8>>,
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store in this one, has it open.
    #[error("the store at {} is open elsewhere; close that first", path.display())]
    AlreadyOpen {
        /// The store's place.
        path: PathBuf,
    },
    /// There is no store at this place, and opening does not make one: an empty store in a mistyped place would
    /// know none of the tokens.
    #[error("there is no store at {}; name the place of yours, or create one there first", path.display())]
    NotFound {
        /// The place where it should be.
        path: PathBuf,
    },
    /// A new store was to be made where something is already. That was left as it is.
    #[error("{} exists; open it, or name another place for a new store", path.display())]
    Exists {
        /// The place where it should be made.
        path: PathBuf,
    },
    /// The place holds something that is not a store of this kind. Its content was left as it is.
    #[error("{} holds something else: {found}", path.display())]
    NotAStore {
        /// The store's place.
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
    /// The store was written by an older version of this software, and has to be brought up to date first.
    #[error("the store is of version {found}, and has to be brought to version {known} first")]
    OlderVersion {
        /// The version found.
        found: u32,
        /// The version that is needed.
        known: u32,
    },
    /// The server cannot be reached, or admits nobody for now. Nothing was written.
    #[error("the server cannot be reached: {place}")]
    Unreachable {
        /// Its URL, without the password.
        place: String,
        /// What failed last.
        source: Arc<std::io::Error>,
    },
    /// The server knows no such user or password, or the user may not do this. Nothing was written.
    #[error("the server denies access: {place}")]
    Denied {
        /// Its URL, without the password.
        place: String,
        /// What the server said.
        source: Arc<std::io::Error>,
    },
    /// The schema of the tables belongs to another role, which can change them at will. Nothing was written.
    #[error(
        "the schema onetoken of {place} belongs to {owner}; connect as that role, or have it given to this one"
    )]
    ForeignOwner {
        /// Its URL, without the password.
        place: String,
        /// The role that owns it.
        owner: String,
    },
    /// The server is set to acknowledge what it may lose.
    #[error("the server may lose what it acknowledges: {setting} is {found}")]
    NotDurable {
        /// The setting that says so.
        setting: &'static str,
        /// Its value.
        found: String,
    },
    /// The server's log lacks what was acknowledged to this store: a former primary goes on, a standby was promoted that had
    /// not received everything, or an older copy of the data was started. Nothing was written. Stop the server that lacks it
    /// and open the store again. Opening it with that server running accepts the loss: spent and revoked tokens may then be
    /// good again.
    #[error(
        "the log of {place} went back: it holds {found}, and {acknowledged} was acknowledged; stop the server that \
         lacks it and open the store again, or open it with that server to accept the loss"
    )]
    WentBack {
        /// Its URL, without the password.
        place: String,
        /// How far the log goes that the server shares with the one that acknowledged.
        found: LogPosition,
        /// How far the log went when something was last acknowledged.
        acknowledged: LogPosition,
    },
    /// A pooler hands this connection to others between statements (PgBouncer in transaction or statement mode), so that
    /// what the store has set for itself is another's. Nothing was written.
    #[error("a pooler shares the connection to {place}; connect directly, or in session mode")]
    Pooled {
        /// Its URL, without the password.
        place: String,
    },
    /// The stored bytes are damaged. What could not be trusted was not returned.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// What is damaged.
        what: &'static str,
    },
    /// The disk is full, or a quota is. Nothing was written.
    #[error("no space is left for the store")]
    Full,
    /// The store cannot be written: its file system is read-only, or its server is a standby.
    #[error("the store is read-only")]
    ReadOnly,
    /// The operating system or the server refused. Nothing was written.
    #[error("the store cannot be used")]
    Io(#[source] Arc<std::io::Error>),
    /// A write failed underway: whether it happened is not known until the store is asked again, and opened before
    /// that if it is poisoned.
    #[error("the store may or may not have done it; retry, and a spend under the same claim")]
    Unknown(#[source] Option<Arc<std::io::Error>>),
    /// An earlier write failed underway, and no other is tried since: open the store again.
    #[error("an earlier write failed; the store must be opened again")]
    Poisoned,
    /// The file of the store was removed, moved or replaced while the store was open, so that another process may use
    /// another file in its place. Nothing is read or written any more. Whether a write underway is in the file that was
    /// moved is not known.
    #[error(
        "the store at {} was removed, moved or replaced while it was open; stop what uses the new one, put the former \
         back if there is one, then open the store again", path.display()
    )]
    Replaced {
        /// The store's place.
        path: PathBuf,
    },
    /// The store was opened by another process, from which this one was forked. Nothing was read or written. Forked
    /// processes keep the files locked until they end; threads of sled's are left to the process that used it first.
    #[error(
        "the store was opened before this process was forked; open the store after the fork, once in each process"
    )]
    Forked,
    /// The record, or an entity in it, is larger than a store takes: 24 KiB for all of a record, 1 KiB for an
    /// entity.
    #[error("{len} bytes to be stored; {max} are allowed")]
    TooLarge {
        /// The length of what was to be stored, in bytes, with what the store adds to it.
        len: usize,
        /// The greatest length allowed, in bytes.
        max: usize,
    },
    /// The caller's time is so far ahead of what the store knows of the present that the caller's clock must be wrong.
    /// What it would remove or void may hold yet. Nothing was written.
    #[error("the time {now} is more than {} ahead of {witness}", span(*bound))]
    ClockAhead {
        /// The caller's time.
        now: UnixTime,
        /// What the store knows.
        witness: ClockWitness,
        /// How far ahead it may be, in seconds.
        bound: u64,
    },
    /// The cursor is not one that this listing gave out.
    #[error("the cursor is not one of this listing")]
    InvalidCursor,
}

// In the greater unit of the two that bounds come in.
fn span(secs: u64) -> String {
    const DAY: u64 = 24 * 3600;
    match secs.checked_div(DAY) {
        Some(days) if secs.is_multiple_of(DAY) => format!("{days} days"),
        _ => format!("{secs} seconds"),
    }
}

/// What a store that reads no clock knows of the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockWitness {
    /// The clock of its server.
    Server(UnixTime),
    /// The time at which the newest token that it has seen was created.
    NewestToken(UnixTime),
}

/// What it is, and what to do where it contradicts the caller.
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

/// A place in the log of a PostgreSQL server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// The timeline, which grows with each promotion of a standby.
    pub timeline: u32,
    /// The position, in bytes.
    pub at: u64,
}

/// As PostgreSQL writes it.
impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X} of timeline {}", self.at >> 32, self.at & 0xFFFF_FFFF, self.timeline)
    }
}

/// What the caller of a failed call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing happened: the same call may be made again, now or when the cause is gone.
    Safe,
    /// It may have happened: open the store again if it is poisoned, then ask under the same claim.
    Ask,
    /// The same call will fail again until somebody mends the cause.
    Never,
}

impl StoreError {
    /// What the caller may do.
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
