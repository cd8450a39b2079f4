//! Caveats in JSON (`onedata-tokens.md` §4).

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};

use super::{Filter, Item, List, Predicate, PredicateBuf, buf::list};

/// The JSON form, such as `{"type":"time","validUntil":1496140144}`.
impl Serialize for Predicate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Time { valid_until } => {
                map.serialize_entry("type", "time")?;
                map.serialize_entry("validUntil", valid_until)?;
            }
            Self::Ip(list) => whitelist(&mut map, "ip", &Texts(*list))?,
            Self::Asn(list) => whitelist(&mut map, "asn", &Numbers(*list))?,
            Self::GeoCountry(filter, list) => geography(&mut map, "geo.country", *filter, &Texts(*list))?,
            Self::GeoRegion(filter, list) => geography(&mut map, "geo.region", *filter, &Texts(*list))?,
            Self::Service(list) => whitelist(&mut map, "service", &Texts(*list))?,
            Self::Consumer(list) => whitelist(&mut map, "consumer", &Texts(*list))?,
            Self::Interface(interface) => {
                map.serialize_entry("type", "interface")?;
                map.serialize_entry("interface", interface.as_str())?;
            }
            Self::Api(list) => whitelist(&mut map, "api", &Texts(*list))?,
            Self::DataReadonly => map.serialize_entry("type", "data.readonly")?,
            Self::DataPath(list) => whitelist(&mut map, "data.path", &Texts(*list))?,
            Self::DataObjectId(list) => whitelist(&mut map, "data.objectid", &Texts(*list))?,
            // Onedata gives this one no type.
            Self::IdentityScope => map.serialize_entry("scope", "identityToken")?,
            Self::TokenType(legacy) => {
                map.serialize_entry("type", "tokenType")?;
                map.serialize_entry("tokenType", legacy)?;
            }
        }
        map.end()
    }
}

fn whitelist<M: SerializeMap>(map: &mut M, name: &str, items: &impl Serialize) -> Result<(), M::Error> {
    map.serialize_entry("type", name)?;
    map.serialize_entry("whitelist", items)
}

fn geography<M: SerializeMap>(
    map: &mut M,
    name: &str,
    filter: Filter,
    items: &impl Serialize,
) -> Result<(), M::Error> {
    map.serialize_entry("type", name)?;
    map.serialize_entry("filter", filter.name())?;
    map.serialize_entry("list", items)
}

impl Filter {
    const fn name(self) -> &'static str {
        match self {
            Self::Whitelist => "whitelist",
            Self::Blacklist => "blacklist",
        }
    }
}

struct Texts<'a, T>(List<'a, T>);

impl<'a, T: Item<'a> + fmt::Display> Serialize for Texts<'a, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| item.to_string()))
    }
}

struct Numbers<'a>(List<'a, u32>);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

/// A caveat read from its JSON form. Unknown, missing and surplus members are errors.
///
/// ```
/// let json = r#"{"type":"ip","whitelist":["192.0.2.0/24","198.51.100.7"]}"#;
/// let token_core::JsonPredicate(predicate) = serde_json::from_str(json)?;
/// assert_eq!(predicate.as_str(), "ip = 192.0.2.0/24|198.51.100.7/32");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPredicate(pub PredicateBuf);

#[derive(Deserialize)]
#[serde(untagged)]
enum Members {
    Typed(Typed),
    Scope(Scope),
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Typed {
    #[serde(rename = "time", rename_all = "camelCase")]
    Time { valid_until: u64 },
    #[serde(rename = "ip")]
    Ip { whitelist: Vec<String> },
    #[serde(rename = "asn")]
    Asn { whitelist: Vec<u32> },
    #[serde(rename = "geo.country")]
    GeoCountry { filter: JsonFilter, list: Vec<String> },
    #[serde(rename = "geo.region")]
    GeoRegion { filter: JsonFilter, list: Vec<String> },
    #[serde(rename = "service")]
    Service { whitelist: Vec<String> },
    #[serde(rename = "consumer")]
    Consumer { whitelist: Vec<String> },
    #[serde(rename = "interface")]
    Interface { interface: String },
    #[serde(rename = "api")]
    Api { whitelist: Vec<String> },
    #[serde(rename = "data.readonly")]
    DataReadonly {},
    #[serde(rename = "data.path")]
    DataPath { whitelist: Vec<String> },
    #[serde(rename = "data.objectid")]
    DataObjectId { whitelist: Vec<String> },
    #[serde(rename = "tokenType", rename_all = "camelCase")]
    TokenType { token_type: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    scope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum JsonFilter {
    Whitelist,
    Blacklist,
}

impl From<JsonFilter> for Filter {
    fn from(filter: JsonFilter) -> Self {
        match filter {
            JsonFilter::Whitelist => Self::Whitelist,
            JsonFilter::Blacklist => Self::Blacklist,
        }
    }
}

impl Members {
    fn into_predicate(self) -> Option<PredicateBuf> {
        let typed = match self {
            Self::Scope(Scope { scope }) => {
                return (scope == "identityToken")
                    .then(|| PredicateBuf::read("authorization = none"))
                    .flatten();
            }
            Self::Typed(typed) => typed,
        };
        match typed {
            Typed::Time { valid_until } => PredicateBuf::read(format!("time < {valid_until}")),
            // An address without a mask means that one host.
            Typed::Ip { whitelist } => {
                let masks = whitelist.iter().map(|mask| mask.parse().ok()).collect::<Option<Vec<_>>>()?;
                PredicateBuf::ip(masks).ok()
            }
            Typed::Asn { whitelist } => PredicateBuf::asn(whitelist).ok(),
            Typed::GeoCountry { filter, list: codes } => {
                list(&format!("geo.country {}", Filter::from(filter)), codes).ok()
            }
            Typed::GeoRegion { filter, list: names } => {
                list(&format!("geo.region {}", Filter::from(filter)), names).ok()
            }
            Typed::Service { whitelist } => list("service =", whitelist).ok(),
            Typed::Consumer { whitelist } => list("consumer =", whitelist).ok(),
            Typed::Interface { interface } => PredicateBuf::read(format!("interface = {interface}")),
            Typed::Api { whitelist } => list("api =", whitelist).ok(),
            Typed::DataReadonly {} => PredicateBuf::read("data.readonly"),
            Typed::DataPath { whitelist } => list("data.path =", whitelist).ok(),
            Typed::DataObjectId { whitelist } => list("data.objectid =", whitelist).ok(),
            Typed::TokenType { token_type } => PredicateBuf::read(format!("tokenType = {token_type}")),
        }
    }
}

impl<'de> Deserialize<'de> for JsonPredicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        members.into_predicate().map(Self).ok_or_else(|| D::Error::custom("not the JSON form of a caveat"))
    }
}
