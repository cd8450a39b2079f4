//! What it takes that a file appears whole, and survives a power cut.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::rand::{SecureRandom, SystemRandom};

use crate::StoreError;

/// A new file that its owner alone may use, under a name of its own until it is complete. Unless it is published
/// it goes when dropped.
pub(crate) struct Draft {
    pub(crate) file: File,
    path: PathBuf,
}

impl Draft {
    /// An empty file beside the path where it is to appear.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no random bytes"))?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{:016x}.new", u64::from_be_bytes(random)));
        let path = PathBuf::from(draft);
        Ok(Self { file: owner_only().open(&path)?, path })
    }

    /// Makes it appear at `path`, unless something is there ([`io::ErrorKind::AlreadyExists`]).
    pub(crate) fn publish(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        // Unlike a rename, a link does not replace what stands there.
        fs::hard_link(&self.path, path)?;
        drop(self);
        sync_dir(parent(path))
    }

    /// Makes it appear at `path`, in place of what is there.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        sync_dir(parent(path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nothing rests on it: either it was never published, or it stands under its own name as well.
        drop(fs::remove_file(&self.path));
    }
}

/// Waits until the entries of a directory are on disk. A new file is safe only after this: syncing the file does
/// not sync its name.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere a directory cannot be opened; its entries are journaled by the file system.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// The directory that a path stands in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent == Path::new("") => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// What the operating system refused before anything was written.
pub(crate) fn refused(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        _ => StoreError::Io(Arc::new(error)),
    }
}

#[cfg(unix)]
fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options
}

/// Where there are no modes, the file has the access control list of its directory.
#[cfg(not(unix))]
fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    options
}

/// Makes a directory that its owner alone may use.
#[cfg(unix)]
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(dir)
}

/// Where there are no modes, it has the access control list of the one around it.
#[cfg(not(unix))]
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)
}
