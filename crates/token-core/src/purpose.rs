//! What a token says it is for.

use crate::{Caveat, Identifier, LegacyType, Macaroon, Predicate, TokenType};

/// What a token says it is for. Nobody has verified it: anyone can write such a token. It tells a program where to
/// send a token, never what the token allows; that is for [`Verified`](crate::Verified), or the issuer, to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatedPurpose<'a> {
    /// A version-2 identifier says so, as in every token since 20.02.
    Modern(TokenType<'a>),
    /// The first caveat `tokenType = …` of a token of before 20.02 says so.
    Legacy(LegacyType),
    /// It does not say. A token of before 20.02 that acts for a user (a *client token*) is one of these.
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
