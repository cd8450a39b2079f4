//! Parsing of the command line, with messages that repeat no argument that may be a token.

use std::{ffi::OsString, io::Write as _};

use clap::{
    ColorChoice, CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, ErrorKind},
};
use serde::Serialize;

use crate::{
    args::{self, Args},
    error::Exit,
    output::{self, Document},
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
    let of = |word: &str| match word {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    let mut options = options(line);
    while let Some(argument) = options.next() {
        if argument == "--color" {
            return options.next().and_then(|word| word.to_str()).map_or(ColorChoice::Auto, of);
        }
        if let Some(word) = argument.to_str().and_then(|argument| argument.strip_prefix("--color=")) {
            return of(word);
        }
    }
    ColorChoice::Auto
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

/// Prints the mistake in the command line, or the requested help.
pub(crate) fn report(error: clap::Error, json: bool) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match error.print() {
            Ok(()) => Exit::Done,
            Err(error) => output::failed(&error),
        };
    }
    if json {
        let text = error.render().to_string();
        // The rest of the message is for people.
        let is_help = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
        let lines = text.lines().map(str::trim).take_while(|line| !is_help(line));
        let message = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let document = Problem { error: Body { kind: "usage", message } };
        if let Ok(document) = Document::new(&document) {
            drop(document.write(&mut std::io::stdout().lock()));
        }
    }
    // A failed write cannot be reported.
    drop(error.print());
    drop(std::io::stderr().flush());
    Exit::Usage
}

#[derive(Serialize)]
struct Problem<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    kind: &'static str,
    message: &'a str,
}
