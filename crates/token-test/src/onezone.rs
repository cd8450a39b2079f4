//! A Onezone in play: thousands of random actions of its users, each answer held against a plain model.

use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use token_api::{
    AcceptError, Authority, Config, Decision, Dialect, Foreign, Lifetime, MintError, MintRequest, Purpose,
    Refusal, Spent,
};
use token_core::{
    DecodeOptions, Identifier, IdentifierV2, InviteType, Persistence, RootKey, Subject, Token, TokenType,
    UnixTime, Unmet, VerifyError,
};
use token_store::{
    Administration, Amend, Amendment, ClaimId, Entity, Filter, KeyRing, Record, Refund, Reinstate,
    Revocation, TokenId, TokenStore as _,
};

use crate::SplitMix64;
use model::{Named, No, RETENTION, Temporary, User};

mod model;

const USERS: usize = 1_000;
const IMPORTED: usize = 3_000;
const USES: u64 = 50_000;
const TOKENS: usize = 10_000;
const THREADS: usize = 64;
const ROUNDS: u64 = 12;
const START: u64 = 1_600_000_000;
const DAY: u64 = 24 * 60 * 60;

/// The answers that a play has to get at least once.
const ANSWERS: [&str; 12] = [
    "Ok",
    "Repeated",
    "Unknown",
    "Revoked",
    "Expired",
    "Blocked",
    "Exhausted",
    "Forged",
    "Refunded",
    "Kept",
    "NotClaimed",
    "Absent",
];

type Onezone = Authority<Arc<dyn Administration>>;

/// A use that was granted, for a refund.
struct Granted {
    id: TokenId,
    key: (u64, u64),
    number: usize,
    spent: Spent,
}

/// Counts the answer of a spend, which tells whether it was given before.
fn tell(answers: &mut BTreeMap<String, u64>, answer: Result<bool, No>) {
    let name = match answer {
        Ok(false) => "Ok".to_owned(),
        Ok(true) => "Repeated".to_owned(),
        Err(reason) => format!("{reason:?}"),
    };
    *answers.entry(name).or_default() += 1;
}

/// The reason, as the model has it.
fn no(error: AcceptError) -> No {
    let AcceptError::Refused(refusal) = error else { panic!("{error:?}") };
    match refusal {
        Refusal::Unknown => No::Unknown,
        Refusal::Revoked => No::Revoked,
        Refusal::Expired { .. }
        | Refusal::Verify(VerifyError::CaveatUnmet { why: Unmet::Expired { .. }, .. }) => No::Expired,
        Refusal::SubjectBlocked => No::Blocked,
        Refusal::Exhausted => No::Exhausted,
        Refusal::Verify(VerifyError::BadSignature) => No::Forged,
        other => panic!("{other:?}"),
    }
}

/// The users of one thread.
struct Players<'a> {
    onezone: &'a Onezone,
    now: u64,
    random: SplitMix64,
    users: Vec<(String, User)>,
    granted: Vec<Granted>,
    spent: u64,
    minted: usize,
    /// How often each answer was given.
    answers: BTreeMap<String, u64>,
}

/// Plays a Onezone over an empty store whose clock, if it has one, is past 2021: 1,000 users, 10,000 tokens and 50,000
/// uses, from an import of foreign secrets to the deletion of users. Equal seeds play equally.
///
/// # Panics
/// If an answer is not that of the model.
pub fn play(store: &Arc<dyn Administration>, seed: u64) {
    let now = Arc::new(AtomicU64::new(START));
    let clock = Arc::clone(&now);
    let keys = KeyRing::generate().unwrap();
    let onezone = Authority::new(Arc::clone(store), keys, (), Config::default())
        .unwrap()
        .with_clock(move || UnixTime::from_secs(clock.load(Ordering::SeqCst)));
    let mut players: Vec<_> = (0..THREADS)
        .map(|thread| Players {
            onezone: &onezone,
            now: START,
            random: SplitMix64::new(seed.wrapping_add(u64::try_from(thread).unwrap())),
            users: (thread..USERS)
                .step_by(THREADS)
                .map(|user| (format!("u{user}"), User::default()))
                .collect(),
            granted: Vec::new(),
            spent: 0,
            minted: 0,
            answers: BTreeMap::new(),
        })
        .collect();
    let events = onezone.events(None, 1).unwrap().next;
    all(&mut players, Players::import);
    for round in 1..=ROUNDS {
        all(&mut players, |players| players.act(round));
        let present = START + round * DAY;
        now.store(present, Ordering::SeqCst);
        let time = UnixTime::from_secs(present);
        let count = |players: &mut [Players<'_>], gone: fn(&Named, u64) -> bool| -> usize {
            let users = players.iter_mut().flat_map(|players| &mut players.users);
            users.map(|(_, user)| user.forget(|token| gone(token, present))).sum()
        };
        assert_eq!(onezone.purge(None, usize::MAX).unwrap(), count(&mut players, Named::is_purged));
        let purged = store.purge_spent(time, Duration::from_secs(RETENTION), usize::MAX).unwrap();
        assert_eq!(purged, count(&mut players, Named::is_purged_spent), "round {round}");
        players.iter_mut().for_each(|players| players.now = present);
    }
    let minted: usize = players.iter().map(|players| players.minted).sum();
    let spent: u64 = players.iter().map(|players| players.spent).sum();
    assert!(minted >= TOKENS && spent >= USES, "{minted} tokens, {spent} uses");
    let left: usize =
        players.iter().flat_map(|players| &players.users).map(|(_, user)| user.named.len()).sum();
    assert_eq!(store.counts().unwrap().records, u64::try_from(left).unwrap());
    for answer in ANSWERS {
        let given = players.iter().any(|players| players.answers.contains_key(answer));
        assert!(given, "{answer} was never answered");
    }
    let told = onezone.events(Some(&events), usize::MAX).unwrap();
    assert!(!told.missed && !told.events.is_empty());
    all(&mut players, Players::leave);
    let counts = store.counts().unwrap();
    assert_eq!((counts.records, counts.claims, counts.generations), (0, 0, 0));
}

/// Lets each thread's players act at once.
fn all<'a>(players: &mut [Players<'a>], act: impl Fn(&mut Players<'a>) + Sync) {
    thread::scope(|scope| {
        for players in players {
            scope.spawn(|| act(players));
        }
    });
}

impl Players<'_> {
    /// Moves the tokens of another Onezone in.
    fn import(&mut self) {
        for at in 0..self.users.len() {
            let name = self.users[at].0.clone();
            let subject = Subject::User(name.as_str());
            for number in 0..IMPORTED / USERS {
                let hex: String = (0..32).map(|_| format!("{:02x}", self.random.next_u64() % 256)).collect();
                let raw = self.random.bytes(32);
                let secret = if number == 0 { raw.as_slice() } else { hex.as_bytes() };
                let (id, label) = (format!("{name}-{number}"), format!("imported {number}"));
                let limit = (number == 2).then_some(40);
                let (mut request, identifier) = match number {
                    0 => (MintRequest::access(subject), Identifier::Opaque(id.as_bytes())),
                    1 => (
                        MintRequest::access(subject),
                        v2(Persistence::Named, subject, TokenType::Access { session: None }, &id),
                    ),
                    _ => {
                        let (invite, target) = (InviteType::UserJoinSpace, "s1");
                        let token_type = TokenType::Invite { invite, target };
                        let identifier = v2(Persistence::Named, subject, token_type, &id);
                        (MintRequest::invite(invite, target, subject), identifier)
                    }
                };
                request.name = Some(&label);
                request.use_limit = limit.and_then(NonZeroU64::new);
                let expires = (number == 1).then(|| START + self.random.next_u64() % (9 * DAY));
                let caveat = expires.map(|expires| format!("time < {expires}"));
                let caveats: Vec<&str> = caveat.iter().map(String::as_str).collect();
                let foreign = Foreign {
                    id: &id,
                    secret,
                    dialect: if number == 0 { Dialect::Legacy } else { Dialect::Modern },
                    caveats: &caveats,
                    created: UnixTime::from_secs(START - DAY),
                    uses: 0,
                    revocation: None,
                };
                let text = self.onezone.import(&request, &foreign).unwrap();
                assert_eq!(text, minted_there(secret, &identifier, &caveats));
                let id = TokenId::new(id).unwrap();
                self.users[at].1.named.push(Named::new(text, id, label, START - DAY, expires, limit));
                self.minted += 1;
            }
            let (secret, generation) = (self.random.bytes(64), 1 + self.random.next_u64() % 9);
            let number = NonZeroU64::new(generation).unwrap();
            assert!(self.onezone.import_generation(subject, number, &secret).unwrap());
            let persistence = Persistence::Temporary { generation };
            let identifier = v2(persistence, subject, TokenType::Identity, "imported");
            let expires = START + 2 * DAY;
            let text = minted_there(&secret, &identifier, &[&format!("time < {expires}")]);
            self.users[at].1.generation = generation;
            self.users[at].1.temporary.push(Temporary { text, expires, generation, life: 0 });
        }
    }

    /// Acts until this round's share of the uses is done.
    fn act(&mut self, round: u64) {
        let threads = u64::try_from(THREADS).unwrap();
        while self.spent * threads < USES * round / ROUNDS {
            let at = self.random.below(self.users.len());
            match self.random.below(200) {
                0..16 => self.mint(at),
                16..28 => self.mint_temporary(at),
                28..48 => self.verify(at),
                48..52 => self.verify_temporary(at),
                52..60 => self.refund(),
                60..62 => self.revoke(at),
                62..66 => self.reinstate(at),
                66..73 => self.rename(at),
                73..75 => self.delete(at),
                75 => self.raise(at),
                76 => self.users[at].1.blocked = self.random.below(4) == 0,
                77..83 => self.look(at),
                83 if self.random.below(4) == 0 => self.remove(at),
                _ => self.spend(at),
            }
        }
    }

    /// Every user leaves.
    fn leave(&mut self) {
        for at in 0..self.users.len() {
            self.look(at);
            self.remove(at);
        }
    }

    fn mint(&mut self, at: usize) {
        let (name, user) = &mut self.users[at];
        let label = format!("token {}", self.random.below(12));
        let subject = Subject::User(name.as_str());
        let (limit, mut request) = match self.random.below(4) {
            0 => (None, MintRequest::access(subject)),
            1 => (None, MintRequest::invite(InviteType::UserJoinSpace, "s1", subject)),
            _ => {
                let limit = [1, 2, 60][self.random.below(3)];
                (Some(limit), MintRequest::invite(InviteType::UserJoinSpace, "s1", subject))
            }
        };
        let expires = (self.random.below(3) > 0).then(|| self.now + 1 + self.random.next_u64() % (6 * DAY));
        request.use_limit = limit.and_then(NonZeroU64::new);
        request.name = Some(&label);
        let until = |expires| Lifetime::Until(UnixTime::from_secs(expires));
        request.lifetime = Some(expires.map_or(Lifetime::Forever, until));
        match self.onezone.mint_decided(&request, user.decision()) {
            Ok(minted) => {
                assert!(!user.blocked && user.named.iter().all(|token| token.name.as_ref() != Some(&label)));
                assert_eq!(minted.expires_at.map(UnixTime::as_secs), expires);
                user.named.push(Named::new(minted.token, minted.id, label, self.now, expires, limit));
                self.minted += 1;
            }
            Err(MintError::NotAllowed) => assert!(user.blocked),
            Err(MintError::NameTaken) => {
                assert!(user.named.iter().any(|token| token.name.as_ref() == Some(&label)));
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn mint_temporary(&mut self, at: usize) {
        let (name, user) = &mut self.users[at];
        let mut request = MintRequest::access(Subject::User(name));
        request.temporary = true;
        let expires = self.now + 1 + self.random.next_u64() % (3 * DAY);
        request.lifetime = Some(Lifetime::Until(UnixTime::from_secs(expires)));
        if let Ok(minted) = self.onezone.mint_decided(&request, user.decision()) {
            user.generation = user.generation.max(1);
            let (generation, life) = (user.generation, user.life);
            user.temporary.push(Temporary { text: minted.token, expires, generation, life });
            self.minted += 1;
        } else {
            assert!(user.blocked);
        }
    }

    fn verify(&mut self, at: usize) {
        let user = &self.users[at].1;
        if let Some((text, _)) = user.gone.get(self.random.below(user.gone.len() + 3)) {
            assert_eq!(self.accept(text, user.decision()), Err(No::Unknown));
            tell(&mut self.answers, Err(No::Unknown));
        }
        if user.named.is_empty() {
            return;
        }
        let token = self.random.choose(&user.named);
        let expected =
            token.valid(self.now, user.blocked).map(|()| token.limit.map(|limit| limit - token.uses));
        assert_eq!(self.accept(&token.text, user.decision()), expected, "{token:?}");
    }

    fn verify_temporary(&mut self, at: usize) {
        let user = &self.users[at].1;
        if !user.temporary.is_empty() {
            let token = self.random.choose(&user.temporary);
            let expected = user.judge_temporary(token, self.now).map(|()| None);
            assert_eq!(self.accept(&token.text, user.decision()), expected, "{token:?}");
        }
    }

    fn accept(&self, text: &str, decision: Decision) -> Result<Option<u64>, No> {
        let prepared = self.onezone.prepare(text, None, &self.onezone.context()).map_err(no)?;
        self.onezone.accept_prepared(prepared, decision).map(|accepted| accepted.uses_left).map_err(no)
    }

    fn spend(&mut self, at: usize) {
        let user = &mut self.users[at].1;
        // A third of the claims come again.
        let key = (self.random.next_u64() % 3, self.random.next_u64() % 100);
        let spend = |text: &str, decision| {
            let mut context = self.onezone.context();
            context.consumer = Some(Subject::User(format!("consumer {}", key.0)));
            let token = Token::decode(text, &DecodeOptions::default()).unwrap();
            let stated = token.identifier().v2().map(|identifier| identifier.token_type.purpose());
            let expect = stated.or(Some(Purpose::Access));
            let prepared = self.onezone.prepare(&token, expect, &context)?;
            self.onezone.spend_prepared(prepared, decision, &ClaimId::new(key.1.to_be_bytes()).unwrap())
        };
        if !user.temporary.is_empty() && self.random.below(6) == 0 {
            let token = self.random.choose(&user.temporary);
            let answer = spend(&token.text, user.decision()).map(|spent| (spent.uses_left, spent.repeated));
            let expected = user.judge_temporary(token, self.now).map(|()| (None, false));
            assert_eq!(answer.map_err(no), expected, "{token:?}");
            tell(&mut self.answers, expected.map(|_| false));
            self.spent += u64::from(expected.is_ok());
        } else if !user.named.is_empty() {
            let (decision, which) = (user.decision(), self.random.below(user.named.len()));
            let token = &mut user.named[which];
            let answer = spend(&token.text, decision);
            let number = self.granted.len();
            let expected = token.spend(self.now, user.blocked, key, number);
            let shown = answer.as_ref().map(|spent| (spent.uses_left, spent.repeated));
            assert_eq!(shown.map_err(|error| no(error.clone())), expected, "{key:?} {token:?}");
            tell(&mut self.answers, expected.map(|(_, repeated)| repeated));
            if let Ok(spent) = answer {
                self.spent += u64::from(!spent.repeated);
                self.granted.push(Granted { id: token.id.clone(), key, number, spent });
            }
        }
    }

    fn refund(&mut self) {
        if self.granted.is_empty() {
            return;
        }
        let back = self.random.below(self.granted.len().min(40));
        let granted = &self.granted[self.granted.len() - 1 - back];
        let mut named = self.users.iter_mut().flat_map(|(_, user)| &mut user.named);
        let token = named.find(|token| token.id == granted.id);
        // A repeated answer has the number of the grant that it repeats.
        let expected = match (&granted.spent, token) {
            (spent, _) if spent.uses_left.is_none() => Refund::NotClaimed,
            (_, None) => Refund::Absent,
            (spent, Some(token)) if spent.repeated => match token.claims.get(&granted.key) {
                Some(_) => Refund::Kept,
                None => Refund::NotClaimed,
            },
            (_, Some(token)) => token.refund(&granted.key, granted.number),
        };
        assert_eq!(self.onezone.refund(&granted.spent).unwrap(), expected);
        *self.answers.entry(format!("{expected:?}")).or_default() += 1;
    }

    fn some_named(&mut self, at: usize) -> Option<&mut Named> {
        let named = &mut self.users[at].1.named;
        let len = named.len();
        (len > 0).then(|| &mut named[self.random.below(len)])
    }

    fn revoke(&mut self, at: usize) {
        let (onezone, reversible) = (self.onezone, self.random.below(4) > 0);
        let Some(token) = self.some_named(at) else { return };
        let revocation = Revocation { reversible, ..Revocation::for_good(onezone.now()) };
        let _ = onezone.revoke(&token.id, Some(&revocation)).unwrap();
        token.revoked = Some(reversible && token.revoked.unwrap_or(true));
    }

    fn reinstate(&mut self, at: usize) {
        let onezone = self.onezone;
        let Some(token) = self.some_named(at) else { return };
        let expected = match token.revoked {
            Some(false) => Reinstate::ForGood,
            _ => Reinstate::Reinstated,
        };
        assert_eq!(onezone.reinstate(&token.id).unwrap(), expected);
        token.revoked = token.revoked.filter(|reversible| !reversible);
    }

    fn rename(&mut self, at: usize) {
        let name = (self.random.below(6) > 0).then(|| format!("token {}", self.random.below(12)));
        let onezone = self.onezone;
        let Some(id) = self.some_named(at).map(|token| token.id.clone()) else { return };
        let user = &mut self.users[at].1;
        let taken = name.is_some() && user.named.iter().any(|token| token.id != id && token.name == name);
        let amendment = Amendment { name: Some(name.clone()), metadata: Some(b"renamed".to_vec()) };
        let expected = if taken { Amend::NameTaken } else { Amend::Amended };
        assert_eq!(onezone.amend(&id, &amendment).unwrap(), expected);
        let token = user.named.iter_mut().find(|token| token.id == id && !taken);
        token.into_iter().for_each(|token| token.name.clone_from(&name));
    }

    fn delete(&mut self, at: usize) {
        let onezone = self.onezone;
        let Some(id) = self.some_named(at).map(|token| token.id.clone()) else { return };
        assert_eq!(onezone.delete(&id).unwrap(), token_store::Delete::Deleted);
        assert_eq!(self.users[at].1.forget(|token| token.id == id), 1);
    }

    fn raise(&mut self, at: usize) {
        let (name, user) = &mut self.users[at];
        user.generation += 1;
        assert_eq!(self.onezone.revoke_temporary(Subject::User(name)).unwrap(), user.generation);
    }

    fn remove(&mut self, at: usize) {
        let (name, user) = &mut self.users[at];
        let deleted = self.onezone.delete_subject(Subject::User(name)).unwrap();
        assert_eq!((deleted.changed, deleted.damaged), (user.forget(|_| true), 0));
        (user.generation, user.life) = (0, user.life + 1);
    }

    /// Looks at all records of a user, and at one of them closely.
    fn look(&mut self, at: usize) {
        let (name, user) = &self.users[at];
        let page = self.onezone.store().list(&Filter::Issuer(Entity::user(name)), None, usize::MAX).unwrap();
        let found: BTreeMap<_, _> = page.records.iter().map(|record| (&record.id, record)).collect();
        assert_eq!(found.len(), user.named.len());
        for token in &user.named {
            assert_same(token, found[&token.id]);
        }
        if user.named.is_empty() {
            return;
        }
        let token = self.random.choose(&user.named);
        assert_eq!(self.onezone.text_of(found[&token.id]).unwrap().unwrap(), token.text);
        if let Some(label) = &token.name {
            let found = self.onezone.find(Subject::User(name), label).unwrap().unwrap();
            assert_eq!(found.id, token.id);
        }
        let uses = self.onezone.uses(&token.id, None, usize::MAX).unwrap();
        let mut uses: Vec<_> = uses
            .iter()
            .map(|(_, held)| (held.spent.at.as_secs(), held.uses_left, &held.spent.consumer))
            .collect();
        let consumers = [0, 1, 2].map(|number| Some(Entity::user(format!("consumer {number}"))));
        let consumer = |number: u64| &consumers[usize::try_from(number).unwrap()];
        let mut expected: Vec<_> =
            token.claims.iter().map(|(key, claim)| (claim.at, claim.left, consumer(key.0))).collect();
        uses.sort();
        expected.sort();
        assert_eq!(uses, expected);
    }
}

fn assert_same(token: &Named, record: &Record) {
    let secs = |time: Option<UnixTime>| time.map(UnixTime::as_secs);
    assert_eq!((&record.name, record.uses), (&token.name, token.uses));
    assert_eq!((secs(record.expires), secs(record.last_use)), (token.expires, token.last_use));
    assert_eq!(record.revocation.as_ref().map(|revocation| revocation.reversible), token.revoked);
}

fn v2<'a>(
    persistence: Persistence,
    subject: Subject<&'a str>,
    token_type: TokenType<&'a str>,
    id: &'a str,
) -> Identifier<'a> {
    Identifier::V2(IdentifierV2 { persistence, subject, token_type, id })
}

/// Mints a token as the other Onezone did.
fn minted_there(secret: &[u8], identifier: &Identifier<'_>, caveats: &[&str]) -> String {
    let (key, config) = (RootKey::derive_any(secret), Config::default());
    let mut token = match identifier {
        Identifier::V2(identifier) => Token::mint(&key, &config.domain, identifier).unwrap(),
        Identifier::Opaque(id) => {
            Token::mint_legacy(&key, &config.location, std::str::from_utf8(id).unwrap()).unwrap()
        }
    };
    caveats.iter().for_each(|caveat| token.attenuate(caveat).unwrap());
    token.encode().unwrap()
}
