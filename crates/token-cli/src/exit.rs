//! Exit codes.

use std::process::ExitCode;

/// The exit codes, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; for a verification: accepted.
    Done = 0,
    /// The token is refused.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The token, a caveat or an identifier is malformed.
    Malformed = 3,
    /// A file or the store cannot be used, or is damaged.
    Unusable = 4,
}

impl Exit {
    /// The exit code of work that skipped damaged records.
    pub(crate) const fn of_damage(is_damaged: bool) -> Self {
        if is_damaged { Self::Unusable } else { Self::Done }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
