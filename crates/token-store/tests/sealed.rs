//! The bytes on the disk hold no root key, and no key that seals one, in any spelling.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test: a panic is how it fails"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{
    Engine as _, engine::general_purpose::STANDARD_NO_PAD, engine::general_purpose::URL_SAFE_NO_PAD,
};
use token_core::{RootKey, UnixTime};
use token_store::{
    ClaimId, Entity, Generation, Insert, KeyRing, Owner, Raise, Record, RedbStore, SledStore, Terms, TokenId,
    TokenStore,
};

const ID: &[u8] = b"an id that is no secret";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the spellings that an attacker would search for.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut spellings =
        vec![secret.to_vec(), hex(secret).into_bytes(), hex(secret).to_uppercase().into_bytes()];
    // In base64 the same bytes look different at each position modulo 3. The first and the last character of each
    // spelling depend on the neighbors.
    for at in 0..3 {
        let shifted = [&[0; 2][..at], secret].concat();
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            let (first, last) = (if at == 0 { 0 } else { at + 1 }, text.len() - 1);
            spellings.push(text.as_bytes()[first..last].to_vec());
        }
    }
    spellings
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

fn holds(path: &Path, sought: &[u8]) -> bool {
    files(path).iter().any(|file| fs::read(file).unwrap().windows(sought.len()).any(|part| part == sought))
}

fn use_it(store: &dyn TokenStore, keys: &KeyRing, root_key: &RootKey, generation_key: &RootKey) {
    let (id, subject) = (TokenId::new(ID).unwrap(), Entity { kind: "user".into(), id: "u1".into() });
    let terms = Terms {
        id: &id,
        purpose: token_core::Purpose::SpaceSupport,
        resource: None,
        issuer: &subject,
        created: UnixTime::from_secs(1),
        expires: None,
        use_limit: std::num::NonZeroU64::new(1),
    };
    let record = Record::new(terms, root_key, keys).unwrap();
    assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
    let _ = store.spend(&id, &ClaimId::new(*b"claim").unwrap()).unwrap();
    let owner = Owner::Generation { subject: &subject, number: 1 };
    let generation = Generation { number: 1, root_key: keys.seal(generation_key, owner).unwrap() };
    assert_eq!(store.raise_generation(&subject, &generation).unwrap(), Raise::Raised);
    let read = store.get(&id).unwrap().unwrap();
    assert_eq!(keys.open(&read.root_key, read.owner()).unwrap().expose(), root_key.expose());
}

#[test]
fn no_key_lies_in_any_file_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("keys");
    let keys = KeyRing::create(&ring).unwrap();
    let text = fs::read_to_string(&ring).unwrap();
    let sealing_key = text.split([':', ' ', '\n']).find(|part| part.len() == 64).expect("a key in hex");
    let sealing_key: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&sealing_key[2 * at..2 * at + 2], 16).unwrap()).collect();
    assert!(
        spellings(&sealing_key).iter().any(|spelling| holds(&ring, spelling)),
        "the search finds it here"
    );

    let (root_key, generation_key) = (RootKey::derive_any(b"one"), RootKey::derive_any(b"another"));
    let [redb, sled] = ["redb", "sled"].map(|name| dir.path().join(name));
    use_it(&RedbStore::create(&redb).unwrap(), &keys, &root_key, &generation_key);
    use_it(&SledStore::create(&sled).unwrap(), &keys, &root_key, &generation_key);
    // Also what sled writes at the next start.
    drop(SledStore::open(&sled).unwrap());
    for store in [redb, sled] {
        assert!(holds(&store, ID), "the search finds what is there in the clear");
        for secret in [&root_key.expose()[..], generation_key.expose(), &sealing_key] {
            for spelling in spellings(secret) {
                assert!(!holds(&store, &spelling), "{} holds a key", store.display());
            }
        }
    }
}

#[test]
fn every_spelling_is_sought() {
    let secret: Vec<u8> = (200..232).collect();
    let spellings = spellings(&secret);
    for before in 0..6 {
        let stored = STANDARD_NO_PAD.encode([&vec![7; before], &secret[..], b"more"].concat());
        assert!(spellings.iter().any(|spelling| stored.contains(str::from_utf8(spelling).unwrap_or("\0"))));
    }
}
