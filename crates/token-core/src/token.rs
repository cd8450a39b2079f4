//! A token of Onedata: a macaroon with its spelling and the reading of its identifier.

use alloc::string::String;
use core::fmt;

use crate::{
    DecodeError, DecodeOptions, EncodeError, Encoding, FieldError, Fingerprint, Format, Identifier,
    IdentifierV2, Macaroon, RootKey, ServiceKind, Spelling, StatedPurpose, Subject,
    identifier::IdentifierError,
    macaroon::Parts,
    wire::{self, Reading, error::Problem},
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
    /// A new token with a version-2 identifier, as Onedata has minted them since 20.02.
    ///
    /// # Errors
    /// [`MintError`] when a part of the identifier holds a separator, or a field is too long.
    pub fn mint(key: &RootKey, location: &str, identifier: &IdentifierV2<'_>) -> Result<Self, MintError> {
        if !matches!(identifier.subject, Subject::User(_) | Subject::Provider(_)) {
            return Err(MintError::Subject);
        }
        let identifier = identifier.write()?;
        Ok(Self {
            macaroon: Macaroon::mint(key, location, identifier.as_bytes())?,
            spelling: Spelling::default(),
        })
    }

    /// A new token with an opaque identifier, as Onedata minted them before 20.02.
    ///
    /// # Errors
    /// [`MintError`] when the id reads as an identifier of version 2 or as a bad one, or a field is too long.
    pub fn mint_legacy(key: &RootKey, location: &str, id: &str) -> Result<Self, MintError> {
        match Identifier::read(id.as_bytes())? {
            Identifier::Opaque(id) => {
                Ok(Self { macaroon: Macaroon::mint(key, location, id)?, spelling: Spelling::default() })
            }
            Identifier::V2(_) => Err(MintError::NotOpaque),
        }
    }

    /// Reads a token's text. White space is refused, also at the ends: trim what a person pasted.
    ///
    /// # Errors
    /// [`DecodeError`], which says what is wrong and where.
    pub fn decode(text: &str, options: &DecodeOptions) -> Result<Self, DecodeError> {
        let mut reading = Reading::default();
        wire::read_text(text, options, &mut reading)?;
        // While it lies where it was read: the token is moved once, to where it stays.
        Identifier::read(reading.parts.identifier())
            .map_err(|error| identifier_error(&reading.parts, error))?;
        let (macaroon, spelling) = reading.into_spelled(options)?;
        Ok(Self { macaroon, spelling })
    }

    /// Writes the token as it was written when it was decoded, or in base62.
    ///
    /// # Errors
    /// [`EncodeError`] when a field does not fit into its format.
    pub fn encode(&self) -> Result<String, EncodeError> {
        self.macaroon.spell(self.spelling)
    }

    /// The same token, to be written in this format; the encoding is for v1.
    #[must_use]
    pub fn written_as(mut self, format: Format, encoding: Encoding) -> Self {
        (self.spelling.format, self.spelling.encoding) = (format, encoding);
        self
    }

    /// Appends a first-party caveat, for which nothing but the token is needed.
    ///
    /// # Errors
    /// [`FieldError`] when the predicate is empty or too long; the token is then as it was.
    pub fn attenuate(&mut self, predicate: impl AsRef<[u8]>) -> Result<(), FieldError> {
        self.macaroon.attenuate(predicate)
    }

    /// The macaroon that it is.
    #[must_use]
    pub const fn macaroon(&self) -> &Macaroon {
        &self.macaroon
    }

    /// What the token says it is for. Nobody has verified it.
    ///
    /// ```
    /// use token_core::{DecodeOptions, InviteType, RootKey, StatedPurpose, Token, TokenType};
    /// # use token_core::{IdentifierV2, Persistence, Subject};
    ///
    /// # let token_type = TokenType::Invite { invite: InviteType::SupportSpace, target: "s1" };
    /// # let identifier =
    /// #     IdentifierV2 { persistence: Persistence::Named, subject: Subject::User("u1"), token_type, id: "t1" };
    /// # let text = Token::mint(&RootKey::derive(&[7; 32])?, "onezone", &identifier)?.encode()?;
    /// let token = Token::decode(&text, &DecodeOptions::default())?;
    /// let purpose = TokenType::Invite { invite: InviteType::SupportSpace, target: "s1" };
    /// assert_eq!(token.stated_purpose(), StatedPurpose::Modern(purpose));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stated_purpose(&self) -> StatedPurpose<'_> {
        StatedPurpose::of(&self.macaroon)
    }

    /// The digest of the token, the same in all its spellings: what a cached verdict is kept under.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.macaroon.fingerprint()
    }

    /// What its identifier says.
    #[must_use]
    pub fn identifier(&self) -> Identifier<'_> {
        let bytes = self.macaroon.identifier();
        Identifier::read(bytes).unwrap_or(Identifier::Opaque(bytes))
    }

    /// How it was written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.spelling.encoding
    }

    /// The service that its prefix names: an unsigned hint.
    #[must_use]
    pub const fn service(&self) -> Option<ServiceKind> {
        self.spelling.service
    }
}

/// Places an error of an identifier within the bytes of its macaroon.
pub(crate) fn identifier_error(parts: &Parts, error: IdentifierError) -> DecodeError {
    let begin = parts.identifier.map_or(0, |span| span.start);
    DecodeError::bytes(Problem::Identifier(error), begin.saturating_add(error.at))
}

/// Shows the identifier and the number of caveats, not the signature.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.macaroon).finish()
    }
}

/// A token cannot be minted so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// A part of the identifier is empty or holds a separator.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// A field is empty or too long.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A token speaks for a user or a provider (`onedata-tokens.md` §3).
    #[error("a token speaks for a user or a provider")]
    Subject,
    /// The id of a token of before 20.02 reads as an identifier of version 2.
    #[error("the id reads as a version-2 identifier")]
    NotOpaque,
}
