//! The chain's HMAC-SHA256 through the public API: a macaroon without caveats is signed with `HMAC(root key,
//! identifier)`, and a root key is `HMAC("macaroons-key-generator", secret)`.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use token_core::{Macaroon, RootKey};
use token_test::{SplitMix64, hex};

fn ours(key: [u8; 32], message: &[u8]) -> [u8; 32] {
    *Macaroon::mint(&RootKey::from_derived(key), "", message).unwrap().signature().expose()
}

fn reference(key: &[u8], message: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().into()
}

/// RFC 4231, test cases 1 to 5. A key of at most 32 bytes equals the same key padded with zeros; the keys of cases 6
/// and 7 are longer.
#[test]
fn rfc_4231() {
    let cases: [(&[u8], &[u8], &str); 5] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    ];
    for (key, message, expected) in cases {
        let mut padded = [0; 32];
        padded[..key.len()].copy_from_slice(key);
        assert!(hex::encode(ours(padded, message)).starts_with(expected), "{message:?}");
    }
}

#[test]
fn every_length_around_the_ends_of_blocks() {
    let mut random = SplitMix64::new(1);
    let mut key = [0; 32];
    for len in 1..=5 * 64 {
        random.fill(&mut key);
        let message = random.bytes(len);
        assert_eq!(ours(key, &message), reference(&key, &message), "{len} bytes");
        let derived = RootKey::derive_any(&message);
        assert_eq!(
            derived.expose(),
            &reference(b"macaroons-key-generator", &message),
            "a secret of {len} bytes"
        );
    }
    assert_eq!(RootKey::derive_any(b"").expose(), &reference(b"macaroons-key-generator", b""));
}

#[test]
fn a_million_random_inputs() {
    let seed = 0x2104;
    let mut random = SplitMix64::new(seed);
    let (mut key, mut message) = ([0; 32], [0; 160]);
    for round in 0..1_000_000 {
        random.fill(&mut key);
        let len = 1 + random.below(message.len());
        random.fill(&mut message[..len]);
        let message = &message[..len];
        assert_eq!(ours(key, message), reference(&key, message), "seed {seed}, round {round}");
    }
}
