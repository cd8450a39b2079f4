//! Why a call of a store failed, and what its caller may do.

use std::{path::PathBuf, sync::Arc};

use token_core::UnixTime;

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
        found: String,
        /// The last position that was acknowledged.
        acknowledged: String,
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
    /// Records that the call would remove or revoke may still be valid. Nothing was written.
    #[error("the time {now} is more than {} ahead of {present}, {evidence}", span(*bound))]
    ClockAhead {
        /// The caller's time.
        now: UnixTime,
        /// The store's evidence of the present.
        present: UnixTime,
        /// What kind of evidence that is, and what to do if it contradicts the caller's time.
        evidence: &'static str,
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

/// What the caller of a failed call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller handles all three")]
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
