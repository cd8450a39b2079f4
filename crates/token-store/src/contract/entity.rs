//! The kinds of entity that Onedata has.

use std::fmt;

use crate::Entity;

/// Defines the kinds, each with its name and the method of [`Entity`] that makes one.
macro_rules! kinds {
    ($($kind:ident, $name:literal, $make:ident, $what:literal;)*) => {
        /// The kind of an entity. [`Entity::kind`] is its name; a host may add kinds of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EntityKind {
            $(#[doc = concat!("`", $name, "`")] $kind,)*
        }

        impl EntityKind {
            /// All kinds.
            pub const ALL: [Self; 7] = [$(Self::$kind),*];

            /// Returns the name that [`Entity::kind`] holds.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        impl Entity {
            $(
                #[doc = concat!("Makes ", $what, ".")]
                #[must_use]
                pub fn $make(id: impl Into<String>) -> Self {
                    Self::of(EntityKind::$kind, id)
                }
            )*
        }
    };
}

kinds! {
    User, "user", user, "a user";
    Provider, "oneprovider", provider, "a Oneprovider";
    Group, "group", group, "a group";
    Space, "space", space, "a space";
    Cluster, "cluster", cluster, "a cluster";
    Harvester, "harvester", harvester, "a harvester";
    AtmInventory, "atmInventory", atm_inventory, "an automation inventory";
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

    /// Returns the kind; `None` for a kind of the host's own.
    #[must_use]
    pub fn known_kind(&self) -> Option<EntityKind> {
        EntityKind::ALL.into_iter().find(|kind| kind.as_str() == self.kind)
    }
}
