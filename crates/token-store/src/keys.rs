//! Key rings, which seal root keys: where they are kept, and how a store moves to a newer key.

mod file;
mod keyring;
mod rekey;
mod source;
mod text;

pub use file::KeyFileError;
pub use keyring::{KeyRing, OpenError, Owner, SealError};
pub use rekey::{RekeyError, Rekeyed, RemoveError, rekey};
pub use source::{KeyFile, KeySource, KeySourceError, KeyVariable};
pub use text::KeyTextError;
