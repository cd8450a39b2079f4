//! The progress of a long command, for a person who waits.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use crate::time::Span;

/// Work that ends sooner shows no progress.
const FIRST: Duration = Duration::from_secs(1);

/// The shortest time between two updates.
const PAUSE: Duration = Duration::from_millis(100);

/// How many characters a bar has.
const WIDTH: u64 = 30;

/// A line on standard error that is rewritten, if that is a terminal. Removed on drop.
pub(crate) struct Progress {
    begun: Instant,
    shown_at: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), shown_at: None, shown: io::stderr().is_terminal() }
    }

    /// A hidden one.
    pub(crate) fn hidden() -> Self {
        Self { shown: false, ..Self::new() }
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
        self.tell(Bar { done, all, elapsed: self.begun.elapsed() });
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
                progress.tell(format_args!("{doing}: {} so far", Span(progress.begun.elapsed().as_secs())));
            }
        });
        let result = work();
        drop(working);
        result
    })
}

/// A bar with the counts and the remaining time.
struct Bar {
    done: u64,
    all: u64,
    elapsed: Duration,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |of: u64| {
            let part = u128::from(self.done.min(self.all)).saturating_mul(of.into());
            part.checked_div(self.all.into()).and_then(|part| usize::try_from(part).ok()).unwrap_or_default()
        };
        let (filled, width) = (part(WIDTH), usize::try_from(WIDTH).unwrap_or_default());
        let (bar, rest) = ("#".repeat(filled), ".".repeat(width.saturating_sub(filled)));
        write!(f, "[{bar}{rest}] {:>3} %  {} of {}", part(100), self.done, self.all)?;
        let left =
            u128::from(self.all.saturating_sub(self.done)).saturating_mul(self.elapsed.as_secs().into());
        match left.checked_div(self.done.into()).and_then(|left| u64::try_from(left).ok()) {
            None | Some(0) => Ok(()),
            Some(left) => write!(f, ", about {} left", Span(left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up() {
        let bar = |done, all| Bar { done, all, elapsed: Duration::ZERO }.to_string();
        assert_eq!(bar(0, 4), "[..............................]   0 %  0 of 4");
        assert_eq!(bar(1, 3), "[##########....................]  33 %  1 of 3");
        assert_eq!(bar(5, 4), "[##############################] 100 %  5 of 4");
        assert!(bar(u64::MAX - 1, u64::MAX).starts_with("[#############################.]  99 %"));
        assert_eq!(bar(0, 0), "[..............................]   0 %  0 of 0");
    }

    #[test]
    fn a_bar_tells_what_is_left() {
        let bar = |done, all, secs| Bar { done, all, elapsed: Duration::from_secs(secs) }.to_string();
        assert!(bar(1, 3, 10).ends_with("  1 of 3, about 20 seconds left"));
        assert!(bar(1000, 181_000, 2).ends_with(", about 6 minutes left"));
        for silent in [bar(0, 3, 10), bar(3, 3, 10), bar(2, 3, 0), bar(4, 3, 10)] {
            assert!(!silent.contains("left"), "{silent}");
        }
        assert!(
            bar(1, u64::MAX, u64::MAX).ends_with(&format!(" of {}", u64::MAX)),
            "longer than can be shown_at"
        );
    }
}
