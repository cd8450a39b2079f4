//! `onetoken revoke`

use std::io;

use serde::Serialize;
use token_api::Refusal;
use token_core::{DecodeOptions, IdentifierV2, Persistence, Token, UnixTime};
use token_store::{Administration as _, Filter, Revoke, TokenId, TokenStore as _};

use crate::{
    args::RevokeArgs,
    bytes::{Bytes, Members},
    entity::Named,
    error::Failure,
    exit::Exit,
    home::HomeArgs,
    input::{Lines, Source, Text},
    output::Terminal,
    progress::Progress,
    store::Mode,
    time::{self, Stamp},
};

/// How many records one step revokes, which bounds the wait of others.
const PAGE: usize = 256;

pub(super) fn run(args: &RevokeArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if let Some(subject) = &args.temporary {
        home.authority()?.revoke_temporary(subject.as_deref())?;
        let answer = revoked("subject", subject.to_string());
        terminal.answer(&answer, format_args!("revoked all temporary tokens of {subject}\n"))?;
    } else if let Some(before) = args.before {
        revoke_before(before, home, terminal)?;
    } else if let Some(of) = &args.resource {
        let named = Named::from(of);
        let of = Filter::Resource(of.clone());
        return revoke_all(&of, &named.resource(), ("resource", &named), home, terminal);
    } else if let Some(of) = &args.issuer {
        let named = Named::from(of);
        let of = Filter::Issuer(of.clone());
        return revoke_all(&of, &named.subject(), ("issuer", &named), home, terminal);
    } else {
        return match Source::of(args.token.as_deref())? {
            Source::Input => revoke_lines(home, terminal),
            source => revoke_one(&source.read()?, home, terminal).map(|()| Exit::Done),
        };
    }
    Ok(Exit::Done)
}

/// The document of what was revoked.
fn revoked(name: &'static str, value: impl Serialize) -> Members {
    Members::default().with("revoked", true).with(name, value)
}

fn revoke_one(text: &Text, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    let id = named(text)?;
    match (home.authority()?.revoke(&id)?, text.file_name()) {
        (Revoke::Revoked, _) => {}
        (Revoke::Absent, Some(file_name)) => return Err(file_name),
        (Revoke::Absent, None) => return Err(Refusal::Unknown.into()),
    }
    terminal.answer(&revoked("id", Bytes::from(id.as_bytes())), format_args!("revoked {id}\n"))
}

/// Revokes the token on each line of standard input. An unknown one does not stop the others.
fn revoke_lines(home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut lines = Lines::new(io::stdin().lock());
    let mut next = || lines.next().transpose().map_err(Failure::input);
    let first = next()?.unwrap_or_else(|| Text::from_input(Vec::new()));
    let Some(second) = next()? else { return revoke_one(&first, home, terminal).map(|()| Exit::Done) };
    let authority = home.authority()?;
    let mut progress = Progress::new();
    let (mut count, mut unknown) = (0_usize, Vec::new());
    let mut revoke = |text: &Text| {
        let id = named(text)?;
        match authority.revoke(&id)? {
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
    let ids: Vec<Bytes> = unknown.iter().map(|id| id.as_bytes().into()).collect();
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
    let mut progress = Progress::new();
    let (mut count, mut damaged, mut after) = (0_usize, 0_usize, None);
    loop {
        let page = store.revoke_all(filter, after.as_ref(), PAGE)?;
        count = count.saturating_add(page.revoked);
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

/// The id, given as such or by its token.
fn named(text: &Text) -> Result<TokenId, Failure> {
    // Longer than any minted id, so that a damaged token gets its diagnosis.
    const LONGEST_ID: usize = 64;
    let is_id = |text: &str| {
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let id = match text.as_str() {
        Ok(id) if is_id(id) && Token::decode(id, &DecodeOptions::default()).is_err() => TokenId::new(id),
        _ => {
            let token = text.token(time::now()?)?;
            let identifier = token.identifier();
            if let Some(IdentifierV2 { persistence: Persistence::Temporary { .. }, .. }) = identifier.v2() {
                return Err(Failure::usage(
                    "a temporary token has no record and cannot be revoked alone; `onetoken revoke --temporary SUBJECT` \
                     revokes all temporary tokens of its subject",
                ));
            }
            TokenId::new(identifier.id())
        }
    };
    id.map_err(|_| Refusal::Unknown.into())
}
