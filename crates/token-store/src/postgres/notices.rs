//! What hosts tell each other of what is void, so that no cache has to wait for the end of its time.
//!
//! A notice is a statement of its own, after the one that it is about, over a connection of its own. In the same
//! transaction it would hold up the commits of others (all that notify take one lock of the server until they are
//! done), could make a revocation fail that nobody hears (the server's queue of notices has an end), and would not run
//! where there are no notices. So one may be lost, and the time that a cache keeps a record stays the bound.

use std::{cell::RefCell, convert::Infallible, pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    kind::{Column, Kind, Repeat, column},
    lane::pause,
    metrics::Meter,
    session::{IDLE, Session, Target},
};
use crate::{Invalidator, layout};

/// How long whoever voids something waits for the notice of it to be out.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait at most before listening again.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

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
        if hear(target, limit, meter, known).await.is_ok_and(|heard| heard) {
            failed = 0;
        }
        failed = failed.saturating_add(1);
        pause(failed, LONGEST_DELAY).await;
    }
}

// Listens until the connection is lost. Returns whether it lasted.
async fn hear(
    target: &Target,
    limit: Option<Duration>,
    meter: &Meter,
    known: &RefCell<Vec<Invalidator>>,
) -> Result<bool, Failure> {
    let (heard, mut notices) = unbounded_channel();
    let session = Session::connect(target, limit, Some(heard)).await?;
    session.simple("LISTEN onetoken").await?;
    // What was said before was missed.
    known.borrow().iter().for_each(Invalidator::invalidate_all);
    meter.listening();
    let mut lasted = false;
    loop {
        match timeout(IDLE, notices.recv()).await {
            Ok(Some(notice)) => {
                known.borrow().iter().for_each(|cache| apply(&notice, cache));
                meter.heard();
            }
            Err(_) if session.is_sound().await => {}
            Ok(None) | Err(_) => break,
        }
        lasted = true;
    }
    session.close().await;
    Ok(lasted)
}

// Whoever may connect to the database may say anything: what is not understood is about everything.
fn apply(notice: &str, cache: &Invalidator) {
    match key(notice).as_deref().and_then(layout::entry_of) {
        Some(layout::Entry::Record(id)) => cache.invalidate(&id),
        Some(layout::Entry::Generation(subject)) => cache.invalidate_generation(&subject),
        _ => cache.invalidate_all(),
    }
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
            apply(notice, &store.invalidator());
            assert_eq!([0, 1, 2].map(read), forgotten, "{notice:?}");
        }
    }
}
