//! The progress of a long command, for a person who waits.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use crate::{output::Terminal, time::span};

/// Work that ends sooner shows no progress.
const FIRST: Duration = Duration::from_secs(1);

/// The shortest time between two updates.
const PAUSE: Duration = Duration::from_millis(100);

/// A line on standard error that is rewritten, if that is a terminal. Removed on drop.
pub(crate) struct Progress {
    begun: Instant,
    shown_at: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// A line that is shown later, by [`tell`](Self::tell).
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), shown_at: None, shown: io::stderr().is_terminal() }
    }

    /// Hidden if the answers themselves, on this terminal, show the progress.
    pub(crate) fn beside(terminal: &Terminal) -> Self {
        let progress = Self::new();
        Self { shown: progress.shown && !terminal.is_terminal(), ..progress }
    }

    /// Whether it is visible; otherwise the caller can skip work that only it needs.
    pub(crate) const fn is_shown(&self) -> bool {
        self.shown
    }

    /// Shows a line, unless it is too early for the first or for another.
    pub(crate) fn tell(&mut self, line: impl fmt::Display) {
        let is_early = match self.shown_at {
            None => self.begun.elapsed() < FIRST,
            Some(shown_at) => shown_at.elapsed() < PAUSE,
        };
        if !self.shown || is_early {
            return;
        }
        self.shown_at = Some(Instant::now());
        // A failed write cannot be reported. ECMA-48 §8.3.41: erases the rest of the line.
        drop(write!(io::stderr().lock(), "\r{line}\u{1b}[K"));
    }

    /// Shows how many of how many are done, and the time that the rest takes at this rate.
    pub(crate) fn tell_part(&mut self, done: u64, all: u64) {
        self.tell(part(done, all, self.begun.elapsed()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown_at.is_some() {
            drop(write!(io::stderr().lock(), "\r\u{1b}[K"));
        }
    }
}

/// Does work of unknown length, and shows its time so far.
pub(crate) fn during<T>(doing: &str, work: impl FnOnce() -> T) -> T {
    let mut progress = Progress::new();
    if !progress.shown {
        return work();
    }
    thread::scope(|scope| {
        let (working, done) = mpsc::channel::<()>();
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = done.recv_timeout(PAUSE) {
                progress.tell(format_args!("{doing}: {} so far", span(progress.begun.elapsed().as_secs())));
            }
        });
        let result = work();
        drop(working);
        result
    })
}

/// How many of how many are done, and about how long the rest takes at this rate.
fn part(done: u64, all: u64, elapsed: Duration) -> String {
    let ratio = |count: u64, by: u64, of: u64| {
        let product = u128::from(count).saturating_mul(by.into());
        product.checked_div(of.into()).and_then(|ratio| u64::try_from(ratio).ok())
    };
    let percent = ratio(done.min(all), 100, all).unwrap_or_default();
    let left = ratio(all.saturating_sub(done), elapsed.as_secs(), done).filter(|left| *left > 0);
    let left = left.map_or_else(String::new, |left| format!(", about {} left", span(left)));
    format!("{percent:>3} %  {done} of {all}{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_percentage_and_what_is_left() {
        let part = |done, all, secs| part(done, all, Duration::from_secs(secs));
        assert_eq!(part(0, 4, 10), "  0 %  0 of 4");
        assert_eq!(part(1, 3, 10), " 33 %  1 of 3, about 20 seconds left");
        assert_eq!(part(2, 3, 0), " 66 %  2 of 3");
        assert_eq!(part(5, 4, 10), "100 %  5 of 4");
        assert_eq!(part(0, 0, 10), "  0 %  0 of 0");
        assert_eq!(part(1000, 181_000, 2), "  0 %  1000 of 181000, about 6 minutes left");
        assert!(part(u64::MAX - 1, u64::MAX, 0).starts_with(" 99 %"));
        assert!(
            part(1, u64::MAX, u64::MAX).ends_with(&format!(" of {}", u64::MAX)),
            "longer than can be shown"
        );
    }
}
