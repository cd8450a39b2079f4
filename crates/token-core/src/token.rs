//! An Onedata token: a macaroon with its spelling and a typed view of its identifier.

use alloc::string::String;
use core::fmt;

use crate::{
    BuildError, Caveat, DecodeError, DecodeOptions, EncodeError, Encoding, Fingerprint, Format, Identifier,
    IdentifierV2, LegacyType, Limits, Macaroon, Predicate, RootKey, ServiceKind, Spelling, Subject,
    macaroon::Parts,
    wire::{self, Reading},
};

/// A token that was minted or decoded. It proves nothing until it is verified.
///
/// ```
/// use token_core::{DecodeOptions, Encoding, RootKey, Token};
///
/// let key = RootKey::derive(&[7; 32])?;
/// let mut token = Token::mint_legacy(&key, "onezone", "vcPiHpi0xfmkVNtJtyCH5SoGm5Z")?;
/// token.attenuate("tokenType = space_support_token")?;
/// let text = token.encode()?;
/// assert!(text.starts_with("MDAxNWxvY2F00aW9uIG9uZXpvbmUK"));
/// assert_eq!(Token::decode(&text, &DecodeOptions::default())?.encode()?, text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Token {
    macaroon: Macaroon,
    spelling: Spelling,
}

impl Token {
    /// Mints a token with a version-2 identifier, as Onedata has done since 20.02.
    ///
    /// # Errors
    /// [`BuildError`] when the subject is neither a user nor a provider, a part of the identifier contains a separator,
    /// or a field is too long.
    pub fn mint(
        key: &RootKey,
        location: &str,
        identifier: &IdentifierV2<impl AsRef<str>>,
    ) -> Result<Self, BuildError> {
        if !matches!(identifier.subject, Subject::User(_) | Subject::Provider(_)) {
            return Err(BuildError::Subject);
        }
        let identifier = identifier.write()?;
        Ok(Self {
            macaroon: Macaroon::mint(key, location, identifier.as_bytes())?,
            spelling: Spelling::default(),
        })
    }

    /// Mints a legacy token, with an opaque identifier as Onedata wrote before 20.02.
    ///
    /// # Errors
    /// [`BuildError`] when the id is empty or begins like a version-2 identifier, or a field is longer than 1 MiB.
    pub fn mint_legacy(key: &RootKey, location: &str, id: &str) -> Result<Self, BuildError> {
        match Identifier::read(id.as_bytes())? {
            Identifier::Opaque(id) => {
                Ok(Self { macaroon: Macaroon::mint(key, location, id)?, spelling: Spelling::default() })
            }
            Identifier::V2(_) => Err(BuildError::NotOpaque),
        }
    }

    /// Reads a token's text. Refuses white space, also at the ends: trim a pasted text first.
    ///
    /// # Errors
    /// [`DecodeError`], which says what is wrong and where.
    pub fn decode(text: &str, options: &DecodeOptions) -> Result<Self, DecodeError> {
        let mut reading = Reading::default();
        wire::read_text(text, options, &mut reading)?;
        // Checks the identifier before the token is moved, so that it is moved only once.
        Identifier::read(reading.parts.identifier())
            .map_err(|error| identifier_error(&reading.parts, error))?;
        let (macaroon, spelling) = reading.into_spelled(options)?;
        Ok(Self { macaroon, spelling })
    }

    /// Writes the token with the spelling that it was decoded from; a new token as v1 in base62.
    ///
    /// # Errors
    /// [`EncodeError`] when the format cannot carry a field.
    pub fn encode(&self) -> Result<String, EncodeError> {
        self.macaroon.spell(self.spelling)
    }

    /// Returns whether a decoder with these limits reads the token from the text that [`encode`](Self::encode) wrote.
    #[must_use]
    pub fn is_within(&self, limits: &Limits, text: &str) -> bool {
        let macaroon = &self.macaroon;
        let fits = |field: &[u8]| field.len() <= limits.field;
        text.len() <= limits.text
            && macaroon.caveats().len() <= limits.caveats
            && [macaroon.location(), macaroon.identifier(), macaroon.signature().expose()]
                .into_iter()
                .all(fits)
            && macaroon.caveats().all(|caveat| match caveat {
                Caveat::FirstParty { predicate } => fits(predicate),
                Caveat::ThirdParty { identifier, vid, location } => {
                    fits(identifier) && fits(vid) && fits(location)
                }
            })
    }

    /// Returns the same token, to be written in this format. The encoding applies to v1 only.
    #[must_use]
    pub fn written_as(mut self, format: Format, encoding: Encoding) -> Self {
        (self.spelling.format, self.spelling.encoding) = (format, encoding);
        self
    }

    /// Appends a first-party caveat. Needs no key.
    ///
    /// # Errors
    /// [`BuildError`] when the predicate is empty or too long; the token is then unchanged.
    pub fn attenuate(&mut self, predicate: impl AsRef<[u8]>) -> Result<(), BuildError> {
        self.macaroon.attenuate(predicate)
    }

    /// Returns the token's macaroon.
    #[must_use]
    pub const fn macaroon(&self) -> &Macaroon {
        &self.macaroon
    }

    /// Returns the type that a legacy token states in its first caveat `tokenType = …`, unverified: anyone can write
    /// such a token. A program may route a token by it, never authorize by it. A token with a version-2 identifier
    /// states its type [there](IdentifierV2::token_type).
    #[must_use]
    pub fn stated_legacy_type(&self) -> Option<LegacyType> {
        let Identifier::Opaque(_) = self.identifier() else { return None };
        self.macaroon.caveats().find_map(|caveat| match caveat.read()? {
            Predicate::TokenType(stated) => Some(stated),
            _ => None,
        })
    }

    /// Returns the digest of the token, the key for a cached verdict. It is the same for every spelling.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.macaroon.fingerprint()
    }

    /// Returns its identifier.
    #[must_use]
    pub fn identifier(&self) -> Identifier<'_> {
        let bytes = self.macaroon.identifier();
        Identifier::read(bytes).unwrap_or(Identifier::Opaque(bytes))
    }

    /// Returns the spelling that it was decoded from, or will be written in.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.spelling.encoding
    }

    /// Returns the service that its prefix names: an unsigned hint.
    #[must_use]
    pub const fn service(&self) -> Option<ServiceKind> {
        self.spelling.service
    }
}

/// Counts an offset in the identifier from the beginning of the macaroon's bytes.
pub(crate) fn identifier_error(parts: &Parts, mut error: DecodeError) -> DecodeError {
    error.offset = error.offset.saturating_add(parts.identifier.map_or(0, |span| span.start));
    error
}

/// Shows the identifier and the number of caveats, not the signature.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.macaroon).finish()
    }
}
