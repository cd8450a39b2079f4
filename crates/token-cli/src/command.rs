//! The commands: one function each.

mod bind;
mod check;
mod completions;
mod confine;
mod consume;
mod counts;
mod export;
mod import;
mod init;
mod inspect;
mod list;
mod man;
mod mint;
mod purge;
mod rekey;
mod revoke;
mod verify;

pub(crate) use self::list::Cursor;

use std::{io, ops::ControlFlow};

use serde::Serialize;
use token_core::{DecodeOptions, EncodeError, Macaroon};

use crate::{
    args::{Args, Command},
    error::{Exit, Failure, Malformed},
    input::{Lines, Text},
    output::Terminal,
    progress::Progress,
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
        Command::Counts(args) => counts::run(args, home, terminal),
        Command::Purge(args) => purge::run(args, home, terminal),
        Command::Check(args) => check::run(args, home, terminal),
        Command::Rekey(args) => rekey::run(args, home, terminal),
        Command::Export(args) => export::run(args, home, terminal),
        Command::Import(args) => import::run(args, home, terminal),
        Command::Completions(args) => completions::run(args, terminal),
        Command::Man(args) => man::run(args, terminal),
    }
}

/// Answers each line of standard input; a failed line does not stop the others. `answer` writes the document of a line,
/// or returns the error.
fn each_line(
    terminal: &mut Terminal,
    answer: impl Fn(&Text, &mut Terminal) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut answers = Answers::new(terminal);
    for line in Lines::new(io::stdin()) {
        let line = line.map_err(Failure::Input)?;
        if answers.write(|terminal| answer(&line, terminal))?.is_break() {
            break;
        }
    }
    Ok(answers.worst())
}

/// The documents of lines, and the worst exit code among them.
struct Answers<'a> {
    terminal: &'a mut Terminal,
    progress: Progress,
    written: u64,
    worst: Exit,
}

impl<'a> Answers<'a> {
    fn new(terminal: &'a mut Terminal) -> Self {
        // On a terminal the documents themselves show the progress.
        let progress = if terminal.is_terminal() { Progress::hidden() } else { Progress::new() };
        Self { terminal, progress, written: 0, worst: Exit::Done }
    }

    const fn worst(&self) -> Exit {
        self.worst
    }

    /// Writes the document of a line, or of its failure. Ends when the reader closes the output.
    fn write(
        &mut self,
        answer: impl FnOnce(&mut Terminal) -> Result<(), Failure>,
    ) -> Result<ControlFlow<()>, Failure> {
        self.written = self.written.saturating_add(1);
        let written = match answer(self.terminal) {
            Err(failure) if !matches!(failure, Failure::Output(_)) => {
                self.worst = self.worst.max(failure.exit());
                self.terminal.document(&failure.document().of_line(self.written))
            }
            written => written,
        };
        self.progress.tell(format_args!("{} lines", self.written));
        match written {
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(ControlFlow::Break(()))
            }
            written => written.map(ControlFlow::Continue),
        }
    }
}

#[derive(Serialize)]
struct TokenDocument<'a> {
    token: &'a str,
}

/// Prints a token that this command made, for readers with these options.
fn print_token(
    terminal: &mut Terminal,
    written: Result<String, EncodeError>,
    options: &DecodeOptions,
    json: bool,
) -> Result<Exit, Failure> {
    let text = written.map_err(Malformed::field)?;
    // Its readers have the same limits: better to hit them here.
    Macaroon::from_text(&text, options).map_err(|error| Malformed::result(&error))?;
    match json {
        true => terminal.document(&TokenDocument { token: &text })?,
        false => terminal.text(format_args!("{text}\n"))?,
    }
    Ok(Exit::Done)
}
