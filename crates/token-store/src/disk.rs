//! Files that appear whole, and survive a power cut.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ring::rand::{SecureRandom, SystemRandom};

use crate::StoreError;

/// The age after which a draft counts as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// A new file, accessible to its owner alone, under a draft name until it is complete. Removed when dropped, unless it
/// was published.
pub(crate) struct Draft {
    pub(crate) file: File,
    path: PathBuf,
}

impl Draft {
    /// Creates an empty draft beside the path where it is to appear.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}.new", random_name()?));
        let draft = PathBuf::from(draft);
        let draft = Self { file: owner_only().create_new(true).open(&draft)?, path: draft };
        // A failure to remove the drafts of killed processes does not matter here.
        drop(draft.remove_abandoned(path));
        Ok(draft)
    }

    // Removes drafts for `path` that are much older than this one. A running process holds a draft for moments. If it
    // was halted for so long, its publishing fails and says so. Drafts of key rings hold keys.
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

    /// Publishes the draft at `path`, unless the path exists ([`io::ErrorKind::AlreadyExists`]).
    pub(crate) fn publish(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        // Unlike a rename, a link does not replace an existing file.
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

    /// Publishes the draft at `path`, in place of the existing file.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        sync_dir(parent(path))
    }
}

/// Draws 16 hexadecimal digits.
pub(crate) fn random_name() -> io::Result<String> {
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no random bytes"))?;
    Ok(format!("{:016x}", u64::from_be_bytes(random)))
}

// Returns whether the file system may lack hard links, as on a USB stick.
fn has_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

// Returns whether this name, beside `path`, is that of a draft for it.
fn is_draft(name: &OsStr, path: &Path) -> bool {
    let middle = || {
        let rest = name.as_encoded_bytes().strip_prefix(path.file_name()?.as_encoded_bytes())?;
        rest.strip_prefix(b".")?.strip_suffix(b".new")
    };
    middle().is_some_and(|text| text.len() == 16 && text.iter().all(u8::is_ascii_hexdigit))
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nothing depends on the draft: either it was never published, or the file has its own name as well.
        drop(fs::remove_file(&self.path));
    }
}

/// Syncs the entries of a directory. A new file is durable only after this: syncing the file does not sync its name.
/// Systems other than Unix cannot open a directory; their file systems journal its entries.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Returns the directory that contains a path.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent == Path::new("") => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// Returns what was found; `None` if there is nothing.
pub(crate) fn found<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Returns what was found of the store at `path`; [`StoreError::NotFound`] if there is nothing.
pub(crate) fn existing<T>(path: &Path, outcome: io::Result<T>) -> Result<T, StoreError> {
    let found = found(outcome).map_err(refused)?;
    found.ok_or_else(|| StoreError::NotFound { path: path.to_owned() })
}

/// Maps the outcome of locking the store at `path`, which another process has open if it holds the lock.
pub(crate) fn locked(path: &Path, outcome: Result<(), TryLockError>) -> Result<(), StoreError> {
    outcome.map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::AlreadyOpen { path: path.to_owned() },
        TryLockError::Error(error) => refused(error),
    })
}

/// Maps a refusal by the operating system before anything was written.
pub(crate) fn refused(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        _ => StoreError::Io(Arc::new(error)),
    }
}

// On systems without modes, files and directories have the access control list of the directory around them.

/// Opens files for reading and writing, and creates them accessible to their owner alone.
pub(crate) fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Removes all permissions of a file or a directory but those of its owner.
#[cfg(feature = "sled")]
#[cfg_attr(not(unix), allow(unused_variables, reason = "there are no modes"))]
pub(crate) fn keep_to_owner(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)?.permissions().mode();
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

/// Creates a directory accessible to its owner alone.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "there are no modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
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
