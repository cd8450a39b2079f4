//! The command `onetoken`: mint, inspect, verify, attenuate and spend Onedata tokens.
#![forbid(unsafe_code)]

mod args;
mod command;
mod describe;
mod entity;
mod error;
mod home;
mod input;
mod key;
mod output;
mod progress;
mod relay;
mod request;
mod store;
mod table;
mod time;
mod usage;

use std::{env, ffi::OsString, process::ExitCode};

use crate::{error::Failure, output::Terminal};

fn main() -> ExitCode {
    let line: Vec<OsString> = env::args_os().collect();
    let json = usage::asks_for_json(&line);
    let exit = match usage::parse(&line) {
        Ok(args) => {
            let mut terminal = Terminal::new(args.color);
            match command::run(&args, &mut terminal) {
                Ok(exit) => exit,
                Err(Failure::Output(error)) => output::failed(&error),
                Err(failure) => terminal.failure(&failure, json),
            }
        }
        Err(error) => usage::report(error, json),
    };
    exit.into()
}
