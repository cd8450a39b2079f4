//! `onetoken verify`

use std::{
    fmt, io, panic,
    sync::mpsc::{self, Receiver},
    thread,
};

use serde::Serialize;
use token_core::{CaveatTypes, Identifier, Macaroon, RootKey, Scope, TokenType, UnixTime, Verifier};

use super::{Answers, each_line};
use crate::{
    args::{Use, VerifyArgs},
    describe::stated,
    entity::Named,
    error::{Exit, Failure, Refusal, UsageError},
    home::{HomeArgs, Issuer},
    input::{Lines, Source, Text},
    output::{Bytes, Plain, Style, Terminal},
    relay,
    time::{Stamp, Until},
};

pub(super) fn run(args: &VerifyArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if args.reading.is_liberal() && !args.key.is_given() {
        return Err(UsageError::CompatByStore.into());
    }
    if args.lines {
        if matches!(Source::of(args.token.as_deref()), Ok(Source::Argument(_))) {
            return Err(UsageError::TokenWithLines.into());
        }
        if !args.key.is_given() {
            return lines_by_store(args, home, terminal);
        }
        let discharges = discharges(args, Source::Input)?;
        let key = args.key.root_key(Some(Source::Input))?;
        return each_line(terminal, |line, terminal| {
            terminal.document(&by_key(args, &key, &discharges, line)?)
        });
    }
    let source = Source::of(args.token.as_deref())?;
    // Before opening the store, for which others wait. A key may be on standard input instead.
    let discharges = discharges(args, source)?;
    let text = source.read()?;
    text.macaroon(&args.reading.options(), args.request.now()?)?;
    let accepted = match args.key.is_given() {
        true => by_key(args, &args.key.root_key(Some(source))?, &discharges, &text)?,
        false => by_store(args, &home.authority()?, &text)?,
    };
    match args.json {
        true => terminal.document(&accepted)?,
        false => accepted.print(terminal, args.request.now()?)?,
    }
    Ok(Exit::Done)
}

/// Writes the answers on a thread of their own, so that their slow reader delays only them.
fn lines_by_store(args: &VerifyArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let batches = relay::batches(Lines::new(io::stdin()));
    let (sender, receiver) = mpsc::sync_channel::<Vec<Result<Accepted, Failure>>>(1);
    thread::scope(|scope| {
        let writer = scope.spawn(move || write(&receiver, Answers::new(terminal)));
        let judge = |authority: &Issuer, line: &Text| by_store(args, authority, line);
        let judged = relay::judge(&batches, &sender, || home.authority(), judge);
        drop(sender);
        let written = writer.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
        judged.map(|()| written)
    })
}

fn write(
    receiver: &Receiver<Vec<Result<Accepted, Failure>>>,
    mut answers: Answers<'_>,
) -> Result<Exit, Failure> {
    for answer in receiver.iter().flatten() {
        if answers.write(|terminal| terminal.document(&answer?))?.is_break() {
            break;
        }
    }
    Ok(answers.worst())
}

/// The discharges; none may come from the token's own place.
fn discharges(args: &VerifyArgs, token: Source<'_>) -> Result<Vec<Macaroon>, Failure> {
    if args.discharge.is_empty() {
        return Ok(Vec::new());
    }
    let sources: Vec<Source<'_>> =
        args.discharge.iter().map(|text| Source::of(Some(text))).collect::<Result<_, _>>()?;
    let from_input = sources.iter().chain([&token]).filter(|source| matches!(source, Source::Input)).count();
    if from_input.saturating_add(args.key.reads_input().into()) > 1 {
        return Err(UsageError::InputTwice.into());
    }
    let (options, now) = (args.reading.options(), args.request.now()?);
    let read = |(index, source): (usize, Source<'_>)| match source.read()?.macaroon(&options, now) {
        Ok((macaroon, _)) => Ok(macaroon),
        Err(malformed) => Err(malformed.of_discharge(index).into()),
    };
    sources.into_iter().enumerate().map(read).collect()
}

fn by_key(
    args: &VerifyArgs,
    key: &RootKey,
    discharges: &[Macaroon],
    text: &Text,
) -> Result<Accepted, Failure> {
    let now = args.request.now()?;
    let (macaroon, _) = text.macaroon(&args.reading.options(), now)?;
    let exact: Vec<&[u8]> = args.exact.iter().map(String::as_bytes).collect();
    let mut context = args.request.context(now);
    let supported = args.used_as.map_or(CaveatTypes::ALL, |used_as| supported(used_as, &macaroon));
    if supported == CaveatTypes::ACCESS_AS_IDENTITY {
        context.scope = Scope::IdentityToken;
    }
    let verifier = Verifier::new(&context).exact(&exact).supporting(supported);
    match verifier.verify_with(&macaroon, discharges, key) {
        Ok(verified) => {
            Ok(Accepted { stated: stated(&macaroon), ..Accepted::new(&macaroon, verified.expires_at()) })
        }
        Err(why) => Err(Failure::verifying(why, &macaroon, discharges)),
    }
}

fn by_store(args: &VerifyArgs, authority: &Issuer, text: &Text) -> Result<Accepted, Failure> {
    let now = args.request.at().unwrap_or_else(|| authority.now());
    let token = text.token(now)?;
    match authority.verify(&token, args.expect, &args.request.context(now)) {
        Ok(accepted) if accepted.uses_left == Some(0) => Err(Refusal::exhausted().into()),
        Ok(accepted) => Ok(Accepted::by_store(accepted)),
        Err(error) => Err(Failure::checking(error, token.macaroon())),
    }
}

/// Accepts an access token as an identity token, by the rules for that.
fn supported(used_as: Use, macaroon: &Macaroon) -> CaveatTypes {
    let identifier = Identifier::read(macaroon.identifier()).ok();
    let token_type = identifier.as_ref().and_then(|identifier| identifier.v2()).map(|v2| v2.token_type);
    match (used_as, token_type) {
        (Use::Identity, Some(TokenType::Access { .. })) => CaveatTypes::ACCESS_AS_IDENTITY,
        (Use::Identity, _) => CaveatTypes::IDENTITY,
        (Use::Access, _) => CaveatTypes::ACCESS,
        (Use::Invite, _) => CaveatTypes::INVITE,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    valid: bool,
    identifier: Bytes,
    location: Bytes,
    expires_at: Option<Stamp>,
    #[serde(flatten)]
    purpose: Option<Stored>,
    /// The token's own statements, for people.
    #[serde(skip)]
    stated: Vec<(&'static str, String)>,
}

/// A token's purpose according to the store.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(rename = "type")]
    kind: &'static str,
    resource: Option<Named<'static>>,
    issuer: Named<'static>,
    uses_left: Option<u64>,
}

impl Accepted {
    fn new(macaroon: &Macaroon, expires_at: Option<UnixTime>) -> Self {
        Self {
            valid: true,
            identifier: macaroon.identifier().into(),
            location: macaroon.location().into(),
            expires_at: expires_at.map(Stamp),
            purpose: None,
            stated: Vec::new(),
        }
    }

    fn by_store(accepted: token_api::Accepted) -> Self {
        let purpose = Stored {
            kind: accepted.purpose.as_str(),
            issuer: accepted.issuer().into(),
            resource: accepted.resource.map(Named::from),
            uses_left: accepted.uses_left,
        };
        Self { purpose: Some(purpose), ..Self::new(accepted.token.macaroon(), accepted.expires_at) }
    }

    fn print(&self, terminal: &mut Terminal, now: UnixTime) -> Result<(), Failure> {
        let mut text = format!("{}\n", terminal.paint(Style::Good, "valid"));
        let mut row = |name: &str, value: &dyn fmt::Display| text.push_str(&format!("{name:<12}{value}\n"));
        if let Some(Stored { kind, resource, issuer, uses_left }) = &self.purpose {
            row("type", kind);
            if let Some(resource) = resource {
                row("resource", &resource.resource());
            }
            row("issuer", &issuer.subject());
            row("uses left", &uses_left.map_or_else(|| "unlimited".to_owned(), |left| left.to_string()));
        }
        for (name, value) in &self.stated {
            row(name, value);
        }
        row("expires", &Until { at: self.expires_at.map(|Stamp(at)| at), now });
        row("identifier", &Plain(self.identifier.as_bytes()));
        let unsigned = terminal.paint(Style::Faint, "(not signed)");
        row("location", &format_args!("{} {unsigned}", Plain(self.location.as_bytes())));
        terminal.text(text)
    }
}
