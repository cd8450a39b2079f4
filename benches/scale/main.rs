//! How costs grow: of one token with its caveats and its length, and of an authority with its threads and with the
//! records in its store.
//!
//! ```text
//! cargo run --release -p token-bench --bin scale | benches/plot.py docs/scale.svg
//! ```
//!
//! Standard output has one JSON object per line, whose `measure` names the measurement; standard error has progress
//! and, at the end, the tables. Separate processes fill and measure each store, so that their memory is that of the
//! store. Files are in a temporary directory, which is removed at the end.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints figures, of its own input"
)]

mod cost;
mod load;
mod table;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use clap::{Parser, Subcommand};
use serde_json::Value;
use token_bench::machine::{self, Outcome};
use token_test::stores::{Backend, MEMORY, REDB, SLED};

/// Measures how costs grow with caveats, length, threads and records.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// A fraction of the work, in less than a minute: shows that it works, and little else
    #[arg(long)]
    quick: bool,
    /// Where to put the stores [default: the directory for temporary files]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The task of a child process.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Fill(Store),
    #[command(hide = true)]
    Work(Store),
}

#[derive(Clone, Debug, clap::Args)]
struct Store {
    engine: String,
    records: usize,
    /// The directory for its files and those that the parts exchange.
    place: PathBuf,
}

/// The amount of work.
struct Plan {
    quick: bool,
    /// The numbers of records that stores are filled to.
    records: &'static [usize],
    /// The time of mints and verifications, for each number of threads.
    time: Duration,
    /// The time for the cost of one token, for each point.
    point: Duration,
}

impl Plan {
    const fn new(quick: bool) -> Self {
        match quick {
            true => Self {
                quick,
                records: &[1_000, 10_000],
                time: Duration::from_millis(200),
                point: Duration::from_millis(50),
            },
            false => Self {
                quick,
                records: &[1_000, 100_000, 1_000_000],
                time: Duration::from_secs(2),
                point: Duration::from_millis(500),
            },
        }
    }
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let plan = Plan::new(args.quick);
    let mut tell = |line: Value| println!("{line}");
    match &args.part {
        Some(Part::Fill(store)) => load::fill(store, &mut tell),
        Some(Part::Work(store)) => load::work(store, &plan, &mut tell),
        None => all(&plan, args.directory.as_deref()),
    }
}

fn all(plan: &Plan, directory: Option<&Path>) -> Outcome<()> {
    let mut lines = Vec::new();
    let mut tell = |line: Value| {
        println!("{line}");
        lines.push(line);
    };
    tell(machine::line());
    eprintln!("one token, by caveats and by bytes");
    cost::measure(plan.point, &mut tell)?;
    let directory = match directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    for Backend { name, is_durable, .. } in [MEMORY, REDB, SLED] {
        for &records in plan.records {
            let place = directory.path().join(format!("{name}-{records}"));
            std::fs::create_dir(&place)?;
            let store = Store { engine: name.to_owned(), records, place };
            if is_durable {
                eprintln!("{name}: filling with {records} records");
                part("fill", &store, plan, &mut tell)?;
            }
            eprintln!("{name}: working with {records} records");
            part("work", &store, plan, &mut tell)?;
            std::fs::remove_dir_all(&store.place)?;
        }
    }
    tell(machine::line());
    eprintln!("\n{}", table::all(&lines));
    Ok(())
}

/// Runs a part in a child process and passes on its output.
fn part(name: &str, store: &Store, plan: &Plan, tell: &mut impl FnMut(Value)) -> Outcome<()> {
    let mut command = Command::new(std::env::current_exe()?);
    if plan.quick {
        command.arg("--quick");
    }
    let mut child = command
        .args([name, &store.engine, &store.records.to_string()])
        .arg(&store.place)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    for line in BufReader::new(output).lines() {
        tell(serde_json::from_str(&line?)?);
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("{name}: {status}").into()),
    }
}
