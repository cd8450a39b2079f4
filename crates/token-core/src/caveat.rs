//! One condition of a macaroon, and the types of Onedata's conditions.

use core::fmt;

use crate::{Predicate, predicate::nearest::FORMS};

/// A condition under which a macaroon is valid, as the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the formats are fixed")]
pub enum Caveat<'a> {
    /// Judged by the verifier of the macaroon.
    FirstParty {
        /// The condition; [`Predicate::read`] reads it.
        predicate: &'a [u8],
    },
    /// Judged by a third party, which confirms it with a discharge macaroon.
    ThirdParty {
        /// The identifier that the discharge must have.
        identifier: &'a [u8],
        /// The discharge's root key, sealed under the signature before this caveat.
        vid: &'a [u8],
        /// Where to get the discharge: an unsigned hint that any holder may have changed.
        location: &'a [u8],
    },
}

impl<'a> Caveat<'a> {
    /// Returns the typed view of a first-party caveat in Onedata's vocabulary.
    #[must_use]
    pub fn read(&self) -> Option<Predicate<'a>> {
        match self {
            Self::FirstParty { predicate } => Predicate::read(predicate),
            Self::ThirdParty { .. } => None,
        }
    }
}

/// A set of types of caveats in Onedata's vocabulary.
///
/// [`Purpose::caveat_types`](crate::Purpose::caveat_types) returns the types that a token may carry.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CaveatTypes(u16);

impl CaveatTypes {
    /// `time < …`
    pub const TIME: Self = Self(1);
    /// `ip = …`
    pub const IP: Self = Self(1 << 1);
    /// `asn = …`
    pub const ASN: Self = Self(1 << 2);
    /// `geo.country = …` and `geo.country != …`
    pub const GEO_COUNTRY: Self = Self(1 << 3);
    /// `geo.region = …` and `geo.region != …`
    pub const GEO_REGION: Self = Self(1 << 4);
    /// `service = …`
    pub const SERVICE: Self = Self(1 << 5);
    /// `consumer = …`
    pub const CONSUMER: Self = Self(1 << 6);
    /// `interface = …`
    pub const INTERFACE: Self = Self(1 << 7);
    /// `api = …`
    pub const API: Self = Self(1 << 8);
    /// `data.readonly`
    pub const DATA_READONLY: Self = Self(1 << 9);
    /// `data.path = …`
    pub const DATA_PATH: Self = Self(1 << 10);
    /// `data.objectid = …`
    pub const DATA_OBJECT_ID: Self = Self(1 << 11);
    /// `authorization = none`
    pub const IDENTITY_SCOPE: Self = Self(1 << 12);
    /// `tokenType = …`
    pub const TOKEN_TYPE: Self = Self(1 << 13);

    /// No type.
    pub const NONE: Self = Self(0);
    /// All types.
    pub const ALL: Self = Self((1 << 14) - 1);

    /// The types that an invitation may carry (`onedata-tokens.md` §4.1).
    pub const INVITE: Self = Self::TIME
        .union(Self::IP)
        .union(Self::ASN)
        .union(Self::GEO_COUNTRY)
        .union(Self::GEO_REGION)
        .union(Self::CONSUMER);
    /// The types that an identity token may carry.
    pub const IDENTITY: Self = Self::INVITE.union(Self::INTERFACE);
    /// The types that an access token may carry if it only proves who its subject is.
    pub const ACCESS_AS_IDENTITY: Self = Self::IDENTITY.union(Self::IDENTITY_SCOPE);
    /// The types that an access token may carry if it acts.
    pub const ACCESS: Self = Self::IDENTITY
        .union(Self::SERVICE)
        .union(Self::API)
        .union(Self::DATA_READONLY)
        .union(Self::DATA_PATH)
        .union(Self::DATA_OBJECT_ID);
    /// The types that a legacy invitation may carry.
    pub const LEGACY_INVITE: Self = Self::INVITE.union(Self::TOKEN_TYPE);

    /// Returns the set of the type with this name: what the text of such a caveat begins with, up to its first space.
    /// `None` for an unknown name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut types = FORMS.into_iter().zip((0..).map(|bit| Self(1 << bit)));
        types.find_map(|((known, _), alone)| (known == name).then_some(alone))
    }

    /// Returns the set of this caveat's type alone.
    #[must_use]
    pub const fn of(predicate: &Predicate<'_>) -> Self {
        match predicate {
            Predicate::Time { .. } => Self::TIME,
            Predicate::Ip(_) => Self::IP,
            Predicate::Asn(_) => Self::ASN,
            Predicate::GeoCountry(..) => Self::GEO_COUNTRY,
            Predicate::GeoRegion(..) => Self::GEO_REGION,
            Predicate::Service(_) => Self::SERVICE,
            Predicate::Consumer(_) => Self::CONSUMER,
            Predicate::Interface(_) => Self::INTERFACE,
            Predicate::Api(_) => Self::API,
            Predicate::DataReadonly => Self::DATA_READONLY,
            Predicate::DataPath(_) => Self::DATA_PATH,
            Predicate::DataObjectId(_) => Self::DATA_OBJECT_ID,
            Predicate::IdentityScope => Self::IDENTITY_SCOPE,
            Predicate::TokenType(_) => Self::TOKEN_TYPE,
        }
    }

    /// Whether the set contains the type of this caveat. An unknown caveat has no type and is no [`Predicate`].
    #[must_use]
    pub const fn contains(self, predicate: &Predicate<'_>) -> bool {
        self.intersects(Self::of(predicate))
    }

    /// Whether a type is in both sets.
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the types that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the types that are in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The names of the types.
impl fmt::Debug for CaveatTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = FORMS.into_iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        f.debug_set().entries(members.map(|(_, (name, _))| name)).finish()
    }
}
