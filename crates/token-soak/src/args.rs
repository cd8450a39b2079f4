//! The command line.

use std::ffi::OsString;

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, ValueEnum, error::ErrorKind, parser::ValueSource,
};

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
    /// How many tokens to use; for `run`, how many calls to do [default: 10,000 to 1,000,000; `run` has no end]
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

impl Args {
    /// Parses the command line. Fails also for an option that the verb does not take.
    pub(crate) fn parse_line(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(line)?;
        let args = Self::from_arg_matches(&matches)?;
        let takes: &[&str] = match args.verb {
            Verb::Run => &["threads", "count", "seed", "past_errors"],
            Verb::Race | Verb::Churn => &["threads", "count"],
            Verb::Contend => &["threads"],
            Verb::Revoked => &["ttl", "deaf"],
            Verb::Model => &["threads", "count", "seed"],
            Verb::Check | Verb::Audit => &[],
            Verb::Rekey => &["rotate", "remove_old"],
        };
        let is_wrong = |name: &&str| {
            let is_given = matches.value_source(name) == Some(ValueSource::CommandLine);
            is_given && !["verb", "store", "keys"].contains(name) && !takes.contains(name)
        };
        let wrong = command.get_arguments().map(|option| option.get_id().as_str()).find(is_wrong);
        let message = match (wrong, args.verb, args.threads) {
            (Some(name), ..) => format!("this verb does not take --{}", name.replace('_', "-")),
            // With more, a token could get more calls than the search for an order takes.
            (None, Verb::Model, Some(9..)) => "`model` takes 8 --threads at most".to_owned(),
            _ => return Ok(args),
        };
        Err(command.error(ErrorKind::ArgumentConflict, message))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Verb {
    /// Mint, spend, revoke and delete until killed, or until the store fails
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
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_verb_takes_its_own_options_alone() {
        let is_taken = |line: &str| {
            let line = format!("token-soak {line} --store memory:");
            Args::parse_line(line.split(' ').map(OsString::from)).is_ok()
        };
        for line in ["run --threads 64 --count 1 --seed 1 --past-errors 1", "rekey --rotate --remove-old"]
            .into_iter()
            .chain([
                "revoked --ttl 1 --deaf",
                "model --threads 8 --count 1 --seed 1",
                "check --keys k",
                "audit",
            ])
        {
            assert!(is_taken(line), "{line}");
        }
        for line in [
            "run --rotate",
            "run --ttl 3",
            "check --threads 1",
            "race --seed 1",
            "churn --deaf",
            "rekey --count 1",
        ]
        .into_iter()
        .chain([
            "contend --count 1",
            "revoked --threads 1",
            "audit --past-errors 0",
            "model --threads 9",
        ]) {
            assert!(!is_taken(line), "{line}");
        }
    }
}
