//! The stored form: readable for ever, and never wrong when damaged.

use super::*;
use crate::{KeyRing, Owner, engine::memory::Memory};

/// A store of version 1, a key and a value per line, after the line of its key ring.
const GOLDEN: &str = include_str!("../../tests/golden/store-v1.txt");

fn hex(text: &str) -> Vec<u8> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { panic!("half a byte") };
    pairs.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn golden() -> (KeyRing, Vec<Pair>) {
    let mut lines = GOLDEN.lines();
    let keys = KeyRing::from_text(lines.next().unwrap()).unwrap();
    let pair = |line: &str| line.split_once(' ').map(|(key, value)| (hex(key), hex(value))).unwrap();
    (keys, lines.map(pair).collect())
}

fn store(pairs: &[Pair]) -> Kv<Memory> {
    let engine = Memory::default();
    let batch = pairs.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    engine.commit(&batch).unwrap();
    Kv::new(engine)
}

fn pairs(store: &Kv<Memory>) -> Vec<Pair> {
    store.engine.view().unwrap().scan(&[], &[0xff], usize::MAX).unwrap()
}

fn full() -> TokenId {
    TokenId::new(*b"full\0\xff").unwrap()
}

fn plain() -> TokenId {
    TokenId::new(*b"plain").unwrap()
}

fn claim() -> ClaimId {
    ClaimId::new(*b"claim").unwrap()
}

fn repeated() -> ClaimId {
    ClaimId::new(*b"repeated").unwrap()
}

fn user() -> Entity {
    Entity { kind: "user".into(), id: "u\u{e9}".into() }
}

fn space() -> Entity {
    Entity { kind: "space".into(), id: "s1".into() }
}

#[test]
fn a_store_of_version_1_is_read() {
    let (keys, pairs) = golden();
    layout::check_format(&pairs[0].1).unwrap();
    let store = store(&pairs);

    let record = store.get(&full()).unwrap().unwrap();
    assert_eq!(keys.open(&record.root_key, Owner::Token(&full())).unwrap().expose(), &[7; 32]);
    assert_eq!(
        record,
        Record {
            id: full(),
            kind: "space-support".into(),
            resource: Some(space()),
            issuer: user(),
            root_key: record.root_key.clone(),
            created: UnixTime::from_secs(1_500_000_000),
            expires: Some(UnixTime::from_secs(1_600_000_000)),
            use_limit: std::num::NonZeroU64::new(300),
            uses: 2,
            revoked: false,
            name: Some("a name".into()),
        }
    );
    let record = store.get(&plain()).unwrap().unwrap();
    assert_eq!(keys.open(&record.root_key, Owner::Token(&plain())).unwrap().expose(), &[8; 32]);
    assert_eq!(
        record,
        Record {
            id: plain(),
            kind: String::new(),
            resource: None,
            issuer: user(),
            root_key: record.root_key.clone(),
            created: UnixTime::from_secs(0),
            expires: None,
            use_limit: None,
            uses: u64::MAX,
            revoked: true,
            name: None,
        }
    );
    let generation = store.generation(&user()).unwrap().unwrap();
    let (subject, number) = (&user(), generation.number);
    assert_eq!(number, 3);
    let opened = keys.open(&generation.root_key, Owner::Generation { subject, number }).unwrap();
    assert_eq!(opened.expose(), &[9; 32]);

    assert_eq!(store.refund(&full(), &repeated()).unwrap(), Refund::Kept);
    for (claim, left) in [(claim(), 299), (repeated(), 298)] {
        let again = Redeem::Redeemed { uses_left: Some(left), repeated: true };
        assert_eq!(store.redeem(&full(), &claim).unwrap(), again);
    }
    for (filter, expected) in [
        (Filter::All, vec![full(), plain()]),
        (Filter::Issuer(user()), vec![full(), plain()]),
        (Filter::Resource(space()), vec![full()]),
        (Filter::ExpiresBefore(UnixTime::MAX), vec![full()]),
    ] {
        let page = store.list(&filter, None, 10).unwrap();
        assert_eq!(page.records.into_iter().map(|record| record.id).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_is_written_is_of_version_1() {
    let (_, golden) = golden();
    let old = store(&golden);
    let new = store(&golden[..1]);
    let full_record = old.get(&full()).unwrap().unwrap();
    assert_eq!(new.insert(&Record { uses: 0, ..full_record.clone() }).unwrap(), Insert::Inserted);
    assert_eq!(new.insert(&old.get(&plain()).unwrap().unwrap()).unwrap(), Insert::Inserted);
    for (claim, left, again) in [(claim(), 299, false), (repeated(), 298, false), (repeated(), 298, true)] {
        let redeemed = Redeem::Redeemed { uses_left: Some(left), repeated: again };
        assert_eq!(new.redeem(&full(), &claim).unwrap(), redeemed);
    }
    let generation = old.generation(&user()).unwrap().unwrap();
    let raised = new.write(|draft| {
        let key = layout::generation(&user());
        let value = codec::encode_generation(&key, &generation)?;
        draft.put(key, value);
        Ok(())
    });
    raised.unwrap();
    assert_eq!(pairs(&new), golden);

    assert_eq!(new.purge(UnixTime::MAX, 10).unwrap(), 1);
    let left: Vec<Pair> =
        golden.into_iter().filter(|(key, _)| !key.windows(4).any(|part| part == b"full")).collect();
    assert_eq!(pairs(&new), left, "a purge leaves nothing behind");
}

/// What the golden store answers; `Err` where it refuses.
fn answers(store: &Kv<Memory>) -> Vec<Result<String, StoreError>> {
    let tell = |filter| store.list(&filter, None, 10).map(|page| format!("{page:?}"));
    vec![
        store.get(&full()).map(|record| format!("{record:?}")),
        store.get(&plain()).map(|record| format!("{record:?}")),
        store.generation(&user()).map(|generation| format!("{generation:?}")),
        store.redeem(&full(), &claim()).map(|redeem| format!("{redeem:?}")),
        store.claimed(&full(), &repeated()).map(|claimed| format!("{claimed:?}")),
        tell(Filter::All),
        tell(Filter::Issuer(user())),
        tell(Filter::Resource(space())),
        tell(Filter::ExpiresBefore(UnixTime::MAX)),
    ]
}

#[test]
fn no_flipped_bit_and_no_cut_gives_a_wrong_answer() {
    let (_, golden) = golden();
    let right: Vec<String> = answers(&store(&golden)).into_iter().map(Result::unwrap).collect();
    let mut refused = 0;
    let mut check = |pairs: &[Pair]| {
        let before = refused;
        for (answer, right) in answers(&store(pairs)).into_iter().zip(&right) {
            match answer {
                Ok(answer) => assert_eq!(answer, *right),
                Err(StoreError::Corrupt { .. } | StoreError::NewerVersion { .. }) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(refused > before, "the damage was noticed by somebody");
    };
    for at in 1..golden.len() {
        let mut damaged = golden.clone();
        for bit in 0..golden[at].1.len() * 8 {
            damaged[at].1[bit / 8] ^= 1 << (bit % 8);
            check(&damaged);
            damaged[at].1[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..golden[at].1.len() {
            damaged[at].1.truncate(len);
            check(&damaged);
            damaged[at].1.clone_from(&golden[at].1);
        }
        // A sound value under the key of another.
        for other in (1..golden.len()).filter(|other| *other != at) {
            damaged[at].1.clone_from(&golden[other].1);
            check(&damaged);
        }
    }
}

#[test]
fn a_newer_value_is_told_from_a_damaged_one() {
    let key = layout::record(&plain());
    let mut value = vec![2, 0];
    value.extend(codec::check(&[&key, &value]));
    let store = store(&[(key, value)]);
    assert!(matches!(store.get(&plain()), Err(StoreError::NewerVersion { found: 2, known: 1 })));
}

#[test]
fn bytes_left_over_are_refused() {
    let (_, mut golden) = golden();
    for (key, value) in &mut golden[1..] {
        value.truncate(value.len() - 8);
        value.push(0);
        let check = codec::check(&[key, value]);
        value.extend(check);
    }
    let answers = answers(&store(&golden));
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Corrupt { .. }))), "{answers:?}");
}
