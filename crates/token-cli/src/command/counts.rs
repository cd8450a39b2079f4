//! `onetoken counts`

use serde::Serialize;

use crate::{
    args::CountsArgs,
    error::{Exit, Failure},
    home::HomeArgs,
    output::Terminal,
};

#[derive(Serialize)]
struct Counted {
    records: u64,
    damaged: u64,
    spent: u64,
    revoked: u64,
    expiring: u64,
    claims: u64,
    generations: u64,
}

pub(super) fn run(args: &CountsArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let counts = home.opened()?.store.counts()?;
    let counted = Counted {
        records: counts.records,
        damaged: counts.damaged,
        spent: counts.spent,
        revoked: counts.revoked,
        expiring: counts.expiring,
        claims: counts.claims,
        generations: counts.generations,
    };
    match args.json {
        true => terminal.document(&counted)?,
        false => print(&counted, terminal)?,
    }
    Ok(Exit::of_damage(counted.damaged))
}

fn print(counted: &Counted, terminal: &mut Terminal) -> Result<(), Failure> {
    let rows = [
        ("records", counted.records),
        ("  damaged", counted.damaged),
        ("  spent", counted.spent),
        ("  revoked", counted.revoked),
        ("  expiring", counted.expiring),
        ("claims", counted.claims),
        ("generations", counted.generations),
    ];
    terminal.text(rows.map(|(name, count)| format!("{name:<12}{count}\n")).concat())
}
