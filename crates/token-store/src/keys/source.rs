//! Sources of key rings.

use std::{env, error::Error, ffi::OsString, fmt, io, path::PathBuf, sync::Arc};

use zeroize::Zeroizing;

use super::{
    keyring::{KeyError, KeyRing},
    text::KeyTextError,
};

/// A source of a key ring: a file, an environment variable, or one of the host's own, such as a vault.
///
/// ```
/// use std::sync::Mutex;
///
/// use token_store::{KeyRing, KeySource, KeySourceError};
///
/// #[derive(Debug)]
/// struct Vault(Mutex<String>); // stands for a client of one
///
/// impl KeySource for Vault {
///     fn load(&self) -> Result<KeyRing, KeySourceError> {
///         let text = self.0.lock().map_err(|_| KeySourceError::host("sealed"))?;
///         KeyRing::from_text(&text).map_err(KeySourceError::host)
///     }
///
///     fn replace(&self, keys: &KeyRing) -> Result<(), KeySourceError> {
///         let mut text = self.0.lock().map_err(|_| KeySourceError::host("sealed"))?;
///         keys.to_text().as_str().clone_into(&mut text);
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vault = Vault(Mutex::new(KeyRing::generate()?.to_text().to_string()));
/// let mut keys = vault.load()?;
/// keys.rotate()?;
/// vault.replace(&keys)?; // before anything is sealed under the new key
/// assert_eq!(vault.load()?.newest_id(), 2);
/// # Ok(())
/// # }
/// ```
pub trait KeySource: fmt::Debug + Send + Sync {
    /// Reads the ring.
    ///
    /// # Errors
    /// [`KeySourceError`]
    fn load(&self) -> Result<KeyRing, KeySourceError>;

    /// Replaces the ring, wholly or not at all. Returns only when the new ring is durable: if a key is lost, so is
    /// everything sealed under it.
    ///
    /// # Errors
    /// [`KeySourceError`], such as [`KeySourceError::ReadOnly`] if this source cannot be written.
    fn replace(&self, keys: &KeyRing) -> Result<(), KeySourceError>;
}

/// A file accessible to its owner alone, as [`KeyRing::create`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile(
    /// The path of the file.
    pub PathBuf,
);

/// An environment variable that holds the text of a ring ([`KeyRing::to_text`]). Other processes of the same user can
/// read it. It is read-only: [`replace`](KeySource::replace) returns [`KeySourceError::ReadOnly`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVariable(
    /// Its name.
    pub OsString,
);

impl KeySource for KeyFile {
    fn load(&self) -> Result<KeyRing, KeySourceError> {
        KeyRing::load(&self.0)
    }

    fn replace(&self, keys: &KeyRing) -> Result<(), KeySourceError> {
        keys.replace(&self.0)
    }
}

impl KeySource for KeyVariable {
    fn load(&self) -> Result<KeyRing, KeySourceError> {
        let name = || self.0.clone();
        let text = env::var_os(&self.0).ok_or_else(|| KeySourceError::Absent { name: name() })?;
        let text = Zeroizing::new(text.into_encoded_bytes());
        let text = str::from_utf8(&text).map_err(|_| KeyTextError::Header);
        text.and_then(KeyRing::from_text).map_err(|source| KeySourceError::Variable { name: name(), source })
    }

    fn replace(&self, _: &KeyRing) -> Result<(), KeySourceError> {
        Err(KeySourceError::ReadOnly)
    }
}

/// An error in reading or replacing a key ring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// The file exists. It was left as it is.
    #[error("{} exists and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Users other than the owner can access the file.
    #[error("{} has mode {mode:o}: others than its owner may use it; run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The path is not a regular file: a read of a pipe or a device may block or never end.
    #[error("{} is no regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file holds no key ring.
    #[error("{} holds no key ring", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyTextError,
    },
    /// The operating system refused.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No key was made.
    #[error("no key can be made")]
    Seal(#[from] KeyError),
    /// The environment variable is not set.
    #[error("the environment variable {} is not set", name.display())]
    Absent {
        /// Its name.
        name: OsString,
    },
    /// The environment variable holds no key ring.
    #[error("the environment variable {} holds no key ring", name.display())]
    Variable {
        /// Its name.
        name: OsString,
        /// What is wrong with its text.
        source: KeyTextError,
    },
    /// This source can only be read.
    #[error(
        "the key ring comes from where it cannot be replaced, as out of the environment: put it into its file first"
    )]
    ReadOnly,
    /// The host's own source failed.
    #[error("the host cannot give or keep the key ring")]
    Host(#[source] Arc<dyn Error + Send + Sync>),
}

impl KeySourceError {
    /// Wraps an error of a host's own source.
    pub fn host(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Host(Arc::from(cause.into()))
    }
}
