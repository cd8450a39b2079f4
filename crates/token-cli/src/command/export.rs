//! `onetoken export`

use std::{fmt, io, path::Path};

use serde::Serialize;
use token_store::{Moved, TransferError};

use crate::{
    error::{Failure, UsageError},
    exit::Exit,
    home::HomeArgs,
    input::INPUT,
    output::Terminal,
    progress::Progress,
    store::Mode,
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
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, generations, damaged, sha256 } = self;
        let damaged = if *damaged == 0 { String::new() } else { format!(" ({damaged} damaged, left out)") };
        write!(f, "{tokens} tokens{damaged} and the generations of {generations} subjects, SHA-256 {sha256}")
    }
}

pub(super) fn run(file: &Path, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let to_output = file.as_os_str() == INPUT;
    if to_output && terminal.prints_json() {
        return Err(UsageError::ExportAndJson.into());
    }
    let store = home.open(Mode::Existing)?.store;
    let mut progress = Progress::new();
    let all = progress.is_shown().then(|| store.counts()).transpose()?.unwrap_or_default().records;
    let mut tell = |moved: &Moved| progress.tell_part(moved.tokens, all);
    let moved = match to_output {
        true => token_store::export_to(&*store, &mut io::stdout().lock(), &mut tell),
        false => token_store::export(&*store, file, &mut tell),
    };
    let moved = moved.map_err(|error| match error {
        TransferError::Io(source) if to_output => Failure::Output(source),
        error => Failure::transfer(file, error),
    })?;
    drop((progress, store));
    let summary = Summary::new(&moved);
    match to_output {
        true => terminal.note(format_args!("exported {summary}")),
        false => terminal.answer(&summary, format_args!("exported {summary}\n"))?,
    }
    Ok(Exit::of_damage(moved.damaged > 0))
}
