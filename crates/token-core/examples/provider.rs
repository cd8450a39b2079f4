//! A Oneprovider in small: it has no key. It refuses tokens that its Onezone would refuse, and hands a job a token that
//! can do no more than the job needs.
//!
//! `cargo run -p onetoken-core --example provider`

use std::error::Error;

use token_core::{
    CaveatTypes, Context, DecodeOptions, IdentifierV2, Interface, Persistence, RootKey, Service, ServiceKind,
    Subject, Token, TokenType, UnixTime, Verifier,
};

/// What the provider knows of a request.
fn request(now: UnixTime) -> Context {
    let mut context = Context::at(now);
    context.service = Some(Service { kind: ServiceKind::OpWorker, id: "p1".into() });
    context.interface = Some(Interface::Rest);
    // The provider enforces them file by file.
    context.data_caveats_allowed = true;
    context
}

/// Returns the token for a job that reads until `end`.
fn for_a_job(text: &str, request: &Context, end: UnixTime) -> Result<String, Box<dyn Error>> {
    let mut token = Token::decode(text, &DecodeOptions::default())?;
    let verifier = Verifier::new(request).supporting(CaveatTypes::ACCESS);
    if let Some(refused) = verifier.preflight(token.macaroon()) {
        return Err(refused.into());
    }
    // The token may still be forged, revoked or spent: only Onezone knows, which the provider asks here.
    token.attenuate(format!("time < {}", end.as_secs()))?;
    token.attenuate("data.readonly")?;
    Ok(token.encode()?)
}

fn main() -> Result<(), Box<dyn Error>> {
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

    // At the provider.
    let [early, late] = [1_700_000_000, 1_700_100_000].map(UnixTime::from_secs);
    let job = for_a_job(&token.encode()?, &request(early), UnixTime::from_secs(1_700_003_600))?;
    assert!(for_a_job(&token.encode()?, &request(late), late).is_err(), "it has expired");

    // At Onezone, which the job's requests reach in the end.
    let job = Token::decode(&job, &DecodeOptions::default())?;
    let verified = Verifier::new(&request(early)).verify(job.macaroon(), &key)?.expires_at();
    assert_eq!(verified, Some(UnixTime::from_secs(1_700_003_600)));
    Ok(())
}
