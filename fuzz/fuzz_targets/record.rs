//! A stored record or generation as read from disk, with a corrected checksum: read as the value that is written
//! back, or reported as damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;
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

/// Returns the value as stored under the key, with the check of both at the end.
fn sound(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sum = 0_u64;
    for part in [key, value] {
        let padded = [part, &vec![0; 8 - part.len() % 8]].concat();
        let words = padded.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        for word in words.chain([part.len() as u64]) {
            sum = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            sum ^= sum >> 32;
        }
    }
    [value, &sum.to_be_bytes()].concat()
}
