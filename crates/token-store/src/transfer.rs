//! Moving tokens from store to store, of whatever kind: a file of one JSON document a line.
//!
//! ```text
//! {"onetoken_export":1}
//! {"token":{…}}
//! {"generation":{…}}
//! {"end":{"tokens":2,"generations":1,"sha256":"…"}}
//! ```
//!
//! Root keys stay sealed, so that the file is worth nothing without the key ring. The last line tells how many
//! documents there are, and the SHA-256 of all lines before: what was cut short or altered by accident is refused
//! before anything of it is kept. Between the others stand lines that tell where an interrupted export goes on.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use ring::digest::{self, SHA256};

use crate::{Administration, Entity, Filter, Item, StoreError, TokenId};
pub use document::InvalidDocument;
use document::{Document, End, from_hex, hex};

mod document;

/// The only version of the format so far.
const VERSION: u32 = 1;

/// What every export begins with.
const HEADER: &[u8] = b"{\"onetoken_export\":1}\n";

/// How many records are read, or kept in one step, at a time.
const PAGE: usize = 256;

/// How much was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Records, in the file so far or read from it.
    pub tokens: u64,
    /// Generations, in the file so far or read from it.
    pub generations: u64,
    /// How many of both an import kept. The others were there already, or void.
    pub kept: u64,
}

/// What becomes of tokens that are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// They go on. Right for a move, when the former store is never used again.
    Same,
    /// They are void: each token comes in revoked, and no generation comes in, so that temporary tokens are void
    /// too. Right for the restoration of a backup, where tokens that were spent since would come back to life. Claims
    /// are still answered again.
    New,
}

/// An export or an import stopped. What it did stays done: call again to go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("the file of the export cannot be used")]
    Io(#[from] io::Error),
    /// The file is no export.
    #[error("the file is no export of tokens")]
    NotAnExport,
    /// The file was written by a newer version of this software.
    #[error("the export is of version {found}; this program knows versions up to {known}")]
    NewerVersion {
        /// The version found.
        found: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// A line is not one that an export has.
    #[error("line {line} of the export is malformed")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        source: InvalidDocument,
    },
    /// The file has no end: the export was interrupted. Call it again first.
    #[error("the export is not complete")]
    Incomplete,
    /// The file is not as it was written: the numbers or the checksum in its last line are others.
    #[error("the export is damaged: it does not match its checksum")]
    Damaged,
}

/// Writes all that a store holds into a file, and waits until it is on disk. A file that holds the beginning of an
/// export is gone on with, a complete one is left as it is. `progress` is told after each page.
///
/// Others may use the store meanwhile; then a token may be there as it was at any time from the beginning on. Stop
/// them for a move. The file tells who has which tokens: let nobody but the owner read it.
///
/// # Errors
/// [`TransferError`]; call again to go on.
pub fn export<S: Administration + ?Sized>(
    store: &S,
    file: &mut File,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let mut begun = Begun::of(file)?;
    if begun.complete {
        return Ok(begun.moved);
    }
    file.set_len(begun.len)?;
    file.seek(SeekFrom::Start(begun.len))?;
    let mut out = Hashed { to: BufWriter::new(&mut *file), hash: begun.hash };
    if begun.len == 0 {
        out.line(&Document::OnetokenExport(VERSION))?;
    }
    while let Next::Tokens(after) = &begun.next {
        let page = store.list(&Filter::All, after.as_deref(), PAGE)?;
        for mut record in page.records {
            let claims = claims(store, &record.id)?;
            // A claim that was made since the record was read has a use as well.
            record.uses = record.uses.max(u64::try_from(claims.len()).unwrap_or(u64::MAX));
            out.line(&Document::token(&record, &claims))?;
            begun.moved.tokens = begun.moved.tokens.saturating_add(1);
        }
        begun.next = match page.next {
            Some(next) => Next::Tokens(Some(next)),
            None => Next::Generations(None),
        };
        out.line(&begun.next.document())?;
        progress(&begun.moved);
    }
    while let Next::Generations(after) = &begun.next {
        let page = store.generations(after.as_ref(), PAGE)?;
        for (subject, generation) in &page {
            out.line(&Document::generation(subject, generation))?;
            begun.moved.generations = begun.moved.generations.saturating_add(1);
        }
        begun.next = match page.into_iter().next_back() {
            Some((subject, _)) => Next::Generations(Some(subject)),
            None => break,
        };
        out.line(&begun.next.document())?;
        progress(&begun.moved);
    }
    let Moved { tokens, generations, .. } = begun.moved;
    let sha256 = hex(out.hash.clone().finish().as_ref());
    out.line(&Document::End(End { tokens, generations, sha256 }))?;
    out.to.flush()?;
    drop(out);
    file.sync_all()?;
    Ok(begun.moved)
}

/// Keeps all that an export holds, each only where there is nothing yet under its name: an import that was
/// interrupted is gone on with by calling it again. The file is read twice, and nothing is kept of one that is not
/// whole. `progress` is told after each step.
///
/// The key ring of the former store is needed with the new one: keys come as they were sealed.
///
/// # Errors
/// [`TransferError`]; call again to go on.
pub fn import<S: Administration + ?Sized>(
    store: &S,
    file: &mut (impl Read + Seek),
    epoch: Epoch,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    file.rewind()?;
    let whole = Begun::read(&mut BufReader::new(&mut *file))?;
    if !whole.complete {
        return Err(TransferError::Incomplete);
    }
    file.rewind()?;
    let mut lines = Lines { from: BufReader::new(file), line: 0, text: Vec::new() };
    let (mut moved, mut items) = (Moved::default(), Vec::new());
    loop {
        let document = lines.next()?;
        let end = matches!(document, None | Some(Document::End(_)));
        if let Some(document) = document {
            let invalid = |source| TransferError::Line { line: lines.line, source };
            let item = document.into_item().map_err(invalid)?;
            match item {
                Some(Item::Token { mut record, claims }) => {
                    moved.tokens = moved.tokens.saturating_add(1);
                    record.revoked |= epoch == Epoch::New;
                    items.push(Item::Token { record, claims });
                }
                Some(generation @ Item::Generation { .. }) => {
                    moved.generations = moved.generations.saturating_add(1);
                    if epoch == Epoch::Same {
                        items.push(generation);
                    }
                }
                None => {}
            }
        }
        if items.len() >= PAGE || (end && !items.is_empty()) {
            let kept = store.restore(&items)?;
            moved.kept = moved.kept.saturating_add(u64::try_from(kept).unwrap_or(u64::MAX));
            items.clear();
            progress(&moved);
        }
        if end {
            return Ok(moved);
        }
    }
}

fn claims<S: Administration + ?Sized>(
    store: &S,
    id: &TokenId,
) -> Result<Vec<(crate::ClaimId, u64)>, StoreError> {
    let mut claims = Vec::new();
    loop {
        let after = claims.last().map(|(claim, _)| claim).cloned();
        let page = store.claims(id, after.as_ref(), PAGE)?;
        let last = page.len() < PAGE;
        claims.extend(page);
        if last {
            return Ok(claims);
        }
    }
}

/// What is to be exported next.
enum Next {
    /// The records after this cursor.
    Tokens(Option<Vec<u8>>),
    /// The generations after the one of this subject.
    Generations(Option<Entity>),
}

impl Next {
    fn document(&self) -> Document {
        match self {
            Self::Tokens(after) => Document::NextTokens(after.as_deref().map(hex)),
            Self::Generations(after) => Document::NextGenerations(after.clone()),
        }
    }
}

/// An export as far as it got.
struct Begun {
    /// How much of the file is to stay, in bytes: all up to the last line that tells how to go on.
    len: u64,
    hash: digest::Context,
    moved: Moved,
    next: Next,
    complete: bool,
}

impl Begun {
    fn of(file: &mut File) -> Result<Self, TransferError> {
        file.rewind()?;
        Self::read(&mut BufReader::new(file))
    }

    fn read(from: &mut impl BufRead) -> Result<Self, TransferError> {
        let mut begun = Self {
            len: 0,
            hash: digest::Context::new(&SHA256),
            moved: Moved::default(),
            next: Next::Tokens(None),
            complete: false,
        };
        let mut lines = Lines { from, line: 0, text: Vec::new() };
        let (mut len, mut hash, mut moved) = (0_u64, digest::Context::new(&SHA256), Moved::default());
        while let Some(document) = lines.next()? {
            if begun.complete {
                return Err(TransferError::Damaged);
            }
            if let Document::End(end) = &document {
                let found = hex(hash.clone().finish().as_ref());
                if (end.tokens, end.generations) != (moved.tokens, moved.generations) || end.sha256 != found {
                    return Err(TransferError::Damaged);
                }
                (begun.moved, begun.complete) = (moved, true);
                continue;
            }
            len = len.saturating_add(u64::try_from(lines.text.len()).unwrap_or(u64::MAX));
            hash.update(&lines.text);
            let next = match document {
                Document::OnetokenExport(_) => Next::Tokens(None),
                Document::NextTokens(after) => Next::Tokens(after.as_deref().and_then(from_hex)),
                Document::NextGenerations(after) => Next::Generations(after),
                Document::Token(_) => {
                    moved.tokens = moved.tokens.saturating_add(1);
                    continue;
                }
                Document::Generation(_) => {
                    moved.generations = moved.generations.saturating_add(1);
                    continue;
                }
                Document::End(_) => continue,
            };
            begun = Self { len, hash: hash.clone(), moved, next, complete: false };
        }
        Ok(begun)
    }
}

/// The lines of an export.
struct Lines<R> {
    from: R,
    line: u64,
    // The line that was read last, with its line feed.
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next whole line; `None` at the end, and at a line that was cut short.
    fn next(&mut self) -> Result<Option<Document>, TransferError> {
        self.text.clear();
        self.from.read_until(b'\n', &mut self.text)?;
        let Some(text) = self.text.strip_suffix(b"\n") else {
            return match self.line {
                0 if !HEADER.starts_with(&self.text) => Err(TransferError::NotAnExport),
                _ => Ok(None),
            };
        };
        self.line = self.line.saturating_add(1);
        let document = Document::read(text);
        match (self.line, document) {
            (1, Ok(Document::OnetokenExport(VERSION))) => Ok(Some(Document::OnetokenExport(VERSION))),
            (1, Ok(Document::OnetokenExport(found))) if found > VERSION => {
                Err(TransferError::NewerVersion { found, known: VERSION })
            }
            (1, _) | (_, Ok(Document::OnetokenExport(_))) => Err(TransferError::NotAnExport),
            (_, Ok(document)) => Ok(Some(document)),
            (line, Err(source)) => Err(TransferError::Line { line, source }),
        }
    }
}

/// What is written, and the hash of it.
struct Hashed<W> {
    to: W,
    hash: digest::Context,
}

impl<W: Write> Hashed<W> {
    fn line(&mut self, document: &Document) -> io::Result<()> {
        let mut line = document.write()?;
        line.push(b'\n');
        self.hash.update(&line);
        self.to.write_all(&line)
    }
}

#[cfg(test)]
mod tests;
