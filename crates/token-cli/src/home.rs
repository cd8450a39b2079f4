//! The home: the command's key ring, its configuration and, by default, its store.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use token_api::{Authority, Config, Host, HostError, Purpose};
use token_core::Subject;
use token_store::{
    Administration, Entity, KeyFile, KeyRing, KeySource, KeySourceError, KeyVariable, StoreError,
};

use crate::{
    error::Failure,
    files::{SUFFIX, private_dir, save},
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
    /// memory:, which ends with the command. `mint`, `import` and `adopt` create it if it does not exist
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
    fn dir(&self) -> Result<PathBuf, Failure> {
        // An empty variable counts as unset, as in the XDG base directory specification.
        let variable = || env::var_os("ONETOKEN_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        if let Some(dir) = self.home.clone().or_else(variable) {
            return Ok(dir);
        }
        // The XDG base directory specification ignores relative paths.
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data =
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        let data = data.ok_or_else(|| Failure::usage("no home directory is known; name one with --home"))?;
        Ok(data.join("onetoken"))
    }

    /// Makes a home for a Onezone of this domain and location, and returns its path. Fails if there is one.
    pub(crate) fn init(&self, domain: Option<&str>, location: Option<&str>) -> Result<PathBuf, Failure> {
        let dir = self.dir()?;
        let mut settings = Settings::default();
        settings.domain = domain.map_or(settings.domain, str::to_owned);
        settings.location = location.map_or(settings.location, str::to_owned);
        if self.set_up(&dir, settings)? {
            return Ok(dir);
        }
        let path = dir.join(CONFIG);
        Err(Failure::home(format_args!(
            "{} exists and is not overwritten; name another home with --home",
            path.display()
        )))
    }

    /// The authority of this home. Fails if the home or its store does not exist.
    pub(crate) fn authority(&self) -> Result<Issuer, Failure> {
        self.open(Mode::Existing)?.authority()
    }

    /// The authority of this home. Makes the home if it is absent or empty. Fails if an existing home has lost its
    /// store, unless `--store` names another: an empty store in its place would know none of its tokens.
    pub(crate) fn authority_from_scratch(&self, terminal: &Terminal) -> Result<Issuer, Failure> {
        let dir = self.dir()?;
        if Settings::read(&dir)?.is_none()
            && self.may_begin(&dir)?
            && self.set_up(&dir, Settings::default())?
        {
            terminal.note(format_args!("made a new key ring and an empty store in {}", dir.display()));
        }
        must_last(self.store.as_ref().unwrap_or(&Settings::of(&dir)?.store))?;
        self.open_or_create(terminal)?.authority()
    }

    /// Opens the store of this home, or the store that `--store` names instead, or a copy of it.
    pub(crate) fn open(&self, mode: Mode) -> Result<Opened, Failure> {
        Ok(self.try_open(mode)??)
    }

    /// As [`open`](Self::open), but what the store says of its opening is apart.
    fn try_open(&self, mode: Mode) -> Result<Result<Opened, StoreError>, Failure> {
        let dir = self.dir()?;
        let settings = Settings::of(&dir)?;
        let own = settings.store.within(&dir).map_err(|error| Failure::home_file(&dir, error))?;
        let url = match &self.store {
            Some(store) => store.within("").map_err(|error| Failure::home_file(&dir, error))?,
            None => own.clone(),
        };
        // The store first: while it is open, no process replaces the keys.
        let store = url.open(mode, self.wait);
        Ok(store.map(|store| Opened { store, keys: keys(&dir), is_own: url == own, dir, url, settings }))
    }

    /// Opens the store of this home, or the one that `--store` names instead. Creates the latter if it is absent, and
    /// says so.
    pub(crate) fn open_or_create(&self, terminal: &Terminal) -> Result<Opened, Failure> {
        match self.try_open(Mode::Existing)? {
            Err(StoreError::NotFound { path }) if self.store.is_some() => {
                let opened = self.open(Mode::ExistingOrNew)?;
                terminal.note(format_args!("made a new and empty store at {}", path.display()));
                Ok(opened)
            }
            opened => Ok(opened?),
        }
    }

    /// Opens another store. Fails if it does not exist.
    pub(crate) fn other(&self, url: &StoreUrl) -> Result<Box<dyn Administration>, StoreError> {
        url.open(Mode::Existing, self.wait)
    }

    /// Makes the home. Each step can be the last: the configuration, written at the end, makes it a home. Returns
    /// `false` if another process was faster.
    fn set_up(&self, dir: &Path, mut settings: Settings) -> Result<bool, Failure> {
        let io = |error| Failure::home_file(dir, error);
        if let Some(store) = &self.store {
            settings.store = store.within("").map_err(io)?;
        }
        must_last(&settings.store)?;
        private_dir(dir).map_err(io)?;
        #[cfg(unix)]
        require_private(dir)?;
        let (key_file, config) = (dir.join(KEYS), dir.join(CONFIG));
        let store = settings.store.within(dir).map_err(io)?;
        // In this order: another process that makes the home writes its keys before its store.
        let orphan = store.existing();
        let has_keys = key_file.exists() || variable().is_some();
        match (config.exists(), has_keys, orphan) {
            (true, ..) => return Ok(false),
            (_, false, Some(path)) => {
                return Err(Failure::home(format_args!(
                    "{} is a store whose keys are missing, and new keys would open none of its tokens",
                    path.display()
                )));
            }
            (_, false, None) => match KeyRing::create(&key_file) {
                Ok(_) | Err(KeySourceError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            // Given by the user or left by an interrupted attempt, if they are keys at all.
            (_, true, _) => drop(keys(dir).load()?),
        }
        drop(store.open(Mode::ExistingOrNew, self.wait)?);
        let mut text = serde_json::to_vec_pretty(&settings).map_err(|error| io(error.into()))?;
        text.push(b'\n');
        match save(&config, &text, false) {
            // If not there yet, the other process has removed this draft.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
                    && config.exists() =>
            {
                Ok(false)
            }
            saved => saved.map(|()| true).map_err(io),
        }
    }

    /// Whether a home can be made here without `init`: the directory is empty, or holds only the files of another
    /// process or an interrupted attempt.
    fn may_begin(&self, dir: &Path) -> Result<bool, Failure> {
        let io = |error| Failure::home_file(dir, error);
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(io)?,
        };
        let home = std::path::absolute(dir).map_err(io)?;
        let store = match &self.store {
            Some(store) => store.within(""),
            None => StoreUrl::default().within(dir),
        };
        let store = store.map_err(io)?;
        let is_begun = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            name == KEYS
                || name == CONFIG
                || name.as_encoded_bytes().ends_with(SUFFIX.as_bytes())
                || matches!(&store, StoreUrl::File(_, path) if *path == home.join(&name))
        };
        Ok(entries.iter().all(is_begun))
    }
}

/// Refuses a store in memory: another process must be able to verify the minted tokens.
fn must_last(store: &StoreUrl) -> Result<(), Failure> {
    match store {
        StoreUrl::Memory => Err(Failure::usage(
            "a store in `memory:` ends with this command, so nothing could verify the token; name another store",
        )),
        _ => Ok(()),
    }
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

impl Settings {
    /// Those of this home. Fails if it is none.
    fn of(dir: &Path) -> Result<Self, Failure> {
        let none = || format!("{} is not a home of onetoken; run `onetoken init` first", dir.display());
        Self::read(dir)?.ok_or_else(|| Failure::home(none()))
    }

    /// `None` if this is no home.
    fn read(dir: &Path) -> Result<Option<Self>, Failure> {
        #[cfg(unix)]
        require_private(dir)?;
        let path = dir.join(CONFIG);
        let file = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if metadata.is_file() => fs::File::open(&path),
            // Opening a pipe would wait for a writer.
            Ok(_) => Err(io::Error::other("it is no regular file")),
            Err(error) => Err(error),
        };
        let text = file.and_then(|file| io::read_to_string(io::Read::take(file, MAX_CONFIG)));
        let text = text.map_err(|error| Failure::home_file(&path, error))?;
        let path = path.display();
        let unreadable = |error: serde_json::Error| {
            Failure::home(format_args!("{path} is not a configuration of onetoken: {error}"))
        };
        let settings: Value = serde_json::from_str(&text).map_err(unreadable)?;
        // First, since another version may have any other fields.
        if let Some(found) = settings.get("version").and_then(Value::as_u64).filter(|found| *found != VERSION)
        {
            let message = format_args!("{path} has version {found}; this program reads version {VERSION}");
            return Err(Failure::home(message));
        }
        serde_json::from_value(settings).map(Some).map_err(unreadable)
    }
}

/// Refuses a home that others may write to, since they could put their own key ring there. Also refuses a home or a key
/// ring of another user. Absent files are left to their reader. Without modes, the home inherits the access control list
/// of its parent.
#[cfg(unix)]
fn require_private(dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    for path in [dir.to_owned(), dir.join(KEYS)] {
        let metadata = match fs::metadata(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            metadata => metadata.map_err(|error| Failure::home_file(&path, error))?,
        };
        let (path, mode, owner) = (path.display(), metadata.mode() & 0o7777, metadata.uid());
        if metadata.is_dir() && mode & 0o022 != 0 {
            return Err(Failure::home(format_args!(
                "{path} has mode {mode:o}, so other users can change its files; run `chmod 700 {path}`"
            )));
        }
        if is_foreign(owner, user) {
            return Err(Failure::home(format_args!(
                "{path} belongs to user {owner}, who can change the keys; run onetoken as that user, or `chown` it to \
                 this one"
            )));
        }
    }
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
