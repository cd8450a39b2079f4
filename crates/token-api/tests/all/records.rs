//! Names, metadata, revocations, uses, events and deletion.

use std::num::NonZeroU64;

use token_api::{
    Amend, Amendment, Delete, Event, Failure, MintError, MintRequest, Purpose, Refusal, Reinstate,
    Revocation, StoreError,
};
use token_core::{InviteType, Subject, UnixTime};
use token_store::{Entity, Filter, TokenStore as _};
use token_test::world::{START, World};

use crate::{OWNER, by, claim, refusal, support, with};

fn named<'a>(issuer: Subject<&'a str>, name: &'a str) -> MintRequest<'a> {
    with(MintRequest::access(issuer), |request| request.name = Some(name))
}

#[test]
fn a_token_is_found_by_its_name_and_no_two_of_an_issuer_have_one() {
    let world = World::new();
    let authority = &world.authority;
    let other = Subject::Provider("owner");
    let request = with(named(OWNER, "laptop"), |request| request.metadata = b"{}");
    let laptop = authority.mint(&request).unwrap();
    assert!(matches!(authority.mint(&named(OWNER, "laptop")), Err(MintError::NameTaken)));
    authority.mint(&named(other, "laptop")).unwrap();
    let phone = authority.mint(&named(OWNER, "phone")).unwrap();
    let found = |name| authority.find(OWNER, name).unwrap().map(|record| record.id);
    assert_eq!(authority.find(OWNER, "laptop").unwrap().unwrap().metadata, b"{}");
    let amend = |name: Option<&str>| {
        let name = Some(name.map(str::to_owned));
        authority.amend(&laptop.id, &Amendment { name, metadata: Some(b"[]".to_vec()) }).unwrap()
    };
    assert_eq!(amend(Some("phone")), Amend::NameTaken);
    assert_eq!(found("laptop"), Some(laptop.id.clone()));
    assert_eq!(amend(Some("tablet")), Amend::Amended);
    assert_eq!((found("laptop"), found("tablet")), (None, Some(laptop.id.clone())));
    assert_eq!(found("phone"), Some(phone.id));
    assert_eq!(authority.find(OWNER, "tablet").unwrap().unwrap().metadata, b"[]");
    // What may change does not change the token.
    assert!(authority.verify(&laptop.token, None, &authority.context()).is_ok());
    let long = "n".repeat(257);
    for name in ["", &long] {
        assert!(matches!(authority.mint(&named(OWNER, name)), Err(MintError::InvalidName { .. })));
    }
    let big = vec![0; 4097];
    let too_long = |change: fn(&mut MintRequest<'_>, &'static [u8])| {
        let big: &'static [u8] = big.clone().leak();
        let request = with(MintRequest::access(OWNER), |request| change(request, big));
        matches!(authority.mint(&request), Err(MintError::TooLong { len: 4097, max: 4096, .. }))
    };
    assert!(too_long(|request, bytes| request.metadata = bytes));
    assert!(too_long(|request, bytes| request.privileges = bytes));
    let temporary = with(MintRequest::access(OWNER), |request| {
        request.temporary = true;
        request.privileges = b"p";
    });
    assert!(matches!(authority.mint(&temporary), Err(MintError::TooLong { max: 0, .. })));
    let temporary = with(named(OWNER, "lost"), |request| request.temporary = true);
    assert!(matches!(authority.mint(&temporary), Err(MintError::TooLong { len: 4, max: 0, .. })));
}

#[test]
fn a_reversible_revocation_is_undone_and_one_for_good_is_not() {
    let world = World::new();
    let authority = &world.authority;
    let minted = authority.mint(&MintRequest::access(OWNER)).unwrap();
    let verify = || authority.verify(&minted.token, None, &authority.context()).map(drop).map_err(refusal);
    let revocation = Revocation {
        by: Some(Entity::user("admin")),
        reason: "lost".to_owned(),
        reversible: true,
        ..Revocation::for_good(authority.now())
    };
    let _ = authority.revoke(&minted.id, Some(&revocation)).unwrap();
    assert_eq!(verify(), Err(Refusal::Revoked));
    let kept = || authority.store().get(&minted.id).unwrap().unwrap().revocation;
    assert_eq!(kept(), Some(revocation));
    assert_eq!(authority.reinstate(&minted.id).unwrap(), Reinstate::Reinstated);
    assert_eq!(verify(), Ok(()));
    let _ = authority.revoke(&minted.id, None).unwrap();
    assert_eq!(kept(), Some(Revocation::for_good(UnixTime::from_secs(START))));
    assert_eq!(authority.reinstate(&minted.id).unwrap(), Reinstate::ForGood);
    assert_eq!(verify(), Err(Refusal::Revoked));
}

#[test]
fn the_uses_of_a_token_say_who_and_when() {
    let world = World::new();
    let authority = &world.authority;
    let request = with(support(), |request| request.use_limit = NonZeroU64::new(9));
    let minted = authority.mint(&request).unwrap();
    for number in 0..5 {
        world.set_time(START + number);
        let (consumer, name) = (format!("p{number}"), claim(format!("{number}")));
        let context = by(Subject::Provider(&consumer), &authority.context());
        authority.spend(&minted.token, Purpose::SpaceSupport, &name, &context).unwrap();
        assert!(authority.spend(&minted.token, Purpose::SpaceSupport, &name, &context).unwrap().repeated);
    }
    let (mut uses, mut after) = (Vec::new(), None);
    loop {
        let page = authority.uses(&minted.id, after.as_ref(), 2).unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        uses.extend(page.into_iter().map(|(_, held)| (held.spent.at.as_secs(), held.spent.consumer)));
    }
    uses.sort();
    let expected: Vec<_> =
        (0..5).map(|number| (START + number, Some(Entity::provider(format!("p{number}"))))).collect();
    assert_eq!(uses, expected);

    let invite = MintRequest::invite(InviteType::RegisterOneprovider, "target", OWNER);
    let minted = authority.mint(&invite).unwrap();
    let kind = Purpose::Invite(InviteType::RegisterOneprovider);
    let context = by(Subject::Nobody, &authority.context());
    authority.spend(&minted.token, kind, &claim("1"), &context).unwrap();
    assert_eq!(authority.uses(&minted.id, None, 9).unwrap()[0].1.spent.consumer, None);
}

#[test]
fn nothing_of_a_deleted_subject_stays_valid() {
    let world = World::new();
    let authority = &world.authority;
    let (leaver, stayer) = (Subject::User("leaver"), Subject::User("stayer"));
    let both = |subject| {
        let stored = authority.mint(&named(subject, "a")).unwrap();
        let temporary = with(MintRequest::access(subject), |request| request.temporary = true);
        [stored, authority.mint(&temporary).unwrap()]
    };
    let (gone, kept) = (both(leaver), both(stayer));
    // More records than a page has.
    for _ in 0..1_500 {
        authority.mint(&MintRequest::identity(leaver)).unwrap();
    }
    let start = authority.events(None, 1).unwrap().next;
    let deleted = authority.delete_subject(leaver).unwrap();
    assert_eq!((deleted.changed, deleted.damaged, deleted.next), (1_501, 0, None));
    let verify = |text: &str| authority.verify(text, None, &authority.context()).map(drop);
    for minted in &gone {
        assert_eq!(refusal(verify(&minted.token).unwrap_err()), Refusal::Unknown);
    }
    for minted in &kept {
        assert!(verify(&minted.token).is_ok());
    }
    let left = authority.store().list(&Filter::Issuer(Entity::user("leaver")), None, 9).unwrap();
    assert!(left.records.is_empty());
    let events = authority.events(Some(&start), 10_000).unwrap().events;
    assert_eq!(events.len(), 1_502);
    assert_eq!(events.last(), Some(&Event::GenerationDeleted(Entity::user("leaver"))));
    assert!(events.contains(&Event::Deleted(gone[0].id.clone())));
    assert_eq!(authority.delete_subject(leaver).unwrap().changed, 0);
    // A user with the same id has other temporary tokens.
    let [_, temporary] = both(leaver);
    assert!(verify(&temporary.token).is_ok());
    assert!(verify(&gone[1].token).is_err());
}

#[test]
fn a_deleted_token_is_unknown_and_its_claims_get_no_answer() {
    let world = World::new();
    let authority = &world.authority;
    let minted = authority.mint(&with(support(), |request| request.name = Some("n"))).unwrap();
    let context = by(crate::PROVIDER, &authority.context());
    let spend = || authority.spend(&minted.token, Purpose::SpaceSupport, &claim("1"), &context);
    spend().unwrap();
    assert_eq!(authority.delete(&minted.id).unwrap(), Delete::Deleted);
    assert_eq!(refusal(spend().unwrap_err()), Refusal::Unknown);
    assert_eq!(authority.delete(&minted.id).unwrap(), Delete::Absent);
    assert!(authority.find(OWNER, "n").unwrap().is_none());
    assert!(authority.uses(&minted.id, None, 9).unwrap().is_empty());
    let again = with(support(), |request| request.name = Some("n"));
    let again = authority.mint(&again).unwrap();
    let long = Amendment { name: Some(Some("n".repeat(300))), metadata: None };
    let refused = authority.amend(&again.id, &long);
    assert!(matches!(refused, Err(Failure::Store(StoreError::TooLarge { .. }))), "{refused:?}");
}
