//! `onetoken verify`

use serde::Serialize;
use token_api::Refusal;
use token_core::{CaveatTypes, Identifier, Macaroon, RootKey, Scope, Token, TokenType, UnixTime, Verifier};

use super::lines;
use crate::{
    args::{Use, VerifyArgs},
    bytes::{Bytes, Plain},
    describe::{self, Row, Stored, stated},
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    input::{self, Source, Text},
    output::{Style, Terminal},
    time::{Stamp, until},
};

pub(super) fn run(args: &VerifyArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if args.reading.compat && !args.key.is_given() {
        let message = "--compat needs a key; tokens of a store always follow the rules of their format";
        return Err(Failure::usage(message));
    }
    let source = match args.lines {
        true => Source::of_lines(args.token.as_deref())?,
        false => Source::of(args.token.as_deref())?,
    };
    let discharges = args.discharge.iter().map(|text| Source::of(Some(text)));
    let discharges: Vec<Source<'_>> = discharges.collect::<Result<_, _>>()?;
    let from_input = discharges.iter().chain([&source]).map(|source| matches!(source, Source::Input));
    input::at_most_one(from_input.chain([args.key.reads_input()]))?;

    let (options, now) = (args.reading.options(), args.request.now()?);
    let read = |(index, source): (usize, Source<'_>)| {
        let read = source.read()?.macaroon(&options, now);
        read.map(|(macaroon, _)| macaroon).map_err(|failure| failure.of_discharge(index))
    };
    let discharges: Vec<Macaroon> =
        discharges.into_iter().enumerate().map(read).collect::<Result<_, Failure>>()?;
    let accepted = match (args.lines, args.key.is_given()) {
        (true, true) => {
            let key = args.key.root_key()?;
            return lines::each(terminal, |line| {
                let (macaroon, _) = line.macaroon(&options, args.request.now()?)?;
                terminal.document(&by_key(args, &key, &discharges, &macaroon)?)
            });
        }
        (true, false) => {
            let judge = |authority: &Issuer, line: &Text| {
                by_store(args, authority, &line.token(args.request.now()?)?)
            };
            return lines::each_by_store(terminal, || home.authority(), judge);
        }
        // The token first: waiting for it must not keep others from the store.
        (false, true) => {
            let (macaroon, _) = source.read()?.macaroon(&options, now)?;
            by_key(args, &args.key.root_key()?, &discharges, &macaroon)?
        }
        (false, false) => {
            let token = source.read()?.token(now)?;
            by_store(args, &home.authority()?, &token)?
        }
    };
    terminal.answer(&accepted, accepted.text(terminal, args.request.now()?))?;
    Ok(Exit::Done)
}

fn by_key(
    args: &VerifyArgs,
    key: &RootKey,
    discharges: &[Macaroon],
    macaroon: &Macaroon,
) -> Result<Accepted, Failure> {
    let exact: Vec<&[u8]> = args.exact.iter().map(String::as_bytes).collect();
    let mut context = args.request.context(args.request.now()?);
    let supported = args.used_as.map_or(CaveatTypes::ALL, |used_as| supported(used_as, macaroon));
    if supported == CaveatTypes::ACCESS_AS_IDENTITY {
        context.scope = Scope::IdentityToken;
    }
    let verifier = Verifier::new(&context).exact(&exact).supporting(supported);
    match verifier.verify_with(macaroon, discharges, key) {
        Ok(verified) => {
            let rows = stated(macaroon.identifier(), macaroon.caveats());
            Ok(Accepted::new(macaroon, verified.expires_at(), rows))
        }
        Err(why) => Err(Failure::verifying(why, macaroon, discharges)),
    }
}

fn by_store(args: &VerifyArgs, authority: &Issuer, token: &Token) -> Result<Accepted, Failure> {
    match authority.verify(token, args.expect, &args.request.context(args.request.now()?)) {
        Ok(accepted) if accepted.uses_left == Some(0) => Err(Refusal::Exhausted.into()),
        Ok(accepted) => Ok(Accepted::by_store(&accepted)),
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
    stored: Option<Stored>,
    /// What the store knows of the token, or what it states itself, for people.
    #[serde(skip)]
    rows: Vec<Row>,
}

impl Accepted {
    fn new(macaroon: &Macaroon, expires_at: Option<UnixTime>, rows: Vec<Row>) -> Self {
        Self {
            valid: true,
            identifier: macaroon.identifier().into(),
            location: macaroon.location().into(),
            expires_at: expires_at.map(Stamp),
            stored: None,
            rows,
        }
    }

    fn by_store(accepted: &token_api::Accepted) -> Self {
        let stored = Stored::new(accepted, accepted.uses_left);
        let (rows, stored) = (stored.rows(), Some(stored));
        Self { stored, ..Self::new(accepted.token.macaroon(), accepted.expires_at, rows) }
    }

    fn text(&self, terminal: &Terminal, now: UnixTime) -> String {
        let expires_at = self.expires_at.map(|Stamp(at)| at);
        let location = Plain(self.location.as_bytes());
        let ends = [
            ("expires", until(expires_at, now)),
            ("identifier", Plain(self.identifier.as_bytes()).to_string()),
            ("location", format!("{location} {}", terminal.paint(Style::Faint, "(not signed)"))),
        ];
        let valid = terminal.paint(Style::Good, "valid");
        format!("{valid}\n{}{}", describe::lines(&self.rows), describe::lines(&ends))
    }
}
