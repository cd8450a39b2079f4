//! `onetoken completions`

use clap::CommandFactory as _;

use crate::{
    args::{Args, CompletionsArgs},
    error::{Exit, Failure},
    output::Terminal,
};

pub(super) fn run(args: &CompletionsArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // Not straight to standard output: the generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "onetoken", &mut script);
    terminal.bytes(&script)?;
    Ok(Exit::Done)
}
