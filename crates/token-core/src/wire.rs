//! Macaroons as bytes and as text: reading, strictly, and writing, canonically.
//!
//! [`text`] turns text into bytes and back (base62, base64); [`v1`] turns bytes into fields and back.

pub(crate) mod error;
pub(crate) mod text;
pub(crate) mod v1;

use alloc::{string::String, vec::Vec};

use self::{error::DecodeError, text::Spelling};
use crate::{Encoding, Macaroon, Signature, limits::Limits, macaroon::Parts};

/// How a decoder reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// What it takes before it refuses.
    pub limits: Limits,
}

/// A token as far as it could be read.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) spelling: Option<Spelling>,
    pub(crate) parts: Parts,
    pub(crate) signature: Option<Signature>,
}

/// Reads a whole text; where it fails, `reading` keeps what came before.
pub(crate) fn read_text(text: &str, limits: &Limits, reading: &mut Reading) -> Result<(), DecodeError> {
    let (spelling, decoded) = text::decode(text, limits);
    reading.spelling = spelling;
    match decoded {
        Ok(bytes) => read_bytes(bytes, limits, reading),
        // The damage is in the text; what was decoded before it can still be read. A text that was cut off
        // commonly ends in the middle of a group as well, and then what is missing says more than that.
        Err((error, before)) => {
            let read = read_bytes(before, limits, reading);
            reading.signature = None;
            match read {
                Err(cut) if error.is_at_the_end() && cut.is_at_the_end() => Err(cut),
                _ => Err(error),
            }
        }
    }
}

fn read_bytes(bytes: Vec<u8>, limits: &Limits, reading: &mut Reading) -> Result<(), DecodeError> {
    if bytes.len() > limits.text {
        return Err(DecodeError::too_long(bytes.len(), limits.text));
    }
    reading.parts.fields = bytes;
    reading.signature = Some(v1::read(&mut reading.parts, limits)?);
    Ok(())
}

impl Macaroon {
    /// Reads the binary form: v1 packets (`macaroon-formats.md` §2).
    ///
    /// # Errors
    /// [`DecodeError`], which says what is wrong and at which byte.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>, options: &DecodeOptions) -> Result<Self, DecodeError> {
        let mut reading = Reading::default();
        read_bytes(bytes.into(), &options.limits, &mut reading)?;
        reading.into_macaroon()
    }

    /// Reads a text in base62 or base64, and tells which.
    ///
    /// # Errors
    /// [`DecodeError`], which says what is wrong and at which character, or at which byte of what it spells.
    pub fn from_text(text: &str, options: &DecodeOptions) -> Result<(Self, Spelling), DecodeError> {
        let mut reading = Reading::default();
        read_text(text, &options.limits, &mut reading)?;
        let spelling = reading.spelling.unwrap_or_default();
        Ok((reading.into_macaroon()?, spelling))
    }

    /// Writes the binary form: v1 packets. What [`from_bytes`](Self::from_bytes) read comes out as it came in.
    ///
    /// # Errors
    /// [`EncodeError`] when a field does not fit into a v1 packet.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        v1::write(self)
    }

    /// Writes the text form.
    ///
    /// # Errors
    /// [`EncodeError`] when a field does not fit into a v1 packet.
    pub fn to_text(&self, encoding: Encoding) -> Result<String, EncodeError> {
        Ok(text::encode(&self.to_bytes()?, encoding))
    }
}

impl Reading {
    fn into_macaroon(self) -> Result<Macaroon, DecodeError> {
        match self.signature {
            Some(signature) => Ok(Macaroon { parts: self.parts, signature }),
            None => Err(DecodeError::missing_signature(self.parts.fields.len())),
        }
    }
}

/// The macaroon cannot be written in this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A v1 packet has at most 65,535 bytes, its length and name included (`macaroon-formats.md` §2).
    #[error("the {field} has {len} bytes; a v1 packet takes {max}")]
    FieldTooLong {
        /// The name of the packet.
        field: &'static str,
        /// The length of the value, in bytes.
        len: usize,
        /// The greatest length that fits, in bytes.
        max: usize,
    },
    /// Libraries that read v1 take text alone for identifiers and predicates (`macaroon-formats.md` §6).
    #[error("the {field} is not UTF-8, which v1 cannot carry everywhere")]
    NotUtf8 {
        /// The name of the packet.
        field: &'static str,
    },
}
