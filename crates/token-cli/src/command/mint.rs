//! `onetoken mint`

use std::{
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde::Serialize;
use token_api::{Lifetime, MintError, MintRequest, Minted, add_third_party};
use token_core::{
    DecodeOptions, Encoding, Format, InviteType, Macaroon, PredicateBuf, Subject, Token, UnixTime,
};

use super::print_token;
use crate::{
    args::{Condition, Form, InviteArgs, Mint, RawArgs, SelfArgs, StoredArgs, TokenEncoding, Ttl, Uses},
    error::{Exit, Failure, Malformed, UsageError},
    home::{HomeArgs, Issuer},
    input, key,
    output::{Bytes, Terminal},
    progress::Progress,
    time::{Stamp, Until},
};

/// How many tokens are minted at once.
const MINTERS: usize = 16;

pub(super) fn run(mint: &Mint, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // An unread token is lost, and its record would stay.
    terminal.must_be_open()?;
    match mint {
        Mint::Raw(args) => raw(args, terminal),
        Mint::GroupSpaces(args) => {
            let request = MintRequest::group_spaces(&args.group, issuer(&args.stored)?);
            stored(&formed(request, &args.stored.form), &args.stored.form, home, terminal)
        }
        Mint::SpaceSupport(args) => {
            let (space, issuer) = (&args.space, issuer(&args.stored)?);
            let request = match args.modern {
                true => MintRequest::invite(InviteType::SupportSpace, space, issuer),
                false => MintRequest::space_support(space, issuer),
            };
            let mut request = formed(request, &args.stored.form);
            request.use_limit = args.uses.limit();
            stored(&request, &args.stored.form, home, terminal)
        }
        Mint::Invite(args) => invite(args, home, terminal),
        Mint::Access(args) => {
            let subject = subject(&args.own)?;
            let request = match &args.session {
                Some(session) => MintRequest::access_in(session, subject),
                None => MintRequest::access(subject),
            };
            own(request, &args.own, home, terminal)
        }
        Mint::Identity(args) => own(MintRequest::identity(subject(args)?), args, home, terminal),
    }
}

fn raw(args: &RawArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (format, encoding) = args.written_as()?;
    let conditions: Vec<Stated<'_>> = args.conditions.0.iter().map(stated).collect::<Result<_, _>>()?;
    let from_input = conditions.iter().filter(|stated| stated.reads_input()).count();
    if from_input.saturating_add(args.key.reads_input().into()) > 1 {
        return Err(UsageError::InputTwice.into());
    }
    let key = args.key.root_key(None)?;
    let mut macaroon =
        Macaroon::mint(&key, &args.location, args.identifier.as_bytes()).map_err(Malformed::part)?;
    for stated in conditions {
        match stated {
            Stated::FirstParty(text) => macaroon.attenuate(text).map_err(Malformed::part)?,
            Stated::ThirdParty { location, identifier, key } => {
                let key = key::caveat_key(key)?.ok_or(UsageError::EmptySecret)?;
                add_third_party(&mut macaroon, location, identifier.as_bytes(), &key)?;
            }
        }
    }
    print_token(terminal, macaroon.to_text(format, encoding), &DecodeOptions::default(), args.json)
}

/// A parsed condition.
enum Stated<'a> {
    FirstParty(&'a str),
    ThirdParty { location: &'a str, identifier: &'a str, key: &'a str },
}

impl Stated<'_> {
    fn reads_input(&self) -> bool {
        matches!(self, Self::ThirdParty { key, .. } if key.strip_prefix('@') == Some(input::INPUT))
    }
}

/// Reads the fields from the end, since a location is commonly a URL with colons.
fn stated(condition: &Condition) -> Result<Stated<'_>, UsageError> {
    let text = match condition {
        Condition::FirstParty(text) => return Ok(Stated::FirstParty(text)),
        Condition::ThirdParty(text) => text,
    };
    let fields = text.rsplit_once(':').and_then(|(rest, key)| {
        let (location, identifier) = rest.rsplit_once(':')?;
        (!identifier.is_empty()).then_some(Stated::ThirdParty { location, identifier, key })
    });
    fields.ok_or(UsageError::ThirdParty)
}

fn invite(args: &InviteArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let request = MintRequest::invite(args.invite, &args.target, issuer(&args.stored)?);
    let mut request = formed(request, &args.stored.form);
    request.use_limit = match args.uses {
        Some(Uses::AtMost(_)) if args.temporary => {
            return Err(Failure::minting(MintError::TemporaryUnlimited));
        }
        Some(uses) => uses.limit(),
        None if args.temporary => None,
        None => request.use_limit,
    };
    request.temporary = args.temporary;
    request.caveats = predicates(&args.caveat)?;
    stored(&request, &args.stored.form, home, terminal)
}

/// Mints a token that speaks for its issuer.
fn own<'a>(
    request: MintRequest<'a>,
    args: &'a SelfArgs,
    home: &HomeArgs,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut request = formed(request, &args.form);
    request.temporary = args.temporary;
    request.caveats = predicates(&args.caveat)?;
    stored(&request, &args.form, home, terminal)
}

fn issuer(args: &StoredArgs) -> Result<Subject<&str>, UsageError> {
    Subject::read(&args.issuer).ok_or(UsageError::Consumers)
}

fn subject(args: &SelfArgs) -> Result<Subject<&str>, UsageError> {
    Subject::read(&args.subject).ok_or(UsageError::Consumers)
}

fn formed<'a>(mut request: MintRequest<'a>, form: &'a Form) -> MintRequest<'a> {
    request.lifetime = form.ttl.map(Ttl::lifetime);
    request.name = form.name.as_deref();
    request
}

fn predicates(texts: &[String]) -> Result<Vec<PredicateBuf>, Failure> {
    let read = |(index, text): (usize, &String)| {
        PredicateBuf::read(text.as_str()).ok_or_else(|| Malformed::caveat(index, text).into())
    };
    texts.iter().enumerate().map(read).collect()
}

impl Ttl {
    fn lifetime(self) -> Lifetime {
        match self {
            Self::For(seconds) => Lifetime::For(Duration::from_secs(seconds.0)),
            Self::Never => Lifetime::Forever,
        }
    }
}

impl Uses {
    const fn limit(self) -> Option<std::num::NonZeroU64> {
        match self {
            Self::AtMost(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    token: String,
    id: Bytes,
    expires_at: Option<Stamp>,
}

#[derive(Serialize)]
struct Documents {
    tokens: Vec<Document>,
}

fn stored(
    request: &MintRequest<'_>,
    form: &Form,
    home: &HomeArgs,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let authority = home.authority_from_scratch(terminal)?;
    match form.count {
        None => {
            let minted = authority.mint(request).map_err(Failure::minting)?;
            let now = authority.now();
            // The slow reader of the tokens must not keep others from the store.
            drop(authority);
            hand_over(&minted, form, terminal)?;
            summarize(&minted, request, form, now, terminal);
        }
        Some(count) if form.json => {
            let mut tokens = Vec::new();
            let minted = mint_many(&authority, request, count, |minted| {
                tokens.push(form.document(&minted)?);
                Ok(())
            });
            minted.inspect_err(|_| lost(terminal, tokens.len()))?;
            drop(authority);
            let count = tokens.len();
            let written = terminal.document(&Documents { tokens });
            written.inspect_err(|_| lost(terminal, count)).map_err(Failure::undelivered)?;
        }
        Some(count) => {
            // On a terminal the tokens themselves show the progress.
            let mut progress = if terminal.is_terminal() { Progress::hidden() } else { Progress::new() };
            let mut done = 0_u64;
            mint_many(&authority, request, count, |minted| {
                done = done.saturating_add(1);
                progress.tell_part(done, count.into());
                hand_over(&minted, form, terminal)
            })?;
        }
    }
    Ok(Exit::Done)
}

/// Mints this many tokens, and passes on each as soon as it is minted. Several threads mint, because concurrent callers
/// share one sync of the store. After the first failure no further token is begun; those in flight are still passed on.
fn mint_many(
    authority: &Issuer,
    request: &MintRequest<'_>,
    count: u32,
    mut take: impl FnMut(Minted) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let left = AtomicU32::new(count);
    let (sender, minted) = mpsc::sync_channel(MINTERS);
    thread::scope(|scope| {
        for _ in 0..MINTERS {
            let (sender, left) = (sender.clone(), &left);
            let next = |left: u32| left.checked_sub(1);
            scope.spawn(move || {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
                    && sender.send(authority.mint(request)).is_ok()
                {}
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for minted in minted {
            let taken = minted.map_err(Failure::minting).and_then(&mut take);
            if taken.is_err() {
                left.store(0, Ordering::Relaxed);
            }
            outcome = outcome.and(taken);
        }
        outcome
    })
}

/// Prints one token. If that fails, its record stays, and nobody has the token.
fn hand_over(minted: &Minted, form: &Form, terminal: &mut Terminal) -> Result<(), Failure> {
    let document = form.document(minted)?;
    let written = match form.json {
        true => terminal.document(&document),
        false => terminal.text(format_args!("{}\n", document.token)),
    };
    written.map_err(|failure| {
        terminal.note(format_args!(
            "token {} was minted, but could not be written out; void it with `onetoken revoke {}`",
            minted.id, minted.id
        ));
        Failure::undelivered(failure)
    })
}

fn lost(terminal: &Terminal, count: usize) {
    if count > 0 {
        terminal.note(format_args!(
            "{count} tokens were minted, but could not be written out; `onetoken list` shows their records"
        ));
    }
}

/// Describes a token on standard error, for the person who gets it bare.
fn summarize(minted: &Minted, request: &MintRequest<'_>, form: &Form, now: UnixTime, terminal: &Terminal) {
    let uses = match request.use_limit {
        _ if request.temporary => "not counted".to_owned(),
        None => "unlimited".to_owned(),
        Some(limit) => limit.to_string(),
    };
    if !form.json {
        let expiry = Until { at: minted.expires_at, now };
        terminal.tell(format_args!("id          {}\nuses        {uses}\nexpires     {expiry}\n", minted.id));
    }
}

impl Form {
    fn document(&self, minted: &Minted) -> Result<Document, Failure> {
        let token = match self.encoding {
            TokenEncoding::Base62 => minted.token.clone(),
            TokenEncoding::Base64Url => {
                let token = Token::decode(&minted.token, &DecodeOptions::default());
                let token = token.map_err(|error| Malformed::result(&error))?;
                token.written_as(Format::V1, Encoding::Base64Url).encode().map_err(Malformed::field)?
            }
        };
        Ok(Document { token, id: minted.id.as_bytes().into(), expires_at: minted.expires_at.map(Stamp) })
    }
}
