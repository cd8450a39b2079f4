//! `onetoken mint`

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use token_api::{MintError, MintRequest, Minted, add_third_party};
use token_core::{DecodeOptions, Encoding, Format, InviteType, Macaroon, PredicateBuf, Token, UnixTime};
use token_embed::authority::Minted as Answer;

use crate::{
    args::{Condition, Form, InviteArgs, Mint, RawArgs, SelfArgs, TokenEncoding, Uses},
    describe,
    entity::limit,
    error::Failure,
    home::{HomeArgs, Issuer},
    input, key,
    output::Terminal,
    progress::Progress,
    time::until,
};

/// How many tokens are minted at once.
const MINTERS: usize = 16;

pub(super) fn run(mint: &Mint, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    // An unread token is lost, and its record would stay.
    terminal.must_be_open()?;
    match mint {
        Mint::Raw(args) => raw(args, terminal)?,
        Mint::GroupSpaces { group, stored: args } => {
            stored(MintRequest::group_spaces(group, args.issuer.as_deref()), &args.form, home, terminal)?;
        }
        Mint::SpaceSupport { space, modern, uses, stored: args } => {
            let issuer = args.issuer.as_deref();
            let mut request = match modern {
                true => MintRequest::invite(InviteType::SupportSpace, space, issuer),
                false => MintRequest::space_support(space, issuer),
            };
            request.use_limit = uses.0;
            stored(request, &args.form, home, terminal)?;
        }
        Mint::Invite(args) => invite(args, home, terminal)?,
        Mint::Access { session, own: args } => {
            let subject = args.subject.as_deref();
            let request = match session {
                Some(session) => MintRequest::access_in(session, subject),
                None => MintRequest::access(subject),
            };
            own(request, args, home, terminal)?;
        }
        Mint::Identity(args) => own(MintRequest::identity(args.subject.as_deref()), args, home, terminal)?,
    }
    Ok(())
}

fn raw(args: &RawArgs, terminal: &Terminal) -> Result<(), Failure> {
    let (format, encoding) = args.written_as()?;
    let conditions = &args.conditions.0;
    let from_input = conditions.iter().map(Condition::reads_input);
    input::at_most_one(from_input.chain([args.key.reads_input()]))?;
    let key = args.key.root_key()?;
    let mut macaroon = Macaroon::mint(&key, &args.location, args.identifier.as_bytes())?;
    for condition in conditions {
        match condition {
            Condition::FirstParty(text) => macaroon.attenuate(text)?,
            Condition::ThirdParty { location, identifier, key } => {
                let key = key::caveat_key(key)?;
                add_third_party(&mut macaroon, location, identifier.as_bytes(), &key)?;
            }
        }
    }
    terminal.token(macaroon.to_text(format, encoding), &DecodeOptions::default())
}

fn invite(args: &InviteArgs, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    let mut request = MintRequest::invite(args.invite, &args.target, args.stored.issuer.as_deref());
    request.use_limit = match args.uses {
        // Refused before a home is made.
        Some(Uses(Some(_))) if args.temporary => return Err(MintError::TemporaryUnlimited.into()),
        Some(uses) => uses.0,
        None if args.temporary => None,
        None => request.use_limit,
    };
    request.temporary = args.temporary;
    request.caveats = predicates(&args.caveat)?;
    stored(request, &args.stored.form, home, terminal)
}

/// Mints a token that speaks for its issuer.
fn own(
    mut request: MintRequest<'_>,
    args: &SelfArgs,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<(), Failure> {
    request.temporary = args.temporary;
    request.caveats = predicates(&args.caveat)?;
    stored(request, &args.form, home, terminal)
}

fn predicates(texts: &[String]) -> Result<Vec<PredicateBuf>, Failure> {
    let read = |(index, text): (usize, &String)| {
        PredicateBuf::read(text.as_str()).ok_or_else(|| Failure::caveat(index, text))
    };
    texts.iter().enumerate().map(read).collect()
}

fn stored<'a>(
    mut request: MintRequest<'a>,
    form: &'a Form,
    home: &HomeArgs,
    terminal: &Terminal,
) -> Result<(), Failure> {
    request.lifetime = form.ttl;
    request.name = form.name.as_deref();
    request.metadata = form.metadata.as_deref().unwrap_or_default().as_bytes();
    let authority = home.authority_from_scratch(terminal)?;
    let Some(count) = form.count else {
        let minted = form.written(authority.mint(&request)?)?;
        let now = authority.now();
        // The slow reader of the tokens must not keep others from the store.
        drop(authority);
        hand_over(&minted, terminal)?;
        summarize(&minted, &request, now, terminal);
        return Ok(());
    };
    if terminal.prints_json() {
        let mut tokens = Vec::new();
        let minted = mint_many(&authority, &request, count, |minted| {
            tokens.push(Answer::from(&form.written(minted)?));
            Ok(())
        });
        drop(authority);
        let count = tokens.len();
        let written = minted.and_then(|()| terminal.document(&BTreeMap::from([("tokens", tokens)])));
        return written.map_err(|failure| {
            if count > 0 {
                terminal.note(format_args!(
                    "{count} tokens were minted, but could not be written; `onetoken list` shows their records"
                ));
            }
            failure.undelivered()
        });
    }
    let mut progress = Progress::beside(terminal);
    let mut done = 0_u64;
    mint_many(&authority, &request, count, |minted| {
        done = done.saturating_add(1);
        progress.tell_part(done, count.into());
        hand_over(&form.written(minted)?, terminal)
    })
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
            let taken = minted.map_err(Failure::from).and_then(&mut take);
            if taken.is_err() {
                left.store(0, Ordering::Relaxed);
            }
            outcome = outcome.and(taken);
        }
        outcome
    })
}

/// Prints one token. If that fails, its record stays, and nobody has the token.
fn hand_over(minted: &Minted, terminal: &Terminal) -> Result<(), Failure> {
    terminal.answer(&Answer::from(minted), format_args!("{}\n", minted.token)).map_err(|failure| {
        terminal.note(format_args!(
            "token {} was minted, but could not be written; revoke it with `onetoken revoke {}`",
            minted.id, minted.id
        ));
        failure.undelivered()
    })
}

/// Describes a token on standard error, for the person who gets it bare.
fn summarize(minted: &Minted, request: &MintRequest<'_>, now: UnixTime, terminal: &Terminal) {
    if !terminal.prints_json() {
        let uses = match request.temporary {
            true => "not counted".to_owned(),
            false => limit(request.use_limit.map(Into::into)),
        };
        let expiry = until(minted.expires_at, now);
        terminal.tell(describe::lines(&[("id", minted.id.to_string()), ("uses", uses), ("expires", expiry)]));
    }
}

impl Form {
    /// The token in the encoding that is asked for.
    fn written(&self, mut minted: Minted) -> Result<Minted, Failure> {
        if let TokenEncoding::Base64Url = self.encoding {
            let token = Token::decode(&minted.token, &DecodeOptions::default())?;
            minted.token = token.written_as(Format::V1, Encoding::Base64Url).encode()?;
        }
        Ok(minted)
    }
}
