//! Calls from many threads that each call as fast as they can.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::machine::Outcome;

/// The speed of calls.
#[derive(Debug)]
pub struct Pace {
    /// From the first call to the end of the last.
    pub time: Duration,
    /// In nanoseconds.
    latencies: Histogram<u64>,
}

impl Pace {
    /// How many calls ended in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
        let calls = self.latencies.len() as f64;
        calls / self.time.as_secs_f64()
    }

    /// The time that this share of the calls stayed below.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_quantile(share))
    }
}

/// Calls with the numbers from 0, until the time is over or the numbers are used up. Returns the results in no order.
///
/// # Errors
/// If a call fails.
pub fn calls<T: Send>(
    threads: usize,
    numbers: usize,
    time: Duration,
    call: impl Fn(usize) -> Outcome<T> + Sync,
) -> Outcome<(Pace, Vec<T>)> {
    calls_while(threads, numbers, |elapsed| elapsed < time, call)
}

/// As [`calls`], until this says no. It gets the time since the first call.
///
/// # Errors
/// If a call fails.
pub fn calls_while<T: Send>(
    threads: usize,
    numbers: usize,
    more: impl Fn(Duration) -> bool + Sync,
    call: impl Fn(usize) -> Outcome<T> + Sync,
) -> Outcome<(Pace, Vec<T>)> {
    let (next, barrier) = (AtomicUsize::new(0), Barrier::new(threads));
    let worker = || -> Outcome<Share<T>> {
        barrier.wait();
        let (mut latencies, mut results) = (Histogram::new(3)?, Vec::new());
        let begin = Instant::now();
        let mut start = begin;
        while more(start.duration_since(begin)) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers {
                break;
            }
            results.push(call(number)?);
            let end = Instant::now();
            latencies.record(u64::try_from(end.duration_since(start).as_nanos())?)?;
            start = end;
        }
        Ok(Share { begin, end: start, latencies, results })
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        // The workers report the times: the waiting thread may get no processor until they are done.
        let (mut begin, mut end) = (None, None);
        let (mut latencies, mut results) = (Histogram::new(3)?, Vec::new());
        for worker in workers {
            let share = worker.join().map_err(|_| "a thread panicked")??;
            begin = Some(begin.map_or(share.begin, |first: Instant| first.min(share.begin)));
            end = end.max(Some(share.end));
            latencies.add(share.latencies)?;
            results.extend(share.results);
        }
        let time = end.zip(begin).map_or(Duration::ZERO, |(end, begin)| end.duration_since(begin));
        Ok((Pace { time, latencies }, results))
    })
}

/// The calls of one thread.
struct Share<T> {
    begin: Instant,
    end: Instant,
    latencies: Histogram<u64>,
    results: Vec<T>,
}
