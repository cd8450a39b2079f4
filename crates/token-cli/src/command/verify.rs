//! `onetoken verify`

use serde::{Serialize, Serializer};
use token_api::{AcceptError, Refusal};
use token_core::{Bytes, CaveatTypes, Finding, Identifier, Macaroon, RootKey, Token, UnixTime, Verifier};
use token_embed::{Verified, authority::Checked};

use super::lines;
use crate::{
    args::VerifyArgs,
    bytes::{Both, Members, Plain},
    describe::{self, stated},
    error::Failure,
    exit::Exit,
    explained::{self, Explained},
    home::{HomeArgs, Issuer},
    input::{self, Source, Text},
    output::{Style, Terminal},
    request::Request,
    time::until,
};

pub(super) fn run(args: &VerifyArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if args.reading.compat && !args.key.is_given() {
        let message = "--compat needs a key; tokens of a store always follow the rules of their format";
        return Err(Failure::usage(message));
    }
    if args.requests {
        return lines::each(terminal, |line| terminal.document(&by_request(args, line)?));
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
    let answer = match (args.lines, args.key.is_given()) {
        (true, true) => {
            let key = args.key.root_key()?;
            return lines::each(terminal, |line| {
                let (macaroon, _) = line.macaroon(&options, args.request.now()?)?;
                terminal.document(&by_key(args, &key, &discharges, &macaroon)?.accepted?)
            });
        }
        (true, false) => {
            let judge = |authority: &Issuer, lines: &[Text]| many_by_store(args, authority, lines);
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
    let Answer { accepted, caveats } = answer;
    if let Some(caveats) = caveats.as_ref().filter(|_| !terminal.prints_json()) {
        terminal.text(explained::lines(caveats, terminal))?;
    }
    let mut accepted = match accepted {
        Ok(accepted) => accepted,
        Err(failure) => return Err(failure.explained(caveats)),
    };
    let text = accepted.text(terminal, args.request.now()?);
    if caveats.is_some() {
        accepted = accepted.without_caveats();
    }
    let caveats = Members::default().with_some("caveats", caveats);
    terminal.answer(&Both { first: accepted, then: caveats }, text)?;
    Ok(Exit::Done)
}

/// Whether a token is accepted and, with `--explain`, what the verification made of each caveat.
struct Answer {
    accepted: Result<Accepted, Failure>,
    caveats: Option<Vec<Explained>>,
}

fn by_key(
    args: &VerifyArgs,
    key: &RootKey,
    discharges: &[Macaroon],
    macaroon: &Macaroon,
) -> Result<Answer, Failure> {
    let exact: Vec<&[u8]> = args.exact.iter().map(String::as_bytes).collect();
    let mut context = args.request.context(args.request.now()?);
    let supported = match args.used_as {
        Some(used_as) => token_embed::Use::from(used_as).supported(macaroon, &mut context),
        None => CaveatTypes::ALL,
    };
    let verifier = Verifier::new(&context).exact(&exact).supporting(supported);
    let accepted = accepted(&verifier, key, discharges, macaroon);
    if !args.explain {
        return Ok(Answer::new(accepted, None));
    }
    let findings = verifier.explain(macaroon, discharges, key).ok().map(|explanation| explanation.findings);
    Ok(Answer::new(accepted, findings))
}

/// Judges a token by the secret and the request in its document, as of the type that its identifier states.
fn by_request(args: &VerifyArgs, line: &Text) -> Result<Accepted, Failure> {
    let request = Request::read(line.as_str()?)?;
    let context = request.context()?;
    let key = request.key()?;
    let (macaroon, _) =
        Text::from_input(request.token.into_bytes()).macaroon(&args.reading.options(), context.now)?;
    let identifier = Identifier::read(macaroon.identifier())?;
    let purpose = identifier.v2().map(|v2| v2.token_type.purpose());
    let supported =
        purpose.map_or(CaveatTypes::ALL, |purpose| purpose.caveat_types(&identifier, context.scope));
    accepted(&Verifier::new(&context).supporting(supported), &key, &[], &macaroon)
}

fn accepted(
    verifier: &Verifier<'_>,
    key: &RootKey,
    discharges: &[Macaroon],
    macaroon: &Macaroon,
) -> Result<Accepted, Failure> {
    match verifier.verify_with(macaroon, discharges, key) {
        Ok(verified) => Ok(Accepted::ByKey(Box::new(Verified::new(macaroon.clone(), verified.expires_at())))),
        Err(why) => Err(Failure::verifying(why, macaroon, discharges)),
    }
}

fn by_store(args: &VerifyArgs, authority: &Issuer, token: &Token) -> Result<Answer, Failure> {
    let context = args.request.context(args.request.now()?);
    let (answer, findings) = match args.explain {
        false => (authority.verify(token, args.expect, &context), None),
        true => match authority.explain(token, args.expect, &context) {
            Ok(explained) => (explained.answer, Some(explained.caveats)),
            Err(error) => (Err(error), None),
        },
    };
    Ok(Answer::new(unspent(answer, token), findings))
}

/// Verifies the tokens of some lines at once. Fails if the clock does.
fn many_by_store(
    args: &VerifyArgs,
    authority: &Issuer,
    lines: &[Text],
) -> Result<Vec<Result<Accepted, Failure>>, Failure> {
    let now = args.request.now()?;
    let read: Vec<_> = lines.iter().map(|line| line.token(now)).collect();
    let tokens: Vec<&Token> = read.iter().flatten().collect();
    let answers = authority.verify_many(&tokens, args.expect, &args.request.context(now));
    Ok(answered(read, answers))
}

/// An answer for each line: the authority's for each token, in their order.
fn answered(
    lines: Vec<Result<Token, Failure>>,
    answers: impl IntoIterator<Item = Result<token_api::Accepted, AcceptError>>,
) -> Vec<Result<Accepted, Failure>> {
    let mut answers = answers.into_iter();
    let answer = |token: Result<Token, Failure>| {
        let token = token?;
        let none = || Failure::new(Exit::Unusable, "store", "the store gave no answer about the token");
        unspent(answers.next().ok_or_else(none)?, &token)
    };
    lines.into_iter().map(answer).collect()
}

/// Refuses also a token whose uses are spent.
fn unspent(answer: Result<token_api::Accepted, AcceptError>, token: &Token) -> Result<Accepted, Failure> {
    match answer {
        Ok(accepted) if accepted.uses_left == Some(0) => Err(Refusal::Exhausted.into()),
        Ok(accepted) => Ok(Accepted::ByStore(accepted.into())),
        Err(error) => Err(Failure::checking(error, token.macaroon())),
    }
}

impl Answer {
    fn new(accepted: Result<Accepted, Failure>, findings: Option<Vec<Finding<'_>>>) -> Self {
        Self { accepted, caveats: findings.map(|findings| findings.iter().map(Explained::from).collect()) }
    }
}

/// A token that is accepted.
enum Accepted {
    ByKey(Box<Verified>),
    ByStore(Checked),
}

impl Serialize for Accepted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let macaroon = self.macaroon();
        let location = |members: Members| members.with("location", Bytes(macaroon.location()));
        match self {
            Self::ByKey(verified) => {
                Both { first: verified, then: location(Members::default()) }.serialize(serializer)
            }
            Self::ByStore(checked) => {
                let valid = Members::default().with("valid", true);
                let valid = valid.with("identifier", Bytes(macaroon.identifier()));
                Both { first: location(valid), then: checked }.serialize(serializer)
            }
        }
    }
}

impl Accepted {
    fn without_caveats(self) -> Self {
        match self {
            Self::ByKey(verified) => Self::ByKey(Box::new(verified.without_caveats())),
            Self::ByStore(checked) => Self::ByStore(checked.without_caveats()),
        }
    }

    fn macaroon(&self) -> &Macaroon {
        match self {
            Self::ByKey(verified) => verified.macaroon(),
            Self::ByStore(checked) => checked.accepted().token.macaroon(),
        }
    }

    /// What the store knows of the token, or what it states itself, for people.
    fn text(&self, terminal: &Terminal, now: UnixTime) -> String {
        let macaroon = self.macaroon();
        let (rows, expires_at) = match self {
            Self::ByKey(verified) => {
                (stated(macaroon.identifier(), macaroon.caveats()), verified.expires_at())
            }
            Self::ByStore(checked) => {
                let accepted = checked.accepted();
                (describe::stored(accepted, accepted.uses_left), accepted.expires_at)
            }
        };
        let location = Plain(macaroon.location());
        let ends = [
            ("expires", until(expires_at, now)),
            ("identifier", Plain(macaroon.identifier()).to_string()),
            ("location", format!("{location} {}", terminal.paint(Style::Faint, "(not signed)"))),
        ];
        let valid = terminal.paint(Style::Good, "valid");
        format!("{valid}\n{}{}", describe::lines(&rows), describe::lines(&ends))
    }
}

#[cfg(test)]
mod tests {
    use token_core::{DecodeOptions, Encoding, Format};

    use super::*;

    #[test]
    fn every_line_gets_an_answer() {
        let key = RootKey::derive_any(b"example");
        let text = Macaroon::mint(&key, "onezone", b"id7").unwrap().to_text(Format::V1, Encoding::Base62);
        let token =
            || Token::decode(&text.clone().unwrap(), &DecodeOptions::default()).map_err(Failure::from);
        let lines = vec![token(), Err(Failure::usage("bad")), token()];
        let refused = [Err(AcceptError::Refused(Refusal::Unknown))];
        let kinds = answered(lines, refused).into_iter().map(|answer| answer.err().unwrap().kind);
        assert_eq!(kinds.collect::<Vec<_>>(), ["unknown-token", "usage", "store"]);
    }
}
