//! Why a home cannot be made or used.

use std::{io, path::PathBuf};

use token_store::KeySourceError;

/// Why a home cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    #[error("{} exists and is not overwritten; name another home with --home", path.display())]
    Exists { path: PathBuf },
    #[error("{} is a store whose keys are missing, and new keys would open none of its tokens", path.display())]
    Orphan { path: PathBuf },
    #[error(
        "{} has mode {mode:o}, so other users can change its files; run `chmod 700 {}`", path.display(), path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "{} belongs to user {owner}, who can change the keys; run onetoken as that user, or `chown` it to this one",
        path.display()
    )]
    Foreign { path: PathBuf, owner: u32 },
    #[error("{} is not a home of onetoken; run `onetoken init` first", path.display())]
    Missing { path: PathBuf },
    #[error("{} is not a configuration of onetoken", path.display())]
    Config { path: PathBuf, source: serde_json::Error },
    #[error("{} has version {found}; this program reads version {known}", path.display())]
    Version { path: PathBuf, found: u64, known: u64 },
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Keys(#[from] KeySourceError),
}
