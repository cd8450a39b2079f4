//! `onetoken import`

use std::{
    fs::File,
    io::{self, BufRead as _},
    path::Path,
};

use token_store::{Epoch, Fault, Moved, TransferError};

use super::export::summary;
use crate::{
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Opened},
    input::INPUT,
    output::Terminal,
    progress::{self, Progress},
};

pub(super) fn run(
    path: &Path,
    new_epoch: bool,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let name = if path.as_os_str() == INPUT { Path::new("standard input") } else { path };
    let transfer = |error| Failure::transfer(name, error);
    // All of it first: a slow writer of a pipe must not keep others from the store.
    let mut file = open(path)?;
    // And an incomplete export must not leave an empty store behind.
    let whole = progress::during("reading the export", || token_store::verify_export(&mut file));
    let all = whole.map_err(transfer)?.tokens;
    let Opened { store, keys, .. } = home.open_or_create(terminal)?;
    let keys = keys.load()?;
    let mut progress = Progress::new();
    let mut tell = |moved: &Moved| progress.tell_part(moved.tokens, all);
    let epoch = if new_epoch { Epoch::New(&keys) } else { Epoch::Same };
    let moved = token_store::import(&*store, &mut file, epoch, &mut tell).map_err(transfer)?;
    drop(progress);
    let report = progress::during("checking the store", || store.check(Some(&keys)))?;
    drop(store);

    let count = |fault| report.faults.get(&fault).copied().unwrap_or_default();
    let unopened = count(Fault::Forged).saturating_add(count(Fault::KeyUnavailable));
    let all = report.faults.values().fold(0_u64, |all, count| all.saturating_add(*count));
    super::check::note_unopened(&report, terminal);
    let (document, summary) = summary(&moved);
    let document = document.with("kept", moved.kept).with("unopened", unopened);
    let document = document.with("missing_keys", report.missing_keys).with("faults", all);
    if all > unopened {
        terminal.note("this store is damaged; `onetoken check` shows where");
    }
    terminal.answer(&document, format_args!("read {summary}; kept {}\n", moved.kept))?;
    Ok(Exit::of_damage(all > 0 || moved.damaged > 0))
}

/// Copies standard input to a file, since an export is read twice.
fn open(path: &Path) -> Result<File, Failure> {
    if path.as_os_str() != INPUT {
        return File::open(path).map_err(|error| Failure::transfer(path, TransferError::from(error)));
    }
    let mut file = tempfile::tempfile().map_err(Failure::input)?;
    let mut input = io::stdin().lock();
    // Checked first: input that is no export may have no end.
    if !input.fill_buf().map_err(Failure::input)?.starts_with(b"{") {
        return Err(Failure::transfer(Path::new("standard input"), TransferError::NotAnExport));
    }
    io::copy(&mut input, &mut file).map_err(Failure::input)?;
    Ok(file)
}
