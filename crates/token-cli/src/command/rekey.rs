//! `onetoken rekey`

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use token_store::{Administration, KeyRing, KeySourceError, Rekeyed};

use crate::{
    bytes::Members,
    error::Failure,
    exit::Exit,
    files::save,
    home::{HomeArgs, Opened, keys_are_in_a_file},
    output::Terminal,
    progress::Progress,
    store::{Mode, StoreUrl},
};

/// How many names for a former key ring are tried.
const MAX_FORMER: u32 = 1000;

pub(super) fn run(
    also: &[StoreUrl],
    keep_old: bool,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let Opened { store, keys: source, dir, url, is_own, .. } = home.open(Mode::Existing)?;
    if !is_own {
        return Err(Failure::usage(
            "this store is not the home's own, which may need the old keys; name it with --also, not with --store",
        ));
    }
    let mut keys = source.load()?;
    let underway = Underway(dir.join("rekeying"));
    let begun = underway.read().filter(|begun| keys.ids().len() > 1 && begun.key == keys.newest_id());
    let resumed = begun.is_some();
    // Stores named in an earlier attempt may still need the old keys, even if they are not named again.
    let named = begun.into_iter().flat_map(|begun| begun.also).chain(also.iter().cloned());
    let mut also: Vec<(StoreUrl, Box<dyn Administration>)> = Vec::new();
    for other in named {
        let other = other.within("").map_err(|error| Failure::home_file(&dir, error))?;
        if other != url && also.iter().all(|(present, _)| *present != other) {
            let store = home.other(&other)?;
            also.push((other, store));
        }
    }
    if !resumed {
        keys.rotate().map_err(token_api::Failure::from)?;
    }
    underway.begin(keys.newest_id(), also.iter().map(|(url, _)| url))?;
    if !resumed && let Err(error) = source.replace(&keys) {
        underway.end()?;
        return Err(error.into());
    }

    let stores = [&store].into_iter().chain(also.iter().map(|(_, store)| store)).collect::<Vec<_>>();
    let mut progress = Progress::new();
    let mut proofs: Vec<Rekeyed> = Vec::new();
    for store in &stores {
        let counts = progress.is_shown().then(|| store.counts()).transpose()?.unwrap_or_default();
        let all = counts.records.saturating_add(counts.generations);
        let mut tell = |done: &Rekeyed| progress.tell_part(done.seen, all);
        proofs.push(token_store::rekey(&**store, &keys, &mut tell)?);
    }
    drop(progress);
    let sum = |of: fn(&Rekeyed) -> u64| proofs.iter().map(of).fold(0, u64::saturating_add);

    let (mut removed, mut former) = (Vec::new(), None);
    if !keep_old {
        let whole = source.load()?;
        let proofs = proofs.iter().collect::<Vec<_>>();
        let old = keys.ids().filter(|id| *id != keys.newest_id()).collect::<Vec<_>>();
        removed.extend(old.into_iter().filter(|id| keys.remove(*id, &proofs).is_ok()));
        if let Some(last) = removed.last() {
            // Before the keys are removed: older exports and copies need them. A ring that is not in a file is neither
            // written to one nor replaced.
            if keys_are_in_a_file() {
                former = Some(keep_former(&whole, &dir, *last)?);
            }
            source.replace(&keys)?;
        }
    }
    let (failed, damaged) = (sum(|done| done.failed), sum(|done| done.damaged));
    let whole = failed == 0 && damaged == 0;
    // If an old key cannot be removed yet, the rekeying is not over, and the next attempt adds no key.
    if whole || keep_old {
        underway.end()?;
    }
    drop(stores);
    drop((store, also));
    if !whole {
        let message = format_args!(
            "the old keys stay in the key ring, because {failed} sealed keys do not open and {damaged} records are \
             damaged; `onetoken check` names them"
        );
        return Err(Failure::new(Exit::Unusable, "key-needed", message));
    }

    let (seen, resealed) = (sum(|done| done.seen), sum(|done| done.resealed));
    let key = keys.newest_id();
    let begun = if resumed { "resumed under key" } else { "added key" };
    let gone = match removed.as_slice() {
        [] => String::new(),
        [one] => format!("; removed key {one}"),
        many => format!("; removed keys {}", many.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
    };
    let former = former.map(|path| path.display().to_string());
    let kept = former.as_ref().map(|path| {
        format!("saved the former key ring in {path}; older exports and copies of the store need it\n")
    });
    let kept = kept.unwrap_or_default();
    let text = format!("{begun} {key}; sealed {resealed} of {seen} root keys under it{gone}\n{kept}");
    let done = Members::default().with("key", key).with("resumed", resumed).with("seen", seen);
    let done = done.with("resealed", resealed).with("removed", removed).with("former", former);
    terminal.answer(&done, text)
}

/// Keeps a ring beside its own file, named by the last key that is removed: `keys.old-1`. Overwrites no other file of
/// that name, and keeps the same ring only once, even if the rekeying is interrupted.
fn keep_former(keys: &KeyRing, dir: &Path, last: u32) -> Result<PathBuf, Failure> {
    let mut path = dir.join(format!("keys.old-{last}"));
    for number in 2..=MAX_FORMER {
        match keys.save(&path) {
            Err(KeySourceError::Exists { .. }) => {}
            saved => return Ok(saved.map(|()| path)?),
        }
        if KeyRing::load(&path).is_ok_and(|kept| *kept.to_text() == *keys.to_text()) {
            return Ok(path);
        }
        path = dir.join(format!("keys.old-{last}-{number}"));
    }
    Err(KeySourceError::Exists { path }.into())
}

/// A file with the key of an unfinished rekeying, so that a resumed one adds no other key; then, a line each, the
/// stores besides the home's own. If it is lost, another key is added, which does no harm.
struct Underway(PathBuf);

struct Begun {
    key: u32,
    also: Vec<StoreUrl>,
}

impl Underway {
    fn read(&self) -> Option<Begun> {
        let text = fs::read_to_string(&self.0).ok()?;
        let mut lines = text.lines();
        let key = lines.next()?.parse().ok()?;
        Some(Begun { key, also: lines.map(str::parse).collect::<Result<_, _>>().ok()? })
    }

    fn begin<'a>(&self, key: u32, also: impl Iterator<Item = &'a StoreUrl>) -> Result<(), Failure> {
        // With their passwords, since a resumed rekeying opens them again.
        let also = also.map(|url| String::from(url.clone()) + "\n").collect::<String>();
        // Replaced in one step: without a note after a kill, the next attempt would add another key.
        save(&self.0, format!("{key}\n{also}").as_bytes(), true)
            .map_err(|error| Failure::file(&self.0, error))
    }

    fn end(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::file(&self.0, error)),
            _ => Ok(()),
        }
    }
}
