//! Moving tokens between stores of any kind, in a file of one JSON document per line.
//!
//! ```text
//! {"onetoken_export":1}
//! {"token":{…}}
//! {"generation":{…}}
//! {"end":{"tokens":2,"generations":1,"sha256":"…"}}
//! ```
//!
//! Root keys stay sealed, so that the file is useless without the key ring. The last line holds the number of documents
//! and the SHA-256 of all lines before. An import refuses a file that was cut short or altered by accident before it
//! inserts anything. Other lines name the damaged items that were left out, and the time before which
//! records are revoked.

use std::{
    io::{self, BufWriter, Read, Seek, Write},
    path::Path,
};

use ring::{
    digest::{self, SHA256},
    rand::{SecureRandom, SystemRandom},
};

use token_core::{RootKey, UnixTime};
use zeroize::Zeroizing;

use crate::{
    Administration, Entity, Generation, Item, KeyError, KeyPlace, KeyRing, Owner, Revocation, StoreError,
    contract::report::add,
    disk::Draft,
    keys::hex,
    walk::{PAGE, Place},
};
use document::{Document, End, MAX_LINE, VERSION, is_sound};
pub use error::TransferError;
use lines::Lines;

mod document;
mod error;
mod lines;

/// The number of bytes of lines after which a step takes no further record.
const STEP_LEN: usize = 1024 * 1024;

/// The progress or result of an export or an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Records written to or read from the file so far.
    pub tokens: u64,
    /// Generations written to or read from the file so far.
    pub generations: u64,
    /// Records and generations that the file only names, because they were damaged in the exported store.
    pub damaged: u64,
    /// How many of them changed the store that imports. The others were there already, or revoked.
    pub kept: u64,
    /// The SHA-256 of all lines before the last, once the last line was written or read. It identifies the export.
    pub checksum: Option<[u8; 32]>,
}

impl Moved {
    fn count(&mut self, item: &Item) {
        match item {
            Item::Token { .. } => add(&mut self.tokens, 1),
            Item::Generation { .. } => add(&mut self.generations, 1),
        }
    }
}

/// The validity of imported tokens.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "they stay valid or they do not")]
pub enum Epoch<'a> {
    /// They stay valid. Right for a move, after which the old store is never used again.
    Same,
    /// They are worthless, even if they exist already: each token is revoked. Each generation is replaced by its successor,
    /// a new key sealed under this ring. So temporary tokens are worthless as well, and stay so if an older export is
    /// imported later. Right for restoring a backup, which would revive tokens that were spent since. Claims still get
    /// their answers.
    New(&'a KeyRing),
}

/// Exports a store to a new file at `path`, accessible to its owner alone (mode 0600). Returns when the file and its
/// name are on disk. The file appears whole or not at all: an interrupted export starts anew. Calls `progress` after
/// each page.
///
/// Others may use the store meanwhile. Each token is then exported as it was at some time during the export. For a
/// move, stop all others first. Damaged records are left out, and named.
///
/// A process that is killed leaves a draft, `<path>.<hex>.new`. A later export to the same path removes it after an
/// hour.
///
/// # Errors
/// [`TransferError`], such as [`TransferError::Exists`] if `path` is a file, a link, a pipe or anything else.
pub fn export<S: Administration + ?Sized>(
    store: &S,
    path: &Path,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let exists = || TransferError::Exists { path: path.to_owned() };
    if path.symlink_metadata().is_ok() {
        return Err(exists()); // publishing would fail too, after the work
    }
    let draft = Draft::create(path)?;
    let moved = export_to(store, &mut &draft.file, progress)?;
    draft.publish(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => error.into(),
    })?;
    Ok(moved)
}

/// Writes an export to a writer, such as a pipe. The export reveals who has which tokens: keep it readable by its owner
/// alone.
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
    let mut next = Some(Place::START);
    while let Some(place) = next {
        let mut part = place.read(store)?;
        for mut item in part.items {
            if !complete(store, &mut item)? {
                part.damaged.push(item.sealed().1.place());
                continue;
            }
            let line = Document::of(&item).line()?;
            moved.count(&item);
            match item {
                Item::Token { record, .. } if line.len() > MAX_LINE => {
                    let (id, len, max) = (record.id, line.len(), MAX_LINE);
                    return Err(TransferError::TooManyClaims { id, len, max });
                }
                _ => out.write(&line)?,
            }
        }
        for place in part.damaged {
            out.line(&match place {
                KeyPlace::Token(id) => Document::Damaged(id),
                KeyPlace::Generation(subject) => Document::DamagedGeneration(subject),
            })?;
            add(&mut moved.damaged, 1);
        }
        progress(&moved);
        next = part.next;
    }
    // A revocation by time during the export also covers what was written before.
    let revoke_before = store.revoke_before(UnixTime::from_secs(0))?.as_secs();
    if revoke_before > 0 {
        out.line(&Document::RevokeBefore(revoke_before))?;
    }
    let checksum = finished(&out.hash);
    let Moved { tokens, generations, .. } = moved;
    out.line(&Document::End(End { tokens, generations, sha256: hex::text(&checksum) }))?;
    out.to.flush()?;
    Ok(Moved { checksum: Some(checksum), ..moved })
}

/// Reads a whole export, verifies it, and returns its counts.
///
/// # Errors
/// [`TransferError`], if [`import`] would refuse the file.
pub fn verify_export(file: &mut (impl Read + Seek)) -> Result<Moved, TransferError> {
    whole(file).map(|(moved, _)| moved)
}

/// Returns the counts of an export, and the time before which records are revoked, if it is whole.
fn whole(file: &mut (impl Read + Seek)) -> Result<(Moved, UnixTime), TransferError> {
    file.rewind()?;
    let mut lines = Lines::new(file);
    let (mut hash, mut moved) = (digest::Context::new(&SHA256), Moved::default());
    let mut revoke_before = UnixTime::from_secs(0);
    while let Some(document) = lines.next()? {
        if moved.checksum.is_some() {
            return Err(TransferError::Damaged);
        }
        match &document {
            Document::End(end) => {
                let found = finished(&hash);
                let counted = (moved.tokens, moved.generations);
                if (end.tokens, end.generations) != counted || end.sha256 != hex::text(&found) {
                    return Err(TransferError::Damaged);
                }
                moved.checksum = Some(found);
            }
            Document::Damaged(_) | Document::DamagedGeneration(_) => add(&mut moved.damaged, 1),
            Document::RevokeBefore(secs) => revoke_before = revoke_before.max(UnixTime::from_secs(*secs)),
            _ => {}
        }
        hash.update(lines.text());
        lines.item(document)?.iter().for_each(|item| moved.count(item));
    }
    match moved.checksum {
        Some(_) => Ok((moved, revoke_before)),
        None => Err(TransferError::Incomplete { line: lines.number() }),
    }
}

/// Imports an export into a store. Inserts each token whose id is free, and each generation that is newer than the
/// store's. Also revokes existing tokens that are revoked in the export, and repeats its `revoke_before`.
///
/// Repeat an interrupted import to resume it. Reads the file twice, and imports nothing from a file that is
/// not whole. Calls `progress` after each step.
///
/// A token or a generation that was purged or deleted since the export returns as it was then. So use [`Epoch::New`] for everything but a move.
/// The new store needs the key ring of the old one: keys stay as they were sealed.
///
/// # Errors
/// [`TransferError`]; call again to resume.
pub fn import<S: Administration + ?Sized>(
    store: &S,
    file: &mut (impl Read + Seek),
    epoch: Epoch<'_>,
    progress: &mut dyn FnMut(&Moved),
) -> Result<Moved, TransferError> {
    let (Moved { damaged, checksum, .. }, revoke_before) = whole(file)?;
    if revoke_before > UnixTime::from_secs(0) {
        store.revoke_before(revoke_before)?;
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
            match (document, epoch) {
                // It had a number too, which is unknown.
                (Document::DamagedGeneration(subject), Epoch::New(keys)) => {
                    items.extend(successor(store, keys, subject, None)?);
                }
                (document, _) => {
                    if let Some(item) = lines.item(document)? {
                        moved.count(&item);
                        items.extend(in_epoch(store, epoch, item)?);
                    }
                }
            }
        }
        if items.len() >= PAGE || len >= STEP_LEN || (end && !items.is_empty()) {
            let kept = store.restore(&items)?;
            add(&mut moved.kept, kept);
            (items, len) = (Vec::new(), 0);
            progress(&moved);
        }
        if end {
            return Ok(moved);
        }
    }
}

fn in_epoch<S: Administration + ?Sized>(
    store: &S,
    epoch: Epoch<'_>,
    item: Item,
) -> Result<Option<Item>, TransferError> {
    match (item, epoch) {
        (item, Epoch::Same) => Ok(Some(item)),
        (Item::Token { mut record, claims }, Epoch::New(_)) => {
            // There is no clock here, so that the only time that is known stands for the time of the import.
            let of_epoch = Revocation {
                reason: "imported as of a new epoch".to_owned(),
                ..Revocation::for_good(record.created)
            };
            record.revocation.get_or_insert(of_epoch).reversible = false;
            Ok(Some(Item::Token { record, claims }))
        }
        (Item::Generation { subject, generation }, Epoch::New(keys)) => {
            successor(store, keys, subject, Some(generation.number))
        }
    }
}

/// Makes the generation after this one, under a new key; after the store's own if the number is unknown. Returns `None`
/// if the store has a later one already.
fn successor<S: Administration + ?Sized>(
    store: &S,
    keys: &KeyRing,
    subject: Entity,
    number: Option<u64>,
) -> Result<Option<Item>, TransferError> {
    let present = match store.generation(&subject) {
        Err(StoreError::Corrupt { .. }) => 0,
        present => present?.map_or(0, |generation| generation.number),
    };
    let number = number.unwrap_or(present);
    if present > number {
        return Ok(None);
    }
    let number = number.saturating_add(1);
    let mut secret = Zeroizing::new([0; RootKey::LEN]);
    SystemRandom::new().fill(secret.as_mut_slice()).map_err(|_| KeyError::Random)?;
    let owner = Owner::Generation { subject: &subject, number };
    let root_key = keys.seal(&RootKey::from_derived(*secret), owner)?;
    Ok(Some(Item::Generation { subject, generation: Generation { number, root_key } }))
}

/// Adds the claims on a token, and returns whether the item is sound.
fn complete<S: Administration + ?Sized>(store: &S, item: &mut Item) -> Result<bool, StoreError> {
    if let Item::Token { record, claims } = item {
        loop {
            let after = claims.last().map(|(claim, _)| claim).cloned();
            let page = match store.claims(&record.id, after.as_ref(), PAGE) {
                Err(StoreError::Corrupt { .. }) => return Ok(false),
                page => page?,
            };
            let last = page.len() < PAGE;
            claims.extend(page);
            if last {
                break;
            }
        }
        // A claim that was made after the record was read has a use as well.
        record.uses = record.uses.max(u64::try_from(claims.len()).unwrap_or(u64::MAX));
    }
    Ok(is_sound(item))
}

// Returns the checksum of the bytes hashed so far.
fn finished(hash: &digest::Context) -> [u8; 32] {
    hash.clone().finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// A writer that hashes what it writes.
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
