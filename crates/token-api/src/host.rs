//! The knowledge that only the embedding program has.

use std::{error::Error, fmt, sync::Arc};

use token_core::{InviteType, Subject};
use token_store::Entity;

/// The embedding program's knowledge of its groups, spaces and users, and of who may do what.
///
/// The authority asks the host when it mints, and again when a token is spent, since the issuer may have lost the
/// privilege in between. This crate has no implementation, so a program cannot allow everything by accident. `Arc`,
/// `Box` and references to a host are hosts.
pub trait Host: Send + Sync {
    /// Whether the resource exists.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; no token is then minted or spent.
    fn exists(&self, resource: &Entity) -> Result<bool, HostError>;

    /// Whether the subject has the privilege in the resource.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; no token is then minted or spent.
    fn may(&self, subject: Subject<'_>, privilege: Privilege, resource: &Entity) -> Result<bool, HostError>;

    /// Whether the subject may learn that a resource does not exist. The authority asks only about absent resources,
    /// and not with [`Absence::Told`](crate::Absence::Told).
    ///
    /// The default is `false`: the client gets the same answer as without the privilege. Return `true` for subjects
    /// that see every resource, such as administrators.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; no token is then minted or spent.
    fn may_see(&self, subject: Subject<'_>, resource: &Entity) -> Result<bool, HostError> {
        let _ = (subject, resource);
        Ok(false)
    }
}

/// Implements `Host` for pointers to a host.
macro_rules! behind_a_pointer {
    ($($pointer:ty),*) => {$(
        impl<H: Host + ?Sized> Host for $pointer {
            fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
                H::exists(self, resource)
            }

            fn may(
                &self,
                subject: Subject<'_>,
                privilege: Privilege,
                resource: &Entity,
            ) -> Result<bool, HostError> {
                H::may(self, subject, privilege, resource)
            }

            fn may_see(&self, subject: Subject<'_>, resource: &Entity) -> Result<bool, HostError> {
                H::may_see(self, subject, resource)
            }
        }
    )*};
}

behind_a_pointer!(Arc<H>, Box<H>, &H);

/// The privilege that a subject needs to mint a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// To let a provider create a space for a group: `group_create_space_token`.
    GroupCreateSpaceToken,
    /// To let a provider support a space: `space_add_provider`.
    SpaceAddProvider,
    /// To invite.
    Invite(InviteType),
}

impl Privilege {
    /// Returns the name: for the two documented endpoints as documented, else as in `onedata-tokens.md` §3 for
    /// members.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GroupCreateSpaceToken => "group_create_space_token",
            Self::SpaceAddProvider => "space_add_provider",
            Self::Invite(invite) => match invite {
                InviteType::UserJoinGroup => "group_add_user",
                InviteType::GroupJoinGroup => "group_add_child",
                InviteType::UserJoinSpace => "space_add_user",
                InviteType::GroupJoinSpace => "space_add_group",
                InviteType::SupportSpace => "space_add_support",
                InviteType::HarvesterJoinSpace => "space_add_harvester",
                InviteType::RegisterOneprovider => "oz_providers_invite",
                InviteType::UserJoinCluster => "cluster_add_user",
                InviteType::GroupJoinCluster => "cluster_add_group",
                InviteType::UserJoinHarvester => "harvester_add_user",
                InviteType::GroupJoinHarvester => "harvester_add_group",
                InviteType::SpaceJoinHarvester => "harvester_add_space",
                InviteType::UserJoinAtmInventory => "atm_inventory_add_user",
                InviteType::GroupJoinAtmInventory => "atm_inventory_add_group",
            },
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The host could not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the host could not answer")]
pub struct HostError(#[source] Arc<dyn Error + Send + Sync>);

impl HostError {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }
}
