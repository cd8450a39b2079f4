//! The lines that the harness reads.

use std::{
    fmt,
    io::{self, Write},
};

/// Writes one line to standard output. Lines of several threads do not mix.
pub(crate) fn line(line: fmt::Arguments<'_>) -> io::Result<()> {
    // In one system call: a killed process has written the whole line or nothing.
    let line = format!("{line}\n");
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}
