//! Why a command ended early.

use std::io;

use token_store::{InvalidId, KeyError, KeyFileError, RekeyError, Retry, StoreError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store or its key ring cannot be opened, or not read to its end.
    #[error("the store cannot be opened")]
    Open(#[source] Cause),
    /// The store failed during the work.
    #[error("the store failed")]
    Underway(#[source] Cause),
    /// A wrong answer, which has been printed.
    #[error("printed")]
    Told(u8),
    /// Standard output is closed.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}

/// The error of a store or of the control.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Unguarded(#[from] sled::Error),
    #[error("no random bytes")]
    Random,
    /// An answer that is wrong after any history.
    #[error("a wrong answer")]
    Wrong,
}

impl Failure {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Open(cause) | Self::Underway(cause) => cause.kind(),
            Self::Told(_) => "told",
            Self::Output(_) => "output",
        }
    }

    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Underway(Cause::Wrong) => 1,
            Self::Open(_) => 3,
            Self::Underway(_) => 4,
            Self::Told(status) => *status,
            Self::Output(_) => 5,
        }
    }
}

impl Cause {
    /// Whether the call may have taken effect.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Store(error) if error.retry() == Retry::Ask)
    }

    /// Whether the call had no effect and a retry may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Store(error) if error.retry() == Retry::Safe)
    }

    /// One word, for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Store(error) => match error {
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
            },
            Self::KeyFile(error) => match error {
                KeyFileError::Malformed { .. } => "keys-malformed",
                KeyFileError::Exposed { .. } => "keys-exposed",
                _ => "keys-io",
            },
            Self::Key(KeyError::Random | KeyError::NoKeyIdLeft) | Self::Random => "random",
            Self::Key(_) => "key-needed",
            Self::Unguarded(sled::Error::Io(_)) => "io",
            Self::Unguarded(_) => "corrupt",
            Self::Wrong => "wrong-answer",
        }
    }
}

impl From<RekeyError> for Cause {
    fn from(error: RekeyError) -> Self {
        match error {
            RekeyError::Store(error) => Self::Store(error),
            RekeyError::Seal(error) => Self::Key(error),
            _ => Self::Wrong,
        }
    }
}

/// A token or a claim has an id that no store takes.
impl From<InvalidId> for Cause {
    fn from(_: InvalidId) -> Self {
        Self::Wrong
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Underway(cause)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Underway(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
