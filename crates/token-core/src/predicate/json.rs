//! Caveats in JSON (`onedata-tokens.md` §4).

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
    ser::SerializeMap,
};

use super::{GeoFilter, Integer, List, ListItem, Predicate, PredicateBuf, buf::list_text};

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
            // Onedata gives this caveat no type.
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
    filter: GeoFilter,
    items: &impl Serialize,
) -> Result<(), M::Error> {
    map.serialize_entry("type", name)?;
    map.serialize_entry("filter", filter.as_str())?;
    map.serialize_entry("list", items)
}

struct Texts<'a, T>(List<'a, T>);

impl<'a, T: ListItem<'a> + fmt::Display> Serialize for Texts<'a, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| item.to_string()))
    }
}

struct Numbers<'a>(List<'a, Integer<'a>>);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Members {
    #[serde(rename = "type")]
    kind: Option<String>,
    valid_until: Option<u64>,
    whitelist: Option<Whitelist>,
    filter: Option<String>,
    list: Option<Vec<String>>,
    interface: Option<String>,
    scope: Option<String>,
    token_type: Option<String>,
}

#[derive(PartialEq, Deserialize)]
#[serde(untagged)]
enum Whitelist {
    Numbers(Vec<u32>),
    Texts(Vec<String>),
}

impl Members {
    /// Consumes the members of the type; no other may be left.
    fn into_predicate(mut self) -> Option<PredicateBuf> {
        let predicate = match self.kind.take().as_deref() {
            None if self.scope.take()? == "identityToken" => PredicateBuf::read("authorization = none"),
            Some("time") => PredicateBuf::read(format!("time < {}", self.valid_until.take()?)),
            // An address without a mask is a network of one host.
            Some("ip") => {
                let masks = self.texts()?.iter().map(|mask| mask.parse().ok()).collect::<Option<Vec<_>>>()?;
                PredicateBuf::ip(masks).ok()
            }
            Some("asn") => match self.whitelist.take()? {
                Whitelist::Numbers(numbers) => PredicateBuf::asn(numbers).ok(),
                Whitelist::Texts(_) => None,
            },
            Some(kind @ ("service" | "consumer" | "api" | "data.path" | "data.objectid")) => {
                PredicateBuf::as_received(&list_text(&format!("{kind} ="), &self.texts()?)?)
            }
            Some(kind @ ("geo.country" | "geo.region")) => {
                let filter = GeoFilter::from_name(&self.filter.take()?)?;
                let head = format!("{kind} {}", filter.sign());
                PredicateBuf::as_received(&list_text(&head, &self.list.take()?)?)
            }
            Some("interface") => PredicateBuf::read(format!("interface = {}", self.interface.take()?)),
            Some("data.readonly") => PredicateBuf::read("data.readonly"),
            Some("tokenType") => PredicateBuf::read(format!("tokenType = {}", self.token_type.take()?)),
            _ => None,
        };
        predicate.filter(|_| self == Self::default())
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        match self.whitelist.take()? {
            Whitelist::Texts(texts) => Some(texts),
            Whitelist::Numbers(_) => None,
        }
    }
}

/// Expects an object only: serde reads a derived struct from an array as well.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the JSON object of a caveat")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Members, A::Error> {
        Members::deserialize(MapAccessDeserializer::new(map))
    }
}

/// From the JSON form. Unknown, missing and additional members are errors. Accepts texts that [`PredicateBuf::read`]
/// refuses if [`Predicate::read`] reads them, but no number that it refuses.
impl<'de> Deserialize<'de> for PredicateBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = deserializer.deserialize_map(Object)?;
        members
            .into_predicate()
            .ok_or_else(|| D::Error::custom("unknown caveat type, or wrong members for it"))
    }
}
