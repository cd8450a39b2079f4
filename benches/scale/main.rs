//! How the cost of one token grows with its caveats and its length.
//!
//! ```text
//! cargo run --release -p token-bench --bin scale | benches/plot.py docs/scale.svg
//! ```
//!
//! Prints one JSON object per line, whose `measure` names the measurement; `scripts/performance` makes tables of them.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a program that prints figures, of its own input"
)]

mod cost;

use std::time::Duration;

use clap::Parser;
use token_bench::machine::{self, Outcome};

/// Measures how the cost of one token grows with its caveats and its length.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How long each point is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    time: f64,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let mut lines = vec![machine::line()];
    cost::measure(Duration::from_secs_f64(args.time), &mut |line| lines.push(line))?;
    lines.push(machine::line());
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}
