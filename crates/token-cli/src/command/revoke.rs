//! `onetoken revoke`

use serde::Serialize;
use token_core::{DecodeOptions, Token};
use token_store::{Revoke, TokenId};

use crate::{
    args::RevokeArgs,
    error::{Exit, Failure, Refusal},
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

pub(super) fn run(args: &RevokeArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let id = named(&Source::of(Some(&args.token))?.read()?)?;
    match home.authority()?.revoke(&id)? {
        Revoke::Revoked => {}
        Revoke::Absent => return Err(Failure::Refused(Refusal::unknown())),
    }
    match args.json {
        true => terminal.document(&Revoked { revoked: true, id: id.as_bytes().into() })?,
        false => terminal.text(format_args!("revoked {id}\n"))?,
    }
    Ok(Exit::Done)
}

/// The id that is meant, by itself or by its token.
fn named(text: &Text) -> Result<TokenId, Failure> {
    // Longer than any id that is minted, so that a damaged token gets its diagnosis.
    const LONGEST_ID: usize = 64;
    let id = match text.as_str() {
        Ok(id) if id.len() <= LONGEST_ID && Token::decode(id, &DecodeOptions::default()).is_err() => {
            TokenId::new(id)
        }
        _ => TokenId::new(text.token(time::now()?)?.identifier().id()),
    };
    id.map_err(|_| Failure::Refused(Refusal::unknown()))
}
