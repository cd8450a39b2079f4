//! Threads of several hosts spend one token.

use std::{
    io::{self, BufRead as _},
    num::NonZeroU64,
};

use token_store::{TokenId, TokenStore};

use crate::{args::Args, failure::Failure, output, race::winners, random, subject, target};

/// Every process gets the same tokens and mints the missing ones. The harness adds up how many uses each wins.
pub(crate) fn contend(args: &Args) -> Result<(), Failure> {
    let (stores, keys) = target::alone(&args.at, args.threads.unwrap_or(16)).map_err(Failure::opening)?;
    let stores: Vec<&dyn TokenStore> = stores.iter().map(|store| store as &dyn TokenStore).collect();
    let name = random::fresh().map_err(Failure::opening)?;
    output::line(format_args!("OPEN"))?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (id, limit) = token(&line).ok_or(Failure::WRONG)?;
        let record = subject::record(&keys, &id, Some(limit), None)?;
        if let Some(store) = stores.first() {
            let _at_most_once = store.insert(&record)?;
        }
        output::line(format_args!("W {id} {}", winners(&stores, &id, name)?))?;
    }
    Ok(())
}

fn token(line: &str) -> Option<(TokenId, NonZeroU64)> {
    let (id, limit) = line.split_once(' ')?;
    Some((TokenId::new(id).ok()?, limit.parse().ok()?))
}
