//! `onetoken export`

use std::io;

use serde::Serialize;
use token_store::{Moved, TransferError};

use crate::{
    args::ExportArgs,
    error::{Exit, Failure, UsageError},
    home::HomeArgs,
    input::INPUT,
    output::Terminal,
    progress::Progress,
};

/// The document of an export.
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
    let all = progress.is_shown().then(|| store.counts()).transpose()?.unwrap_or_default().records;
    let mut tell = |moved: &Moved| progress.tell_part(moved.tokens, all);
    let moved = match to_output {
        true => {
            token_store::export_to(&*store, &mut io::stdout().lock(), &mut tell).map_err(
                |error| match error {
                    TransferError::Io(source) => Failure::Output(source),
                    error => Failure::transfer(&args.file, error),
                },
            )?
        }
        false => token_store::export(&*store, &args.file, &mut tell)
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
