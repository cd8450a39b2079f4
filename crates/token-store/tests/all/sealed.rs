//! The bytes on the disk hold no root key, and no key that seals one, in any spelling.

use std::{fs, path::Path};

use base64::{
    Engine as _, engine::general_purpose::STANDARD_NO_PAD, engine::general_purpose::URL_SAFE_NO_PAD,
};
use token_store::{Insert, KeyRing, Raise, TokenStore};
use token_test::{
    files, hex,
    records::{USE, claim, generation, generation_key, id, record, root_key, terms, user},
    stores::EMBEDDED,
};

const ID: &str = "an id that is no secret";

/// Returns the spellings that an attacker would search for.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut spellings = vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode(secret).to_uppercase().into_bytes(),
    ];
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

fn holds(path: &Path, sought: &[u8]) -> bool {
    let files = files::content(path);
    files.values().flatten().any(|bytes| bytes.windows(sought.len()).any(|part| part == sought))
}

fn use_it(store: &dyn TokenStore, keys: &KeyRing) {
    let id = id(ID);
    assert_eq!(store.insert(&record(keys, terms(&id))).unwrap(), Insert::Inserted);
    let _ = store.spend(&id, &claim("claim"), &USE).unwrap();
    assert_eq!(store.raise_generation(user(), &generation(keys, 1)).unwrap(), Raise::Raised);
    let read = store.get(&id).unwrap().unwrap();
    assert_eq!(keys.open(&read.root_key, read.owner()).unwrap().expose(), root_key(&id).expose());
}

#[test]
fn no_key_lies_in_any_file_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("keys");
    let keys = KeyRing::create(&ring).unwrap();
    let text = fs::read_to_string(&ring).unwrap();
    let sealing_key = text.split([':', ' ', '\n']).find(|part| part.len() == 64).expect("a key in hex");
    let sealing_key = hex::decode(sealing_key);
    assert!(
        spellings(&sealing_key).iter().any(|spelling| holds(&ring, spelling)),
        "the search finds it here"
    );

    let paths = EMBEDDED.map(|backend| {
        let path = dir.path().join(backend.name);
        use_it(&*(backend.create)(&path).unwrap(), &keys);
        // Also what sled writes at the next start.
        drop((backend.open)(&path).unwrap());
        path
    });
    let (root_key, generation_key) = (root_key(&id(ID)), generation_key());
    for store in paths {
        assert!(holds(&store, ID.as_bytes()), "the search finds what is there in the clear");
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
