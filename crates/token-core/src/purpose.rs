//! The purpose that a token states.

use crate::{Caveat, Identifier, LegacyType, Macaroon, Predicate, TokenType};

/// The purpose that a token states, unverified: anyone can write such a token. A program may route a token by it,
/// never authorize by it; only [`Verified`](crate::Verified) or the issuer says what the token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatedPurpose<'a> {
    /// Stated by the version-2 identifier, as in every token since 20.02.
    Modern(TokenType<'a>),
    /// Stated by the first caveat `tokenType = …` of a legacy token.
    Legacy(LegacyType),
    /// Not stated, as in a legacy token that acts for a user (a *client token*).
    Unstated,
}

impl<'a> StatedPurpose<'a> {
    pub(crate) fn of(macaroon: &'a Macaroon) -> Self {
        let identifier = Identifier::read(macaroon.identifier()).ok();
        if let Some(identifier) = identifier.as_ref().and_then(Identifier::v2) {
            return Self::Modern(identifier.token_type);
        }
        let stated = macaroon.caveats().find_map(|caveat| match caveat {
            Caveat::FirstParty { predicate } => match Predicate::read(predicate) {
                Some(Predicate::TokenType(stated)) => Some(stated),
                _ => None,
            },
            Caveat::ThirdParty { .. } => None,
        });
        stated.map_or(Self::Unstated, Self::Legacy)
    }
}
