//! Parsing of the command line, with messages that repeat no argument that may be a token.

use std::ffi::OsString;

use clap::{
    ColorChoice, CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    args::{self, Args},
    error::Failure,
    exit::Exit,
    output::Terminal,
};

/// Replaces an argument in a message that may be a token or a secret.
const HIDDEN: &str = "…";

/// Parses the command line. Its error, which may be a request for help, shows no token and no secret.
pub(crate) fn parse(line: &[OsString]) -> Result<Args, clap::Error> {
    let mut command = args::built(Args::command().color(color(line)));
    let matches = command.try_get_matches_from_mut(line).map_err(hide_values)?;
    Args::from_arg_matches(&matches).map_err(|error| hide_values(error.format(&mut command)))
}

/// Whether the answer must be a document, even if the command line cannot be parsed.
pub(crate) fn asks_for_json(line: &[OsString]) -> bool {
    options(line).any(|argument| ["--json", "--lines", "--requests"].iter().any(|option| argument == option))
}

/// The same setting as the parser finds, but early enough for the parser's own messages.
fn color(line: &[OsString]) -> ColorChoice {
    let words = options(line).filter_map(|argument| argument.to_str());
    let mut words = words.flat_map(|argument| argument.splitn(2, '=')).skip_while(|word| *word != "--color");
    words.nth(1).and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn options(line: &[OsString]) -> impl Iterator<Item = &OsString> {
    line.iter().skip(1).take_while(|argument| *argument != "--")
}

/// Replaces unknown arguments: a token in a wrong place must not reach an error log.
fn hide_values(mut error: clap::Error) -> clap::Error {
    let (context, shown): (_, fn(&str) -> &str) = match error.kind() {
        // The name of an option, without its value.
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, |argument| match argument.starts_with('-') {
            true => argument.split('=').next().unwrap_or(HIDDEN),
            false => HIDDEN,
        }),
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, |word| {
            let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            if word.len() <= 20 && word.bytes().all(is_word) { word } else { HIDDEN }
        }),
        // Longer than any time, address or subject that a person types; the URL of a store may hold a password.
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::TooManyValues => {
            (ContextKind::InvalidValue, |value| {
                if value.len() > 80 || value.contains("//") || value.contains('@') { HIDDEN } else { value }
            })
        }
        _ => return error,
    };
    if let Some(ContextValue::String(text)) = error.get(context) {
        let shown = shown(text).to_owned();
        error.insert(context, ContextValue::String(shown));
        if context == ContextKind::InvalidArg {
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

/// Prints the requested help, or the mistake in the command line, and returns the exit code.
pub(crate) fn report(error: clap::Error, json: bool) -> Exit {
    let printed = error.print();
    let terminal = Terminal::new(ColorChoice::Auto, json);
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match printed {
            Ok(()) => Exit::Done,
            Err(error) => terminal.failure(&Failure::output(error), false),
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
        drop(terminal.document(&Failure::usage(message).document()));
    }
    Exit::Usage
}
