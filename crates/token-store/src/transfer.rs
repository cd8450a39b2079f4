//! Moving tokens from store to store, of whatever kind: a file of one JSON document a line.
//!
//! ```text
//! {"onetoken_export":2}
//! {"token":{…}}
//! {"generation":{…}}
//! {"end":{"tokens":2,"generations":1,"sha256":"…"}}
//! ```
//!
//! Root keys stay sealed, so that the file is worth nothing without the key ring. The last line tells how many
//! documents there are, and the SHA-256 of all lines before: what was cut short or altered by accident is refused
//! before anything of it is kept. Between the others stand lines that name what was left out, since it is damaged; and
//! before when everything is void.

use std::{
    io::{self, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
};

use ring::{
    digest::{self, SHA256},
    rand::{SecureRandom, SystemRandom},
};

use token_core::{RootKey, UnixTime};
use zeroize::Zeroizing;

use crate::{
    Administration, ClaimId, Entity, Filter, Generation, Held, Item, KeyRing, Owner, SealError, StoreError,
    TokenId, disk::Draft,
};
pub use document::InvalidDocument;
use document::{Document, End, hex, is_sound, is_sound_generation};
use lines::Lines;

mod document;
mod lines;

/// The version of the format. In version 1, root keys were sealed for less than they are now and claims named no grant.
const VERSION: u32 = 2;

/// What every export begins with.
const HEADER: &[u8] = b"{\"onetoken_export\":2}\n";

/// The greatest length of a line in bytes: a token with more than 100,000 claims of 64 bytes. An import takes some ten
/// times as much memory.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// How many records are read, or kept in one step, at a time.
const PAGE: usize = 256;

/// After how many bytes of lines no further record is kept in the same step.
const STEP_LEN: usize = 1024 * 1024;

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
#[derive(Clone, Copy, Debug)]
pub enum Epoch<'a> {
    /// They go on. Right for a move, when the former store is never used again.
    Same,
    /// They are void, also where they are there already: each token comes in revoked. Each generation is replaced by
    /// its successor, a new key sealed under this ring, so that temporary tokens are void as well, and stay void
    /// when an older export is imported later. Right for the restoration of a backup, where tokens that were spent
    /// since would come back to life. Claims are still answered again.
    New(&'a KeyRing),
}

/// An export or an import stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("the file of the export cannot be used")]
    Io(#[from] io::Error),
    /// An export was to be made where something is already. That was left as it is.
    #[error("{} exists and is not overwritten; name another file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A token has more claims than a line of an export holds. Purge it, or spend from another.
    #[error("token {id} has too many claims to be exported: {len} bytes where {max} are allowed")]
    TooManyClaims {
        /// The token.
        id: TokenId,
        /// The length of its line, in bytes.
        len: usize,
        /// The greatest length allowed, in bytes.
        max: usize,
    },
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
    /// The file was written by an older version of this software, and no key in it would open.
    #[error("the export is of version {found}; this program knows version {known} alone")]
    OlderVersion {
        /// The version found.
        found: u32,
        /// The version that can be read.
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
    /// The file has no end: the export was interrupted, or the file was cut short.
    #[error("the export is not complete: it ends after line {line}")]
    Incomplete {
        /// The last whole line, from 1; 0 where there is none.
        line: u64,
    },
    /// The file is not as it was written: the numbers or the checksum in its last line are others.
    #[error("the export is damaged: it does not match its checksum")]
    Damaged,
    /// No successor of a generation was made.
    #[error("no key can be made for a new generation")]
    Seal(#[from] SealError),
}

/// Writes all that a store holds into a new file at `path`, which its owner alone may use (mode 0600), and waits until
/// the file and its name are on disk. The file appears whole or not at all: an export that is interrupted begins anew.
/// `progress` is told after each page.
///
/// Others may use the store meanwhile; then a token may be there as it was at any time from the beginning on. Stop
/// them for a move. Damaged records are left out, and named.
///
/// A process that is killed leaves a draft, `<path>.<hex>.new`. A later export to the same path removes it after an
/// hour.
///
/// # Errors
/// [`TransferError`], [`TransferError::Exists`] for anything that is at `path`, be it a file, a link or a pipe.
pub fn export<S: Administration + ?Sized>(
    store: &S,
    path: &Path,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let exists = || TransferError::Exists { path: path.to_owned() };
    if path.symlink_metadata().is_ok() {
        return Err(exists()); // as publishing would find, after the work
    }
    let draft = Draft::create(path)?;
    let moved = export_to(store, &mut &draft.file, progress)?;
    draft.publish(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => error.into(),
    })?;
    Ok(moved)
}

/// Writes what [`export`] writes to anything else, such as a pipe. The export tells who has which tokens: let nobody
/// but the owner read it.
///
/// # Errors
/// [`TransferError`]
pub fn export_to<S: Administration + ?Sized>(
    store: &S,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let mut out = Hashed { to: BufWriter::new(out), hash: digest::Context::new(&SHA256) };
    let mut moved = Moved::default();
    out.line(&Document::OnetokenExport(VERSION))?;
    let mut after: Option<Vec<u8>> = None;
    loop {
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
            let line = Document::token(&record, &claims).line()?;
            if line.len() > MAX_LINE {
                return Err(TransferError::TooManyClaims { id: record.id, len: line.len(), max: MAX_LINE });
            }
            out.write(&line)?;
            add(&mut moved.tokens);
        }
        for id in damaged {
            out.line(&Document::Damaged(hex(id.as_bytes())))?;
            add(&mut moved.damaged);
        }
        progress(&moved);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = store.generations(after.as_deref(), PAGE)?;
        let mut damaged = page.damaged;
        for (subject, generation) in page.sound {
            if !is_sound_generation(&subject, &generation) {
                damaged.push(subject);
                continue;
            }
            out.line(&Document::generation(&subject, &generation))?;
            add(&mut moved.generations);
        }
        for subject in damaged {
            out.line(&Document::DamagedGeneration(subject))?;
            add(&mut moved.damaged);
        }
        progress(&moved);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // Set while this went on, it holds for what was written before.
    let void_before = store.void_before(UnixTime::from_secs(0))?.as_secs();
    if void_before > 0 {
        out.line(&Document::VoidBefore(void_before))?;
    }
    let checksum = finished(&out.hash);
    let Moved { tokens, generations, .. } = moved;
    out.line(&Document::End(End { tokens, generations, sha256: hex(&checksum) }))?;
    out.to.flush()?;
    Ok(Moved { checksum: Some(checksum), ..moved })
}

/// Whether an export is whole: reads all of it, and tells how much there is.
///
/// # Errors
/// [`TransferError`], what [`import`] would refuse.
pub fn verify_export(file: &mut (impl Read + Seek)) -> Result<Moved, TransferError> {
    whole(file).map(|(moved, _)| moved)
}

/// How much there is in an export that is whole, and before when everything is void.
fn whole(file: &mut (impl Read + Seek)) -> Result<(Moved, UnixTime), TransferError> {
    file.rewind()?;
    let mut lines = Lines::new(file);
    let (mut hash, mut moved) = (digest::Context::new(&SHA256), Moved::default());
    let mut void_before = UnixTime::from_secs(0);
    while let Some(document) = lines.next()? {
        if moved.checksum.is_some() {
            return Err(TransferError::Damaged);
        }
        match &document {
            Document::End(end) => {
                let found = finished(&hash);
                let counted = (moved.tokens, moved.generations);
                if (end.tokens, end.generations) != counted || end.sha256 != hex(&found) {
                    return Err(TransferError::Damaged);
                }
                moved.checksum = Some(found);
            }
            Document::Token(_) => add(&mut moved.tokens),
            Document::Generation(_) => add(&mut moved.generations),
            Document::Damaged(_) | Document::DamagedGeneration(_) => add(&mut moved.damaged),
            Document::VoidBefore(secs) => void_before = void_before.max(UnixTime::from_secs(*secs)),
            _ => {}
        }
        hash.update(lines.text());
        lines.item(document)?;
    }
    match moved.checksum {
        Some(_) => Ok((moved, void_before)),
        None => Err(TransferError::Incomplete { line: lines.number() }),
    }
}

/// Keeps all that an export holds: each token only where there is nothing yet under its id, and each generation where
/// there is none or an earlier one. Repeat an interrupted import to resume it. What was revoked there is revoked here
/// also where it is already, and what was void there is void here. The file is read twice, and nothing is kept of one
/// that is not whole. `progress` is told after each step.
///
/// What was purged since it was exported comes back, as it was then: import with [`Epoch::New`] whatever is no move.
///
/// The key ring of the former store is needed with the new one: keys come as they were sealed.
///
/// # Errors
/// [`TransferError`]; call again to resume.
pub fn import<S: Administration + ?Sized>(
    store: &S,
    file: &mut (impl Read + Seek),
    epoch: Epoch<'_>,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let (Moved { damaged, checksum, .. }, void_before) = whole(file)?;
    if void_before > UnixTime::from_secs(0) {
        store.void_before(void_before)?;
    }
    file.rewind()?;
    let mut lines = Lines::new(file);
    let mut moved = Moved { damaged, checksum, ..Moved::default() };
    let (mut items, mut len) = (Vec::new(), 0_usize);
    loop {
        let document = lines.next()?;
        let end = matches!(document, None | Some(Document::End(_)));
        if let Some(document) = document {
            len = len.saturating_add(lines.text().len());
            // A damaged generation had a number as well, which is not known.
            let damaged = match &document {
                Document::DamagedGeneration(subject) => Some(subject.clone()),
                _ => None,
            };
            match (lines.item(document)?, epoch) {
                (Some(Item::Token { mut record, claims }), _) => {
                    add(&mut moved.tokens);
                    record.revoked |= matches!(epoch, Epoch::New(_));
                    items.push(Item::Token { record, claims });
                }
                (Some(Item::Generation { subject, generation }), Epoch::New(keys)) => {
                    add(&mut moved.generations);
                    items.extend(successor(store, keys, subject, generation.number)?);
                }
                (Some(generation), _) => {
                    add(&mut moved.generations);
                    items.push(generation);
                }
                (None, Epoch::New(keys)) => {
                    if let Some(subject) = damaged {
                        let number = present(store, &subject)?;
                        items.extend(successor(store, keys, subject, number)?);
                    }
                }
                (None, Epoch::Same) => {}
            }
        }
        if items.len() >= PAGE || len >= STEP_LEN || (end && !items.is_empty()) {
            let kept = store.restore(&items)?;
            moved.kept = moved.kept.saturating_add(u64::try_from(kept).unwrap_or(u64::MAX));
            (items, len) = (Vec::new(), 0);
            progress(&moved);
        }
        if end {
            return Ok(moved);
        }
    }
}

/// The number of a subject's generation; 0 where there is none that is sound.
fn present<S: Administration + ?Sized>(store: &S, subject: &Entity) -> Result<u64, StoreError> {
    match store.generation(subject) {
        Err(StoreError::Corrupt { .. }) => Ok(0),
        present => Ok(present?.map_or(0, |generation| generation.number)),
    }
}

/// The generation after this one, under a new key; `None` where the store has a later one already.
fn successor<S: Administration + ?Sized>(
    store: &S,
    keys: &KeyRing,
    subject: Entity,
    number: u64,
) -> Result<Option<Item>, TransferError> {
    if present(store, &subject)? > number {
        return Ok(None);
    }
    let number = number.saturating_add(1);
    let mut secret = Zeroizing::new([0; RootKey::LEN]);
    SystemRandom::new().fill(secret.as_mut_slice()).map_err(|_| SealError::Random)?;
    let owner = Owner::Generation { subject: &subject, number };
    let root_key = keys.seal(&RootKey::from_derived(*secret), owner)?;
    Ok(Some(Item::Generation { subject, generation: Generation { number, root_key } }))
}

fn claims<S: Administration + ?Sized>(store: &S, id: &TokenId) -> Result<Vec<(ClaimId, Held)>, StoreError> {
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

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}

// The checksum of what has been hashed so far.
fn finished(hash: &digest::Context) -> [u8; 32] {
    hash.clone().finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// What is written, and the hash of it.
struct Hashed<W> {
    to: W,
    hash: digest::Context,
}

impl<W: Write> Hashed<W> {
    fn line(&mut self, document: &Document) -> io::Result<()> {
        self.write(&document.line()?)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.hash.update(line);
        self.to.write_all(line)
    }
}

#[cfg(test)]
mod tests;
