//! A typed view of a first-party caveat: the whole vocabulary of Onedata (`onedata-tokens.md` §4).

mod buf;
mod item;
mod json;
mod list;
pub(crate) mod nearest;

use core::fmt;

use crate::{
    LegacyType, Service, Subject,
    parse::{self, named},
};

pub use self::{
    buf::{ListError, PredicateBuf},
    item::{ApiPattern, DataPath, Integer, Interface, IpMask, Region},
    list::{List, ListItem},
};

/// A typed view of a caveat's text. The text stays the truth.
///
/// ```
/// use token_core::{Predicate, UnixTime};
///
/// let Some(Predicate::Time { valid_until }) = Predicate::read(b"time < 1496140144") else { panic!() };
/// assert_eq!(valid_until.to_time(), UnixTime::from_secs(1_496_140_144));
/// assert!(Predicate::read(b"colour = blue").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Predicate<'a> {
    /// `time < N`: the time is before `N`.
    Time {
        /// The first second at which it no longer holds.
        valid_until: Integer<'a>,
    },
    /// `ip = MASK|…`: the peer's address is in one of the networks.
    Ip(List<'a, IpMask>),
    /// `asn = N|…`: the peer's autonomous system is one of these.
    Asn(List<'a, Integer<'a>>),
    /// `geo.country = CC|…` or `!=`: the peer's country is, or is not, one of these.
    GeoCountry(GeoFilter, List<'a, &'a str>),
    /// `geo.region = NAME|…` or `!=`: one of the peer's regions is, or none is, one of these.
    GeoRegion(GeoFilter, List<'a, &'a str>),
    /// `service = CODE-ID|…`: the requesting service is one of these.
    Service(List<'a, Service<&'a str>>),
    /// `consumer = CODE-ID|…`: the consumer is one of these, or a member of one of these groups.
    Consumer(List<'a, Subject<&'a str>>),
    /// `interface = NAME`: the request came through it.
    Interface(Interface),
    /// `api = SERVICE/OPERATION/RESOURCE|…`: enforced operation by operation, after verification.
    Api(List<'a, ApiPattern<'a>>),
    /// `data.readonly`: enforced file by file, after verification.
    DataReadonly,
    /// `data.path = BASE64|…`: enforced file by file, after verification.
    DataPath(List<'a, DataPath<'a>>),
    /// `data.objectid = HEX|…`: enforced file by file, after verification.
    DataObjectId(List<'a, &'a str>),
    /// `authorization = none`: the token only proves who its subject is.
    IdentityScope,
    /// `tokenType = T`: the type of a legacy token.
    TokenType(LegacyType),
}

/// Whether a list admits its items or excludes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a list admits or excludes")]
pub enum GeoFilter {
    /// `=`
    Whitelist,
    /// `!=`
    Blacklist,
}

named! { GeoFilter, "neither whitelist nor blacklist", Whitelist = "whitelist", Blacklist = "blacklist" }

impl GeoFilter {
    const fn sign(self) -> &'static str {
        match self {
            Self::Whitelist => "=",
            Self::Blacklist => "!=",
        }
    }
}

impl<'a> Predicate<'a> {
    /// Reads a caveat's text as Onedata does, also values that no request can have (`docs/spec/deviations.md` lists
    /// the differences). Returns `None` unless it is in Onedata's vocabulary, to the last space. A macaroon can carry
    /// such an unknown caveat, but verification refuses it.
    #[must_use]
    pub fn read(text: &'a [u8]) -> Option<Self> {
        Self::read_text(core::str::from_utf8(text).ok()?)
    }

    /// Whether each value is one that a request can have. Onedata reads others as well; they hold for no request, or,
    /// in a blacklist, exclude none.
    #[must_use]
    pub fn has_meaning(&self) -> bool {
        match self {
            Self::Time { valid_until } => valid_until.to_u64().is_some(),
            Self::Asn(list) => {
                list.iter().all(|asn| asn.to_u64().is_some_and(|asn| u32::try_from(asn).is_ok()))
            }
            Self::GeoCountry(_, list) => list
                .iter()
                .all(|code| code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase())),
            Self::GeoRegion(_, list) => list.iter().all(|name| Region::from_name(name).is_some()),
            Self::Service(list) => list.iter().all(|service| !service.id.is_empty()),
            Self::Consumer(list) => {
                list.iter().all(|it| it.id().is_some_and(|id| !id.is_empty() && !id.contains('/')))
            }
            Self::Api(list) => list.iter().all(|it| {
                !["..", ".:"].iter().any(|gap| it.resource.contains(gap)) && !it.resource.ends_with('.')
            }),
            Self::DataPath(list) => list.iter().all(|path| path.to_path().is_some()),
            Self::DataObjectId(list) => list.iter().all(|id| {
                !id.is_empty()
                    && id.len().is_multiple_of(2)
                    && id.bytes().all(|digit| digit.is_ascii_hexdigit())
            }),
            Self::Ip(_)
            | Self::Interface(_)
            | Self::DataReadonly
            | Self::IdentityScope
            | Self::TokenType(_) => true,
        }
    }

    /// Whether the host has to enforce the caveat after verification, operation by operation or file by file.
    /// Verification also judges `service` and `interface = oneclient`, which restrict the API too
    /// (`onedata-tokens.md` §4.2).
    #[must_use]
    pub const fn is_enforced_later(&self) -> bool {
        matches!(
            self,
            Self::Api(_)
                | Self::DataReadonly
                | Self::DataPath(_)
                | Self::DataObjectId(_)
                | Self::Service(_)
                | Self::Interface(Interface::Oneclient)
        )
    }

    pub(crate) fn read_text(text: &'a str) -> Option<Self> {
        let Some((name, value)) = parse::once(text, b' ') else {
            return (text == "data.readonly").then_some(Self::DataReadonly);
        };
        if let Some(list) = value.strip_prefix("!= ") {
            return match name {
                "geo.country" => Some(Self::GeoCountry(GeoFilter::Blacklist, List::read(list)?)),
                "geo.region" => Some(Self::GeoRegion(GeoFilter::Blacklist, List::read(list)?)),
                _ => None,
            };
        }
        if let Some(until) = value.strip_prefix("< ") {
            let valid_until = Integer::read(until)?;
            return (name == "time").then_some(Self::Time { valid_until });
        }
        let value = value.strip_prefix("= ")?;
        Some(match name {
            "ip" => Self::Ip(List::read(value)?),
            "asn" => Self::Asn(List::read(value)?),
            "geo.country" => Self::GeoCountry(GeoFilter::Whitelist, List::read(value)?),
            "geo.region" => Self::GeoRegion(GeoFilter::Whitelist, List::read(value)?),
            "service" => Self::Service(List::read(value)?),
            "consumer" => Self::Consumer(List::read(value)?),
            "interface" => Self::Interface(Interface::from_name(value)?),
            "api" => Self::Api(List::read(value)?),
            // Spaces alone would be written as an empty list, which is not read.
            "data.path" if !value.trim_ascii().is_empty() => Self::DataPath(List::read(value)?),
            "data.objectid" => Self::DataObjectId(List::read(value)?),
            "authorization" if value == "none" => Self::IdentityScope,
            "tokenType" => Self::TokenType(LegacyType::from_name(value)?),
            _ => return None,
        })
    }
}

/// The text as Onedata writes the caveat, which may be another than the text that was read: numbers have no leading
/// zeros, networks have their mask and patterns their scope.
impl fmt::Display for Predicate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { valid_until } => write!(f, "time < {valid_until}"),
            Self::Ip(list) => write!(f, "ip = {list}"),
            Self::Asn(list) => write!(f, "asn = {list}"),
            Self::GeoCountry(filter, list) => write!(f, "geo.country {} {list}", filter.sign()),
            Self::GeoRegion(filter, list) => write!(f, "geo.region {} {list}", filter.sign()),
            Self::Service(list) => write!(f, "service = {list}"),
            Self::Consumer(list) => write!(f, "consumer = {list}"),
            Self::Interface(interface) => write!(f, "interface = {interface}"),
            Self::Api(list) => write!(f, "api = {list}"),
            Self::DataReadonly => f.write_str("data.readonly"),
            Self::DataPath(list) => write!(f, "data.path = {list}"),
            Self::DataObjectId(list) => write!(f, "data.objectid = {list}"),
            Self::IdentityScope => f.write_str("authorization = none"),
            Self::TokenType(legacy) => write!(f, "tokenType = {legacy}"),
        }
    }
}
