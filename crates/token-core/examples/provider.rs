//! A Oneprovider in small: it has no key. It refuses tokens that its Onezone would refuse, asks Onezone about the others,
//! keeps the verdicts until an event makes them obsolete, and hands a job a token that can do no more than the job needs.
//! `docs/PROVIDER.md` explains it.
//!
//! `cargo run -p onetoken-core --example provider`

use std::{
    collections::HashMap,
    error::Error,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use token_core::{
    CaveatTypes, Context, DecodeOptions, Fingerprint, IdentifierV2, Interface, Persistence, Predicate,
    RootKey, Service, ServiceKind, Subject, Token, TokenType, UnixTime, Verifier,
};

/// The longest time for which an acceptance is kept, in seconds. It bounds the harm if events do not arrive.
const KEEP_ACCEPTED: u64 = 300;

/// The longest time for which a refusal is kept, in seconds: a token may be valid for the next request.
const KEEP_REFUSED: u64 = 10;

/// The greatest number of verdicts that are kept. Anyone who sends tokens can fill the cache.
const MAX_VERDICTS: usize = 5000;

/// Onezone's answer about a token: the subject that it acts for, and when it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted { subject: Subject, expires_at: Option<UnixTime> },
    Refused,
}

/// Everything that a verdict depends on, besides the state of Onezone.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    token: Fingerprint,
    peer_ip: Option<IpAddr>,
    consumer: Option<Subject>,
    interface: Option<Interface>,
    data_caveats_allowed: bool,
}

/// An event of Onezone.
enum Event<'a> {
    /// The token with this id was revoked, reinstated or deleted.
    Token(&'a [u8]),
    /// The temporary tokens of this subject were revoked, or the subject was blocked.
    Subject(Subject),
    /// The connection to Onezone was lost, so that events may be.
    Missed,
}

/// The verdicts that Onezone gave.
#[derive(Default)]
struct Verdicts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    // Each with the id and the subject that events name, and the time from which on it is not used.
    verdicts: HashMap<Question, (Verdict, Vec<u8>, Option<Subject>, UnixTime)>,
    // The number of events so far.
    events: u64,
}

impl Verdicts {
    /// Returns the verdict that is kept for this request, or asks Onezone.
    fn get(&self, token: &Token, request: &Context, ask: impl FnOnce() -> Verdict) -> Verdict {
        let question = Question {
            token: token.fingerprint(),
            peer_ip: request.peer_ip,
            consumer: request.consumer.clone(),
            interface: request.interface,
            data_caveats_allowed: request.data_caveats_allowed,
        };
        let kept = self.lock();
        match kept.verdicts.get(&question) {
            Some((verdict, .., until)) if request.now < *until => return verdict.clone(),
            _ => {}
        }
        let before = kept.events;
        drop(kept);
        let verdict = ask();
        let longest = match &verdict {
            Verdict::Accepted { .. } => request.now.plus_secs(KEEP_ACCEPTED),
            Verdict::Refused => request.now.plus_secs(KEEP_REFUSED),
        };
        let until = match verdict {
            Verdict::Accepted { expires_at: Some(at), .. } => longest.min(at),
            _ => longest,
        };
        let mut kept = self.lock();
        // An event that arrived in the meantime may be about this token.
        if kept.events == before {
            if kept.verdicts.len() >= MAX_VERDICTS {
                kept.verdicts.clear();
            }
            let identifier = token.identifier();
            let subject = identifier.v2().map(|stated| stated.subject.into_owned());
            kept.verdicts.insert(question, (verdict.clone(), identifier.id().to_vec(), subject, until));
        }
        verdict
    }

    /// Forgets every verdict that an event makes obsolete.
    fn forget(&self, event: &Event<'_>) {
        let mut kept = self.lock();
        kept.events = kept.events.saturating_add(1);
        kept.verdicts.retain(|_, (_, id, subject, _)| match event {
            Event::Token(of) => id != of,
            Event::Subject(of) => subject.as_ref() != Some(of),
            Event::Missed => false,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the provider knows of a request.
fn request(now: UnixTime) -> Context {
    let mut context = Context::at(now);
    context.service = Some(Service { kind: ServiceKind::OpWorker, id: "p1".into() });
    context.interface = Some(Interface::Rest);
    // The provider enforces them file by file.
    context.data_caveats_allowed = true;
    context
}

/// Returns the subject of the request, and a token for a job that only reads, until `end`.
fn admit(
    text: &str,
    request: &Context,
    verdicts: &Verdicts,
    onezone: impl FnOnce(&Token, &Context) -> Verdict,
    end: UnixTime,
) -> Result<(Subject, String), Box<dyn Error>> {
    let mut token = Token::decode(text, &DecodeOptions::default())?;
    let verifier = Verifier::new(request).supporting(CaveatTypes::ACCESS);
    if let Some(refused) = verifier.preflight(token.macaroon()) {
        return Err(refused.into());
    }
    let Verdict::Accepted { subject, .. } = verdicts.get(&token, request, || onezone(&token, request)) else {
        return Err("Onezone refuses the token".into());
    };
    token.attenuate(format!("time < {}", end.as_secs()))?;
    token.attenuate("data.readonly")?;
    Ok((subject, token.encode()?))
}

/// Runs the example, for its test too.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // At Onezone, which alone has the key.
    let key = RootKey::derive_any(b"a secret of Onezone");
    let identifier = IdentifierV2 {
        persistence: Persistence::Named,
        subject: Subject::User("u1"),
        token_type: TokenType::Access { session: None },
        id: "0f7a",
    };
    let mut token = Token::mint(&key, "onezone.example.com", &identifier)?;
    token.attenuate("service = opw-p1")?;
    token.attenuate("time < 1700086400")?;
    let (mut asked, mut revoked) = (Vec::new(), false);
    let mut onezone = |token: &Token, request: &Context, is_revoked: bool| {
        asked.push(request.now);
        match Verifier::new(request).verify(token.macaroon(), &key) {
            Ok(verified) if !is_revoked => {
                Verdict::Accepted { subject: Subject::User("u1".into()), expires_at: verified.expires_at() }
            }
            _ => Verdict::Refused,
        }
    };

    // At the provider.
    let (text, verdicts) = (token.encode()?, Verdicts::default());
    let [early, late, end] = [1_700_000_000, 1_700_100_000, 1_700_003_600].map(UnixTime::from_secs);
    let mut admit_at = |now, revoked| {
        admit(&text, &request(now), &verdicts, |token, request| onezone(token, request, revoked), end)
    };
    let (subject, job) = admit_at(early, revoked)?;
    assert_eq!(subject, Subject::User("u1".into()));
    admit_at(early, revoked)?;
    revoked = true;
    admit_at(early, revoked)?;
    verdicts.forget(&Event::Token(b"another"));
    verdicts.forget(&Event::Subject(Subject::User("u2".into())));
    admit_at(early, revoked)?;
    verdicts.forget(&Event::Token(b"0f7a"));
    assert!(admit_at(early, revoked).is_err(), "Onezone is asked again");
    verdicts.forget(&Event::Missed);
    assert!(admit_at(late, revoked).is_err(), "it has expired, so that nobody is asked");
    assert_eq!(asked, [early, early], "once before the event, and once after it");

    // At Onezone, which the job's requests reach in the end.
    let job = Token::decode(&job, &DecodeOptions::default())?;
    assert!(job.macaroon().caveats().any(|caveat| caveat.read() == Some(Predicate::DataReadonly)));
    let verified = Verifier::new(&request(early)).verify(job.macaroon(), &key)?.expires_at();
    assert_eq!(verified, Some(end));
    Ok(())
}
