//! The stored form: readable for ever, and never misread when damaged.

use token_core::Purpose;

use super::*;
use crate::{
    CheckReport, Fault, KeyRing, Owner, Terms,
    embedded::engine::{Pair, memory::Memory},
};

mod damage;

/// A store of version 1: the line of its key ring, then a key and a value per line.
const GOLDEN: &str = include_str!("../../../tests/golden/store-v1.txt");

/// When the golden record was last spent.
const LAST_USE: UnixTime = UnixTime::from_secs(1_500_000_009);

const USE: Use = Use::anonymous(UnixTime::from_secs(1));

const FOR_GOOD: Revocation = Revocation::for_good(UnixTime::from_secs(1));

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
    engine.commit(batch).unwrap();
    Kv::new(engine)
}

impl Kv<Memory> {
    /// Alters the value under a key.
    pub(crate) fn damage(&self, key: &[u8]) {
        let mut value = self.engine.get().unwrap().view().unwrap().get(key).unwrap().unwrap().into_owned();
        value[1] ^= 1;
        self.engine
            .get()
            .unwrap()
            .commit(crate::embedded::engine::Batch::from([(key.to_vec(), Some(value))]))
            .unwrap();
    }
}

fn pairs(store: &Kv<Memory>) -> Vec<Pair> {
    store.engine.get().unwrap().view().unwrap().scan(&[], &[0xff], usize::MAX).unwrap()
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

/// Returns the grant of `claim`.
fn grant() -> GrantId {
    GrantId::from_bytes([1, 2, 3, 4, 5, 6, 7, 8])
}

/// Returns the grant of `repeated`.
fn repeated_grant() -> GrantId {
    GrantId::from_bytes([11, 12, 13, 14, 15, 16, 17, 18])
}

fn user() -> Entity {
    Entity { kind: "user".into(), id: "u\u{e9}".into() }
}

fn space() -> Entity {
    Entity { kind: "space".into(), id: "s1".into() }
}

/// Returns the events of the golden store.
fn logged() -> Vec<Event> {
    vec![
        Event::Revoked(plain()),
        Event::Reinstated(plain()),
        Event::Deleted(TokenId::new(*b"gone").unwrap()),
        Event::RevokedBefore(UnixTime::from_secs(1_300_000_000)),
        Event::GenerationRaised(user(), 3),
        Event::GenerationDeleted(space()),
    ]
}

/// Returns the cursor to the first event of a store.
fn start() -> Cursor {
    store(&[]).events(None, 0).unwrap().next
}

#[test]
fn a_store_of_version_1_is_read() {
    let (keys, pairs) = golden();
    layout::require_format(Some(&pairs[0].1)).unwrap();
    let store = store(&pairs);

    let record = store.get(&full()).unwrap().unwrap();
    assert_eq!(keys.open(&record.root_key, record.owner()).unwrap().expose(), &[7; 32]);
    assert_eq!(
        record,
        Record {
            id: full(),
            purpose: Purpose::SpaceSupport,
            resource: Some(space()),
            issuer: user(),
            root_key: record.root_key.clone(),
            created: UnixTime::from_secs(1_500_000_000),
            expires: Some(UnixTime::from_secs(1_600_000_000)),
            use_limit: std::num::NonZeroU64::new(300),
            uses: 2,
            last_use: Some(LAST_USE),
            body: b"a body".to_vec(),
            revocation: None,
            name: Some("a name".into()),
            metadata: b"metadata".to_vec(),
        }
    );
    let record = store.get(&plain()).unwrap().unwrap();
    assert_eq!(keys.open(&record.root_key, record.owner()).unwrap().expose(), &[8; 32]);
    assert_eq!(
        record,
        Record {
            id: plain(),
            purpose: Purpose::Access,
            resource: None,
            issuer: user(),
            root_key: record.root_key.clone(),
            created: UnixTime::from_secs(0),
            expires: None,
            use_limit: None,
            uses: u64::MAX,
            last_use: None,
            body: Vec::new(),
            revocation: Some(Revocation {
                at: UnixTime::from_secs(1_400_000_000),
                by: Some(user()),
                reason: "lost".into(),
                reversible: true,
            }),
            name: None,
            metadata: Vec::new(),
        }
    );
    let generation = store.generation(&user()).unwrap().unwrap();
    let (subject, number) = (&user(), generation.number);
    assert_eq!(number, 3);
    let opened = keys.open(&generation.root_key, Owner::Generation { subject, number }).unwrap();
    assert_eq!(opened.expose(), &[9; 32]);

    assert_eq!(store.refund(&full(), &repeated(), repeated_grant()).unwrap(), Refund::Kept);
    for (claim, left, grant) in [(claim(), 299, grant()), (repeated(), 298, repeated_grant())] {
        let again = Spend::Spent { uses_left: Some(left), grant: Some(grant), repeated: true };
        assert_eq!(store.spend(&full(), &claim, &USE).unwrap(), again);
    }
    for (filter, expected) in [
        (Filter::All, vec![full(), plain()]),
        (Filter::Issuer(user()), vec![full(), plain()]),
        (Filter::Resource(space()), vec![full()]),
        (Filter::ExpiresBefore(UnixTime::MAX), vec![full()]),
        (Filter::Name(user(), "a name".into()), vec![full()]),
    ] {
        let page = store.list(&filter, None, 10).unwrap();
        assert_eq!(page.records.into_iter().map(|record| record.id).collect::<Vec<_>>(), expected);
    }
    let consumers = store.claims(&full(), None, 9).unwrap().into_iter().map(|(_, held)| held.spent);
    let by = |consumer| Use { consumer, at: LAST_USE };
    assert_eq!(consumers.collect::<Vec<_>>(), [by(Some(user())), by(None)]);
    assert_eq!(store.events(Some(&start()), 9).unwrap().events, logged());
}

#[test]
fn what_is_written_is_of_version_1() {
    let (_, golden) = golden();
    let old = store(&golden);
    let new = store(&golden[..1]);
    let full_record = old.get(&full()).unwrap().unwrap();
    assert_eq!(
        new.insert(&Record { uses: 0, last_use: None, ..full_record.clone() }).unwrap(),
        Insert::Inserted
    );
    assert_eq!(new.insert(&old.get(&plain()).unwrap().unwrap()).unwrap(), Insert::Inserted);
    for (claim, consumer, left, grant, again) in [
        (claim(), Some(user()), 299, grant(), false),
        (repeated(), None, 298, repeated_grant(), false),
        (repeated(), Some(user()), 298, repeated_grant(), true),
    ] {
        let spent = Spend::Spent { uses_left: Some(left), grant: Some(grant), repeated: again };
        let by = Use { consumer, at: LAST_USE };
        assert_eq!(new.spend_as(&full(), &claim, &by, grant).unwrap(), spent);
    }
    let generation = old.generation(&user()).unwrap().unwrap();
    let raised = new.write(move |draft| {
        draft.put(layout::generation(&user()), generation.to_bytes(&user())?);
        (0..).zip(logged()).try_for_each(|(tag, event)| events::append_as(draft, event, [tag; 8]))
    });
    raised.unwrap();
    assert_eq!(pairs(&new), golden);

    // So late that the record has expired.
    let now = UnixTime::from_secs(1_600_000_000);
    new.write(move |draft| newest::see(draft, now)).unwrap();
    assert_eq!(new.purge(now, 10).unwrap(), 1);
    let kept = |(key, _): &Pair| key != layout::NEWEST && !key.windows(4).any(|part| part == b"full");
    let left = |pairs: Vec<Pair>| -> Vec<Pair> { pairs.into_iter().filter(kept).collect() };
    assert_eq!(pairs(&new).len(), left(pairs(&new)).len() + 1);
    assert_eq!(left(pairs(&new)), left(golden), "a purge leaves nothing behind");
}

/// Returns the answers of the golden store; `Err` where it refuses.
fn answers(store: &Kv<Memory>) -> Vec<Result<String, StoreError>> {
    let tell = |filter| {
        let page = store.list(&filter, None, 10)?;
        for record in &page.records {
            assert_eq!(store.get(&record.id).unwrap().as_ref(), Some(record));
        }
        match page.damaged.is_empty() {
            true => Ok(format!("{page:?}")),
            false => Err(StoreError::Corrupt { what: "those that are named" }),
        }
    };
    vec![
        store.get(&full()).map(|record| format!("{record:?}")),
        store.get(&plain()).map(|record| format!("{record:?}")),
        store.generation(&user()).map(|generation| format!("{generation:?}")),
        store.spend(&full(), &claim(), &USE).map(|spend| format!("{spend:?}")),
        store.claimed(&full(), &repeated()).map(|claimed| format!("{claimed:?}")),
        tell(Filter::All),
        tell(Filter::Issuer(user())),
        tell(Filter::Resource(space())),
        tell(Filter::ExpiresBefore(UnixTime::MAX)),
        tell(Filter::Name(user(), "a name".into())),
        store.events(Some(&start()), 10).and_then(|found| match found.missed {
            true => Err(StoreError::Corrupt { what: "those that were missed" }),
            false => Ok(format!("{found:?}")),
        }),
        store.purge(UnixTime::from_secs(1), 0).map(|purged| format!("{purged}")),
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
        // A sound value under another key.
        for other in (1..golden.len()).filter(|other| golden[*other].1 != golden[at].1) {
            damaged[at].1.clone_from(&golden[other].1);
            check(&damaged);
        }
    }
}

#[test]
fn a_newer_value_is_told_from_a_damaged_one() {
    let key = layout::record(&plain());
    let read = |version| {
        let mut value = vec![version, 0];
        value.extend(codec::check(&[&key, &value]));
        store(&[(key.clone(), value)]).get(&plain())
    };
    assert!(matches!(read(2), Err(StoreError::NewerVersion { found: 2, known: 1 })));
    assert!(matches!(read(0), Err(StoreError::Corrupt { .. })));
}

#[test]
fn bytes_left_over_are_refused() {
    let (_, mut golden) = golden();
    for (key, value) in golden[1..].iter_mut().filter(|(_, value)| !value.is_empty()) {
        value.truncate(value.len() - 8);
        value.push(0);
        let check = codec::check(&[key, value]);
        value.extend(check);
    }
    let answers = answers(&store(&golden));
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Corrupt { .. }))), "{answers:?}");
}

/// Returns the golden store with a spent record, and the key ring.
fn spent() -> (KeyRing, Vec<Pair>) {
    let (keys, golden) = golden();
    let store = store(&golden);
    let mut spent = Record {
        id: TokenId::new(*b"spent").unwrap(),
        use_limit: std::num::NonZeroU64::new(1),
        name: Some("another name".into()),
        ..store.get(&full()).unwrap().unwrap()
    };
    spent.root_key = keys.seal(&token_core::RootKey::from_derived([1; 32]), spent.owner()).unwrap();
    let record = Record { uses: 0, ..spent.clone() };
    assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
    assert!(matches!(store.spend(&spent.id, &claim(), &USE).unwrap(), Spend::Spent { repeated: false, .. }));
    (keys, pairs(&store))
}

#[test]
fn a_golden_store_is_sound() {
    let (keys, golden) = golden();
    let report = store(&golden).check(Some(&keys)).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.records, report.claims, report.entries, report.generations), (2, 2, 11, 1));
    assert_eq!(report.opened, 3);

    let (keys, spent) = spent();
    assert!(store(&spent).check(Some(&keys)).unwrap().is_sound());
}

#[test]
fn a_check_finds_missing_values() {
    let (_, whole) = spent();
    for at in 1..whole.len() {
        let mut lacking = whole.clone();
        let (key, _) = lacking.remove(at);
        let faults = store(&lacking).check(None).unwrap().faults;
        // No other value refers to these, so that a check does not notice their absence: a claim, which may have
        // been refunded, a generation, an event, which may have been removed, and the newest time.
        let is_claim = layout::claim_of(&key).is_some();
        let silent = is_claim || matches!(key[0], 6 | 10) || key == layout::NEWEST;
        assert_eq!(faults.is_empty(), silent, "{key:?}: {faults:?}");
    }
}

/// The moment between the commit of `revoke_before` and the note of it, when a spend already fails.
#[test]
fn what_is_revoked_on_disk_is_revoked_to_a_reader() {
    let store = store(&golden().1);
    let (key, time) = (layout::REVOKED_BEFORE.to_vec(), UnixTime::MAX);
    let value = codec::encode(&key, &time).unwrap();
    store.revoking.fetch_add(1, Ordering::AcqRel);
    store.engine.get().unwrap().commit(crate::embedded::engine::Batch::from([(key, Some(value))])).unwrap();
    assert_eq!(store.spend(&full(), &ClaimId::new(*b"new").unwrap(), &USE).unwrap(), Spend::Revoked);
    assert!(store.get(&full()).unwrap().unwrap().is_revoked());
    assert!(store.list(&Filter::Issuer(user()), None, 1).unwrap().records[0].is_revoked());
}

#[test]
fn a_check_finds_every_damaged_value() {
    let (_, whole) = spent();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        match damaged[at].1.last_mut() {
            Some(last) => *last ^= 0x80,
            None => damaged[at].1.push(0x80),
        }
        let report = store(&damaged).check(None).unwrap();
        assert!(!report.is_sound(), "{:?}", damaged[at].0);
    }
}

#[test]
fn a_check_finds_every_damaged_index_entry() {
    let (_, whole) = spent();
    let entries: Vec<usize> = (0..whole.len()).filter(|at| whole[*at].1.is_empty()).collect();
    assert_eq!(entries.len(), 10);
    for (at, bit) in entries.iter().flat_map(|at| (8..whole[*at].0.len() * 8).map(move |bit| (*at, bit))) {
        let mut damaged = whole.clone();
        damaged[at].0[bit / 8] ^= 1 << (bit % 8);
        let report = store(&damaged).check(None).unwrap();
        assert!(!report.is_sound(), "{:?}", damaged[at].0);
    }
}

#[test]
fn faults_are_told_apart() {
    let (keys, whole) = spent();
    let checked = |change: &dyn Fn(&Kv<Memory>), keys: Option<&KeyRing>| -> Vec<(Fault, u64)> {
        let store = store(&whole);
        change(&store);
        store.check(keys).unwrap().faults.into_iter().collect()
    };
    let put = |store: &Kv<Memory>, key: Vec<u8>, value: Vec<u8>| {
        store
            .engine
            .get()
            .unwrap()
            .commit(crate::embedded::engine::Batch::from([(key, Some(value))]))
            .unwrap();
    };
    let id = TokenId::new(*b"spent").unwrap();
    let edit = |change: fn(&mut Stored)| {
        let id = &id;
        move |store: &Kv<Memory>| {
            let mut stored = store.read(|view| stored(view, id)).unwrap().unwrap();
            change(&mut stored);
            let key = layout::record(id);
            put(store, key.clone(), stored.to_bytes(&key).unwrap());
        }
    };
    assert_eq!(checked(&|_| (), Some(&keys)), []);
    assert_eq!(checked(&edit(|record| record.uses = 2), None), [(Fault::WrongUses, 1)]);
    let unspent = checked(&edit(|record| record.uses = 0), None);
    assert_eq!(unspent, [(Fault::WrongUses, 1), (Fault::StrayEntry, 1)]);
    let unlimited = checked(&edit(|record| record.use_limit = None), None);
    assert_eq!(unlimited, [(Fault::StrayClaim, 1), (Fault::StrayEntry, 1)]);
    let moved = checked(&edit(|record| record.resource = None), None);
    assert_eq!(moved, [(Fault::StrayEntry, 1)]);
    let renamed = checked(&edit(|record| record.name = Some("a name".into())), None);
    assert_eq!(renamed, [(Fault::MissingEntry, 1), (Fault::StrayEntry, 1)]);
    let forged = edit(|record| record.root_key.nonce[0] ^= 1);
    assert_eq!(checked(&forged, Some(&keys)), [(Fault::Forged, 1)]);
    let renumbered = checked(&edit(|stored| stored.numbers.spent += 1), None);
    assert_eq!(renumbered, [(Fault::MissingEntry, 1), (Fault::StrayEntry, 1)]);
    let moved = checked(&edit(|stored| stored.numbers.bucket += 1), None);
    assert_eq!(moved, [(Fault::MissingEntry, 2), (Fault::StrayEntry, 2)]);
    type Edit = fn(&mut Stored);
    let edits: [Edit; 7] = [
        |record| record.purpose = Purpose::Access,
        |record| record.issuer.id.push('1'),
        |record| record.resource = None,
        |record| record.created = UnixTime::MAX,
        |record| record.expires = None,
        |record| record.use_limit = None,
        |record| record.body.push(1),
    ];
    for change in edits {
        let found = checked(&edit(change), Some(&keys));
        assert!(found.contains(&(Fault::Forged, 1)), "an edited record: {found:?}");
    }
    let unavailable = edit(|record| record.root_key.key_id = 77);
    assert_eq!(checked(&unavailable, Some(&keys)), [(Fault::KeyUnavailable, 1)]);
    assert_eq!(checked(&unavailable, None), []);
    assert_eq!(checked(&|store| put(store, vec![99, 9], vec![]), None), [(Fault::UnknownKey, 1)]);
    let claimed = |store: &Kv<Memory>| {
        let key = layout::claim(&TokenId::new(*b"nobody").unwrap(), &claim());
        let value =
            codec::encode(&key, &Claim::new(Held { uses_left: 0, grant: grant(), spent: USE }, false));
        put(store, key, value.unwrap());
    };
    assert_eq!(checked(&claimed, None), [(Fault::StrayClaim, 1)]);
    let wrong = |store: &Kv<Memory>| {
        let key = layout::claim(&id, &claim());
        let value =
            codec::encode(&key, &Claim::new(Held { uses_left: 1, grant: grant(), spent: USE }, false));
        put(store, key, value.unwrap());
    };
    assert_eq!(checked(&wrong, None), [(Fault::WrongClaim, 1)]);
}

#[test]
fn examples_are_few_and_counts_are_whole() {
    let many: Vec<Pair> =
        (0..1000_u16).map(|number| ([&[99], &number.to_be_bytes()[..]].concat(), vec![])).collect();
    let report = store(&many).check(None).unwrap();
    assert_eq!(report.faults[&Fault::UnknownKey], 1000);
    assert_eq!(report.examples.len(), CheckReport::EXAMPLES);
}

#[test]
fn records_spent_in_one_second_are_purged_in_the_order_of_their_spends() {
    let (golden_keys, _) = golden();
    let store = Kv::new(Memory::default());
    let order = [7, 3, 9, 1, 5];
    for number in order {
        let (id, user) = (TokenId::new([number]).unwrap(), user());
        let terms = Terms { use_limit: std::num::NonZeroU64::new(1), ..Terms::unlimited(&id, &user) };
        let root_key = token_core::RootKey::from_derived([number; 32]);
        let record = Record::new(terms, &root_key, &golden_keys).unwrap();
        assert_eq!(store.insert(&record).unwrap(), Insert::Inserted);
    }
    let id = |number: u8| TokenId::new([number]).unwrap();
    let spend = |number| match store.spend(&id(number), &claim(), &USE).unwrap() {
        Spend::Spent { grant: Some(grant), .. } => grant,
        other => panic!("{other:?}"),
    };
    let grants = order.map(spend);
    // Spent again, the first comes last.
    assert_eq!(store.refund(&id(order[0]), &claim(), grants[0]).unwrap(), Refund::Refunded);
    assert!(store.check(None).unwrap().is_sound());
    spend(order[0]);
    assert!(store.check(None).unwrap().is_sound());
    for number in [3, 9, 1, 5, 7] {
        assert!(store.get(&id(number)).unwrap().is_some());
        let now = UnixTime::from_secs(1_500_000_000);
        assert_eq!(store.purge_spent(now, std::time::Duration::ZERO, 1).unwrap(), 1);
        assert_eq!(store.get(&id(number)).unwrap(), None);
    }
    let index = pairs(&store).into_iter().filter(|(key, _)| key[0] != layout::META);
    assert_eq!(index.count(), 0);
}

fn numbers(ids: impl IntoIterator<Item = TokenId>) -> Vec<u8> {
    ids.into_iter().map(|id| id.as_bytes()[0]).collect()
}

#[test]
fn a_listing_crosses_buckets() {
    let (keys, _) = golden();
    let store = Kv::new(Memory::default());
    let insert = |store: &Kv<Memory>, number: u8| {
        let (id, user, other) = (TokenId::new([number]).unwrap(), user(), Entity::user("other"));
        let space = space();
        let issuer = if number.is_multiple_of(3) { &other } else { &user };
        let terms = Terms { resource: Some(&space), ..Terms::unlimited(&id, issuer) };
        let root_key = token_core::RootKey::from_derived([number; 32]);
        assert_eq!(store.insert(&Record::new(terms, &root_key, &keys).unwrap()).unwrap(), Insert::Inserted);
    };
    // Later buckets have lower ids, and bucket 2 has none of the user.
    for (bucket, numbers) in [(0, [50, 51, 52]), (1, [40, 41, 42]), (2, [30, 33, 36]), (900, [20, 21, 22])] {
        while store.buckets.draw() < bucket {}
        numbers.iter().for_each(|number| insert(&store, *number));
    }
    assert!(store.check(None).unwrap().is_sound());
    let listed = |filter: &Filter, limit| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(filter, after.as_ref(), limit).unwrap();
            assert!(page.records.len() <= limit);
            found.extend(page.records.into_iter().map(|record| record.id));
            after = page.next;
            if after.is_none() {
                return numbers(found);
            }
        }
    };
    let all = [50, 51, 52, 40, 41, 42, 30, 33, 36, 20, 21, 22];
    for limit in 1..=13 {
        assert_eq!(listed(&Filter::Resource(space()), limit), all);
        assert_eq!(listed(&Filter::Issuer(user()), limit), [50, 52, 40, 41, 20, 22]);
        assert_eq!(listed(&Filter::Issuer(Entity::user("other")), limit), [51, 42, 30, 33, 36, 21]);
        assert_eq!(listed(&Filter::Issuer(Entity::user("nobody")), limit), [0_u8; 0]);
    }
    // An opened store goes on in the last bucket.
    let engine = Memory::default();
    engine.commit(pairs(&store).into_iter().map(|(key, value)| (key, Some(value))).collect()).unwrap();
    let store = Kv::open(engine).unwrap();
    insert(&store, 1);
    let stored = store.read(|view| stored(view, &TokenId::new([1]).unwrap())).unwrap().unwrap();
    assert_eq!(stored.numbers.bucket, 900);
    while store.delete_all(&Filter::Issuer(user()), None, 1).unwrap().changed > 0 {}
    assert_eq!(store.counts().unwrap().records, 6);
}
