//! `onetoken rekey`

use std::{fs, io, path::PathBuf};

use serde::Serialize;
use token_store::Rekeyed;

use crate::{
    args::RekeyArgs,
    error::{Exit, Failure, UsageError},
    home::{HomeArgs, HomeError, Opened},
    output::Terminal,
    progress::{Bar, Progress},
};

#[derive(Serialize)]
struct Done {
    /// The id of the key that seals from now on.
    key: u32,
    resumed: bool,
    seen: u64,
    resealed: u64,
    removed: Vec<u32>,
}

pub(super) fn run(args: &RekeyArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Opened { store, keys: source, dir, is_own } = home.opened()?;
    if !is_own && !args.keep_old {
        return Err(UsageError::RekeyOther.into());
    }
    let mut keys = source.load().map_err(HomeError::from)?;
    let underway = Underway(dir.join("rekeying"));
    let resumed = keys.ids().len() > 1 && underway.key() == Some(keys.newest_id());
    if !resumed {
        keys.rotate().map_err(token_api::Failure::from)?;
        underway.begin(keys.newest_id())?;
        if let Err(error) = source.replace(&keys) {
            underway.end()?;
            return Err(HomeError::from(error).into());
        }
    }

    let mut progress = Progress::new();
    let counts = progress.is_shown().then(|| store.counts()).transpose()?.unwrap_or_default();
    let all = counts.records.saturating_add(counts.generations);
    let mut tell = |told: &Rekeyed| progress.tell(Bar { done: told.seen, all });
    let told = token_store::rekey(&*store, &keys, &mut tell)?;
    drop(progress);

    let mut removed = Vec::new();
    if !args.keep_old {
        let old = keys.ids().filter(|id| *id != keys.newest_id()).collect::<Vec<_>>();
        removed.extend(old.into_iter().filter(|id| keys.remove(*id, &[&told]).is_ok()));
        if !removed.is_empty() {
            source.replace(&keys).map_err(HomeError::from)?;
        }
    }
    let whole = told.failed == 0 && told.damaged == 0;
    // While old keys are to go and cannot, it is not over, and the next attempt adds no key.
    if whole || args.keep_old {
        underway.end()?;
    }
    drop(store);
    if !whole {
        return Err(Failure::Rekey { told: Box::new(told) });
    }

    let Rekeyed { seen, resealed, .. } = told;
    let done = Done { key: keys.newest_id(), resumed, seen, resealed, removed };
    match args.json {
        true => terminal.document(&done)?,
        false => print(&done, terminal)?,
    }
    Ok(Exit::Done)
}

fn print(done: &Done, terminal: &mut Terminal) -> Result<(), Failure> {
    let Done { key, resumed, seen, resealed, removed } = done;
    let begun = if *resumed { "went on with key" } else { "added key" };
    let removed = match removed.as_slice() {
        [] => String::new(),
        [one] => format!("; removed key {one}"),
        many => format!("; removed keys {}", many.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
    };
    terminal.text(format_args!("{begun} {key}; sealed {resealed} of {seen} root keys under it{removed}\n"))
}

/// A file that tells under which key a rekeying is underway, so that going on with it adds no other. If it gets lost
/// another key is added, which does no harm.
struct Underway(PathBuf);

impl Underway {
    fn key(&self) -> Option<u32> {
        fs::read_to_string(&self.0).ok()?.trim_end().parse().ok()
    }

    fn begin(&self, key: u32) -> Result<(), Failure> {
        fs::write(&self.0, format!("{key}\n")).map_err(|source| self.failure(source))
    }

    fn end(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failure(error)),
            _ => Ok(()),
        }
    }

    fn failure(&self, source: io::Error) -> Failure {
        Failure::File { path: self.0.clone(), source }
    }
}
