//! The cost of one token, by the number of its caveats and by the length of one.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use token_core::{
    Context, DecodeOptions, Encoding, Format, Limits, Macaroon, RootKey, Subject, UnixTime, Verifier,
};

use token_bench::machine::Outcome;

const CAVEATS: [usize; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const BYTES: [usize; 9] = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1 << 20];

/// Prints the cost of minting to text and of verifying from text, in nanoseconds, for each point.
pub(crate) fn measure(time: Duration, tell: &mut impl FnMut(Value)) -> Outcome<()> {
    for caveats in CAVEATS {
        let predicates = vec!["time < 8374891234".to_owned(); caveats];
        let (mint_ns, verify_ns, len) = cost(&predicates, Format::V1, time)?;
        tell(json!({
            "measure": "cost", "by": "caveats", "caveats": caveats, "text_bytes": len,
            "mint_ns": mint_ns, "verify_ns": verify_ns,
        }));
    }
    for bytes in BYTES {
        // A v1 packet ends at 64 KiB.
        let (mint_ns, verify_ns, len) = cost(&[consumers(bytes)], Format::V2, time)?;
        tell(json!({
            "measure": "cost", "by": "bytes", "bytes": bytes, "text_bytes": len,
            "mint_ns": mint_ns, "verify_ns": verify_ns,
        }));
    }
    Ok(())
}

/// A list of this length whose last item alone matches the request, so that verification reads all of it.
fn consumers(len: usize) -> String {
    const BEGIN: &str = "consumer = ";
    const OTHER: &str = "usr-another1|";
    const LAST: &str = "usr-the-one";
    let mut list = BEGIN.to_owned();
    while list.len() + OTHER.len() + LAST.len() <= len {
        list.push_str(OTHER);
    }
    list.push_str(LAST);
    list
}

/// Returns the best times to mint and to verify, in nanoseconds, and the length of the text.
fn cost(predicates: &[String], format: Format, time: Duration) -> Outcome<(f64, f64, usize)> {
    let mut limits = Limits::ONEDATA;
    // As text, 1 MiB is a third longer, and the other fields add to it.
    limits.text *= 2;
    let options = DecodeOptions::within(limits);
    let mut context = Context::at(UnixTime::from_secs(1_700_000_000));
    context.consumer = Some(Subject::User("the-one".into()));
    let key = || RootKey::derive_any(black_box(b"verySecretSecret5"));
    let identifier = b"2/nmd/usr-u1/ssp:s1:ge/id";
    let mint = || -> Outcome<String> {
        let mut macaroon = Macaroon::mint(&key(), "domain.example.com", identifier)?;
        for predicate in predicates {
            macaroon.attenuate(predicate)?;
        }
        Ok(macaroon.to_text(format, Encoding::Base64Url)?)
    };
    let text = mint()?;
    let verify = || -> Outcome<()> {
        let (macaroon, _) = Macaroon::from_text(black_box(&text), &options)?;
        Verifier::new(&context).within(limits).verify(&macaroon, &key())?;
        Ok(())
    };
    Ok((best(time, mint)?, best(time, verify)?, text.len()))
}

/// Returns the best of many short batches, in nanoseconds per call.
///
/// Measures processor time, not wall time: the longest calls take some milliseconds, in which a busy machine always
/// does other work as well.
fn best<T>(time: Duration, once: impl Fn() -> Outcome<T>) -> Outcome<f64> {
    const BATCH: f64 = 1e5;
    let batch = |count: u32| -> Outcome<f64> {
        let start = processor_time_ns();
        for _ in 0..count {
            black_box(once()?);
        }
        Ok(processor_time_ns() - start)
    };
    let mut count = 1;
    while batch(count)? < BATCH {
        count *= 2;
    }
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed() < time {
        best = best.min(batch(count)? / f64::from(count));
    }
    Ok(best)
}

/// Returns the processor time of this thread, in nanoseconds.
fn processor_time_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "exact for three months")]
    let ns = (time.tv_sec * 1_000_000_000 + time.tv_nsec) as f64;
    ns
}
