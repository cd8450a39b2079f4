//! `onetoken bind`

use crate::{
    args::BindArgs,
    error::Failure,
    input::{self, Source},
    output::Terminal,
    time,
};

pub(super) fn run(args: &BindArgs, terminal: &Terminal) -> Result<(), Failure> {
    let (root, discharge) = (Source::of(Some(&args.root))?, Source::of(Some(&args.discharge))?);
    input::at_most_one([root, discharge].map(|source| matches!(source, Source::Input)))?;
    let (options, now) = (args.reading.options(), time::now()?);
    let (root, _) = root.read()?.macaroon(&options, now)?;
    let discharge = discharge.read()?.macaroon(&options, now);
    let (discharge, spelling) = discharge.map_err(|failure| failure.of_discharge(0))?;
    terminal.token(root.bind_discharge(&discharge).spell(spelling), &options)
}
