//! A stored record or generation as read from disk, with a corrected checksum: read as the value that is written
//! back, or reported as damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use token_store::{Entity, Generation, Record, StoreError, TokenId};

fuzz_target!(|bytes: &[u8]| {
    let id = TokenId::new(*b"id").expect("an id of two bytes");
    let other = TokenId::new(*b"di").expect("an id of two bytes");
    let subject = Entity { kind: "user".into(), id: "u1".into() };
    damaged(Record::from_bytes(id.clone(), bytes).map(drop));
    damaged(Generation::from_bytes(&subject, bytes).map(drop));

    let value = sound(b"\x01id\0", bytes);
    match Record::from_bytes(id.clone(), &value) {
        Ok(record) => {
            // No store holds a name, metadata or an entity that is too long, but a forger may.
            if let Ok(written) = record.to_bytes() {
                assert_eq!(Record::from_bytes(id, &written).as_ref().ok(), Some(&record));
            }
            damaged(Record::from_bytes(other, &value).map(drop));
        }
        error => damaged(error.map(drop)),
    }
    let value = sound(b"\x06\0\0\0\x04useru1", bytes);
    match Generation::from_bytes(&subject, &value) {
        Ok(generation) => {
            let written = generation.to_bytes(&subject).expect("what was stored can be stored");
            assert_eq!(Generation::from_bytes(&subject, &written).ok(), Some(generation));
        }
        error => damaged(error.map(drop)),
    }
});

fn damaged(read: Result<(), StoreError>) {
    match read {
        Err(
            StoreError::Corrupt { .. } | StoreError::NewerVersion { .. } | StoreError::OlderVersion { .. },
        ) => {}
        other => panic!("{other:?}"),
    }
}

/// Returns the value as stored under the key, with the checksum of both at the end.
fn sound(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [key, value] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    [value, &hash.finalize()[..8]].concat()
}
