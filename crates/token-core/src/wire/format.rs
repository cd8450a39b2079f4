//! The formats, and by which rules they are read.

use super::error::{DecodeError, EncodeError, Problem};
use crate::{limits::Limits, seal::VID_LEN};

/// A format of macaroons (`macaroon-formats.md` §2 to §4). It is not signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Packets: what Onedata writes.
    #[default]
    V1,
    /// Tagged fields.
    V2,
    /// JSON with the members of version 2.
    V2J,
    /// JSON with the members of version 1. It is read, and written as v2J.
    V1J,
}

impl Format {
    /// The format as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V2J => "v2j",
            Self::V1J => "v1j",
        }
    }
}

/// How a decoder reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// What it takes before it refuses.
    pub limits: Limits,
    pub(crate) liberal: bool,
}

impl DecodeOptions {
    /// By the strict rules, within these limits.
    #[must_use]
    pub const fn within(limits: Limits) -> Self {
        Self { limits, liberal: false }
    }

    /// By the liberal rules of `macaroon-formats.md` §6: what other libraries write that should not have been
    /// written. Nothing of this changes what is signed. Not for requests from strangers.
    #[must_use]
    pub const fn compat() -> Self {
        Self { limits: Limits::ONEDATA, liberal: true }
    }
}

/// A third-party caveat's sealed key has one length.
pub(crate) fn vid_fits(len: usize, at: usize) -> Result<(), DecodeError> {
    match len {
        VID_LEN => Ok(()),
        len => Err(DecodeError::bytes(Problem::VidLength { len }, at)),
    }
}

pub(crate) fn writable_vid(vid: &[u8]) -> Result<(), EncodeError> {
    match vid.len() {
        VID_LEN => Ok(()),
        len => Err(EncodeError::VidLength { len }),
    }
}
