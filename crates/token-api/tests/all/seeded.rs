//! An authority with known random bytes mints the same tokens every time.

use token_api::{Authority, Config, Failure, Host, HostError, MintError, Purpose};
use token_core::{Subject, UnixTime};
use token_store::{Entity, KeyRing, MemoryStore};

use crate::support;

struct Everything;

impl Host for Everything {
    fn exists(&self, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn may(&self, _: Subject<&str>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
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
        let mut next = 32_u8;
        let random = move |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        };
        let clock = || UnixTime::from_secs(1_700_000_000);
        let (store, keys) = (MemoryStore::new(), KeyRing::generate().unwrap());
        let config = Config::default();
        let authority = Authority::new(store, keys, Everything, config).unwrap();
        let authority = authority.with_clock(clock).with_test_random(random);
        let body = authority.get_space_provider_token(Some(Subject::User("u1")), "s1").unwrap();
        assert_eq!(body.token, GOLDEN);
    }
}

#[test]
fn random_bytes_that_repeat_mint_one_token() {
    let authority =
        Authority::new(MemoryStore::new(), KeyRing::generate().unwrap(), Everything, Config::default());
    let authority = authority.unwrap().with_test_random(|bytes| bytes.fill(7));
    authority.mint(&support()).unwrap();
    let again = authority.mint(&support());
    assert!(matches!(again, Err(MintError::Failed(Failure::IdTaken))), "{again:?}");
}
