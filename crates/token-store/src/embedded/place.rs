//! The paths of the files of an open store.

use std::{
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{StoreError, disk::refused};

/// How long a read trusts the last look at the files: a look takes longer than reading a record.
const TRUST: Duration = Duration::from_secs(1);

/// The paths of open files. While the paths lead to these files, a process that opens the store opens the same files,
/// and meets their locks. A file that was moved away or replaced is no longer the store: another process may open a new
/// one in its place.
pub(crate) struct Place {
    // The path that the store was opened by, for people.
    path: PathBuf,
    files: Vec<(PathBuf, Identity)>,
    opened: Instant,
    // When reads look again, in milliseconds since the store was opened.
    next: AtomicU64,
    // Set once the files were moved away. What was written to them meanwhile is unknown, even if they are put back.
    lost: AtomicBool,
    // Set after a commit of unknown outcome: even reads could then return data that is not on disk.
    failed: AtomicBool,
}

impl Place {
    /// Notes the place of a store opened by `path`: its open files, and their paths.
    pub(crate) fn of(path: &Path, files: &[(&Path, &File)]) -> io::Result<Self> {
        let file = |(path, file): &(&Path, &File)| {
            // Not resolved further: a link that now leads elsewhere must be noticed.
            Ok((std::path::absolute(path)?, identity(&file.metadata()?)))
        };
        Ok(Self {
            path: path.to_owned(),
            files: files.iter().map(file).collect::<io::Result<_>>()?,
            opened: Instant::now(),
            next: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        })
    }

    /// Returns [`StoreError::Replaced`] if a path leads to another file or none, and in every later call;
    /// [`StoreError::Poisoned`] after a failure.
    pub(crate) fn require(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        if !self.lost.load(Ordering::Acquire) {
            let leads = |(path, file): &(PathBuf, Identity)| match fs::metadata(path) {
                Ok(metadata) => Ok(identity(&metadata) == *file),
                Err(error) if is_absent(&error) => Ok(false),
                Err(error) => Err(refused(error)),
            };
            let mut found = self.files.iter().map(leads);
            if found.try_fold(true, |all, leads| Ok::<_, StoreError>(all && leads?))? {
                return Ok(());
            }
            self.lost.store(true, Ordering::Release);
        }
        Err(StoreError::Replaced { path: self.path.clone() })
    }

    /// Makes every later call fail.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Returns the outcome of a commit. Does not acknowledge a write to files that were moved away; files that are moved
    /// after this take the commit along.
    pub(crate) fn settle(&self, committed: Result<(), StoreError>) -> Result<(), StoreError> {
        let outcome = committed.and_then(|()| self.require_still());
        // A caller in doubt must not see later commits acknowledged.
        if matches!(outcome, Err(StoreError::Unknown(_))) {
            self.fail();
        }
        outcome
    }

    // After a commit that succeeded. If the paths cannot be followed, the outcome is unknown.
    fn require_still(&self) -> Result<(), StoreError> {
        self.require().map_err(|error| match error {
            StoreError::Io(cause) => StoreError::Unknown(Some(cause)),
            StoreError::Full | StoreError::ReadOnly => StoreError::Unknown(None),
            error => error,
        })
    }

    /// The same for a read, as of the last second.
    pub(crate) fn require_lately(&self) -> Result<(), StoreError> {
        self.require_at(self.opened.elapsed())
    }

    fn require_at(&self, now: Duration) -> Result<(), StoreError> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let given_up = self.failed.load(Ordering::Acquire) || self.lost.load(Ordering::Acquire);
        if millis(now) < self.next.load(Ordering::Relaxed) && !given_up {
            return Ok(());
        }
        self.next.store(millis(now.saturating_add(TRUST)), Ordering::Relaxed);
        self.require()
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The identity of a file among those that exist at the same time: its device and inode.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// On other systems, only that the file exists.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> Identity {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::Retry;

    #[test]
    fn a_read_looks_once_a_second_and_believes_a_loss_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("file"), dir.path().join("aside"));
        let file = File::create_new(&path).unwrap();
        let place = Place::of(&path, &[(&path, &file)]).unwrap();
        let at = |millis| place.require_at(Duration::from_millis(millis));
        at(0).unwrap();
        fs::rename(&path, &aside).unwrap();
        at(999).unwrap();
        let lost = |found: Result<(), StoreError>| {
            assert!(matches!(found, Err(StoreError::Replaced { path: named }) if named == path));
        };
        lost(at(1000));
        fs::rename(&aside, &path).unwrap();
        lost(at(1001));
        lost(place.require());
    }

    #[test]
    fn a_path_that_cannot_be_followed_is_doubt_after_a_commit_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (inner, aside) = (dir.path().join("in"), dir.path().join("aside"));
        fs::create_dir(&inner).unwrap();
        let path = inner.join("file");
        let file = File::create_new(&path).unwrap();
        let place = Place::of(&path, &[(&path, &file)]).unwrap();
        fs::rename(&inner, &aside).unwrap();
        std::os::unix::fs::symlink("in", &inner).unwrap();
        assert!(matches!(place.require(), Err(StoreError::Io(_))), "a link to itself");
        assert_eq!(place.require_still().unwrap_err().retry(), Retry::Ask);
        fs::remove_file(&inner).unwrap();
        fs::rename(&aside, &inner).unwrap();
        place.require_still().unwrap();
    }

    #[test]
    fn every_way_to_lose_a_file_is_noticed() {
        let ways: [fn(&Path); 5] = [
            |dir| fs::remove_file(dir.join("in/file")).unwrap(),
            |dir| fs::rename(dir.join("in"), dir.join("out")).unwrap(),
            |dir| {
                fs::write(dir.join("other"), "").unwrap();
                fs::rename(dir.join("other"), dir.join("in/file")).unwrap();
            },
            |dir| {
                fs::rename(dir.join("in"), dir.join("out")).unwrap();
                fs::write(dir.join("in"), "").unwrap();
            },
            |dir| {
                fs::rename(dir.join("in"), dir.join("out")).unwrap();
                fs::create_dir(dir.join("new")).unwrap();
                fs::write(dir.join("new/file"), "").unwrap();
                std::os::unix::fs::symlink("new", dir.join("in")).unwrap();
            },
        ];
        for (number, lose) in ways.iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("in")).unwrap();
            let path = dir.path().join("in/file");
            let file = File::create_new(&path).unwrap();
            let place = Place::of(&path, &[(&path, &file)]).unwrap();
            place.require().unwrap();
            lose(dir.path());
            assert!(matches!(place.require(), Err(StoreError::Replaced { .. })), "{number}");
        }
    }
}
