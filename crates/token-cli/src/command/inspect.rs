//! `onetoken inspect`

use token_core::{Inspection, Report, UnixTime};

use super::each_line;
use crate::{
    args::InspectArgs,
    describe::Description,
    error::{Exit, Failure, Malformed, UsageError},
    input::{Source, Text},
    output::Terminal,
    time,
};

pub(super) fn run(args: &InspectArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let now = args.at.map_or_else(time::now, Ok)?;
    if args.lines {
        if matches!(Source::of(args.token.as_deref()), Ok(Source::Argument(_))) {
            return Err(UsageError::TokenWithLines.into());
        }
        return each_line(terminal, |line, terminal| {
            let inspection = read(line, args, now)?;
            terminal.document(&report(&inspection, now, args))?;
            Ok(())
        });
    }
    let text = Source::of(args.token.as_deref())?.read()?;
    match read(&text, args, now) {
        Ok(inspection) if args.json => terminal.document(&report(&inspection, now, args))?,
        Ok(inspection) => {
            let description =
                Description { inspection: &inspection, now, whole: true, signature: args.show_signature };
            terminal.describe(&description)?;
        }
        Err(malformed) => {
            // Without an encoding, nothing of the token was read.
            let shown =
                |(partial, _): &&(Box<Inspection>, UnixTime)| !args.json && partial.encoding().is_some();
            if let Some((partial, now)) = malformed.partial.as_ref().filter(shown) {
                let description =
                    Description { inspection: partial, now: *now, whole: false, signature: false };
                terminal.describe(&description)?;
            }
            return Err(malformed.into());
        }
    }
    Ok(Exit::Done)
}

fn read(text: &Text, args: &InspectArgs, now: UnixTime) -> Result<Inspection, Malformed> {
    text.inspection(&args.reading.options(), now)
}

fn report<'a>(inspection: &'a Inspection, now: UnixTime, args: &InspectArgs) -> Report<'a> {
    let report = inspection.report(now);
    if args.show_signature { report.with_signature() } else { report }
}
