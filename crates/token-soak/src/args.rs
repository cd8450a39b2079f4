//! The command line.

use clap::{Parser, ValueEnum};

use crate::target::At;

/// Works a store hard, and prints what it acknowledged.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// What to do
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) at: At,
    /// How many threads work at once [default: 1 to 64]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How many tokens to use; for `run`, how many mints and spends to do [default: 10,000 to 1,000,000; `run` has no end]
    #[arg(long)]
    pub(crate) count: Option<u64>,
    /// What `run` and `model` do, and when; the ids differ all the same [default: random]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many more times `run` asks a store that has failed
    #[arg(long, default_value_t = 0)]
    pub(crate) past_errors: u32,
    /// How long the cache of `revoked` keeps a record, in seconds
    #[arg(long, default_value_t = 3)]
    pub(crate) ttl: u64,
    /// `revoked` does not listen for revocations by others
    #[arg(long)]
    pub(crate) deaf: bool,
    /// `rekey` adds a new key first
    #[arg(long)]
    pub(crate) rotate: bool,
    /// `rekey` removes all other keys at the end
    #[arg(long)]
    pub(crate) remove_old: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Verb {
    /// Mint and spend until killed, or until the store fails
    Run,
    /// List the tokens that can still be spent
    Check,
    /// Spend one token from every thread at once, round after round
    Race,
    /// Spend the tokens that standard input names, each from every thread at once, over a connection for each
    Contend,
    /// Mint, watch and revoke the tokens that standard input names, behind a cache
    Revoked,
    /// Look for a token whose history no order of calls explains, with at most eight threads
    Model,
    /// Mint, spend and purge
    Churn,
    /// Have the store check all that it holds
    Audit,
    /// Seal everything under the newest key
    Rekey,
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
