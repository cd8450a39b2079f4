//! A field of a binary form, and what both forms demand of it.

use super::{
    error::{DecodeError, Problem},
    format::DecodeOptions,
};
use crate::{
    Signature,
    macaroon::{Parts, Span},
    seal::VID_LEN,
};

#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) value: &'a [u8],
    /// The offset of the value.
    pub(super) start: usize,
    /// The offset of the length or tag before it.
    pub(super) begin: usize,
}

impl Field<'_> {
    #[inline]
    pub(super) const fn span(&self) -> Span {
        Span { start: self.start, end: self.start.saturating_add(self.value.len()) }
    }

    pub(super) const fn error(&self, problem: Problem) -> DecodeError {
        DecodeError::bytes(problem, self.begin)
    }

    #[inline]
    pub(super) fn utf8(&self, name: &'static str, options: &DecodeOptions) -> Result<Span, DecodeError> {
        match core::str::from_utf8(self.value) {
            Err(error) if !options.liberal => {
                let at = self.start.saturating_add(error.valid_up_to());
                Err(DecodeError::bytes(Problem::NotUtf8(name), at))
            }
            _ => Ok(self.span()),
        }
    }

    #[inline]
    pub(super) const fn not_empty(&self, name: &'static str) -> Result<Span, DecodeError> {
        match self.value.is_empty() {
            true => Err(self.error(Problem::EmptyField(name))),
            false => Ok(self.span()),
        }
    }

    pub(super) const fn vid(&self) -> Result<Span, DecodeError> {
        match self.value.len() {
            VID_LEN => Ok(self.span()),
            len => Err(self.error(Problem::VidLength(len))),
        }
    }

    /// Reads the last field; `left` bytes are left at the offset `at`.
    #[inline]
    pub(super) fn signature(&self, left: usize, at: usize) -> Result<Signature, DecodeError> {
        match (self.value.try_into(), left) {
            (Err(_), _) => Err(self.error(Problem::SignatureLength(self.value.len()))),
            (Ok(signature), 0) => Ok(Signature::new(signature)),
            (Ok(_), left) => Err(DecodeError::bytes(Problem::TrailingBytes(left), at)),
        }
    }
}

/// Checks that one more caveat, which begins at that offset, is within the limits.
#[inline]
pub(super) fn room(parts: &Parts, options: &DecodeOptions, begin: usize) -> Result<(), DecodeError> {
    let max = options.limits.caveats;
    match parts.caveats.len() >= max {
        true => Err(DecodeError::bytes(Problem::TooManyCaveats(max), begin)),
        false => Ok(()),
    }
}
