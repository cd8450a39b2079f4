//! What it takes that a file appears whole, and survives a power cut.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ring::rand::{SecureRandom, SystemRandom};

use crate::StoreError;

/// How long ago a draft was last written that nobody is at work on.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

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
        let draft = PathBuf::from(draft);
        let draft = Self { file: owner_only().create_new(true).open(&draft)?, path: draft };
        // What a process that was killed left is no reason to fail.
        drop(draft.remove_abandoned(path));
        Ok(draft)
    }

    // Removes the drafts for `path` that are much older than this one: whoever is at work on one takes moments,
    // and if it was halted meanwhile, then publishing fails and says so. Drafts of key rings hold keys.
    fn remove_abandoned(&self, path: &Path) -> io::Result<()> {
        let made = self.file.metadata()?.modified()?;
        for entry in fs::read_dir(parent(path))? {
            let entry = entry?;
            let abandoned = || Ok::<_, io::Error>(made.duration_since(entry.metadata()?.modified()?));
            if is_draft(&entry.file_name(), path) && abandoned()?.is_ok_and(|age| age > ABANDONED_AFTER) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes it appear at `path`, unless something is there ([`io::ErrorKind::AlreadyExists`]).
    pub(crate) fn publish(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        // Unlike a rename, a link does not replace what stands there.
        match fs::hard_link(&self.path, path) {
            Err(error) if has_no_links(&error) => {
                // An empty file that is new, and ours to replace.
                File::create_new(path)?;
                fs::rename(&self.path, path)?;
            }
            linked => linked?,
        }
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

// Whether the file system may be one without hard links, as of a USB stick.
fn has_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

// Whether a file of this name, beside `path`, is a draft for it.
fn is_draft(name: &OsStr, path: &Path) -> bool {
    let middle = || {
        let rest = name.as_encoded_bytes().strip_prefix(path.file_name()?.as_encoded_bytes())?;
        rest.strip_prefix(b".")?.strip_suffix(b".new")
    };
    middle().is_some_and(|text| text.len() == 16 && text.iter().all(u8::is_ascii_hexdigit))
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

/// Opens files for reading and writing; those that it makes are their owner's alone.
#[cfg(unix)]
pub(crate) fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Where there are no modes, a file has the access control list of its directory.
#[cfg(not(unix))]
pub(crate) fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// Takes from all but the owner what they may do with a file or a directory.
#[cfg(all(unix, feature = "sled"))]
pub(crate) fn keep_to_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
}

/// Where there are no modes, they have the access control list of what they stand in.
#[cfg(all(not(unix), feature = "sled"))]
pub(crate) fn keep_to_owner(_path: &Path) -> io::Result<()> {
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_draft_removes_the_abandoned_ones_of_its_own_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let hours_ago = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
        let files = [
            ("keys.0123456789abcdef.new", 2, false),
            ("keys.fedcba9876543210.new", 0, true),
            ("keys.0123456789abcde.new", 2, true),
            ("keys.0123456789abcdeg.new", 2, true),
            ("keys.0123456789abcdef", 2, true),
            ("other.0123456789abcdef.new", 2, true),
            ("keys", 2, true),
        ];
        for (name, hours, _) in files {
            File::create(dir.path().join(name)).unwrap().set_modified(hours_ago(hours)).unwrap();
        }
        drop(Draft::create(&path).unwrap());
        for (name, _, stays) in files {
            assert_eq!(dir.path().join(name).exists(), stays, "{name}");
        }
    }
}
