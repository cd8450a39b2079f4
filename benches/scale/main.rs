//! How costs grow: of one token by its caveats and its length, and of an authority by its threads and by the
//! records in its store.
//!
//! ```text
//! cargo run --release -p token-bench --features sled --bin scale | benches/plot.py docs/scale.svg
//! ```
//!
//! Standard output has one JSON object a line, of which `measure` says what it is; standard error has progress,
//! and at the end the tables. Each store is filled and worked by processes of their own, so that the memory that
//! is measured is its own; what is on disk is in a temporary directory that goes at the end.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints figures, of its own input"
)]

mod cost;
mod load;
mod machine;
mod table;

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

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

/// What a process of its own does.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Fill(Store),
    #[command(hide = true)]
    Work(Store),
}

#[derive(Clone, Debug, clap::Args)]
struct Store {
    engine: Engine,
    records: usize,
    /// Where it keeps its files and those that the parts hand each other.
    place: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Memory,
    Redb,
    #[cfg(feature = "sled")]
    Sled,
}

impl Engine {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redb => "redb",
            #[cfg(feature = "sled")]
            Self::Sled => "sled",
        }
    }
}

/// How much is done.
struct Plan {
    quick: bool,
    /// The numbers of records that stores are filled to.
    records: &'static [usize],
    /// How long mints and verifications go on, for each number of threads.
    time: Duration,
    /// How long one token's cost is sought, for each point.
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
    for engine in Engine::value_variants() {
        for &records in plan.records {
            let place = directory.path().join(format!("{}-{records}", engine.as_str()));
            std::fs::create_dir(&place)?;
            let store = Store { engine: *engine, records, place };
            if *engine != Engine::Memory {
                eprintln!("{}: filling with {records} records", engine.as_str());
                part("fill", &store, plan, &mut tell)?;
            }
            eprintln!("{}: working with {records} records", engine.as_str());
            part("work", &store, plan, &mut tell)?;
            std::fs::remove_dir_all(&store.place)?;
        }
    }
    tell(machine::line());
    eprintln!("\n{}", table::all(&lines));
    if !cfg!(feature = "sled") {
        eprintln!("sled was not measured: --features sled");
    }
    Ok(())
}

/// Runs a part in a process of its own, and passes on what it tells.
fn part(name: &str, store: &Store, plan: &Plan, tell: &mut impl FnMut(Value)) -> Outcome<()> {
    let mut command = Command::new(std::env::current_exe()?);
    if plan.quick {
        command.arg("--quick");
    }
    let mut child = command
        .args([name, store.engine.as_str(), &store.records.to_string()])
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
