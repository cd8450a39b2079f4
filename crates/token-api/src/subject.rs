//! Subjects as tokens name them, and the same subjects as entities of the store.

use token_core::Subject;
use token_store::{Entity, EntityKind};

use crate::Failure;

/// Converts a subject to the store's type.
pub(crate) fn entity(subject: Subject<&str>) -> Entity {
    Entity { kind: subject.kind().into(), id: subject.id().unwrap_or_default().to_owned() }
}

/// Returns the subject that the issuer of a record stands for, from the kind and the id of the entity.
pub(crate) fn of_kind<I>(kind: Option<EntityKind>, id: I) -> Result<Subject<I>, Failure> {
    match kind {
        Some(EntityKind::User) => Ok(Subject::User(id)),
        Some(EntityKind::Provider) => Ok(Subject::Provider(id)),
        _ => Err(Failure::UnknownIssuer),
    }
}

/// Whether the authority mints tokens for this subject.
pub(crate) fn is_issuer(subject: Subject<&str>) -> bool {
    match subject {
        Subject::User(id) | Subject::Provider(id) => is_id(id),
        _ => false,
    }
}

/// Whether this is an id. Ids are written into identifiers and caveats, so they must not contain the separators
/// of these, nor `*`, which means anyone there.
pub(crate) fn is_id(id: &str) -> bool {
    const MAX_LEN: usize = 128;
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'|' | b':' | b'*');
    (1..=MAX_LEN).contains(&id.len()) && id.bytes().all(allowed)
}
