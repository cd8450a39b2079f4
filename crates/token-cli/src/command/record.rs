//! `onetoken reinstate`, `delete` and `amend`: changes of one record.

use token_api::Refusal;
use token_core::{DecodeOptions, IdentifierV2, Persistence, Subject, Token};
use token_embed::authority::Outcome;
use token_store::{Amend, Amendment, Delete, Reinstate, TokenId};

use crate::{
    args::{AmendArgs, DeleteArgs, TokenArg},
    bytes::{Both, Members},
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    input::{Source, Text},
    output::Terminal,
    progress, time,
};

pub(super) fn reinstate(args: &TokenArg, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let text = text(args)?;
    change(&text, "reinstated", "unrevoked", home, terminal, |authority, id| {
        match authority.reinstate(id)? {
            Reinstate::ForGood => {
                Err(Failure::new(Exit::Refused, "revoked", "the token was revoked for good"))
            }
            Reinstate::Reinstated => Ok(true),
            Reinstate::Absent => Ok(false),
        }
    })
}

pub(super) fn delete(args: &DeleteArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    match &args.subject {
        Some(subject) => delete_all(subject, home, terminal),
        None => change(&text(&args.token)?, "deleted", "deleted", home, terminal, |authority, id| {
            Ok(authority.delete(id)? == Delete::Deleted)
        }),
    }
}

/// Deletes all tokens of a subject. Not an error if there are none, since the command may be a repetition.
fn delete_all(subject: &Subject, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let authority = home.authority()?;
    let deleted = progress::during("deleting", || authority.delete_subject(subject.as_deref()))?;
    drop(authority);
    let answer = Members::default().with("deleted", true).with("count", deleted.changed);
    let answer = answer.with("damaged", deleted.damaged).with("subject", subject.to_string());
    let text = format_args!("deleted {} tokens and all temporary tokens of {subject}\n", deleted.changed);
    terminal.answer(&answer, text)?;
    if deleted.damaged > 0 {
        let count = deleted.damaged;
        terminal.note(format_args!("skipped {count} damaged tokens; `onetoken check` names them"));
    }
    Ok(Exit::of_damage(deleted.damaged > 0))
}

pub(super) fn amend(args: &AmendArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let amendment = Amendment {
        name: (args.no_name || args.name.is_some()).then(|| args.name.clone()),
        metadata: args.metadata.clone().map(String::into_bytes),
    };
    change(&text(&args.token)?, "amended", "amended", home, terminal, |authority, id| {
        match authority.amend(id, &amendment)? {
            Amend::Amended => Ok(true),
            Amend::Absent => Ok(false),
            Amend::NameTaken => Err(Failure::name_taken()),
        }
    })
}

/// Changes the record of the token that the text names. `change` returns `false` if there is no such record. The command
/// calls the change by a verb, the answer of the library by its outcome.
pub(super) fn change(
    text: &Text,
    verb: &'static str,
    outcome: &'static str,
    home: &HomeArgs,
    terminal: &Terminal,
    change: impl FnOnce(&Issuer, &TokenId) -> Result<bool, Failure>,
) -> Result<Exit, Failure> {
    let id = id(text)?;
    if !change(&home.authority()?, &id)? {
        return Err(unknown(text));
    }
    let line = format!("{verb} {id}\n");
    let answer = Both { first: Members::default().with(verb, true), then: Outcome::new(id, outcome) };
    terminal.answer(&answer, line).map(|()| Exit::Done)
}

/// Reads the token or the id of the command line.
pub(super) fn text(args: &TokenArg) -> Result<Text, Failure> {
    Source::of(args.token.as_deref())?.read()
}

/// The failure for a text that names no stored token.
pub(super) fn unknown(text: &Text) -> Failure {
    text.file_name().unwrap_or_else(|| Refusal::Unknown.into())
}

/// The id of a token, given as such or by its token.
pub(super) fn id(text: &Text) -> Result<TokenId, Failure> {
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
                    "a temporary token has no record, so no command finds it alone; `onetoken revoke --temporary SUBJECT` \
                     revokes all temporary tokens of its subject",
                ));
            }
            TokenId::new(identifier.id())
        }
    };
    id.map_err(|_| Refusal::Unknown.into())
}
