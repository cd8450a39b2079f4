//! `onetoken revoke`

use serde::Serialize;
use token_core::{DecodeOptions, IdentifierV2, Persistence, Subject, Token, UnixTime};
use token_store::{Administration as _, Filter, Revoke, TokenId, TokenStore as _};

use crate::{
    args::{self, RevokeArgs},
    entity::Named,
    error::{Exit, Failure, Refusal, UsageError},
    home::HomeArgs,
    input::{Source, Text},
    output::{Bytes, Terminal},
    progress::Progress,
    time::{self, Stamp},
};

/// How many records one step revokes, which bounds the wait of others.
const PAGE: usize = 256;

#[derive(Serialize)]
struct Revoked {
    revoked: bool,
    id: Bytes,
}

#[derive(Serialize)]
struct Voided<'a> {
    revoked: bool,
    subject: &'a str,
}

#[derive(Default, Serialize)]
struct Swept<'a> {
    revoked: bool,
    /// How many were not revoked before.
    count: usize,
    damaged: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<Named<'a>>,
}

#[derive(Serialize)]
struct Void {
    revoked: bool,
    /// The time in force.
    before: Stamp,
}

pub(super) fn run(args: &RevokeArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let args::Revoked { token, temporary: subject, resource, issuer, before } = &args.revoked;
    if let Some(subject) = subject {
        return temporary(subject, args.json, home, terminal);
    }
    if let Some(before) = before {
        return void(*before, args.json, home, terminal);
    }
    if let Some(of) = resource {
        let answer = |swept| Swept { resource: Some(of.into()), ..swept };
        let name = Named::from(of).resource();
        return sweep(&Filter::Resource(of.clone()), name, answer, args.json, home, terminal);
    }
    if let Some(of) = issuer {
        let answer = |swept| Swept { issuer: Some(of.into()), ..swept };
        let name = Named::from(of).subject();
        return sweep(&Filter::Issuer(of.clone()), name, answer, args.json, home, terminal);
    }
    let text = Source::of(token.as_deref())?.read()?;
    let id = named(&text)?;
    match (home.authority()?.revoke(&id)?, text.file_name()) {
        (Revoke::Revoked, _) => {}
        (Revoke::Absent, Some(file_name)) => return Err(file_name.into()),
        (Revoke::Absent, None) => return Err(Refusal::unknown().into()),
    }
    match args.json {
        true => terminal.document(&Revoked { revoked: true, id: id.as_bytes().into() })?,
        false => terminal.text(format_args!("revoked {id}\n"))?,
    }
    Ok(Exit::Done)
}

/// Voids all temporary tokens of one subject.
fn temporary(text: &str, json: bool, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let subject = Subject::read(text).ok_or(UsageError::Consumers)?;
    home.authority()?.revoke_temporary(subject)?;
    match json {
        true => terminal.document(&Voided { revoked: true, subject: text })?,
        false => terminal.text(format_args!("revoked all temporary tokens of {subject}\n"))?,
    }
    Ok(Exit::Done)
}

/// Revokes all tokens of a resource or an issuer.
fn sweep<'a>(
    filter: &Filter,
    of: String,
    answer: impl FnOnce(Swept<'a>) -> Swept<'a>,
    json: bool,
    home: &HomeArgs,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let store = home.opened()?.store;
    let mut progress = Progress::new();
    let mut swept = Swept { revoked: true, ..Swept::default() };
    let found = store.list(filter, None, 1)?;
    if found.records.is_empty() && found.damaged.is_empty() && found.next.is_none() {
        return Err(Failure::NothingFound { of });
    }
    let mut after = None;
    loop {
        let page = store.revoke_all(filter, after.as_ref(), PAGE)?;
        swept.count = swept.count.saturating_add(page.revoked);
        swept.damaged = swept.damaged.saturating_add(page.damaged);
        progress.tell(format_args!("{} tokens revoked", swept.count));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    drop((progress, store));
    let (count, damaged) = (swept.count, swept.damaged);
    match json {
        true => terminal.document(&answer(swept))?,
        false => {
            terminal.text(format_args!("revoked {count} tokens of {of}\n"))?;
        }
    }
    if damaged > 0 {
        terminal.note(format_args!("passed over {damaged} damaged tokens; `onetoken check` names them"));
    }
    Ok(Exit::of_damage(damaged.try_into().unwrap_or(u64::MAX)))
}

/// Voids all tokens minted before a time.
fn void(before: UnixTime, json: bool, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if before > time::now()? {
        return Err(UsageError::NotYet.into());
    }
    let before = home.opened()?.store.revoke_before(before)?;
    match json {
        true => terminal.document(&Void { revoked: true, before: Stamp(before) })?,
        false => terminal.text(format_args!("tokens that were minted before {before} are void\n"))?,
    }
    Ok(Exit::Done)
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
                return Err(UsageError::RevokeTemporary.into());
            }
            TokenId::new(identifier.id())
        }
    };
    id.map_err(|_| Refusal::unknown().into())
}
