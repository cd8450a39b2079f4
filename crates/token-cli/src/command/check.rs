//! `onetoken check`

use std::collections::BTreeMap;

use token_core::Bytes;
use token_embed::authority::Named;
use token_store::{CheckReport, Fault, KeyPlace};

use crate::{
    bytes::Members,
    entity::subject_text,
    error::Failure,
    exit::Exit,
    home::HomeArgs,
    output::{Style, Terminal},
    progress,
    store::Mode,
};

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

fn document(report: &CheckReport) -> Members {
    let faults: BTreeMap<_, _> = report.faults.iter().map(|(fault, count)| (fault.as_str(), count)).collect();
    let example = |(fault, place): &(Fault, Option<KeyPlace>)| {
        let example = Members::default().with("fault", fault.as_str()).with("id", None::<()>);
        match place {
            Some(KeyPlace::Token(id)) => example.with("id", Bytes(id.as_bytes())),
            // Of temporary tokens.
            Some(KeyPlace::Generation(subject)) => example.with("subject", Named::from(subject)),
            _ => example,
        }
    };
    Members::default()
        .with("sound", report.is_sound())
        .with("records", report.records)
        .with("claims", report.claims)
        .with("entries", report.entries)
        .with("generations", report.generations)
        .with("opened", report.opened)
        .with("missing_keys", &report.missing_keys)
        .with("faults", faults)
        .with("examples", report.examples.iter().map(example).collect::<Vec<_>>())
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
            Some(KeyPlace::Generation(subject)) => subject_text(subject),
            _ => "-".to_owned(),
        };
        text.push_str(&format!("{place}  {fault}\n"));
    }
    text
}
