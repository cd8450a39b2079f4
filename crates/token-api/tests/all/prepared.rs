//! Two steps: the authority judges, the host decides, the authority acts.

use std::{
    num::NonZeroU64,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use token_api::{
    AcceptError, ApiError, Authority, Config, Decision, Failure, Host, HostError, Lifetime, MintError,
    MintRequest, Minted, Prepared, Purpose, Question, Refusal, Service, Spent,
};
use token_core::{
    Context, DecodeOptions, InviteType, PredicateBuf, Scope, ServiceKind, Subject, Token, UnixTime,
    VerifyError,
};
use token_store::{Entity, KeyRing, MemoryStore, Refund, TokenStore as _};
use token_test::world::{GROUP, SPACE, START, World};

use crate::{DAY, OWNER, PROVIDER, by, claim, refusal, support, with};

const REFUSALS: [(Decision, Refusal); 5] = [
    (Decision::ResourceGone, Refusal::ResourceGone),
    (Decision::NoLongerAllowed, Refusal::NoLongerAllowed),
    (Decision::SubjectGone, Refusal::SubjectGone),
    (Decision::SubjectBlocked, Refusal::SubjectBlocked),
    (Decision::ServiceForbidden, Refusal::ServiceForbidden),
];

/// An authority that has no host, and its clock.
struct Alone {
    authority: Authority<MemoryStore>,
    now: Arc<AtomicU64>,
}

impl Alone {
    fn new() -> Self {
        let now = Arc::new(AtomicU64::new(START));
        let clock = Arc::clone(&now);
        let keys = KeyRing::generate().unwrap();
        let authority = Authority::new(MemoryStore::new(), keys, (), Config::default()).unwrap();
        Self { authority: authority.with_clock(move || UnixTime::from_secs(clock.load(SeqCst))), now }
    }

    fn mint(&self, request: &MintRequest<'_>) -> Minted {
        self.authority.mint_decided(request, Decision::Allowed).unwrap()
    }

    fn prepare(&self, text: &str) -> Result<Prepared, Refusal> {
        let context = by(PROVIDER, &self.authority.context());
        let token = Token::decode(text, &DecodeOptions::default()).unwrap();
        let stated = token.identifier().v2().map(|identifier| identifier.token_type.purpose());
        self.authority.prepare(text, stated.or(Some(Purpose::SpaceSupport)), &context).map_err(refusal)
    }

    fn spend(&self, prepared: Prepared, decision: Decision, name: &str) -> Result<Spent, Refusal> {
        self.authority.spend_prepared(prepared, decision, &claim(name)).map_err(refusal)
    }
}

#[test]
fn a_host_that_cannot_be_called_back_decides_between_two_steps() {
    let alone = Alone::new();
    let request = support();
    let question =
        Question::Grant { issuer: OWNER, purpose: Purpose::SpaceSupport, resource: &Entity::space(SPACE) };
    assert_eq!(request.question(), Some(question));
    let minted = alone.mint(&request);
    let prepared = alone.prepare(&minted.token).unwrap();
    let questions: Vec<_> = prepared.questions().collect();
    assert_eq!(questions, [Question::Subject { subject: OWNER, service: None }, question]);
    for (decision, expected) in REFUSALS {
        let prepared = || alone.prepare(&minted.token).unwrap();
        assert_eq!(alone.spend(prepared(), decision, "a").unwrap_err(), expected);
        let refused = alone.authority.accept_prepared(prepared(), decision).unwrap_err();
        assert_eq!(ApiError::from(refused.clone()), ApiError::REFUSED);
        assert_eq!(refusal(refused), expected);
    }
    alone.now.store(START + 5, SeqCst);
    let spent = alone.spend(prepared.clone(), Decision::Allowed, "a").unwrap();
    assert_eq!((spent.uses_left, spent.repeated), (Some(0), false));
    // A claim that was granted is answered, even if the host decides otherwise by then.
    for (decision, _) in REFUSALS {
        assert!(alone.spend(prepared.clone(), decision, "a").unwrap().repeated);
    }
    assert_eq!(alone.spend(prepared, Decision::Allowed, "b").unwrap_err(), Refusal::Exhausted);
    let [(_, held)] = alone.authority.uses(&minted.id, None, 9).unwrap().try_into().unwrap();
    assert_eq!(held.spent.consumer, Some(Entity::provider("p1")));
    assert_eq!(held.spent.at, UnixTime::from_secs(START + 5));
    assert_eq!(alone.authority.refund(&spent).unwrap(), Refund::Kept);
}

#[test]
fn an_access_token_asks_about_its_service() {
    let alone = Alone::new();
    let minted = alone.mint(&MintRequest::access(OWNER));
    let mut context = alone.authority.context();
    let asked = |context: &Context| {
        let prepared = alone.authority.prepare(&minted.token, None, context).unwrap();
        prepared.questions().map(|question| format!("{question:?}")).collect::<Vec<_>>()
    };
    let expected = |service| vec![format!("{:?}", Question::Subject { subject: OWNER, service })];
    assert_eq!(asked(&context), expected(Some(Service::ONEZONE)));
    let there = Service { kind: ServiceKind::OpWorker, id: "p1" };
    context.service = Some(there.into_owned());
    assert_eq!(asked(&context), expected(Some(there)));
    context.scope = Scope::IdentityToken;
    assert_eq!(asked(&context), expected(None));
}

/// The second step judges again what the store and the clock say.
#[test]
fn a_prepared_token_may_be_spent_too_late() {
    let alone = Alone::new();
    let prepared = |request: &MintRequest<'_>| {
        let minted = alone.mint(request);
        (minted.id, alone.prepare(&minted.token).unwrap())
    };
    let spend = |prepared| alone.spend(prepared, Decision::Allowed, "a").map(drop).unwrap_err();
    let (id, revoked) = prepared(&support());
    let _ = alone.authority.revoke(&id, None).unwrap();
    assert_eq!(spend(revoked), Refusal::Revoked);
    let (id, deleted) = prepared(&support());
    let _ = alone.authority.delete(&id).unwrap();
    assert_eq!(spend(deleted), Refusal::Unknown);
    let (_, expired) = prepared(&support());
    let access = with(MintRequest::access(OWNER), |request| request.temporary = true);
    let (_, temporary) = prepared(&access);
    alone.now.store(START + 7 * DAY, SeqCst);
    let at = UnixTime::from_secs(START + 7 * DAY);
    for late in [expired, temporary] {
        assert_eq!(spend(late.clone()), Refusal::Expired { at });
        let accepted = alone.authority.accept_prepared(late, Decision::Allowed);
        assert_eq!(refusal(accepted.unwrap_err()), Refusal::Expired { at });
    }
    let (_, raised) = prepared(&access);
    assert_eq!(alone.authority.revoke_temporary(OWNER).unwrap(), 2);
    assert_eq!(spend(raised), Refusal::Revoked);
    // The generation begins again under the same number, with another key.
    let other = with(access, |request| request.issuer = PROVIDER);
    let (_, begun_again) = prepared(&other);
    let _ = alone.authority.delete_subject(PROVIDER).unwrap();
    assert_eq!(spend(begun_again.clone()), Refusal::Unknown);
    alone.mint(&other);
    assert_eq!(spend(begun_again), Refusal::Verify(VerifyError::BadSignature));
}

#[test]
fn a_token_that_is_refused_raises_no_question() {
    let alone = Alone::new();
    let minted = alone.mint(&with(support(), |request| request.use_limit = NonZeroU64::new(2)));
    alone.spend(alone.prepare(&minted.token).unwrap(), Decision::Allowed, "a").unwrap();
    let _ = alone.authority.revoke(&minted.id, None).unwrap();
    let prepared = alone.prepare(&minted.token).unwrap();
    assert_eq!(prepared.questions().count(), 0);
    assert_eq!(
        refusal(alone.authority.accept_prepared(prepared.clone(), Decision::Allowed).unwrap_err()),
        Refusal::Revoked
    );
    assert_eq!(alone.spend(prepared.clone(), Decision::Allowed, "b").unwrap_err(), Refusal::Revoked);
    assert!(alone.spend(prepared, Decision::Allowed, "a").unwrap().repeated);
    let expect = Some(Purpose::SpaceSupport);
    let nobody = alone.authority.prepare(&minted.token, expect, &alone.authority.context()).unwrap();
    let spent = alone.authority.spend_prepared(nobody, Decision::Allowed, &claim("a"));
    assert!(matches!(spent, Err(AcceptError::Failed(Failure::NoConsumer))));
    let context = by(PROVIDER, &alone.authority.context());
    let for_anything = alone.authority.prepare(&minted.token, None, &context).unwrap();
    let spent = alone.authority.spend_prepared(for_anything, Decision::Allowed, &claim("a"));
    assert!(matches!(spent, Err(AcceptError::Failed(Failure::NoPurpose))));
}

#[test]
fn nothing_is_minted_against_the_decision() {
    let alone = Alone::new();
    let mint = |decision| alone.authority.mint_decided(&support(), decision).unwrap_err();
    assert!(matches!(mint(Decision::ResourceGone), MintError::NoSuchResource));
    for decision in [Decision::NoLongerAllowed, Decision::SubjectGone, Decision::SubjectBlocked] {
        assert!(matches!(mint(decision), MintError::NotAllowed));
    }
    assert!(alone.authority.store().list(&token_store::Filter::All, None, 9).unwrap().records.is_empty());
    assert!(MintRequest::access(OWNER).question().is_none());
}

/// A host that decides about subjects too.
struct Directory(Mutex<Decision>);

impl Host for Directory {
    fn exists(&self, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn may(&self, _: Subject<&str>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn standing(&self, subject: Subject<&str>, _: Option<Service<&str>>) -> Result<Decision, HostError> {
        assert_eq!(subject, OWNER);
        Ok(*self.0.lock().unwrap())
    }
}

#[test]
fn a_host_is_asked_about_the_subject_whenever_a_token_is_accepted() {
    let host = Arc::new(Directory(Mutex::new(Decision::Allowed)));
    let keys = KeyRing::generate().unwrap();
    let authority = Authority::new(MemoryStore::new(), keys, Arc::clone(&host), Config::default()).unwrap();
    let minted = authority.mint(&support()).unwrap();
    let context = by(PROVIDER, &authority.context());
    let spend = || authority.spend(&minted.token, Purpose::SpaceSupport, &claim("a"), &context);
    for (decision, expected) in REFUSALS {
        *host.0.lock().unwrap() = decision;
        assert_eq!(refusal(authority.verify(&minted.token, None, &context).unwrap_err()), expected);
        assert_eq!(refusal(spend().unwrap_err()), expected);
    }
    *host.0.lock().unwrap() = Decision::Allowed;
    assert!(authority.verify(&minted.token, None, &context).is_ok());
    assert!(!spend().unwrap().repeated);
}

/// `onedata-tokens.md` §6.2: an identity token, or a provider's access token that is bound to no session.
#[test]
fn an_access_token_of_a_provider_proves_its_identity() {
    let world = World::new();
    let authority = &world.authority;
    let prove = |request: &MintRequest<'_>| {
        let minted = authority.mint(request).unwrap();
        authority.verify(&minted.token, Some(Purpose::Identity), &authority.context()).map_err(refusal)
    };
    let caveat = |text: &str| vec![PredicateBuf::read(text).unwrap()];
    let access = MintRequest::access(PROVIDER);
    let temporary = with(access.clone(), |request| request.temporary = true);
    for request in [&access, &temporary] {
        let accepted = prove(request).unwrap();
        assert_eq!((accepted.purpose, accepted.issuer.as_deref()), (Purpose::Access, PROVIDER));
    }
    let wrong = Err(Refusal::WrongType { found: Purpose::Access });
    for never in [
        MintRequest::access(OWNER),
        with(MintRequest::access(OWNER), |request| request.temporary = true),
        MintRequest::access_in("s", OWNER),
        MintRequest::access_in("s", PROVIDER),
    ] {
        assert_eq!(prove(&never).map(drop), wrong);
    }
    // The caveats of a proof of identity, and no others.
    let service = with(access.clone(), |request| request.caveats = caveat("service = ozw-onezone"));
    assert!(matches!(prove(&service), Err(Refusal::Verify(VerifyError::CaveatUnsupported { .. }))));
    let minted = authority.mint(&access).unwrap();
    let mut token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    token.attenuate("authorization = none").unwrap();
    let verify = |expect| authority.verify(&token, Some(expect), &authority.context()).map_err(refusal);
    assert!(verify(Purpose::Identity).is_ok());
    assert!(matches!(verify(Purpose::Access), Err(Refusal::Verify(VerifyError::CaveatUnsupported { .. }))));
    let invite = MintRequest::invite(InviteType::UserJoinGroup, GROUP, OWNER);
    let found = Purpose::Invite(InviteType::UserJoinGroup);
    assert_eq!(prove(&invite).map(drop), Err(Refusal::WrongType { found }));
    let forever = with(access, |request| request.lifetime = Some(Lifetime::Forever));
    world.members.all_gone.store(true, SeqCst);
    assert!(prove(&forever).is_ok(), "no resource is asked for");
}
