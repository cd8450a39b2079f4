//! Measures one verification of a stored token by each store: of a token that is accepted, and of tokens that are
//! refused.
//!
//! `cargo run --release -p token-bench --bin verified -- [RECORDS]`; 100,000 records unless said otherwise.
//!
//! Writes one JSON document per line. Each figure is that of the best of many short batches, as in `ratios`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made stops"
)]

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use token_api::{
    AcceptError, CacheConfig, CachedStore, Lifetime, MemoryStore, MintRequest, Purpose, TokenStore,
};
use token_bench::machine::{self, Outcome};
use token_core::{DecodeOptions, Encoding, Format, Subject, Token, UnixTime};
use token_store::RedbStore;
use token_test::world::{SPACE, START, World};

/// How many callers fill a store: they share its syncs.
const FILLERS: usize = 64;
/// How many tokens are verified in turn.
const SAMPLE: usize = 1000;
const BATCH: usize = 16;
const TIME: Duration = Duration::from_secs(2);

fn main() -> Outcome<()> {
    let records = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    println!("{}", machine::line());
    measure("memory", records, MemoryStore::new());
    let directory = tempfile::tempdir()?;
    let redb = RedbStore::create(directory.path().join("redb"))?;
    measure("redb", records, redb.clone());
    let config = CacheConfig { ttl: Duration::from_secs(3600), ..CacheConfig::default() };
    measure("cached", 0, CachedStore::new(redb, config));
    Ok(())
}

fn measure(name: &str, records: usize, store: impl TokenStore) {
    let world = World::over(store);
    fill(&world, records);
    let mint = |world: &World<_>, lifetime| {
        let mut request = MintRequest::space_support(SPACE, Subject::User("owner"));
        request.lifetime = lifetime;
        world.authority.mint(&request).unwrap()
    };
    let texts = |make: &dyn Fn() -> String| (0..SAMPLE).map(|_| make()).collect::<Vec<_>>();
    let accepted = texts(&|| mint(&world, None).token);
    let expired = texts(&|| mint(&world, Some(Lifetime::Until(UnixTime::from_secs(START + 1)))).token);
    let revoked = texts(&|| {
        let minted = mint(&world, None);
        let _ = world.authority.revoke(&minted.id, None).unwrap();
        minted.token
    });
    let forged = texts(&|| forge(&mint(&world, None).token));
    let other = World::new();
    let request = MintRequest::space_support(SPACE, Subject::User("owner"));
    let unknown = texts(&|| other.authority.mint(&request).unwrap().token);
    world.set_time(START + 2);
    for (what, texts, is_accepted) in [
        ("accepted", accepted, true),
        ("expired", expired, false),
        ("revoked", revoked, false),
        ("bad signature", forged, false),
        ("unknown id", unknown, false),
    ] {
        let best = best(&texts, |text| {
            let context = world.authority.context();
            let answer = world.authority.verify(black_box(text), Some(Purpose::SpaceSupport), &context);
            assert!(!matches!(answer, Err(AcceptError::Failed(_))));
            assert_eq!(answer.is_ok(), is_accepted);
        });
        println!("{}", json!({ "store": name, "records": records, "verify": what, "ns": best.round() }));
    }
}

fn fill<S: TokenStore>(world: &World<S>, records: usize) {
    let fill = || {
        let request = MintRequest::space_support(SPACE, Subject::User("owner"));
        (0..records / FILLERS).for_each(|_| drop(world.authority.mint(&request).unwrap()));
    };
    thread::scope(|scope| (0..FILLERS).for_each(|_| drop(scope.spawn(fill))));
}

/// Changes the last character of a token's signature.
fn forge(text: &str) -> String {
    let token = Token::decode(text, &DecodeOptions::default()).unwrap();
    let text = token.written_as(Format::V1, Encoding::Base64Url).encode().unwrap();
    let (rest, end) = text.split_at(text.len() - 5);
    let (flipped, tail) = end.split_at(1);
    [rest, if flipped == "A" { "B" } else { "A" }, tail].concat()
}

/// The nanoseconds of one call, in the best batch.
fn best(texts: &[String], call: impl Fn(&str)) -> f64 {
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    // At first each is read once, so that a cache has it.
    texts.iter().for_each(|text| call(text));
    for batch in texts.chunks(BATCH).cycle() {
        let began = Instant::now();
        batch.iter().for_each(|text| call(text));
        best = best.min(began.elapsed().as_nanos() as f64 / batch.len() as f64);
        if start.elapsed() > TIME {
            break;
        }
    }
    best
}
