//! Every log event, at any level, names tokens by id, and shows neither a token nor a secret.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, atomic::Ordering},
    thread::{self, ThreadId},
};

use token_api::{AcceptError, MintRequest, Purpose};
use token_core::{DecodeOptions, Subject, Token};
use token_store::ClaimId;
use token_test::{
    hex,
    world::{BrokenStore, SPACE, World},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

use crate::by;

/// Records the text of every event of one thread. It is the subscriber of the whole process: `tracing` may ignore a
/// thread's own one where another thread without one comes first.
struct Log {
    text: Arc<Mutex<String>>,
    thread: ThreadId,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if thread::current().id() != self.thread {
            return;
        }
        let mut log = self.text.lock().unwrap();
        write!(log, "{}", event.metadata().level()).unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn the_log_tells_ids_and_reasons_and_no_secret() {
    let log = Arc::new(Mutex::new(String::new()));
    let world = World::new();
    let broken = World::over(BrokenStore);
    let owner = Subject::User("owner");
    let provider = Subject::Provider("p1");
    set_global_default(Log { text: Arc::clone(&log), thread: thread::current().id() }).unwrap();
    let request = MintRequest::space_support(SPACE, owner);
    let minted = world.authority.mint(&request).unwrap();
    let context = world.authority.context();
    let spend = |claim: &str| {
        let claim = ClaimId::new(claim).unwrap();
        world.authority.spend(&minted.token, Purpose::SpaceSupport, &claim, &by(provider, &context))
    };
    world.authority.verify(&minted.token, None, &context).unwrap();
    spend("a").unwrap();
    spend("a").unwrap();
    spend("b").unwrap_err();
    world.authority.verify(&minted.token, Some(Purpose::Access), &context).unwrap_err();
    world.authority.verify(minted.token.get(1..).unwrap(), None, &context).unwrap_err();
    let mut caveated = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    caveated.attenuate("password = hunter2").unwrap();
    world.authority.verify(&caveated.encode().unwrap(), None, &context).unwrap_err();
    let _ = world.authority.revoke(&minted.id, None).unwrap();
    world.authority.verify(&minted.token, None, &context).unwrap_err();
    world.members.fails.store(true, Ordering::SeqCst);
    world.authority.get_space_provider_token(Some(owner), SPACE).unwrap_err();
    let failed = broken.authority.verify(&minted.token, None, &context);
    assert!(matches!(failed, Err(AcceptError::Failed(_))));

    let log = log.lock().unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 12, "{log}");
    let named = lines.iter().filter(|line| line.contains(&minted.id.to_string())).count();
    assert_eq!(named, 10, "all but the malformed token and the token that was not minted:\n{log}");
    assert!(log.contains("the disk with the secret name failed"), "causes are logged:\n{log}");

    let token = Token::decode(&minted.token, &DecodeOptions::default()).unwrap();
    let signature = token.macaroon().signature().expose();
    for secret in [
        minted.token.as_str(),
        minted.token.get(1..).unwrap(),
        "hunter2",
        &hex::encode(signature),
        &format!("{signature:?}"),
        "Signature([",
    ] {
        assert!(!log.contains(secret), "the log shows a secret:\n{log}");
    }
}
