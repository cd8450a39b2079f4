//! The command line.

use clap::{Parser, Subcommand};

use crate::target::At;

/// Works a store hard, and prints what it acknowledged.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mint and spend until killed, or until the store fails.
    Run(Run),
    /// List the tokens that can still be spent.
    Check(At),
    /// Spend one token from every thread at once, round after round.
    Race(Race),
    /// Spend the tokens that standard input names, each from every thread at once, over a connection for each.
    Contend(Contend),
    /// Mint, watch and revoke the tokens that standard input names, behind a cache.
    Revoked(Revoked),
    /// Look for a token whose history no order of calls explains.
    Model(Model),
    /// Mint, spend and purge.
    Churn(Churn),
    /// Have the store check all that it holds.
    Audit(At),
    /// Seal everything under the newest key.
    Rekey(Rekey),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) at: At,
    /// How many threads write
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,
    /// Which mints are spent, and when; the ids differ all the same [default: random]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many mints and spends to do, of all threads [default: without end]
    #[arg(long)]
    pub(crate) ops: Option<u64>,
    /// How many more times to ask a store that has failed
    #[arg(long, default_value_t = 0)]
    pub(crate) past_errors: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Race {
    #[command(flatten)]
    pub(crate) at: At,
    /// How many threads spend
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,
    /// How many tokens, one after another
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rounds: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Contend {
    #[command(flatten)]
    pub(crate) at: At,
    /// How many threads spend
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoked {
    #[command(flatten)]
    pub(crate) at: At,
    /// How long the cache keeps a record, in seconds
    #[arg(long, default_value_t = 3)]
    pub(crate) ttl: u64,
    /// Do not listen for revocations by others
    #[arg(long)]
    pub(crate) deaf: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Model {
    #[command(flatten)]
    pub(crate) at: At,
    /// How many threads call
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) threads: u16,
    /// How many tokens
    #[arg(long, default_value_t = 100_000)]
    pub(crate) histories: u64,
    /// Which calls are made [default: random]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Churn {
    #[command(flatten)]
    pub(crate) at: At,
    /// How many threads write
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,
    /// How many tokens to mint and spend
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) pairs: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rekey {
    #[command(flatten)]
    pub(crate) at: At,
    /// Add a new key first
    #[arg(long)]
    pub(crate) rotate: bool,
    /// Remove all other keys at the end
    #[arg(long)]
    pub(crate) remove_old: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
