//! `onetoken man`

use std::fs;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::{
    args::{Args, ManArgs},
    error::{Exit, Failure},
    output::Terminal,
};

pub(super) fn run(args: &ManArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match &args.dir {
        None => {
            let mut page = Vec::new();
            Man::new(Args::command()).render(&mut page).map_err(Failure::Output)?;
            terminal.bytes(&page)?;
        }
        Some(dir) => {
            let unusable = |source| Failure::File { path: dir.clone(), source };
            fs::create_dir_all(dir).map_err(unusable)?;
            clap_mangen::generate_to(Args::command(), dir).map_err(unusable)?;
        }
    }
    Ok(Exit::Done)
}
