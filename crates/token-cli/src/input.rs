//! Tokens and secrets from the command line, from standard input and from files.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, IsTerminal as _, Read},
    path::Path,
};

use token_core::{DecodeError, DecodeOptions, Inspection, Macaroon, Spelling, Token, UnixTime, inspect};
use zeroize::Zeroizing;

use crate::error::Failure;

/// The greatest length of a token's text that is read, in bytes: twice that of any token, so that one that is too long
/// still gets its diagnosis.
const MAX_TEXT: usize = 2 << 20;

/// With a line end, in bytes.
const MAX_LINE: usize = MAX_TEXT + 2;

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
    pub(crate) fn of(argument: Option<&'a OsStr>) -> Result<Self, Failure> {
        match argument {
            Some(argument) if argument != INPUT => Ok(Self::Argument(argument)),
            None if io::stdin().is_terminal() => {
                Err(Failure::usage("a token is needed; give it, or `-` to read it from standard input"))
            }
            Some(_) | None => Ok(Self::Input),
        }
    }

    /// Standard input, from which `--lines` reads. Fails if a token other than `-` is given.
    pub(crate) fn of_lines(argument: Option<&OsStr>) -> Result<Self, Failure> {
        let no_argument = || Failure::usage("--lines reads tokens from standard input; leave out the token");
        argument.is_none_or(|argument| argument == INPUT).then_some(Self::Input).ok_or_else(no_argument)
    }

    /// Reads the token, without a line end at its end. Keeps one too long for any token in part.
    pub(crate) fn read(self) -> Result<Text, Failure> {
        match self {
            Self::Argument(argument) => {
                Ok(Text { bytes: argument.as_encoded_bytes().to_owned(), is_argument: true })
            }
            Self::Input => {
                let mut bytes = Vec::new();
                bounded(io::stdin().lock(), MAX_LINE).read_to_end(&mut bytes).map_err(Failure::input)?;
                Ok(Text::from_input(bytes))
            }
        }
    }
}

/// Refuses to read more than one token or secret from standard input.
pub(crate) fn at_most_one(from_input: impl IntoIterator<Item = bool>) -> Result<(), Failure> {
    let count = from_input.into_iter().filter(|from_input| *from_input).count();
    if count > 1 {
        Err(Failure::usage("only one token or secret can come from standard input"))
    } else {
        Ok(())
    }
}

/// A text in the place of a token.
pub(crate) struct Text {
    bytes: Vec<u8>,
    /// Whether it is from the command line.
    is_argument: bool,
}

impl Text {
    /// Cuts one line end.
    pub(crate) fn from_input(mut bytes: Vec<u8>) -> Self {
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        Self { bytes, is_argument: false }
    }

    /// Its length in bytes, as far as it was kept.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of a text that holds a secret. They are wiped on drop.
    pub(crate) fn into_secret(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.bytes)
    }

    /// The text. Fails if it is not UTF-8, or longer than any text that is read.
    pub(crate) fn as_str(&self) -> Result<&str, Failure> {
        if self.bytes.len() > MAX_TEXT {
            return Err(Failure::too_long(MAX_TEXT));
        }
        std::str::from_utf8(&self.bytes).map_err(|error| {
            let before = self.bytes.get(..error.valid_up_to()).unwrap_or_default();
            Failure::not_text(String::from_utf8_lossy(before).chars().count())
        })
    }

    /// Inspects the token without a key. A malformed one is diagnosed, with its expiry judged at `now`.
    pub(crate) fn inspection(&self, options: &DecodeOptions, now: UnixTime) -> Result<Inspection, Failure> {
        let damaged = |damage| self.file_name().unwrap_or_else(|| Failure::damaged(damage, now));
        inspect(self.as_str()?, options).map_err(damaged)
    }

    /// The error for a caller who gave the name of a file or a pipe in place of a token; `None` for any other text.
    pub(crate) fn file_name(&self) -> Option<Failure> {
        let name = self.as_str().ok().filter(|_| self.is_argument)?;
        let is_readable = fs::metadata(name).is_ok_and(|metadata| !metadata.is_dir());
        // A shell takes it without quotes.
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        is_readable.then(|| Failure::file_name(if is_plain { name } else { "FILE" }))
    }

    /// Decodes the macaroon. A malformed one is diagnosed, with its expiry judged at `now`.
    pub(crate) fn macaroon(
        &self,
        options: &DecodeOptions,
        now: UnixTime,
    ) -> Result<(Macaroon, Spelling), Failure> {
        let read = Macaroon::from_text(self.as_str()?, options);
        read.map_err(|error| self.diagnosis(error, options, now))
    }

    /// Decodes the token, as [`macaroon`](Self::macaroon) does, but by the strict rules. Fails also if its identifier
    /// does not have Onedata's form.
    pub(crate) fn token(&self, now: UnixTime) -> Result<Token, Failure> {
        let options = DecodeOptions::default();
        Token::decode(self.as_str()?, &options).map_err(|error| self.diagnosis(error, &options, now))
    }

    fn diagnosis(&self, error: DecodeError, options: &DecodeOptions, now: UnixTime) -> Failure {
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
        let read = bounded(&mut self.input, MAX_LINE).read_until(b'\n', &mut line)?;
        if read > MAX_LINE && !line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
        }
        Ok((read > 0).then(|| Text::from_input(line)))
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
    checked.map_err(|error| Failure::file(path, error))?;
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
            .map(|line| line.unwrap().bytes)
            .map(|bytes| (bytes.len() <= MAX_TEXT).then_some(bytes))
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
