//! An authority on stores that hold many records: how many tokens it mints and spends in a second, each on disk when
//! the call returns, beside a bare log that is synced as often, on the same disk.
//!
//! ```text
//! cargo run --release -p token-bench --bin durable -- --json
//! cargo run --release -p token-bench --bin durable -- --records 1000000
//! ```
//!
//! Each line of JSON is a store with a number of threads. The last line of a store also has what is measured once: the
//! times to open it, reads, memory, the disk, and a purge beside 64 callers. Separate processes fill, work on and open
//! a store, so that their memory is the store's and a kill is a real one. Files are in a temporary directory, which is
//! removed at the end.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints figures, of its own input"
)]

mod log;
mod store;
mod table;

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use clap::{Parser, Subcommand};
use serde_json::{Map, Value};
use token_bench::machine::{self, Outcome};

/// Measures an authority on stores that hold many records.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How many records each store holds before it is measured
    #[arg(long, default_value_t = 100_000)]
    records: usize,
    /// The stores; postgres needs a URL
    #[arg(long, value_delimiter = ',', default_value = "redb,sled,memory")]
    stores: Vec<String>,
    /// How long each kind of call is repeated, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    time: f64,
    /// Print JSON, one line a measurement
    #[arg(long)]
    json: bool,
    /// Where to put the stores [default: the directory for temporary files]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// An empty database, measured as the store `postgres`
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
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
    #[command(hide = true)]
    Open(Store),
}

#[derive(Clone, Debug, clap::Args)]
struct Store {
    /// The name of an engine, or the URL of a PostgreSQL database.
    engine: String,
    /// The directory for its files and those that the parts exchange.
    place: PathBuf,
}

impl Store {
    fn is_shared(&self) -> bool {
        self.engine.contains(':')
    }

    fn name(&self) -> &str {
        if self.is_shared() { "postgres" } else { &self.engine }
    }
}

type Figures = Map<String, Value>;

fn main() -> Outcome<()> {
    let args = Args::parse();
    let time = Duration::from_secs_f64(args.time);
    match &args.part {
        Some(Part::Fill(store)) => store::fill(store, args.records),
        Some(Part::Work(store)) => store::work(store, args.records, time),
        Some(Part::Open(store)) => store::open(store),
        None => all(&args),
    }
}

fn all(args: &Args) -> Outcome<()> {
    let directory = match &args.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    #[cfg_attr(not(feature = "postgres"), expect(unused_mut, reason = "no URL is taken"))]
    let mut engines = args.stores.clone();
    #[cfg(feature = "postgres")]
    engines.extend(args.postgres.clone());
    let before = machine::line();
    let mut lines = Vec::new();
    for engine in engines {
        let store = Store { place: directory.path().join("store"), engine };
        std::fs::create_dir(&store.place)?;
        let figures = measure(args, &store)?;
        if args.json {
            figures.iter().for_each(|line| println!("{}", Value::Object(line.clone())));
        }
        lines.extend(figures);
        std::fs::remove_dir_all(&store.place)?;
    }
    if !args.json {
        println!("{}\n{}", table::all(&lines), table::machines(&before, &machine::line()));
    }
    Ok(())
}

/// Returns one line for each number of threads, the last with the figures of the store.
fn measure(args: &Args, store: &Store) -> Outcome<Vec<Figures>> {
    let name = store.name();
    let mut once = Figures::new();
    if name != "memory" {
        eprintln!("{name}: filling with {} records", args.records);
        let mut fill = part("fill", args, store)?;
        once.extend(lines(&mut fill)?.into_iter().flatten());
        ended(fill)?;
    }
    eprintln!("{name}: working");
    let mut work = part("work", args, store)?;
    let (mut figures, more): (Vec<_>, Vec<_>) =
        lines(&mut work)?.into_iter().partition(|line| line.contains_key("threads"));
    once.extend(more.into_iter().flatten());
    if name == "memory" || store.is_shared() {
        ended(work)?;
    } else {
        // It mints until it is killed.
        thread::sleep(Duration::from_millis(300));
        work.kill()?;
        work.wait()?;
        let mut open = part("open", args, store)?;
        once.extend(lines(&mut open)?.into_iter().flatten());
        ended(open)?;
    }
    figures.last_mut().ok_or("no figures")?.extend(once);
    Ok(figures)
}

fn part(name: &str, args: &Args, store: &Store) -> Outcome<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--records", &args.records.to_string(), "--time", &args.time.to_string()]);
    command.args([name, &store.engine]).arg(&store.place);
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

/// Reads the lines of a part up to an empty one, or to the end.
fn lines(child: &mut Child) -> Outcome<Vec<Figures>> {
    let output = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut lines = Vec::new();
    for line in output {
        match line?.as_str() {
            "" => break,
            line => lines.push(serde_json::from_str(line)?),
        }
    }
    Ok(lines)
}

fn ended(mut child: Child) -> Outcome<()> {
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("a part ended with {status}").into()),
    }
}
