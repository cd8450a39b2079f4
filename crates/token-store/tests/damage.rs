//! Stores that were damaged at rest: the right answer or a typed error, never a wrong one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test: a panic is how it fails"
)]

use std::{
    fs,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use token_core::{RootKey, UnixTime};
use token_store::{
    ClaimId, Entity, Filter, Insert, KeyRing, OpenError, Record, RedbStore, Revoke, SledStore, Spend,
    StoreError, Terms, TokenId, TokenStore,
};

const RECORDS: u8 = 60;
const FLIPS: usize = 60;

type Make = fn(&Path) -> Result<Box<dyn TokenStore>, StoreError>;

#[derive(Clone, Copy)]
struct Backend {
    create: Make,
    open: Make,
}

const REDB: Backend = Backend {
    create: |path| RedbStore::create(path).map(|store| Box::new(store) as _),
    open: |path| RedbStore::open(path).map(|store| Box::new(store) as _),
};

const SLED: Backend = Backend {
    create: |path| SledStore::create(path).map(|store| Box::new(store) as _),
    open: |path| SledStore::open(path).map(|store| Box::new(store) as _),
};

fn id(number: u8) -> TokenId {
    TokenId::new([b'i', number]).unwrap()
}

fn claim() -> ClaimId {
    ClaimId::new(*b"claim").unwrap()
}

fn issuer() -> Entity {
    Entity { kind: "user".into(), id: "u1".into() }
}

fn record(keys: &KeyRing, number: u8) -> Record {
    let terms = Terms {
        id: &id(number),
        purpose: token_core::Purpose::SpaceSupport,
        resource: None,
        issuer: &issuer(),
        created: UnixTime::from_secs(1_500_000_000),
        expires: Some(UnixTime::from_secs(1_600_000_000)),
        use_limit: NonZeroU64::new(2),
    };
    let record = Record::new(terms, &RootKey::from_derived([number; 32]), keys).unwrap();
    Record { name: Some(format!("number {number}")), ..record }
}

/// Fills a store: a third of the tokens is fresh, a third spent once, and a third spent and revoked.
fn fill(store: &dyn TokenStore, keys: &KeyRing) -> Vec<Record> {
    (0..RECORDS)
        .map(|number| {
            let mut record = record(keys, number);
            assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
            if number % 3 > 0 {
                let first = store.spend(&record.id, &claim()).unwrap();
                assert!(matches!(first, Spend::Spent { uses_left: Some(1), repeated: false, .. }));
                record.uses = 1;
            }
            if number % 3 > 1 {
                assert_eq!(store.revoke(&record.id).unwrap(), Revoke::Revoked);
                record.revoked = true;
            }
            record
        })
        .collect()
}

#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    partly: usize,
    unharmed: usize,
}

/// Makes every call on a damaged store. Each answer must be true.
fn question(open: Make, path: &Path, keys: &KeyRing, records: &[Record], outcomes: &mut Outcomes) {
    let store = match open(path) {
        Ok(store) => store,
        Err(error) => {
            typed(&error);
            outcomes.refused += 1;
            return;
        }
    };
    let (mut errors, mut damaged) = (0, 0);
    let mut note = |error: StoreError| {
        typed(&error);
        errors += 1;
    };
    for (number, record) in (0..).zip(records) {
        match store.get(&record.id) {
            Ok(found) => {
                assert_eq!(found.as_ref(), Some(record));
                let opened = keys.open(&found.unwrap().root_key, record.owner()).unwrap();
                assert_eq!(opened.expose(), &[number; 32]);
            }
            Err(error) => note(error),
        }
        if record.uses == 1 {
            match store.spend(&record.id, &claim()) {
                Ok(answer) => {
                    assert!(matches!(answer, Spend::Spent { uses_left: Some(1), repeated: true, .. }));
                }
                Err(error) => note(error),
            }
        }
    }
    for filter in [Filter::All, Filter::Issuer(issuer()), Filter::ExpiresBefore(UnixTime::MAX)] {
        match store.list(&filter, None, usize::MAX) {
            // No record is another, and none is missing unnoticed. An id may be damaged too.
            Ok(page) => {
                let mut rest = records.iter();
                assert!(page.records.iter().all(|record| rest.any(|known| known == record)));
                assert!(page.records.len() + page.damaged.len() >= records.len());
                damaged += page.damaged.len();
            }
            Err(error) => note(error),
        }
    }
    match errors + damaged {
        0 => outcomes.unharmed += 1,
        _ => outcomes.partly += 1,
    }
}

fn typed(error: &StoreError) {
    assert!(
        matches!(
            error,
            StoreError::Corrupt { .. }
                | StoreError::NotFound { .. } // of a marker that is cut short
                | StoreError::NotAStore { .. }
                | StoreError::NewerVersion { .. }
                | StoreError::Unknown(_)
                | StoreError::Poisoned
        ),
        "{error:?}"
    );
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect();
    files.sort();
    files
}

/// Returns every byte that is not zero, by file and position: zero bytes are mostly never read.
fn targets(path: &Path) -> Vec<(PathBuf, usize)> {
    files(path)
        .into_iter()
        .flat_map(|file| {
            let bytes = fs::read(&file).unwrap();
            let at: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            at.into_iter().map(move |at| (file.clone(), at))
        })
        .collect()
}

/// A change to the bytes of a file.
type Harm = Box<dyn Fn(&mut Vec<u8>)>;

/// Does each harm to a copy of a store, and questions the copy.
fn damage(
    backend: Backend,
    reopened: bool,
    harms: impl Fn(&[(PathBuf, usize)]) -> Vec<(PathBuf, Harm)>,
) -> Outcomes {
    let dir = tempfile::tempdir().unwrap();
    let (whole, damaged) = (dir.path().join("whole"), dir.path().join("damaged"));
    let keys = KeyRing::generate().unwrap();
    let records = fill(&*(backend.create)(&whole).unwrap(), &keys);
    if reopened {
        drop((backend.open)(&whole).unwrap());
    }

    let mut outcomes = Outcomes::default();
    copy(&whole, &damaged);
    question(backend.open, &damaged, &keys, &records, &mut outcomes);
    assert_eq!(outcomes.unharmed, 1, "an undamaged copy answers everything");
    remove(&damaged);
    for (file, harm) in harms(&targets(&whole)) {
        copy(&whole, &damaged);
        let target = match file.strip_prefix(&whole).unwrap() {
            rest if rest == Path::new("") => damaged.clone(),
            rest => damaged.join(rest),
        };
        let mut bytes = fs::read(&target).unwrap();
        harm(&mut bytes);
        fs::write(&target, bytes).unwrap();
        question(backend.open, &damaged, &keys, &records, &mut outcomes);
        remove(&damaged);
    }
    outcomes
}

fn flip(at: usize, bit: usize) -> Harm {
    Box::new(move |bytes| bytes[at] ^= 1 << bit)
}

/// Flips one bit at a time, evenly spread over all bytes that are not zero.
fn flips(targets: &[(PathBuf, usize)]) -> Vec<(PathBuf, Harm)> {
    (0..FLIPS)
        .map(|number| {
            let (file, at) = &targets[targets.len() * number / FLIPS];
            (file.clone(), flip(*at, number % 8))
        })
        .collect()
}

/// Cuts every file at ten places, and zeroes ten of its pages.
fn cuts_and_zeros(targets: &[(PathBuf, usize)]) -> Vec<(PathBuf, Harm)> {
    let mut files: Vec<&PathBuf> = targets.iter().map(|(file, _)| file).collect();
    files.dedup();
    let mut harms: Vec<(PathBuf, Harm)> = Vec::new();
    for file in files {
        for tenth in 0..10 {
            harms.push((file.clone(), Box::new(move |bytes| bytes.truncate(bytes.len() * tenth / 10))));
            harms.push((
                file.clone(),
                Box::new(move |bytes| {
                    let from = bytes.len() * tenth / 10 / 4096 * 4096;
                    bytes.iter_mut().skip(from).take(4096).for_each(|byte| *byte = 0);
                }),
            ));
        }
    }
    harms
}

#[test]
fn flipped_bits_in_redb() {
    let outcomes = damage(REDB, false, flips);
    assert!(outcomes.refused > 0, "{outcomes:?}");
}

#[test]
fn a_flipped_bit_in_each_byte_of_the_header_of_redb() {
    let outcomes = damage(REDB, false, |targets| {
        let header = targets.iter().filter(|(_, at)| *at < 320);
        header.map(|(file, at)| (file.clone(), flip(*at, at % 8))).collect()
    });
    assert!(outcomes.refused > 0, "{outcomes:?}");
}

#[test]
fn cut_and_zeroed_redb() {
    let outcomes = damage(REDB, false, cuts_and_zeros);
    assert!(outcomes.refused > 0, "{outcomes:?}");
}

// A store that was closed after writing ends in a log; one that was opened since ends in a snapshot.
#[test]
fn flipped_bits_in_sled() {
    for reopened in [false, true] {
        let outcomes = damage(SLED, reopened, flips);
        assert!(outcomes.refused > 0, "{outcomes:?}");
    }
}

#[test]
fn cut_and_zeroed_sled() {
    for reopened in [false, true] {
        let outcomes = damage(SLED, reopened, cuts_and_zeros);
        assert!(outcomes.refused > 0, "{outcomes:?}");
    }
}

#[test]
fn a_sealed_key_of_another_record_does_not_open() {
    let keys = KeyRing::generate().unwrap();
    for backend in [REDB, SLED] {
        let dir = tempfile::tempdir().unwrap();
        let store = (backend.create)(&dir.path().join("store")).unwrap();
        let [a, b] = [record(&keys, 1), record(&keys, 2)];
        let swapped = Record { root_key: a.root_key.clone(), ..b };
        assert_eq!(store.insert(&swapped).unwrap(), Insert::Inserted);
        let kept = store.get(&swapped.id).unwrap().unwrap();
        assert_eq!(keys.open(&kept.root_key, kept.owner()).unwrap_err(), OpenError::Forged);
        assert!(keys.open(&kept.root_key, a.owner()).is_ok());
    }
}
