//! The home: the command's key ring, its configuration and, by default, its store.

use std::{
    env,
    ffi::OsStr,
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::{Deserialize, Serialize};
use token_api::{Authority, Config, Host, HostError, Purpose};
use token_core::Subject;
use token_store::{
    Administration, Entity, KeyFile, KeyFileError, KeyRing, KeySource, KeySourceError, KeyVariable,
    StoreError,
};

use crate::{
    error::{Failure, UsageError},
    output::Terminal,
    store::{self, StoreUrl},
    time::{self, Seconds},
};

const KEYS: &str = "keys";

/// The environment variable that holds the key ring itself, in place of that file.
const KEYS_VARIABLE: &str = "ONETOKEN_KEYS";

const CONFIG: &str = "config.json";

/// The only version of the configuration so far.
const VERSION: u32 = 1;

/// The greatest length of a configuration that is read, in bytes.
const MAX_CONFIG: u64 = 64 << 10;

/// The authority of the command.
pub(crate) type Issuer = Authority<Box<dyn Administration>, Operator>;

/// An open store, and the source of its keys.
pub(crate) struct Opened {
    pub(crate) store: Box<dyn Administration>,
    pub(crate) keys: Box<dyn KeySource>,
    /// The home.
    pub(crate) dir: PathBuf,
    /// The store, by an absolute path.
    pub(crate) url: StoreUrl,
    /// Whether it is the store of that home, not another named one.
    pub(crate) is_own: bool,
}

#[derive(Args)]
pub(crate) struct HomeArgs {
    /// Where the keys, the configuration and the store are [env: ONETOKEN_HOME] [default:
    /// $XDG_DATA_HOME/onetoken]. The keys themselves may be in ONETOKEN_KEYS instead, as the file `keys` has them
    #[arg(long, global = true, value_name = "DIR", help_heading = "Store")]
    home: Option<PathBuf>,
    /// Another store than the configured one: redb:PATH, sled:PATH, postgres://USER@HOST/DATABASE, or memory:,
    /// which is forgotten when the command ends. `mint` and `import` make one that is not there
    #[arg(long, global = true, value_name = "URL", help_heading = "Store")]
    store: Option<StoreUrl>,
    /// How long to wait for a store that another process has open
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = time::parse_duration,
          help_heading = "Store")]
    wait: Seconds,
}

/// The file `config.json`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    version: u32,
    /// The location of legacy tokens (before 20.02).
    location: String,
    /// The location of modern tokens: the Onezone's domain.
    domain: String,
    /// Relative to the home.
    store: StoreUrl,
}

/// The fields of every version of that file.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let Config { location, domain, .. } = Config::default();
        Self { version: VERSION, location, domain, store: StoreUrl::default() }
    }
}

impl HomeArgs {
    fn dir(&self) -> Result<PathBuf, Failure> {
        // An empty variable counts as unset, as in the XDG base directory specification.
        let variable = || env::var_os("ONETOKEN_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        if let Some(dir) = self.home.clone().or_else(variable) {
            return Ok(dir);
        }
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // The XDG base directory specification ignores relative paths.
        let data =
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        Ok(data.ok_or(UsageError::NoHome)?.join("onetoken"))
    }

    /// Makes a home for a Onezone of this domain and location, and returns its path.
    pub(crate) fn init(&self, domain: Option<&str>, location: Option<&str>) -> Result<PathBuf, Failure> {
        self.must_last(&StoreUrl::default())?;
        let dir = self.dir()?;
        let mut settings = Settings::default();
        if let Some(domain) = domain {
            domain.clone_into(&mut settings.domain);
        }
        if let Some(location) = location {
            location.clone_into(&mut settings.location);
        }
        match self.set_up(&dir, settings)? {
            true => Ok(dir),
            false => Err(HomeError::Exists { path: dir.join(CONFIG) }.into()),
        }
    }

    /// The authority of this home.
    pub(crate) fn authority(&self) -> Result<Issuer, Failure> {
        let dir = self.dir()?;
        let settings = Settings::read(&dir)?;
        let store = self.store_of(&dir, &settings);
        Self::over(store::open(&store, self.wait)?, &dir, settings)
    }

    /// The authority of this home, which is made if it is absent or empty. The store of an existing home must exist as
    /// well, unless another was named: an empty one in its place would know none of its tokens.
    pub(crate) fn authority_from_scratch(&self, terminal: &Terminal) -> Result<Issuer, Failure> {
        self.must_last(&StoreUrl::default())?;
        let dir = self.dir()?;
        let settings = match Settings::read(&dir) {
            Err(HomeError::Missing { .. }) if self.may_begin(&dir)? => {
                if self.set_up(&dir, Settings::default())? {
                    terminal
                        .note(format_args!("made a new key ring and an empty store in {}", dir.display()));
                }
                Settings::read(&dir)?
            }
            settings => settings?,
        };
        self.must_last(&settings.store)?;
        Self::over(self.named_or_there(&self.store_of(&dir, &settings), terminal)?, &dir, settings)
    }

    /// Refuses a store in memory: another process must be able to verify the minted tokens.
    fn must_last(&self, configured: &StoreUrl) -> Result<(), UsageError> {
        match self.store.as_ref().unwrap_or(configured) {
            StoreUrl::Memory => Err(UsageError::ForgetfulStore),
            _ => Ok(()),
        }
    }

    /// The store of this home and its keys.
    pub(crate) fn opened(&self) -> Result<Opened, Failure> {
        self.open_by(|url| Ok(store::open(url, self.wait)?))
    }

    /// The same, but makes a store that is not the home's if it is absent.
    pub(crate) fn opened_from_scratch(&self, terminal: &Terminal) -> Result<Opened, Failure> {
        self.open_by(|url| self.named_or_there(url, terminal))
    }

    /// A copy of the store of this home and its keys, to read.
    pub(crate) fn inspected(&self) -> Result<Opened, Failure> {
        self.open_by(|url| Ok(store::inspect(url, self.wait)?))
    }

    /// A store besides the home's own.
    pub(crate) fn other(&self, url: &StoreUrl) -> Result<Box<dyn Administration>, Failure> {
        Ok(store::open(url, self.wait)?)
    }

    fn open_by(
        &self,
        open: impl FnOnce(&StoreUrl) -> Result<Box<dyn Administration>, Failure>,
    ) -> Result<Opened, Failure> {
        let dir = self.dir()?;
        let io = |source| HomeError::Io { path: dir.clone(), source };
        let settings = Settings::read(&dir)?;
        let url = self.store_of(&dir, &settings).absolute().map_err(io)?;
        let own = settings.store.within(&dir);
        let is_own = url == own.absolute().map_err(io)?;
        // The store first: while it is open, no process replaces the keys.
        let store = open(&url)?;
        Ok(Opened { store, keys: keys(&dir), dir, url, is_own })
    }

    /// Opens the store. Makes it if it is absent and not the home's own.
    fn named_or_there(
        &self,
        url: &StoreUrl,
        terminal: &Terminal,
    ) -> Result<Box<dyn Administration>, Failure> {
        match store::open(url, self.wait) {
            Err(HomeError::Store(StoreError::NotFound { path })) if self.store.is_some() => {
                let store = store::open_or_create(url, self.wait)?;
                terminal.note(format_args!("made a new and empty store at {}", path.display()));
                Ok(store)
            }
            opened => Ok(opened?),
        }
    }

    fn store_of(&self, dir: &Path, settings: &Settings) -> StoreUrl {
        self.store.clone().unwrap_or_else(|| settings.store.within(dir))
    }

    #[expect(clippy::field_reassign_with_default, reason = "another crate may add fields to it")]
    fn over(store: Box<dyn Administration>, dir: &Path, settings: Settings) -> Result<Issuer, Failure> {
        let keys = keys(dir).load().map_err(HomeError::from)?;
        let mut config = Config::default();
        config.location = settings.location;
        config.domain = settings.domain;
        Ok(Authority::new(store, keys, Operator, config)?)
    }

    /// Makes the home. Each step can be the last: the configuration, written at the end, makes it a home. Returns
    /// `false` if another process was faster.
    fn set_up(&self, dir: &Path, mut settings: Settings) -> Result<bool, Failure> {
        let io = |source| HomeError::Io { path: dir.to_owned(), source };
        private_dir(dir).map_err(io)?;
        require_private(dir)?;
        if let Some(store) = &self.store {
            settings.store = store.absolute().map_err(io)?;
        }
        let (key_file, config) = (dir.join(KEYS), dir.join(CONFIG));
        let store = settings.store.within(dir);
        // In this order: another process that makes the home writes its keys before its store.
        let orphan = store.existing();
        let has_keys = key_file.exists() || variable().is_some();
        match (config.exists(), has_keys, orphan) {
            (true, ..) => return Ok(false),
            // New keys would open none of its tokens.
            (_, false, Some(path)) => return Err(HomeError::Orphan { path }.into()),
            (_, false, None) => match KeyRing::create(&key_file) {
                Ok(_) | Err(KeyFileError::Exists { .. }) => {}
                Err(error) => return Err(HomeError::Keys(error.into()).into()),
            },
            // Given by the user or left by an interrupted attempt, if they are keys at all.
            (_, true, _) => drop(keys(dir).load().map_err(HomeError::from)?),
        }
        drop(store::open_or_create(&store, self.wait)?);
        Ok(settings.write(&config).map_err(io)?)
    }

    /// Whether a home can be made here without `init`: the directory is empty, or holds only the files of another
    /// process or an interrupted attempt.
    fn may_begin(&self, dir: &Path) -> Result<bool, Failure> {
        let io = |source| HomeError::Io { path: dir.to_owned(), source };
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            entries => entries.map_err(io)?,
        };
        let home = std::path::absolute(dir).map_err(io)?;
        let store = match &self.store {
            Some(store) => store.absolute().map_err(io)?,
            None => StoreUrl::default().within(&home),
        };
        let store = store.path().filter(|path| path.parent() == Some(&home)).and_then(Path::file_name);
        let own = [Some(KEYS.as_ref()), Some(CONFIG.as_ref()), store];
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            if !own.into_iter().flatten().any(|own| is_or_becomes(&name, own)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The source of the keys of this home.
fn keys(dir: &Path) -> Box<dyn KeySource> {
    match variable() {
        Some(name) => Box::new(KeyVariable(name.into())),
        None => Box::new(KeyFile(dir.join(KEYS))),
    }
}

pub(crate) fn keys_are_in_a_file() -> bool {
    variable().is_none()
}

/// An empty variable counts as unset.
fn variable() -> Option<&'static str> {
    env::var_os(KEYS_VARIABLE).is_some_and(|text| !text.is_empty()).then_some(KEYS_VARIABLE)
}

/// Whether it is this file, or its draft.
fn is_or_becomes(name: &OsStr, file: &OsStr) -> bool {
    let rest = name.as_encoded_bytes().strip_prefix(file.as_encoded_bytes());
    rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with(b".") && rest.ends_with(b".new")))
}

impl Settings {
    fn read(dir: &Path) -> Result<Self, HomeError> {
        require_private(dir)?;
        let path = dir.join(CONFIG);
        let text = match fs::metadata(&path).and_then(|metadata| match metadata.is_file() {
            true => fs::File::open(&path),
            // Opening a pipe would wait for a writer.
            false => Err(io::Error::other("it is no regular file")),
        }) {
            Ok(file) => io::read_to_string(io::Read::take(file, MAX_CONFIG)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::Missing { path: dir.to_owned() });
            }
            Err(error) => Err(error),
        };
        let text = text.map_err(|source| HomeError::Io { path: path.clone(), source })?;
        let unreadable = |source| HomeError::Config { path: path.clone(), source };
        // First, since another version may have any other fields.
        let Version { version } = serde_json::from_str(&text).map_err(unreadable)?;
        match version {
            VERSION => serde_json::from_str(&text).map_err(unreadable),
            found => Err(HomeError::Version { path, found }),
        }
    }

    /// Writes the file whole or not at all. Returns `false` if there is one already.
    fn write(&self, path: &Path) -> io::Result<bool> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        // An unguessable name; a link there is not followed anyway.
        let random = RandomState::new().build_hasher().finish();
        let draft = path.with_extension(format!("json.{random:016x}.new"));
        let mut file = private_file(&draft)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        // Unlike a rename, a hard link replaces no existing file.
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            linked => linked?,
        }
        sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(true)
    }
}

/// Syncs a directory, and with it the names in it.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Does nothing: where directories cannot be opened as files, the file system keeps their order.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// A new file for its owner alone: the URL of a store may hold a password.
#[cfg(unix)]
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    fs::File::create_new(path)
}

#[cfg(unix)]
fn private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn private_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// Refuses a home that others may write to, since they could put their own key ring there. Also refuses a home or a key
/// ring of another user. Absent files are left to their reader.
#[cfg(unix)]
fn require_private(dir: &Path) -> Result<(), HomeError> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    for path in [dir.to_owned(), dir.join(KEYS)] {
        let metadata = match fs::metadata(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            metadata => metadata.map_err(|source| HomeError::Io { path: path.clone(), source })?,
        };
        match (metadata.mode() & 0o7777, metadata.uid()) {
            (mode, _) if metadata.is_dir() && mode & 0o022 != 0 => {
                return Err(HomeError::Exposed { path, mode });
            }
            (_, owner) if is_foreign(owner, user) => return Err(HomeError::Foreign { path, owner }),
            _ => {}
        }
    }
    Ok(())
}

/// Does nothing: without modes, the home inherits the access control list of its parent.
#[cfg(not(unix))]
fn require_private(_dir: &Path) -> Result<(), HomeError> {
    Ok(())
}

/// Whether the owner is neither this user nor the superuser, who may do everything anyway.
#[cfg(unix)]
fn is_foreign(owner: u32, user: u32) -> bool {
    owner != user && owner != 0
}

/// Permits everything: the user of this command holds the key ring and can mint any token with it. A service that mints
/// for others has its own host, which knows their groups, spaces and privileges.
pub(crate) struct Operator;

impl Host for Operator {
    fn exists(&self, _resource: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }

    fn may(
        &self,
        _subject: Subject<&str>,
        _privilege: Purpose,
        _resource: &Entity,
    ) -> Result<bool, HostError> {
        Ok(true)
    }
}

/// The home cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    #[error("{} exists and is not overwritten", path.display())]
    Exists { path: PathBuf },
    #[error("{} is a store without its keys, which new keys would not open", path.display())]
    Orphan { path: PathBuf },
    #[error("{} has mode {mode:o}: others than its owner may change what is in it; run `chmod 700 {}`", path.display(), path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "{} belongs to user {owner}, who may change the keys; run onetoken as that user, or `chown` it to this one", path.display()
    )]
    Foreign { path: PathBuf, owner: u32 },
    #[error("{} is no home of onetoken: run `onetoken init` first", path.display())]
    Missing { path: PathBuf },
    #[error("{} holds no configuration", path.display())]
    Config { path: PathBuf, source: serde_json::Error },
    #[error("{} is of version {found}; this program knows version {VERSION}", path.display())]
    Version { path: PathBuf, found: u32 },
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Keys(#[from] KeySourceError),
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_but_the_superuser_may_own_a_home() {
        assert_eq!(
            [(7, 7), (0, 7), (0, 0), (8, 7), (7, 0)].map(|(owner, user)| is_foreign(owner, user)),
            [false, false, false, true, true]
        );
        // These tests may run as any user: `/` is the superuser's, and this program's own directory is not.
        require_private(Path::new("/")).unwrap();
    }
}
