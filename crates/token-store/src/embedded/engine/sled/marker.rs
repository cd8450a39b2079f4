//! The file that marks a directory as our store.
//!
//! ```text
//! onetoken sled store 1
//! 000000000000002a facbafde73f6cb9d
//! ```
//!
//! It is locked while the store is open. It is created before everything else and filled in when the store is complete:
//! while it is empty or cut short, the store holds no record. In a complete one only the second line is rewritten, in
//! place: a lower bound of the number of commits in the log, and a check of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{
    StoreError,
    contract::codec,
    disk::{self, owner_only, refused},
};

/// The name of the file.
pub(super) const NAME: &str = "onetoken-store";
const TITLE: &str = "onetoken sled store ";

/// The version of the marker and of its directory. sled holds the version of the layout.
const VERSION: u32 = 1;

pub(crate) struct Marker {
    /// The locked file.
    pub(super) file: File,
    dir: PathBuf,
}

impl Marker {
    /// Creates the directory, or takes an empty one, and locks it against other processes.
    pub(crate) fn create(dir: &Path) -> Result<Self, StoreError> {
        match disk::make_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error)),
            _ => {}
        }
        let path = dir.join(NAME);
        // The marker is created first: if it is missing by now, the other files are not ours.
        if !dir.is_dir() || (!is_empty(dir)? && !path.exists()) {
            return Err(StoreError::Exists { path: dir.to_owned() });
        }
        let file = owner_only().create(true).truncate(false).open(path).map_err(refused)?;
        Self { file, dir: dir.to_owned() }.lock()
    }

    /// Checks that the directory is ours, and locks it against other processes.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let not_a_store = |found| Err(StoreError::NotAStore { path: dir.to_owned(), found });
        if !disk::existing(dir, fs::metadata(dir))?.is_dir() {
            return not_a_store("something other than a directory");
        }
        let file = OpenOptions::new().read(true).write(true).open(dir.join(NAME));
        match disk::found(file).map_err(refused)? {
            Some(file) => Self { file, dir: dir.to_owned() }.lock(),
            None if is_empty(dir)? => Err(StoreError::NotFound { path: dir.to_owned() }),
            None => not_a_store("a directory with other files in it"),
        }
    }

    fn lock(self) -> Result<Self, StoreError> {
        disk::locked(&self.dir, self.file.try_lock())?;
        Ok(self)
    }

    /// Returns the least number of commits; `None` for an incomplete store.
    pub(crate) fn read(&mut self) -> Result<Option<u64>, StoreError> {
        let damaged = || StoreError::Corrupt { what: "the file onetoken-store" };
        let mut text = String::new();
        (&self.file).take(1024).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => damaged(),
            _ => refused(error),
        })?;
        let complete = [title(), line(0)].concat();
        if text.len() < complete.len() && complete.starts_with(&text) {
            return Ok(None);
        }
        let (title, second) = text.split_once('\n').ok_or_else(damaged)?;
        match title.strip_prefix(TITLE).map(str::parse) {
            Some(Ok(VERSION)) => {}
            Some(Ok(found)) if found > VERSION => {
                return Err(StoreError::NewerVersion { found, known: VERSION });
            }
            _ => return Err(damaged()),
        }
        let commits = second.split_once(' ').and_then(|(commits, _)| u64::from_str_radix(commits, 16).ok());
        match commits {
            Some(commits) if line(commits) == second => Ok(Some(commits)),
            _ => Err(damaged()),
        }
    }

    /// Marks the store complete, with no commits. All other files and entries of the directory must be on disk.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all([title(), line(0)].concat().as_bytes())?;
        self.file.sync_all()?;
        // The process that made the directory may have been interrupted before this.
        disk::sync_dir(disk::parent(&self.dir))
    }

    /// Notes the number of commits on disk.
    pub(crate) fn write(&mut self, commits: u64) -> io::Result<()> {
        let after_title = u64::try_from(title().len()).map_err(io::Error::other)?;
        self.file.seek(SeekFrom::Start(after_title))?;
        self.file.write_all(line(commits).as_bytes())
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // If this fails, the bound is only lower than it could be.
        drop(self.file.sync_data());
    }
}

fn is_empty(dir: &Path) -> Result<bool, StoreError> {
    Ok(fs::read_dir(dir).map_err(refused)?.next().is_none())
}

fn title() -> String {
    format!("{TITLE}{}\n", VERSION)
}

fn line(commits: u64) -> String {
    let check = u64::from_be_bytes(codec::check(&[b"commits", &commits.to_be_bytes()]));
    format!("{commits:016x} {check:016x}\n")
}
