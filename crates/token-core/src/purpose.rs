//! What a token is for.

use core::{fmt, str::FromStr};

use crate::{CaveatTypes, Identifier, InviteConsumer, InviteType, LegacyType, ParseError, Scope, TokenType};

/// What a token is for, in either dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Lets a provider create a space for a group and support it: `group-spaces`.
    GroupSpaces,
    /// Lets a provider support a space: `space-support`. In the modern dialect, the invite type `supportSpace`.
    SpaceSupport,
    /// Another invitation, named as in JSON.
    Invite(InviteType),
    /// Acts for its subject: `access`.
    Access,
    /// Proves who its subject is: `identity`.
    Identity,
}

impl Purpose {
    /// Returns the purpose of an invitation.
    #[must_use]
    pub fn invite(invite: InviteType) -> Self {
        match invite {
            InviteType::SupportSpace => Self::SpaceSupport,
            other => Self::Invite(other),
        }
    }

    /// Returns the name: `group-spaces`, `space-support`, `access`, `identity`, or that of the invite type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GroupSpaces => "group-spaces",
            Self::SpaceSupport => "space-support",
            Self::Invite(invite) => invite.name(),
            Self::Access => "access",
            Self::Identity => "identity",
        }
    }

    /// Returns the name of the privilege in the resource that the issuer needs: for the two documented endpoints as
    /// documented, else as in `onedata-tokens.md` §3 for members. Access and identity tokens need none.
    #[must_use]
    pub fn privilege(self) -> Option<&'static str> {
        Some(match self {
            Self::GroupSpaces => "group_create_space_token",
            Self::SpaceSupport => "space_add_provider",
            Self::Invite(invite) => invite.privilege(),
            Self::Access | Self::Identity => return None,
        })
    }

    /// Returns the types of caveats that a token for this purpose may carry (`onedata-tokens.md` §4.1). They depend on
    /// the dialect of its identifier and, for an access token, on the scope of the request.
    #[must_use]
    pub const fn caveat_types(self, identifier: &Identifier<'_>, scope: Scope) -> CaveatTypes {
        match (self, scope) {
            _ if self.legacy_type(identifier).is_some() => CaveatTypes::LEGACY_INVITE,
            (Self::GroupSpaces | Self::SpaceSupport | Self::Invite(_), _) => CaveatTypes::INVITE,
            (Self::Access, Scope::Unlimited) => CaveatTypes::ACCESS,
            (Self::Access, Scope::IdentityToken) => CaveatTypes::ACCESS_AS_IDENTITY,
            (Self::Identity, _) => CaveatTypes::IDENTITY,
        }
    }

    /// Returns the type that a token for this purpose states in its caveat `tokenType = …`, if it is a legacy token.
    #[must_use]
    pub const fn legacy_type(self, identifier: &Identifier<'_>) -> Option<LegacyType> {
        match (self, identifier) {
            (Self::GroupSpaces, _) => Some(LegacyType::SpaceCreate),
            (Self::SpaceSupport, Identifier::Opaque(_)) => Some(LegacyType::SpaceSupport),
            _ => None,
        }
    }

    /// Returns who may spend a token for this purpose: anyone, for access and identity.
    #[must_use]
    pub const fn consumer(self) -> InviteConsumer {
        match self {
            Self::GroupSpaces | Self::SpaceSupport => InviteConsumer::Provider,
            Self::Invite(invite) => invite.consumer(),
            Self::Access | Self::Identity => InviteConsumer::Anyone,
        }
    }
}

impl<S> TokenType<S> {
    /// Returns what a token of this type is for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::Access { .. } => Purpose::Access,
            Self::Identity => Purpose::Identity,
            Self::Invite { invite, .. } => Purpose::invite(*invite),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `group-spaces`, `space-support`, `access`, `identity`, or an invite type by its name or three-letter code.
impl FromStr for Purpose {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "group-spaces" => Self::GroupSpaces,
            "space-support" => Self::SpaceSupport,
            "access" => Self::Access,
            "identity" => Self::Identity,
            other => {
                let invite = InviteType::from_name(other).or_else(|| InviteType::from_code(other));
                let unknown = "none of group-spaces, space-support, access, identity, nor the name or code of an invite type";
                Self::invite(invite.ok_or(ParseError(unknown))?)
            }
        })
    }
}
