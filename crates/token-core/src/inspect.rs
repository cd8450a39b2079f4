//! What can be read of a token without its key, whole or damaged.

mod diagnosis;
mod report;

use alloc::boxed::Box;
use core::fmt;

pub use self::{diagnosis::Hint, report::Report};
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
/// [`Damage`] where the text is not a token: what is wrong, where, and what was read before.
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

/// What a token says of itself. None of it is confirmed: anyone can write such a token, and anyone who holds
/// one can have changed its location.
pub struct Inspection(Reading);

impl Inspection {
    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// How the text is written; `None` where that could not be told.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        self.0.spelling.map(|spelling| spelling.encoding)
    }

    /// The format; `None` where that could not be told.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.0.format
    }

    /// The service that the text's prefix names.
    #[must_use]
    pub fn service(&self) -> Option<ServiceKind> {
        self.0.spelling.and_then(|spelling| spelling.service)
    }

    /// The length of the macaroon that the text spells, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether not one byte could be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The location, as far as it was read.
    #[must_use]
    pub fn location(&self) -> Option<&[u8]> {
        self.parts().location.map(|span| self.parts().bytes(span))
    }

    /// The identifier, as far as it was read.
    #[must_use]
    pub fn identifier(&self) -> Option<&[u8]> {
        self.parts().identifier.map(|span| self.parts().bytes(span))
    }

    /// What a version-2 identifier says.
    #[must_use]
    pub fn token(&self) -> Option<IdentifierV2<'_>> {
        Identifier::read(self.identifier()?).ok()?.v2().copied()
    }

    /// The caveats that were read, in chain order.
    pub fn caveats(&self) -> impl ExactSizeIterator<Item = Caveat<'_>> {
        self.parts().caveats()
    }

    /// The least of the times that its caveats state; `None` where none states one.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.caveats()
            .filter_map(|caveat| match caveat {
                Caveat::FirstParty { predicate } => Predicate::read(predicate),
                Caveat::ThirdParty { .. } => None,
            })
            .filter_map(|predicate| match predicate {
                Predicate::Time { valid_until } => Some(valid_until),
                _ => None,
            })
            .min()
    }

    /// The signature, which makes whoever sees it with the rest a bearer of the token.
    #[must_use]
    pub fn signature(&self) -> Option<&Signature> {
        self.0.signature.as_ref()
    }

    /// The whole of it as a document, judged at that time.
    #[must_use]
    pub fn report(&self, now: UnixTime) -> Report<'_> {
        Report::new(self, now)
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
#[derive(Debug)]
#[non_exhaustive]
pub struct Damage {
    /// What is wrong, and where.
    pub error: DecodeError,
    /// What probably happened to it.
    pub hint: Option<Hint>,
    /// What was read before the damage.
    pub partial: Box<Inspection>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            None => write!(f, "{}", self.error),
            Some(hint) => write!(f, "{}; {hint}", self.error),
        }
    }
}

impl core::error::Error for Damage {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}
