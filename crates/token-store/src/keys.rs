//! Key rings, which seal root keys: where they are kept, and how a store moves to a newer key.

mod file;
pub(crate) mod hex;
mod keyring;
mod rekey;
mod source;
mod text;

pub use keyring::{KeyError, KeyRing, Owner, SealNonce};
pub use rekey::{RekeyError, Rekeyed, rekey};
pub use source::{KeyFile, KeySource, KeySourceError, KeyVariable};
pub use text::KeyTextError;
