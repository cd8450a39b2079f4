//! The two documented endpoints against golden requests and responses.

use std::{fs, path::Path, sync::atomic::Ordering};

use serde::Deserialize;
use token_api::{Absence, ApiError, Config};
use token_core::{DecodeOptions, Predicate, Subject, Token};
use token_store::{MemoryStore, TokenStore};

use token_test::world::{BrokenStore, GROUP, SPACE, World};

#[derive(Deserialize)]
struct Golden {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    client: Option<String>,
    store: String,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    body: serde_json::Value,
}

#[test]
fn every_golden_request_gets_its_response() {
    let sound = World::new();
    let broken = World::over(BrokenStore);
    let mut statuses = Vec::new();
    let mut names: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    for name in &names {
        let golden: Golden = serde_json::from_str(&fs::read_to_string(name).unwrap()).unwrap();
        let (status, body) = match golden.request.store.as_str() {
            "sound" => call(&sound, &golden.request),
            "broken" => call(&broken, &golden.request),
            other => panic!("no store {other}"),
        };
        assert_eq!((status, &body), (golden.response.status, &golden.response.body), "{}", name.display());
        statuses.push(status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 400, 400, 401, 401, 403, 403, 404, 404, 500, 500]);
}

/// Routes, authenticates, calls and serializes, as a server would. Replaces a valid token by `<token>`.
fn call<S: TokenStore>(world: &World<S>, request: &Request) -> (u16, serde_json::Value) {
    assert_eq!(request.method, "GET");
    let client = request.client.as_deref().map(|client| Subject::read(client).unwrap());
    let segments: Vec<_> = request.path.split('/').collect();
    let answer: Result<(String, &str), ApiError> = match segments.as_slice() {
        ["", "groups", id, "spaces", "token"] => world
            .authority
            .create_group_spaces_token(client, id)
            .map(|body| (serde_json::to_string(&body).unwrap(), "space_create_token")),
        ["", "spaces", id, "providers", "token"] => world
            .authority
            .get_space_provider_token(client, id)
            .map(|body| (serde_json::to_string(&body).unwrap(), "space_support_token")),
        other => panic!("no endpoint {other:?}"),
    };
    match answer {
        Ok((body, token_type)) => {
            let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let token = Token::decode(body["token"].as_str().unwrap(), &DecodeOptions::default()).unwrap();
            assert_eq!(token.macaroon().location(), b"onezone");
            assert_eq!(token.macaroon().identifier().len(), 43);
            let predicates: Vec<_> = token.macaroon().caveats().collect();
            let [
                token_core::Caveat::FirstParty { predicate: first },
                token_core::Caveat::FirstParty { predicate: second },
            ] = predicates.as_slice()
            else {
                panic!("two caveats");
            };
            assert_eq!(*first, format!("tokenType = {token_type}").as_bytes());
            assert!(matches!(Predicate::read(second), Some(Predicate::Time { .. })));
            body["token"] = "<token>".into();
            (200, body)
        }
        Err(error) => (error.status(), serde_json::to_value(error).unwrap()),
    }
}

#[test]
fn a_response_does_not_show_its_token_in_debug() {
    let world = World::new();
    let body = world.authority.get_space_provider_token(Some(Subject::User("owner")), SPACE).unwrap();
    assert_eq!(format!("{body:?}"), "SpaceSupportToken { .. }");
}

/// A stranger probes for ids: an existing and an absent one get the same answer, to the last byte.
#[test]
fn a_stranger_does_not_learn_which_ids_exist() {
    let answers = |world: &World, client: &str| {
        let client = Subject::read(client);
        let spaces = [SPACE, "s0"].map(|id| world.authority.get_space_provider_token(client, id).map(drop));
        let groups = [GROUP, "g0"].map(|id| world.authority.create_group_spaces_token(client, id).map(drop));
        [spaces, groups].map(|pair| pair.map(|answer| answer.unwrap_err()))
    };
    let hidden = World::new();
    for [there, not_there] in answers(&hidden, "usr-stranger") {
        assert_eq!(there.status(), 403);
        assert_eq!(serde_json::to_string(&there).unwrap(), serde_json::to_string(&not_there).unwrap());
        assert_eq!(there, not_there);
    }
    // A client that may see every resource gets 404, with the privilege and without.
    hidden.members.owner_is_out.store(true, Ordering::SeqCst);
    for [there, not_there] in answers(&hidden, "usr-owner") {
        assert_eq!((there.status(), not_there.status()), (403, 404));
    }
    // A host that cannot answer grants no permission.
    hidden.members.fails.store(true, Ordering::SeqCst);
    for [there, not_there] in answers(&hidden, "usr-stranger") {
        assert_eq!((there.status(), not_there.status()), (500, 500));
    }

    let config = Config { absence: Absence::Told, ..Config::default() };
    let told = World::with_config(MemoryStore::new(), config);
    for [there, not_there] in answers(&told, "usr-stranger") {
        assert_eq!((there.status(), not_there.status()), (403, 404));
    }
}
