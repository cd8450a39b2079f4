//! `onetoken bind`

use super::print_token;
use crate::{
    args::BindArgs,
    error::{Exit, Failure, UsageError},
    input::Source,
    output::Terminal,
    time,
};

pub(super) fn run(args: &BindArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (root, discharge) = (Source::of(Some(&args.root))?, Source::of(Some(&args.discharge))?);
    if matches!((root, discharge), (Source::Input, Source::Input)) {
        return Err(UsageError::InputTwice.into());
    }
    let (options, now) = (args.reading.options(), time::now()?);
    let (root, _) = root.read()?.macaroon(&options, now)?;
    let discharge = discharge.read()?.macaroon(&options, now);
    let (discharge, spelling) = discharge.map_err(|malformed| malformed.of_discharge(0))?;
    print_token(terminal, discharge.bound_to(&root).spell(spelling), &options, args.json)
}
