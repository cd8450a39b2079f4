//! How far a long command is, for a person who waits.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How often it is told at most.
const PAUSE: Duration = Duration::from_millis(100);

/// How many characters a bar has.
const WIDTH: u64 = 30;

/// A line on standard error that is written over and over, if that is a terminal. It goes when dropped.
pub(crate) struct Progress {
    told: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { told: None, shown: io::stderr().is_terminal() }
    }

    /// Whether anybody sees it: what is found out for it alone need not be.
    pub(crate) const fn is_shown(&self) -> bool {
        self.shown
    }

    pub(crate) fn tell(&mut self, line: impl fmt::Display) {
        if !self.shown || self.told.is_some_and(|told| told.elapsed() < PAUSE) {
            return;
        }
        self.told = Some(Instant::now());
        // Where it cannot be written there is nobody to tell. ECMA-48 §8.3.41: the rest of the line goes.
        drop(write!(io::stderr().lock(), "\r{line}\u{1b}[K"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.told.is_some() {
            drop(write!(io::stderr().lock(), "\r\u{1b}[K"));
        }
    }
}

/// A bar: so many of so many.
pub(crate) struct Bar {
    pub(crate) done: u64,
    pub(crate) all: u64,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |of: u64| {
            let part = u128::from(self.done.min(self.all)).saturating_mul(of.into());
            part.checked_div(self.all.into()).and_then(|part| usize::try_from(part).ok()).unwrap_or_default()
        };
        let (filled, width) = (part(WIDTH), usize::try_from(WIDTH).unwrap_or_default());
        let (bar, rest) = ("#".repeat(filled), ".".repeat(width.saturating_sub(filled)));
        write!(f, "[{bar}{rest}] {:>3} %  {} of {}", part(100), self.done, self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up() {
        let bar = |done, all| Bar { done, all }.to_string();
        assert_eq!(bar(0, 4), "[..............................]   0 %  0 of 4");
        assert_eq!(bar(1, 3), "[##########....................]  33 %  1 of 3");
        assert_eq!(bar(5, 4), "[##############################] 100 %  5 of 4");
        assert!(bar(u64::MAX - 1, u64::MAX).starts_with("[#############################.]  99 %"));
        assert_eq!(bar(0, 0), "[..............................]   0 %  0 of 0");
    }
}
