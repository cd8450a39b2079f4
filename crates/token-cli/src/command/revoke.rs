//! `onetoken revoke`

use serde::Serialize;
use token_api::Refusal as Why;
use token_core::{DecodeOptions, IdentifierV2, Persistence, Token, UnixTime};
use token_store::{Administration as _, Filter, Revoke, TokenId, TokenStore as _};

use crate::{
    args::RevokeArgs,
    bytes::Bytes,
    entity::Named,
    error::{Failure, Refusal, UsageError},
    exit::Exit,
    home::HomeArgs,
    input::{Source, Text},
    output::Terminal,
    progress::Progress,
    store::Mode,
    time::{self, Stamp},
};

/// How many records one step revokes, which bounds the wait of others.
const PAGE: usize = 256;

/// What was revoked.
#[derive(Default, Serialize)]
struct Revoked {
    revoked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Bytes>,
    /// The subject of temporary tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The time in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Stamp>,
    /// How many tokens were not revoked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<Named>,
}

impl Revoked {
    fn new() -> Self {
        Self { revoked: true, ..Self::default() }
    }
}

pub(super) fn run(args: &RevokeArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if let Some(subject) = &args.temporary {
        home.authority()?.revoke_temporary(subject.as_deref())?;
        let text = format_args!("revoked all temporary tokens of {subject}\n");
        terminal.answer(&Revoked { subject: Some(subject.to_string()), ..Revoked::new() }, text)?;
    } else if let Some(before) = args.before {
        revoke_before(before, home, terminal)?;
    } else if let Some(of) = &args.resource {
        let answer = Revoked { resource: Some(of.into()), ..Revoked::new() };
        return revoke_all(
            &Filter::Resource(of.clone()),
            &Named::from(of).resource(),
            answer,
            home,
            terminal,
        );
    } else if let Some(of) = &args.issuer {
        let answer = Revoked { issuer: Some(of.into()), ..Revoked::new() };
        return revoke_all(&Filter::Issuer(of.clone()), &Named::from(of).subject(), answer, home, terminal);
    } else {
        revoke_one(&Source::of(args.token.as_deref())?.read()?, home, terminal)?;
    }
    Ok(Exit::Done)
}

fn revoke_one(text: &Text, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    let id = named(text)?;
    match (home.authority()?.revoke(&id)?, text.file_name()) {
        (Revoke::Revoked, _) => {}
        (Revoke::Absent, Some(file_name)) => return Err(file_name.into()),
        (Revoke::Absent, None) => return Err(Refusal::from(Why::Unknown).into()),
    }
    let answer = Revoked { id: Some(id.as_bytes().into()), ..Revoked::new() };
    terminal.answer(&answer, format_args!("revoked {id}\n"))
}

/// Revokes all tokens of a resource or an issuer.
fn revoke_all(
    filter: &Filter,
    of: &str,
    answer: Revoked,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let store = home.open(Mode::Existing)?.store;
    let found = store.list(filter, None, 1)?;
    if found.records.is_empty() && found.damaged.is_empty() && found.next.is_none() {
        return Err(Failure::NothingFound { of: of.to_owned() });
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
    let answer = Revoked { count: Some(count), damaged: Some(damaged), ..answer };
    terminal.answer(&answer, format_args!("revoked {count} tokens of {of}\n"))?;
    if damaged > 0 {
        terminal.note(format_args!("skipped {damaged} damaged tokens; `onetoken check` names them"));
    }
    Ok(Exit::of_damage(damaged > 0))
}

/// Revokes all tokens minted before a time.
fn revoke_before(before: UnixTime, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    if before > time::now()? {
        return Err(UsageError::NotYet.into());
    }
    let before = home.open(Mode::Existing)?.store.revoke_before(before)?;
    let answer = Revoked { before: Some(Stamp(before)), ..Revoked::new() };
    terminal.answer(&answer, format_args!("revoked all tokens minted before {before}\n"))
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
    id.map_err(|_| Refusal::from(Why::Unknown).into())
}
