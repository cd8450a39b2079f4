//! Notices between hosts, which invalidate cached records before their TTL ends.
//!
//! A notice is a statement of its own, sent after the change that it is about, over a connection of its own. In the
//! transaction of the change it would do harm: it would delay the commits of others (all transactions that notify
//! take one lock of the server until they end), could make a revocation fail (the server's queue of notices can be
//! full), and would fail on servers without notices. So a notice may be lost, and the cache's TTL stays the bound.

use std::{cell::RefCell, convert::Infallible, pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use tokio::{
    sync::mpsc::{UnboundedReceiver, channel},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    hosts,
    kind::{Column, Kind, Repeat, column},
    lane::pause,
    metrics::Meter,
    session::Target,
};
use crate::{Invalidator, embedded::layout};

/// How long a call that voids something waits until its notice is sent.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait at most before listening again.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The most notices handled in one second. With more, a cache does better without notices.
const MOST: u32 = 1_000;

/// The cost of a notice about everything: it makes all callers ask the store again.
const COST_OF_EVERYTHING: u32 = 100;

/// How long the listener pauses after a flood of notices.
const RESPITE: Duration = Duration::from_secs(5);

/// The key of a notice about everything: no other key is empty.
pub(super) const EVERYTHING: Vec<u8> = Vec::new();

/// The longest key, in bytes: a notice has less than 8,000 characters, two for each byte.
const MAX_LEN: usize = 3_900;

/// Sends notices of keys.
pub(super) struct Notices;

impl Kind for Notices {
    // The key of a record or of a subject's generation in the layout.
    type Ask = Vec<u8>;
    type Answer = ();

    // A notice may be lost.
    const READS: bool = true;

    const SQL: &'static str = "
        SELECT pg_notify('onetoken', encode(a.key, 'hex')) FROM unnest($1::bytea[]) AS a(key)";

    fn subject(_: &Vec<u8>) -> Option<Vec<u8>> {
        None
    }

    // A retry would repeat for ever on a server that warns at every notice.
    fn repeat(_: &Vec<u8>) -> Repeat {
        Repeat::OtherWrite
    }

    fn parameters<'a>(asks: &[&'a Vec<u8>]) -> Vec<Column<'a>> {
        vec![column(asks, |key| if key.len() > MAX_LEN { &[] } else { &**key })]
    }

    fn answers(asks: &[&Vec<u8>], _: &[Row]) -> Result<Vec<Option<()>>, Failure> {
        Ok(vec![Some(()); asks.len()])
    }
}

/// Receives the notices of all hosts and invalidates what they name in the caches.
pub(super) struct Listener {
    /// The caches. The listener connects once there is one.
    pub(super) caches: UnboundedReceiver<Invalidator>,
    pub(super) target: Target,
    pub(super) limit: Option<Duration>,
    pub(super) meter: Arc<Meter>,
}

impl Listener {
    /// Listens until the store is dropped.
    pub(super) async fn run(self) {
        let Self { mut caches, target, limit, meter } = self;
        let Some(first) = caches.recv().await else { return };
        let known = RefCell::new(vec![first]);
        let admit = async {
            while let Some(cache) = caches.recv().await {
                // The cache may hold records that earlier notices voided.
                cache.invalidate_all();
                known.borrow_mut().push(cache);
            }
        };
        select(pin!(admit), pin!(listen(&target, limit, &meter, &known))).await;
    }
}

async fn listen(
    target: &Target,
    limit: Option<Duration>,
    meter: &Meter,
    known: &RefCell<Vec<Invalidator>>,
) -> Infallible {
    let mut failed = 0_u32;
    loop {
        // On any failure the caches work without notices until the next attempt.
        match hear(target, limit, meter, known).await {
            Ok(Heard::Flooded) => {
                // The notices of this pause are missed.
                known.borrow().iter().for_each(Invalidator::invalidate_all);
                sleep(RESPITE).await;
                failed = 0;
            }
            Ok(Heard::Some) => failed = 0,
            Ok(Heard::Nothing) | Err(_) => {}
        }
        failed = failed.saturating_add(1);
        pause(failed, LONGEST_DELAY).await;
    }
}

/// How listening ended.
enum Heard {
    Nothing,
    /// The connection lasted for some time.
    Some,
    /// Too many notices arrived.
    Flooded,
}

// Listens until the connection is lost or too many notices arrive.
async fn hear(
    target: &Target,
    limit: Option<Duration>,
    meter: &Meter,
    known: &RefCell<Vec<Invalidator>>,
) -> Result<Heard, Failure> {
    let (heard, mut notices) = channel(usize::try_from(MOST).unwrap_or(usize::MAX));
    let session = hosts::primary(target, limit, Some(&heard)).await?;
    drop(heard);
    session.simple("LISTEN onetoken").await?;
    // Earlier notices were missed.
    known.borrow().iter().for_each(Invalidator::invalidate_all);
    meter.listening();
    let mut lasted = Heard::Nothing;
    let (mut since, mut cost) = (Instant::now(), 0_u32);
    loop {
        match timeout(hosts::WATCH, notices.recv()).await {
            Ok(Some(notice)) => {
                if since.elapsed() >= Duration::from_secs(1) {
                    (since, cost) = (Instant::now(), 0);
                }
                let entry = entry(&notice);
                cost = cost.saturating_add(if entry.is_some() { 1 } else { COST_OF_EVERYTHING });
                if cost > MOST {
                    lasted = Heard::Flooded;
                    break;
                }
                known.borrow().iter().for_each(|cache| apply(entry.as_ref(), cache));
                meter.heard();
            }
            Err(_) if session.is_sound().await => {}
            // The channel was closed because it was full.
            Ok(None) if !session.is_broken() => {
                lasted = Heard::Flooded;
                break;
            }
            Ok(None) | Err(_) => break,
        }
        lasted = Heard::Some;
    }
    session.close().await;
    Ok(lasted)
}

// Any user of the database can send notices. One that is not understood invalidates everything.
fn apply(entry: Option<&layout::Entry>, cache: &Invalidator) {
    match entry {
        Some(layout::Entry::Record(id)) => cache.invalidate(id),
        Some(layout::Entry::Generation(subject)) => cache.invalidate_generation(subject),
        _ => cache.invalidate_all(),
    }
}

// The entry that a notice names; `None` for everything.
fn entry(notice: &str) -> Option<layout::Entry> {
    let entry = key(notice).as_deref().and_then(layout::entry_of)?;
    matches!(entry, layout::Entry::Record(_) | layout::Entry::Generation(_)).then_some(entry)
}

fn key(notice: &str) -> Option<Vec<u8>> {
    let (pairs, []) = notice.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CacheConfig, CachedStore, Entity, MemoryStore, TokenId, TokenStore as _};

    fn hex(key: &[u8]) -> String {
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_notice_is_about_what_it_names_and_anything_else_about_everything() {
        let (id, other) = (TokenId::new([0, 255]).unwrap(), TokenId::new("T").unwrap());
        let subject = Entity { kind: "user".into(), id: "u1".into() };
        let of_id = hex(&layout::record(&id));
        let of_subject = hex(&layout::generation(&subject));
        // The flags say which of the three reads ask the store again. Absent records are cached too.
        for (notice, forgotten) in [
            (&*of_id, [true, false, false]),
            (&*of_subject, [false, false, true]),
            ("", [true; 3]),
            ("0", [true; 3]),
            ("zz", [true; 3]),
            ("+1+1", [true; 3]),
            ("\u{e9}", [true; 3]),
            ("ff00", [true; 3]),
            ("01", [true; 3]),
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
            apply(entry(notice).as_ref(), &store.invalidator());
            assert_eq!([0, 1, 2].map(read), forgotten, "{notice:?}");
        }
    }
}
