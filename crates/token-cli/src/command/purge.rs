//! `onetoken purge`

use serde::Serialize;

use crate::{
    args::PurgeArgs,
    error::{Exit, Failure},
    home::HomeArgs,
    output::Terminal,
};

/// How many records are removed at once.
const BATCH: usize = 1000;

#[derive(Serialize)]
struct Purged {
    purged: usize,
}

pub(super) fn run(args: &PurgeArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let authority = home.authority()?;
    let mut purged = 0_usize;
    loop {
        let count = authority.purge(args.before, BATCH)?;
        purged = purged.saturating_add(count);
        if count < BATCH {
            break;
        }
    }
    drop(authority);
    match args.json {
        true => terminal.document(&Purged { purged })?,
        false => terminal.text(format_args!("removed {purged} expired tokens\n"))?,
    }
    Ok(Exit::Done)
}
