//! An attacker who can write to the store, and lacks the key ring.

use std::num::NonZeroU64;

use token_api::{AcceptError, Authority, Config, Failure, MintRequest, Minted, Purpose, Refusal};
use token_core::{
    IdentifierV2, InviteType, Persistence, RootKey, Session, Subject, Token, TokenType, UnixTime, VerifyError,
};
use token_store::{
    ClaimId, Entity, Filter, Insert, KeyError, KeyRing, MemoryStore, Record, StoreError, Terms, TokenId,
    TokenStore as _,
};
use token_test::world::{GROUP, Members, SPACE, START};

use crate::{KEYS, OWNER, by};

type Local = Authority<MemoryStore, Members>;
type Edit = (&'static str, fn(&mut Record));

fn authority(records: &[Record]) -> Local {
    let (store, keys) = (MemoryStore::new(), KeyRing::from_text(KEYS).unwrap());
    for record in records {
        assert_eq!(store.insert(record).unwrap(), Insert::Inserted);
    }
    let clock = || UnixTime::from_secs(START);
    Authority::new(store, keys, Members::default(), Config::default()).unwrap().with_clock(clock)
}

/// A token for each purpose and dialect, and their records.
fn minted() -> (Vec<(Purpose, Minted)>, Vec<Record>) {
    let authority = authority(&[]);
    let requests = [
        MintRequest::group_spaces(GROUP, OWNER),
        MintRequest::space_support(SPACE, OWNER),
        MintRequest::invite(InviteType::SupportSpace, SPACE, OWNER),
        MintRequest::invite(InviteType::UserJoinSpace, SPACE, OWNER),
        MintRequest::access(OWNER),
        MintRequest::identity(OWNER),
    ];
    let mint = |request: MintRequest<'_>| (request.purpose(), authority.mint(&request).unwrap());
    let tokens: Vec<_> = requests.into_iter().map(mint).collect();
    let page = authority.store().list(&Filter::All, None, usize::MAX).unwrap();
    let record = |minted: &Minted| page.records.iter().find(|record| record.id == minted.id).unwrap().clone();
    let records = tokens.iter().map(|(_, minted)| record(minted)).collect();
    (tokens, records)
}

fn assert_refused(tokens: &[(Purpose, Minted)], records: &[Record], what: &str) {
    let authority = authority(records);
    for (kind, minted) in tokens {
        let context = authority.context();
        for expect in [None, Some(*kind)] {
            let verified = authority.verify(&minted.token, expect, &context);
            let forged = matches!(verified, Err(AcceptError::Failed(Failure::Key(KeyError::Forged))));
            assert!(forged, "{kind}, {what}: {verified:?}");
        }
        for consumer in [OWNER, Subject::Provider("p1")] {
            let claim = ClaimId::new(*b"claim").unwrap();
            assert!(authority.spend(&minted.token, *kind, &claim, &by(consumer, &context)).is_err());
        }
        assert_eq!(authority.store().get(&minted.id).unwrap().unwrap().uses, 0, "{kind}, {what}");
    }
}

#[test]
fn a_record_edited_without_the_key_ring_verifies_nothing() {
    let (tokens, records) = minted();
    let admin = || Entity { kind: "user".into(), id: "admin".into() };
    let edits: [Edit; 11] = [
        ("kind", |record| record.purpose = Purpose::Invite(InviteType::UserJoinCluster)),
        ("resource", |record| record.resource = Some(Entity { kind: "space".into(), id: "s2".into() })),
        ("no resource", |record| record.resource = record.resource.is_none().then(|| record.issuer.clone())),
        ("issuer's id", |record| record.issuer.id = "admin".into()),
        ("issuer's kind", |record| record.issuer.kind = "oneprovider".into()),
        ("created", |record| record.created = UnixTime::from_secs(START + 1)),
        ("expires", |record| record.expires = Some(UnixTime::MAX)),
        ("never expires", |record| record.expires = None),
        ("use limit", |record| record.use_limit = NonZeroU64::new(1_000)),
        ("privileges or caveats", |record| *record.body.last_mut().unwrap() ^= 1),
        ("no body", |record| record.body.clear()),
    ];
    for (what, edit) in edits {
        let mut edited = records.clone();
        edited.iter_mut().for_each(edit);
        assert_refused(&tokens, &edited, what);
    }
    let shifted = records.iter().map(|record| {
        let issuer = Entity { kind: "userowner".into(), id: String::new() };
        Record { issuer, ..record.clone() }
    });
    assert_refused(&tokens, &shifted.collect::<Vec<_>>(), "one field's end moved into the next");
    let taken_over: Vec<_> =
        records.iter().map(|record| Record { issuer: admin(), ..record.clone() }).collect();
    assert_refused(&tokens, &taken_over, "another's");
}

#[test]
fn a_sealed_key_moved_to_another_record_verifies_nothing() {
    let (tokens, records) = minted();
    let mut rotated = records.clone();
    for (at, record) in rotated.iter_mut().enumerate() {
        record.root_key = records[(at + 1) % records.len()].root_key.clone();
    }
    assert_refused(&tokens, &rotated, "moved");
}

/// The owner of the key ring can seal any record, but verification detects the record of another token.
#[test]
fn a_token_that_its_record_contradicts_is_not_accepted() {
    let entity = |kind: &str, id: &str| Entity { kind: kind.to_owned().into(), id: id.into() };
    let (space, user, id) = (entity("space", SPACE), entity("user", "owner"), TokenId::new(*b"id").unwrap());
    let body_of = |request: MintRequest<'_>| {
        let authority = authority(&[]);
        let minted = authority.mint(&request).unwrap();
        authority.store().get(&minted.id).unwrap().unwrap().body
    };
    let modern = body_of(MintRequest::invite(InviteType::UserJoinSpace, SPACE, OWNER));
    let (legacy, in_session) =
        (body_of(MintRequest::space_support(SPACE, OWNER)), MintRequest::access_in("s", OWNER));
    let in_session = body_of(in_session);
    let terms = Terms {
        id: &id,
        purpose: Purpose::Invite(InviteType::UserJoinSpace),
        resource: Some(&space),
        issuer: &user,
        created: UnixTime::from_secs(START),
        expires: None,
        use_limit: None,
        body: &modern,
    };
    let access = Terms { purpose: Purpose::Access, resource: None, ..terms };
    let key = RootKey::from_derived([7; 32]);
    let invite = |target| TokenType::Invite { invite: InviteType::UserJoinSpace, target };
    let verify = |terms, token: &Token| {
        let record = Record::new(terms, &key, &KeyRing::from_text(KEYS).unwrap()).unwrap();
        let authority = authority(&[record]);
        let mut context = authority.context();
        context.session = Session::Any;
        authority.verify(&token.encode().unwrap(), None, &context)
    };
    let mint = |key: &RootKey, subject, token_type| {
        let identifier = IdentifierV2 { persistence: Persistence::Named, subject, token_type, id: "id" };
        Token::mint(key, "here", &identifier).unwrap()
    };
    verify(terms, &mint(&key, OWNER, invite(SPACE))).unwrap();
    let acting = |session| mint(&key, OWNER, TokenType::Access { session });
    verify(access, &acting(None)).unwrap();
    verify(Terms { body: &in_session, ..access }, &acting(Some("s"))).unwrap();
    let opaque = Token::mint_legacy(&key, "here", "id").unwrap();
    verify(Terms { body: &legacy, ..terms }, &opaque).unwrap();
    let (other_space, other_user) = (entity("space", "s2"), entity("oneprovider", "owner"));
    for (what, terms, token) in [
        ("type", terms, mint(&key, OWNER, TokenType::Access { session: None })),
        ("target", terms, mint(&key, OWNER, invite("s2"))),
        ("subject's id", terms, mint(&key, Subject::User("admin"), invite(SPACE))),
        ("subject's kind", terms, mint(&key, Subject::Provider("owner"), invite(SPACE))),
        ("kind", Terms { purpose: Purpose::Access, ..terms }, mint(&key, OWNER, invite(SPACE))),
        ("resource", Terms { resource: Some(&other_space), ..terms }, mint(&key, OWNER, invite(SPACE))),
        ("no resource", Terms { resource: None, ..terms }, mint(&key, OWNER, invite(SPACE))),
        ("issuer", Terms { issuer: &other_user, ..terms }, mint(&key, OWNER, invite(SPACE))),
        ("no identifier", terms, opaque),
        ("an identifier", Terms { body: &legacy, ..terms }, mint(&key, OWNER, invite(SPACE))),
        ("a session", access, acting(Some("s"))),
        ("no session", Terms { body: &in_session, ..access }, acting(None)),
        ("another session", Terms { body: &in_session, ..access }, acting(Some("t"))),
        ("no body", Terms { body: &[], ..terms }, mint(&key, OWNER, invite(SPACE))),
        (
            "a body of a later version",
            Terms { body: &[9, 0, 0, 0], ..terms },
            mint(&key, OWNER, invite(SPACE)),
        ),
    ] {
        let verified = verify(terms, &token);
        let corrupt =
            matches!(verified, Err(AcceptError::Failed(Failure::Store(StoreError::Corrupt { .. }))));
        assert!(corrupt, "{what}: {verified:?}");
    }
    let forged = verify(terms, &mint(&RootKey::from_derived([8; 32]), OWNER, invite("s2")));
    let refused = matches!(forged, Err(AcceptError::Refused(Refusal::Verify(VerifyError::BadSignature))));
    assert!(refused, "a forger learns nothing: {forged:?}");
}

#[test]
fn what_may_change_is_not_sealed() {
    let (tokens, mut records) = minted();
    for (number, record) in records.iter_mut().enumerate() {
        record.name = Some(format!("renamed {number}"));
        record.metadata = b"changed".to_vec();
    }
    let authority = authority(&records);
    for (kind, minted) in &tokens {
        let accepted = authority.verify(&minted.token, Some(*kind), &authority.context());
        assert!(accepted.is_ok(), "{kind}: {accepted:?}");
    }
}
