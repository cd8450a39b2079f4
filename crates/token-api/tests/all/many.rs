//! Compares the answers for many tokens with those for each alone, on every kernel that the processor has.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use token_api::{
    AcceptError, Accepted, Authority, Config, Decision, Foreign, Host, HostError, Lifetime, MintRequest,
    Purpose, TokenInput, add_third_party,
};
use token_core::{
    CaveatKey, Context, DecodeError, DecodeOptions, Format, Identifier, InviteType, Kernel, Persistence,
    Scope, Service, Session, Subject, Token, UnixTime,
};
use token_store::{Entity, KeyRing, MemoryStore};
use token_test::{SplitMix64, hostile, text::base64url, vectors, world::START};

use crate::{DAY, OWNER, PROVIDER, by, claim, import, support, with};

const BLOCKED: Subject<&str> = Subject::User("blocked");
const LOST: Subject<&str> = Subject::User("lost");

/// Blocks one user, and cannot answer about another.
struct Gate;

impl Host for Gate {
    fn exists(&self, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }
    fn may(&self, _: Subject<&str>, _: Purpose, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }
    fn may_see(&self, _: Subject<&str>, _: &Entity) -> Result<bool, HostError> {
        Ok(true)
    }
    fn standing(&self, subject: Subject<&str>, _: Option<Service<&str>>) -> Result<Decision, HostError> {
        match subject {
            BLOCKED => Ok(Decision::SubjectBlocked),
            LOST => Err(HostError::new("the directory of members is down")),
            _ => Ok(Decision::Allowed),
        }
    }
}

type Issuer = Authority<MemoryStore, Gate>;

fn issuer(store: &MemoryStore, now: &Arc<AtomicU64>) -> Issuer {
    let now = Arc::clone(now);
    let authority = Authority::new(store.clone(), KeyRing::generate().unwrap(), Gate, Config::default());
    authority.unwrap().with_clock(move || UnixTime::from_secs(now.load(Ordering::SeqCst)))
}

/// Everything that an answer says.
fn said(answer: Result<Accepted, AcceptError>) -> Result<(String, String), String> {
    match answer {
        Ok(accepted) => Ok((accepted.token.encode().unwrap(), format!("{accepted:?}"))),
        Err(error) => Err(format!("{error:?}")),
    }
}

/// Compares the answers by each kernel, and returns them.
fn answers(
    authority: &Issuer,
    tokens: &[impl TokenInput + Sync],
    expect: Option<Purpose>,
    context: &Context,
) -> Vec<Result<(String, String), String>> {
    let alone: Vec<_> = tokens.iter().map(|token| said(authority.verify(token, expect, context))).collect();
    for kernel in [None].into_iter().chain(Kernel::all().map(Some)) {
        let together = authority.verify_many_by(kernel, tokens, expect, context);
        assert_eq!(together.into_iter().map(said).collect::<Vec<_>>(), alone, "{kernel:?}");
    }
    let together = authority.verify_many(tokens, expect, context);
    assert_eq!(together.into_iter().map(said).collect::<Vec<_>>(), alone);
    alone
}

fn read(text: &str) -> Token {
    Token::decode(text, &DecodeOptions::default()).unwrap()
}

fn attenuated(text: &str, caveat: &str) -> String {
    let mut token = read(text);
    token.attenuate(caveat).unwrap();
    token.encode().unwrap()
}

fn temporary(request: &mut MintRequest<'_>) {
    request.temporary = true;
    request.use_limit = None;
    request.lifetime = Some(Lifetime::For(Duration::from_secs(DAY)));
}

/// The requests for tokens of all kinds.
fn requests() -> Vec<MintRequest<'static>> {
    let invite = || MintRequest::invite(InviteType::UserJoinSpace, "target", OWNER);
    let mut requests = vec![
        support(),
        MintRequest::group_spaces("target", OWNER),
        invite(),
        MintRequest::access(OWNER),
        MintRequest::access_in("s1", OWNER),
        MintRequest::identity(OWNER),
        MintRequest::access(Subject::Provider("p1")),
        MintRequest::access(BLOCKED),
        MintRequest::identity(LOST),
    ];
    requests.extend(
        [invite(), MintRequest::access_in("s1", OWNER), MintRequest::identity(OWNER)]
            .map(|request| with(request, temporary)),
    );
    requests
}

/// Returns what a holder or a forger can make of a token.
fn changes(text: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut longer = text.to_owned();
    for _ in 0..8 {
        longer = attenuated(&longer, "time < 1800000000");
        texts.push(longer.clone());
    }
    for caveat in [
        "time < 1",
        "time < 1700345600",
        "ip = 1.2.3.4/32",
        "authorization = none",
        "tokenType = space_create_token",
        "of no known type",
        &"long ".repeat(10_000),
    ] {
        texts.push(attenuated(text, caveat));
    }
    let macaroon = read(text).macaroon().clone();
    let mut asks = macaroon.clone();
    let key = CaveatKey::derive(&[7; 32]).unwrap();
    add_third_party(&mut asks, "there", b"is it Alice?", &key).unwrap();
    texts.push(base64url(asks.to_bytes(Format::V1).unwrap()));
    // The last byte of the signature stands before a line feed.
    let mut forged = macaroon.to_bytes(Format::V1).unwrap();
    *forged.iter_mut().rev().nth(1).unwrap() ^= 1;
    texts.push(base64url(forged));
    texts
}

/// Mints tokens of all kinds, and revokes, deletes and spends some.
fn of_all_kinds(authority: &Issuer) -> Vec<String> {
    let mut texts = Vec::new();
    for request in requests() {
        let mint = || authority.mint(&request).unwrap();
        let text = mint().token;
        texts.extend(changes(&text));
        texts.push(text);
        if request.temporary {
            continue;
        }
        let [revoked, deleted, spent] = [mint(), mint(), mint()];
        let _ = (authority.revoke(&revoked.id, None).unwrap(), authority.delete(&deleted.id).unwrap());
        if request.use_limit.is_some() {
            let consumer = if matches!(request.purpose(), Purpose::Invite(_)) { OWNER } else { PROVIDER };
            let context = by(consumer, &authority.context());
            authority.spend(&spent.token, request.purpose(), &claim("one"), &context).unwrap();
        }
        texts.extend([revoked, deleted, spent].map(|minted| minted.token));
    }
    texts
}

/// Returns texts that were never minted here.
fn of_strangers(stranger: &Issuer) -> Vec<String> {
    let mut texts: Vec<_> = requests().iter().map(|request| stranger.mint(request).unwrap().token).collect();
    texts.extend(hostile::texts().into_iter().map(|(_, text)| text));
    texts.extend(vectors::macaroons().iter().filter_map(|vector| vector.text().map(str::to_owned)));
    texts.push(base64url(hostile::long_macaroon(1000)));
    texts
}

#[test]
fn the_answers_are_those_for_each_alone() {
    let now = Arc::new(AtomicU64::new(START));
    let store = MemoryStore::new();
    let authority = issuer(&store, &now);
    // Another authority over the same store: this one finds its records, and cannot open their keys.
    let mixed_up = issuer(&store, &now);
    let mut texts = of_all_kinds(&authority);
    texts.extend(of_strangers(&issuer(&MemoryStore::new(), &now)));
    texts.extend((0..3).map(|_| mixed_up.mint(&support()).unwrap().token));
    let revoked = MintRequest::identity(Subject::User("left"));
    let revoked = with(revoked, |request| temporary(request));
    texts.push(authority.mint(&revoked).unwrap().token);
    authority.revoke_temporary(revoked.issuer).unwrap();
    let mut random = SplitMix64::new(11);
    for index in (1..texts.len()).rev() {
        texts.swap(index, random.below(index + 1));
    }

    let mut seen = BTreeSet::new();
    for (expect, session, scope, at) in [
        (None, Session::Any, Scope::Unlimited, START),
        (None, Session::None, Scope::IdentityToken, START),
        (Some(Purpose::SpaceSupport), Session::None, Scope::Unlimited, START),
        (Some(Purpose::Identity), Session::None, Scope::Unlimited, START),
        (Some(Purpose::Access), Session::This("s1".into()), Scope::Unlimited, START),
        (None, Session::Any, Scope::Unlimited, START + 8 * DAY),
    ] {
        now.store(at, Ordering::SeqCst);
        let mut context = authority.context();
        (context.session, context.scope) = (session, scope);
        let answers = answers(&authority, &texts, expect, &context);
        seen.extend(answers.iter().map(|answer| match answer {
            Ok(_) => "Ok".to_owned(),
            Err(error) => error.split_inclusive(['(', '{', ' ']).take(3).collect(),
        }));
    }
    assert_eq!(seen.len(), 16, "kinds of answers: {seen:#?}");
}

#[test]
fn each_token_of_onedata_is_accepted_among_the_others() {
    let all: Vec<_> = vectors::golden();
    let texts: Vec<_> =
        all.iter().flat_map(|golden| golden.texts().map(|(_, text)| text.to_owned())).collect();
    let mut accepted = 0;
    for golden in &all {
        let identifier = Identifier::read(golden.identifier.as_bytes()).unwrap();
        if identifier.v2().is_some_and(|it| matches!(it.persistence, Persistence::Temporary { .. })) {
            continue;
        }
        let authority = issuer(&MemoryStore::new(), &Arc::new(AtomicU64::new(1)));
        let (request, dialect) = import::request(golden);
        let caveats: Vec<&str> = golden.caveats.iter().map(String::as_str).collect();
        let id = std::str::from_utf8(identifier.id()).unwrap();
        let foreign = Foreign { dialect, caveats: &caveats, ..import::foreign(id, golden.secret()) };
        authority.import(&request, &foreign).unwrap();
        let answers = answers(&authority, &texts, None, &golden.context());
        for (text, answer) in texts.iter().zip(answers) {
            accepted += usize::from(answer.is_ok());
            assert!(answer.is_ok() || golden.texts().iter().all(|(_, own)| own != text), "{}", golden.name);
        }
    }
    assert!(accepted >= 36, "{accepted}");
}

thread_local! {
    /// The bytes of the tokens that this thread has decoded since it last read the clock.
    static DECODED: Cell<usize> = const { Cell::new(0) };
}

/// A text that counts what it becomes.
struct Counted(String);

impl TokenInput for Counted {
    fn token(&self, options: &DecodeOptions) -> Result<Cow<'_, Token>, DecodeError> {
        let token = self.0.token(options)?;
        DECODED.set(DECODED.get() + token.macaroon().size());
        Ok(token)
    }
}

/// Judging a token reads the clock: what was decoded since then is in memory at once.
#[test]
fn long_tokens_are_not_all_in_memory_at_once() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let authority: Authority<_, Gate> =
        Authority::new(MemoryStore::new(), KeyRing::generate().unwrap(), Gate, Config::default()).unwrap();
    let authority = authority.with_clock(move || {
        seen.fetch_max(DECODED.take(), Ordering::SeqCst);
        UnixTime::from_secs(START)
    });
    let text = authority.mint(&support()).unwrap().token;
    let context = authority.context();
    let long = "x".repeat(60_000);
    for (caveats, at_once) in [(0, 64), (1, 5), (3, 2), (6, 1)] {
        let text = (0..caveats).fold(text.clone(), |text, _| attenuated(&text, &long));
        let size = read(&text).macaroon().size();
        let texts: Vec<_> = (0..130).map(|_| Counted(text.clone())).collect();
        most.store(0, Ordering::SeqCst);
        assert_eq!(authority.verify_many(&texts, None, &context).len(), texts.len());
        let most = most.load(Ordering::SeqCst) / size;
        // Of many threads, each takes fewer than 64.
        assert!((at_once.min(16)..=at_once).contains(&most), "{caveats}: {most}");
    }
}
