//! The commands: one function each.

mod bind;
mod completions;
mod confine;
mod consume;
mod init;
mod inspect;
mod list;
mod man;
mod mint;
mod purge;
mod revoke;
mod verify;

use std::io;

use serde::Serialize;
use token_core::{DecodeOptions, EncodeError, Macaroon};

use crate::{
    args::{Args, Command},
    error::{Exit, Failure, Malformed},
    input::{Lines, Text},
    output::Terminal,
};

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let home = &args.home;
    match &args.command {
        Command::Init(args) => init::run(args, home, terminal),
        Command::Mint(mint) => mint::run(mint, home, terminal),
        Command::Inspect(args) => inspect::run(args, terminal),
        Command::Verify(args) => verify::run(args, home, terminal),
        Command::Confine(args) => confine::run(args, terminal),
        Command::Bind(args) => bind::run(args, terminal),
        Command::Consume(args) => consume::run(args, home, terminal),
        Command::Revoke(args) => revoke::run(args, home, terminal),
        Command::List(args) => list::run(args, home, terminal),
        Command::Purge(args) => purge::run(args, home, terminal),
        Command::Completions(args) => completions::run(args, terminal),
        Command::Man(args) => man::run(args, terminal),
    }
}

/// Does the same with each line of standard input, whatever became of the others. `answer` writes the document
/// of a line, or says why there is none.
fn each_line(
    terminal: &mut Terminal,
    answer: impl Fn(&Text, &mut Terminal) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut worst = Exit::Done;
    for line in Lines::new(io::stdin().lock()) {
        let line = line.map_err(Failure::Input)?;
        let written = match answer(&line, terminal) {
            Ok(()) => Ok(()),
            Err(Failure::Output(error)) => Err(Failure::Output(error)),
            Err(failure) => {
                worst = worst.max(failure.exit());
                terminal.document(&failure.document())
            }
        };
        match written {
            // The reader has seen enough.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(worst)
}

#[derive(Serialize)]
struct TokenDocument<'a> {
    token: &'a str,
}

/// Prints a token that was made here, for readers with these options.
fn print_token(
    terminal: &mut Terminal,
    written: Result<String, EncodeError>,
    options: &DecodeOptions,
    json: bool,
) -> Result<Exit, Failure> {
    let text = written.map_err(Malformed::field)?;
    // Whoever is to read it has the same limits: better to learn of them here.
    Macaroon::from_text(&text, options).map_err(|error| Malformed::result(&error))?;
    match json {
        true => terminal.document(&TokenDocument { token: &text })?,
        false => terminal.text(format_args!("{text}\n"))?,
    }
    Ok(Exit::Done)
}
