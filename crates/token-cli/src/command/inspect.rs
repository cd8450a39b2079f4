//! `onetoken inspect`

use token_core::{Inspection, Report, UnixTime};

use super::lines;
use crate::{
    args::InspectArgs,
    describe::Description,
    error::{Failure, Malformed},
    exit::Exit,
    input::{Source, Text},
    output::Terminal,
    time,
};

pub(super) fn run(args: &InspectArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now = args.at.map_or_else(time::now, Ok)?;
    if args.lines {
        Source::of_lines(args.token.as_deref())?;
        return lines::each(terminal, |line| terminal.document(&report(&read(line, args, now)?, now, args)));
    }
    let text = Source::of(args.token.as_deref())?.read()?;
    match read(&text, args, now) {
        Ok(inspection) => {
            let text = Description {
                inspection: &inspection,
                now,
                whole: true,
                signature: args.show_signature,
                terminal,
            };
            terminal.answer(&report(&inspection, now, args), text)?;
        }
        Err(malformed) => {
            // Without an encoding, nothing of the token was read.
            if let Some((inspection, _)) = &malformed.partial
                && inspection.encoding().is_some()
                && !terminal.prints_json()
            {
                terminal.text(Description { inspection, now, whole: false, signature: false, terminal })?;
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
