//! The lines of an export, as they are read.

use std::io::{BufRead, BufReader, Read};

use super::{Document, HEADER, InvalidDocument, MAX_LINE, TransferError, VERSION};
use crate::Item;

pub(super) struct Lines<R> {
    from: BufReader<R>,
    line: u64,
    // The line that was read last, with its line feed.
    text: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: BufReader::new(from), line: 0, text: Vec::new() }
    }

    /// How many whole lines were read.
    pub(super) fn number(&self) -> u64 {
        self.line
    }

    /// The line that was read last, with its line feed.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The next whole line; `None` at the end, and at a line that was cut short.
    pub(super) fn next(&mut self) -> Result<Option<Document>, TransferError> {
        // A long line leaves no room behind that the next would not need.
        self.text = Vec::new();
        // Whatever else the file is, it need not have lines.
        let max = if self.line == 0 { HEADER.len().saturating_add(20) } else { MAX_LINE };
        (&mut self.from).take(u64::try_from(max).unwrap_or(u64::MAX)).read_until(b'\n', &mut self.text)?;
        let Some(text) = self.text.strip_suffix(b"\n") else {
            let line = self.line.saturating_add(1);
            return match self.line {
                0 if !HEADER.starts_with(&self.text) => Err(TransferError::NotAnExport),
                1.. if self.text.len() >= max => {
                    Err(TransferError::Line { line, source: InvalidDocument::TooLong { max } })
                }
                _ => Ok(None),
            };
        };
        self.line = self.line.saturating_add(1);
        match (self.line, Document::read(text)) {
            (1, Ok(Document::OnetokenExport(VERSION))) => Ok(Some(Document::OnetokenExport(VERSION))),
            (1, Ok(Document::OnetokenExport(found))) if found > VERSION => {
                Err(TransferError::NewerVersion { found, known: VERSION })
            }
            (1, Ok(Document::OnetokenExport(found))) => {
                Err(TransferError::OlderVersion { found, known: VERSION })
            }
            (1, _) | (_, Ok(Document::OnetokenExport(_))) => Err(TransferError::NotAnExport),
            (_, Ok(document)) => Ok(Some(document)),
            (line, Err(source)) => Err(TransferError::Line { line, source }),
        }
    }

    /// What the line that was read last holds, if it is about a token or a generation.
    pub(super) fn item(&self, document: Document) -> Result<Option<Item>, TransferError> {
        document.into_item().map_err(|source| TransferError::Line { line: self.line, source })
    }
}
