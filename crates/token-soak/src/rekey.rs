//! Seals everything under the newest key.

use token_store::Rekeyed;

use crate::{args::Args, failure::Failure, output, target};

pub(crate) fn rekey(args: &Args) -> Result<(), Failure> {
    let (store, mut keys) = target::with_keys(&args.at).map_err(Failure::opening)?;
    let file = target::key_file(&args.at);
    // The new key must be on disk before anything is sealed under it.
    if args.rotate {
        keys.rotate().map_err(Failure::opening)?;
        if let Some(file) = &file {
            keys.replace(file).map_err(Failure::opening)?;
        }
    }
    output::line(format_args!("OPEN"))?;
    let mut told = Ok(());
    let mut tell = |step: &Rekeyed| {
        let line = output::line(format_args!("R {} {} {}", step.seen, step.resealed, step.failed));
        told = std::mem::replace(&mut told, Ok(())).and(line);
    };
    let done = token_store::rekey(&*store, &keys, &mut tell)?;
    told?;
    if done.failed > 0 {
        return Err(Failure::WRONG);
    }
    if args.remove_old {
        for id in 1..keys.newest_id() {
            match keys.remove(id, &[&done]) {
                Ok(()) | Err(token_store::KeyError::Absent { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(file) = &file {
            keys.replace(file)?;
        }
    }
    Ok(())
}
