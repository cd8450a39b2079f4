//! `onetoken import`

use std::{fs::File, io, path::Path};

use serde::Serialize;
use token_store::{Epoch, Fault, Moved, TransferError};

use super::export::Summary;
use crate::{
    args::ImportArgs,
    error::{Exit, Failure},
    home::{HomeArgs, HomeError, Opened},
    input::INPUT,
    output::Terminal,
    progress::Progress,
};

#[derive(Serialize)]
struct Imported {
    #[serde(flatten)]
    summary: Summary,
    kept: u64,
    unopened: u64,
}

pub(super) fn run(args: &ImportArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let transfer = |error| Failure::transfer(&args.file, error);
    // All of it first: who feeds a pipe slowly must not keep others from the store.
    let mut file = open(&args.file)?;
    let Opened { store, keys, .. } = home.opened_from_scratch(terminal)?;
    let keys = keys.load().map_err(HomeError::from)?;
    let mut progress = Progress::new();
    let mut tell = |moved: &Moved| {
        progress.tell(format_args!("{} tokens read, {} kept", moved.tokens, moved.kept));
    };
    let epoch = if args.new_epoch { Epoch::New } else { Epoch::Same };
    let moved = token_store::import(&*store, &mut file, epoch, &mut tell).map_err(transfer)?;
    drop(progress);
    let faults = store.check(Some(&keys))?.faults;
    drop(store);

    let count = |fault| faults.get(&fault).copied().unwrap_or_default();
    let unopened = count(Fault::Forged).saturating_add(count(Fault::KeyUnavailable));
    let imported = Imported { summary: Summary::new(&moved), kept: moved.kept, unopened };
    if unopened > 0 {
        terminal.note(format_args!(
            "{unopened} sealed keys in this store do not open: it needs the key ring of the store they came from"
        ));
    }
    match args.json {
        true => terminal.document(&imported)?,
        false => terminal.text(format_args!("read {}; kept {}\n", imported.summary.text(), imported.kept))?,
    }
    Ok(Exit::of_damage(unopened))
}

/// An export is read twice, which standard input cannot be.
fn open(path: &Path) -> Result<File, Failure> {
    if path.as_os_str() != INPUT {
        return File::open(path).map_err(|error| Failure::transfer(path, TransferError::from(error)));
    }
    let mut file = tempfile::tempfile().map_err(Failure::Input)?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(Failure::Input)?;
    Ok(file)
}
