//! Subjects as tokens name them, and the same subjects as entities of the store.

use token_core::Subject;
use token_store::{Entity, EntityKind};

/// Converts a subject to the store's type.
pub(crate) fn entity(subject: Subject<&str>) -> Entity {
    Entity { kind: subject.kind().to_owned(), id: subject.id().unwrap_or_default().to_owned() }
}

/// Converts the issuer of a record to the subject that it stands for. `None`: this authority mints for no such entity.
pub(crate) fn issuer(entity: Entity) -> Option<Subject> {
    match entity.known_kind() {
        Some(EntityKind::User) => Some(Subject::User(entity.id)),
        Some(EntityKind::Provider) => Some(Subject::Provider(entity.id)),
        _ => None,
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
