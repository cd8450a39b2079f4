//! The work that a token minted elsewhere causes in the authority.

use token_api::{AcceptError, Authority, Purpose, Refusal};
use token_core::{Format, IdentifierV2, Macaroon, Persistence, RootKey, Subject, TokenType};
use token_store::{ClaimId, TokenStore};
use token_test::{
    text::base64url,
    world::{BrokenStore, Members, World},
};

use crate::by;

fn forged(subject: Subject<&str>, id: &str) -> String {
    let persistence = Persistence::Temporary { generation: 1 };
    let identifier = IdentifierV2 { persistence, subject, token_type: TokenType::Identity, id };
    // `Token::mint` would refuse: it mints for users and providers only.
    let identifier = identifier.write().unwrap();
    let macaroon = Macaroon::mint(&RootKey::from_derived([7; 32]), "here", identifier.as_bytes()).unwrap();
    base64url(macaroon.to_bytes(Format::V2).unwrap())
}

fn asked<S: TokenStore, H: token_api::Host>(authority: &Authority<S, H>, text: &str) -> [AcceptError; 2] {
    let (context, claim) = (authority.context(), ClaimId::new(*b"claim").unwrap());
    [
        authority.verify(text, None, &context).unwrap_err(),
        authority.spend(text, Purpose::Identity, &claim, &by(Subject::User("u1"), &context)).unwrap_err(),
    ]
}

#[test]
fn the_store_is_not_asked_for_what_was_never_minted() {
    let world: World<BrokenStore> = World::over(BrokenStore);
    let authority: &Authority<BrokenStore, std::sync::Arc<Members>> = &world.authority;
    let (long, huge) = ("u".repeat(129), "u".repeat(700_000));
    let tokens = [
        ("a long subject", forged(Subject::User(&long), "id")),
        ("a huge subject", forged(Subject::Provider(&huge), "id")),
        ("a group", forged(Subject::Group("g1"), "id")),
        ("nobody", forged(Subject::Nobody, "id")),
        ("a long id", forged(Subject::User("u1"), &"i".repeat(513))),
        ("a huge id", forged(Subject::User("u1"), &huge)),
    ];
    for (what, text) in &tokens {
        for error in asked(authority, text) {
            let unknown = matches!(error, AcceptError::Refused(Refusal::Unknown));
            assert!(unknown, "{what}: {error:?}");
        }
    }
    for error in asked(authority, &forged(Subject::User(&"u".repeat(128)), "id")) {
        assert!(matches!(error, AcceptError::Failed(_)), "what may have been minted is looked up: {error:?}");
    }
}
