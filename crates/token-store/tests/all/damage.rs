//! Stores that were damaged at rest: the right answer or a typed error, never a wrong one.

use std::{
    fs,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use token_core::UnixTime;
use token_store::{Filter, Insert, KeyError, KeyRing, Record, Revoke, Spend, StoreError, Terms, TokenStore};
use token_test::{
    files::{content, copy},
    records::{self, FOR_GOOD, USE, claim, id, root_key, terms, user},
    stores::{Backend, EMBEDDED, REDB, SLED},
};

const RECORDS: u8 = 60;
const FLIPS: usize = 60;

fn record(keys: &KeyRing, number: u8) -> Record {
    // In the order of their numbers.
    let id = id(format!("{number:02}"));
    let expires = Some(UnixTime::from_secs(1_600_000_000));
    let record = records::record(keys, Terms { expires, use_limit: NonZeroU64::new(2), ..terms(&id) });
    Record { name: Some(format!("number {number}")), ..record }
}

/// Fills a store: a third of the tokens is fresh, a third spent once, and a third spent and revoked.
fn fill(store: &dyn TokenStore, keys: &KeyRing) -> Vec<Record> {
    (0..RECORDS)
        .map(|number| {
            let mut record = record(keys, number);
            assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
            if number % 3 > 0 {
                let first = store.spend(&record.id, &claim("claim"), &USE).unwrap();
                assert!(matches!(first, Spend::Spent { uses_left: Some(1), repeated: false, .. }));
                (record.uses, record.last_use) = (1, Some(UnixTime::from_secs(1)));
            }
            if number % 3 > 1 {
                assert_eq!(store.revoke(&record.id, &FOR_GOOD).unwrap(), Revoke::Revoked);
                record.revocation = Some(FOR_GOOD);
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
fn question(backend: Backend, path: &Path, keys: &KeyRing, records: &[Record], outcomes: &mut Outcomes) {
    let store = match (backend.open)(path) {
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
    for record in records {
        match store.get(&record.id) {
            Ok(found) => {
                assert_eq!(found.as_ref(), Some(record));
                let opened = keys.open(&found.unwrap().root_key, record.owner()).unwrap();
                assert_eq!(opened.expose(), root_key(&record.id).expose());
            }
            Err(error) => note(error),
        }
        if record.uses == 1 {
            match store.spend(&record.id, &claim("claim"), &USE) {
                Ok(answer) => {
                    assert!(matches!(answer, Spend::Spent { uses_left: Some(1), repeated: true, .. }));
                }
                Err(error) => note(error),
            }
        }
    }
    for filter in [Filter::All, Filter::Issuer(user().clone()), Filter::ExpiresBefore(UnixTime::MAX)] {
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

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

/// Returns every byte that is not zero, by file and position: zero bytes are mostly never read.
fn targets(path: &Path) -> Vec<(PathBuf, usize)> {
    let files = content(path).into_iter().filter_map(|(file, bytes)| Some((file, bytes?)));
    files
        .flat_map(|(file, bytes)| {
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
    question(backend, &damaged, &keys, &records, &mut outcomes);
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
        question(backend, &damaged, &keys, &records, &mut outcomes);
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
    for backend in EMBEDDED {
        let dir = tempfile::tempdir().unwrap();
        let store = (backend.create)(&dir.path().join("store")).unwrap();
        let [a, b] = [record(&keys, 1), record(&keys, 2)];
        let swapped = Record { root_key: a.root_key.clone(), ..b };
        assert_eq!(store.insert(&swapped).unwrap(), Insert::Inserted);
        let kept = store.get(&swapped.id).unwrap().unwrap();
        assert_eq!(keys.open(&kept.root_key, kept.owner()).unwrap_err(), KeyError::Forged);
        assert!(keys.open(&kept.root_key, a.owner()).is_ok());
    }
}
