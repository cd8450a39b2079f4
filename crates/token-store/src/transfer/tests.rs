use std::{io::Cursor, num::NonZeroU64};

use token_core::{RootKey, UnixTime};

use super::*;
use crate::{ClaimId, Generation, Insert, KeyRing, MemoryStore, Owner, Raise, Record, Redeem, TokenStore};

/// An export of version 1, and the key ring that opens what is in it, which was written once and never changes.
const GOLDEN: &str = include_str!("../../tests/golden/export-v1.jsonl");

fn id(number: u32) -> TokenId {
    TokenId::new(number.to_be_bytes()).unwrap()
}

fn claim(number: u8) -> ClaimId {
    ClaimId::new([number]).unwrap()
}

fn filled(keys: &KeyRing, records: u32, generations: u32) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..records {
        let user = Entity { kind: "user".into(), id: format!("u\u{e9}\"\n{}", number % 7) };
        let record = Record {
            id: id(number),
            kind: "raw".into(),
            resource: (number % 2 == 0).then(|| Entity { kind: "space".into(), id: "s1".into() }),
            issuer: user,
            root_key: keys
                .seal(&RootKey::derive_any(&number.to_be_bytes()), Owner::Token(&id(number)))
                .unwrap(),
            created: UnixTime::from_secs(1_500_000_000),
            expires: (number % 3 == 0).then_some(UnixTime::MAX),
            use_limit: NonZeroU64::new(u64::from(number % 3)),
            uses: 0,
            revoked: number % 5 == 0,
            name: (number % 2 == 0).then(|| "a name".into()),
        };
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
        if number % 3 > 0 && number % 5 > 0 {
            assert!(matches!(store.redeem(&id(number), &claim(1)).unwrap(), Redeem::Redeemed { .. }));
        }
    }
    for name in 0..generations {
        let subject = Entity { kind: "user".into(), id: format!("u{name}") };
        let owner = Owner::Generation { subject: &subject, number: 1 };
        let root_key = keys.seal(&RootKey::from_derived([7; 32]), owner).unwrap();
        let generation = Generation { number: 1, root_key };
        assert_eq!(store.raise_generation(&subject, &generation).unwrap(), Raise::Raised);
    }
    store
}

fn exported(store: &MemoryStore, before: &[u8]) -> (Vec<u8>, Moved) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(before).unwrap();
    let moved = export(store, &mut file, &mut |_| ()).unwrap();
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    (bytes, moved)
}

fn imported(bytes: &[u8], epoch: Epoch) -> (MemoryStore, Moved) {
    let store = MemoryStore::new();
    let moved = import(&store, &mut Cursor::new(bytes), epoch, &mut |_| ()).unwrap();
    (store, moved)
}

fn all(store: &MemoryStore) -> (Vec<Record>, Vec<(Entity, Generation)>) {
    let records = store.list(&Filter::All, None, usize::MAX).unwrap().records;
    (records, store.generations(None, usize::MAX).unwrap())
}

#[test]
fn everything_moves() {
    let keys = KeyRing::generate().unwrap();
    let store = filled(&keys, 600, 300);
    let (bytes, moved) = exported(&store, b"");
    assert_eq!((moved.tokens, moved.generations), (600, 300));
    let (copy, moved) = imported(&bytes, Epoch::Same);
    assert_eq!((moved.tokens, moved.generations, moved.kept), (600, 300, 900));
    assert_eq!(all(&copy), all(&store));
    assert!(copy.check(Some(&keys)).unwrap().is_sound());
    for number in 0..600 {
        let claims = |store: &MemoryStore| store.claims(&id(number), None, 9).unwrap();
        assert_eq!(claims(&copy), claims(&store));
    }
    assert_eq!(exported(&copy, b"").0, bytes, "the same store is the same file");
}

#[test]
fn an_interrupted_export_goes_on_from_wherever_it_was_cut() {
    let store = filled(&KeyRing::generate().unwrap(), 600, 300);
    let (bytes, moved) = exported(&store, b"");
    let cuts = (0..=30).map(|part| bytes.len() * part / 30);
    for cut in cuts.chain(1..30).filter(|cut| *cut < bytes.len()) {
        let (again, told) = exported(&store, &bytes[..cut]);
        assert!(again == bytes && told == moved, "cut at {cut}");
    }
}

#[test]
fn a_complete_export_is_not_taken_for_a_new_one() {
    let store = filled(&KeyRing::generate().unwrap(), 3, 1);
    let (bytes, moved) = exported(&store, b"");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    assert!(matches!(export(&store, &mut file, &mut |_| ()), Err(TransferError::Complete)));
    file.rewind().unwrap();
    let mut again = Vec::new();
    file.read_to_end(&mut again).unwrap();
    assert_eq!(again, bytes);
    let mut piped = Vec::new();
    assert_eq!(export_to(&store, &mut piped, &mut |_| ()).unwrap(), moved);
    assert_eq!(piped, bytes, "a pipe gets the same");
    let (_, told) = imported(&bytes, Epoch::Same);
    assert_eq!((told.checksum, told.checksum.is_some()), (moved.checksum, true));
}

#[test]
fn an_interrupted_import_goes_on_and_overwrites_nothing() {
    let store = filled(&KeyRing::generate().unwrap(), 600, 300);
    let (bytes, _) = exported(&store, b"");
    let copy = MemoryStore::new();
    let stopped = std::panic::catch_unwind(|| {
        import(&copy, &mut Cursor::new(&bytes), Epoch::Same, &mut |_| panic!("stopped"))
    });
    assert!(stopped.is_err());
    assert_eq!(copy.counts().unwrap().records, 256);
    assert!(matches!(copy.redeem(&id(3), &claim(2)).unwrap(), Redeem::Redeemed { uses_left: None, .. }));
    let moved = import(&copy, &mut Cursor::new(&bytes), Epoch::Same, &mut |_| ()).unwrap();
    assert_eq!((moved.tokens, moved.kept), (600, 600 + 300 - 256));
    assert_eq!(copy.get(&id(3)).unwrap().unwrap().uses, 1, "what was done since stays");
}

#[test]
fn a_new_epoch_voids_everything_older() {
    let keys = KeyRing::generate().unwrap();
    let (bytes, _) = exported(&filled(&keys, 10, 300), b"");
    let (copy, moved) = imported(&bytes, Epoch::New);
    assert_eq!((moved.tokens, moved.generations, moved.kept), (10, 300, 10));
    let (records, generations) = all(&copy);
    assert!(records.len() == 10 && records.iter().all(|record| record.revoked) && generations.is_empty());
    for number in 0..10 {
        assert_eq!(copy.redeem(&id(number), &claim(9)).unwrap(), Redeem::Revoked);
    }
    let again = Redeem::Redeemed { uses_left: Some(0), repeated: true };
    assert_eq!(copy.redeem(&id(1), &claim(1)).unwrap(), again);
}

#[test]
fn what_is_not_whole_is_refused_and_nothing_of_it_is_kept() {
    let (bytes, _) = exported(&filled(&KeyRing::generate().unwrap(), 2, 1), b"");
    let refused = |bytes: &[u8]| {
        let store = MemoryStore::new();
        let error = import(&store, &mut Cursor::new(bytes), Epoch::Same, &mut |_| ()).unwrap_err();
        assert_eq!(store.counts().unwrap(), crate::Counts::default());
        error
    };
    for len in 0..bytes.len() {
        let error = refused(&bytes[..len]);
        assert!(
            matches!(error, TransferError::Incomplete { .. } | TransferError::NotAnExport),
            "{len}: {error}"
        );
        if let TransferError::Incomplete { line } = error {
            assert_eq!(line, bytes[..len].split(|byte| *byte == b'\n').count() as u64 - 1);
        }
    }
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        refused(&altered);
    }
    let text = String::from_utf8(bytes).unwrap();
    let newer = text.replacen("\"onetoken_export\":1", "\"onetoken_export\":2", 1);
    assert!(matches!(refused(newer.as_bytes()), TransferError::NewerVersion { found: 2, known: 1 }));
    assert!(matches!(refused([text.as_str(), "{}\n"].concat().as_bytes()), TransferError::Line { .. }));
    assert!(matches!(refused(text.repeat(2).as_bytes()), TransferError::NotAnExport));
    assert!(matches!(refused(b"hello\n"), TransferError::NotAnExport));
}

#[test]
fn an_export_of_version_1_is_read() {
    let (keys, export) = GOLDEN.split_once('\n').unwrap();
    let keys = KeyRing::from_text(keys).unwrap();
    let (copy, moved) = imported(export.as_bytes(), Epoch::Same);
    assert_eq!((moved.tokens, moved.generations, moved.kept), (2, 1, 3));
    let report = copy.check(Some(&keys)).unwrap();
    assert!(report.is_sound() && report.opened == 3, "{report:?}");
    assert_eq!(exported(&copy, b"").0, export.as_bytes(), "and written as it was");
}
