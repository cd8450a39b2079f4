//! `onetoken revoke`

use serde::Serialize;
use token_core::{DecodeOptions, IdentifierV2, Persistence, Subject, Token};
use token_store::{Revoke, TokenId};

use crate::{
    args::RevokeArgs,
    error::{Exit, Failure, Refusal, UsageError},
    home::HomeArgs,
    input::{Source, Text},
    output::{Bytes, Terminal},
    time,
};

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

pub(super) fn run(args: &RevokeArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some(subject) = &args.temporary {
        return temporary(subject, args.json, home, terminal);
    }
    let id = named(&Source::of(args.token.as_deref())?.read()?)?;
    match home.authority()?.revoke(&id)? {
        Revoke::Revoked => {}
        Revoke::Absent => return Err(Refusal::unknown().into()),
    }
    match args.json {
        true => terminal.document(&Revoked { revoked: true, id: id.as_bytes().into() })?,
        false => terminal.text(format_args!("revoked {id}\n"))?,
    }
    Ok(Exit::Done)
}

/// Voids what one subject has of temporary tokens.
fn temporary(text: &str, json: bool, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let subject = Subject::read(text).ok_or(UsageError::Consumers)?;
    home.authority()?.void_temporary(subject)?;
    match json {
        true => terminal.document(&Voided { revoked: true, subject: text })?,
        false => terminal.text(format_args!("revoked all temporary tokens of {subject}\n"))?,
    }
    Ok(Exit::Done)
}

/// The id that is meant, by itself or by its token.
fn named(text: &Text) -> Result<TokenId, Failure> {
    // Longer than any id that is minted, so that a damaged token gets its diagnosis.
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
