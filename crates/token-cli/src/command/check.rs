//! `onetoken check`

use std::collections::BTreeMap;

use serde::Serialize;
use token_store::{Fault, Report, TokenId};

use crate::{
    args::CheckArgs,
    error::{Exit, Failure},
    home::{HomeArgs, HomeError},
    output::{Bytes, Style, Terminal},
};

#[derive(Serialize)]
struct Checked<'a> {
    sound: bool,
    records: u64,
    claims: u64,
    entries: u64,
    generations: u64,
    /// Sealed keys that opened.
    opened: u64,
    faults: BTreeMap<&'a str, u64>,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    fault: &'static str,
    id: Option<Bytes>,
}

pub(super) fn run(args: &CheckArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let opened = home.inspected()?;
    let keys = opened.keys.load().map_err(HomeError::from)?;
    let report = opened.store.check(Some(&keys))?;
    drop(opened);
    match args.json {
        true => terminal.document(&document(&report))?,
        false => print(&report, terminal)?,
    }
    Ok(if report.is_sound() { Exit::Done } else { Exit::Unusable })
}

fn document(report: &Report) -> Checked<'_> {
    let example = |(fault, token): &(Fault, Option<TokenId>)| Example {
        fault: fault.as_str(),
        id: token.as_ref().map(|id| id.as_bytes().into()),
    };
    Checked {
        sound: report.is_sound(),
        records: report.records,
        claims: report.claims,
        entries: report.entries,
        generations: report.generations,
        opened: report.opened,
        faults: report.faults.iter().map(|(fault, count)| (fault.as_str(), *count)).collect(),
        examples: report.examples.iter().map(example).collect(),
    }
}

fn print(report: &Report, terminal: &mut Terminal) -> Result<(), Failure> {
    let verdict = match report.is_sound() {
        true => terminal.paint(Style::Good, "sound"),
        false => terminal.paint(Style::Bad, "damaged"),
    };
    let mut text = format!(
        "{verdict}: {} records, {} claims, {} index entries, {} subjects; {} sealed keys open\n",
        report.records, report.claims, report.entries, report.generations, report.opened
    );
    for (fault, count) in &report.faults {
        text.push_str(&format!("{count:>8}  {fault}\n"));
    }
    for (fault, token) in &report.examples {
        let token = token.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        text.push_str(&format!("{token}  {fault}\n"));
    }
    terminal.text(text)
}
