//! An authority with known random bytes mints the same tokens every time.
#![cfg(feature = "test-random")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use token_api::{Authority, Client, Config, Host, HostError, Purpose};
use token_core::{Subject, UnixTime};
use token_store::{Entity, KeyRing, MemoryStore};

struct Everything;

impl Host for Everything {
    fn exists(&self, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn may(&self, _: Subject<'_>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }
}

/// Made by another program, from the layout of `onedata-tokens.md` §1 and §2.
const GOLDEN: &str = "MDAxNWxvY2F00aW9uIG9uZXpvbmUKMDAzYmlkZW500aWZpZXIgUUVGQ1EwUkZSa2RJU1VwTFRFMU9UMUJSVWxOVVZWWlhXRm\
        xhVzF4ZFhsOAowMDI4Y2lkIHRva2VuVHlwZSA9IHNwYWNlX3N1cHBvcnRfdG9rZW4KMDAxYWNpZCB00aW1lIDwgMTcwMDYwN\
        DgwMAowMDJmc2lnbmF00dXJlIOQZgdxuhN9r0001EaNG02mqVfhJv7LiPoaRUoW4hkfdT7qCg";

#[test]
fn a_seeded_token_is_golden() {
    for _ in 0..2 {
        let mut next = 0_u8;
        let random = move |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        };
        let clock = || UnixTime::from_secs(1_700_000_000);
        let (store, keys) = (MemoryStore::new(), KeyRing::generate().unwrap());
        let config = Config::default();
        let authority = Authority::with_test_random(store, keys, Everything, config, clock, random).unwrap();
        let body = authority.get_space_provider_token(&Client::user("u1"), "s1").unwrap();
        assert_eq!(body.token, GOLDEN);
    }
}
