//! `onetoken export`

use std::{io, path::Path};

use token_store::{Moved, TransferError};

use crate::{
    bytes::Members, error::Failure, exit::Exit, home::HomeArgs, input::INPUT, output::Terminal,
    progress::Progress, store::Mode,
};

/// The document of an export or an import, and the same for people.
pub(super) fn summary(moved: &Moved) -> (Members, String) {
    let Moved { tokens, generations, damaged, checksum, .. } = moved;
    let sha256: String = checksum.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
    let left_out = if *damaged == 0 { String::new() } else { format!(" ({damaged} damaged, left out)") };
    let text =
        format!("{tokens} tokens{left_out} and the generations of {generations} subjects, SHA-256 {sha256}");
    let counts = Members::default().with("tokens", tokens).with("generations", generations);
    (counts.with("damaged", damaged).with("sha256", sha256), text)
}

pub(super) fn run(file: &Path, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let to_output = file.as_os_str() == INPUT;
    if to_output && terminal.prints_json() {
        let message = "the export itself goes to standard output; leave out --json or name a file";
        return Err(Failure::usage(message));
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
        TransferError::Io(error) if to_output => Failure::output(error),
        error => Failure::transfer(file, error),
    })?;
    drop((progress, store));
    let (document, summary) = summary(&moved);
    match to_output {
        true => terminal.note(format_args!("exported {summary}")),
        false => terminal.answer(&document, format_args!("exported {summary}\n"))?,
    }
    Ok(Exit::of_damage(moved.damaged > 0))
}
