//! Output: one document, or lines for people.

use std::{
    env, fmt,
    io::{self, IsTerminal as _, Write},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::ColorChoice;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::error::{Exit, Failure};

/// Standard output and standard error.
pub(crate) struct Terminal {
    out: io::Stdout,
    color: bool,
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
    pub(crate) fn new(color: ColorChoice) -> Self {
        let out = io::stdout();
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                out.is_terminal() && !refused
            }
        };
        Self { out, color }
    }

    /// Whether standard output is seen by a person.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.is_terminal()
    }

    /// The width of a line in characters, where a person sees it.
    pub(crate) fn width(&self) -> Option<usize> {
        let (terminal_size::Width(width), _) = terminal_size::terminal_size_of(&self.out)?;
        Some(width.into())
    }

    /// Writes one document on a line of its own and flushes it.
    pub(crate) fn document(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        Document::new(value).and_then(|document| document.write(&mut self.out)).map_err(Failure::Output)
    }

    /// Refuses a closed standard output, for output that must not get lost.
    pub(crate) fn must_be_open(&self) -> Result<(), Failure> {
        match is_closed(&self.out) {
            Ok(true) => Err(Failure::Output(io::Error::other("it is closed"))),
            // The write will fail instead.
            Ok(false) | Err(_) => Ok(()),
        }
    }

    /// Writes lines for people.
    pub(crate) fn text(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        let text = text.to_string();
        self.bytes(text.as_bytes())
    }

    /// Writes exactly these bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).and_then(|()| self.out.flush()).map_err(Failure::Output)
    }

    /// Reports a failure to people and, if asked, to programs.
    pub(crate) fn failure(&mut self, failure: &Failure, json: bool) -> Exit {
        if json {
            // The reader has gone away and needs no document.
            drop(self.document(&failure.document()));
        }
        self.note(failure);
        failure.exit()
    }

    /// Writes lines to standard error, if a person sees them.
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

    pub(crate) fn paint<T: fmt::Display>(&self, style: Style, text: T) -> Painted<T> {
        Painted { style: self.color.then_some(style), text }
    }
}

/// Turns an error of standard output into a failure, except that the reader has closed it.
pub(crate) fn failed(error: &io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::Done;
    }
    drop(writeln!(io::stderr().lock(), "onetoken: standard output cannot be written: {error}"));
    Exit::Unusable
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

#[cfg(not(unix))]
fn is_closed(_out: &io::Stdout) -> io::Result<bool> {
    Ok(false)
}

/// A text in its color, if there is color.
pub(crate) struct Painted<T> {
    style: Option<Style>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ECMA-48 §8.3.117
        let code = match self.style {
            None => return self.text.fmt(f),
            Some(Style::Good) => "32",
            Some(Style::Bad) => "31",
            Some(Style::Warning) => "33",
            Some(Style::Faint) => "2",
        };
        write!(f, "\u{1b}[{code}m{}\u{1b}[0m", self.text)
    }
}

/// A document, serialized before any of it is written.
pub(crate) struct Document(Vec<u8>);

impl Document {
    pub(crate) fn new(value: &impl Serialize) -> io::Result<Self> {
        let mut bytes = serde_json::to_vec(value)?;
        bytes.push(b'\n');
        Ok(Self(bytes))
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.0)?;
        out.flush()
    }
}

/// Bytes of a token in a document: a string, or `{"base64url":…}` if they are not UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_struct("Bytes", 1)?;
                map.serialize_field("base64url", &URL_SAFE_NO_PAD.encode(&self.0))?;
                map.end()
            }
        }
    }
}

/// Escaped bytes of a token, for people: the author of the token must not steer the terminal.
pub(crate) struct Plain<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                // Quotes and backslashes do no harm; `escape_debug` knows what does not print.
                let mut escaped = character.escape_debug();
                match (escaped.len(), character) {
                    (1, _) | (_, '"' | '\'' | '\\') => f.write_char(character)?,
                    _ => escaped.try_for_each(|part| f.write_char(part))?,
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let hostile = "a\u{1b}[2J\u{202e}b\n\u{7}\u{9b}é".as_bytes();
        assert_eq!(Plain(hostile).to_string(), r"a\u{1b}[2J\u{202e}b\n\u{7}\u{9b}é");
        assert_eq!(Plain(b"path = \"a\\b\" \xff").to_string(), r#"path = "a\b" \xff"#);
    }

    #[test]
    fn bytes_that_are_no_text_are_base64url() {
        let json = |bytes: &[u8]| serde_json::to_string(&Bytes::from(bytes)).unwrap();
        assert_eq!(json(b"text"), r#""text""#);
        assert_eq!(json(b"\xfb\xff"), r#"{"base64url":"-_8"}"#);
    }
}
