//! `onetoken revoke`

use std::io;

use serde::Serialize;
use token_core::{Bytes, Stamp, UnixTime};
use token_embed::authority::{Named, Voided};
use token_store::{Administration as _, Filter, Revoke, TokenStore as _};

use super::record;
use crate::{
    args::{RevocationArgs, RevokeArgs},
    bytes::{Both, Members},
    entity::{resource_text, subject_text},
    error::Failure,
    exit::Exit,
    home::HomeArgs,
    input::{Lines, Source, Text},
    output::Terminal,
    progress::Progress,
    store::Mode,
    time,
};

/// How many records one step revokes, which bounds the wait of others.
const PAGE: usize = 256;

pub(super) fn run(args: &RevokeArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let RevokeArgs { of, how } = args;
    if let Some(subject) = &of.temporary {
        let generation = home.authority()?.revoke_temporary(subject.as_deref())?;
        let answer = Both { first: revoked("subject", subject.to_string()), then: Voided::from(generation) };
        terminal.answer(&answer, format_args!("revoked all temporary tokens of {subject}\n"))?;
    } else if let Some(before) = of.before {
        revoke_before(before, home, terminal)?;
    } else if let Some(resource) = &of.resource {
        let (named, filter) = (Named::from(resource), Filter::Resource(resource.clone()));
        return revoke_all(&filter, &resource_text(resource), how, ("resource", &named), home, terminal);
    } else if let Some(issuer) = &of.issuer {
        let (named, filter) = (Named::from(issuer), Filter::Issuer(issuer.clone()));
        return revoke_all(&filter, &subject_text(issuer), how, ("issuer", &named), home, terminal);
    } else {
        return match Source::of(of.token.as_deref())? {
            Source::Input => revoke_lines(how, home, terminal),
            source => revoke_one(&source.read()?, how, home, terminal),
        };
    }
    Ok(Exit::Done)
}

/// The document of what was revoked.
fn revoked(name: &'static str, value: impl Serialize) -> Members {
    Members::default().with("revoked", true).with(name, value)
}

fn revoke_one(
    text: &Text,
    how: &RevocationArgs,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    record::change(text, "revoked", "revoked", home, terminal, |authority, id| {
        Ok(authority.revoke(id, Some(&how.revocation(authority.now())))? == Revoke::Revoked)
    })
}

/// Revokes the token on each line of standard input. An unknown one does not stop the others.
fn revoke_lines(how: &RevocationArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut lines = Lines::new(io::stdin().lock());
    let mut next = || lines.next().transpose().map_err(Failure::input);
    let first = next()?.unwrap_or_else(|| Text::from_input(Vec::new()));
    let Some(second) = next()? else { return revoke_one(&first, how, home, terminal) };
    let authority = home.authority()?;
    let revocation = how.revocation(authority.now());
    let mut progress = Progress::new();
    let (mut count, mut unknown) = (0_usize, Vec::new());
    let mut revoke = |text: &Text| {
        let id = record::id(text)?;
        match authority.revoke(&id, Some(&revocation))? {
            Revoke::Revoked => count = count.saturating_add(1),
            Revoke::Absent => unknown.push(id),
        }
        progress.tell(format_args!("{count} tokens revoked"));
        Ok::<_, Failure>(())
    };
    revoke(&first)?;
    revoke(&second)?;
    while let Some(text) = next()? {
        revoke(&text)?;
    }
    drop((progress, authority));
    let ids: Vec<Bytes<'_>> = unknown.iter().map(|id| Bytes(id.as_bytes())).collect();
    let answer = Members::default().with("revoked", true).with("count", count).with("unknown", ids);
    terminal.answer(&answer, format_args!("revoked {count} tokens\n"))?;
    for id in &unknown {
        terminal.note(format_args!("the store has no token {id}"));
    }
    Ok(if unknown.is_empty() { Exit::Done } else { Exit::Refused })
}

/// Revokes all tokens of a resource or an issuer.
fn revoke_all(
    filter: &Filter,
    of: &str,
    how: &RevocationArgs,
    (name, named): (&'static str, &Named),
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let store = home.open(Mode::Existing)?.store;
    let found = store.list(filter, None, 1)?;
    if found.records.is_empty() && found.damaged.is_empty() && found.next.is_none() {
        let message = format_args!("the store holds no token of {of}, so there is nothing to revoke");
        return Err(Failure::new(Exit::Refused, "unknown-token", message));
    }
    let revocation = how.revocation(time::now()?);
    let mut progress = Progress::new();
    let (mut count, mut damaged, mut after) = (0_usize, 0_usize, None);
    loop {
        let page = store.revoke_all(filter, &revocation, after.as_ref(), PAGE)?;
        count = count.saturating_add(page.changed);
        damaged = damaged.saturating_add(page.damaged);
        progress.tell(format_args!("{count} tokens revoked"));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    drop((progress, store));
    let answer = revoked("count", count).with("damaged", damaged).with(name, named);
    terminal.answer(&answer, format_args!("revoked {count} tokens of {of}\n"))?;
    if damaged > 0 {
        terminal.note(format_args!("skipped {damaged} damaged tokens; `onetoken check` names them"));
    }
    Ok(Exit::of_damage(damaged > 0))
}

/// Revokes all tokens minted before a time.
fn revoke_before(before: UnixTime, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    if before > time::now()? {
        let message = "--before takes a time in the past; tokens that are not minted yet cannot be revoked";
        return Err(Failure::usage(message));
    }
    let before = home.open(Mode::Existing)?.store.revoke_before(before)?;
    let text = format_args!("revoked all tokens minted before {before}\n");
    terminal.answer(&revoked("before", Stamp(before)), text)
}
