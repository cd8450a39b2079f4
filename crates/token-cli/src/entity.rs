//! Users, groups, spaces and the like as the store names them.

use token_core::{InviteType, Subject};
use token_store::Entity;

use crate::{bytes::Plain, request};

/// Reads `KIND:ID`, such as `space:s1`, of a kind that tokens can target. The error lists these kinds.
pub(crate) fn resource(text: &str) -> Result<Entity, String> {
    match text.split_once(':') {
        Some((kind, id)) if !id.is_empty() && kinds().any(|known| known == kind) => {
            Ok(Entity { kind: kind.to_owned().into(), id: id.to_owned() })
        }
        _ => {
            let kinds = kinds().collect::<Vec<_>>().join(", ");
            Err(format!("not KIND:ID, such as space:ID; the kinds are {kinds}"))
        }
    }
}

/// The kinds that tokens can target. A group-spaces token targets a group.
fn kinds() -> impl Iterator<Item = &'static str> {
    let mut last = None;
    // The types stand in the order of their targets.
    InviteType::all().map(InviteType::target_kind).filter(move |kind| last.replace(*kind) != Some(*kind))
}

/// Reads an issuer, `usr-ID` or `prv-ID`, as the store names it.
pub(crate) fn issuer(text: &str) -> Result<Entity, &'static str> {
    request::issuer(text).map(|subject| entity(subject.as_deref()))
}

/// Reads a subject, `usr-ID`, `grp-ID` or `prv-ID`, as the store names it.
pub(crate) fn subject(text: &str) -> Result<Entity, &'static str> {
    request::consumer(text).map(|subject| entity(subject.as_deref()))
}

/// A number of uses, or `unlimited`.
pub(crate) fn limit(uses: Option<u64>) -> String {
    uses.map_or_else(|| "unlimited".to_owned(), |uses| uses.to_string())
}

fn entity(subject: Subject<&str>) -> Entity {
    Entity { kind: subject.kind().into(), id: subject.id().unwrap_or_default().to_owned() }
}

/// The command line's form of a resource, for people: `space:ID`.
pub(crate) fn resource_text(Entity { kind, id }: &Entity) -> String {
    format!("{}:{}", Plain(kind.as_bytes()), Plain(id.as_bytes()))
}

/// The command line's form of a subject, for people: `usr-ID`.
pub(crate) fn subject_text(subject: &Entity) -> String {
    let code = match subject.kind.as_ref() {
        "user" => "usr",
        "oneprovider" => "prv",
        "group" => "grp",
        _ => return resource_text(subject),
    };
    format!("{code}-{}", Plain(subject.id.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_named_once() {
        let expected = "not KIND:ID, such as space:ID; the kinds are group, space, user, cluster, harvester, atmInventory";
        assert_eq!(resource("space").unwrap_err(), expected);
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
            assert_eq!(subject_text(&issuer(text).unwrap()), text);
        }
        assert!(issuer("grp-g1").is_err() && issuer("nobody").is_err() && issuer("u1").is_err());
    }
}
