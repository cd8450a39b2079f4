//! The PostgreSQL backend against a real server.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: a panic is how it fails"
)]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    num::NonZeroU64,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use proptest::{collection::vec, prelude::*, sample::select};
use token_core::{RootKey, UnixTime};
use token_store::{
    Administration, Amend, Amendment, CacheConfig, CachedStore, ClaimId, Delete, Entity, Event, Filter,
    Generation, GrantId, Held, Insert, Item, KeyRing, Raise, Record, Refund, Reinstate, Retry, Revocation,
    Revoke, Spend, StoreError, Terms, TokenId, TokenStore, Use, conformance,
};
use token_store_postgres::{PostgresConfig, PostgresStore};
use token_test::postgres::{self, Raw};

mod events;
mod onezone;
mod session;
mod standby;

fn config(url: &str) -> PostgresConfig {
    url.parse().unwrap()
}

fn store(url: &str) -> PostgresStore {
    PostgresStore::init(&config(url)).unwrap();
    PostgresStore::open(&config(url)).unwrap()
}

/// A store that waits for locks as long as a test may take, with one connection of each kind.
fn patient(url: &str) -> PostgresStore {
    let config = config(url).connections(1, 1).statement_timeout(Duration::from_secs(100));
    PostgresStore::open(&config).unwrap()
}

#[test]
fn the_suite() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    conformance::administration(|| PostgresStore::open(&config(&url)).unwrap());
}

fn id(name: &str) -> TokenId {
    TokenId::new(name).unwrap()
}

fn claim(name: &str) -> ClaimId {
    ClaimId::new(name).unwrap()
}

fn record(name: &str, limit: Option<u64>) -> Record {
    let keys = KeyRing::generate().unwrap();
    let terms = Terms {
        id: &id(name),
        purpose: token_core::Purpose::SpaceSupport,
        resource: None,
        issuer: &Entity { kind: "user".into(), id: "u1".into() },
        created: UnixTime::from_secs(1_500_000_000),
        expires: Some(UnixTime::from_secs(1_600_000_000)),
        use_limit: limit.map(|limit| NonZeroU64::new(limit).unwrap()),
        body: &[],
    };
    Record::new(terms, &RootKey::derive_any(b"key"), &keys).unwrap()
}

fn user() -> Entity {
    Entity { kind: "user".into(), id: "u1".into() }
}

fn generation(number: u64) -> Generation {
    Generation { number, root_key: record("x", None).root_key }
}

fn insert(store: &PostgresStore, record: &Record) {
    assert_eq!(store.insert(record).unwrap(), Insert::Inserted);
}

// As [`plain`].
const fn won(uses_left: u64) -> Spend {
    Spend::Spent { uses_left: Some(uses_left), grant: None, repeated: false }
}

const fn again(uses_left: u64) -> Spend {
    Spend::Spent { uses_left: Some(uses_left), grant: None, repeated: true }
}

/// An answer without its grant, which differs each time.
const fn plain(answer: Spend) -> Spend {
    match answer {
        Spend::Spent { uses_left, repeated, .. } => Spend::Spent { uses_left, grant: None, repeated },
        other => other,
    }
}

/// The time at which the tests spend.
const NOW: UnixTime = UnixTime::from_secs(1_500_000_000);
const USE: Use = Use::anonymous(NOW);
const FOR_GOOD: Revocation = Revocation::for_good(NOW);
const REVERSIBLE: Revocation = Revocation { at: NOW, by: None, reason: String::new(), reversible: true };

/// Bytes as SQL spells them.
fn sql_bytes(bytes: &[u8]) -> String {
    bytes.iter().fold("'\\x".to_owned(), |text, byte| format!("{text}{byte:02x}")) + "'"
}

/// The grant of claims that the tests insert by SQL.
const GRANT: GrantId = GrantId::from_bytes([0, 0, 0, 0, 0, 0, 0, 7]);

/// Waits until a connection to the database waits for a lock.
fn until_blocked(server: &postgres::Server, url: &str) {
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let begun = Instant::now();
    // A connection of its own: within a transaction the server repeats the same view.
    let raw = server.connect(url).unwrap();
    while raw.sql(sql).unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits for a lock");
        thread::yield_now();
    }
}

// Another host changes a token while a statement of ours waits for it. Under READ COMMITTED the statement sees the
// changed token, but the claims as they were before.
#[test]
fn what_others_do_meanwhile_is_seen() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    type Ask = fn(&PostgresStore, &TokenId) -> String;
    let spend_a: Ask = |store, id| format!("{:?}", plain(store.spend(id, &claim("a"), &USE).unwrap()));
    let spend_b: Ask = |store, id| format!("{:?}", plain(store.spend(id, &claim("b"), &USE).unwrap()));
    let refund_a: Ask = |store, id| format!("{:?}", store.refund(id, &claim("a"), GRANT).unwrap());
    let purge: Ask = |store, _| format!("{:?}", store.purge(now(), 10).unwrap());
    let spend = "UPDATE onetoken.tokens SET uses = uses + 1, changes = changes + 1 WHERE id = 'T';
                 INSERT INTO onetoken.claims VALUES ('T', 'a', 0, 7, false, USE);";
    let give_back = "UPDATE onetoken.tokens SET uses = uses - 1, changes = changes + 1 WHERE id = 'T';
                     DELETE FROM onetoken.claims WHERE id = 'T' AND claim = 'a';";
    let anew = "UPDATE onetoken.tokens SET changes = changes + 2 WHERE id = 'T';
                DELETE FROM onetoken.claims WHERE id = 'T';
                INSERT INTO onetoken.claims VALUES ('T', 'a', 0, 8, false, USE);";
    let mark = "UPDATE onetoken.tokens SET changes = changes + 1 WHERE id = 'T';
                UPDATE onetoken.claims SET answered_again = true WHERE id = 'T';";
    let revoke = "UPDATE onetoken.tokens SET revocation = FOR_GOOD, reversible = false, changes = changes + 1
                  WHERE id = 'T';";
    let suspend = revoke.replace("FOR_GOOD, reversible = false", "REVERSIBLE, reversible = true");
    let remove = "DELETE FROM onetoken.claims WHERE id = 'T'; DELETE FROM onetoken.tokens WHERE id = 'T';";
    let revoke_it: Ask = |store, id| format!("{:?}", store.revoke(id, &FOR_GOOD).unwrap());
    let reinstate: Ask = |store, id| format!("{:?}", store.reinstate(id).unwrap());
    let delete: Ask = |store, id| format!("{:?}", store.delete(id).unwrap());
    let cases: [(&str, &str, &str, Ask, String); 18] = [
        ("it is deleted while it is revoked", "", remove, revoke_it, format!("{:?}", Revoke::Absent)),
        ("it is suspended while it is revoked", "", &suspend, revoke_it, format!("{:?}", Revoke::Revoked)),
        (
            "it is revoked while it is reinstated",
            &suspend,
            revoke,
            reinstate,
            format!("{:?}", Reinstate::ForGood),
        ),
        ("it is spent while it is deleted", "", spend, delete, format!("{:?}", Delete::Deleted)),
        ("it is given back while it is deleted", spend, give_back, delete, format!("{:?}", Delete::Deleted)),
        ("it is given back and claimed anew", spend, anew, refund_a, format!("{:?}", Refund::NotClaimed)),
        ("the same claim wins", "", spend, spend_a, format!("{:?}", again(0))),
        ("another claim wins", "", spend, spend_b, format!("{:?}", Spend::Exhausted)),
        ("it is revoked", "", revoke, spend_a, format!("{:?}", Spend::Revoked)),
        ("it is purged", "", remove, spend_a, format!("{:?}", Spend::Absent)),
        ("it is given back, asked under that claim", spend, give_back, spend_a, format!("{:?}", won(0))),
        ("it is purged when spent", spend, remove, spend_a, format!("{:?}", Spend::Absent)),
        ("a second call reports it", spend, mark, refund_a, format!("{:?}", Refund::Kept)),
        ("it is given back already", spend, give_back, refund_a, format!("{:?}", Refund::NotClaimed)),
        ("two calls report it at once", spend, mark, spend_a, format!("{:?}", again(0))),
        ("it is purged while it is given back", spend, remove, refund_a, format!("{:?}", Refund::Absent)),
        ("it is spent while it is purged", "", spend, purge, "1".to_owned()),
        ("it is given back while it is purged", spend, give_back, purge, "1".to_owned()),
    ];
    let raw = server.connect(&url).unwrap();
    for (number, (name, before, meanwhile, ask, expected)) in cases.into_iter().enumerate() {
        let record = record(&format!("{number:02}"), Some(1));
        let sql = |text: &str| {
            text.replace("'T'", &format!("'{number:02}'"))
                .replace("USE", &sql_bytes(&USE.to_bytes().unwrap()))
                .replace("FOR_GOOD", &sql_bytes(&FOR_GOOD.to_bytes().unwrap()))
                .replace("REVERSIBLE", &sql_bytes(&REVERSIBLE.to_bytes().unwrap()))
        };
        for commit in [true, false] {
            insert(&store, &record);
            raw.sql(&sql(before)).unwrap();
            raw.sql(&sql(&format!("BEGIN; {meanwhile}"))).unwrap();
            thread::scope(|scope| {
                let asked = scope.spawn(|| ask(&store, &record.id));
                until_blocked(server, &url);
                raw.sql(if commit { "COMMIT" } else { "ROLLBACK" }).unwrap();
                let answer = asked.join().unwrap();
                if commit {
                    assert_eq!(answer, expected, "{name}");
                }
            });
            assert!(store.check(None).unwrap().is_sound(), "{name}");
            raw.sql(&sql(remove)).unwrap();
        }
    }
}

fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixTime::from_secs(since.as_secs())
}

// Of two hosts, the clock of one is an hour ahead, or a month.
#[test]
fn a_clock_that_is_ahead_removes_and_voids_nothing() {
    let Some(server) = postgres::shared() else { return };
    let store = store(&server.database());
    let expired = Record { expires: Some(UnixTime::from_secs(5)), ..record("expired", None) };
    insert(&store, &expired);
    insert(&store, &Record { uses: 1, expires: None, ..record("spent", Some(1)) });
    for ahead in [3600, 31 * 24 * 3600, u64::MAX / 2] {
        let time = UnixTime::from_secs(now().as_secs() + ahead);
        let refused: [Result<_, StoreError>; 3] = [
            store.purge(time, 9).map(|_| ()),
            store.purge_spent(time, Duration::ZERO, 9).map(|_| ()),
            store.revoke_before(time).map(|_| ()),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert!(matches!(error, StoreError::ClockAhead { .. }), "{error}");
            assert_eq!(error.retry(), Retry::Never);
        }
    }
    assert_eq!(store.revoke_before(UnixTime::from_secs(0)).unwrap(), UnixTime::from_secs(0));
    assert_eq!(store.counts().unwrap().records, 2);
    // Clocks may differ by a minute.
    let near = UnixTime::from_secs(now().as_secs() + 60);
    assert_eq!(store.purge(near, 9).unwrap(), 1);
    assert_eq!(store.purge_spent(near, Duration::ZERO, 9).unwrap(), 1);
    assert_eq!(store.revoke_before(near).unwrap(), near);
}

// As with two hosts, each with many threads.
#[test]
fn two_hosts_race_for_one_token() {
    const THREADS: usize = 16;
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let hosts = [store(&url), PostgresStore::open(&config(&url)).unwrap()];
    for round in 0..100 {
        // Every claim is asked for on both hosts, twice.
        let limit = u64::try_from(round % 4 + 1).unwrap();
        let record = record(&format!("round {round}"), Some(limit));
        insert(&hosts[0], &record);
        let answers = Mutex::new(BTreeMap::<usize, Vec<Spend>>::new());
        let barrier = Barrier::new(2 * THREADS);
        thread::scope(|scope| {
            for host in &hosts {
                for thread in 0..THREADS {
                    let (answers, barrier, id) = (&answers, &barrier, &record.id);
                    scope.spawn(move || {
                        let number = thread / 2;
                        barrier.wait();
                        let answer = host.spend(id, &claim(&number.to_string()), &USE).unwrap();
                        answers.lock().unwrap().entry(number).or_default().push(answer);
                    });
                }
            }
        });
        let mut left = Vec::new();
        for (number, answers) in answers.into_inner().unwrap() {
            if answers.iter().all(|answer| *answer == Spend::Exhausted) {
                continue;
            }
            // All calls under one claim get the same answer, and one of them is the first to get it.
            let mut of_claim = Vec::new();
            for answer in answers {
                let Spend::Spent { uses_left: Some(left), repeated, .. } = answer else {
                    panic!("round {round}, claim {number}: {answer:?} beside a use")
                };
                of_claim.push((repeated, left));
            }
            of_claim.sort_unstable();
            assert_eq!(of_claim.iter().filter(|(repeated, _)| !repeated).count(), 1, "round {round}");
            assert!(of_claim.iter().all(|(_, left)| *left == of_claim[0].1));
            left.push(of_claim[0].1);
        }
        left.sort_unstable();
        assert_eq!(left, (0..limit).collect::<Vec<_>>(), "round {round}");
        assert_eq!(hosts[1].get(&record.id).unwrap().unwrap().uses, limit);
    }
    assert!(hosts[0].check(None).unwrap().is_sound());
}

/// The calls of many threads while the one writing connection waits for a lock, so that they form one batch.
/// `release` ends the wait.
fn in_one_batch<T: Send>(
    server: &postgres::Server,
    url: &str,
    store: &PostgresStore,
    asks: Vec<Box<dyn FnOnce() -> T + Send + '_>>,
    release: impl FnOnce(&Raw),
) -> Vec<T> {
    let raw = server.connect(url).unwrap();
    insert(store, &record("gate", None));
    raw.sql("BEGIN; UPDATE onetoken.tokens SET changes = changes WHERE id = 'gate'").unwrap();
    let count = asks.len();
    let waiting = AtomicUsize::new(0);
    thread::scope(|scope| {
        let gate = scope.spawn(|| store.spend(&id("gate"), &claim("x"), &USE));
        until_blocked(server, url);
        let asks: Vec<_> = asks
            .into_iter()
            .map(|ask| {
                scope.spawn(|| {
                    waiting.fetch_add(1, Ordering::SeqCst);
                    ask()
                })
            })
            .collect();
        while waiting.load(Ordering::SeqCst) < count {
            thread::yield_now();
        }
        // There is no event to wait for between the count and the queue.
        thread::sleep(Duration::from_millis(50));
        release(&raw);
        raw.sql("ROLLBACK").unwrap();
        drop(gate.join().unwrap());
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    })
}

#[test]
fn one_bad_row_is_the_trouble_of_its_caller_only() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    let store = patient(&url);
    for number in 0..20 {
        insert(&store, &record(&format!("good {number}"), Some(1)));
    }
    // One more use is more than the server can count.
    insert(&store, &Record { uses: u64::MAX, ..record("bad", None) });
    type Ask<'a> = Box<dyn FnOnce() -> Result<Spend, StoreError> + Send + 'a>;
    let names = (0..20).map(|number| format!("good {number}")).chain(["bad".to_owned()]);
    let asks: Vec<Ask<'_>> = names
        .map(|name| -> Ask<'_> {
            let store = &store;
            Box::new(move || store.spend(&id(&name), &claim("a"), &USE))
        })
        .collect();
    let mut answers = in_one_batch(server, &url, &store, asks, |_| {});
    let bad = answers.pop().unwrap();
    assert!(matches!(bad, Err(StoreError::Io(_))), "{bad:?}");
    for answer in answers {
        assert_eq!(plain(answer.unwrap()), won(0));
    }
    assert!(store.metrics().longest_batch >= 21, "they were one batch: {:?}", store.metrics());
}

// The other calls are done by then and must not be done again.
#[test]
fn one_damaged_claim_is_the_trouble_of_its_caller_only() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    let store = patient(&url);
    insert(&store, &record("damaged", Some(1)));
    assert_eq!(plain(store.spend(&id("damaged"), &claim("a"), &USE).unwrap()), won(0));
    server.sql(&url, "UPDATE onetoken.claims SET uses_left = -1").unwrap();
    insert(&store, &record("few", Some(9)));
    insert(&store, &record("many", None));
    type Ask<'a> = Box<dyn FnOnce() -> Result<Spend, StoreError> + Send + 'a>;
    let asks = ["few", "damaged", "many"].map(|name| -> Ask<'_> {
        let store = &store;
        Box::new(move || store.spend(&id(name), &claim("a"), &USE))
    });
    let answers = in_one_batch(server, &url, &store, asks.into(), |_| {});
    let [few, damaged, many] = answers.try_into().unwrap();
    assert!(matches!(damaged, Err(StoreError::Corrupt { .. })), "{damaged:?}");
    assert_eq!(plain(few.unwrap()), won(8));
    assert_eq!(many.unwrap(), Spend::Spent { uses_left: None, grant: None, repeated: false });
    assert_eq!(store.get(&id("many")).unwrap().unwrap().uses, 1);
}

#[test]
fn a_count_that_is_damaged_is_the_trouble_of_its_record_only() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let records = ["a", "b", "c"].map(|name| record(name, Some(1)));
    records.iter().for_each(|record| insert(&store, record));
    server.sql(&url, "UPDATE onetoken.tokens SET uses = -1 WHERE id = 'b'").unwrap();
    assert!(matches!(store.get(&id("b")), Err(StoreError::Corrupt { .. })));
    let page = store.list(&Filter::All, None, 10).unwrap();
    assert_eq!(page.records, [records[0].clone(), records[2].clone()]);
    assert_eq!(page.damaged, [id("b")]);
    let sweep = store.revoke_all(&Filter::All, &FOR_GOOD, None, 10).unwrap();
    assert_eq!((sweep.changed, sweep.damaged), (2, 1));
}

// An operator who repairs a token by hand and leaves the transaction open.
#[test]
fn one_locked_row_is_the_trouble_of_its_callers_only() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    let config = config(&url).connections(1, 1).statement_timeout(Duration::from_secs(4));
    let store = PostgresStore::open(&config.call_timeout(Duration::from_secs(8))).unwrap();
    for number in 0..20 {
        insert(&store, &record(&format!("good {number}"), Some(1)));
    }
    insert(&store, &record("locked", Some(9)));
    let raw = server.connect(&url).unwrap();
    raw.sql("BEGIN; UPDATE onetoken.tokens SET changes = changes WHERE id = 'locked'").unwrap();
    type Ask<'a> = Box<dyn FnOnce() -> Result<Spend, StoreError> + Send + 'a>;
    let names = (0..20).flat_map(|number| ["locked".to_owned(), format!("good {number}")]);
    let asks: Vec<Ask<'_>> = names
        .enumerate()
        .map(|(number, name)| -> Ask<'_> {
            let store = &store;
            Box::new(move || store.spend(&id(&name), &claim(&number.to_string()), &USE))
        })
        .collect();
    let answers = in_one_batch(server, &url, &store, asks, |_| {});
    for (number, answer) in answers.into_iter().enumerate() {
        match number % 2 {
            0 => assert_eq!(answer.unwrap_err().retry(), Retry::Safe),
            _ => assert_eq!(plain(answer.unwrap()), won(0)),
        }
    }
    raw.sql("ROLLBACK").unwrap();
    assert_eq!(plain(store.spend(&id("locked"), &claim("0"), &USE).unwrap()), won(8));
}

#[test]
fn what_is_about_one_token_shares_a_statement() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    let store = patient(&url);
    insert(&store, &record("few", Some(3)));
    insert(&store, &record("many", None));
    type Ask<'a> = Box<dyn FnOnce() -> Spend + Send + 'a>;
    let asks: Vec<Ask<'_>> = (0..40)
        .map(|number| -> Ask<'_> {
            let (store, name) = (&store, if number % 2 == 0 { "few" } else { "many" });
            Box::new(move || store.spend(&id(name), &claim(&number.to_string()), &USE).unwrap())
        })
        .collect();
    let before = store.metrics().batches;
    let answers = in_one_batch(server, &url, &store, asks, |_| {});
    let statements = store.metrics().batches - before;
    assert!(statements < 10, "{statements} statements");
    let few: Vec<_> = answers.iter().step_by(2).collect();
    let mut left: Vec<u64> = few
        .iter()
        .filter_map(|answer| match answer {
            Spend::Spent { uses_left, repeated: false, .. } => *uses_left,
            answer => {
                assert_eq!(**answer, Spend::Exhausted);
                None
            }
        })
        .collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2]);
    assert_eq!(store.get(&id("few")).unwrap().unwrap().uses, 3);
    assert_eq!(store.get(&id("many")).unwrap().unwrap().uses, 20);
    assert!(store.check(None).unwrap().is_sound());
}

#[test]
fn a_connection_that_is_lost_leaves_writes_in_doubt() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    let store = patient(&url);
    insert(&store, &record("a", Some(1)));
    let raw = server.connect(&url).unwrap();
    for (name, ends) in [
        ("spend", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
        ("revoke", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
    ] {
        raw.sql("BEGIN; UPDATE onetoken.tokens SET changes = changes WHERE id = 'a'").unwrap();
        thread::scope(|scope| {
            let asked = scope.spawn(|| match name {
                "spend" => store.spend(&id("a"), &claim("x"), &USE).map(|_| ()),
                _ => store.revoke(&id("a"), &FOR_GOOD).map(|revoked| assert_eq!(revoked, Revoke::Revoked)),
            });
            until_blocked(server, &url);
            raw.sql(&format!("{ends} AND datname = current_database()")).unwrap();
            if name == "spend" {
                let error = asked.join().unwrap().unwrap_err();
                assert_eq!(error.retry(), Retry::Ask, "{error:?}");
                raw.sql("ROLLBACK").unwrap();
            } else {
                raw.sql("ROLLBACK").unwrap();
                asked.join().unwrap().expect("to revoke twice is to revoke once");
            }
        });
        if name == "spend" {
            assert_eq!(plain(store.spend(&id("a"), &claim("x"), &USE).unwrap()), won(0), "it was not done");
        }
    }
    assert_eq!(store.metrics().in_doubt, 1);
}

/// How the proxy treats the server's messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    HandOn,
    /// Drops the next answer to a spend, with the connection.
    LoseNext,
    /// Drops each answer to a spend, with its connection.
    LoseAll,
    /// Drops everything; the connections stay open.
    Mute,
    /// Announces a shutdown under this code.
    Disguise(&'static [u8; 6]),
}

/// A proxy that passes on what both sides send, except as its mode says.
struct Proxy {
    port: u16,
    mode: Arc<Mutex<Mode>>,
}

impl Proxy {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(Mutex::new(Mode::HandOn));
        let shared = Arc::clone(&mode);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let (mut from_client, mut to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    drop(io::copy(&mut from_client, &mut to_server));
                    drop(to_server.shutdown(Shutdown::Both));
                });
                let mode = Arc::clone(&shared);
                thread::spawn(move || {
                    let (mut client, mut server) = (client, server);
                    let mut said = [0; 4096];
                    while let Ok(len @ 1..) = server.read(&mut said) {
                        let said = &mut said[..len];
                        let now = *mode.lock().unwrap();
                        match now {
                            Mode::HandOn => {}
                            // The answer to a spend: there are other connections as well.
                            Mode::LoseNext if !said.windows(5).any(|window| window == b"spend") => {}
                            Mode::LoseNext => {
                                *mode.lock().unwrap() = Mode::HandOn;
                                break;
                            }
                            Mode::LoseAll => break,
                            Mode::Mute => continue,
                            Mode::Disguise(code) => {
                                let told = said.windows(6).position(|window| window == b"C57P01");
                                if let Some(at) = told {
                                    said[at..at + 6].copy_from_slice(code);
                                }
                            }
                        }
                        if client.write_all(said).is_err() {
                            break;
                        }
                    }
                    drop((client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both)));
                });
            }
        });
        Self { port, mode }
    }

    /// Starts a proxy in front of a database's server. Returns the URL through it.
    fn before(url: &str) -> (Self, String) {
        let (before, database) = url.rsplit_once('/').unwrap();
        let (user, place) = before.rsplit_once('@').unwrap_or(("postgres://", before));
        let proxy = Self::to(place.to_owned());
        let url = format!("{user}@127.0.0.1:{}/{database}", proxy.port);
        (proxy, url)
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

#[test]
fn a_reply_that_is_lost_costs_no_second_use() {
    // scripts/faults asks for more of them.
    let rounds = env::var("ONETOKEN_REPLIES").map_or(100, |rounds| rounds.parse().unwrap());
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let (proxy, through) = Proxy::before(&url);
    drop(store(&url));
    let store = PostgresStore::open(&config(&through).connections(1, 1)).unwrap();
    insert(&store, &record("warm up", Some(1)));
    assert_eq!(plain(store.spend(&id("warm up"), &claim("a"), &USE).unwrap()), won(0));
    let mut committed = 0;
    for round in 0..rounds {
        let record = record(&format!("round {round}"), Some(1));
        insert(&store, &record);
        // Prepares the statement, so that the server's next message is the answer.
        assert_eq!(store.claimed(&record.id, &claim("nobody's")).unwrap(), None);
        proxy.set(Mode::LoseNext);
        let error = store.spend(&record.id, &claim("mine"), &USE).unwrap_err();
        assert_eq!(error.retry(), Retry::Ask, "{error:?}");
        match store.spend(&record.id, &claim("mine"), &USE).unwrap() {
            Spend::Spent { uses_left: Some(0), repeated, .. } => committed += usize::from(repeated),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.spend(&record.id, &claim("another's"), &USE).unwrap(), Spend::Exhausted);
        assert_eq!(store.get(&record.id).unwrap().unwrap().uses, 1);
    }
    assert_eq!(committed, rounds, "every one of them was done");
}

// A server whose wait for the standby is cancelled has committed. Only a warning says that a failover loses the
// commit.
#[test]
fn a_wait_for_the_standby_that_is_cut_short_leaves_writes_in_doubt() {
    let Some(server) = postgres::start(&["fsync=off", "synchronous_standby_names=nobody"]) else { return };
    let local = "ALTER ROLE CURRENT_USER SET synchronous_commit = local";
    server.sql("postgres", &format!("SET synchronous_commit = local; {local}")).unwrap();
    let url = server.database();
    insert(&store(&url), &record("a", Some(1)));
    let (_, name) = url.split_once('?').unwrap().0.rsplit_once('/').unwrap();
    server.sql("postgres", &format!("ALTER DATABASE {name} SET client_min_messages = error")).unwrap();
    server.sql("postgres", "ALTER ROLE CURRENT_USER RESET synchronous_commit").unwrap();
    let store = patient(&url);
    let error = thread::scope(|scope| {
        let asked = scope.spawn(|| store.spend(&id("a"), &claim("x"), &USE));
        let cut = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        let begun = Instant::now();
        while server.sql("postgres", cut).unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not wait for the standby");
        }
        asked.join().unwrap().unwrap_err()
    });
    assert_eq!(error.retry(), Retry::Ask, "{error:?}");
}

// A statement that ends with its connection may have been committed, for any reason that the server gives.
#[test]
fn a_connection_that_the_server_ends_leaves_writes_in_doubt() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let (proxy, through) = Proxy::before(&url);
    drop(store(&url));
    let store = patient(&through);
    insert(&store, &record("a", Some(1)));
    let raw = server.connect(&url).unwrap();
    raw.sql("BEGIN; UPDATE onetoken.tokens SET changes = changes WHERE id = 'a'").unwrap();
    proxy.set(Mode::Disguise(b"C25P04"));
    let error = thread::scope(|scope| {
        let asked = scope.spawn(|| store.spend(&id("a"), &claim("x"), &USE));
        until_blocked(server, &url);
        raw.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE wait_event_type = 'Lock' AND datname = current_database()",
        )
        .unwrap();
        asked.join().unwrap().unwrap_err()
    });
    assert!(format!("{error:?}").contains("25P04"), "{error:?}");
    assert_eq!(error.retry(), Retry::Ask, "{error:?}");
}

#[test]
fn a_change_that_may_have_been_done_is_not_told_as_undone() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let (proxy, through) = Proxy::before(&url);
    drop(store(&url));
    let config = config(&through).connections(1, 1).call_timeout(Duration::from_secs(2));
    let store = PostgresStore::open(&config).unwrap();
    let user = Entity::user("a");
    insert(&store, &record("a", Some(1)));
    assert_eq!(
        store
            .raise_generation(&user, &Generation { number: 1, root_key: record("a", None).root_key })
            .unwrap(),
        Raise::Raised
    );
    let place = store.events(None, 0).unwrap().next;
    type Ask = fn(&PostgresStore, &str) -> Result<String, StoreError>;
    let asks: [(Ask, &str); 5] = [
        (|store, name| Ok(format!("{:?}", store.revoke(&id(name), &REVERSIBLE)?)), "Revoked"),
        (|store, name| Ok(format!("{:?}", store.reinstate(&id(name))?)), "Reinstated"),
        (|store, name| Ok(format!("{:?}", store.amend(&id(name), &Amendment::default())?)), "Amended"),
        (|store, name| Ok(format!("{:?}", store.delete(&id(name))?)), "Absent"),
        (|store, name| Ok(format!("{:?}", store.delete_generation(&Entity::user(name))?)), "Absent"),
    ];
    for (ask, then) in asks {
        // Prepares the statement.
        assert_eq!(ask(&store, "nobody's").unwrap(), "Absent");
        proxy.set(Mode::LoseAll);
        let error = ask(&store, "a").unwrap_err();
        assert_eq!(error.retry(), Retry::Ask, "{then}: {error:?}");
        proxy.set(Mode::HandOn);
        assert_eq!(ask(&store, "a").unwrap(), then);
    }
    let events = store.events(Some(&place), 9).unwrap().events;
    let kinds = [
        Event::Revoked(id("a")),
        Event::Reinstated(id("a")),
        Event::Deleted(id("a")),
        Event::GenerationDeleted(user),
    ];
    assert_eq!(events, kinds);
}

// The answer is lost, and then every login. Only what changes nothing may be told as undone.
#[test]
fn every_call_whose_answer_is_lost_says_whether_to_retry() {
    type Ask = fn(&PostgresStore) -> Result<(), StoreError>;
    let calls: [(&str, Retry, Ask); 19] = [
        ("get", Retry::Safe, |store| store.get(&id("a")).map(drop)),
        ("list", Retry::Safe, |store| store.list(&Filter::All, None, 9).map(drop)),
        ("claims", Retry::Safe, |store| store.claims(&id("a"), None, 9).map(drop)),
        ("generation", Retry::Safe, |store| store.generation(&user()).map(drop)),
        ("generations", Retry::Safe, |store| store.generations(None, 9).map(drop)),
        ("counts", Retry::Safe, |store| store.counts().map(drop)),
        ("insert", Retry::Ask, |store| store.insert(&record("a", Some(1))).map(|_| ())),
        ("spend", Retry::Ask, |store| store.spend(&id("a"), &claim("x"), &USE).map(drop)),
        ("refund", Retry::Ask, |store| {
            store.refund(&id("a"), &claim("y"), GrantId::from_bytes([0; 8])).map(|_| ())
        }),
        ("claimed", Retry::Ask, |store| store.claimed(&id("a"), &claim("x")).map(drop)),
        ("raise", Retry::Ask, |store| store.raise_generation(&user(), &generation(1)).map(|_| ())),
        ("restore", Retry::Ask, |store| store.restore(&[]).map(drop)),
        ("revoke all", Retry::Ask, |store| store.revoke_all(&Filter::All, &FOR_GOOD, None, 9).map(drop)),
        ("reinstate", Retry::Ask, |store| store.reinstate(&id("a")).map(|_| ())),
        ("amend", Retry::Ask, |store| store.amend(&id("a"), &Amendment::default()).map(|_| ())),
        ("events", Retry::Safe, |store| store.events(None, 9).map(drop)),
        ("delete generation", Retry::Ask, |store| store.delete_generation(&user()).map(|_| ())),
        ("delete", Retry::Ask, |store| store.delete(&id("a")).map(|_| ())),
        ("delete all", Retry::Ask, |store| store.delete_all(&Filter::All, None, 9).map(drop)),
    ];
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let (proxy, through) = Proxy::before(&url);
    drop(store(&url));
    let config = config(&through).connections(1, 1).call_timeout(Duration::from_millis(500));
    let store = PostgresStore::open(&config).unwrap();
    for (name, retry, ask) in calls {
        proxy.set(Mode::HandOn);
        // Prepares the statement, so that the server's next message is the answer.
        until(name, || ask(&store).is_ok());
        proxy.set(Mode::LoseAll);
        let error = ask(&store).unwrap_err();
        assert_eq!(error.retry(), retry, "{name}: {error:?}");
    }
}

// A server that accepts data and never answers, neither statements nor a login.
#[test]
fn a_server_that_hangs_holds_no_caller_for_ever() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let (proxy, through) = Proxy::before(&url);
    drop(store(&url));
    let short = Duration::from_millis(100);
    let config = config(&format!("{through}&connect_timeout=3600"));
    let store = PostgresStore::open(&config.statement_timeout(short).call_timeout(short)).unwrap();
    let record = record("a", Some(1));
    // A busy machine may take longer than this to connect.
    until("there are connections", || {
        store.insert(&record).is_ok()
            && store.list(&Filter::All, None, 1).is_ok_and(|page| page.records == [record.clone()])
    });
    proxy.set(Mode::Mute);
    type Ask = fn(&PostgresStore) -> Option<StoreError>;
    let asks: [(&str, Ask); 6] = [
        ("get", |store| store.get(&id("a")).err()),
        ("get, without a connection", |store| store.get(&id("a")).err()),
        ("spend", |store| store.spend(&id("a"), &claim("x"), &USE).err()),
        ("purge", |store| store.purge(now(), 1).err()),
        ("list", |store| store.list(&Filter::All, None, 1).err()),
        ("revoke before", |store| store.revoke_before(UnixTime::from_secs(1)).err()),
    ];
    for (name, ask) in asks {
        let (sender, answer) = mpsc::channel();
        let store = store.clone();
        thread::spawn(move || sender.send(ask(&store)));
        let error = answer.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|_| panic!("{name} hangs"));
        assert_ne!(error.unwrap_or_else(|| panic!("{name} succeeds")).retry(), Retry::Never, "{name}");
    }
}

// A column of its own still has the generation's number, which does not count if the value is damaged.
#[test]
fn a_damaged_generation_is_written_over() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let subject = Entity { kind: "user".into(), id: "u1".into() };
    let next = |number| Generation { number, root_key: record("x", None).root_key };
    for number in 1..=3 {
        assert_eq!(store.raise_generation(&subject, &next(number)).unwrap(), Raise::Raised);
    }
    server.sql(&url, "UPDATE onetoken.generations SET generation = '\\x00'").unwrap();
    assert!(matches!(store.generation(&subject), Err(StoreError::Corrupt { .. })));
    assert_eq!(store.raise_generation(&subject, &next(4)).unwrap(), Raise::Stale { present: 0 });
    assert_eq!(store.raise_generation(&subject, &next(1)).unwrap(), Raise::Raised);
    assert_eq!(store.generation(&subject).unwrap().unwrap().number, 1);
    assert!(store.check(None).unwrap().is_sound());
}

#[test]
fn a_restored_revocation_holds_for_what_is_inserted_at_the_same_time() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    let record = record("a", Some(1));
    insert(&store, &record);
    server
        .sql(&url, "CREATE TABLE copy AS SELECT * FROM onetoken.tokens; DELETE FROM onetoken.tokens")
        .unwrap();
    let raw = server.connect(&url).unwrap();
    // All columns but the generated one.
    let columns = "id, record, resource, issuer, created, expires, use_limit, uses, last_use, changes";
    raw.sql(&format!("BEGIN; INSERT INTO onetoken.tokens ({columns}) SELECT {columns} FROM copy")).unwrap();
    let item = Item::Token {
        record: Record { revocation: Some(FOR_GOOD), uses: 1, ..record.clone() },
        claims: vec![(claim("x"), Held { uses_left: 0, grant: GRANT, spent: USE })],
    };
    thread::scope(|scope| {
        let asked = scope.spawn(|| store.restore(&[item]));
        until_blocked(server, &url);
        raw.sql("COMMIT").unwrap();
        assert_eq!(asked.join().unwrap().unwrap(), 1);
    });
    let present = store.get(&record.id).unwrap().unwrap();
    assert_eq!((present.is_revoked(), present.uses), (true, 0));
    assert!(store.check(None).unwrap().is_sound());
}

const LONG: usize = 64 * 1024;

/// The input of an attacker, and odd input of an honest caller.
fn wild_text() -> impl Strategy<Value = String> {
    let said = [
        "\0",
        "a\0b",
        "'; DROP TABLE onetoken.tokens; --",
        "\\'",
        "\"",
        "{NULL,\"\"}",
        "\\x00",
        "$1",
        "\u{feff}",
    ];
    prop_oneof![
        4 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        2 => select(said.map(str::to_owned).to_vec()),
        1 => (any::<char>(), select(vec![500, 1024, 20_000, LONG])).prop_map(|(one, count)| {
            one.to_string().repeat(count / one.len_utf8())
        }),
    ]
}

fn wild_entity() -> impl Strategy<Value = Entity> {
    (wild_text(), wild_text()).prop_map(|(kind, id)| Entity { kind: kind.into(), id })
}

fn wild_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let said = [&b"\0"[..], b"'", b"\"", b"\\x", b"\\000", b"NULL", b"%s{}"].map(<[u8]>::to_vec).to_vec();
    prop_oneof![4 => vec(any::<u8>(), 1..max), 1 => vec(any::<u8>(), max), 2 => select(said)]
}

#[test]
fn every_input_is_kept_unchanged_or_refused() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    assert!(TokenId::new(vec![b'\''; LONG]).is_err() && ClaimId::new(vec![0; LONG]).is_err());
    let too_large = |error: StoreError| assert!(matches!(error, StoreError::TooLarge { .. }), "{error:?}");
    let (kept, cases) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let names = proptest::option::of(wild_text());
    let entities = (proptest::option::of(wild_entity()), wild_entity());
    let ids = (wild_bytes(TokenId::MAX_LEN - 8), wild_bytes(ClaimId::MAX_LEN));
    let numbers = (any::<u64>(), proptest::option::of(any::<u64>()), proptest::option::of(1..=u64::MAX / 2));
    let longest = Record::MAX_METADATA_LEN;
    let metadata = prop_oneof![9 => vec(any::<u8>(), 0..50), 1 => vec(any::<u8>(), longest - 1..longest + 2)];
    proptest!(ProptestConfig::with_cases(200), |(name in names, (resource, issuer) in entities,
                                                (id, claim) in ids, (created, expires, limit) in numbers,
                                                metadata in metadata)| {
        // No two cases are about one token.
        let fresh = cases.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let id = TokenId::new(fresh.into_iter().chain(id).collect::<Vec<_>>()).unwrap();
        let claim = ClaimId::new(claim).unwrap();
        let record = Record {
            resource, issuer, name,
            created: UnixTime::from_secs(created),
            expires: expires.map(UnixTime::from_secs),
            id: id.clone(),
            metadata: metadata.clone(),
            ..record("x", limit)
        };
        let by = Use { consumer: record.resource.clone(), at: UnixTime::from_secs(created) };
        match store.insert(&record) {
            Ok(Insert::NameTaken) => return Ok(()),
            Ok(inserted) => {
                assert_eq!(inserted, Insert::Inserted);
                assert_eq!(store.get(&id).unwrap().unwrap(), record);
                let about = record.resource.iter().cloned().map(Filter::Resource);
                let named = record.name.clone().map(|name| Filter::Name(record.issuer.clone(), name));
                for filter in about.chain(named).chain([Filter::Issuer(record.issuer.clone())]) {
                    assert!(listed(&store, &filter).contains(&record));
                }
                for again in [false, true] {
                    let answer = store.spend(&id, &claim, &by).unwrap();
                    let Spend::Spent { uses_left, repeated, .. } = answer else { panic!("{answer:?}") };
                    // A token without a limit has no claims.
                    assert_eq!((uses_left, repeated), (limit.map(|limit| limit - 1), again && limit.is_some()));
                }
                let held = store.claimed(&id, &claim).unwrap();
                assert_eq!(held.map(|held| held.spent), limit.map(|_| by));
                let revocation = Revocation { by: Some(record.issuer.clone()), ..FOR_GOOD };
                assert_eq!(store.revoke(&id, &revocation).unwrap(), Revoke::Revoked);
                let amendment = Amendment { name: Some(None), metadata: Some(claim.as_bytes().to_vec()) };
                assert_eq!(store.amend(&id, &amendment).unwrap(), Amend::Amended);
                let amended = store.get(&id).unwrap().unwrap();
                assert_eq!((amended.name, amended.metadata), (None, claim.as_bytes().to_vec()));
                assert_eq!(amended.revocation, Some(revocation));
                kept.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                too_large(error);
                assert_eq!(store.get(&id).unwrap(), None);
            }
        }
        let generation = Generation { number: 1, root_key: record.root_key };
        match store.raise_generation(&record.issuer, &generation) {
            Ok(Raise::Raised) => assert_eq!(store.generation(&record.issuer).unwrap(), Some(generation)),
            Ok(Raise::Stale { present }) => assert_eq!(present, 1, "another case had the same subject"),
            Err(error) => too_large(error),
        }
    });
    assert!(kept.into_inner() > 50, "most are refused");
    assert!(store.check(None).unwrap().is_sound());
}

fn listed(store: &PostgresStore, filter: &Filter) -> Vec<Record> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(filter, after.as_ref(), 100).unwrap();
        records.extend(page.records);
        after = page.next;
        if after.is_none() {
            return records;
        }
    }
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::yield_now();
    }
}

/// A host whose cache drops only what a notice names.
fn listening(url: &str) -> CachedStore<PostgresStore> {
    let forever = CacheConfig { ttl: Duration::MAX, absent_ttl: Duration::MAX, ..CacheConfig::default() };
    let host = CachedStore::new(PostgresStore::open(&config(url)).unwrap(), forever);
    host.store().listen(host.invalidator());
    until("it listens", || host.store().metrics().listens == 1);
    host
}

#[test]
fn what_one_host_voids_the_caches_of_others_forget() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let here = store(&url);
    let there = listening(&url);
    let subject = Entity { kind: "user".into(), id: "'u\0\u{e9}".into() };
    let generation = |number| Generation { number, root_key: record("x", None).root_key };
    // Any bytes, and as many as there may be.
    let names =
        [vec![0], vec![b'\''; TokenId::MAX_LEN], b"swept".to_vec(), b"moved".to_vec(), b"old".to_vec()];
    let ids = names.map(|name| TokenId::new(name).unwrap());
    for id in &ids {
        insert(&here, &Record { id: id.clone(), ..record("x", Some(9)) });
    }
    assert_eq!(here.raise_generation(&subject, &generation(1)).unwrap(), Raise::Raised);
    let read = || {
        let records = ids.iter().filter(|id| !there.get(id).unwrap().unwrap().is_revoked()).count();
        (records, there.generation(&subject).unwrap().map(|generation| generation.number))
    };
    assert_eq!(read(), (5, Some(1)));
    // A call that revokes nothing sends no notice: only one follows.
    let grant = here.spend(&ids[0], &claim("a"), &USE).unwrap().grant().unwrap();
    assert_eq!(here.refund(&ids[0], &claim("a"), grant).unwrap(), Refund::Refunded);

    let heard = |notices| {
        until("it hears", || there.store().metrics().notices >= notices);
        assert_eq!(there.store().metrics().notices, notices);
        read()
    };
    assert_eq!(here.revoke(&ids[0], &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert_eq!(heard(1), (4, Some(1)));
    assert_eq!(here.revoke(&ids[1], &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert_eq!(heard(2), (3, Some(1)));
    assert_eq!(here.raise_generation(&subject, &generation(2)).unwrap(), Raise::Raised);
    assert_eq!(heard(3), (3, Some(2)));
    let moved = Record { id: ids[3].clone(), revocation: Some(FOR_GOOD), ..record("x", Some(9)) };
    let later = Item::Generation { subject: subject.clone(), generation: generation(7) };
    here.restore(&[Item::Token { record: moved, claims: Vec::new() }, later]).unwrap();
    assert_eq!(heard(4), (2, Some(7)));
    here.revoke_before(UnixTime::from_secs(1_600_000_000)).unwrap();
    assert_eq!(heard(5), (0, Some(7)));
    let sweep = here.revoke_all(&Filter::All, &FOR_GOOD, None, 100).unwrap();
    assert_eq!((sweep.changed, sweep.next), (2, None));
    assert_eq!(heard(6), (0, Some(7)));
    assert_eq!(here.delete_generation(&subject).unwrap(), Delete::Deleted);
    assert_eq!(heard(7), (0, None));

    let late = Record { created: UnixTime::from_secs(1_700_000_000), ..record("late", None) };
    insert(&here, &late);
    let is_revoked = || there.get(&late.id).unwrap().map(|record| record.is_revoked());
    assert_eq!(is_revoked(), Some(false));
    assert_eq!(here.revoke(&late.id, &REVERSIBLE).unwrap(), Revoke::Revoked);
    assert_eq!((heard(8).0, is_revoked()), (0, Some(true)));
    assert_eq!(here.reinstate(&late.id).unwrap(), Reinstate::Reinstated);
    assert_eq!((heard(9).0, is_revoked()), (0, Some(false)));
    assert_eq!(here.delete(&late.id).unwrap(), Delete::Deleted);
    assert_eq!((heard(10).0, is_revoked()), (0, None));
}

#[test]
fn a_cache_that_could_not_hear_forgets_everything() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let here = store(&url);
    let there = listening(&url);
    for name in ["before", "meanwhile"] {
        insert(&here, &record(name, None));
        assert!(!there.get(&id(name)).unwrap().unwrap().is_revoked());
    }
    // This also opens the connection for notices.
    assert_eq!(here.revoke(&id("before"), &FOR_GOOD).unwrap(), Revoke::Revoked);
    until("it hears", || there.get(&id("before")).unwrap().unwrap().is_revoked());

    let name = url.rsplit_once('/').unwrap().1.split_once('?').unwrap().0;
    let admits = |yes| {
        let allow = format!("UPDATE pg_database SET datallowconn = {yes} WHERE datname = '{name}'");
        server.sql("postgres", &allow).unwrap();
    };
    admits(false);
    let listener = format!("FROM pg_stat_activity WHERE datname = '{name}' AND query = 'LISTEN onetoken'");
    server.sql("postgres", &format!("SELECT pg_terminate_backend(pid) {listener}")).unwrap();
    let is_gone = || server.sql("postgres", &format!("SELECT 1 {listener}")).unwrap().is_empty();
    until("it is gone", is_gone);
    assert_eq!(here.revoke(&id("meanwhile"), &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert!(!there.get(&id("meanwhile")).unwrap().unwrap().is_revoked(), "nobody has told it");
    admits(true);
    until("it finds out", || there.get(&id("meanwhile")).unwrap().unwrap().is_revoked());
    assert_eq!(there.store().metrics().listens, 2);
    assert!(!is_gone());
    drop(there);
    until("it listens no longer than there is a store", is_gone);
}

// No caller can use a token as often as the server can count.
#[test]
fn a_limit_beyond_what_the_server_counts_is_kept_and_counted_as_the_largest() {
    let Some(server) = postgres::shared() else { return };
    let store = store(&server.database());
    let most = i64::MAX.unsigned_abs();
    for limit in [most - 1, most, most + 1, u64::MAX] {
        let record = record(&limit.to_string(), Some(limit));
        insert(&store, &record);
        assert_eq!(store.get(&record.id).unwrap(), Some(record.clone()));
        for left in [1, 2] {
            let (claim, left) = (claim(&left.to_string()), limit.min(most) - left);
            assert_eq!(plain(store.spend(&record.id, &claim, &USE).unwrap()), won(left));
            assert_eq!(plain(store.spend(&record.id, &claim, &USE).unwrap()), again(left));
        }
        assert_eq!(store.get(&record.id).unwrap(), Some(Record { uses: 2, last_use: Some(NOW), ..record }));
    }
    assert!(store.check(None).unwrap().is_sound());
}

#[test]
fn calls_from_an_async_program_do_not_panic() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = store(&url);
        insert(&store, &record("a", Some(1)));
        let shared = store.clone();
        let spent =
            tokio::task::spawn_blocking(move || shared.spend(&id("a"), &claim("x"), &USE)).await.unwrap();
        assert_eq!(plain(spent.unwrap()), won(0));
        assert_eq!(store.check(None).unwrap().records, 1);
    });
}

#[test]
fn what_is_wrong_with_a_server_is_told_apart() {
    // Durable, and with passwords.
    let Some(server) = postgres::start(&[]) else { return };
    let make = |name: &str| {
        server.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        server.url(name).replace("durable=no", "durable=yes")
    };
    let open = |url: &str| PostgresStore::open(&config(url)).unwrap_err();

    let url = make("plain");
    assert!(matches!(open(&url), StoreError::NotFound { .. }), "there are no tables");
    for _ in 0..2 {
        PostgresStore::init(&config(&url)).unwrap();
    }
    insert(&PostgresStore::open(&config(&url)).unwrap(), &record("a", None));

    server.sql(&url, "UPDATE onetoken.store SET version = 9").unwrap();
    assert!(matches!(open(&url), StoreError::NewerVersion { found: 9, known: 1 }));
    let error = PostgresStore::init(&config(&url)).unwrap_err();
    assert!(matches!(error, StoreError::NewerVersion { .. }));
    server.sql(&url, "UPDATE onetoken.store SET version = 0").unwrap();
    assert!(matches!(open(&url), StoreError::OlderVersion { found: 0, known: 1 }));
    server.sql(&url, "UPDATE onetoken.store SET version = 1").unwrap();

    assert!(matches!(open(&server.url("nowhere")), StoreError::NotFound { .. }));
    let unreachable = open("postgres://onetoken:hunter2@127.0.0.1:1/d");
    assert!(matches!(unreachable, StoreError::Unreachable { .. }) && unreachable.retry() == Retry::Safe);

    for setting in ["off", "local", "remote_write"] {
        server.sql("postgres", &format!("ALTER DATABASE plain SET synchronous_commit = {setting}")).unwrap();
        assert!(matches!(open(&url), StoreError::NotDurable { setting: "synchronous_commit", .. }));
        let lax = url.replace("durable=yes", "durable=no");
        drop(PostgresStore::open(&config(&lax)).unwrap());
    }
    server.sql("postgres", "ALTER DATABASE plain RESET synchronous_commit").unwrap();
    server.sql("postgres", "ALTER DATABASE plain SET default_transaction_read_only = on").unwrap();
    assert!(matches!(open(&url), StoreError::ReadOnly));
    server.sql("postgres", "ALTER DATABASE plain RESET default_transaction_read_only").unwrap();

    server.sql("postgres", "CREATE ROLE stranger LOGIN PASSWORD 'right'").unwrap();
    let stranger = url.replace("onetoken@", "stranger:hunter2@");
    let denied = open(&stranger);
    assert!(matches!(denied, StoreError::Denied { .. }), "no right to the tables: {denied:?}");
    let hba = server.dir().unwrap().join("data/pg_hba.conf");
    let rules = fs::read_to_string(&hba).unwrap();
    fs::write(&hba, format!("host all stranger 127.0.0.1/32 scram-sha-256\n{rules}")).unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let begun = Instant::now();
    // The server reloads its rules shortly after it is told to.
    let denied = loop {
        let denied = open(&stranger);
        if format!("{denied:?}").contains("password") || begun.elapsed() > Duration::from_secs(30) {
            break denied;
        }
    };
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied:?}");
    for error in [&denied, &unreachable, &open(&stranger.replace(":hunter2", ""))] {
        let mut text = format!("{error:?}");
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            text.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("127.0.0.1"), "{text}");
    }
}

#[test]
fn hosts_that_make_the_tables_at_once_do_not_disturb_each_other() {
    const HOSTS: usize = 8;
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let barrier = Barrier::new(HOSTS);
    thread::scope(|scope| {
        let hosts: Vec<_> = (0..HOSTS)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    PostgresStore::init(&config(&url))
                })
            })
            .collect();
        hosts.into_iter().for_each(|host| host.join().unwrap().unwrap());
    });
    assert!(PostgresStore::open(&config(&url)).unwrap().check(None).unwrap().is_sound());
}

#[test]
fn a_store_that_is_dropped_leaves_no_connections() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let count = "SELECT count(*) FROM pg_stat_activity
                 WHERE application_name = 'onetoken' AND datname = current_database()";
    let open = || server.sql(&url, count).unwrap().remove(0).remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = store(&url);
        insert(&store, &record("a", Some(1)));
        assert_eq!(store.list(&Filter::All, None, 1).unwrap().records.len(), 1);
    });
    let begun = Instant::now();
    while open().as_deref() != Some("0") {
        assert!(begun.elapsed() < Duration::from_secs(60), "connections stay");
        thread::yield_now();
    }
}

#[test]
fn the_documented_role_is_enough() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    PostgresStore::init(&config(&url)).unwrap();
    let documented = include_str!("../../../../docs/POSTGRES.md");
    let (_, sql) = documented.split_once("```sql\n").unwrap();
    let (sql, _) = sql.split_once("```").unwrap();
    let role = format!("app_{}", std::process::id());
    let sql = sql.replace("onetoken_app", &role).replace("CHANGE ME", "secret");
    server.sql(&url, &sql).unwrap();
    let user = server.url("x").split("://").nth(1).unwrap().split('@').next().unwrap().to_owned();
    let limited = url.replacen(&format!("{user}@"), &format!("{role}:secret@"), 1);
    let store = PostgresStore::open(&config(&limited)).unwrap();
    insert(&store, &record("a", Some(1)));
    let grant = store.spend(&id("a"), &claim("x"), &USE).unwrap().grant().unwrap();
    assert_eq!(store.refund(&id("a"), &claim("x"), grant).unwrap(), Refund::Refunded);
    assert_eq!(store.revoke(&id("a"), &FOR_GOOD).unwrap(), Revoke::Revoked);
    assert_eq!(store.revoke_before(UnixTime::from_secs(5)).unwrap(), UnixTime::from_secs(5));
    assert_eq!(store.amend(&id("a"), &Amendment::default()).unwrap(), Amend::Amended);
    insert(&store, &record("b", None));
    assert_eq!(store.delete(&id("b")).unwrap(), Delete::Deleted);
    assert!(store.events(Some(&store.events(None, 9).unwrap().next), 9).unwrap().events.is_empty());
    assert_eq!(store.purge(now(), 10).unwrap(), 1);
    assert!(store.check(None).unwrap().is_sound());
}

// The certificate is for localhost, and no other name.
#[test]
fn a_server_has_to_prove_that_it_is_the_one_that_was_named() {
    let Some(server) = postgres::start(&["fsync=off"]) else { return };
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("tls");
    let data = server.dir().unwrap().join("data");
    let owner = fs::metadata(&data).unwrap();
    for (file, name) in [("server.pem", "server.crt"), ("server.key", "server.key")] {
        fs::copy(tls.join(file), data.join(name)).unwrap();
        chown(data.join(name), Some(owner.uid()), Some(owner.gid())).unwrap();
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let plain = server.database();
    PostgresStore::init(&config(&plain)).unwrap();
    let url = |host: &str, more: &str| format!("{}&{more}", plain.replace("127.0.0.1", host));
    let verified = |host: &str, roots: &str| {
        let parameters = format!("sslmode=verify-full&sslrootcert={}", tls.join(roots).display());
        PostgresStore::open(&config(&url(host, &parameters)))
    };
    let refused = verified("localhost", "ca.pem").unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }), "it has no TLS: {refused:?}");

    server.sql("postgres", "ALTER SYSTEM SET ssl = on").unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let begun = Instant::now();
    let store = loop {
        match verified("localhost", "ca.pem") {
            Err(StoreError::Unreachable { .. }) if begun.elapsed() < Duration::from_secs(30) => {}
            opened => break opened.unwrap(),
        }
    };
    insert(&store, &record("a", Some(1)));
    let encrypted = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
                     WHERE s.ssl AND a.datname = current_database() AND a.application_name = 'onetoken'";
    assert_ne!(server.sql(&plain, encrypted).unwrap()[0][0].as_deref(), Some("0"));

    for (host, roots) in [("127.0.0.1", "ca.pem"), ("localhost", "other.pem")] {
        let refused = verified(host, roots).unwrap_err();
        assert!(matches!(refused, StoreError::Unreachable { .. }), "{host} {roots}: {refused:?}");
        assert!(format!("{refused:?}").contains("certificate"), "{refused:?}");
    }
    let system = PostgresStore::open(&config(&url("localhost", "sslmode=require"))).unwrap_err();
    assert!(matches!(system, StoreError::Unreachable { .. } | StoreError::Io(_)), "{system:?}");
}

/// The threads and connections are its parent's: a forked process would wait for ever.
#[cfg(unix)]
#[test]
fn a_forked_process_is_refused() {
    let Some(server) = postgres::shared() else { return };
    let store = store(&server.database());
    insert(&store, &record("a", Some(1)));
    match fork::fork().unwrap() {
        fork::Fork::Child => {
            let refused = [
                store.get(&id("a")).err(),
                store.spend(&id("a"), &claim("a"), &USE).err(),
                store.revoke_all(&Filter::All, &FOR_GOOD, None, 9).err(),
                store.counts().err(),
                store.check(None).err(),
            ];
            let all = refused.iter().all(|error| matches!(error, Some(StoreError::Forked)));
            std::process::exit(i32::from(!all));
        }
        fork::Fork::Parent(child) => assert_eq!(fork::waitpid(child).unwrap(), 0),
    }
    assert!(matches!(
        store.spend(&id("a"), &claim("a"), &USE).unwrap(),
        Spend::Spent { repeated: false, .. }
    ));
}
