//! Exit codes.

use std::process::ExitCode;

/// The exit codes, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done; for a verification: accepted.
    Done,
    /// The token is refused.
    Refused,
    /// The command line is wrong.
    Usage,
    /// The token, a caveat or an identifier is malformed.
    Malformed,
    /// A file or the store cannot be used, or is damaged.
    Unusable,
}

impl Exit {
    /// The exit code of work that skipped damaged records.
    pub(crate) const fn of_damage(is_damaged: bool) -> Self {
        if is_damaged { Self::Unusable } else { Self::Done }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Malformed => 3,
            Exit::Unusable => 4,
        })
    }
}
