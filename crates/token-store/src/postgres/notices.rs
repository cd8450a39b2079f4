//! What hosts tell each other of what is void, so that no cache has to wait for the end of its time.
//!
//! A notice is a statement of its own, after the one that it is about, over a connection of its own. In the same
//! transaction it would hold up the commits of others (all that notify take one lock of the server until they are
//! done), could make a revocation fail that nobody hears (the server's queue of notices has an end), and would not run
//! where there are no notices. So one may be lost, and the time that a cache keeps a record stays the bound.

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
use crate::{Invalidator, layout};

/// How long whoever voids something waits for the notice of it to be out.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait at most before listening again.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// How much is listened to within a second. Beyond it caches do better without notices.
const MOST: u32 = 1_000;

/// What a notice that is about everything counts for: all callers ask the store again.
const COST_OF_EVERYTHING: u32 = 100;

/// How long nothing is listened to after that.
const RESPITE: Duration = Duration::from_secs(5);

/// The notice that is about everything: no key is empty.
pub(super) const EVERYTHING: Vec<u8> = Vec::new();

/// A notice has less than 8,000 characters, two for each byte.
const MAX_LEN: usize = 3_900;

/// Gives notice of keys.
pub(super) struct Notices;

impl Kind for Notices {
    // Where it stands in the key space of all stores: a record, or the generation of a subject.
    type Ask = Vec<u8>;
    type Answer = ();

    // A notice may be lost.
    const READS: bool = true;

    const SQL: &'static str = "
        SELECT pg_notify('onetoken', encode(a.key, 'hex')) FROM unnest($1::bytea[]) AS a(key)";

    fn subject(_: &Vec<u8>) -> Option<Vec<u8>> {
        None
    }

    // A server that warns at every notice would be asked over and over.
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

/// Hears the notices of all hosts, and has caches forget what they are about.
pub(super) struct Listener {
    /// The caches. Nothing is listened to until there is one.
    pub(super) caches: UnboundedReceiver<Invalidator>,
    pub(super) target: Target,
    pub(super) limit: Option<Duration>,
    pub(super) meter: Arc<Meter>,
}

impl Listener {
    /// Listens until nobody can name another cache any more: the store is gone.
    pub(super) async fn run(self) {
        let Self { mut caches, target, limit, meter } = self;
        let Some(first) = caches.recv().await else { return };
        let known = RefCell::new(vec![first]);
        let admit = async {
            while let Some(cache) = caches.recv().await {
                // It may hold what notices were about that came before.
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
        // Whatever is wrong with the server, the caches go on without notices.
        match hear(target, limit, meter, known).await {
            Ok(Heard::Flooded) => {
                // What was said meanwhile is not heard.
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

/// What came of listening, until it ended.
enum Heard {
    Nothing,
    /// The connection lasted for some time.
    Some,
    /// More than is listened to.
    Flooded,
}

// Listens until the connection is lost, or too much is said.
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
    // What was said before was missed.
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
            // The connection would be there if it had not been too much.
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

// Whoever may connect to the database may say anything: what is not understood is about everything.
fn apply(entry: Option<&layout::Entry>, cache: &Invalidator) {
    match entry {
        Some(layout::Entry::Record(id)) => cache.invalidate(id),
        Some(layout::Entry::Generation(subject)) => cache.invalidate_generation(subject),
        _ => cache.invalidate_all(),
    }
}

// What a notice is about; `None` for everything.
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
        // Which of the three reads ask the store again: what is absent is kept as well.
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
