//! Minting, verifying and spending, as an embedding server calls it.

use std::{
    num::NonZeroU64,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use redb::ReadableTable as _;
use token_api::{
    AcceptError, ApiError, Config, Dialect, Failure, Lifetime, MintError, MintRequest, Minted, Purpose,
    Refusal, SpendError,
};
use token_core::{
    Context, DecodeOptions, Format, Identifier, IdentifierV2, Interface, InviteConsumer, InviteType,
    Persistence, Place, PredicateBuf, RootKey, Session, Subject, Token, TokenType, UnixTime, Unmet,
    VerifyError,
};
use token_store::{
    Administration as _, Entity, Filter, Generation, Item, KeyRing, MemoryStore, Owner, RedbStore, Refund,
    Revoke, StoreError, TokenId, TokenStore as _,
};
use token_test::world::{GROUP, SPACE, START, World};

use crate::{DAY, OWNER, PROVIDER, by, claim, refusal, support, with};

fn mint(world: &World, request: &MintRequest<'_>) -> Minted {
    world.authority.mint(request).unwrap()
}

fn attenuated(text: &str, caveat: &str) -> String {
    let mut token = Token::decode(text, &DecodeOptions::default()).unwrap();
    token.attenuate(caveat).unwrap();
    token.encode().unwrap()
}

#[test]
fn a_support_token_is_spent_once() {
    let world = World::new();
    let minted = mint(&world, &support());
    assert_eq!(minted.expires_at, Some(UnixTime::from_secs(START + 7 * DAY)));

    let context = world.authority.context();
    let accepted = world.authority.verify(&minted.token, Some(Purpose::SpaceSupport), &context).unwrap();
    assert_eq!(accepted.issuer.as_deref(), OWNER);
    assert_eq!(accepted.resource.unwrap().id, SPACE);
    assert_eq!(accepted.expires_at, minted.expires_at);
    assert_eq!(accepted.uses_left, Some(1));

    let spend = |name: &str| {
        world.authority.spend(
            &minted.token,
            Purpose::SpaceSupport,
            &claim(name),
            &by(PROVIDER, &world.authority.context()),
        )
    };
    let spent = spend("first").unwrap();
    assert_eq!((spent.uses_left, spent.repeated), (Some(0), false));
    assert_eq!(refusal(spend("second").unwrap_err()), Refusal::Exhausted);
    let spent = world.authority.verify(&minted.token, None, &world.authority.context()).unwrap();
    assert_eq!(spent.uses_left, Some(0));
    // A consumer that lost the reply retries and gets it.
    let again = spend("first").unwrap();
    assert_eq!((again.uses_left, again.repeated), (Some(0), true));
}

/// The consumer comes from the context alone; a context without one spends nothing.
#[test]
fn a_spend_without_a_consumer_fails() {
    let world = World::new();
    let minted = mint(&world, &support());
    let context = world.authority.context();
    let failed = world.authority.spend(&minted.token, Purpose::SpaceSupport, &claim("c"), &context);
    assert!(matches!(failed, Err(AcceptError::Failed(Failure::NoConsumer))), "{failed:?}");
    assert_eq!(world.authority.verify(&minted.token, None, &context).unwrap().uses_left, Some(1));
}

#[test]
fn a_decoded_token_is_judged_as_its_text() {
    let world = World::new();
    let minted = mint(&world, &support());
    let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    let context = by(PROVIDER, &world.authority.context());
    assert_eq!(world.authority.verify(&token, None, &context).unwrap().id, minted.id);
    let spend = |name: &str| world.authority.spend(&token, Purpose::SpaceSupport, &claim(name), &context);
    assert!(!spend("a").unwrap().repeated);
    assert_eq!(refusal(spend("b").unwrap_err()), Refusal::Exhausted);
}

#[test]
fn a_retried_claim_gets_the_same_answer_in_every_state() {
    for between in ["revoked", "expired", "issuer out"] {
        let world = World::new();
        let minted = mint(&world, &support());
        let spend = |name: &str| {
            world.authority.spend(
                &minted.token,
                Purpose::SpaceSupport,
                &claim(name),
                &by(PROVIDER, &world.authority.context()),
            )
        };
        spend("first").unwrap();
        match between {
            "revoked" => assert_eq!(world.authority.revoke(&minted.id, None).unwrap(), Revoke::Revoked),
            "expired" => world.set_time(START + 8 * DAY),
            _ => world.members.owner_is_out.store(true, Ordering::SeqCst),
        }
        assert!(spend("first").unwrap().repeated, "{between}");
        refusal(spend("second").unwrap_err());
    }
}

/// A claim belongs to its consumer, and does not make an invalid token valid.
#[test]
fn a_claim_serves_its_consumer_only_and_makes_no_token_valid() {
    let world = World::new();
    let minted = mint(&world, &support());
    let for_p1 = attenuated(&minted.token, "consumer = prv-p1");
    let spend = |text: &str, consumer| {
        let context = world.authority.context();
        world
            .authority
            .spend(text, Purpose::SpaceSupport, &claim("c"), &by(consumer, &context))
            .map_err(refusal)
    };
    spend(&for_p1, PROVIDER).unwrap();
    assert!(spend(&minted.token, PROVIDER).unwrap().repeated);
    let (other, user) = (Subject::Provider("p2"), Subject::User("u9"));
    assert!(matches!(spend(&for_p1, other), Err(Refusal::Verify(VerifyError::CaveatUnmet { .. }))));
    assert_eq!(spend(&minted.token, other).unwrap_err(), Refusal::Exhausted);
    assert!(matches!(spend(&minted.token, user), Err(Refusal::WrongConsumer { .. })));
    let unknown = attenuated(&minted.token, "foo = bar");
    assert!(matches!(spend(&unknown, PROVIDER), Err(Refusal::Verify(VerifyError::CaveatUnknown { .. }))));
    let elsewhere = attenuated(&minted.token, "ip = 192.0.2.1/32");
    assert!(matches!(spend(&elsewhere, PROVIDER), Err(Refusal::Verify(VerifyError::CaveatUnmet { .. }))));
    // Nor does a refusal that came later, and that is found before these caveats.
    let late = [&elsewhere, &unknown].map(|text| attenuated(text, &format!("time < {}", START + 9)));
    let soon = attenuated(&attenuated(&minted.token, &format!("time < {}", START + 9)), "ip = 192.0.2.1/32");
    world.set_time(START + 10);
    assert!(matches!(
        spend(&soon, PROVIDER),
        Err(Refusal::Verify(VerifyError::CaveatUnmet { why: Unmet::Expired { .. }, .. }))
    ));
    assert!(late.iter().all(|text| spend(text, PROVIDER).is_err()));
    let _ = world.authority.revoke(&minted.id, None).unwrap();
    for text in [&elsewhere, &unknown, &soon] {
        assert_eq!(spend(text, PROVIDER).unwrap_err(), Refusal::Revoked);
    }
    assert!(spend(&minted.token, PROVIDER).unwrap().repeated);
    world.set_time(START + 8 * DAY);
    assert!(spend(&for_p1, PROVIDER).unwrap().repeated);
    assert!(spend(&elsewhere, PROVIDER).is_err());
}

/// Two calls of one request: the action of the second succeeds, the first fails, and a third finds the use spent.
#[test]
fn a_use_is_not_given_back_once_its_claim_was_answered_again() {
    let world = World::new();
    let minted = mint(&world, &support());
    let context = world.authority.context();
    let spend_with = |consumer, name: &str, action: &dyn Fn() -> Result<(), &'static str>| {
        world
            .authority
            .spend_with(&minted.token, Purpose::SpaceSupport, &claim(name), &by(consumer, &context), |_| {
                action()
            })
            .map(drop)
    };
    let first = spend_with(PROVIDER, "request 1", &|| {
        spend_with(PROVIDER, "request 1", &|| Ok(())).map_err(|_| "the retry failed")?;
        Err("already supported")
    });
    assert!(matches!(first, Err(SpendError::Action { action: "already supported", refund: Refund::Kept })));
    let third = spend_with(Subject::Provider("p2"), "request 2", &|| Ok(()));
    assert!(matches!(third, Err(SpendError::Accept(AcceptError::Refused(Refusal::Exhausted)))));
}

/// The action of one call fails, and its refund's answer is lost. The action of another call of the same request
/// succeeds. The first call retries its refund, and the use stays with the second.
#[test]
fn a_refund_gives_back_no_other_use_than_its_own() {
    let world = World::new();
    let minted = mint(&world, &support());
    let context = world.authority.context();
    let spend = |name: &str| {
        world.authority.spend(&minted.token, Purpose::SpaceSupport, &claim(name), &by(PROVIDER, &context))
    };
    let first = spend("request").unwrap();
    assert_eq!(world.authority.refund(&first).unwrap(), Refund::Refunded);
    let second = spend("request").unwrap();
    assert!(!second.repeated);
    assert_eq!(world.authority.refund(&first).unwrap(), Refund::NotClaimed);
    let third = spend("another request");
    assert!(matches!(third, Err(AcceptError::Refused(Refusal::Exhausted))));
    assert_eq!(world.authority.refund(&second).unwrap(), Refund::Refunded);
}

/// During a purge, the retry of a claim gets the same answer or is refused. It takes no other use.
#[test]
fn a_purge_grants_nothing_anew() {
    const CLAIMS: u64 = 600;
    let store = MemoryStore::new();
    let world = World::over(store.clone());
    for round in 0..5 {
        let request = with(support(), |request| request.use_limit = NonZeroU64::new(CLAIMS));
        let minted = mint(&world, &request);
        let context = world.authority.context();
        let spend = |number: u64| {
            let claim = claim(format!("{number}"));
            world.authority.spend(&minted.token, Purpose::SpaceSupport, &claim, &by(PROVIDER, &context))
        };
        for number in 0..CLAIMS {
            assert!(!spend(number).unwrap().repeated);
        }
        let purged = AtomicBool::new(false);
        thread::scope(|scope| {
            let (spend, purged) = (&spend, &purged);
            for part in 0..4 {
                scope.spawn(move || {
                    while !purged.load(Ordering::SeqCst) {
                        for number in (0..CLAIMS).filter(|number| number % 4 == part) {
                            match spend(number) {
                                Ok(spent) => assert!(spent.repeated, "round {round}, claim {number}"),
                                Err(error) => assert_eq!(refusal(error), Refusal::Unknown),
                            }
                        }
                    }
                });
            }
            let now = UnixTime::from_secs(START);
            assert_eq!(store.purge_spent(now, Duration::ZERO, 10).unwrap(), 1);
            purged.store(true, Ordering::SeqCst);
        });
        assert_eq!(refusal(spend(0).unwrap_err()), Refusal::Unknown);
        assert!(store.check(None).unwrap().is_sound());
    }
}

/// The texts of one token share its uses.
#[test]
fn a_token_spent_in_one_spelling_is_spent_in_all() {
    let world = World::new();
    let minted = mint(&world, &support());
    let spend = |text: &str, name| {
        let context = world.authority.context();
        world.authority.spend(text, Purpose::SpaceSupport, &claim(name), &by(PROVIDER, &context))
    };
    spend(&minted.token, "a").unwrap();
    let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    let base64url = token.written_as(Format::V1, token_core::Encoding::Base64Url).encode().unwrap();
    assert_ne!(base64url, minted.token);
    for text in [base64url, format!("opw-{}", minted.token)] {
        assert_eq!(refusal(spend(&text, "b").unwrap_err()), Refusal::Exhausted);
    }
}

#[test]
fn sixty_four_threads_spend_a_token_as_often_as_it_allows() {
    let world = World::new();
    for limit in [1, 5] {
        let minted = mint(&world, &with(support(), |request| request.use_limit = NonZeroU64::new(limit)));
        let barrier = Barrier::new(64);
        let winners: u64 = thread::scope(|scope| {
            let racers: Vec<_> = (0..64)
                .map(|racer| {
                    let (world, barrier, text) = (&world, &barrier, &minted.token);
                    scope.spawn(move || {
                        let context = world.authority.context();
                        let claim = claim(format!("racer {racer}"));
                        barrier.wait();
                        world
                            .authority
                            .spend(text, Purpose::SpaceSupport, &claim, &by(PROVIDER, &context))
                            .is_ok()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| u64::from(racer.join().unwrap())).sum()
        });
        assert_eq!(winners, limit);
    }
}

/// Unknown, spent, revoked, expired, forged, of another kind, malformed: clients get one answer for all.
#[test]
fn every_refusal_looks_the_same_from_outside() {
    let world = World::new();
    let spend = |text: &str| {
        let context = world.authority.context();
        world.authority.spend(text, Purpose::SpaceSupport, &claim("c"), &by(PROVIDER, &context)).unwrap_err()
    };
    let mut errors = Vec::new();

    errors.push(spend("not a token"));
    let elsewhere = World::new();
    errors.push(spend(&mint(&elsewhere, &support()).token));

    let spent = mint(&world, &support());
    let context = world.authority.context();
    world
        .authority
        .spend(&spent.token, Purpose::SpaceSupport, &claim("other"), &by(PROVIDER, &context))
        .unwrap();
    errors.push(spend(&spent.token));

    let revoked = mint(&world, &support());
    assert_eq!(world.authority.revoke(&revoked.id, None).unwrap(), Revoke::Revoked);
    errors.push(spend(&revoked.token));

    let expired = mint(
        &world,
        &with(support(), |request| request.lifetime = Some(Lifetime::Until(UnixTime::from_secs(START)))),
    );
    errors.push(spend(&expired.token));

    let good = mint(&world, &support());
    let mut bytes = Token::decode(&good.token, &DecodeOptions::default())
        .unwrap()
        .macaroon()
        .to_bytes(Format::V1)
        .unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    let forged = token_core::Macaroon::from_bytes(bytes, &DecodeOptions::default()).unwrap().0;
    errors.push(spend(&forged.to_text(Format::V1, token_core::Encoding::Base62).unwrap()));

    errors.push(spend(&mint(&world, &MintRequest::group_spaces(GROUP, OWNER)).token));
    errors.push(spend(&attenuated(&good.token, "colour = blue")));
    errors.push(spend(&attenuated(&good.token, "ip = 192.0.2.1/32")));

    let reasons: Vec<_> = errors.iter().map(|error| refusal(error.clone())).collect();
    assert!(matches!(
        reasons.as_slice(),
        [
            Refusal::Malformed(_),
            Refusal::Unknown,
            Refusal::Exhausted,
            Refusal::Revoked,
            Refusal::Expired { .. },
            Refusal::Verify(VerifyError::BadSignature),
            Refusal::WrongType { found: Purpose::GroupSpaces },
            Refusal::Verify(VerifyError::CaveatUnknown { at: Place { discharge: None, index: 2 } }),
            Refusal::Verify(VerifyError::CaveatUnmet {
                at: Place { discharge: None, index: 2 },
                why: Unmet::NotKnown
            }),
        ]
    ));
    for error in errors {
        let outside = ApiError::from(error);
        assert_eq!(outside.status(), 400);
        assert_eq!(
            serde_json::to_string(&outside).unwrap(),
            r#"{"error":"invalid_token","error_description":"Provided token could not be validated."}"#
        );
    }
}

#[test]
fn the_issuer_must_hold_the_privilege_still_when_the_token_is_spent() {
    let world = World::new();
    let minted = mint(&world, &support());
    let spend = || {
        world.authority.spend(
            &minted.token,
            Purpose::SpaceSupport,
            &claim("c"),
            &by(PROVIDER, &world.authority.context()),
        )
    };
    world.members.owner_is_out.store(true, Ordering::SeqCst);
    assert_eq!(refusal(spend().unwrap_err()), Refusal::NoLongerAllowed);
    world.members.owner_is_out.store(false, Ordering::SeqCst);
    world.members.all_gone.store(true, Ordering::SeqCst);
    assert_eq!(refusal(spend().unwrap_err()), Refusal::ResourceGone);
    world.members.all_gone.store(false, Ordering::SeqCst);
    world.members.fails.store(true, Ordering::SeqCst);
    assert!(matches!(spend(), Err(AcceptError::Failed(_))));
    world.members.fails.store(false, Ordering::SeqCst);
    assert_eq!(spend().unwrap().uses_left, Some(0));
}

#[test]
fn nothing_is_minted_that_the_host_does_not_allow() {
    let world = World::new();
    let attempt =
        |space, issuer| world.authority.mint(&MintRequest::space_support(space, issuer)).unwrap_err();
    assert!(matches!(attempt(SPACE, Subject::User("member")), MintError::NotAllowed));
    assert!(matches!(attempt(SPACE, Subject::Nobody), MintError::InvalidIssuer));
    assert!(matches!(attempt(SPACE, Subject::Group("g")), MintError::InvalidIssuer));
    assert!(matches!(attempt(SPACE, Subject::User("a/b")), MintError::InvalidIssuer));
    let by_a_broken_host = world.authority.get_space_provider_token(Some(Subject::User("")), SPACE);
    assert_eq!(by_a_broken_host.unwrap_err().status(), 500);
    let long = "n".repeat(257);
    let named = world.authority.mint(&with(support(), |request| request.name = Some(&long)));
    assert!(matches!(named, Err(MintError::InvalidName { len: 257, max: 256 })));
    let caveats = vec![PredicateBuf::time(UnixTime::MAX); 1100];
    assert!(matches!(
        world.authority.mint(&with(support(), |request| request.caveats = caveats)),
        Err(MintError::TooLarge)
    ));
    assert!(matches!(attempt("nowhere", OWNER), MintError::NoSuchResource));
    for bad in ["", "a/b", "a b", "a|b", "a:b", "*", "é", "a\n", &"a".repeat(129)] {
        assert!(matches!(attempt(bad, OWNER), MintError::InvalidId), "{bad:?}");
    }
    assert!(world.authority.store().list(&Filter::All, None, 10).unwrap().records.is_empty());
}

#[test]
fn an_action_that_fails_gives_the_use_back() {
    let world = World::new();
    let minted = mint(&world, &support());
    let spend_with = |name: &str, outcome: Result<&'static str, &'static str>| {
        let context = world.authority.context();
        world.authority.spend_with(
            &minted.token,
            Purpose::SpaceSupport,
            &claim(name),
            &by(PROVIDER, &context),
            |_| outcome,
        )
    };
    assert!(matches!(
        spend_with("a", Err("no quota")),
        Err(SpendError::Action { action: "no quota", refund: Refund::Refunded })
    ));
    let (spent, done) = spend_with("a", Ok("supported")).unwrap();
    assert_eq!((done, spent.uses_left, spent.repeated), ("supported", Some(0), false));
    // The first call may have run the action, so the use stays spent.
    assert!(matches!(
        spend_with("a", Err("no quota")),
        Err(SpendError::Action { action: "no quota", refund: Refund::Kept })
    ));
    assert!(matches!(
        spend_with("b", Ok("supported")),
        Err(SpendError::Accept(AcceptError::Refused(Refusal::Exhausted)))
    ));
    assert_eq!(world.authority.refund(&spent).unwrap(), Refund::Kept);
    assert!(spend_with("b", Ok("supported")).is_err());

    let other = mint(&world, &support());
    let context = world.authority.context();
    let spent = world
        .authority
        .spend(&other.token, Purpose::SpaceSupport, &claim("c"), &by(PROVIDER, &context))
        .unwrap();
    assert_eq!(world.authority.refund(&spent).unwrap(), Refund::Refunded);
    assert_eq!(world.authority.refund(&spent).unwrap(), Refund::NotClaimed);

    let unlimited = mint(&world, &with(support(), |request| request.use_limit = None));
    let failed = world.authority.spend_with(
        &unlimited.token,
        Purpose::SpaceSupport,
        &claim("c"),
        &by(PROVIDER, &context),
        |_| Err::<(), _>("no quota"),
    );
    assert!(matches!(failed, Err(SpendError::Action { refund: Refund::NotClaimed, .. })));
}

#[test]
fn an_expired_token_stays_expired_when_the_clock_goes_back() {
    let world = World::new();
    let minted = mint(&world, &support());
    let verify = || world.authority.verify(&minted.token, None, &world.authority.context());
    world.set_time(START + 7 * DAY - 1);
    assert!(verify().is_ok());
    world.set_time(START + 7 * DAY);
    assert!(matches!(refusal(verify().unwrap_err()), Refusal::Expired { .. }));
    for earlier in [START, 0] {
        world.set_time(earlier);
        assert!(matches!(refusal(verify().unwrap_err()), Refusal::Expired { .. }));
    }
    world.set_time(u64::MAX);
    assert!(matches!(refusal(verify().unwrap_err()), Refusal::Expired { .. }));
    assert_eq!(mint(&world, &support()).expires_at, Some(UnixTime::MAX));
}

#[test]
fn a_holder_narrows_a_token_and_nobody_widens_it() {
    let world = World::new();
    let minted = mint(&world, &support());
    let for_p1 = attenuated(&minted.token, "consumer = prv-p1");
    let sooner = attenuated(&for_p1, &format!("time < {}", START + 60));
    let spend = |text: &str, consumer| {
        world.authority.spend(
            text,
            Purpose::SpaceSupport,
            &claim("c"),
            &by(consumer, &world.authority.context()),
        )
    };
    assert!(matches!(
        refusal(spend(&sooner, Subject::Provider("p2")).unwrap_err()),
        Refusal::Verify(VerifyError::CaveatUnmet { at: Place { discharge: None, index: 2 }, .. })
    ));
    world.set_time(START + 60);
    assert!(matches!(
        refusal(spend(&sooner, PROVIDER).unwrap_err()),
        Refusal::Verify(VerifyError::CaveatUnmet {
            at: Place { discharge: None, index: 3 },
            why: Unmet::Expired { .. }
        })
    ));
    assert_eq!(spend(&for_p1, PROVIDER).unwrap().accepted.expires_at, minted.expires_at);
}

#[test]
fn the_modern_dialect_writes_a_version_2_identifier() {
    let domain = "onezone.example.org".to_owned();
    let config = Config { dialect: Dialect::Modern, domain, ..Config::default() };
    let world = World::with_config(MemoryStore::new(), config);
    let minted = mint(&world, &support());
    let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    assert_eq!(token.macaroon().location(), b"onezone.example.org");
    let Identifier::V2(identifier) = token.identifier() else { panic!("version 2") };
    assert_eq!(identifier.persistence, Persistence::Named);
    assert_eq!(identifier.subject, OWNER);
    assert_eq!(identifier.token_type, TokenType::Invite { invite: InviteType::SupportSpace, target: SPACE });
    assert_eq!(TokenId::new(identifier.id).unwrap(), minted.id);
    assert!(token.macaroon().identifier().ends_with(format!(":ge/{}", minted.id).as_bytes()));

    let context = world.authority.context();
    // A modern token must not carry a caveat that states a legacy type.
    let stated = attenuated(&minted.token, "tokenType = space_support_token");
    assert_eq!(
        refusal(world.authority.verify(&stated, None, &context).unwrap_err()),
        Refusal::Verify(VerifyError::CaveatUnsupported { at: Place { discharge: None, index: 1 } })
    );
    let spent = world
        .authority
        .spend(&minted.token, Purpose::SpaceSupport, &claim("c"), &by(PROVIDER, &context))
        .unwrap();
    assert_eq!(spent.uses_left, Some(0));
}

/// 14 invite types by 14 expectations: each token passes for its own type only.
#[test]
fn no_invitation_passes_for_another() {
    let world = World::new();
    let minted: Vec<_> = InviteType::all()
        .map(|invite| {
            let target = if invite.target_kind() == "space" {
                SPACE
            } else if invite.target_kind() == "group" {
                GROUP
            } else {
                "target"
            };
            (invite, mint(&world, &MintRequest::invite(invite, target, OWNER)))
        })
        .collect();
    let context = world.authority.context();
    let mut accepted = 0;
    for (invite, minted) in &minted {
        for expected in InviteType::all() {
            match world.authority.verify(&minted.token, Some(Purpose::invite(expected)), &context) {
                Ok(token) => {
                    assert_eq!((token.purpose, invite), (Purpose::invite(*invite), &expected));
                    accepted += 1;
                }
                Err(error) => {
                    assert_eq!(refusal(error), Refusal::WrongType { found: Purpose::invite(*invite) })
                }
            }
        }
        let wrong = match invite.consumer() {
            InviteConsumer::User => PROVIDER,
            InviteConsumer::Provider => Subject::User("u"),
            InviteConsumer::Anyone => continue,
        };
        let spent =
            world.authority.spend(&minted.token, Purpose::invite(*invite), &claim("c"), &by(wrong, &context));
        assert!(matches!(refusal(spent.unwrap_err()), Refusal::WrongConsumer { .. }), "{invite:?}");
    }
    assert_eq!(accepted, 14);
}

#[test]
fn temporary_tokens_are_not_stored_and_are_revoked_together() {
    let world = World::new();
    let request = with(MintRequest::access(OWNER), |request| {
        request.temporary = true;
        request.lifetime = Some(Lifetime::For(Duration::from_secs(900)));
    });
    let (first, second) = (mint(&world, &request), mint(&world, &request));
    assert!(world.authority.store().list(&Filter::All, None, 10).unwrap().records.is_empty());
    let verify = |minted: &Minted| {
        world.authority.verify(&minted.token, Some(Purpose::Access), &world.authority.context())
    };
    let accepted = verify(&first).unwrap();
    assert_eq!((accepted.issuer.as_deref(), accepted.stored), (OWNER, false));
    assert_eq!(accepted.expires_at, Some(UnixTime::from_secs(START + 900)));

    assert_eq!(world.authority.revoke_temporary(OWNER).unwrap(), 2);
    assert_eq!(refusal(verify(&first).unwrap_err()), Refusal::Revoked);
    assert_eq!(refusal(verify(&second).unwrap_err()), Refusal::Revoked);
    let third = mint(&world, &request);
    assert!(verify(&third).is_ok());
    assert!(verify(&mint(&world, &with(request.clone(), |request| request.issuer = PROVIDER))).is_ok());

    for lifetime in [Lifetime::Forever, Lifetime::For(Duration::from_secs(31 * DAY))] {
        let request = with(request.clone(), |request| request.lifetime = Some(lifetime));
        assert!(
            matches!(world.authority.mint(&request), Err(MintError::ExpiryRequired { max }) if max == 30 * DAY)
        );
    }
    let legacy = with(support(), |request| {
        request.temporary = true;
        request.use_limit = None;
    });
    assert!(matches!(world.authority.mint(&legacy), Err(MintError::NotTemporary)));
    let counted = with(request, |request| request.use_limit = Some(NonZeroU64::MIN));
    assert!(matches!(world.authority.mint(&counted), Err(MintError::TemporaryUnlimited)));
}

#[test]
fn the_last_generation_is_not_raised() {
    let world = World::new();
    let subject = Entity { kind: "user".into(), id: "u1".into() };
    let keys = KeyRing::generate().unwrap();
    let owner = Owner::Generation { subject: &subject, number: u64::MAX };
    let root_key = keys.seal(&RootKey::from_derived([7; 32]), owner).unwrap();
    let generation = Generation { number: u64::MAX, root_key };
    let item = Item::Generation { subject, generation };
    assert_eq!(world.authority.store().restore(&[item]).unwrap(), 1);
    let refused = world.authority.revoke_temporary(Subject::User("u1")).unwrap_err();
    assert!(matches!(refused, Failure::NoGenerationLeft), "{refused}");
}

#[test]
fn a_damaged_generation_is_replaced_by_revoking() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let world = World::over(RedbStore::create(&path).unwrap());
    assert_eq!(world.authority.revoke_temporary(OWNER).unwrap(), 1);
    assert_eq!(world.authority.revoke_temporary(OWNER).unwrap(), 2);
    drop(world);

    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("generations");
    {
        let mut table = write.open_table(table).unwrap();
        let (key, mut value) = {
            let (key, value) = table.range::<&[u8]>(..).unwrap().next().unwrap().unwrap();
            (key.value().to_vec(), value.value().to_vec())
        };
        *value.last_mut().unwrap() ^= 1;
        table.insert(key.as_slice(), value.as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(database);

    let world = World::over(RedbStore::open(&path).unwrap());
    let request = with(MintRequest::access(OWNER), |request| request.temporary = true);
    let refused = world.authority.mint(&request).unwrap_err();
    assert!(matches!(refused, MintError::Failed(Failure::Store(StoreError::Corrupt { .. }))), "{refused}");
    assert_eq!(world.authority.revoke_temporary(OWNER).unwrap(), 1);
    let minted = world.authority.mint(&request).unwrap();
    world.authority.verify(&minted.token, Some(Purpose::Access), &world.authority.context()).unwrap();
}

#[test]
fn access_tokens_carry_the_caveats_of_their_type() {
    let world = World::new();
    let service = PredicateBuf::read("service = ozw-onezone").unwrap();
    let request = with(MintRequest::access_in("s", OWNER), |request| {
        request.caveats = vec![service.clone()];
        request.lifetime = Some(Lifetime::Forever);
    });
    let minted = mint(&world, &request);
    assert_eq!(minted.expires_at, None);
    let mut context = world.authority.context();
    let in_session =
        |context: &Context| world.authority.verify(&minted.token, Some(Purpose::Access), context).map(drop);
    let refused = in_session(&context).unwrap_err();
    assert!(matches!(refused, AcceptError::Refused(Refusal::Verify(VerifyError::WrongSession))), "{refused}");
    context.session = Session::This("s".into());
    // A context without a service stands for Onezone itself.
    assert!(in_session(&context).is_ok());
    let identity = with(MintRequest::identity(OWNER), |request| request.caveats = vec![service]);
    assert!(matches!(world.authority.mint(&identity), Err(MintError::UnsupportedCaveat { index: 0 })));
    // A caveat that excludes no one is not written, even if it came as JSON.
    let json = r#"{"type":"geo.country","filter":"blacklist","list":["pl"]}"#;
    let nobody: PredicateBuf = serde_json::from_str(json).unwrap();
    let identity = with(MintRequest::identity(OWNER), |request| request.caveats = vec![nobody]);
    assert!(matches!(world.authority.mint(&identity), Err(MintError::UnsupportedCaveat { index: 0 })));

    let until = PredicateBuf::time(UnixTime::from_secs(START + 5));
    let sooner = with(support(), |request| request.caveats = vec![until]);
    assert_eq!(mint(&world, &sooner).expires_at, Some(UnixTime::from_secs(START + 5)));
}

#[test]
fn an_operator_learns_what_became_of_each_caveat() {
    let world = World::new();
    let caveats = ["asn = 7", "interface = rest"].map(|text| PredicateBuf::read(text).unwrap());
    let request = with(MintRequest::access(OWNER), |request| {
        request.caveats = caveats.to_vec();
        request.lifetime = Some(Lifetime::Forever);
    });
    let minted = mint(&world, &request);
    let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    let mut context = world.authority.context();
    context.asn = Some(8);
    let explained = world.authority.explain(&token, Some(Purpose::Access), &context).unwrap();
    let shown: Vec<_> =
        explained.caveats.iter().map(|it| (it.caveat, it.verdict.is_ok(), it.fact.as_deref())).collect();
    assert_eq!(shown, [(&b"asn = 7"[..], false, Some("8")), (b"interface = rest", false, None)]);
    let at = Place { discharge: None, index: 0 };
    let unmet = VerifyError::CaveatUnmet { at, why: Unmet::Refuted };
    let refused = explained.answer.unwrap_err();
    assert!(matches!(&refused, AcceptError::Refused(Refusal::Verify(error)) if *error == unmet), "{refused}");

    // The record decides too, after the caveats.
    context.asn = Some(7);
    context.interface = Some(Interface::Rest);
    let explain = || world.authority.explain(&token, Some(Purpose::Access), &context).unwrap();
    assert!(explain().answer.is_ok());
    let id = TokenId::new(token.identifier().id()).unwrap();
    assert_eq!(world.authority.revoke(&id, None).unwrap(), Revoke::Revoked);
    let revoked = explain();
    assert!(revoked.caveats.iter().all(|it| it.verdict.is_ok()));
    assert!(matches!(revoked.answer, Err(AcceptError::Refused(Refusal::Revoked))));
    let wrong = world.authority.explain(&token, Some(Purpose::Identity), &context).unwrap();
    assert!(matches!(wrong.answer, Err(AcceptError::Refused(Refusal::WrongType { .. }))));

    // A forger learns nothing, not even of a known id.
    let mut forged =
        Token::mint(&RootKey::from_derived([1; 32]), "", token.identifier().v2().unwrap()).unwrap();
    forged.attenuate("asn = 9").unwrap();
    let refused = world.authority.explain(&forged, None, &context).unwrap_err();
    assert!(matches!(refused, AcceptError::Refused(Refusal::Verify(VerifyError::BadSignature))), "{refused}");
    let unknown = IdentifierV2 { id: "unknown", ..*token.identifier().v2().unwrap() };
    let unknown = Token::mint(&RootKey::from_derived([1; 32]), "", &unknown).unwrap();
    let refused = world.authority.explain(&unknown, None, &context).unwrap_err();
    assert!(matches!(refused, AcceptError::Refused(Refusal::Unknown)), "{refused}");
}

#[test]
fn what_expired_is_purged_and_what_holds_is_not() {
    let world = World::new();
    let short = with(support(), |request| request.lifetime = Some(Lifetime::For(Duration::from_secs(10))));
    for _ in 0..3 {
        mint(&world, &short);
    }
    let long = mint(&world, &support());
    assert_eq!(world.authority.purge(None, 10).unwrap(), 0);
    // A time in the future is reduced to now.
    assert_eq!(world.authority.purge(Some(UnixTime::MAX), 10).unwrap(), 0);
    world.set_time(START + 10);
    assert_eq!(world.authority.purge(None, 2).unwrap(), 2);
    assert_eq!(world.authority.purge(None, 2).unwrap(), 1);
    let left = world.authority.store().list(&Filter::All, None, 10).unwrap().records;
    assert_eq!(left.iter().map(|record| &record.id).collect::<Vec<_>>(), [&long.id]);
}

#[test]
fn inspection_shows_the_record_and_proves_nothing() {
    let world = World::new();
    let minted = mint(&world, &support());
    let inspected = world.authority.inspect(&minted.token).unwrap();
    assert_eq!(inspected.record.unwrap().purpose, Purpose::SpaceSupport);
    let elsewhere = mint(&World::new(), &support());
    assert!(world.authority.inspect(&elsewhere.token).unwrap().record.is_none());
}

#[test]
fn nothing_secret_is_shown_in_debug() {
    let world = World::new();
    let minted = mint(&world, &support());
    let accepted = world.authority.verify(&minted.token, None, &world.authority.context()).unwrap();
    let shown = format!("{minted:?} {accepted:?} {:?}", world.authority);
    let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    let signature = token_test::hex::encode(token.macaroon().signature().expose());
    let bytes = format!("{:?}", token.macaroon().signature().expose());
    assert!(!shown.contains(&minted.token) && !shown.contains(&signature) && !shown.contains(&bytes));
}

/// An access token that only proves who its subject is has its own row of rules (`onedata-tokens.md` §4.1).
#[test]
fn an_access_token_used_as_identity_carries_other_caveats() {
    let world = World::new();
    let request = MintRequest::access(OWNER);
    let minted = mint(&world, &request);
    let mut as_identity = world.authority.context();
    as_identity.scope = token_core::Scope::IdentityToken;
    let verify = |caveat: &str| {
        world
            .authority
            .verify(&attenuated(&minted.token, caveat), None, &as_identity)
            .map(drop)
            .map_err(refusal)
    };
    let at = Place { discharge: None, index: 1 };
    assert_eq!(verify("authorization = none"), Ok(()));
    assert_eq!(verify("service = ozw-onezone"), Err(Refusal::Verify(VerifyError::CaveatUnsupported { at })));
    let acting = world.authority.context();
    let scoped = attenuated(&minted.token, "authorization = none");
    assert!(matches!(
        refusal(world.authority.verify(&scoped, None, &acting).unwrap_err()),
        Refusal::Verify(VerifyError::CaveatUnsupported { .. })
    ));
}

/// A context may be used long after it was made.
#[test]
fn a_stale_context_revives_nothing_and_a_future_one_expires_early() {
    let world = World::new();
    let stale = world.authority.context();
    let access = MintRequest::access(OWNER);
    let temporary = with(access.clone(), |request| request.temporary = true);
    let (support, tokens) = (mint(&world, &support()), [mint(&world, &access), mint(&world, &temporary)]);
    let spend = |name: &str, context: &Context| {
        world.authority.spend(&support.token, Purpose::SpaceSupport, &claim(name), &by(PROVIDER, context))
    };
    let future = Context::at(UnixTime::from_secs(START + 8 * DAY));
    let expired = |error| match refusal(error) {
        Refusal::Expired { .. } => true,
        Refusal::Verify(VerifyError::CaveatUnmet { why, .. }) => matches!(why, Unmet::Expired { .. }),
        other => panic!("{other}"),
    };
    assert!(expired(spend("future", &future).unwrap_err()));
    for minted in &tokens {
        assert!(world.authority.verify(&minted.token, None, &stale).is_ok());
        assert!(expired(world.authority.verify(&minted.token, None, &future).unwrap_err()));
    }
    world.set_time(START + 8 * DAY);
    assert!(expired(spend("stale", &stale).unwrap_err()));
    for minted in &tokens {
        assert!(expired(world.authority.verify(&minted.token, None, &stale).unwrap_err()));
    }
}

/// Two requests of `Nobody` cannot be distinguished: the claim of one gets no answer to another.
#[test]
fn nobody_gets_an_answer_that_nobody_else_got() {
    let world = World::new();
    let register = MintRequest::invite(InviteType::RegisterOneprovider, "target", OWNER);
    let minted = mint(&world, &with(register, |request| request.use_limit = NonZeroU64::new(2)));
    let spend = || {
        let kind = Purpose::Invite(InviteType::RegisterOneprovider);
        let context = world.authority.context();
        world.authority.spend(&minted.token, kind, &claim("1"), &by(Subject::Nobody, &context))
    };
    let first = spend().unwrap();
    let second = spend().unwrap();
    assert_eq!((first.repeated, second.repeated), (false, false));
    assert_eq!((first.uses_left, second.uses_left), (Some(1), Some(0)));
    assert_eq!(refusal(spend().unwrap_err()), Refusal::Exhausted);
    assert_eq!(world.authority.refund(&first).unwrap(), Refund::Refunded);
    assert_eq!(spend().unwrap().uses_left, Some(0));
    assert_eq!(world.authority.revoke(&minted.id, None).unwrap(), Revoke::Revoked);
    assert_eq!(refusal(spend().unwrap_err()), Refusal::Revoked);
}
