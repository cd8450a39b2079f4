//! The types of tokens (`onedata-tokens.md` §3 and §4.3).

use alloc::string::String;
use core::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::parse::{self, named};

/// The type of a token with a version-2 identifier. `TokenType` owns its texts; `TokenType<&str>` borrows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType<S = String> {
    /// Acts for its subject, `act` or `act:SESSION`.
    Access {
        /// The session that the token is bound to.
        session: Option<S>,
    },
    /// Proves who its subject is, `idn`.
    Identity,
    /// Lets its consumer join or support something, `CODE:TARGET:PARAMETERS`.
    Invite {
        /// The type of invitation.
        invite: InviteType,
        /// The id of the entity that it invites to.
        target: S,
    },
}

impl<'a> TokenType<&'a str> {
    /// Reads the type as in an identifier. A session contains no `/`; a target contains neither `/` nor `:`.
    ///
    /// Only `ssp` has parameters. Their value has had no meaning since 21.02, but 20.02 wrote several values, so any
    /// value is accepted there.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        match parse::once(text, b':') {
            None if text == "act" => Some(Self::Access { session: None }),
            None if text == "idn" => Some(Self::Identity),
            None => None,
            Some(("act", session)) => {
                (!session.is_empty()).then_some(Self::Access { session: Some(session) })
            }
            Some((code, rest)) => {
                let invite = InviteType::from_code(code)?;
                let (target, parameters) = parse::once(rest, b':')?;
                let parameters_fit = match invite {
                    InviteType::SupportSpace => !parameters.contains(':'),
                    _ => parameters.is_empty(),
                };
                (!target.is_empty() && parameters_fit).then_some(Self::Invite { invite, target })
            }
        }
    }
}

impl<S: AsRef<str>> TokenType<S> {
    /// Returns the same type, which borrows this one's texts.
    #[must_use]
    pub fn as_deref(&self) -> TokenType<&str> {
        match self {
            Self::Access { session } => TokenType::Access { session: session.as_ref().map(S::as_ref) },
            Self::Identity => TokenType::Identity,
            Self::Invite { invite, target } => TokenType::Invite { invite: *invite, target: target.as_ref() },
        }
    }
}

/// As in an identifier, with the parameters that Onedata writes.
impl<S: AsRef<str>> fmt::Display for TokenType<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_deref() {
            TokenType::Access { session: None } => f.write_str("act"),
            TokenType::Access { session: Some(session) } => write!(f, "act:{session}"),
            TokenType::Identity => f.write_str("idn"),
            TokenType::Invite { invite, target } => {
                write!(f, "{}:{target}:{}", invite.code(), invite.parameters())
            }
        }
    }
}

/// `{"accessToken":{}}`, `{"identityToken":{}}`, `{"inviteToken":{"inviteType":…, …}}`
impl<S: AsRef<str>> Serialize for TokenType<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut outer = serializer.serialize_map(Some(1))?;
        match self.as_deref() {
            TokenType::Access { session } => outer.serialize_entry("accessToken", &Session { session })?,
            TokenType::Identity => outer.serialize_entry("identityToken", &Empty {})?,
            TokenType::Invite { invite, target } => {
                outer.serialize_entry("inviteToken", &Invitation { invite, target })?;
            }
        }
        outer.end()
    }
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Session<'a> {
    #[serde(rename = "sessionId", skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

struct Invitation<'a> {
    invite: InviteType,
    target: &'a str,
}

impl Serialize for Invitation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("inviteType", self.invite.name())?;
        map.serialize_entry(self.invite.target_key(), self.target)?;
        map.serialize_entry("parameters", &Empty {})?;
        map.end()
    }
}

/// The type of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InviteType {
    /// `ujg`
    UserJoinGroup,
    /// `gjg`
    GroupJoinGroup,
    /// `ujs`
    UserJoinSpace,
    /// `gjs`
    GroupJoinSpace,
    /// `ssp`
    SupportSpace,
    /// `hjs`
    HarvesterJoinSpace,
    /// `rop`
    RegisterOneprovider,
    /// `ujc`
    UserJoinCluster,
    /// `gjc`
    GroupJoinCluster,
    /// `ujh`
    UserJoinHarvester,
    /// `gjh`
    GroupJoinHarvester,
    /// `sjh`
    SpaceJoinHarvester,
    /// `uji`
    UserJoinAtmInventory,
    /// `gji`
    GroupJoinAtmInventory,
}

/// The consumers that may use an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host decides about every kind")]
pub enum InviteConsumer {
    /// A user.
    User,
    /// A Oneprovider.
    Provider,
    /// Any consumer, [`Subject::Nobody`](crate::Subject::Nobody) included.
    Anyone,
}

/// code, name, key of the target in JSON, kind of the target, privilege in the target that the issuer needs
type InviteRow = (InviteType, &'static str, &'static str, &'static str, &'static str, &'static str);

/// The table of `onedata-tokens.md` §3.
#[rustfmt::skip]
const INVITES: [InviteRow; 14] = [
    (InviteType::UserJoinGroup, "ujg", "userJoinGroup", "groupId", "group", "group_add_user"),
    (InviteType::GroupJoinGroup, "gjg", "groupJoinGroup", "groupId", "group", "group_add_child"),
    (InviteType::UserJoinSpace, "ujs", "userJoinSpace", "spaceId", "space", "space_add_user"),
    (InviteType::GroupJoinSpace, "gjs", "groupJoinSpace", "spaceId", "space", "space_add_group"),
    (InviteType::SupportSpace, "ssp", "supportSpace", "spaceId", "space", "space_add_support"),
    (InviteType::HarvesterJoinSpace, "hjs", "harvesterJoinSpace", "spaceId", "space", "space_add_harvester"),
    (InviteType::RegisterOneprovider, "rop", "registerOneprovider", "adminUserId", "user", "oz_providers_invite"),
    (InviteType::UserJoinCluster, "ujc", "userJoinCluster", "clusterId", "cluster", "cluster_add_user"),
    (InviteType::GroupJoinCluster, "gjc", "groupJoinCluster", "clusterId", "cluster", "cluster_add_group"),
    (InviteType::UserJoinHarvester, "ujh", "userJoinHarvester", "harvesterId", "harvester", "harvester_add_user"),
    (InviteType::GroupJoinHarvester, "gjh", "groupJoinHarvester", "harvesterId", "harvester", "harvester_add_group"),
    (InviteType::SpaceJoinHarvester, "sjh", "spaceJoinHarvester", "harvesterId", "harvester", "harvester_add_space"),
    (InviteType::UserJoinAtmInventory, "uji", "userJoinAtmInventory", "atmInventoryId", "atmInventory", "atm_inventory_add_user"),
    (InviteType::GroupJoinAtmInventory, "gji", "groupJoinAtmInventory", "atmInventoryId", "atmInventory", "atm_inventory_add_group"),
];

impl InviteType {
    /// Returns all invite types.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        INVITES.iter().map(|row| row.0)
    }

    fn row(self) -> &'static InviteRow {
        let [first, ..] = &INVITES;
        INVITES.iter().find(|row| row.0 == self).unwrap_or(first)
    }

    /// Returns the type with this three-letter code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        INVITES.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// Returns the type with this name in JSON.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        INVITES.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    /// Returns the three-letter code that identifiers carry.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// Returns the name in JSON, such as `supportSpace`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Returns the key of the target's id in JSON, such as `spaceId`.
    #[must_use]
    pub fn target_key(self) -> &'static str {
        self.row().3
    }

    /// Returns the kind of the target: `group`, `space`, `user`, `cluster`, `harvester` or `atmInventory`.
    #[must_use]
    pub fn target_kind(self) -> &'static str {
        self.row().4
    }

    /// Returns the name of the privilege in the target that the issuer needs.
    pub(crate) fn privilege(self) -> &'static str {
        self.row().5
    }

    /// Returns who may use an invitation of this type.
    #[must_use]
    pub const fn consumer(self) -> InviteConsumer {
        match self {
            Self::SupportSpace => InviteConsumer::Provider,
            Self::RegisterOneprovider => InviteConsumer::Anyone,
            _ => InviteConsumer::User,
        }
    }

    /// Returns the parameters behind the target: `ge` for `ssp`, else none. 20.02 reads `ge` as *global data write,
    /// eager metadata replication*; later versions write it for compatibility.
    const fn parameters(self) -> &'static str {
        match self {
            Self::SupportSpace => "ge",
            _ => "",
        }
    }
}

/// The type that a legacy token states in its caveat `tokenType = …` (`onedata-tokens.md` §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "no new legacy types are written")]
pub enum LegacyType {
    /// Until 3.0.0-rc11, a user joins a group.
    GroupInvite,
    /// From 3.0.0-rc12 on, a user joins a group.
    GroupInviteUser,
    /// A group joins a group.
    GroupInviteGroup,
    /// A provider creates a space for a group or a user, and supports it.
    SpaceCreate,
    /// A user joins a space.
    SpaceInviteUser,
    /// A group joins a space.
    SpaceInviteGroup,
    /// A provider supports a space.
    SpaceSupport,
    /// A provider registers (18.02).
    ProviderRegistration,
}

named! {
    LegacyType, "not the type of a legacy token",
    GroupInvite = "group_invite_token",
    GroupInviteUser = "group_invite_user_token",
    GroupInviteGroup = "group_invite_group_token",
    SpaceCreate = "space_create_token",
    SpaceInviteUser = "space_invite_user_token",
    SpaceInviteGroup = "space_invite_group_token",
    SpaceSupport = "space_support_token",
    ProviderRegistration = "provider_registration_token",
}

impl Serialize for LegacyType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
