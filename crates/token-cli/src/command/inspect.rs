//! `onetoken inspect`

use token_core::{Inspection, Report, UnixTime};

use super::lines;
use crate::{
    args::InspectArgs,
    describe,
    error::Failure,
    exit::Exit,
    input::{Source, Text},
    output::{Style, Terminal},
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
            let heading = "not verified: anyone could have written this";
            let mut rows = describe::fields(&inspection, now, true, terminal);
            if let Some(signature) = inspection.signature().filter(|_| args.show_signature) {
                let hex = signature.expose().iter().map(|byte| format!("{byte:02x}")).collect();
                rows.push(("signature", hex));
            }
            let text = format!("{}\n{}", terminal.paint(Style::Warning, heading), describe::lines(&rows));
            terminal.answer(&report(&inspection, now, args), text)?;
        }
        Err(failure) => {
            // Without an encoding, nothing of the token was read.
            if let Some(inspection) = &failure.partial
                && inspection.encoding().is_some()
                && !terminal.prints_json()
            {
                let heading = "damaged: only this part can be read, and none of it is verified";
                let rows = describe::fields(inspection, now, false, terminal);
                let heading = terminal.paint(Style::Warning, heading);
                terminal.text(format_args!("{heading}\n{}", describe::lines(&rows)))?;
            }
            return Err(failure);
        }
    }
    Ok(Exit::Done)
}

fn read(text: &Text, args: &InspectArgs, now: UnixTime) -> Result<Inspection, Failure> {
    text.inspection(&args.reading.options(), now)
}

fn report<'a>(inspection: &'a Inspection, now: UnixTime, args: &InspectArgs) -> Report<'a> {
    let report = inspection.report(now);
    if args.show_signature { report.with_signature() } else { report }
}
