//! Puts a store under load and prints a line for each acknowledgement. Afterwards reports what the store still has.
//!
//! A test harness kills this program, cuts its disk off or fills the disk. Then it compares the output of `token-soak
//! check` with that of `token-soak run`. The program itself does not judge faults.
//!
//! | command | does | prints |
//! |---|---|---|
//! | `run` | mints named tokens of one use; spends, revokes or deletes about half of them | `OPEN`, `M id` minted, `B id` about to be ended so, `C id` ended, `U id` not known and asked again, `ERR kind` |
//! | `check` | reads every record | `K id true` for a token that can be spent, `K id false` where its seal fails |
//! | `race` | has all threads spend one token at once | `RACE rounds wrong` |
//! | `contend` | spends tokens named by lines `id limit`, over connections of its own: start several | `OPEN`, `W id uses` won |
//! | `revoked` | what lines say, `mint`, `watch` or `revoke` with a name and a number of tokens, behind a cache: start several | `OPEN`, `M line` minted, `V id µs` revoked, `S` all seen as good, `R id µs µs` last asked for and seen as good, and seen as revoked |
//! | `model` | holds what threads saw of one token against all orders that explain it | `MODEL histories wrong` |
//! | `churn` | mints, spends and purges | `S pairs` now and then |
//! | `audit` | has the store check itself | `AUDIT records faults` |
//! | `rekey` | seals everything under the newest key | `OPEN`, `R seen resealed failed` |
//!
//! Each line is written before its thread continues. The exit status is 0; 1 for a wrong answer; 3 for a store that
//! cannot be opened or read to its end; 4 for an error of the store during the work; 5 if the output cannot be
//! written. Keys are in the file named like the store with `.keys` added, created on first use.
#![forbid(unsafe_code)]

mod args;
mod audit;
mod check;
mod churn;
mod contend;
mod failure;
mod linear;
mod model;
mod output;
mod race;
mod random;
mod rekey;
mod revoked;
mod run;
mod subject;
mod target;
mod threads;

use std::{env, process::ExitCode};

use crate::args::{Args, Verb};

fn main() -> ExitCode {
    let args = Args::parse_line(env::args_os()).unwrap_or_else(|error| error.exit());
    let outcome = match args.verb {
        Verb::Run => run::run(&args),
        Verb::Check => check::check(&args.at),
        Verb::Race => race::race(&args),
        Verb::Contend => contend::contend(&args),
        Verb::Revoked => revoked::revoked(&args),
        Verb::Model => model::model(&args),
        Verb::Audit => audit::audit(&args.at),
        Verb::Rekey => rekey::rekey(&args),
        Verb::Churn => churn::churn(&args),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if !failure.kind.is_empty() {
        // If this cannot be written either, the status shows it.
        drop(output::line(format_args!("ERR {}", failure.kind)));
    }
    ExitCode::from(failure.status)
}
