//! `onetoken purge`

use std::{num::NonZeroUsize, time::Duration};

use token_core::UnixTime;
use token_embed::authority::Purged;
use token_store::{Administration as _, Filter, TokenStore};

use crate::{
    bytes::{Both, Members},
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    output::Terminal,
};

/// How many records one step removes or reads.
const BATCH: usize = 1000;

pub(super) fn run(
    before: Option<UnixTime>,
    retention: Option<Duration>,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let authority = home.authority()?;
    let now = authority.now();
    let purged = batches(|| Ok(authority.purge(before, BATCH)?))?;
    let spent =
        retention.map(|retention| batches(|| Ok(authority.store().purge_spent(now, retention, BATCH)?)));
    let spent = spent.transpose()?;
    let expired = damaged(&authority, before.map_or(now, |before| before.min(now)))?;
    let damaged = match retention {
        None => expired,
        // A damaged record does not show whether it is spent.
        Some(_) => usize::try_from(authority.store().counts()?.damaged).unwrap_or(usize::MAX).max(expired),
    };
    drop(authority);
    let spent_too = spent.map(|spent| format!("removed {spent} spent tokens\n"));
    let text = format_args!("removed {purged} expired tokens\n{}", spent_too.unwrap_or_default());
    let more = Members::default().with_some("spent", spent);
    let more = more.with_some("damaged", NonZeroUsize::new(damaged));
    terminal.answer(&Both { first: Purged::from(purged), then: more }, text)?;
    if damaged > 0 {
        terminal.note(format_args!("skipped {damaged} damaged tokens; `onetoken check` names them"));
    }
    Ok(Exit::of_damage(damaged > 0))
}

fn batches(mut batch: impl FnMut() -> Result<usize, Failure>) -> Result<usize, Failure> {
    let mut all = 0_usize;
    loop {
        let count = batch()?;
        all = all.saturating_add(count);
        if count < BATCH {
            return Ok(all);
        }
    }
}

/// Counts the damaged records that expired by this time: a purge skips them.
fn damaged(authority: &Issuer, by: UnixTime) -> Result<usize, Failure> {
    let (mut count, mut after) = (0_usize, None);
    loop {
        let page = authority.store().list(&Filter::ExpiresBefore(by), after.as_ref(), BATCH)?;
        count = count.saturating_add(page.damaged.len());
        match page.next {
            None => return Ok(count),
            next => after = next,
        }
    }
}
