//! Entities, and the kinds of them that Onedata has.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, de};

/// A party or thing outside the store, by kind and id: the issuer of a token (`user`, `u1`), or the resource that it is
/// about (`space`, `s1`). The store compares entities and knows nothing else about them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// Its kind: the name of an [`EntityKind`](crate::EntityKind), or a name of the host's own.
    #[serde(deserialize_with = "deserialize_kind")]
    pub kind: Cow<'static, str>,
    /// Its id.
    pub id: String,
}

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

impl EntityKind {
    /// Returns the kind with this name; `None` for a kind of the host's own.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Returns the name of a kind as [`Entity::kind`] holds it. Only a name of the host's own is copied.
pub(crate) fn kind_name(name: &str) -> Cow<'static, str> {
    EntityKind::of_name(name).map_or_else(|| name.to_owned().into(), |kind| kind.as_str().into())
}

/// Deserializes [`Entity::kind`] as [`kind_name`] makes it.
pub(crate) fn deserialize_kind<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Cow<'static, str>, D::Error> {
    struct Name;

    impl de::Visitor<'_> for Name {
        type Value = Cow<'static, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the kind of an entity")
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
            Ok(kind_name(name))
        }
    }

    deserializer.deserialize_str(Name)
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
/// assert_eq!((space.kind.as_ref(), space.id.as_str()), ("space", "s1"));
/// assert_eq!(space.known_kind(), Some(EntityKind::Space));
/// assert_eq!(space, Entity::of(EntityKind::Space, "s1"));
/// ```
impl Entity {
    /// Makes an entity of this kind.
    #[must_use]
    pub fn of(kind: EntityKind, id: impl Into<String>) -> Self {
        Self { kind: kind.as_str().into(), id: id.into() }
    }

    /// Returns the kind; `None` for a kind of the host's own.
    #[must_use]
    pub fn known_kind(&self) -> Option<EntityKind> {
        EntityKind::of_name(&self.kind)
    }
}
