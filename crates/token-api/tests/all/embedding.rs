//! The properties that an embedding program relies on.

use std::sync::Arc;

use token_api::{ApiError, Authority, Config, Failure, Host};
use token_core::Subject;
use token_store::{ClaimId, Entity, EntityKind, KeyRing, MemoryStore, StoreError};
use token_test::world::{Members, SPACE};

fn mints<H: Host>(host: H) -> Result<(), ApiError> {
    let keys = KeyRing::generate().unwrap();
    let authority = Authority::new(MemoryStore::new(), keys, host, Config::default()).unwrap();
    let absent = authority.get_space_provider_token(Some(Subject::User("owner")), "s0").unwrap_err();
    assert_eq!(absent, ApiError::NOT_FOUND, "the host is asked what the owner may see");
    authority.get_space_provider_token(Some(Subject::User("owner")), SPACE).map(drop)
}

#[test]
fn a_host_behind_any_pointer_is_a_host() {
    mints(Arc::new(Members::default())).unwrap();
    let members = Members::default();
    mints(&members).unwrap();
    mints(Box::new(Members::default())).unwrap();
    mints(Box::new(Members::default()) as Box<dyn Host>).unwrap();
}

/// A server matches on answers, and makes such answers itself.
#[test]
fn every_answer_is_a_constant() {
    let answers = [
        (ApiError::INVALID_REQUEST, 400, "invalid_request"),
        (ApiError::REFUSED, 400, "invalid_token"),
        (ApiError::UNAUTHENTICATED, 401, "invalid_token"),
        (ApiError::FORBIDDEN, 403, "insufficient_privileges"),
        (ApiError::NOT_FOUND, 404, "not_found"),
        (ApiError::SERVER_ERROR, 500, "server_error"),
    ];
    for (answer, status, error) in answers {
        assert_eq!((answer.status(), answer.error()), (status, error));
    }
    let claim = |text: &str| -> Result<ClaimId, ApiError> { Ok(ClaimId::new(text)?) };
    assert_eq!(claim(""), Err(ApiError::INVALID_REQUEST));
    assert!(claim("request 1").is_ok());
    let failed = ApiError::from(Failure::from(StoreError::Poisoned));
    assert_eq!(failed, ApiError::SERVER_ERROR);
}

#[test]
fn every_target_of_an_invitation_is_of_a_known_kind() {
    let known = |kind: &str| Entity { kind: kind.to_owned().into(), id: String::new() }.known_kind();
    for invite in token_core::InviteType::all() {
        assert!(known(invite.target_kind()).is_some(), "{}", invite.name());
    }
    assert_eq!(Entity::atm_inventory("i1").known_kind(), Some(EntityKind::AtmInventory));
    assert_eq!(known("shelf"), None);
}
