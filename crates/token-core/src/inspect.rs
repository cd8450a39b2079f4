//! Reads a token without its key, whole or damaged.

mod diagnosis;
mod layout;
mod report;

use alloc::{boxed::Box, format};
use core::fmt;

pub use self::{
    diagnosis::Hint,
    layout::{Field, Stretch, Tail},
    report::Report,
};
use crate::{
    Caveat, DecodeError, DecodeOptions, Encoding, Format, Identifier, IdentifierV2, Predicate, ServiceKind,
    Signature, UnixTime,
    macaroon::Parts,
    token::identifier_error,
    wire::{self, Reading},
};

/// Reads a token without its key.
///
/// ```
/// use token_core::{DecodeOptions, inspect};
///
/// let damage = inspect("MDAxNmxvY2F00aW9uIHJlZ2lzdHJ5CjAwM2JpZGVudGlm", &DecodeOptions::default()).unwrap_err();
/// assert_eq!(damage.partial.location(), Some(&b"registry"[..]));
/// assert_eq!(damage.error.offset(), 33);
/// assert!(damage.to_string().contains("48 bytes short"));
/// ```
///
/// # Errors
/// [`Damage`] if the text is not a token: what is wrong, where, and the part that was read.
pub fn inspect(text: &str, options: &DecodeOptions) -> Result<Inspection, Damage> {
    let mut reading = Reading::default();
    if let Err(error) = wire::read_text(text, options, &mut reading) {
        let hint = diagnosis::hint(text, &error, &reading, options);
        return Err(Damage { error, hint, partial: Box::new(Inspection(reading)) });
    }
    let inspection = Inspection(reading);
    match inspection.identifier().map(Identifier::read) {
        Some(Err(error)) => {
            let error = identifier_error(inspection.parts(), error);
            Err(Damage { error, hint: None, partial: Box::new(inspection) })
        }
        _ => Ok(inspection),
    }
}

/// The contents of a token, unauthenticated: anyone can write such a token, and any holder can change its location.
pub struct Inspection(Reading);

impl Inspection {
    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// Returns the encoding of the text; `None` if it was not recognized.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        self.0.spelling.map(|spelling| spelling.encoding)
    }

    /// Returns the format; `None` if it was not recognized.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.0.format
    }

    /// Returns the service that the text's prefix names; `None` without a prefix.
    #[must_use]
    pub fn service(&self) -> Option<ServiceKind> {
        self.0.spelling.and_then(|spelling| spelling.service)
    }

    /// Returns the length of the decoded macaroon, in bytes. Of a damaged text: how many bytes were decoded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether not even one byte was decoded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the location, if it was read.
    #[must_use]
    pub fn location(&self) -> Option<&[u8]> {
        self.parts().location.map(|span| self.parts().bytes(span))
    }

    /// Returns the identifier, if it was read.
    #[must_use]
    pub fn identifier(&self) -> Option<&[u8]> {
        self.parts().identifier.map(|span| self.parts().bytes(span))
    }

    /// Returns the identifier's fields, if it is a version-2 identifier.
    #[must_use]
    pub fn token(&self) -> Option<IdentifierV2<&str>> {
        Identifier::read(self.identifier()?).ok()?.v2().copied()
    }

    /// Returns the caveats that were read, in chain order.
    pub fn caveats(&self) -> impl ExactSizeIterator<Item = Caveat<'_>> {
        self.parts().caveats()
    }

    /// Returns the earliest time among its `time` caveats; `None` if it has none.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.caveats()
            .filter_map(|caveat| match caveat.read()? {
                Predicate::Time { valid_until } => Some(valid_until.to_time()),
                _ => None,
            })
            .min()
    }

    /// Returns the signature, if it was read. With the other fields it is a bearer credential: do not log it.
    #[must_use]
    pub fn signature(&self) -> Option<&Signature> {
        self.0.signature.as_ref()
    }

    /// Returns the inspection as a document, judged at that time; without one, `expired` is null.
    #[must_use]
    pub fn report(&self, now: impl Into<Option<UnixTime>>) -> Report<'_> {
        Report::new(self, now.into())
    }
}

/// Shows its length and the number of its caveats, not the signature.
impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("bytes", &self.len())
            .field("caveats", &self.caveats().len())
            .finish_non_exhaustive()
    }
}

/// A text that is not a token.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", .hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
#[non_exhaustive]
pub struct Damage {
    /// What is wrong, and where.
    #[source]
    pub error: DecodeError,
    /// What probably happened to it.
    pub hint: Option<Hint>,
    /// The part that was read before the damage.
    pub partial: Box<Inspection>,
}
