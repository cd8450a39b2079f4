//! `onetoken check`

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use token_store::{CheckReport, Fault, KeyPlace};

use crate::{
    bytes::Bytes,
    entity::Named,
    error::Failure,
    exit::Exit,
    home::HomeArgs,
    output::{Style, Terminal},
    progress,
    store::Mode,
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
    /// The ids of keys that the ring lacks.
    missing_keys: &'a BTreeSet<u32>,
    faults: BTreeMap<&'a str, u64>,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    fault: &'static str,
    /// The id of the token at fault.
    id: Option<Bytes>,
    /// The subject of the temporary tokens at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Named>,
}

pub(super) fn run(home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let opened = home.open(Mode::Copy)?;
    let keys = opened.keys.load()?;
    let report = progress::during("checking the store", || opened.store.check(Some(&keys)))?;
    drop(opened);
    terminal.answer(&document(&report), text(&report, terminal))?;
    note_unopened(&report, terminal);
    Ok(Exit::of_damage(!report.is_sound()))
}

/// Says which key ring is needed, if it is not this one.
pub(super) fn note_unopened(report: &CheckReport, terminal: &Terminal) {
    let count = |fault| report.faults.get(&fault).copied().unwrap_or_default();
    let (unavailable, forged) = (count(Fault::KeyUnavailable), count(Fault::Forged));
    if unavailable > 0 {
        let ids = report.missing_keys.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        terminal.note(format_args!(
            "{unavailable} sealed keys do not open, because the key ring lacks key {ids}; use a ring that holds it, \
             such as a former one in keys.old-N"
        ));
    }
    if forged > 0 {
        terminal.note(format_args!(
            "{forged} sealed keys do not open; either they are damaged, or their store had another key ring"
        ));
    }
}

fn document(report: &CheckReport) -> Checked<'_> {
    Checked {
        sound: report.is_sound(),
        records: report.records,
        claims: report.claims,
        entries: report.entries,
        generations: report.generations,
        opened: report.opened,
        missing_keys: &report.missing_keys,
        faults: report.faults.iter().map(|(fault, count)| (fault.as_str(), *count)).collect(),
        examples: report.examples.iter().map(Example::new).collect(),
    }
}

impl Example {
    fn new((fault, place): &(Fault, Option<KeyPlace>)) -> Self {
        let (id, subject) = match place {
            Some(KeyPlace::Token(id)) => (Some(id.as_bytes().into()), None),
            Some(KeyPlace::Generation(subject)) => (None, Some(subject.into())),
            _ => (None, None),
        };
        Self { fault: fault.as_str(), id, subject }
    }
}

fn text(report: &CheckReport, terminal: &Terminal) -> String {
    let verdict = match report.is_sound() {
        true => terminal.paint(Style::Good, "sound"),
        false => terminal.paint(Style::Bad, "damaged"),
    };
    let mut text = format!(
        "{verdict}: {} records, {} claims, {} entries, {} generations; {} sealed keys opened\n",
        report.records, report.claims, report.entries, report.generations, report.opened
    );
    for (fault, count) in &report.faults {
        text.push_str(&format!("{count:>8}  {fault}\n"));
    }
    for (fault, place) in &report.examples {
        let place = match place {
            Some(KeyPlace::Token(id)) => id.to_string(),
            Some(KeyPlace::Generation(subject)) => Named::from(subject).subject(),
            _ => "-".to_owned(),
        };
        text.push_str(&format!("{place}  {fault}\n"));
    }
    text
}
