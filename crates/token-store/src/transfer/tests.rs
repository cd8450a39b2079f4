use std::{
    collections::BTreeSet,
    io::{Cursor, SeekFrom},
    num::NonZeroU64,
};

use token_core::{RootKey, UnixTime};

use super::*;
use crate::{
    ClaimId, Entity, Filter, Generation, GrantId, Held, Insert, KeyRing, MemoryStore, Owner, Raise, Record,
    Reinstate, Spend, Terms, TokenId, TokenStore, Use,
};

const USE: Use = Use::anonymous(UnixTime::from_secs(1));

/// An export of version 1 with its key ring, written once and never changed.
const GOLDEN: &str = include_str!("../../tests/golden/export-v1.jsonl");

fn id(number: u32) -> TokenId {
    TokenId::new(number.to_be_bytes()).unwrap()
}

fn claim(number: u8) -> ClaimId {
    ClaimId::new([number]).unwrap()
}

fn revocation(number: u32) -> Revocation {
    let at = UnixTime::from_secs(number.into());
    Revocation { at, by: Some(Entity::user("u1")), reason: "lost".into(), reversible: number == 5 }
}

fn filled(keys: &KeyRing, records: u32, generations: u32) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..records {
        let user = Entity { kind: "user".into(), id: format!("u\u{e9}\"\n{}", number % 7) };
        let space = Entity { kind: "space".into(), id: "s1".into() };
        let (id, body) = (id(number), number.to_be_bytes());
        let terms = Terms {
            body: &body,
            resource: (number % 2 == 0).then_some(&space),
            expires: (number % 3 == 0).then_some(UnixTime::MAX),
            use_limit: NonZeroU64::new(u64::from(number % 3)),
            ..Terms::unlimited(&id, &user)
        };
        let mut record = Record::new(terms, &RootKey::derive_any(&number.to_be_bytes()), keys).unwrap();
        record.metadata = body.to_vec();
        record.revocation = (number % 5 == 0).then(|| revocation(number));
        record.name = (number % 2 == 0).then(|| format!("name {number}"));
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
        if number % 3 > 0 && number % 5 > 0 {
            let by = Use { consumer: Some(user), ..USE };
            assert!(matches!(store.spend(&id, &claim(1), &by).unwrap(), Spend::Spent { .. }));
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

fn exported(store: &MemoryStore) -> (Vec<u8>, Moved) {
    let mut bytes = Vec::new();
    let moved = export_to(store, &mut bytes, &mut |_| ()).unwrap();
    (bytes, moved)
}

fn imported(bytes: &[u8], epoch: Epoch<'_>) -> (MemoryStore, Moved) {
    let store = MemoryStore::new();
    let moved = import(&store, &mut Cursor::new(bytes), epoch, &mut |_| ()).unwrap();
    (store, moved)
}

fn all(store: &MemoryStore) -> (Vec<Record>, Vec<(Entity, Generation)>) {
    let records = store.list(&Filter::All, None, usize::MAX).unwrap().records;
    (records, store.generations(None, usize::MAX).unwrap().sound)
}

#[test]
fn everything_moves() {
    let keys = KeyRing::generate().unwrap();
    let store = filled(&keys, 600, 300);
    let (bytes, moved) = exported(&store);
    assert_eq!((moved.tokens, moved.generations), (600, 300));
    let (copy, moved) = imported(&bytes, Epoch::Same);
    assert_eq!((moved.tokens, moved.generations, moved.kept), (600, 300, 900));
    assert_eq!(all(&copy), all(&store));
    assert!(copy.check(Some(&keys)).unwrap().is_sound());
    for number in 0..600 {
        let claims = |store: &MemoryStore| store.claims(&id(number), None, 9).unwrap();
        assert_eq!(claims(&copy), claims(&store));
    }
    assert_eq!(exported(&copy).0, bytes, "the same store is the same file");
}

#[test]
fn a_file_appears_whole_or_not_at_all_and_replaces_nothing() {
    let store = filled(&KeyRing::generate().unwrap(), 600, 1);
    let (bytes, moved) = exported(&store);
    let dir = tempfile::tempdir().unwrap();
    let (path, there) = (dir.path().join("export"), || std::fs::read_dir(dir.path()).unwrap().count());
    let stopped = std::panic::catch_unwind(|| export(&store, &path, &mut |_| panic!("stopped")));
    assert!(stopped.is_err() && there() == 0);
    assert_eq!(export(&store, &path, &mut |_| ()).unwrap(), moved);
    assert!(std::fs::read(&path).unwrap() == bytes && there() == 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    for content in [&bytes[..], &bytes[..bytes.len() / 2], b"", b"a letter"] {
        std::fs::write(&path, content).unwrap();
        let refused = export(&store, &path, &mut |_| ()).unwrap_err();
        assert!(matches!(&refused, TransferError::Exists { path: named } if *named == path), "{refused}");
        assert!(std::fs::read(&path).unwrap() == content && there() == 1);
    }
}

#[test]
fn a_token_with_more_claims_than_a_line_holds_is_named() {
    let keys = KeyRing::generate().unwrap();
    let store = filled(&keys, 1, 0);
    let (many, long) = (MAX_LINE / 128 + 1, [0xa5; 60]);
    let claim = |number: usize| ClaimId::new([&number.to_be_bytes()[4..], &long[..]].concat()).unwrap();
    let limit = u64::try_from(many).unwrap();
    let grant = GrantId::draw().unwrap();
    let held = |uses_left| Held { uses_left, grant, spent: USE };
    let claims: Vec<_> = (0..many).map(claim).zip((0..limit).rev().map(held)).collect();
    let record = all(&store).0.remove(0);
    let record = Record { id: id(7), uses: limit, use_limit: NonZeroU64::new(limit), ..record };
    assert_eq!(store.restore(&[Item::Token { record, claims }]).unwrap(), 1);
    let refused = export_to(&store, &mut io::sink(), &mut |_| ()).unwrap_err();
    assert!(
        matches!(&refused, TransferError::TooManyClaims { id: named, .. } if *named == id(7)),
        "{refused}"
    );
}

#[test]
fn an_interrupted_import_goes_on_and_overwrites_nothing() {
    let store = filled(&KeyRing::generate().unwrap(), 600, 300);
    let (bytes, _) = exported(&store);
    let copy = MemoryStore::new();
    let stopped = std::panic::catch_unwind(|| {
        import(&copy, &mut Cursor::new(&bytes), Epoch::Same, &mut |_| panic!("stopped"))
    });
    assert!(stopped.is_err());
    assert_eq!(copy.counts().unwrap().records, 256);
    assert!(matches!(copy.spend(&id(3), &claim(2), &USE).unwrap(), Spend::Spent { uses_left: None, .. }));
    let moved = import(&copy, &mut Cursor::new(&bytes), Epoch::Same, &mut |_| ()).unwrap();
    assert_eq!((moved.tokens, moved.kept), (600, 600 + 300 - 256));
    assert_eq!(copy.get(&id(3)).unwrap().unwrap().uses, 1, "what was done since stays");
}

#[test]
fn a_new_epoch_voids_everything_older() {
    let keys = KeyRing::generate().unwrap();
    let (bytes, _) = exported(&filled(&keys, 10, 300));
    let (copy, moved) = imported(&bytes, Epoch::New(&keys));
    assert_eq!((moved.tokens, moved.generations, moved.kept), (10, 300, 310));
    let (records, generations) = all(&copy);
    assert!(records.len() == 10 && records.iter().all(|record| record.is_revoked()));
    assert!(generations.len() == 300 && generations.iter().all(|(_, generation)| generation.number == 2));
    let distinct: BTreeSet<_> = generations
        .iter()
        .map(|(subject, generation)| {
            let owner = Owner::Generation { subject, number: 2 };
            *keys.open(&generation.root_key, owner).unwrap().expose()
        })
        .collect();
    assert!(distinct.len() == 300 && !distinct.contains(&[7; 32]));
    for number in 0..10 {
        assert_eq!(copy.spend(&id(number), &claim(9), &USE).unwrap(), Spend::Revoked);
    }
    let again = copy.spend(&id(1), &claim(1), &USE).unwrap();
    assert!(matches!(again, Spend::Spent { uses_left: Some(0), repeated: true, .. }));
}

#[test]
fn a_new_epoch_voids_also_what_came_in_before_and_for_good() {
    let keys = KeyRing::generate().unwrap();
    let (bytes, _) = exported(&filled(&keys, 10, 3));
    let (copy, _) = imported(&bytes, Epoch::Same);
    let again = |epoch| import(&copy, &mut Cursor::new(&bytes), epoch, &mut |_| ()).unwrap().kept;
    assert_eq!((again(Epoch::Same), again(Epoch::New(&keys))), (0, 9 + 3), "one was revoked for good");
    let revoked = all(&copy);
    assert!(revoked.0.len() == 10 && revoked.0.iter().all(|record| record.is_revoked()));
    assert!((0..10).all(|number| copy.reinstate(&id(number)).unwrap() == Reinstate::ForGood));
    let kept = copy.get(&id(5)).unwrap().unwrap().revocation;
    assert_eq!(kept, Some(Revocation { reversible: false, ..revocation(5) }), "who revoked it is kept");
    assert!(revoked.1.len() == 3 && revoked.1.iter().all(|(_, generation)| generation.number == 2));
    assert_eq!((again(Epoch::New(&keys)), again(Epoch::Same)), (0, 0));
    assert_eq!(all(&copy), revoked, "nothing comes back");
    assert!(copy.check(Some(&keys)).unwrap().is_sound());
}

#[test]
fn what_was_revoked_before_a_time_is_revoked_where_it_goes() {
    let keys = KeyRing::generate().unwrap();
    let store = filled(&keys, 3, 1);
    let time = UnixTime::from_secs(1_400_000_000);
    assert_eq!(store.revoke_before(time).unwrap(), time);
    let (bytes, _) = exported(&store);
    for epoch in [Epoch::Same, Epoch::New(&keys)] {
        let (copy, _) = imported(&bytes, epoch);
        let created = UnixTime::from_secs(1_399_999_999);
        let late = Record { id: id(9), created, ..all(&store).0.remove(1) };
        assert_eq!(copy.insert(&late).unwrap(), Insert::Inserted);
        assert_eq!(copy.spend(&id(9), &claim(9), &USE).unwrap(), Spend::Revoked, "{epoch:?}");
        assert_eq!(exported(&imported(&bytes, Epoch::Same).0).0, bytes);
    }
}

#[test]
fn what_is_damaged_is_named_and_left_out() {
    let keys = KeyRing::generate().unwrap();
    let store = filled(&keys, 3, 3);
    let subject = Entity { kind: "user".into(), id: "u1".into() };
    let (before, _) = exported(&store);
    store.0.damage(&crate::embedded::layout::generation(&subject));
    // A token that contradicts itself is not exported either.
    let spent = Record { uses: 9, use_limit: NonZeroU64::new(1), id: id(9), ..all(&store).0.remove(0) };
    assert_eq!(store.restore(&[Item::Token { record: spent, claims: Vec::new() }]).unwrap(), 1);
    let (bytes, moved) = exported(&store);
    assert_eq!((moved.tokens, moved.generations, moved.damaged), (3, 2, 2));
    let (copy, moved) = imported(&bytes, Epoch::Same);
    assert_eq!((moved.damaged, all(&copy).1.len()), (2, 2));
    assert!(copy.check(Some(&keys)).unwrap().is_sound());

    let (copy, _) = imported(&before, Epoch::Same);
    import(&copy, &mut Cursor::new(&bytes), Epoch::New(&keys), &mut |_| ()).unwrap();
    let numbers = all(&copy).1.into_iter().map(|(_, generation)| generation.number);
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [2; 3],
        "what a new epoch revokes is not kept for its being damaged"
    );
}

/// The lines and the checksum are sound.
#[test]
fn what_contradicts_itself_is_refused_and_nothing_is_kept() {
    let (_, export) = GOLDEN.split_once('\n').unwrap();
    let (lines, _) = export.rsplit_once("{\"end\"").unwrap();
    for (from, to) in [
        ("\"uses\":1,", "\"uses\":301,"),
        ("\"uses\":1,", "\"uses\":0,"),
        ("299,", "300,"),
        ("\"0102030405060708\"", "\"01020304050607\""),
        (",\"0102030405060708\"", ""),
        ("\"use_limit\":300", "\"use_limit\":null"),
        ("\"claims\":[[", "\"claims\":[[\"ff\",0,\"0102030405060708\"],["),
        ("\"name\":null", &format!("\"name\":\"{}\"", "x".repeat(25_000))),
        ("\"id\":\"s1\"", &format!("\"id\":\"{}\"", "x".repeat(2_000))),
        ("\"number\":3", "\"number\":0"),
        ("\"number\":3", "\"number\":18446744073709551615"),
        ("\"id\":\"66", "\"id\":\"6"),
        // A member that is missing, unknown, or there twice.
        ("\"uses\":1,", ""),
        ("\"uses\":1,", "\"uses\":1,\"used\":1,"),
        ("\"uses\":1,", "\"uses\":1,\"uses\":1,"),
        ("\"id\":\"66", "\"id\":\"67\",\"id\":\"66"),
        ("\"key_id\":1", "\"key_id\":1,\"key\":1"),
        ("\"number\":3", "\"number\":3,\"count\":3"),
        ("\"number\":3", "\"number\":3,\"number\":3"),
    ] {
        assert!(lines.contains(from), "{from}");
        let mut text = String::new();
        for line in lines.replacen(from, to, 1).lines() {
            match line.split_once("\"sha256\":\"") {
                None => text.push_str(line),
                Some((line, _)) => {
                    let hash = hex::text(digest::digest(&SHA256, text.as_bytes()).as_ref());
                    text.push_str(&format!("{line}\"sha256\":\"{hash}\"}}}}"));
                }
            }
            text.push('\n');
        }
        let sha256 = hex::text(digest::digest(&SHA256, text.as_bytes()).as_ref());
        text.push_str(&format!("{{\"end\":{{\"tokens\":2,\"generations\":1,\"sha256\":\"{sha256}\"}}}}\n"));
        let store = MemoryStore::new();
        let refused = import(&store, &mut Cursor::new(&text), Epoch::Same, &mut |_| ()).unwrap_err();
        assert!(matches!(refused, TransferError::Line { .. }), "{to}: {refused}");
        assert_eq!(store.counts().unwrap(), crate::Counts::default(), "{to}");
    }
}

/// A file that begins with these bytes and continues for ever without a line feed.
struct Endless(Cursor<&'static [u8]>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => {
                buffer.fill(b'x');
                Ok(buffer.len())
            }
            len => Ok(len),
        }
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let refused = |begin| verify_export(&mut Endless(Cursor::new(begin))).unwrap_err();
    assert!(matches!(refused(b""), TransferError::NotAnExport));
    let line = refused(document::HEADER);
    assert!(
        matches!(&line, TransferError::Line { line: 2, source } if source.to_string().contains(&MAX_LINE.to_string())),
        "{line}"
    );
}

#[test]
fn what_is_not_whole_is_refused_and_nothing_of_it_is_kept() {
    let (bytes, _) = exported(&filled(&KeyRing::generate().unwrap(), 2, 1));
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
    let none = text.replacen("\"onetoken_export\":1", "\"onetoken_export\":0", 1);
    assert!(matches!(refused(none.as_bytes()), TransferError::NotAnExport));
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
    assert_eq!(String::from_utf8(exported(&copy).0).unwrap(), export, "and written as it was");
}
