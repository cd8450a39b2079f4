//! A key ring in a file.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use zeroize::Zeroizing;

use super::{keyring::KeyRing, source::KeySourceError, text::KeyTextError};
use crate::disk::{self, Draft};

/// The greatest length of a key file, in bytes: some 12,000 keys.
const MAX_LEN: u64 = 1024 * 1024;

impl KeyRing {
    /// Makes a ring of one new key and saves it in a new file, readable by its owner alone (mode 0600). The file
    /// appears whole or not at all.
    ///
    /// # Errors
    /// [`KeySourceError`], such as [`KeySourceError::Exists`] if the file exists: overwriting a key ring would lose every
    /// token.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, KeySourceError> {
        let keys = Self::generate()?;
        keys.save(path)?;
        Ok(keys)
    }

    /// Saves the ring in a new file, as [`create`](Self::create) does. For example, a copy before keys are
    /// [removed](Self::remove).
    ///
    /// # Errors
    /// [`KeySourceError`], such as [`KeySourceError::Exists`] if the file exists.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), KeySourceError> {
        let path = path.as_ref();
        self.draft(path)?.publish(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeySourceError::Exists { path: path.to_owned() },
            _ => KeySourceError::Io { path: path.to_owned(), source },
        })
    }

    /// Replaces a key file with this ring, as after a [`rotate`](Self::rotate). Follows a symbolic link and replaces
    /// its target. Keep a copy of the old file if it holds keys that this ring does not.
    ///
    /// A process that is killed meanwhile leaves a draft, `keys.<hex>.new`, which also holds keys. A later call removes
    /// it after an hour.
    ///
    /// # Errors
    /// [`KeySourceError`]; the file is the old or the new one, whole.
    pub fn replace(&self, path: impl AsRef<Path>) -> Result<(), KeySourceError> {
        let path = path.as_ref();
        let io = |source| KeySourceError::Io { path: path.to_owned(), source };
        let target = disk::found(fs::canonicalize(path)).map_err(io)?;
        let target = target.as_deref().unwrap_or(path);
        self.draft(target)?.replace(target).map_err(io)
    }

    /// Reads a ring from a file.
    ///
    /// # Errors
    /// [`KeySourceError`], such as [`KeySourceError::Exposed`] if users other than the owner may read or write the file,
    /// and [`KeySourceError::NotAFile`] for a pipe or a device, which is not opened.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, KeySourceError> {
        let path = path.as_ref();
        let io = |source| KeySourceError::Io { path: path.to_owned(), source };
        let require_file = |metadata: fs::Metadata| match metadata.is_file() {
            true => Ok(metadata),
            false => Err(KeySourceError::NotAFile { path: path.to_owned() }),
        };
        // Before opening, since opening a pipe waits for a writer.
        require_file(fs::metadata(path).map_err(io)?)?;
        let file = File::open(path).map_err(io)?;
        let metadata = require_file(file.metadata().map_err(io)?)?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeySourceError::Exposed { path: path.to_owned(), mode });
            }
        }
        if metadata.len() > MAX_LEN {
            return Err(KeySourceError::Malformed { path: path.to_owned(), source: KeyTextError::Header });
        }
        // At full capacity from the start: a growing string leaves copies of keys in memory.
        let capacity = usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1);
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        file.take(MAX_LEN).read_to_string(&mut text).map_err(io)?;
        Self::from_text(&text).map_err(|source| KeySourceError::Malformed { path: path.to_owned(), source })
    }

    fn draft(&self, path: &Path) -> Result<Draft, KeySourceError> {
        let io = |source| KeySourceError::Io { path: path.to_owned(), source };
        let mut draft = Draft::create(path).map_err(io)?;
        draft.file.write_all(self.to_text().as_bytes()).map_err(io)?;
        Ok(draft)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_is_private_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let keys = KeyRing::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(KeyRing::load(&path).unwrap().to_text(), keys.to_text());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        fs::write(&path, "something").unwrap();
        assert!(matches!(KeyRing::create(&path), Err(KeySourceError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "something");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_rotated_ring_replaces_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let mut keys = KeyRing::create(&path).unwrap();
        keys.rotate().unwrap();
        keys.replace(&path).unwrap();
        assert_eq!(KeyRing::load(&path).unwrap().newest_id(), 2);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_to_a_ring_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("kept"), dir.path().join("keys"));
        let mut keys = KeyRing::create(&path).unwrap();
        std::os::unix::fs::symlink("kept", &link).unwrap();
        keys.rotate().unwrap();
        keys.replace(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(KeyRing::load(&path).unwrap().newest_id(), 2);
    }

    #[test]
    fn a_file_that_others_may_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        KeyRing::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyRing::load(&path).unwrap_err();
            assert!(matches!(error, KeySourceError::Exposed { mode: found, .. } if found == mode), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe, dir.path().to_owned(), Path::new("/dev/zero").to_owned()] {
            let (loaded, outcome) = std::sync::mpsc::channel();
            std::thread::spawn(move || loaded.send(KeyRing::load(path).map(drop)));
            let refused = outcome.recv_timeout(std::time::Duration::from_secs(60)).expect("an answer");
            assert!(matches!(refused, Err(KeySourceError::NotAFile { .. })), "{refused:?}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        assert!(matches!(
            KeyRing::load(&path),
            Err(KeySourceError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound
        ));
        let text = "x".repeat(2 * 1024 * 1024);
        for content in ["", "onetoken-keys-v2\n", text.as_str()] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(
                KeyRing::load(&path),
                Err(KeySourceError::Malformed { source: KeyTextError::Header, .. })
            ));
        }
    }
}
