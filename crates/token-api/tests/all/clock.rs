//! A clock that goes back, forward, and to before 1970, under every verb and over every store.

use std::{cell::Cell, num::NonZeroU64, time::Duration};

use token_api::{AcceptError, Lifetime, MintRequest, Minted, Purpose, Refusal, SpendError, Spent};
use token_core::{InviteType, Subject, UnixTime, Unmet, VerifyError};
use token_store::{Filter, MemoryStore, RedbStore, Refund, Revoke, SledStore, TokenId, TokenStore};
use token_test::world::{GROUP, SPACE, START, World};

use crate::{DAY, OWNER, PROVIDER, by, claim, with};

const HOUR: u64 = 60 * 60;
const YEAR: u64 = 365 * DAY;

/// The times of the clock, in turn. The system's clock returns 0 for any time before 1970.
const TIMES: [u64; 10] =
    [START, START - HOUR, START + HOUR, START, 0, START + 7 * DAY, START + 10 * YEAR, START, u64::MAX, 0];

#[test]
fn what_has_expired_stays_expired_in_memory() {
    every_verb(MemoryStore::new());
}

#[test]
fn what_has_expired_stays_expired_in_redb() {
    let dir = tempfile::tempdir().unwrap();
    every_verb(RedbStore::create(dir.path().join("store")).unwrap());
}

#[test]
fn what_has_expired_stays_expired_in_sled() {
    let dir = tempfile::tempdir().unwrap();
    every_verb(SledStore::create(dir.path().join("store")).unwrap());
}

/// A token that was minted while the clock was right.
struct Held {
    minted: Minted,
    kind: Purpose,
    consumer: Subject<&'static str>,
    /// When it expires.
    expires: u64,
    /// A use that was taken at that time, if its uses are counted.
    spent: Option<Spent>,
}

fn every_verb<S: TokenStore>(store: S) {
    let world = World::over(store);
    let held = held(&world);
    let mut latest = 0;
    for (step, time) in TIMES.into_iter().enumerate() {
        world.set_time(time);
        latest = latest.max(time);
        assert_eq!(world.authority.now(), UnixTime::from_secs(latest));
        for token in &held {
            old(&world, token, latest, step);
        }
        new(&world, latest);
        listed(&world, &held, latest);
        assert_eq!(world.authority.purge(Some(UnixTime::from_secs(0)), 100).unwrap(), 0);
    }

    // Every record has expired and is purged, though the clock shows 1970.
    let stored = world.authority.store().list(&Filter::All, None, usize::MAX).unwrap().records.len();
    assert_eq!(world.authority.purge(None, usize::MAX).unwrap(), stored);
    for token in held.iter().filter(|token| token.spent.is_some()) {
        let gone = world.authority.verify(&token.minted.token, None, &world.authority.context());
        assert!(matches!(gone, Err(AcceptError::Refused(Refusal::Unknown))));
        assert_eq!(world.authority.refund(token.spent.as_ref().unwrap()).unwrap(), Refund::Absent);
        assert_eq!(world.authority.revoke(&token.minted.id, None).unwrap(), Revoke::Absent);
    }
}

/// Tokens of every kind and dialect, valid for an hour or a week.
fn held<S: TokenStore>(world: &World<S>) -> Vec<Held> {
    let requests = [
        (MintRequest::group_spaces(GROUP, OWNER), false, PROVIDER),
        (MintRequest::space_support(SPACE, OWNER), false, PROVIDER),
        (MintRequest::invite(InviteType::UserJoinSpace, SPACE, OWNER), false, Subject::User("u1")),
        (MintRequest::access(OWNER), false, OWNER),
        (MintRequest::access(OWNER), true, OWNER),
        (MintRequest::identity(OWNER), true, OWNER),
    ];
    let mut held = Vec::new();
    for lasts in [HOUR, 7 * DAY] {
        for (request, temporary, consumer) in requests.clone() {
            let kind = request.purpose();
            let minted = world.authority.mint(&with(request, |request| {
                request.lifetime = Some(Lifetime::For(Duration::from_secs(lasts)));
                request.temporary = temporary;
                request.use_limit = if temporary { None } else { NonZeroU64::new(100) };
            }));
            let minted = minted.unwrap();
            let context = world.authority.context();
            let spent =
                world.authority.spend(&minted.token, kind, &claim("first"), &by(consumer, &context)).unwrap();
            let spent = (!temporary).then_some(spent);
            held.push(Held { minted, kind, consumer, expires: START + lasts, spent });
        }
    }
    held
}

/// Whether the error says expired: by the record, or by the caveat if there is no record.
fn says_expired(error: &AcceptError) -> bool {
    matches!(
        error,
        AcceptError::Refused(
            Refusal::Expired { .. }
                | Refusal::Verify(VerifyError::CaveatUnmet { why: Unmet::Expired { .. }, .. })
        )
    )
}

fn old<S: TokenStore>(world: &World<S>, token: &Held, latest: u64, step: usize) {
    let (authority, text, expired) = (&world.authority, &token.minted.token, token.expires <= latest);
    let context = authority.context();
    let spend = |name: String| authority.spend(text, token.kind, &claim(name), &by(token.consumer, &context));

    for judged in [
        authority.verify(text, Some(token.kind), &context).map(drop),
        spend(format!("step {step}")).map(drop),
    ] {
        match judged {
            Ok(()) => assert!(!expired, "{:?} at {latest}", token.kind),
            Err(error) => assert!(expired && says_expired(&error), "{:?} at {latest}: {error}", token.kind),
        }
    }
    let acted = Cell::new(false);
    let name = claim(format!("step {step}, with"));
    let done = authority.spend_with(text, token.kind, &name, &by(token.consumer, &context), |_| {
        acted.set(true);
        Err::<(), _>("it gives the use back")
    });
    assert_eq!(acted.get(), !expired);
    match done {
        Err(SpendError::Accept(error)) => assert!(expired && says_expired(&error), "{error}"),
        Err(SpendError::Action { .. }) => assert!(!expired),
        other => panic!("{other:?}"),
    }
    let inspected = authority.inspect(text).unwrap();
    assert_eq!(inspected.record.is_some(), token.spent.is_some());
    // A retry still gets its answer, and the use is not given back.
    if let Some(spent) = &token.spent {
        assert!(spend("first".to_owned()).unwrap().repeated);
        assert_eq!(authority.refund(spent).unwrap(), Refund::Kept);
    }
}

fn new<S: TokenStore>(world: &World<S>, latest: u64) {
    let authority = &world.authority;
    let in_a_week = UnixTime::from_secs(latest.saturating_add(7 * DAY));
    let mint = |request: MintRequest<'_>| {
        let minted = authority.mint(&request);
        let minted = minted.unwrap();
        assert_eq!(minted.expires_at, Some(in_a_week), "by the latest time that was seen");
        minted
    };
    let holds = |text: &str| match authority.verify(text, None, &authority.context()) {
        Ok(accepted) => assert_eq!((accepted.expires_at, latest < u64::MAX), (Some(in_a_week), true)),
        // No time is later than the greatest one.
        Err(error) => assert!(latest == u64::MAX && says_expired(&error), "{error}"),
    };
    holds(&authority.create_group_spaces_token(Some(OWNER), GROUP).unwrap().token);
    holds(&authority.get_space_provider_token(Some(OWNER), SPACE).unwrap().token);
    holds(&mint(with(MintRequest::identity(OWNER), |request| request.temporary = true)).token);

    let revoked = mint(with(MintRequest::access(OWNER), |request| request.use_limit = NonZeroU64::new(1)));
    assert_eq!(authority.revoke(&revoked.id, None).unwrap(), Revoke::Revoked);
    let judged = authority.verify(&revoked.token, None, &authority.context());
    assert!(matches!(judged, Err(AcceptError::Refused(Refusal::Revoked))));

    let other = Subject::User("other");
    let number = authority.revoke_temporary(other).unwrap();
    assert_eq!(authority.revoke_temporary(other).unwrap(), number + 1);
}

fn listed<S: TokenStore>(world: &World<S>, held: &[Held], latest: u64) {
    let by_now = Filter::ExpiresBefore(world.authority.now());
    let listed = world.authority.store().list(&by_now, None, usize::MAX).unwrap().records;
    let ids: Vec<&TokenId> = listed.iter().map(|record| &record.id).collect();
    for token in held.iter().filter(|token| token.spent.is_some()) {
        assert_eq!(ids.contains(&&token.minted.id), token.expires <= latest);
    }
}
