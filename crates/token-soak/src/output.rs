//! The lines that the harness reads.

use std::{
    fmt,
    io::{self, Write},
};

/// Standard output, a whole line at a time.
#[derive(Debug, Default)]
pub(crate) struct Output(());

impl Output {
    /// Writes one line out, before it returns. Lines of several threads do not mix.
    pub(crate) fn line(&self, line: fmt::Arguments<'_>) -> io::Result<()> {
        // In one call to the system: a process that is killed has told a line or it has not.
        let line = format!("{line}\n");
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.flush()
    }
}
