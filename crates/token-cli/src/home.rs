//! The home: the command's key ring, its configuration and, by default, its store.

use std::{
    env,
    ffi::OsStr,
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use token_api::{Authority, Config, Host, HostError, Purpose};
use token_core::Subject;
use token_store::{
    Administration, Entity, KeyFile, KeyFileError, KeyRing, KeySource, KeySourceError, KeyVariable,
    StoreError,
};

use crate::{
    error::{Failure, HomeError, UsageError},
    files::{private_dir, private_file, sync_dir},
    output::Terminal,
    store::{Mode, StoreUrl},
    time,
};

const KEYS: &str = "keys";

/// The environment variable that holds the key ring itself, in place of that file.
const KEYS_VARIABLE: &str = "ONETOKEN_KEYS";

const CONFIG: &str = "config.json";

/// The only version of the configuration so far.
const VERSION: u64 = 1;

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
    settings: Settings,
}

impl Opened {
    #[expect(clippy::field_reassign_with_default, reason = "another crate may add fields to it")]
    fn authority(self) -> Result<Issuer, Failure> {
        let mut config = Config::default();
        config.location = self.settings.location;
        config.domain = self.settings.domain;
        Ok(Authority::new(self.store, self.keys.load()?, Operator, config)?)
    }
}

#[derive(Args)]
pub(crate) struct HomeArgs {
    /// The directory of the keys, the configuration and the store [env: ONETOKEN_HOME] [default:
    /// $XDG_DATA_HOME/onetoken]. ONETOKEN_KEYS can hold the content of the file `keys` instead
    #[arg(long, global = true, value_name = "DIR", help_heading = "Store")]
    home: Option<PathBuf>,
    /// A store to use instead of the configured one: redb:PATH, sled:PATH, postgres://USER@HOST/DATABASE, or
    /// memory:, which ends with the command. `mint` and `import` create it if it does not exist
    #[arg(long, global = true, value_name = "URL", help_heading = "Store")]
    store: Option<StoreUrl>,
    /// How long to wait while another process has the store open
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = time::parse_duration,
          help_heading = "Store")]
    wait: Duration,
}

/// The file `config.json`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    version: u64,
    /// The location of legacy tokens (before 20.02).
    location: String,
    /// The location of modern tokens: the Onezone's domain.
    domain: String,
    /// Relative to the home.
    store: StoreUrl,
}

impl Default for Settings {
    fn default() -> Self {
        let Config { location, domain, .. } = Config::default();
        Self { version: VERSION, location, domain, store: StoreUrl::default() }
    }
}

impl HomeArgs {
    fn dir(&self) -> Result<PathBuf, UsageError> {
        // An empty variable counts as unset, as in the XDG base directory specification.
        let variable = || env::var_os("ONETOKEN_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        if let Some(dir) = self.home.clone().or_else(variable) {
            return Ok(dir);
        }
        // The XDG base directory specification ignores relative paths.
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data =
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        Ok(data.ok_or(UsageError::NoHome)?.join("onetoken"))
    }

    /// Makes a home for a Onezone of this domain and location, and returns its path. Fails if there is one.
    pub(crate) fn init(&self, domain: Option<&str>, location: Option<&str>) -> Result<PathBuf, Failure> {
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

    /// The authority of this home. Fails if the home or its store does not exist.
    pub(crate) fn authority(&self) -> Result<Issuer, Failure> {
        self.open(Mode::Existing)?.authority()
    }

    /// The authority of this home. Makes the home if it is absent or empty. Fails if an existing home has lost its
    /// store, unless `--store` names another: an empty store in its place would know none of its tokens.
    pub(crate) fn authority_from_scratch(&self, terminal: &Terminal) -> Result<Issuer, Failure> {
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
        must_last(self.store.as_ref().unwrap_or(&settings.store))?;
        self.open_or_create(terminal)?.authority()
    }

    /// Opens the store of this home, or the store that `--store` names instead, or a copy of it.
    pub(crate) fn open(&self, mode: Mode) -> Result<Opened, Failure> {
        let dir = self.dir()?;
        let io = |source| HomeError::Io { path: dir.clone(), source };
        let settings = Settings::read(&dir)?;
        let own = settings.store.within(&dir).absolute().map_err(io)?;
        let url = match &self.store {
            Some(store) => store.absolute().map_err(io)?,
            None => own.clone(),
        };
        // The store first: while it is open, no process replaces the keys.
        let store = url.open(mode, self.wait)?;
        Ok(Opened { store, keys: keys(&dir), is_own: url == own, dir, url, settings })
    }

    /// Opens the store of this home, or the one that `--store` names instead. Creates the latter if it is absent, and
    /// says so.
    pub(crate) fn open_or_create(&self, terminal: &Terminal) -> Result<Opened, Failure> {
        match self.open(Mode::Existing) {
            Err(Failure::Store(StoreError::NotFound { path })) if self.store.is_some() => {
                let opened = self.open(Mode::ExistingOrNew)?;
                terminal.note(format_args!("made a new and empty store at {}", path.display()));
                Ok(opened)
            }
            opened => opened,
        }
    }

    /// Opens another store. Fails if it does not exist.
    pub(crate) fn other(&self, url: &StoreUrl) -> Result<Box<dyn Administration>, StoreError> {
        url.open(Mode::Existing, self.wait)
    }

    /// Makes the home. Each step can be the last: the configuration, written at the end, makes it a home. Returns
    /// `false` if another process was faster.
    fn set_up(&self, dir: &Path, mut settings: Settings) -> Result<bool, Failure> {
        let io = |source| HomeError::Io { path: dir.to_owned(), source };
        if let Some(store) = &self.store {
            settings.store = store.absolute().map_err(io)?;
        }
        must_last(&settings.store)?;
        private_dir(dir).map_err(io)?;
        require_private(dir)?;
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
                Err(error) => return Err(KeySourceError::from(error).into()),
            },
            // Given by the user or left by an interrupted attempt, if they are keys at all.
            (_, true, _) => drop(keys(dir).load()?),
        }
        drop(store.open(Mode::ExistingOrNew, self.wait)?);
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

/// Refuses a store in memory: another process must be able to verify the minted tokens.
fn must_last(store: &StoreUrl) -> Result<(), UsageError> {
    if matches!(store, StoreUrl::Memory) { Err(UsageError::ForgetfulStore) } else { Ok(()) }
}

/// The source of the keys of this home.
fn keys(dir: &Path) -> Box<dyn KeySource> {
    match variable() {
        Some(name) => Box::new(KeyVariable(name.into())),
        None => Box::new(KeyFile(dir.join(KEYS))),
    }
}

/// Whether the keys come from the home's file, and not from the environment variable.
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
        let settings: Value = serde_json::from_str(&text).map_err(unreadable)?;
        // First, since another version may have any other fields.
        match settings.get("version").and_then(Value::as_u64) {
            Some(found) if found != VERSION => Err(HomeError::Version { path, found, known: VERSION }),
            _ => serde_json::from_value(settings).map_err(unreadable),
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
