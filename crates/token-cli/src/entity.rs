//! Somebody or something, in the words of the store.

use serde::Serialize;
use token_core::Subject;
use token_store::Entity;

use crate::request;

/// Reads `KIND:ID`.
pub(crate) fn resource(text: &str) -> Result<Entity, InvalidResource> {
    match text.split_once(':') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => {
            Ok(Entity { kind: kind.to_owned(), id: id.to_owned() })
        }
        _ => Err(InvalidResource),
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a kind and an id, such as space:ID")]
pub(crate) struct InvalidResource;

/// Reads `usr-ID`, `grp-ID` or `prv-ID`.
pub(crate) fn subject(text: &str) -> Result<Entity, request::InvalidConsumer> {
    let text = request::consumer(text)?;
    let subject = Subject::read(&text).ok_or(request::InvalidConsumer)?;
    Ok(Entity { kind: subject.kind().to_owned(), id: subject.id().unwrap_or_default().to_owned() })
}

/// As Onedata's JSON has it.
#[derive(Serialize)]
pub(crate) struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

impl<'a> From<&'a Entity> for Named<'a> {
    fn from(entity: &'a Entity) -> Self {
        Self { kind: &entity.kind, id: &entity.id }
    }
}
