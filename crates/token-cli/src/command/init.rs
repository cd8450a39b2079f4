//! `onetoken init`

use serde::Serialize;

use crate::{
    args::InitArgs,
    error::{Exit, Failure},
    home::HomeArgs,
    output::Terminal,
};

#[derive(Serialize)]
struct Made {
    home: String,
}

pub(super) fn run(args: &InitArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let home = home.init(args.domain.as_deref(), args.location.as_deref())?.display().to_string();
    match args.json {
        true => terminal.document(&Made { home })?,
        false => {
            terminal.text(format_args!("made a key ring, a configuration and an empty store in {home}\n"))?
        }
    }
    Ok(Exit::Done)
}
