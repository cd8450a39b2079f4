//! Tokens of another issuer, and the texts of stored tokens.

use std::num::NonZeroU64;

use token_api::{Authority, Config, Dialect, Foreign, MintError, MintRequest, Purpose, Refusal, Revocation};
use token_core::{
    Context, DecodeOptions, Identifier, IdentifierV2, InviteType, Persistence, PredicateBuf, RootKey, Scope,
    Session, Subject, Token, TokenType, UnixTime, VerifyError,
};
use token_store::{KeyRing, MemoryStore, TokenId, TokenStore as _};
use token_test::{
    vectors::{self, Golden},
    world::{GROUP, SPACE, START, World},
};

use crate::{OWNER, by, claim, refusal, with};

/// What Onezone's record says of a golden token that is not temporary.
pub(crate) fn request(golden: &Golden) -> (MintRequest<'_>, Dialect) {
    let request = match Identifier::read(golden.identifier.as_bytes()).unwrap() {
        Identifier::V2(IdentifierV2 { subject, token_type, .. }) => match token_type {
            TokenType::Invite { invite, target } => MintRequest::invite(invite, target, subject),
            TokenType::Identity => MintRequest::identity(subject),
            other => panic!("{}: {other:?}", golden.name),
        },
        Identifier::Opaque(_) => {
            let stated = golden.caveats.first().and_then(|caveat| caveat.strip_prefix("tokenType = "));
            let request = match stated {
                None => MintRequest::access(OWNER),
                Some("space_create_token") => MintRequest::group_spaces(GROUP, OWNER),
                Some("space_support_token") => MintRequest::space_support(SPACE, OWNER),
                Some("space_invite_group_token") => {
                    MintRequest::invite(InviteType::GroupJoinSpace, SPACE, OWNER)
                }
                Some("group_invite_group_token") => {
                    MintRequest::invite(InviteType::GroupJoinGroup, GROUP, OWNER)
                }
                Some("group_invite_token") => MintRequest::invite(InviteType::UserJoinGroup, GROUP, OWNER),
                Some(other) => panic!("{}: {other}", golden.name),
            };
            return (with(request, |request| request.use_limit = None), Dialect::Legacy);
        }
    };
    (with(request, |request| request.use_limit = None), Dialect::Modern)
}

fn authority(location: &str) -> Authority<MemoryStore> {
    let config = Config { location: location.to_owned(), domain: location.to_owned(), ..Config::default() };
    let keys = KeyRing::generate().unwrap();
    Authority::new(MemoryStore::new(), keys, (), config).unwrap().with_clock(|| UnixTime::from_secs(1))
}

pub(crate) fn foreign<'a>(id: &'a str, secret: &'a [u8]) -> Foreign<'a> {
    Foreign {
        id,
        secret,
        dialect: Dialect::Modern,
        caveats: &[],
        created: UnixTime::from_secs(0),
        uses: 0,
        revocation: None,
    }
}

#[test]
fn the_tokens_that_onedata_wrote_are_imported_and_accepted() {
    let mut accepted = 0;
    for golden in vectors::golden() {
        let (authority, mut context) = (authority(&golden.location), golden.context());
        let verify = |text: &str, context: &Context| {
            let prepared = authority.prepare(text, None, context)?;
            authority.accept_prepared(prepared, token_api::Decision::Allowed)
        };
        let identifier = Identifier::read(golden.identifier.as_bytes()).unwrap();
        if let Some(&IdentifierV2 { persistence: Persistence::Temporary { generation }, subject, .. }) =
            identifier.v2()
        {
            let number = NonZeroU64::new(generation).unwrap();
            assert!(authority.import_generation(subject, number, golden.secret()).unwrap());
            // The signature is right. Onedata supports no access token that has these caveats together.
            let refused = refusal(verify(&golden.base62, &context).unwrap_err());
            let unsupported = matches!(refused, Refusal::Verify(VerifyError::CaveatUnsupported { .. }));
            assert!(unsupported, "{}: {refused}", golden.name);
            let caveats: Vec<_> =
                golden.caveats.iter().filter(|caveat| !caveat.starts_with("authorization")).collect();
            let mut token =
                Token::mint(&golden.key().root_key(), &golden.location, identifier.v2().unwrap()).unwrap();
            caveats.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
            context.scope = Scope::Unlimited;
            let accepted = verify(&token.encode().unwrap(), &context).unwrap();
            assert_eq!(accepted.issuer.as_deref(), subject);
            continue;
        }
        let (request, dialect) = request(&golden);
        let caveats: Vec<&str> = golden.caveats.iter().map(String::as_str).collect();
        let id = std::str::from_utf8(identifier.id()).unwrap();
        let foreign = Foreign { dialect, caveats: &caveats, ..foreign(id, golden.secret()) };
        assert_eq!(authority.import(&request, &foreign).unwrap(), golden.base62, "{}", golden.name);
        for (_, text) in golden.texts() {
            let token = verify(text, &context).unwrap();
            assert_eq!((token.purpose, token.issuer.as_deref()), (request.purpose(), request.issuer));
        }
        let record = authority.store().get(&TokenId::new(id).unwrap()).unwrap().unwrap();
        assert_eq!(authority.text_of(&record).unwrap().unwrap(), golden.base62, "{}", golden.name);
        accepted += 1;
    }
    assert_eq!(accepted, 18);
}

#[test]
fn an_import_is_idempotent_and_overwrites_nothing() {
    let world = World::new();
    let authority = &world.authority;
    let secret = b"3f8e0a7b91c2d4e5f60718293a4b5c6d7e8f9012a3b4c5d6e7f8091a2b3c4d5e";
    let named = with(MintRequest::access(OWNER), |request| request.name = Some("laptop"));
    let caveats = ["time < 1800000000", "geo.country = uk"];
    let laptop = Foreign { caveats: &caveats, ..foreign("a1", secret) };
    let text = authority.import(&named, &laptop).unwrap();
    // As Onezone itself would mint it: the 64 characters are the secret.
    let identifier = IdentifierV2 {
        persistence: Persistence::Named,
        subject: OWNER,
        token_type: TokenType::Access { session: None },
        id: "a1",
    };
    let mut expected =
        Token::mint(&RootKey::derive(secret).unwrap(), &Config::default().domain, &identifier).unwrap();
    caveats.iter().for_each(|caveat| expected.attenuate(caveat).unwrap());
    assert_eq!(text, expected.encode().unwrap());

    let id = TokenId::new("a1").unwrap();
    let record = authority.store().get(&id).unwrap().unwrap();
    assert_eq!(record.created, UnixTime::from_secs(0));
    assert_eq!(record.expires, Some(UnixTime::from_secs(1_800_000_000)));
    let _ = authority.revoke(&id, None).unwrap();
    assert_eq!(authority.import(&named, &laptop).unwrap(), text);
    assert!(authority.store().get(&id).unwrap().unwrap().is_revoked());

    let other_secret = Foreign { secret: b"another", ..laptop.clone() };
    let other_caveats = Foreign { caveats: &caveats[..1], ..laptop.clone() };
    for other in [other_secret, other_caveats] {
        assert!(matches!(authority.import(&named, &other), Err(MintError::IdTaken)));
    }
    let identity = MintRequest::identity(OWNER);
    assert!(matches!(authority.import(&identity, &laptop), Err(MintError::IdTaken)));
    let second = Foreign { id: "a2", ..laptop.clone() };
    assert!(matches!(authority.import(&named, &second), Err(MintError::NameTaken)));
    for new in [
        with(MintRequest::access(OWNER), |request| request.temporary = true),
        with(MintRequest::access(OWNER), |request| request.lifetime = Some(token_api::Lifetime::Forever)),
        with(MintRequest::access(OWNER), |request| {
            request.caveats = vec![PredicateBuf::time(UnixTime::MAX)];
        }),
    ] {
        assert!(matches!(authority.import(&new, &second), Err(MintError::NotImportable)));
    }
    let empty = Foreign { secret: b"", ..second.clone() };
    let unnamed = MintRequest::access(OWNER);
    assert!(matches!(authority.import(&unnamed, &empty), Err(MintError::NotImportable)));
    // What a legacy token states has to be what the request says.
    let states =
        Foreign { dialect: Dialect::Legacy, caveats: &["tokenType = space_create_token"], ..second.clone() };
    for other in [MintRequest::space_support(SPACE, OWNER), unnamed, MintRequest::identity(OWNER)] {
        assert!(matches!(authority.import(&other, &states), Err(MintError::NotImportable)));
    }
    let in_session = MintRequest::access_in("s", OWNER);
    let legacy = Foreign { dialect: Dialect::Legacy, ..second.clone() };
    assert!(matches!(authority.import(&in_session, &legacy), Err(MintError::NotImportable)));
    assert!(authority.import(&in_session, &second).is_ok());
    let shown = format!("{laptop:?}");
    assert!(!shown.contains("3f8e") && !shown.contains("51, 102"), "{shown}");
}

// The clock there is ahead, and the move is interrupted.
#[test]
fn an_import_of_a_token_from_the_future_is_idempotent() {
    let world = World::new();
    let import = |created| {
        let there = Foreign { created: UnixTime::from_secs(created), ..foreign("a1", b"secret") };
        world.authority.import(&MintRequest::access(OWNER), &there)
    };
    let text = import(START + 9).unwrap();
    let id = TokenId::new("a1").unwrap();
    for now in [START + 5, START + 50] {
        world.set_time(now);
        assert_eq!(import(START + 9).unwrap(), text);
        assert_eq!(world.authority.store().get(&id).unwrap().unwrap().created, UnixTime::from_secs(START));
    }
    assert!(matches!(import(START - 1), Err(MintError::IdTaken)));
}

#[test]
fn imported_uses_and_revocations_count() {
    let world = World::new();
    let authority = &world.authority;
    let request = with(MintRequest::invite(InviteType::UserJoinSpace, SPACE, OWNER), |request| {
        request.use_limit = NonZeroU64::new(3);
    });
    let used = Foreign { uses: 2, ..foreign("used", b"secret") };
    let text = authority.import(&request, &used).unwrap();
    let context = by(Subject::User("u"), &authority.context());
    let kind = Purpose::Invite(InviteType::UserJoinSpace);
    assert_eq!(authority.spend(&text, kind, &claim("1"), &context).unwrap().uses_left, Some(0));
    assert_eq!(refusal(authority.spend(&text, kind, &claim("2"), &context).unwrap_err()), Refusal::Exhausted);
    let revocation = Some(Revocation { reversible: true, ..Revocation::for_good(UnixTime::from_secs(5)) });
    let revoked = Foreign { revocation, uses: 9, ..foreign("revoked", b"secret") };
    let text = authority.import(&request, &revoked).unwrap();
    let verify = || authority.verify(&text, None, &context);
    assert_eq!(refusal(verify().unwrap_err()), Refusal::Revoked);
    let _ = authority.reinstate(&TokenId::new("revoked").unwrap()).unwrap();
    assert_eq!(verify().unwrap().uses_left, Some(0));
}

#[test]
fn an_imported_generation_never_goes_back() {
    let world = World::new();
    let authority = &world.authority;
    let import = |number, secret: &[u8]| {
        authority.import_generation(OWNER, NonZeroU64::new(number).unwrap(), secret).unwrap()
    };
    let identifier = |generation| IdentifierV2 {
        persistence: Persistence::Temporary { generation },
        subject: OWNER,
        token_type: TokenType::Identity,
        id: "t",
    };
    let verify = |generation, secret: &[u8]| {
        let token = Token::mint(&RootKey::derive_any(secret), "there", &identifier(generation)).unwrap();
        authority.verify(&token, None, &authority.context()).map(drop).map_err(refusal)
    };
    assert!(import(7, b"seven"));
    assert!(!import(7, b"seven"));
    assert!(!import(7, b"another seven"));
    assert!(!import(5, b"five"));
    assert_eq!(verify(7, b"seven"), Ok(()));
    assert_eq!(verify(5, b"five"), Err(Refusal::Revoked));
    assert_eq!(verify(8, b"eight"), Err(Refusal::Unknown));
    let temporary = with(MintRequest::identity(OWNER), |request| request.temporary = true);
    let minted = authority.mint(&temporary).unwrap();
    assert!(authority.verify(&minted.token, None, &authority.context()).is_ok());
    assert_eq!(authority.revoke_temporary(OWNER).unwrap(), 8);
    assert_eq!(verify(7, b"seven"), Err(Refusal::Revoked));
    assert!(import(9, b"nine"));
    assert!(matches!(
        authority.import_generation(Subject::Nobody, NonZeroU64::MIN, b"secret"),
        Err(MintError::InvalidIssuer)
    ));
    assert!(matches!(
        authority.import_generation(OWNER, NonZeroU64::MAX, b""),
        Err(MintError::NotImportable)
    ));
}

#[test]
fn the_text_of_a_record_is_the_text_that_was_minted() {
    let world = World::new();
    let authority = &world.authority;
    let consumer = PredicateBuf::read("consumer = usr-u1|prv-p1").unwrap();
    for request in [
        MintRequest::group_spaces(GROUP, OWNER),
        MintRequest::space_support(SPACE, OWNER),
        MintRequest::invite(InviteType::SupportSpace, SPACE, OWNER),
        MintRequest::invite(InviteType::UserJoinCluster, "target", OWNER),
        MintRequest::access(Subject::Provider("p1")),
        MintRequest::access_in("session:1", OWNER),
        MintRequest::identity(OWNER),
    ] {
        let request = with(request, |request| {
            request.caveats = vec![consumer.clone()];
            request.privileges = b"space_view";
        });
        let minted = authority.mint(&request).unwrap();
        let record = authority.store().get(&minted.id).unwrap().unwrap();
        assert_eq!(authority.text_of(&record).unwrap().unwrap(), minted.token, "{}", request.purpose());
        let stated = authority.stated(&record).unwrap();
        let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
        let signed = token.macaroon().caveats().map(|caveat| match caveat {
            token_core::Caveat::FirstParty { predicate } => std::str::from_utf8(predicate).unwrap(),
            other => panic!("{other:?}"),
        });
        assert_eq!(
            (stated.caveats.unwrap(), stated.privileges),
            (signed.collect(), b"space_view".as_slice())
        );
        let session = token.identifier().v2().and_then(|identifier| match identifier.token_type {
            TokenType::Access { session } => session,
            _ => None,
        });
        assert_eq!(stated.session, session);
        let mut context = authority.context();
        context.consumer = Some(Subject::User("u1".into()));
        context.session = Session::Any;
        assert_eq!(authority.verify(&minted.token, None, &context).unwrap().privileges, b"space_view");
    }
    let long = PredicateBuf::read(format!("consumer = usr-{}", "a".repeat(13_000))).unwrap();
    let minted =
        authority.mint(&with(MintRequest::access(OWNER), |request| request.caveats = vec![long])).unwrap();
    let record = authority.store().get(&minted.id).unwrap().unwrap();
    assert_eq!(authority.text_of(&record).unwrap(), None);
    assert_eq!(authority.stated(&record).unwrap().caveats, None);
    let edited = token_store::Record { purpose: Purpose::Identity, ..record };
    assert!(authority.text_of(&edited).is_err() && authority.stated(&edited).is_err());
}

/// The location is no part of the signature.
#[test]
fn a_text_is_written_for_the_domain_of_today() {
    let (store, keys) = (MemoryStore::new(), || KeyRing::from_text(crate::KEYS).unwrap());
    let at = |domain: &str| {
        let config = Config { domain: domain.to_owned(), ..Config::default() };
        Authority::new(store.clone(), keys(), (), config).unwrap().with_clock(|| UnixTime::from_secs(START))
    };
    let old = at("old.example.org");
    let minted = old.mint_decided(&MintRequest::access(OWNER), token_api::Decision::Allowed).unwrap();
    let new = at("new.example.org");
    let text = new.text_of(&store.get(&minted.id).unwrap().unwrap()).unwrap().unwrap();
    let token = Token::decode(&text, &DecodeOptions::default()).unwrap();
    assert_eq!(token.macaroon().location(), b"new.example.org");
    for text in [&text, &minted.token] {
        assert!(new.prepare(text, None, &new.context()).is_ok());
    }
}
