//! The kinds of entity that Onedata has.

use std::fmt;

use crate::Entity;

/// The kind of an entity. [`Entity::kind`] is its name; a host may add kinds of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntityKind {
    /// `user`
    User,
    /// `oneprovider`
    Provider,
    /// `group`
    Group,
    /// `space`
    Space,
    /// `cluster`
    Cluster,
    /// `harvester`
    Harvester,
    /// `atmInventory`
    AtmInventory,
}

impl EntityKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::User,
        Self::Provider,
        Self::Group,
        Self::Space,
        Self::Cluster,
        Self::Harvester,
        Self::AtmInventory,
    ];

    /// Returns the name that [`Entity::kind`] holds.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Provider => "oneprovider",
            Self::Group => "group",
            Self::Space => "space",
            Self::Cluster => "cluster",
            Self::Harvester => "harvester",
            Self::AtmInventory => "atmInventory",
        }
    }
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// ```
/// use token_store::{Entity, EntityKind};
///
/// let space = Entity::space("s1");
/// assert_eq!((space.kind.as_str(), space.id.as_str()), ("space", "s1"));
/// assert_eq!(space.known_kind(), Some(EntityKind::Space));
/// assert_eq!(space, Entity::of(EntityKind::Space, "s1"));
/// ```
impl Entity {
    /// Makes an entity of this kind.
    #[must_use]
    pub fn of(kind: EntityKind, id: impl Into<String>) -> Self {
        Self { kind: kind.as_str().to_owned(), id: id.into() }
    }

    /// Makes a user.
    #[must_use]
    pub fn user(id: impl Into<String>) -> Self {
        Self::of(EntityKind::User, id)
    }

    /// Makes a Oneprovider.
    #[must_use]
    pub fn provider(id: impl Into<String>) -> Self {
        Self::of(EntityKind::Provider, id)
    }

    /// Makes a group.
    #[must_use]
    pub fn group(id: impl Into<String>) -> Self {
        Self::of(EntityKind::Group, id)
    }

    /// Makes a space.
    #[must_use]
    pub fn space(id: impl Into<String>) -> Self {
        Self::of(EntityKind::Space, id)
    }

    /// Makes a cluster.
    #[must_use]
    pub fn cluster(id: impl Into<String>) -> Self {
        Self::of(EntityKind::Cluster, id)
    }

    /// Makes a harvester.
    #[must_use]
    pub fn harvester(id: impl Into<String>) -> Self {
        Self::of(EntityKind::Harvester, id)
    }

    /// Makes an automation inventory.
    #[must_use]
    pub fn atm_inventory(id: impl Into<String>) -> Self {
        Self::of(EntityKind::AtmInventory, id)
    }

    /// Returns the kind; `None` for a kind of the host's own.
    #[must_use]
    pub fn known_kind(&self) -> Option<EntityKind> {
        EntityKind::ALL.into_iter().find(|kind| kind.as_str() == self.kind)
    }
}
