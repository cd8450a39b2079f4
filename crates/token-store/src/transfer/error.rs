//! Why an export or an import stopped.

use std::{error::Error, io, path::PathBuf};

use crate::{KeyError, StoreError, TokenId};

/// An error that stopped an export or an import.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("the file of the export cannot be used")]
    Io(#[from] io::Error),
    /// The path of a new export exists. It was left as it is.
    #[error("{} exists and is not overwritten; name another file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A token has more claims than fit into a line of an export. Purge the token, or use another one.
    #[error("token {id} has too many claims to be exported: {len} bytes where {max} are allowed")]
    TooManyClaims {
        /// The token.
        id: TokenId,
        /// The length of its line, in bytes.
        len: usize,
        /// The greatest length allowed, in bytes.
        max: usize,
    },
    /// The file is no export.
    #[error("the file is no export of tokens")]
    NotAnExport,
    /// The file was written by a newer version of this software.
    #[error("the export is of version {found}; this program knows versions up to {known}")]
    NewerVersion {
        /// The version found.
        found: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// A line is malformed.
    #[error("line {line} of the export is malformed")]
    Line {
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file has no last line: the export was interrupted, or the file was cut short.
    #[error("the export is not complete: it ends after line {line}")]
    Incomplete {
        /// The last whole line, from 1; 0 if there is none.
        line: u64,
    },
    /// The file was altered: the counts or the checksum in its last line do not match.
    #[error("the export is damaged: it does not match its checksum")]
    Damaged,
    /// No key could be made for the next generation.
    #[error("no key can be made for a new generation")]
    Seal(#[from] KeyError),
}
