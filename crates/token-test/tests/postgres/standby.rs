//! A primary and its standby: acknowledged writes survive the primary.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

use token_core::UnixTime;
use token_store::{
    Administration as _, Amendment, Entity, Filter, Item, KeyPlace, Record, Reseal, Revoke, Spend,
    StoreError, TokenStore as _,
};
use token_store_postgres::PostgresStore;
use token_test::postgres::{self, Server};

use crate::{
    FOR_GOOD, GRANT, REVERSIBLE, USE, claim, config, generation, id, insert, plain, record, store, until,
    user, won,
};

/// A durable primary, and the synchronous standby without which it acknowledges nothing.
fn pair() -> Option<(Server, Server)> {
    let primary = postgres::start(&["fsync=on", "synchronous_standby_names=standby"])?;
    let standby = primary.standby(&[])?;
    let state = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("the standby streams", || !primary.sql("postgres", state).unwrap().is_empty());
    Some((primary, standby))
}

/// The server process that waits for the standby on behalf of a store, other than this one.
fn waiting(server: &Server, but: &str) -> Option<String> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity
         WHERE wait_event = 'SyncRep' AND application_name = 'onetoken' AND pid <> {but}"
    );
    server.sql("postgres", &sql).unwrap().into_iter().flatten().next().flatten()
}

type Ask = fn(&PostgresStore, &str) -> Result<String, StoreError>;

/// Calls that commit on the primary alone, and the calls that follow.
struct Case {
    name: &'static str,
    before: Ask,
    first: Ask,
    again: Ask,
    answer: &'static str,
}

fn text<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> Result<String, StoreError> {
    answer.map(|answer| format!("{answer:?}"))
}

fn cases() -> Vec<Case> {
    let nothing: Ask = |_, _| Ok(String::new());
    let mint: Ask = |store, name| text(store.insert(&record(name, Some(1))));
    let spend: Ask = |store, name| text(store.spend(&id(name), &claim("a"), &USE).map(plain));
    let spent: Ask = |store, name| {
        insert(store, &record(name, Some(1)));
        text(store.spend(&id(name), &claim("a"), &USE))
    };
    let claimed: Ask = |store, name| {
        let held = store.claimed(&id(name), &claim("a"))?;
        text(Ok(held.map(|held| held.uses_left)))
    };
    let refund: Ask = |store, name| {
        // `claims` only reads: it marks no claim.
        let claims = store.claims(&id(name), None, 1)?;
        let grant = claims.first().map_or(GRANT, |(_, held)| held.grant);
        text(store.refund(&id(name), &claim("a"), grant))
    };
    let revoke: Ask = |store, name| text(store.revoke(&id(name), &FOR_GOOD));
    let suspended: Ask = |store, name| {
        insert(store, &record(name, Some(1)));
        text(store.revoke(&id(name), &REVERSIBLE))
    };
    let reinstate: Ask = |store, name| text(store.reinstate(&id(name)));
    let amend: Ask = |store, name| {
        let amendment = Amendment { name: Some(Some(name.to_owned())), metadata: None };
        text(store.amend(&id(name), &amendment))
    };
    // Another record takes the name first.
    let take: Ask = |store, name| {
        text(store.insert(&Record { name: Some(name.to_owned()), ..record(&format!("{name}, taken"), None) }))
    };
    let delete: Ask = |store, name| text(store.delete(&id(name)));
    let forget: Ask = |store, name| text(store.delete_generation(&Entity { id: name.to_owned(), ..user() }));
    let raise: Ask =
        |store, name| text(store.raise_generation(&Entity { id: name.to_owned(), ..user() }, &generation(1)));
    let sweep: Ask =
        |store, _| text(store.revoke_all(&Filter::All, &FOR_GOOD, None, 1000).map(|sweep| sweep.damaged));
    let revoke_before: Ask = |store, _| text(store.revoke_before(UnixTime::from_secs(5)));
    let restore: Ask = |store, name| {
        let subject = Entity { id: name.to_owned(), ..user() };
        text(store.restore(&[Item::Generation { subject, generation: generation(1) }]))
    };
    let reseal: Ask = |store, name| {
        let old = store.get(&id(name))?.unwrap().root_key;
        let new = record(name, None).root_key;
        text(store.reseal(&[Reseal { place: KeyPlace::Token(id(name)), old, new }]).map(|_| ()))
    };
    let case = |name, before, first, again, answer| Case { name, before, first, again, answer };
    vec![
        case("mint", nothing, mint, mint, "Exists"),
        case("spend", mint, spend, spend, "Spent { uses_left: Some(0), grant: None, repeated: true }"),
        case("claimed", spent, claimed, claimed, "Some(0)"),
        case("refund", spent, refund, refund, "NotClaimed"),
        case("kept", spent, spend, refund, "Kept"),
        case(
            "exhausted",
            mint,
            spend,
            |store, name| text(store.spend(&id(name), &claim("b"), &USE)),
            "Exhausted",
        ),
        case("revoke", mint, revoke, revoke, "Revoked"),
        case("reinstate", suspended, reinstate, reinstate, "Reinstated"),
        case("amend", mint, amend, amend, "Amended"),
        case("name taken", mint, take, amend, "NameTaken"),
        case("delete", mint, delete, delete, "Absent"),
        case("delete generation", raise, forget, forget, "Absent"),
        case("raise", nothing, raise, raise, "Stale { present: 1 }"),
        case("revoke all", mint, sweep, sweep, "0"),
        case("revoke before", nothing, revoke_before, revoke_before, "UnixTime(5)"),
        case("restore", nothing, restore, restore, "0"),
        case("reseal", mint, reseal, reseal, "()"),
    ]
}

// If the wait for the standby is cut short, a transaction committed on the primary alone becomes visible, and the
// next failover loses it. The store must acknowledge nothing that rests on it.
#[test]
fn what_the_standby_does_not_have_is_not_acknowledged() {
    let Some((primary, standby)) = pair() else { return };
    let url = primary.database();
    drop(store(&url));
    for cut in ["pg_terminate_backend", "pg_cancel_backend"] {
        for case in cases() {
            let name = format!("{} {cut}", case.name);
            let store = PostgresStore::open(&config(&url).connections(1, 1)).unwrap();
            (case.before)(&store, &name).unwrap();
            standby.signal("STOP");
            thread::scope(|scope| {
                let (done, answer) = mpsc::channel();
                let asked = (store.clone(), name.clone(), case.first, case.again);
                scope.spawn(move || {
                    let (store, name, first, again) = asked;
                    done.send(first(&store, &name).or_else(|_| again(&store, &name)))
                });
                let early = || answer.recv_timeout(Duration::from_millis(1)).ok();
                let wait = |but: &str| loop {
                    if let Some(pid) = waiting(&primary, but) {
                        break pid;
                    }
                    if let Some(answer) = early() {
                        standby.signal("CONT");
                        panic!("{name}: acknowledged without the standby: {answer:?}");
                    }
                };
                let pid = wait("0");
                primary.sql("postgres", &format!("SELECT {cut}({pid})")).unwrap();
                wait(&pid);
                standby.signal("CONT");
                let answer = answer.recv_timeout(Duration::from_secs(60)).unwrap();
                assert_eq!(answer.unwrap(), case.answer, "{name}");
            });
        }
    }
}

/// The URL of a database on several servers, or on stand-ins for them.
fn on(ports: &[u16], url: &str) -> String {
    let (before, database) = url.rsplit_once('/').unwrap();
    let (user, _) = before.rsplit_once('@').unwrap();
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("{user}@{}/{database}", hosts.join(","))
}

// The operating system accepts the connections; the server answers none.
#[test]
fn a_host_that_never_answers_hides_no_other() {
    let Some(server) = postgres::start(&["fsync=off"]) else { return };
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [mute.local_addr().unwrap().port(), server.port().unwrap()];
    let url = server.database();
    drop(store(&url));
    for more in ["", "&load_balance_hosts=random", "&connect_timeout=3600"] {
        let store = PostgresStore::open(&config(&format!("{}{more}", on(&ports, &url)))).unwrap();
        insert(&store, &record(&format!("a{more}"), None));
    }
}

// The store asks it every two seconds while it is open.
#[test]
fn a_login_that_is_given_up_leaves_no_connection() {
    let Some(server) = postgres::start(&["fsync=off"]) else { return };
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [mute.local_addr().unwrap().port(), server.port().unwrap()];
    let (closed, told) = mpsc::channel();
    thread::spawn(move || {
        for client in mute.incoming() {
            let (mut client, closed) = (client.unwrap(), closed.clone());
            thread::spawn(move || {
                assert!(client.read(&mut [0; 4096]).unwrap() > 0);
                // The login succeeds, and nothing is answered after it.
                client.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").unwrap();
                drop(io::copy(&mut client, &mut io::sink()));
                closed.send(())
            });
        }
    });
    let url = server.database();
    drop(store(&url));
    let store = PostgresStore::open(&config(&on(&ports, &url))).unwrap();
    told.recv_timeout(Duration::from_secs(60)).expect("the store closes what it gave up");
    drop(store);
}

#[test]
fn a_primary_that_is_paused_does_not_hide_its_successor() {
    let Some((primary, standby)) = pair() else { return };
    let url = primary.database();
    drop(store(&url));
    let url = on(&[primary.port().unwrap(), standby.port().unwrap()], &url);
    let config = config(&url).statement_timeout(Duration::from_secs(2));
    let before = PostgresStore::open(&config).unwrap();
    insert(&before, &record("a", Some(1)));
    primary.signal("STOP");
    standby.promote().unwrap();
    let after = PostgresStore::open(&config).unwrap();
    assert_eq!(plain(after.spend(&id("a"), &claim("x"), &USE).unwrap()), won(0));
    until("it is found", || before.spend(&id("a"), &claim("x"), &USE).is_ok());
    primary.signal("CONT");
}

// The former primary still runs, and a connection to it would read stale data.
#[test]
fn a_former_primary_that_lives_on_is_left() {
    let Some((primary, standby)) = pair() else { return };
    let url = primary.database();
    let here = on(&[primary.port().unwrap(), standby.port().unwrap()], &url);
    let here = store(&here);
    insert(&here, &record("a", Some(1)));
    assert!(!here.get(&id("a")).unwrap().unwrap().is_revoked());
    standby.promote().unwrap();
    let there = PostgresStore::open(&config(&on(&[standby.port().unwrap()], &url))).unwrap();
    assert_eq!(there.revoke(&id("a"), &FOR_GOOD).unwrap(), Revoke::Revoked);
    until("it is seen to be revoked", || here.get(&id("a")).is_ok_and(|record| record.unwrap().is_revoked()));
    assert_eq!(here.spend(&id("a"), &claim("x"), &USE).unwrap(), Spend::Revoked);
    insert(&here, &record("b", Some(1)));
    assert!(there.get(&id("b")).unwrap().is_some());
}

#[test]
fn a_log_that_went_back_is_refused() {
    for fenced in [false, true] {
        // A server that waits for no standby.
        let Some(primary) = postgres::start(&["fsync=on"]) else { return };
        let Some(standby) = primary.standby(&[]) else { return };
        let url = primary.database();
        let both = on(&[primary.port().unwrap(), standby.port().unwrap()], &url);
        let store = store(&both);
        insert(&store, &record("a", Some(1)));
        let received =
            "SELECT count(*)::text FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()";
        until("the standby has it", || {
            primary.sql("postgres", received).unwrap()[0][0].as_deref() == Some("1")
        });
        standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''").unwrap();
        standby.sql("postgres", "SELECT pg_reload_conf()").unwrap();
        let receivers = "SELECT count(*)::text FROM pg_stat_replication";
        until("it receives no more", || {
            primary.sql("postgres", receivers).unwrap()[0][0].as_deref() == Some("0")
        });
        assert_eq!(plain(store.spend(&id("a"), &claim("x"), &USE).unwrap()), won(0));
        if fenced {
            primary.signal("STOP");
        }
        standby.promote().unwrap();
        // Other hosts may write meanwhile, so that the new log becomes longer than the acknowledged one.
        standby.sql("postgres", "SELECT pg_switch_wal()").unwrap();
        let refused = || match store.spend(&id("a"), &claim("y"), &USE) {
            Err(StoreError::WentBack { found, acknowledged, .. }) => {
                let at = |position: &str| {
                    let (at, timeline) = position.split_once(" of timeline ").unwrap();
                    let (high, low) = at.split_once('/').unwrap();
                    let half = |digits| u64::from_str_radix(digits, 16).unwrap();
                    (half(high) << 32 | half(low), timeline.to_owned())
                };
                let (found, acknowledged) = (at(&found), at(&acknowledged));
                assert!(found.1 == "2" && found.0 < acknowledged.0, "{found:?} {acknowledged:?}");
                true
            }
            // The store does not know the new primary yet.
            Err(_) => false,
            Ok(answer) => {
                assert_eq!(answer, Spend::Exhausted, "it is spent");
                false
            }
        };
        until("it is refused", refused);
        drop(store);
        if !fenced {
            // Once the server that lacks it is stopped, the one that has everything is used.
            standby.signal("STOP");
            let store = PostgresStore::open(&config(&both)).unwrap();
            assert_eq!(store.spend(&id("a"), &claim("y"), &USE).unwrap(), Spend::Exhausted);
            drop(store);
            standby.signal("CONT");
        }
        // A newly opened store has seen no log, so it accepts the loss.
        let store = PostgresStore::open(&config(&both)).unwrap();
        assert_eq!(plain(store.spend(&id("a"), &claim("y"), &USE).unwrap()), won(0));
        primary.signal("CONT");
    }
}
