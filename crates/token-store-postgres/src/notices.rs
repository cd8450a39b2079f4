//! Notices between hosts, which invalidate cached records before their TTL ends.
//!
//! A notice is a statement of its own, sent after the change that it is about, over a connection of its own. In the
//! transaction of the change it would do harm: it would delay the commits of others (all transactions that notify
//! take one lock of the server until they end), could make a revocation fail (the server's queue of notices can be
//! full), and would fail on servers without notices. So a notice may be lost, and the cache's TTL stays the bound.

use std::{cell::RefCell, convert::Infallible, pin::pin, time::Duration};

use futures_util::future::select;
use token_store::{Entity, Invalidator, TokenId, kit};
use tokio::{
    sync::mpsc::{UnboundedReceiver, channel},
    time::{Instant, sleep, timeout},
};

use crate::{
    backoff::pause,
    error::Failure,
    hosts,
    kind::{Answers, Kind, Repeat},
    session::{Session, Target},
};

/// How long a call that revokes waits until its notice is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait at most before listening again.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The most notices handled in one second. With more, a cache does better without notices.
const MOST: u32 = 1_000;

/// The cost of a notice about everything: it makes all callers ask the store again.
const COST_OF_EVERYTHING: u32 = 100;

/// How long the listener pauses after a flood of notices.
const RESPITE: Duration = Duration::from_secs(5);

/// What a notice is about.
pub(crate) enum Subject {
    /// All records and generations.
    Everything,
    /// The record of a token.
    Token(TokenId),
    /// The generation of a subject.
    Generation(Entity),
}

impl Subject {
    // A server takes notices of less than 8,000 characters; those of the longest ids have some 2,100.
    fn to_text(&self) -> String {
        let hex = |kind: &str, bytes: &[u8]| {
            bytes.iter().fold(kind.to_owned(), |text, byte| format!("{text}{byte:02x}"))
        };
        match self {
            Self::Everything => String::new(),
            Self::Token(id) => hex("t", id.as_bytes()),
            Self::Generation(subject) => {
                kit::entity_key(subject).map_or_else(String::new, |key| hex("g", &key))
            }
        }
    }

    // Any user of the database can send notices. One that is not understood is about everything.
    fn of_text(text: &str) -> Self {
        let bytes = |hex: &str| -> Option<Vec<u8>> {
            let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
            let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
        };
        let token = || TokenId::new(bytes(text.strip_prefix('t')?)?).ok().map(Self::Token);
        let generation = || kit::entity_of(&bytes(text.strip_prefix('g')?)?).map(Self::Generation);
        token().or_else(generation).unwrap_or(Self::Everything)
    }

    fn invalidate(&self, cache: &Invalidator) {
        match self {
            Self::Everything => cache.invalidate_all(),
            Self::Token(id) => cache.invalidate(id),
            Self::Generation(subject) => cache.invalidate_generation(subject),
        }
    }
}

/// Sends notices.
pub(crate) struct Notices;

impl Kind for Notices {
    type Ask = Subject;
    type Answer = ();

    // A retry would repeat for ever on a server that warns at every notice.
    fn repeat(_: &Subject) -> Repeat {
        Repeat::OtherWrite
    }

    // A notice may be lost, so nobody waits for the standby.
    async fn ask(session: &Session, asks: &[&Subject], _: bool) -> Answers<Self> {
        const SQL: &str = "SELECT pg_notify('onetoken', a.notice) FROM unnest($1::text[]) AS a(notice)";
        let notices: Vec<String> = asks.iter().map(|subject| subject.to_text()).collect();
        session.query(SQL, &[&notices]).await?;
        Ok(vec![Some(()); asks.len()])
    }
}

/// Receives the notices of all hosts and invalidates what they name in the caches, until the store is dropped. Connects
/// once there is a cache.
pub(crate) async fn serve(mut caches: UnboundedReceiver<Invalidator>, target: Target) {
    let Some(first) = caches.recv().await else { return };
    let known = RefCell::new(vec![first]);
    let admit = async {
        while let Some(cache) = caches.recv().await {
            // The cache may hold records that earlier notices were about.
            cache.invalidate_all();
            known.borrow_mut().push(cache);
        }
    };
    select(pin!(admit), pin!(listen(&target, &known))).await;
}

async fn listen(target: &Target, known: &RefCell<Vec<Invalidator>>) -> Infallible {
    let mut failed = 0_u32;
    loop {
        let begun = Instant::now();
        // On any failure the caches work without notices until the next attempt.
        drop(hear(target, known).await);
        failed = if begun.elapsed() < LONGEST_DELAY { failed.saturating_add(1) } else { 1 };
        pause(failed, LONGEST_DELAY).await;
    }
}

// Listens until the connection is lost or too many notices arrive.
async fn hear(target: &Target, known: &RefCell<Vec<Invalidator>>) -> Result<(), Failure> {
    let (heard, mut notices) = channel(usize::try_from(MOST).unwrap_or(usize::MAX));
    let session = hosts::primary(target, Some(target.config.statement_timeout), Some(&heard)).await?;
    drop(heard);
    session.simple("LISTEN onetoken").await?;
    // Earlier notices were missed.
    known.borrow().iter().for_each(Invalidator::invalidate_all);
    target.meter.add(|metrics| &mut metrics.listens, 1);
    let (mut since, mut cost) = (Instant::now(), 0_u32);
    let flooded = loop {
        match timeout(hosts::WATCH, notices.recv()).await {
            Ok(Some(notice)) => {
                if since.elapsed() >= Duration::from_secs(1) {
                    (since, cost) = (Instant::now(), 0);
                }
                let subject = Subject::of_text(&notice);
                let is_everything = matches!(subject, Subject::Everything);
                cost = cost.saturating_add(if is_everything { COST_OF_EVERYTHING } else { 1 });
                if cost > MOST {
                    break true;
                }
                known.borrow().iter().for_each(|cache| subject.invalidate(cache));
                target.meter.add(|metrics| &mut metrics.notices, 1);
            }
            // The channel is closed with the connection, or because it was full.
            Ok(None) => break !session.is_broken(),
            Err(_) if session.is_sound().await => {}
            Err(_) => break false,
        }
    };
    session.close().await;
    if flooded {
        // The notices of this pause are missed.
        known.borrow().iter().for_each(Invalidator::invalidate_all);
        sleep(RESPITE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use token_store::{CacheConfig, CachedStore, MemoryStore, TokenStore as _};

    #[test]
    fn a_notice_is_about_what_it_names_and_anything_else_about_everything() {
        let (id, other) = (TokenId::new([0, 255]).unwrap(), TokenId::new("T").unwrap());
        let subject = Entity { kind: "user".into(), id: "u1".into() };
        let of_id = Subject::Token(id.clone()).to_text();
        let of_subject = Subject::Generation(subject.clone()).to_text();
        // The flags say which of the three reads ask the store again. Absent records are cached too.
        for (notice, forgotten) in [
            (&*of_id, [true, false, false]),
            (&*of_subject, [false, false, true]),
            ("", [true; 3]),
            ("t0", [true; 3]),
            ("tzz", [true; 3]),
            ("t+1+1", [true; 3]),
            ("t\u{e9}", [true; 3]),
            ("x00", [true; 3]),
            ("t", [true; 3]),
            ("g00", [true; 3]),
        ] {
            let store = CachedStore::new(
                MemoryStore::new(),
                CacheConfig { absent_ttl: Duration::MAX, ..CacheConfig::default() },
            );
            let read = |which: usize| {
                let before = store.metrics().misses;
                match which {
                    0 => drop(store.get(&id).unwrap()),
                    1 => drop(store.get(&other).unwrap()),
                    _ => drop(store.generation(&subject).unwrap()),
                }
                store.metrics().misses > before
            };
            assert_eq!([0, 1, 2].map(read), [true; 3]);
            assert_eq!([0, 1, 2].map(read), [false; 3]);
            Subject::of_text(notice).invalidate(&store.invalidator());
            assert_eq!([0, 1, 2].map(read), forgotten, "{notice:?}");
        }
    }
}
