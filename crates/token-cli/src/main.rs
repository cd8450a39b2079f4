//! The command `onetoken`: mint, inspect, verify, attenuate and spend Onedata tokens.
//!
//! The modules, each of which uses only those before it:
//!
//! - `exit`, `bytes`, `files`, `table`: exit codes, and forms of what is read and printed
//! - `error`: the failure, as a message, a document and an exit code
//! - `time`, `output`, `progress`, `input`: times, standard output and standard error, tokens and secrets
//! - `store`, `home`: the store and its keys
//! - `request`, `entity`, `key`, `args`, `usage`: the command line
//! - `describe`, `command`: the commands
#![forbid(unsafe_code)]

mod args;
mod bytes;
mod command;
mod describe;
mod entity;
mod error;
mod exit;
mod explained;
mod files;
mod home;
mod input;
mod key;
mod output;
mod progress;
mod request;
mod store;
mod table;
mod time;
mod usage;

use std::{env, ffi::OsString, process::ExitCode};

use crate::output::Terminal;

fn main() -> ExitCode {
    let line: Vec<OsString> = env::args_os().collect();
    let json = usage::asks_for_json(&line);
    let exit = match usage::parse(&line) {
        Ok(args) => {
            let terminal = Terminal::new(args.color, args.json);
            let done = command::run(&args, &terminal);
            done.unwrap_or_else(|failure| terminal.failure(&failure, json))
        }
        Err(error) => usage::report(error, json),
    };
    exit.into()
}
