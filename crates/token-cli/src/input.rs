//! Tokens and secrets from the command line, from standard input and from files.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead as _, BufReader, IsTerminal as _, Read},
    path::Path,
};

use token_core::{DecodeError, DecodeOptions, Inspection, Macaroon, Spelling, Token, UnixTime, inspect};
use zeroize::Zeroizing;

use crate::error::{Failure, Malformed, UsageError};

/// The greatest length of a token's text that is read, in bytes: twice that of any token, so that one that is too long
/// still gets its diagnosis.
pub(crate) const MAX_TEXT: usize = 2 << 20;

/// The greatest length of a file that holds a secret, in bytes.
const MAX_SECRET: usize = 1 << 20;

/// The most bytes of standard input that are read ahead: the capacity of a pipe on Linux.
const READ_AHEAD: usize = 64 << 10;

/// The name that stands for standard input.
pub(crate) const INPUT: &str = "-";

/// The source of a token.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Argument(&'a OsStr),
    Input,
}

impl<'a> Source<'a> {
    /// Takes an omitted token from standard input. Fails if that is a terminal, where nothing waits to be read.
    pub(crate) fn of(argument: Option<&'a OsStr>) -> Result<Self, UsageError> {
        match argument {
            Some(argument) if argument != INPUT => Ok(Self::Argument(argument)),
            None if io::stdin().is_terminal() => Err(UsageError::NoToken),
            Some(_) | None => Ok(Self::Input),
        }
    }

    /// Standard input, from which `--lines` reads. Fails if a token other than `-` is given.
    pub(crate) fn of_lines(argument: Option<&OsStr>) -> Result<Self, UsageError> {
        argument
            .is_none_or(|argument| argument == INPUT)
            .then_some(Self::Input)
            .ok_or(UsageError::TokenWithLines)
    }

    /// Reads the token, without a line end at its end. A text too long for any token is [`Text::TooLong`], not an
    /// error.
    pub(crate) fn read(self) -> Result<Text, Failure> {
        match self {
            Self::Argument(argument) => Ok(Text::Argument(argument.to_owned())),
            Self::Input => {
                let mut bytes = Vec::new();
                let most = MAX_TEXT.saturating_add(2);
                bounded(io::stdin().lock(), most).read_to_end(&mut bytes).map_err(Failure::Input)?;
                if bytes.len() > most {
                    return Ok(Text::TooLong);
                }
                cut_line_end(&mut bytes);
                Ok(Text::Whole(bytes))
            }
        }
    }
}

/// Refuses to read more than one token or secret from standard input.
pub(crate) fn at_most_one(from_input: impl IntoIterator<Item = bool>) -> Result<(), UsageError> {
    let count = from_input.into_iter().filter(|from_input| *from_input).count();
    if count > 1 { Err(UsageError::InputTwice) } else { Ok(()) }
}

/// An argument in the place of a token.
pub(crate) enum Text {
    /// Read from standard input.
    Whole(Vec<u8>),
    /// From the command line.
    Argument(OsString),
    /// More than [`MAX_TEXT`] bytes, of which none was kept.
    TooLong,
}

impl Text {
    /// Its length in bytes, as far as it was kept.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Argument(argument) => argument.len(),
            Self::TooLong => 0,
        }
    }

    /// The text. Fails if it is not UTF-8, or is [`TooLong`](Self::TooLong).
    pub(crate) fn as_str(&self) -> Result<&str, Malformed> {
        let bytes = match self {
            Self::TooLong => return Err(Malformed::too_long(MAX_TEXT)),
            Self::Whole(bytes) => bytes,
            Self::Argument(argument) => argument.as_encoded_bytes(),
        };
        std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Malformed::not_text(String::from_utf8_lossy(before).chars().count())
        })
    }

    /// Inspects the token without a key. A malformed one is diagnosed, with its expiry judged at `now`.
    pub(crate) fn inspection(&self, options: &DecodeOptions, now: UnixTime) -> Result<Inspection, Malformed> {
        let damaged = |damage| self.file_name().unwrap_or_else(|| Malformed::token(damage, now));
        inspect(self.as_str()?, options).map_err(damaged)
    }

    /// The error for a caller who gave the name of a file or a pipe in place of a token; `None` for any other text.
    pub(crate) fn file_name(&self) -> Option<Malformed> {
        let Self::Argument(name) = self else { return None };
        let is_readable = fs::metadata(name).is_ok_and(|metadata| !metadata.is_dir());
        // A shell takes it without quotes.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let plain = name.to_str().filter(|name| name.bytes().all(is_plain));
        is_readable.then(|| Malformed::file_name(plain.unwrap_or("FILE")))
    }

    /// Decodes the macaroon. A malformed one is diagnosed, with its expiry judged at `now`.
    pub(crate) fn macaroon(
        &self,
        options: &DecodeOptions,
        now: UnixTime,
    ) -> Result<(Macaroon, Spelling), Malformed> {
        let read = Macaroon::from_text(self.as_str()?, options);
        read.map_err(|error| self.diagnosis(error, options, now))
    }

    /// Decodes the token, as [`macaroon`](Self::macaroon) does, but by the strict rules. Fails also if its identifier
    /// does not have Onedata's form.
    pub(crate) fn token(&self, now: UnixTime) -> Result<Token, Malformed> {
        let options = DecodeOptions::default();
        Token::decode(self.as_str()?, &options).map_err(|error| self.diagnosis(error, &options, now))
    }

    fn diagnosis(&self, error: DecodeError, options: &DecodeOptions, now: UnixTime) -> Malformed {
        self.inspection(options, now).err().unwrap_or_else(|| error.into())
    }
}

/// The lines of standard input. A line of any length takes no more memory than the longest token.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
}

impl<R: Read> Lines<R> {
    /// The lines of this input.
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(READ_AHEAD, input) }
    }

    /// Waits for the next line, and returns it with the lines that are already there behind it. Returns no line at the
    /// end of the input.
    pub(crate) fn batch(&mut self) -> io::Result<Vec<Text>> {
        let mut batch: Vec<Text> = self.read()?.into_iter().collect();
        while self.input.buffer().contains(&b'\n') {
            batch.extend(self.read()?);
        }
        Ok(batch)
    }

    fn read(&mut self) -> io::Result<Option<Text>> {
        let mut line = Vec::new();
        let most = MAX_TEXT.saturating_add(2);
        if bounded(&mut self.input, most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() > most && !line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
            return Ok(Some(Text::TooLong));
        }
        cut_line_end(&mut line);
        Ok(Some(Text::Whole(line)))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = io::Result<Text>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The limit and one byte, which shows that there is more.
fn bounded<R: Read>(input: R, most: usize) -> io::Take<R> {
    input.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1))
}

fn cut_line_end(bytes: &mut Vec<u8>) {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
}

/// Reads a file that holds a secret; `-` is standard input. Drops a line feed at its end, unless the secret then has
/// exactly `len` bytes with it. Fails if the file is too large for a secret.
pub(crate) fn secret(path: &Path, len: Option<usize>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Full capacity from the start: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET.saturating_add(1)));
    let read = if path.as_os_str() == INPUT {
        bounded(io::stdin().lock(), MAX_SECRET).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| bounded(file, MAX_SECRET).read_to_end(&mut bytes))
    };
    let checked = match read {
        Ok(read) if read > MAX_SECRET => Err(io::ErrorKind::FileTooLarge.into()),
        read => read,
    };
    checked.map_err(|source| Failure::File { path: path.to_owned(), source })?;
    if bytes.ends_with(b"\n") && Some(bytes.len()) != len {
        bytes.pop();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Option<Vec<u8>>> {
        // A small buffer, so that lines lie across its ends.
        let lines = Lines { input: BufReader::with_capacity(7, input) };
        lines
            .map(|line| match line.unwrap() {
                Text::Whole(bytes) => Some(bytes),
                Text::Argument(_) | Text::TooLong => None,
            })
            .collect()
    }

    #[test]
    fn lines_end_at_line_feeds() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a"), [Some(b"a".to_vec())]);
        assert_eq!(lines(b"a\r\n\nb\n"), [Some(b"a".to_vec()), Some(vec![]), Some(b"b".to_vec())]);
    }

    /// Hands out one piece for each time it is read, and must not be read again once it has said that it ends.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.remove(0);
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    #[test]
    fn a_batch_waits_for_its_first_line_alone() {
        let mut lines = Lines::new(Pieces(vec![b"a\nb\nc", b"d\n", b"e", b""]));
        let mut batch = || {
            let batch = lines.batch().unwrap();
            batch.iter().map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(batch(), ["a", "b"]);
        assert_eq!(batch(), ["cd"]);
        assert_eq!(batch(), ["e"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        let mut input = vec![b'x'; MAX_TEXT + 3];
        input.extend(b"\nnext\n");
        assert_eq!(lines(&input), [None, Some(b"next".to_vec())]);
        assert_eq!(lines(&vec![b'x'; MAX_TEXT * 2]), [None]);
        let mut longest = vec![b'x'; MAX_TEXT];
        longest.extend(b"\r\nnext");
        assert_eq!(lines(&longest), [Some(vec![b'x'; MAX_TEXT]), Some(b"next".to_vec())]);
    }
}
