//! The parts of the measurement, each a process: filling a store, working on it, opening it.

use std::{
    fs,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use token_api::{Authority, Config, Host, HostError, MintRequest, Purpose};
use token_bench::{
    load::{self, Pace},
    machine::{self, Outcome},
};
use token_core::Subject;
use token_store::{Administration, Entity, Filter, KeyRing, TokenId};
use token_test::{SplitMix64, stores::named};

use crate::{Store, log};

/// The numbers of callers at once.
const CALLERS: [usize; 3] = [1, 16, 64];
/// The log, mints and spends are measured this often, in turn: their medians met the same disk.
const ROUNDS: usize = 3;
/// The most tokens of the filled store that are read and spent, spread over all of it.
const SAMPLE: usize = 100_000;
/// How many tokens each resource has.
const OF_RESOURCE: usize = 10;
/// The most records that are purged beside callers.
const PURGED: usize = 100_000;
/// How many records a step of a purge removes.
const STEP: usize = 1_000;

/// A host for which everything exists and every user may do anything.
struct Anything;

impl Host for Anything {
    fn exists(&self, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn may(&self, _: Subject<&str>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }
}

/// An authority whose tokens are for as many spaces as there are tens of records, by a fifth as many users.
struct Worked {
    authority: Authority<Box<dyn Administration>, Anything>,
    spaces: usize,
}

struct Token {
    id: TokenId,
    text: String,
}

impl Worked {
    fn new(store: Box<dyn Administration>, keys: KeyRing, records: usize) -> Outcome<Self> {
        let authority = Authority::new(store, keys, Anything, Config::default())?;
        Ok(Self { authority, spaces: records.div_ceil(OF_RESOURCE) })
    }

    /// Opens the store that was filled.
    fn open(store: &Store, records: usize) -> Outcome<Self> {
        Self::new(open_store(store)?, KeyRing::load(store.place.join("keys"))?, records)
    }

    fn space(&self, number: usize) -> String {
        format!("space-{:028}", number % self.spaces)
    }

    fn mint(&self, number: usize) -> Outcome<Token> {
        let (space, user) = (self.space(number), format!("user-{:027}", number % self.spaces.div_ceil(5)));
        let minted = self.authority.mint(&MintRequest::space_support(&space, Subject::User(&user)))?;
        Ok(Token { id: minted.id, text: minted.token })
    }

    fn verify(&self, token: &Token) -> Outcome<()> {
        self.authority.verify(&token.text, Some(Purpose::SpaceSupport), &self.authority.context())?;
        Ok(())
    }

    fn spend(&self, token: &Token) -> Outcome<()> {
        let (claim, mut context) = (self.authority.draw_claim()?, self.authority.context());
        context.consumer = Some(Subject::Provider("p1".into()));
        let spent = self.authority.spend(&token.text, Purpose::SpaceSupport, &claim, &context)?;
        if spent.repeated { Err("a new claim is an old one".into()) } else { Ok(()) }
    }

    /// Mints this many tokens. Returns a sample of them in random order.
    fn fill(&self, records: usize, threads: usize) -> Outcome<(Pace, Vec<Token>)> {
        let every = records.div_ceil(SAMPLE).max(1);
        let (pace, minted) = load::calls(threads, records, Duration::MAX, |number| {
            let token = self.mint(number)?;
            Ok(number.is_multiple_of(every).then_some(token))
        })?;
        let mut sample: Vec<Token> = minted.into_iter().flatten().collect();
        let mut random = SplitMix64::new(1);
        for last in (1..sample.len()).rev() {
            sample.swap(last, random.below(last + 1));
        }
        Ok((pace, sample))
    }
}

fn open_store(store: &Store) -> Outcome<Box<dyn Administration>> {
    #[cfg(feature = "postgres")]
    if store.is_shared() {
        return Ok(Box::new(token_store_postgres::PostgresStore::open(&store.engine.parse()?)?));
    }
    Ok((named(&store.engine).open)(&store.place.join("store"))?)
}

fn create_store(store: &Store) -> Outcome<Box<dyn Administration>> {
    #[cfg(feature = "postgres")]
    if store.is_shared() {
        token_store_postgres::PostgresStore::init(&store.engine.parse()?)?;
        return open_store(store);
    }
    Ok((named(&store.engine).create)(&store.place.join("store"))?)
}

fn tell(line: &Value) {
    println!("{line}");
}

/// Creates a store and fills it. The keys and a sample of the tokens are kept beside it.
pub(crate) fn fill(store: &Store, records: usize) -> Outcome<()> {
    let keys = KeyRing::create(store.place.join("keys"))?;
    let worked = Worked::new(create_store(store)?, keys, records)?;
    let (pace, sample) = worked.fill(records, 64)?;
    drop(worked);
    let mut file = BufWriter::new(fs::File::create(store.place.join("tokens"))?);
    for token in sample {
        writeln!(file, "{} {}", token.id, token.text)?;
    }
    file.flush()?;
    tell(&json!({"fill_s": rounded(pace.time.as_secs_f64(), 2)}));
    if !store.is_shared() {
        let bytes = machine::on_disk(&store.place.join("store"))?;
        tell(&json!({"bytes_per_record": bytes / u64::try_from(records)?}));
    }
    Ok(())
}

/// Opens the store that was killed.
pub(crate) fn open(store: &Store) -> Outcome<()> {
    let start = Instant::now();
    let opened = open_store(store)?;
    let time = start.elapsed();
    drop(opened);
    tell(&json!({"open_after_kill_s": rounded(time.as_secs_f64(), 3)}));
    Ok(())
}

/// Measures a store with more and more callers. Then mints until it is killed, if it is on this machine's disk.
pub(crate) fn work(store: &Store, records: usize, time: Duration) -> Outcome<()> {
    let name = store.name();
    let (worked, sample, before) = if name == "memory" {
        let before = machine::resident()?;
        let worked = Worked::new(create_store(store)?, KeyRing::generate()?, records)?;
        let (_, sample) = worked.fill(records, thread::available_parallelism()?.get())?;
        (worked, sample, before)
    } else {
        let sample = sample(store)?;
        let before = machine::resident()?;
        let start = Instant::now();
        let worked = Worked::open(store, records)?;
        tell(&json!({"open_s": rounded(start.elapsed().as_secs_f64(), 3)}));
        (worked, sample, before)
    };
    let get = load::calls(1, sample.len(), time, |number| {
        worked.authority.store().get(&at(&sample, number)?.id)?.ok_or("no record")?;
        Ok(())
    })?;
    let verify = load::calls(1, sample.len(), time, |number| worked.verify(at(&sample, number)?))?;
    tell(&json!({"get_us": micros(&get.0), "verify_us": micros(&verify.0), "page_ms": page_ms(&worked)?}));
    let bytes = entry_bytes(&worked)?;
    let mut old = sample.chunks((sample.len() / CALLERS.len()).max(1));
    for callers in CALLERS {
        let log = || match name {
            "memory" => Ok(f64::NAN),
            _ => log::per_second(&store.place, bytes, callers, time),
        };
        let figures = medians(&worked, callers, time, log)?;
        let old = old.next().ok_or("no sample")?;
        let spent = load::calls(callers, old.len(), time, |number| worked.spend(at(old, number)?))?;
        tell(&json!({
            "store": name, "records": records, "threads": callers,
            "mint_per_s": rounded(figures.mint, 0), "spend_per_s": rounded(figures.spend, 0),
            "log_per_s": rounded(figures.log, 0), "x_log": rounded(figures.mint / figures.log, 2),
            "p99_ms": rounded(figures.mint_p99, 2), "spend_p99_ms": rounded(figures.spend_p99, 2),
            "old_spend_per_s": rounded(spent.0.per_second(), 0),
        }));
    }
    tell(&json!({"resident_mib": machine::resident()?.saturating_sub(before) >> 20}));
    tell(&purge(&worked)?);
    if name != "memory" && !store.is_shared() {
        println!();
        load::calls(64, usize::MAX, Duration::MAX, |number| worked.mint(number).map(|_| ()))?;
    }
    Ok(())
}

fn sample(store: &Store) -> Outcome<Vec<Token>> {
    let token = |line: std::io::Result<String>| -> Outcome<Token> {
        let line = line?;
        let (id, text) = line.split_once(' ').ok_or("no token")?;
        Ok(Token { id: TokenId::new(id)?, text: text.to_owned() })
    };
    BufReader::new(fs::File::open(store.place.join("tokens"))?).lines().map(token).collect()
}

/// Calls a second, and the milliseconds that 99 % of them stay below.
struct Medians {
    log: f64,
    mint: f64,
    mint_p99: f64,
    spend: f64,
    spend_p99: f64,
}

/// Measures the log, mints, and spends of the tokens just minted.
fn medians(
    worked: &Worked,
    callers: usize,
    time: Duration,
    log: impl Fn() -> Outcome<f64>,
) -> Outcome<Medians> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let log = log()?;
        let (minted, tokens) = load::calls(callers, usize::MAX, time, |number| worked.mint(number))?;
        let spent = load::calls(callers, tokens.len(), time, |number| worked.spend(at(&tokens, number)?))?.0;
        rounds.push(Medians {
            log,
            mint: minted.per_second(),
            mint_p99: millis(minted.quantile(0.99)),
            spend: spent.per_second(),
            spend_p99: millis(spent.quantile(0.99)),
        });
    }
    let median = |figure: fn(&Medians) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(ROUNDS / 2).copied().unwrap_or(f64::NAN)
    };
    Ok(Medians {
        log: median(|round| round.log),
        mint: median(|round| round.mint),
        mint_p99: median(|round| round.mint_p99),
        spend: median(|round| round.spend),
        spend_p99: median(|round| round.spend_p99),
    })
}

/// The median time of a listing of one resource's tokens.
fn page_ms(worked: &Worked) -> Outcome<Value> {
    let mut random = SplitMix64::new(2);
    let mut times = Vec::new();
    for _ in 0..101 {
        let filter = Filter::Resource(Entity::space(worked.space(random.below(worked.spaces))));
        let start = Instant::now();
        let page = worked.authority.store().list(&filter, None, 2 * OF_RESOURCE)?;
        times.push(start.elapsed());
        if page.records.is_empty() {
            return Err("a resource has no tokens".into());
        }
    }
    times.sort();
    Ok(rounded(millis(*times.get(50).ok_or("no times")?), 2))
}

/// How long a record is, encoded.
fn entry_bytes(worked: &Worked) -> Outcome<usize> {
    let token = worked.mint(0)?;
    Ok(worked.authority.store().get(&token.id)?.ok_or("no record")?.to_bytes()?.len())
}

/// Purges spent records while 64 callers mint, in steps.
fn purge(worked: &Worked) -> Outcome<Value> {
    let (done, now) = (AtomicBool::new(false), worked.authority.now());
    thread::scope(|scope| {
        let minting = scope.spawn(|| {
            let more = |_| !done.load(Ordering::Relaxed);
            load::calls_while(64, usize::MAX, more, |number| worked.mint(number).map(|_| ()))
        });
        let start = Instant::now();
        let purged = steps(|| Ok(worked.authority.store().purge_spent(now, Duration::ZERO, STEP)?));
        let time = start.elapsed();
        done.store(true, Ordering::Relaxed);
        let pace = minting.join().map_err(|_| "a thread panicked")??.0;
        let purged = purged?;
        Ok(json!({
            "purged": purged,
            "purge_us": rounded(time.as_secs_f64() * 1e6 / f64::from(purged), 1),
            "purge_p99_ms": rounded(millis(pace.quantile(0.99)), 2),
        }))
    })
}

/// Repeats a step until it purges less than it may, or enough is purged. Returns how many records are.
fn steps(step: impl Fn() -> Outcome<usize>) -> Outcome<u32> {
    let mut purged = 0;
    loop {
        let now = step()?;
        purged += now;
        if now < STEP || purged >= PURGED {
            return Ok(u32::try_from(purged)?);
        }
    }
}

fn at(tokens: &[Token], number: usize) -> Outcome<&Token> {
    tokens.get(number).ok_or_else(|| "no such token".into())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The mean time of a call, in microseconds.
fn micros(pace: &Pace) -> Value {
    rounded(1e6 / pace.per_second(), 2)
}

/// Not a number becomes null.
fn rounded(value: f64, digits: i32) -> Value {
    let scale = 10_f64.powi(digits);
    json!((value * scale).round() / scale)
}
