//! The formats, and the rules for reading them.

use super::error::EncodeError;
use crate::{limits::Limits, parse::named, seal::VID_LEN};

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
    /// JSON with the members of version 1. Read only: it is written as v2J.
    V1J,
}

named! { Format, "none of v1, v2, v2j, v1j", V1 = "v1", V2 = "v2", V2J = "v2j", V1J = "v1j" }

/// The options of a decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// The limits beyond which it refuses.
    pub limits: Limits,
    pub(crate) liberal: bool,
}

impl DecodeOptions {
    /// Reads by the strict rules, within these limits.
    #[must_use]
    pub const fn within(limits: Limits) -> Self {
        Self { limits, liberal: false }
    }

    /// Reads by the liberal rules of `macaroon-formats.md` §6, which also accept texts that other libraries write
    /// against the rules. They do not change which bytes are signed. Not for requests from strangers.
    #[must_use]
    pub const fn compat() -> Self {
        Self { limits: Limits::ONEDATA, liberal: true }
    }
}

pub(crate) fn writable_vid(vid: &[u8]) -> Result<(), EncodeError> {
    match vid.len() {
        VID_LEN => Ok(()),
        len => Err(EncodeError::VidLength { len }),
    }
}
