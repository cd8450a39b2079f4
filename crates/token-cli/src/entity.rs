//! Users, groups, spaces and the like as the store names them.

use std::{borrow::Cow, error::Error, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use token_core::{InviteType, Subject};
use token_store::Entity;

use crate::{output::Plain, request};

/// Reads `KIND:ID`, of a kind that tokens can target.
pub(crate) fn resource(text: &str) -> Result<Entity, InvalidResource> {
    match text.split_once(':') {
        Some((kind, id)) if !id.is_empty() && kinds().any(|known| known == kind) => {
            Ok(Entity { kind: kind.to_owned(), id: id.to_owned() })
        }
        _ => Err(InvalidResource),
    }
}

/// The kinds that tokens can target. A group-spaces token targets a group.
fn kinds() -> impl Iterator<Item = &'static str> {
    let mut last = None;
    // The types stand in the order of their targets.
    InviteType::all().map(InviteType::target_kind).filter(move |kind| last.replace(*kind) != Some(*kind))
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct InvalidResource;

impl fmt::Display for InvalidResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not KIND:ID, such as space:ID; the kinds are")?;
        kinds()
            .enumerate()
            .try_for_each(|(index, kind)| write!(f, "{} {kind}", if index == 0 { "" } else { "," }))
    }
}

impl Error for InvalidResource {}

/// Reads `usr-ID` or `prv-ID`.
pub(crate) fn issuer(text: &str) -> Result<Entity, request::InvalidIssuer> {
    let text = request::issuer(text)?;
    Ok(entity(Subject::read(&text).ok_or(request::InvalidIssuer)?))
}

fn entity(subject: Subject<&str>) -> Entity {
    Entity { kind: subject.kind().to_owned(), id: subject.id().unwrap_or_default().to_owned() }
}

/// The form of Onedata's JSON: `{"type":"user","id":"…"}`.
pub(crate) struct Named<'a>(Cow<'a, Entity>);

impl From<Subject<&str>> for Named<'_> {
    fn from(subject: Subject<&str>) -> Self {
        Self::from(entity(subject))
    }
}

impl<'a> From<&'a Entity> for Named<'a> {
    fn from(entity: &'a Entity) -> Self {
        Self(Cow::Borrowed(entity))
    }
}

impl From<Entity> for Named<'_> {
    fn from(entity: Entity) -> Self {
        Self(Cow::Owned(entity))
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut named = serializer.serialize_struct("Named", 2)?;
        named.serialize_field("type", &self.0.kind)?;
        named.serialize_field("id", &self.0.id)?;
        named.end()
    }
}

impl Named<'_> {
    /// The command line's form of a resource: `space:ID`.
    pub(crate) fn resource(&self) -> String {
        let Entity { kind, id } = &*self.0;
        format!("{}:{}", Plain(kind.as_bytes()), Plain(id.as_bytes()))
    }

    /// The command line's form of a subject: `usr-ID`.
    pub(crate) fn subject(&self) -> String {
        let code = match self.0.kind.as_str() {
            "user" => "usr",
            "oneprovider" => "prv",
            "group" => "grp",
            _ => return self.resource(),
        };
        format!("{code}-{}", Plain(self.0.id.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_named_once() {
        let expected = "not KIND:ID, such as space:ID; the kinds are group, space, user, cluster, harvester, atmInventory";
        assert_eq!(InvalidResource.to_string(), expected);
        for kind in kinds() {
            assert!(resource(&format!("{kind}:x")).is_ok());
        }
        for bad in ["spc:s1", "space:", ":s1", "space", "space-s1", ""] {
            assert!(resource(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn subjects_are_written_as_they_are_read() {
        for text in ["usr-u1", "prv-p1"] {
            assert_eq!(Named::from(issuer(text).unwrap()).subject(), text);
        }
        assert!(issuer("grp-g1").is_err() && issuer("nobody").is_err() && issuer("u1").is_err());
    }
}
