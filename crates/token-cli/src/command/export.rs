//! `onetoken export`

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use serde::Serialize;
use token_store::{Administration, Moved, TransferError};

use crate::{
    args::ExportArgs,
    error::{Exit, Failure, UsageError},
    home::{HomeArgs, sync_dir},
    input::INPUT,
    output::Terminal,
    progress::Progress,
};

/// What was moved, as a document has it.
#[derive(Serialize)]
pub(super) struct Summary {
    tokens: u64,
    generations: u64,
    damaged: u64,
    sha256: String,
}

impl Summary {
    pub(super) fn new(moved: &Moved) -> Self {
        let checksum = moved.checksum.unwrap_or_default();
        let sha256 = checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        let Moved { tokens, generations, damaged, .. } = *moved;
        Self { tokens, generations, damaged, sha256 }
    }

    pub(super) fn text(&self) -> String {
        let Self { tokens, generations, damaged, sha256 } = self;
        let damaged = if *damaged == 0 { String::new() } else { format!(" ({damaged} damaged, left out)") };
        format!("{tokens} tokens{damaged} and the generations of {generations} subjects, SHA-256 {sha256}")
    }
}

pub(super) fn run(args: &ExportArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let to_output = args.file.as_os_str() == INPUT;
    if to_output && args.json {
        return Err(UsageError::ExportAndJson.into());
    }
    let store = home.opened()?.store;
    let mut progress = Progress::new();
    let mut tell = |moved: &Moved| progress.tell(format_args!("{} tokens exported", moved.tokens));
    let moved = match to_output {
        true => {
            token_store::export_to(&*store, &mut io::stdout().lock(), &mut tell).map_err(
                |error| match error {
                    TransferError::Io(source) => Failure::Output(source),
                    error => Failure::transfer(&args.file, error),
                },
            )?
        }
        false => into_file(&args.file, &*store, &mut tell, terminal)
            .map_err(|error| Failure::transfer(&args.file, error))?,
    };
    drop((progress, store));
    let summary = Summary::new(&moved);
    match (to_output, args.json) {
        (true, _) => terminal.note(format_args!("exported {}", summary.text())),
        (_, true) => terminal.document(&summary)?,
        _ => terminal.text(format_args!("exported {}\n", summary.text()))?,
    }
    Ok(Exit::of_damage(moved.damaged))
}

fn into_file(
    path: &Path,
    store: &dyn Administration,
    tell: &mut dyn FnMut(&Moved),
    terminal: &Terminal,
) -> Result<Moved, TransferError> {
    let mut file = open(path)?;
    // Where it was there before, others may be allowed to read it.
    #[cfg(unix)]
    if let Err(TransferError::Incomplete { .. }) = token_store::verify_export(&mut file)
        && file.metadata()?.is_file()
    {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    let is_begun = file.metadata()?.len() > 0;
    let moved = token_store::export(store, &mut file, tell)?;
    // A name is on disk when its directory is.
    sync_dir(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    if is_begun {
        terminal.note("went on with an export that was begun before: what was in it is as it was then");
    }
    Ok(moved)
}

/// It tells who has which tokens, and so is its owner's alone.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
