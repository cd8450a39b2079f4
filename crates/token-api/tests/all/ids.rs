//! What the ids of new tokens tell.

use std::{
    ops::RangeInclusive,
    time::{SystemTime, UNIX_EPOCH},
};

use token_api::{Config, MintRequest};
use token_store::{MemoryStore, TokenId};
use token_test::world::{START, World};

use crate::{OWNER, support, with};

const SORTED: &str = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

fn millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn world(timed_ids: bool) -> World {
    World::with_config(MemoryStore::new(), Config { timed_ids, ..Config::default() })
}

/// Mints some tokens. Returns their ids, and between which times they were minted.
fn mint(world: &World, request: &MintRequest<'_>) -> (Vec<TokenId>, RangeInclusive<u64>) {
    let before = millis();
    let ids: Vec<_> = (0..100).map(|_| world.authority.mint(request).unwrap().id).collect();
    (ids, before..=millis())
}

/// The milliseconds that an id with a time begins with.
fn time(id: &TokenId) -> u64 {
    let text = str::from_utf8(id.as_bytes()).unwrap();
    assert_eq!(text.len(), 43);
    let digits = text.chars().map(|character| SORTED.find(character).unwrap() as u64);
    digits.take(8).fold(0, |time, digit| time << 6 | digit) & !(1 << 47)
}

#[test]
fn the_id_of_a_stored_token_begins_with_the_time_of_its_minting() {
    for request in [support(), MintRequest::access(OWNER)] {
        let (ids, minted) = mint(&world(true), &request);
        assert!(ids.iter().all(|id| minted.contains(&time(id))), "{minted:?} {ids:?}");
        assert!(ids.is_sorted_by_key(time), "{ids:?}");
    }
}

#[test]
fn the_authoritys_clock_does_not_show_in_an_id() {
    let world = world(true);
    world.set_time(1);
    let (ids, minted) = mint(&world, &support());
    assert!(minted.start() / 1000 > START && ids.iter().all(|id| minted.contains(&time(id))));
}

#[test]
fn a_random_id_tells_no_time() {
    let temporary = with(MintRequest::access(OWNER), |request| request.temporary = true);
    for (timed_ids, request) in [(false, support()), (true, temporary)] {
        let (ids, minted) = mint(&world(timed_ids), &request);
        assert!(!ids.iter().any(|id| minted.contains(&time(id))), "{minted:?} {ids:?}");
    }
}

#[test]
fn what_follows_the_time_is_random() {
    let (ids, _) = mint(&world(true), &support());
    // Each of the 35 other characters varies, the last one over 16.
    for place in 8..43 {
        let found: std::collections::HashSet<u8> = ids.iter().map(|id| id.as_bytes()[place]).collect();
        assert!(found.len() > 8, "{place}: {found:?}");
    }
}
