//! The kinds of token that an authority mints and verifies.

use std::{fmt, str::FromStr};

use token_core::{Identifier, InviteConsumer, InviteType, LegacyType, Scope, TokenUse};

use crate::Privilege;

/// The kind of a token, in either dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
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

impl Kind {
    /// Returns the kind of an invite type.
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

    /// Returns the privilege that the issuer needs. Access and identity tokens need none.
    #[must_use]
    pub const fn privilege(self) -> Option<Privilege> {
        match self {
            Self::GroupSpaces => Some(Privilege::GroupCreateSpaceToken),
            Self::SpaceSupport => Some(Privilege::SpaceAddProvider),
            Self::Invite(invite) => Some(Privilege::Invite(invite)),
            Self::Access | Self::Identity => None,
        }
    }

    /// Returns who may spend it.
    #[must_use]
    pub const fn consumer(self) -> InviteConsumer {
        match self {
            Self::GroupSpaces | Self::SpaceSupport => InviteConsumer::Provider,
            Self::Invite(invite) => invite.consumer(),
            Self::Access | Self::Identity => InviteConsumer::Anyone,
        }
    }

    /// The use by which verification judges which caveats this token may carry. Depends on the dialect of its
    /// identifier and, for an access token, on the scope.
    pub(crate) fn token_use(self, identifier: &Identifier<'_>, scope: Scope) -> TokenUse {
        match (self, identifier) {
            (Self::GroupSpaces, _) => TokenUse::Legacy(LegacyType::SpaceCreate),
            (Self::SpaceSupport, Identifier::Opaque(_)) => TokenUse::Legacy(LegacyType::SpaceSupport),
            (Self::SpaceSupport | Self::Invite(_), _) => TokenUse::Invite,
            (Self::Access, _) => match scope {
                Scope::Unlimited => TokenUse::Access,
                Scope::IdentityToken => TokenUse::AccessAsIdentity,
            },
            (Self::Identity, _) => TokenUse::Identity,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `group-spaces`, `space-support`, `access`, `identity`, or an invite type by its name or three-letter code.
impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Ok(match text {
            "group-spaces" => Self::GroupSpaces,
            "space-support" => Self::SpaceSupport,
            "access" => Self::Access,
            "identity" => Self::Identity,
            other => {
                let invite = InviteType::from_name(other).or_else(|| InviteType::from_code(other));
                Self::invite(invite.ok_or(UnknownKind)?)
            }
        })
    }
}

/// The text names no kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of group-spaces, space-support, access, identity, nor the name or code of an invite type")]
pub struct UnknownKind;
