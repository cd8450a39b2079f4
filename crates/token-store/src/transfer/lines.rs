//! Reading the lines of an export.

use std::io::{BufRead, BufReader, Read};

use super::{
    document::{Document, HEADER, MAX_LINE, VERSION},
    error::TransferError,
};
use crate::Item;

pub(super) struct Lines<R> {
    from: BufReader<R>,
    line: u64,
    // The current line, with its line feed.
    text: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: BufReader::new(from), line: 0, text: Vec::new() }
    }

    /// Returns the number of whole lines read.
    pub(super) fn number(&self) -> u64 {
        self.line
    }

    /// Returns the current line, with its line feed.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Reads the next whole line; `None` at the end of the file, and at a line that is cut short.
    pub(super) fn next(&mut self) -> Result<Option<Document>, TransferError> {
        // Frees the memory of a long line.
        self.text = Vec::new();
        // A file that is not an export may have no lines, so that the first is read up to the length of a header.
        let max = if self.line == 0 { HEADER.len().saturating_add(20) } else { MAX_LINE };
        (&mut self.from).take(u64::try_from(max).unwrap_or(u64::MAX)).read_until(b'\n', &mut self.text)?;
        let Some(text) = self.text.strip_suffix(b"\n") else {
            let line = self.line.saturating_add(1);
            return match self.line {
                0 if !HEADER.starts_with(&self.text) => Err(TransferError::NotAnExport),
                1.. if self.text.len() >= max => {
                    Err(TransferError::Line { line, source: format!("it is longer than {max} bytes").into() })
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
            (1, _) | (_, Ok(Document::OnetokenExport(_))) => Err(TransferError::NotAnExport),
            (_, Ok(document)) => Ok(Some(document)),
            (line, Err(error)) => Err(TransferError::Line { line, source: error.into() }),
        }
    }

    /// Returns the item of the current line, if it holds a token or a generation.
    pub(super) fn item(&self, document: Document) -> Result<Option<Item>, TransferError> {
        document.into_item().map_err(|source| TransferError::Line { line: self.line, source: source.into() })
    }
}
