//! Output: one document, or lines for people.

use std::{
    env, fmt,
    io::{self, IsTerminal as _, Write as _},
};

use clap::ColorChoice;
use serde::Serialize;
use token_core::{DecodeOptions, EncodeError, Macaroon};
use token_embed::Written;

use crate::{bytes::Plain, error::Failure, exit::Exit};

/// Standard output and standard error.
pub(crate) struct Terminal {
    out: io::Stdout,
    color: bool,
    json: bool,
}

/// The role of a text, which decides its color.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Good,
    Bad,
    Warning,
    Faint,
}

impl Terminal {
    /// A terminal that prints answers as documents if `json` says so.
    pub(crate) fn new(color: ColorChoice, json: bool) -> Self {
        let out = io::stdout();
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                out.is_terminal() && !refused
            }
        };
        Self { out, color, json }
    }

    /// Whether standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.is_terminal()
    }

    /// Marks what holds and what does not: by a sign if this is a terminal that shows it, else by a word.
    pub(crate) fn mark(&self, holds: bool) -> &'static str {
        match (self.is_terminal() && is_utf8(), holds) {
            (true, true) => "✓",
            (true, false) => "✗",
            (false, true) => "yes",
            (false, false) => "no ",
        }
    }

    /// Whether answers are documents.
    pub(crate) const fn prints_json(&self) -> bool {
        self.json
    }

    /// The width of a line in characters; `None` if standard output is no terminal.
    pub(crate) fn width(&self) -> Option<usize> {
        let (terminal_size::Width(width), _) = terminal_size::terminal_size_of(&self.out)?;
        Some(width.into())
    }

    /// Fails if standard output is closed. For output that must not get lost.
    pub(crate) fn must_be_open(&self) -> Result<(), Failure> {
        // If that cannot be told, the write will fail instead.
        #[cfg(unix)]
        if is_closed(&self.out).unwrap_or(false) {
            return Err(Failure::output(io::Error::other("it is closed")));
        }
        Ok(())
    }

    /// Writes the document with `--json`, and else the text for people.
    pub(crate) fn answer(&self, document: &impl Serialize, text: impl fmt::Display) -> Result<(), Failure> {
        if self.json { self.document(document) } else { self.text(text) }
    }

    /// Writes a token that this command made. Refuses a token that a reader with these options could not read.
    pub(crate) fn token(
        &self,
        written: Result<String, EncodeError>,
        options: &DecodeOptions,
    ) -> Result<(), Failure> {
        let token = written?;
        // Its readers have the same limits: better to hit them here.
        Macaroon::from_text(&token, options)?;
        let text = format!("{token}\n");
        self.answer(&Written::from(token), text)
    }

    /// Writes one document on a line of its own and flushes it. Fails, and writes nothing, if it cannot be serialized.
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<(), Failure> {
        let mut bytes = serde_json::to_vec(value).map_err(|error| Failure::output(error.into()))?;
        bytes.push(b'\n');
        self.bytes(&bytes)
    }

    /// Writes lines for people.
    pub(crate) fn text(&self, text: impl fmt::Display) -> Result<(), Failure> {
        self.bytes(text.to_string().as_bytes())
    }

    /// Writes exactly these bytes.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = &self.out;
        out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::output)
    }

    /// Reports a failure to people and, if `json` says so, to programs, and returns its exit code.
    pub(crate) fn failure(&self, failure: &Failure, json: bool) -> Exit {
        if failure.exit() != Exit::Done {
            if json {
                // If this fails too, standard error and the exit code remain.
                drop(self.document(&failure.document()));
            }
            self.note(failure);
        }
        failure.exit()
    }

    /// Writes lines to standard error if that is a terminal.
    pub(crate) fn tell(&self, text: impl fmt::Display) {
        let mut err = io::stderr().lock();
        if err.is_terminal() {
            drop(write!(err, "{text}"));
        }
    }

    /// Writes a line to standard error, escaped: names of files and texts of a server must not steer the terminal.
    pub(crate) fn note(&self, message: impl fmt::Display) {
        let message = message.to_string();
        // A closed standard error cannot be reported.
        drop(writeln!(io::stderr().lock(), "onetoken: {}", Plain(message.as_bytes())));
    }

    /// The text in the color of its role; the text alone if there is no color.
    pub(crate) fn paint(&self, style: Style, text: impl fmt::Display) -> String {
        // ECMA-48 §8.3.117
        let code = match style {
            _ if !self.color => return text.to_string(),
            Style::Good => "32",
            Style::Bad => "31",
            Style::Warning => "33",
            Style::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether the locale's encoding is UTF-8. The first variable that is set decides (POSIX, XBD 8.2).
fn is_utf8() -> bool {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Rust opens `/dev/null` for reading and writing in the place of a closed standard stream, where shells open it
/// for writing alone. A parent that opens it as Rust does goes unnoticed.
#[cfg(unix)]
fn is_closed(out: &io::Stdout) -> io::Result<bool> {
    use std::{
        fs,
        io::Read as _,
        os::{
            fd::AsFd as _,
            unix::fs::{FileTypeExt as _, MetadataExt as _},
        },
    };
    let mut out = fs::File::from(out.as_fd().try_clone_to_owned()?);
    let (found, null) = (out.metadata()?, fs::metadata("/dev/null")?);
    let is_null = found.file_type().is_char_device() && found.rdev() == null.rdev();
    Ok(is_null && out.read(&mut [0]).is_ok())
}
