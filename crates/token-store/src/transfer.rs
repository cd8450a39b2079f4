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
//! before anything of it is kept. Between the others stand lines that tell where an interrupted export goes on, with
//! the SHA-256 so far; lines that name what was left out, since it is damaged; and before when everything is void.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    mem,
};

use ring::digest::{self, SHA256};

use token_core::UnixTime;

use crate::{Administration, Filter, Item, StoreError, TokenId};
pub use document::InvalidDocument;
use document::{Document, End, hex, is_sound, is_sound_generation};

mod document;

/// The only version of the format so far.
const VERSION: u32 = 1;

/// What every export begins with.
const HEADER: &[u8] = b"{\"onetoken_export\":1}\n";

/// The greatest length of a line in bytes: a token with more than 700,000 claims of 43 bytes.
const MAX_LINE: u64 = 128 * 1024 * 1024;

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
    /// Records and generations that the file only names, since they were damaged in the store that was exported.
    pub damaged: u64,
    /// How many of both an import kept, or voided where they stood. The others were there already, or void.
    pub kept: u64,
    /// The SHA-256 of all lines before the last, once that has been written or read: what tells one export from
    /// another.
    pub checksum: Option<[u8; 32]>,
}

/// What becomes of tokens that are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// They go on. Right for a move, when the former store is never used again.
    Same,
    /// They are void, also where they are there already: each token comes in revoked, and the generations of its
    /// subjects go, so that temporary tokens are void too. Right for the restoration of a backup, where tokens that
    /// were spent since would come back to life. Claims are still answered again.
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
    #[error("the export is not complete: it ends after line {line}")]
    Incomplete {
        /// The last whole line, from 1; 0 where there is none.
        line: u64,
    },
    /// The file holds a complete export already, which says nothing of the store as it is now.
    #[error("the file holds a complete export already; name another file for a new one")]
    Complete,
    /// The file holds the beginning of an export of another store: of the tokens that it has last, up to 256, none is
    /// in this one. Where they have all been purged since, begin anew as well.
    #[error("the file holds the beginning of an export of another store; name another file for a new one")]
    OtherStore,
    /// The file is not as it was written: the numbers or the checksum in its last line are others.
    #[error("the export is damaged: it does not match its checksum")]
    Damaged,
}

/// Writes all that a store holds into a file, and waits until it is on disk. That the file's name is there as well is
/// for the caller to see to, who knows its directory. A file that holds the beginning of an export is gone on with,
/// unless that is plainly of another store. `progress` is told after each page.
///
/// Others may use the store meanwhile; then a token may be there as it was at any time from the beginning on. Stop
/// them for a move. The file tells who has which tokens: let nobody but the owner read it. Damaged records are left
/// out, and named.
///
/// # Errors
/// [`TransferError`]; call again to go on. [`TransferError::Complete`] where there is nothing to go on with, and
/// [`TransferError::OtherStore`]: the file is left as it is.
pub fn export<S: Administration + ?Sized>(
    store: &S,
    file: &mut File,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let begun = Begun::of(file)?;
    if begun.moved.checksum.is_some() {
        return Err(TransferError::Complete);
    }
    if !begun.may_be_of(store)? {
        return Err(TransferError::OtherStore);
    }
    file.set_len(begun.len)?;
    file.seek(SeekFrom::Start(begun.len))?;
    let moved = begun.write(store, &mut *file, progress)?;
    file.sync_all()?;
    Ok(moved)
}

/// Writes all that a store holds to where nothing is read again, such as a pipe. What comes out is what [`export`]
/// writes into an empty file, but there is no going on with it.
///
/// # Errors
/// [`TransferError`]
pub fn export_to<S: Administration + ?Sized>(
    store: &S,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    Begun::nothing().write(store, out, progress)
}

/// Whether an export is whole: reads all of it, and tells how much there is.
///
/// # Errors
/// [`TransferError`], what [`import`] would refuse.
pub fn verify_export(file: &mut (impl Read + Seek)) -> Result<Moved, TransferError> {
    whole(file).map(|whole| whole.moved)
}

fn whole(file: &mut (impl Read + Seek)) -> Result<Begun, TransferError> {
    file.rewind()?;
    let whole = Begun::read(&mut BufReader::new(&mut *file))?;
    match whole.moved.checksum {
        Some(_) => Ok(whole),
        None => Err(TransferError::Incomplete { line: whole.lines }),
    }
}

/// Keeps all that an export holds, each only where there is nothing yet under its name: an import that was
/// interrupted is gone on with by calling it again. What was revoked there is revoked here also where it is already,
/// and what was void there is void here. The file is read twice, and nothing is kept of one that is not whole.
/// `progress` is told after each step.
///
/// What was purged since it was exported comes back, as it was then: import with [`Epoch::New`] whatever is no move.
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
    let whole = whole(file)?;
    if whole.void_before > UnixTime::from_secs(0) {
        store.void_before(whole.void_before)?;
    }
    file.rewind()?;
    let mut lines = Lines { from: BufReader::new(file), line: 0, text: Vec::new() };
    let (mut moved, mut items) = (Moved::default(), Vec::new());
    loop {
        let document = lines.next()?;
        let end = matches!(document, None | Some(Document::End(_)));
        if let Some(document) = document {
            match (lines.item(document)?, epoch) {
                (Some(Item::Token { mut record, claims }), _) => {
                    add(&mut moved.tokens);
                    record.revoked |= epoch == Epoch::New;
                    items.push(Item::Token { record, claims });
                }
                (Some(Item::Generation { subject, .. }), Epoch::New) => {
                    add(&mut moved.generations);
                    items.push(Item::NoGeneration { subject });
                }
                (Some(generation @ Item::Generation { .. }), Epoch::Same) => {
                    add(&mut moved.generations);
                    items.push(generation);
                }
                (Some(damaged @ Item::NoGeneration { .. }), Epoch::New) => items.push(damaged),
                (Some(Item::NoGeneration { .. }), Epoch::Same) | (None, _) => {}
            }
        }
        if items.len() >= PAGE || (end && !items.is_empty()) {
            let kept = store.restore(&items)?;
            moved.kept = moved.kept.saturating_add(u64::try_from(kept).unwrap_or(u64::MAX));
            items.clear();
            progress(&moved);
        }
        if end {
            let Moved { damaged, checksum, .. } = whole.moved;
            return Ok(Moved { damaged, checksum, ..moved });
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
    /// The generations after this cursor.
    Generations(Option<Vec<u8>>),
}

impl Next {
    fn document(&self, hash: &digest::Context) -> Document {
        let sha256 = finished(hash);
        match self {
            Self::Tokens(after) => Document::NextTokens(document::Next::new(after.as_deref(), &sha256)),
            Self::Generations(after) => {
                Document::NextGenerations(document::Next::new(after.as_deref(), &sha256))
            }
        }
    }
}

/// An export as far as it got.
struct Begun {
    /// How much of the file is to stay, in bytes: all up to the last line that tells how to go on.
    len: u64,
    hash: digest::Context,
    // With a checksum, it is complete.
    moved: Moved,
    next: Next,
    void_before: UnixTime,
    // How many whole lines there are in all.
    lines: u64,
    // The last page of tokens that stays: their ids, and when they were created.
    last: Vec<(TokenId, UnixTime)>,
}

impl Begun {
    fn of(file: &mut File) -> Result<Self, TransferError> {
        file.rewind()?;
        Self::read(&mut BufReader::new(file))
    }

    fn nothing() -> Self {
        let hash = digest::Context::new(&SHA256);
        let void_before = UnixTime::from_secs(0);
        let (moved, next) = (Moved::default(), Next::Tokens(None));
        Self { len: 0, hash, moved, next, void_before, lines: 0, last: Vec::new() }
    }

    // Whether this is of that store, for all that can be told from the tokens in it.
    fn may_be_of<S: Administration + ?Sized>(&self, store: &S) -> Result<bool, StoreError> {
        for (id, created) in &self.last {
            match store.get(id) {
                Ok(Some(record)) if record.created == *created => return Ok(true),
                Ok(_) | Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.last.is_empty())
    }

    fn read(from: &mut impl BufRead) -> Result<Self, TransferError> {
        let mut begun = Self::nothing();
        let mut lines = Lines { from, line: 0, text: Vec::new() };
        let (mut len, mut hash, mut moved) = (0_u64, digest::Context::new(&SHA256), Moved::default());
        let (mut void_before, mut page) = (UnixTime::from_secs(0), Vec::new());
        while let Some(document) = lines.next()? {
            if begun.moved.checksum.is_some() {
                return Err(TransferError::Damaged);
            }
            if let Document::End(end) = &document {
                let found = finished(&hash);
                let counted = (moved.tokens, moved.generations);
                if (end.tokens, end.generations) != counted || end.sha256 != hex(&found) {
                    return Err(TransferError::Damaged);
                }
                begun.moved = Moved { checksum: Some(found), ..moved };
                begun.void_before = void_before;
                continue;
            }
            let so_far = hash.clone();
            len = len.saturating_add(u64::try_from(lines.text.len()).unwrap_or(u64::MAX));
            hash.update(&lines.text);
            let (next, told) = match document {
                Document::OnetokenExport(_) => (Next::Tokens(None), None),
                Document::NextTokens(next) => (Next::Tokens(lines.after(&next)?), Some(next)),
                Document::NextGenerations(next) => (Next::Generations(lines.after(&next)?), Some(next)),
                Document::VoidBefore(secs) => {
                    void_before = void_before.max(UnixTime::from_secs(secs));
                    continue;
                }
                document => {
                    match &document {
                        Document::Token(_) => add(&mut moved.tokens),
                        Document::Generation(_) => add(&mut moved.generations),
                        Document::Damaged(_) | Document::DamagedGeneration(_) => add(&mut moved.damaged),
                        _ => {}
                    }
                    // A file that was not written by us need not have pages.
                    if let Some(Item::Token { record, .. }) = lines.item(document)?
                        && page.len() < PAGE
                    {
                        page.push((record.id, record.created));
                    }
                    continue;
                }
            };
            if told.is_some_and(|next| next.sha256 != hex(&finished(&so_far))) {
                return Err(TransferError::Damaged);
            }
            let last = if page.is_empty() { begun.last } else { mem::take(&mut page) };
            begun = Self { len, hash: hash.clone(), moved, next, void_before, lines: 0, last };
        }
        Ok(Self { lines: lines.line, ..begun })
    }

    /// Writes what is yet to be written.
    fn write<S: Administration + ?Sized>(
        mut self,
        store: &S,
        out: impl Write,
        progress: &mut dyn FnMut(&Moved),
    ) -> Result<Moved, TransferError> {
        let mut out = Hashed { to: BufWriter::new(out), hash: self.hash };
        if self.len == 0 {
            out.line(&Document::OnetokenExport(VERSION))?;
        }
        while let Next::Tokens(after) = &self.next {
            let page = store.list(&Filter::All, after.as_deref(), PAGE)?;
            let mut damaged = page.damaged;
            for mut record in page.records {
                let claims = match claims(store, &record.id) {
                    Err(StoreError::Corrupt { .. }) => {
                        damaged.push(record.id);
                        continue;
                    }
                    claims => claims?,
                };
                // A claim that was made since the record was read has a use as well.
                record.uses = record.uses.max(u64::try_from(claims.len()).unwrap_or(u64::MAX));
                if !is_sound(&record, &claims) {
                    damaged.push(record.id);
                    continue;
                }
                out.line(&Document::token(&record, &claims))?;
                add(&mut self.moved.tokens);
            }
            for id in damaged {
                out.line(&Document::Damaged(hex(id.as_bytes())))?;
                add(&mut self.moved.damaged);
            }
            self.next = match page.next {
                Some(next) => Next::Tokens(Some(next)),
                None => Next::Generations(None),
            };
            out.line(&self.next.document(&out.hash))?;
            progress(&self.moved);
        }
        while let Next::Generations(after) = &self.next {
            let page = store.generations(after.as_deref(), PAGE)?;
            let mut damaged = page.damaged;
            for (subject, generation) in page.sound {
                if !is_sound_generation(&subject, &generation) {
                    damaged.push(subject);
                    continue;
                }
                out.line(&Document::generation(&subject, &generation))?;
                add(&mut self.moved.generations);
            }
            for subject in damaged {
                out.line(&Document::DamagedGeneration(subject))?;
                add(&mut self.moved.damaged);
            }
            progress(&self.moved);
            let Some(next) = page.next else { break };
            self.next = Next::Generations(Some(next));
            out.line(&self.next.document(&out.hash))?;
        }
        // Set while this went on, it holds for what was written before.
        let void_before = store.void_before(UnixTime::from_secs(0))?.as_secs();
        if void_before > 0 {
            out.line(&Document::VoidBefore(void_before))?;
        }
        let Moved { tokens, generations, .. } = self.moved;
        let checksum = finished(&out.hash);
        out.line(&Document::End(End { tokens, generations, sha256: hex(&checksum) }))?;
        out.to.flush()?;
        Ok(Moved { checksum: Some(checksum), ..self.moved })
    }
}

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}

// The checksum of what has been hashed so far.
fn finished(hash: &digest::Context) -> [u8; 32] {
    hash.clone().finish().as_ref().first_chunk().copied().unwrap_or_default()
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
        // Whatever else the file is, it need not have lines.
        let header = u64::try_from(HEADER.len()).unwrap_or(u64::MAX);
        let max = if self.line == 0 { header.saturating_add(20) } else { MAX_LINE };
        (&mut self.from).take(max).read_until(b'\n', &mut self.text)?;
        let is_too_long =
            !self.text.ends_with(b"\n") && u64::try_from(self.text.len()).is_ok_and(|len| len == max);
        if is_too_long && self.line > 0 {
            let line = self.line.saturating_add(1);
            return Err(TransferError::Line { line, source: InvalidDocument::TooLong { max } });
        }
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

    /// What the line that was read last holds, if it is about a token or a generation.
    fn item(&self, document: Document) -> Result<Option<Item>, TransferError> {
        document.into_item().map_err(|source| TransferError::Line { line: self.line, source })
    }

    fn after(&self, next: &document::Next) -> Result<Option<Vec<u8>>, TransferError> {
        next.after().map_err(|source| TransferError::Line { line: self.line, source })
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
        if u64::try_from(line.len()).is_ok_and(|len| len > MAX_LINE) {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.hash.update(&line);
        self.to.write_all(&line)
    }
}

#[cfg(test)]
mod tests;
