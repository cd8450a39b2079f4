//! Measures how long revoked tokens stay good in the caches of other hosts.

use std::{
    io::{self, BufRead as _},
    thread,
    time::{Duration, Instant, SystemTime},
};

use token_store::{CacheConfig, CachedStore, Insert, KeyRing, Revoke, TokenId, TokenStore};
use token_store_postgres::PostgresStore;

use crate::{args::Args, failure::Failure, output, subject, target};

/// How long to wait for an expected event.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a watcher sleeps between two reads of all tokens.
const PAUSE: Duration = Duration::from_millis(1);

/// Runs the commands of standard input. Times are microseconds since 1970, on which processes of one machine agree.
pub(crate) fn revoked(args: &Args) -> Result<(), Failure> {
    let (host, keys) = host(args).map_err(Failure::opening)?;
    output::line(format_args!("OPEN"))?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (what, ids) = tokens(&line).ok_or(Failure::WRONG)?;
        match what {
            "mint" => {
                mint(&host, &keys, &ids)?;
                output::line(format_args!("M {line}"))?;
            }
            "watch" => watch(&host, ids)?,
            "revoke" => {
                for id in &ids {
                    let Revoke::Revoked = host.revoke(id, &subject::FOR_GOOD)? else {
                        return Err(Failure::WRONG);
                    };
                    output::line(format_args!("V {id} {}", now()))?;
                }
            }
            _ => return Err(Failure::WRONG),
        }
    }
    Ok(())
}

fn host(args: &Args) -> Result<(CachedStore<PostgresStore>, KeyRing), Failure> {
    let (stores, keys) = target::alone(&args.at, 1)?;
    let store = stores.into_iter().next().ok_or(Failure::WRONG)?;
    let config = CacheConfig { ttl: Duration::from_secs(args.ttl), ..CacheConfig::default() };
    let host = CachedStore::new(store, config);
    if !args.deaf {
        host.store().listen(host.invalidator());
        let begun = Instant::now();
        while host.store().metrics().listens == 0 {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::WRONG);
            }
            thread::sleep(PAUSE);
        }
    }
    Ok((host, keys))
}

// Parses `what name count`, which means the tokens name-0, name-1 and so on.
fn tokens(line: &str) -> Option<(&str, Vec<TokenId>)> {
    let mut words = line.split(' ');
    let (what, name, count) = (words.next()?, words.next()?, words.next()?.parse::<u32>().ok()?);
    let ids =
        (0..count).map(|number| TokenId::new(format!("{name}-{number}")).ok()).collect::<Option<_>>()?;
    Some((what, ids))
}

fn mint(host: &dyn TokenStore, keys: &KeyRing, ids: &[TokenId]) -> Result<(), Failure> {
    for id in ids {
        let Insert::Inserted = host.insert(&subject::record(keys, id, None, None)?)? else {
            return Err(Failure::WRONG);
        };
    }
    Ok(())
}

// Reads all tokens as good, then polls them until none is good.
fn watch(host: &dyn TokenStore, ids: Vec<TokenId>) -> Result<(), Failure> {
    let good = |id: &TokenId| match host.get(id)? {
        Some(record) => Ok(!record.is_revoked()),
        None => Err(Failure::WRONG),
    };
    let begun = Instant::now();
    let mut left = Vec::new();
    for id in ids {
        let asked = now();
        if !good(&id)? {
            return Err(Failure::WRONG);
        }
        left.push((id, asked));
    }
    output::line(format_args!("S"))?;
    while !left.is_empty() {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::WRONG);
        }
        let mut still = Vec::new();
        for (id, accepted) in left {
            let asked = now();
            match good(&id)? {
                true => still.push((id, asked)),
                false => output::line(format_args!("R {id} {accepted} {}", now()))?,
            }
        }
        left = still;
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn now() -> u128 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros()
}
