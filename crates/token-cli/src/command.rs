//! The commands: one function each.

mod adopt;
mod bind;
mod check;
mod confine;
mod consume;
mod events;
mod export;
mod import;
mod inspect;
mod lines;
mod list;
mod man;
mod mint;
mod purge;
mod record;
mod rekey;
mod revoke;
mod scan;
mod show;
mod verify;

use clap::CommandFactory as _;

use crate::{
    args::{AdoptArgs, Args, Command},
    bytes::Members,
    describe,
    error::Failure,
    exit::Exit,
    home::HomeArgs,
    output::Terminal,
    store::Mode,
};

/// Runs the command, and returns the exit code of its answer.
pub(crate) fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let home = &args.home;
    let done = |()| Exit::Done;
    match &args.command {
        Command::Init { domain, location } => {
            let home = home.init(domain.as_deref(), location.as_deref())?.display().to_string();
            let text = format_args!("made a key ring, a configuration and an empty store in {home}\n");
            terminal.answer(&Members::default().with("home", &home), text).map(done)
        }
        Command::Mint(mint) => mint::run(mint, home, terminal).map(done),
        Command::Inspect(args) => inspect::run(args, terminal),
        Command::Verify(args) => verify::run(args, home, terminal),
        Command::Confine(args) => confine::run(args, terminal).map(done),
        Command::Bind(args) => bind::run(args, terminal).map(done),
        Command::Consume(args) => consume::run(args, home, terminal).map(done),
        Command::Revoke(args) => revoke::run(args, home, terminal),
        Command::Reinstate(args) => record::reinstate(&args.token, home, terminal),
        Command::Delete(args) => record::delete(args, home, terminal),
        Command::Amend(args) => record::amend(args, home, terminal),
        Command::Scan(args) => scan::run(args, terminal),
        Command::List(args) => list::run(args, home, terminal),
        Command::Show(args) => show::run(args, home, terminal).map(done),
        Command::Events(args) => events::run(args, home, terminal).map(done),
        Command::Counts => counts(home, terminal),
        Command::Purge { before, retention } => purge::run(*before, *retention, home, terminal),
        Command::Check => check::run(home, terminal),
        Command::Rekey { also, keep_old } => rekey::run(also, *keep_old, home, terminal).map(done),
        Command::Export { file } => export::run(file, home, terminal),
        Command::Import { file, new_epoch } => import::run(file, *new_epoch, home, terminal),
        Command::Adopt(AdoptArgs { file }) => adopt::run(file, home, terminal),
        Command::Completions { shell } => completions(*shell, terminal).map(done),
        Command::Man { dir } => man::run(dir.as_deref(), terminal).map(done),
    }
}

fn counts(home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let counts = home.open(Mode::Existing)?.store.counts()?;
    // Indented: counts of some of the records.
    let rows = [
        ("records", counts.records),
        ("  damaged", counts.damaged),
        ("  spent", counts.spent),
        ("  revoked", counts.revoked),
        ("  expiring", counts.expiring),
        ("claims", counts.claims),
        ("generations", counts.generations),
    ];
    let text = describe::lines(&rows.map(|(name, count)| (name, count.to_string())));
    let answer = rows
        .into_iter()
        .fold(Members::default(), |answer, (name, count)| answer.with(name.trim_start(), count));
    terminal.answer(&answer, text)?;
    Ok(Exit::of_damage(counts.damaged > 0))
}

fn completions(shell: clap_complete::Shell, terminal: &Terminal) -> Result<(), Failure> {
    // Not straight to standard output: the generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "onetoken", &mut script);
    terminal.bytes(&script)
}
