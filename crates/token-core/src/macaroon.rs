//! The macaroon as bytes: location, identifier, chain of caveats, signature.

use alloc::vec::Vec;
use core::fmt;

use tinyvec::TinyVec;

use crate::{
    CaveatKey, CaveatNonce, DecodeError, RootKey, Signature, caveat::Caveat, limits::Limits, mac::ChainKey,
    seal,
};

/// A stretch of [`Parts::fields`], in bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct CaveatSpans {
    pub(crate) identifier: Span,
    pub(crate) third_party: Option<ThirdPartySpans>,
}

#[derive(Clone, Copy)]
pub(crate) struct ThirdPartySpans {
    pub(crate) vid: Span,
    pub(crate) location: Span,
}

/// A macaroon without its signature, as far as it has been read or built. One buffer holds all fields; a decoded
/// token stays there as received.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) fields: Vec<u8>,
    pub(crate) location: Option<Span>,
    pub(crate) identifier: Option<Span>,
    /// Onedata's tokens commonly have one or two caveats, which need no allocation.
    pub(crate) caveats: TinyVec<[CaveatSpans; 2]>,
}

impl Parts {
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        self.fields.get(span.start..span.end).unwrap_or_default()
    }

    /// Returns all fields up to the end of the last caveat, if they are UTF-8. Checking them at once takes a third of
    /// the time of checking them one by one.
    pub(crate) fn text(&self) -> Option<&str> {
        let end = self.caveats.last()?.identifier.end;
        core::str::from_utf8(self.fields.get(..end)?).ok()
    }

    pub(crate) fn identifier(&self) -> &[u8] {
        self.identifier.map_or(&[], |span| self.bytes(span))
    }

    pub(crate) fn caveats(&self) -> impl ExactSizeIterator<Item = Caveat<'_>> {
        self.caveats.iter().map(|spans| match spans.third_party {
            None => Caveat::FirstParty { predicate: self.bytes(spans.identifier) },
            Some(third_party) => Caveat::ThirdParty {
                identifier: self.bytes(spans.identifier),
                vid: self.bytes(third_party.vid),
                location: self.bytes(third_party.location),
            },
        })
    }

    /// Appends a caveat that was read; that many bytes are left behind it.
    #[inline]
    pub(crate) fn push_caveat(&mut self, caveat: CaveatSpans, left: usize, limits: &Limits) {
        /// The typical length of a caveat, in bytes: `0019cid time < 1496140144` and a line feed.
        const TYPICAL: usize = 25;
        if self.caveats.len() == self.caveats.capacity() {
            self.caveats.reserve((left / TYPICAL).clamp(1, limits.caveats.max(1)));
        }
        self.caveats.push(caveat);
    }

    pub(crate) fn push(&mut self, field: &[u8]) -> Span {
        let start = self.fields.len();
        self.fields.extend_from_slice(field);
        Span { start, end: self.fields.len() }
    }
}

/// A location hint, an identifier, a chain of caveats, and the signature that ends the chain.
///
/// Keeps its bytes exactly as received. Proves nothing until a [`Verifier`](crate::Verifier) has accepted it. A
/// macaroon is a bearer credential, so it is neither compared nor printed. It can be cloned, since one macaroon is
/// commonly attenuated for several bearers.
#[derive(Clone)]
pub struct Macaroon {
    pub(crate) parts: Parts,
    pub(crate) signature: Signature,
}

impl Macaroon {
    /// Mints a macaroon without caveats under the key.
    ///
    /// The location is an unsigned hint for the reader. The identifier is signed; by it the issuer finds the key to
    /// verify with.
    ///
    /// # Errors
    /// [`BuildError`] when the identifier is empty, or either is longer than 1 MiB.
    pub fn mint(key: &RootKey, location: &str, identifier: &[u8]) -> Result<Self, BuildError> {
        check(location, identifier)?;
        let mut parts = Parts { fields: Vec::with_capacity(256), ..Parts::default() };
        parts.location = Some(parts.push(location.as_bytes()));
        parts.identifier = Some(parts.push(identifier));
        Ok(Self { parts, signature: ChainKey::start(key.expose(), identifier).into_signature() })
    }

    /// Appends a first-party caveat. Needs no key and cannot be undone: the new macaroon is accepted where the old
    /// one was *and* the predicate holds.
    ///
    /// # Errors
    /// [`BuildError`] when the predicate is empty or longer than 1 MiB; the macaroon is then unchanged. A macaroon
    /// that exceeds [`Limits::ONEDATA`] in caveats or text can be written, but readers with these limits refuse it.
    pub fn attenuate(&mut self, predicate: impl AsRef<[u8]>) -> Result<(), BuildError> {
        let predicate = predicate.as_ref();
        check("", predicate)?;
        let mut link = ChainKey::resume(&self.signature);
        link.link(predicate);
        self.signature = link.into_signature();
        let identifier = self.parts.push(predicate);
        self.parts.caveats.push(CaveatSpans { identifier, third_party: None });
        Ok(())
    }

    /// Appends a third-party caveat. The macaroon is then valid only together with a discharge, which the third party
    /// mints with [`discharge`](Self::discharge) under the same key. The caller and the third party agree on how it
    /// learns the key and the condition to check: commonly the identifier contains both, encrypted for it.
    ///
    /// The location is an unsigned hint where to get the discharge.
    ///
    /// # Errors
    /// [`BuildError`] when the identifier is empty, or either is longer than 1 MiB; the macaroon is then unchanged.
    pub fn add_third_party(
        &mut self,
        location: &str,
        identifier: &[u8],
        key: &CaveatKey,
        nonce: CaveatNonce,
    ) -> Result<(), BuildError> {
        check(location, identifier)?;
        let mut link = ChainKey::resume(&self.signature);
        let vid = seal::seal(&link, nonce, key);
        link.link_third_party(&vid, identifier);
        self.signature = link.into_signature();
        let third_party = Some(ThirdPartySpans {
            vid: self.parts.push(&vid),
            location: self.parts.push(location.as_bytes()),
        });
        let identifier = self.parts.push(identifier);
        self.parts.caveats.push(CaveatSpans { identifier, third_party });
        Ok(())
    }

    /// Mints the macaroon by which a third party confirms a caveat. Its identifier is the caveat's. The third party
    /// can attenuate it to set conditions of its own, until it is bound.
    ///
    /// # Errors
    /// [`BuildError`] when the identifier is empty, or either is longer than 1 MiB.
    pub fn discharge(key: &CaveatKey, location: &str, identifier: &[u8]) -> Result<Self, BuildError> {
        Self::mint(key.as_root(), location, identifier)
    }

    /// Binds a discharge to this root macaroon, so that it is refused with any other, and returns the bound discharge.
    /// Do this last: attenuating either macaroon afterwards breaks the binding.
    #[must_use]
    pub fn bind_discharge(&self, discharge: &Self) -> Self {
        let signature = ChainKey::resume(&discharge.signature).bound_to(&self.signature).into_signature();
        Self { parts: discharge.parts.clone(), signature }
    }

    /// Returns the location: an unsigned hint that any holder may have changed. Never route, authorize or fetch by
    /// it. Empty if there is none.
    #[must_use]
    pub fn location(&self) -> &[u8] {
        self.parts.location.map_or(&[], |span| self.parts.bytes(span))
    }

    /// Returns the identifier, as received.
    #[must_use]
    pub fn identifier(&self) -> &[u8] {
        self.parts.identifier()
    }

    /// Returns the caveats, in chain order.
    pub fn caveats(&self) -> impl ExactSizeIterator<Item = Caveat<'_>> {
        self.parts.caveats()
    }

    /// Returns the size of its fields without the signature, in bytes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.parts.fields.len()
    }

    /// Returns the signature that ends the chain.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// Shows the identifier and the number of caveats, not the signature.
impl fmt::Debug for Macaroon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Macaroon")
            .field("identifier", &format_args!("\"{}\"", self.identifier().escape_ascii()))
            .field("caveats", &self.parts.caveats.len())
            .finish_non_exhaustive()
    }
}

/// Why a macaroon or a token was not minted or attenuated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The identifier or predicate is empty.
    #[error("an identifier or a caveat cannot be empty")]
    Empty,
    /// The field is longer than 1 MiB.
    #[error("a field of {len} bytes; {} are allowed", Limits::ONEDATA.field)]
    TooLong {
        /// The length of the field, in bytes.
        len: usize,
    },
    /// A part of the identifier is empty or contains a separator. The offset counts from the identifier's beginning.
    #[error(transparent)]
    Identifier(#[from] DecodeError),
    /// The subject is neither a user nor a provider (`onedata-tokens.md` §3).
    #[error("a token speaks for a user or a provider")]
    Subject,
    /// The id of a legacy token reads as a version-2 identifier.
    #[error("the id reads as a version-2 identifier")]
    NotOpaque,
}

/// Checks the fields of a macaroon or of a caveat.
fn check(location: &str, field: &[u8]) -> Result<(), BuildError> {
    match location.len().max(field.len()) {
        len if len > Limits::ONEDATA.field => Err(BuildError::TooLong { len }),
        _ if field.is_empty() => Err(BuildError::Empty),
        _ => Ok(()),
    }
}
