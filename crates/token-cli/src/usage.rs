//! Parsing of the command line, with messages that repeat no argument that may be a token.

use std::ffi::OsString;

use clap::{
    ColorChoice, CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    args::{self, Args},
    error::{Failure, UsageError},
    exit::Exit,
    output::Terminal,
};

/// Replaces an argument in a message that may be a token or a secret.
const HIDDEN: &str = "…";

pub(crate) fn parse(line: &[OsString]) -> Result<Args, clap::Error> {
    let mut command = args::built(Args::command().color(color(line)));
    let matches = command.try_get_matches_from_mut(line).map_err(hide_values)?;
    Args::from_arg_matches(&matches).map_err(|error| hide_values(error.format(&mut command)))
}

/// Whether the answer must be a document, even if the command line cannot be parsed.
pub(crate) fn asks_for_json(line: &[OsString]) -> bool {
    options(line).any(|argument| argument == "--json" || argument == "--lines")
}

/// The same setting as the parser finds, but early enough for the parser's own messages.
fn color(line: &[OsString]) -> ColorChoice {
    let words = options(line).filter_map(|argument| argument.to_str());
    let mut words = words.flat_map(|argument| argument.splitn(2, '='));
    let option = words.find(|word| *word == "--color");
    option.and_then(|_| words.next()).and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn options(line: &[OsString]) -> impl Iterator<Item = &OsString> {
    line.iter().skip(1).take_while(|argument| *argument != "--")
}

/// Replaces unknown arguments: a token in a wrong place must not reach an error log.
fn hide_values(mut error: clap::Error) -> clap::Error {
    let hide = |text: &str| match text.strip_prefix('-') {
        Some(_) => text.split('=').next().unwrap_or(HIDDEN).to_owned(),
        None => HIDDEN.to_owned(),
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) {
                let hidden = hide(argument);
                error.insert(ContextKind::InvalidArg, ContextValue::String(hidden));
                error.remove(ContextKind::Suggested);
            }
        }
        ErrorKind::InvalidSubcommand => {
            if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) {
                let is_word =
                    word.len() <= 20 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if !is_word {
                    error.insert(ContextKind::InvalidSubcommand, ContextValue::String(HIDDEN.to_owned()));
                }
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::TooManyValues => {
            if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
                // Longer than any time, address or subject that a person types; the URL of a store may hold a password.
                if value.len() > 80 || value.contains("//") || value.contains('@') {
                    error.insert(ContextKind::InvalidValue, ContextValue::String(HIDDEN.to_owned()));
                }
            }
        }
        _ => {}
    }
    error
}

/// Prints the requested help, or the mistake in the command line.
pub(crate) fn report(error: clap::Error, json: bool) -> Exit {
    let printed = error.print();
    let terminal = Terminal::new(ColorChoice::Auto, json);
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match printed {
            Ok(()) => Exit::Done,
            Err(error) => terminal.failure(&Failure::Output(error), false),
        };
    }
    if json {
        let text = error.render().to_string();
        // The rest of the message is for people.
        let is_help = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
        let lines = text.lines().map(str::trim).take_while(|line| !is_help(line));
        let message = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ").to_owned();
        // If this fails too, standard error and the exit code remain.
        drop(terminal.document(&Failure::from(UsageError::Parse(message)).document()));
    }
    Exit::Usage
}
