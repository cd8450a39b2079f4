//! A primary and its standby: what is acknowledged survives the primary.

use std::{sync::mpsc, thread, time::Duration};

use token_core::UnixTime;
use token_store::{
    Administration as _, Entity, Filter, Generation, Item, KeyPlace, PostgresStore, Reseal, StoreError,
    TokenStore as _,
};
use token_test::postgres::{self, Server};

use crate::{GRANT, claim, config, id, insert, plain, record, store, until};

/// A durable primary, and the synchronous standby without which it acknowledges nothing.
fn pair() -> Option<(Server, Server)> {
    let primary = postgres::start(&["fsync=on", "synchronous_standby_names=standby"])?;
    let standby = primary.standby(&[])?;
    let state = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("the standby streams", || !primary.sql("postgres", state).unwrap().is_empty());
    Some((primary, standby))
}

fn generation(number: u64) -> Generation {
    Generation { number, root_key: record("x", None).root_key }
}

fn user() -> Entity {
    Entity { kind: "user".into(), id: "u1".into() }
}

/// The process that waits for the standby on behalf of a store, but for this one.
fn waiting(server: &Server, but: &str) -> Option<String> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity
         WHERE wait_event = 'SyncRep' AND application_name = 'onetoken' AND pid <> {but}"
    );
    server.sql("postgres", &sql).unwrap().into_iter().flatten().next().flatten()
}

type Ask = fn(&PostgresStore, &str) -> Result<String, StoreError>;

/// What is asked for and committed on the primary alone, and what is asked then.
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
    let spend: Ask = |store, name| text(store.redeem(&id(name), &claim("a")).map(plain));
    let spent: Ask = |store, name| {
        insert(store, &record(name, Some(1)));
        text(store.redeem(&id(name), &claim("a")))
    };
    let claimed: Ask = |store, name| {
        let held = store.claimed(&id(name), &claim("a"))?;
        text(Ok(held.map(|held| held.uses_left)))
    };
    let refund: Ask = |store, name| {
        // Looked at, and not asked for: no claim is marked by it.
        let claims = store.claims(&id(name), None, 1)?;
        let grant = claims.first().map_or(GRANT, |(_, held)| held.grant);
        text(store.refund(&id(name), &claim("a"), grant))
    };
    let revoke: Ask = |store, name| text(store.revoke(&id(name)));
    let raise: Ask =
        |store, name| text(store.raise_generation(&Entity { id: name.to_owned(), ..user() }, &generation(1)));
    let sweep: Ask = |store, _| text(store.revoke_all(&Filter::All, None, 1000).map(|sweep| sweep.damaged));
    let void: Ask = |store, _| text(store.void_before(UnixTime::from_secs(5)));
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
        case("spend", mint, spend, spend, "Redeemed { uses_left: Some(0), grant: None, repeated: true }"),
        case("claimed", spent, claimed, claimed, "Some(0)"),
        case("refund", spent, refund, refund, "NotClaimed"),
        case("kept", spent, spend, refund, "Kept"),
        case("exhausted", mint, spend, |store, name| text(store.redeem(&id(name), &claim("b"))), "Exhausted"),
        case("revoke", mint, revoke, revoke, "Revoked"),
        case("raise", nothing, raise, raise, "Stale { present: 1 }"),
        case("revoke all", mint, sweep, sweep, "0"),
        case("void", nothing, void, void, "UnixTime(5)"),
        case("restore", nothing, restore, restore, "0"),
        case("reseal", mint, reseal, reseal, "()"),
    ]
}

// A transaction that was committed on the primary alone becomes visible when the wait for its standby is cut short, and
// is lost by the next failover: nothing that rests on it may be acknowledged.
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
