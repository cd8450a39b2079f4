//! The shared part of these programs: the work, as `benches/peers/run` passes it, and the clock.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// The token to mint and the time to measure: the arguments of every program, in this order.
pub struct Work {
    /// How long each work is repeated.
    pub time: Duration,
    pub secret: String,
    pub location: String,
    pub identifier: String,
    /// `time < EXPIRES`
    pub caveat: String,
    /// The expiry in the caveat, in Unix seconds.
    pub expires: u64,
    /// The caveat that is added to the finished token.
    pub further: String,
    /// The time to verify at, in Unix seconds.
    pub now: u64,
}

impl Work {
    pub fn from_args() -> Outcome<Self> {
        let mut args = std::env::args().skip(1);
        let mut next = || args.next().ok_or("an argument is missing");
        let time = Duration::from_secs_f64(next()?.parse()?);
        let (secret, location, identifier) = (next()?, next()?, next()?);
        let (caveat, further, now) = (next()?, next()?, next()?.parse()?);
        let expires = expiry(&caveat).ok_or("no expiry")?;
        Ok(Self { time, secret, location, identifier, caveat, expires, further, now })
    }

    /// Repeats a work and prints the time of one repetition.
    pub fn measure<T>(&self, work: &str, result: Option<&str>, mut once: impl FnMut() -> T) {
        /// Long enough for the clock's resolution, short enough that some batches are not interrupted.
        const BATCH: Duration = Duration::from_micros(100);
        let mut batch = |count: u32| {
            let start = Instant::now();
            for _ in 0..count {
                black_box(once());
            }
            start.elapsed()
        };
        let mut count = 1;
        while batch(count) < BATCH {
            count *= 2;
        }
        // Warms up until the processor's caches and clock have settled.
        let start = Instant::now();
        while start.elapsed() < self.time / 4 {
            batch(count);
        }
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < self.time {
            times.push(batch(count).as_secs_f64() * 1e9 / f64::from(count));
        }
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0], times[times.len() / 2]);
        println!("{}", serde_json::json!({"work": work, "ns": best, "median_ns": median, "text": result}));
    }
}

/// The expiry in a caveat `time < EXPIRES`.
pub fn expiry(caveat: &str) -> Option<u64> {
    caveat.strip_prefix("time < ")?.parse().ok()
}

/// The text with another signature.
pub fn forge(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = bytes.len() - 12;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}

/// Panics if the result is wrong.
pub fn require(holds: bool, what: &str) -> Outcome<()> {
    if holds { Ok(()) } else { Err(format!("wrong result: {what}").into()) }
}
