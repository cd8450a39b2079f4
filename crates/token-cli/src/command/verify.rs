//! `onetoken verify`

use serde::Serialize;
use token_core::{
    Caveat, Identifier, Macaroon, RootKey, Scope, TokenType, TokenUse, UnixTime, Verified, Verifier,
    VerifyError,
};

use super::each_line;
use crate::{
    args::{Use, VerifyArgs},
    error::{Exit, Failure, Refusal, UsageError},
    input::{Source, Text},
    output::{Bytes, Plain, Style, Terminal},
    time::{Expiry, Stamp},
};

pub(super) fn run(args: &VerifyArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let now = args.request.now()?;
    if args.lines {
        if matches!(Source::of(args.token.as_deref()), Ok(Source::Argument(_))) {
            return Err(UsageError::TokenWithLines.into());
        }
        let key = args.key.root_key(Some(Source::Input))?;
        return each_line(terminal, |line, terminal| terminal.document(&judge(args, &key, line, now)?));
    }
    let source = Source::of(args.token.as_deref())?;
    let key = args.key.root_key(Some(source))?;
    let accepted = judge(args, &key, &source.read()?, now)?;
    match args.json {
        true => terminal.document(&accepted)?,
        false => accepted.print(terminal, now)?,
    }
    Ok(Exit::Done)
}

fn judge(args: &VerifyArgs, key: &RootKey, text: &Text, now: UnixTime) -> Result<Accepted, Failure> {
    let (macaroon, _) = text.macaroon(now)?;
    let exact: Vec<&[u8]> = args.exact.iter().map(String::as_bytes).collect();
    let mut context = args.request.context(now);
    let token_use = args.used_as.map(|used_as| token_use(used_as, &macaroon));
    if token_use == Some(TokenUse::AccessAsIdentity) {
        context.scope = Scope::IdentityToken;
    }
    let mut verifier = Verifier::new(&context).exact(&exact);
    if let Some(token_use) = token_use {
        verifier = verifier.used_as(token_use);
    }
    match verifier.verify(&macaroon, key) {
        Ok(verified) => Ok(Accepted::new(&verified)),
        Err(why) => Err(Failure::Refused(refusal(&macaroon, why))),
    }
}

/// An access token can stand in for an identity token, by rules of its own.
fn token_use(used_as: Use, macaroon: &Macaroon) -> TokenUse {
    let identifier = Identifier::read(macaroon.identifier()).ok();
    let token_type = identifier.as_ref().and_then(|identifier| identifier.v2()).map(|v2| v2.token_type);
    match (used_as, token_type) {
        (Use::Identity, Some(TokenType::Access { .. })) => TokenUse::AccessAsIdentity,
        _ => used_as.into(),
    }
}

fn refusal(macaroon: &Macaroon, why: VerifyError) -> Refusal {
    let caveat = Refusal::index(&why).and_then(|index| macaroon.caveats().nth(index));
    let caveat = caveat.map(|caveat| match caveat {
        Caveat::FirstParty { predicate } => Bytes::from(predicate),
        Caveat::ThirdParty { identifier, .. } => Bytes::from(identifier),
    });
    Refusal { why, caveat }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    valid: bool,
    identifier: Bytes,
    location: Bytes,
    expires_at: Option<Stamp>,
}

impl Accepted {
    fn new(verified: &Verified<'_>) -> Self {
        Self {
            valid: true,
            identifier: verified.macaroon().identifier().into(),
            location: verified.macaroon().location().into(),
            expires_at: verified.expires_at().map(Stamp),
        }
    }

    fn print(&self, terminal: &mut Terminal, now: UnixTime) -> Result<(), Failure> {
        let expiry = match self.expires_at {
            None => "never".to_owned(),
            Some(Stamp(at)) => format!("{at} ({})", Expiry { at, now }),
        };
        let text = format!(
            "{}\nidentifier  {}\nlocation    {} {}\nexpires     {expiry}\n",
            terminal.paint(Style::Good, "valid"),
            Plain(self.identifier.as_bytes()),
            Plain(self.location.as_bytes()),
            terminal.paint(Style::Faint, "(not signed)"),
        );
        terminal.text(text)
    }
}
