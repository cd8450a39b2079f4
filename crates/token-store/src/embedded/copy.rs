//! Copies of stores, for inspection without touching the original: engines write even to stores that they only read.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{
    StoreError,
    disk::{self, refused},
};

/// A copy in the directory for temporary files, readable by its owner alone. It is removed when dropped.
pub(crate) struct Copy {
    dir: PathBuf,
}

impl Copy {
    /// Copies the store at `path`, which must not be open: a process that has it open holds a lock on `locked`.
    pub(crate) fn of(path: &Path, locked: &Path) -> Result<Self, StoreError> {
        let lock = disk::existing(path, File::open(locked))?;
        disk::locked(path, lock.try_lock_shared())?;
        let name = format!("onetoken-copy-{}", disk::random_name().map_err(refused)?);
        let copy = Self { dir: std::env::temp_dir().join(name) };
        disk::make_dir(&copy.dir).map_err(refused)?;
        copy_all(path, &copy.path()).map_err(refused)?;
        Ok(copy)
    }

    /// Returns the path of the copy.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("store")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // If this fails, the cleanup of temporary files removes the rest.
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Rewrites an error about the copy to name the original.
pub(crate) fn about(original: &Path, error: StoreError) -> StoreError {
    let path = original.to_owned();
    match error {
        StoreError::AlreadyOpen { .. } => StoreError::AlreadyOpen { path },
        StoreError::NotAStore { found, .. } => StoreError::NotAStore { path, found },
        other => other,
    }
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return io::copy(&mut File::open(from)?, &mut File::create_new(to)?).map(drop);
    }
    disk::make_dir(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy_all(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
