//! Why a command ended early.

use std::io;

use token_store::{InvalidId, KeyError, KeySourceError, RekeyError, Retry, StoreError};

/// The error of a store, of its keys or of the output, or a wrong answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit status.
    pub(crate) status: u8,
    /// One word, for programs; empty if it has been printed.
    pub(crate) kind: &'static str,
    /// Whether to ask a store again.
    pub(crate) retry: Retry,
}

impl Failure {
    /// An answer that is wrong after any history.
    pub(crate) const WRONG: Self = Self { status: 1, ..Self::underway("wrong-answer") };

    /// A failure that has been printed.
    pub(crate) const fn printed(status: u8) -> Self {
        Self { status, ..Self::underway("") }
    }

    /// A failure during the work.
    pub(crate) const fn underway(kind: &'static str) -> Self {
        Self { status: 4, kind, retry: Retry::Never }
    }

    /// The same for a store or a key ring that cannot be opened, or not read to its end.
    pub(crate) fn opening(error: impl Into<Self>) -> Self {
        Self { status: 3, ..error.into() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::AlreadyOpen { .. } => "already-open",
            StoreError::NotAStore { .. } => "not-a-store",
            StoreError::NewerVersion { .. } => "newer-version",
            StoreError::Corrupt { .. } => "corrupt",
            StoreError::Full => "full",
            StoreError::ReadOnly => "read-only",
            StoreError::Io(_) => "io",
            StoreError::Unknown(_) => "unknown",
            StoreError::Poisoned => "poisoned",
            StoreError::Forked => "forked",
            StoreError::Replaced { .. } => "replaced",
            StoreError::TooLarge { .. } => "too-large",
            StoreError::InvalidCursor => "invalid-cursor",
            StoreError::Unreachable { .. } => "unreachable",
            StoreError::Denied { .. } => "denied",
            StoreError::NotDurable { .. } => "not-durable",
            StoreError::NotFound { .. } => "not-found",
            StoreError::WentBack { .. } => "went-back",
            _ => "other",
        };
        Self { retry: error.retry(), ..Self::underway(kind) }
    }
}

impl From<KeySourceError> for Failure {
    fn from(error: KeySourceError) -> Self {
        Self::underway(match error {
            KeySourceError::Malformed { .. } => "keys-malformed",
            KeySourceError::Exposed { .. } => "keys-exposed",
            _ => "keys-io",
        })
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::underway(match error {
            KeyError::Random | KeyError::NoKeyIdLeft => "random",
            _ => "key-needed",
        })
    }
}

impl From<sled::Error> for Failure {
    fn from(error: sled::Error) -> Self {
        Self::underway(if matches!(error, sled::Error::Io(_)) { "io" } else { "corrupt" })
    }
}

impl From<RekeyError> for Failure {
    fn from(error: RekeyError) -> Self {
        match error {
            RekeyError::Store(error) => error.into(),
            RekeyError::Seal(error) => error.into(),
            _ => Self::WRONG,
        }
    }
}

/// A token or a claim has an id that no store takes.
impl From<InvalidId> for Failure {
    fn from(_: InvalidId) -> Self {
        Self::WRONG
    }
}

/// Standard output is closed.
impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self { status: 5, ..Self::underway("output") }
    }
}
