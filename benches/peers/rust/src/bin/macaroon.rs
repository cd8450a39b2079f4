//! The crate `macaroon`.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use macaroon::{ByteString, Format, Macaroon, MacaroonKey, Verifier};
use token_peers::{Outcome, Work, expiry, forge, require};

// A plain function judges predicates, so only a global can tell it the time.
static NOW: AtomicU64 = AtomicU64::new(0);

fn holds(predicate: &ByteString) -> bool {
    let text = std::str::from_utf8(&predicate.0).unwrap_or_default();
    expiry(text).is_some_and(|expires| NOW.load(Ordering::Relaxed) < expires)
}

fn main() -> Outcome<()> {
    macaroon::initialize()?;
    let work = Work::from_args()?;
    let mint = || -> Result<String, macaroon::MacaroonError> {
        let key = MacaroonKey::generate(black_box(work.secret.as_bytes()));
        let mut token = Macaroon::create(Some(work.location.clone()), &key, work.identifier.as_str().into())?;
        token.add_first_party_caveat(work.caveat.as_str().into());
        token.serialize(Format::V1)
    };
    let verify = |text: &str, secret: &str, now: u64| -> bool {
        NOW.store(now, Ordering::Relaxed);
        let Ok(token) = Macaroon::deserialize(black_box(text)) else { return false };
        let mut verifier = Verifier::default();
        verifier.satisfy_general(holds);
        verifier.verify(&token, &MacaroonKey::generate(secret.as_bytes()), Vec::new()).is_ok()
    };
    let attenuate = |text: &str| -> Result<String, macaroon::MacaroonError> {
        let mut token = Macaroon::deserialize(black_box(text))?;
        token.add_first_party_caveat(work.further.as_str().into());
        token.serialize(Format::V1)
    };

    let text = mint()?;
    let narrower = attenuate(&text)?;
    require(verify(&text, &work.secret, work.now), "a good token is refused")?;
    require(verify(&narrower, &work.secret, work.now), "an attenuated token is refused")?;
    require(!verify(&forge(&text), &work.secret, work.now), "a forged token is accepted")?;
    require(!verify(&text, "another", work.now), "another secret is accepted")?;
    require(!verify(&text, &work.secret, work.expires), "an expired token is accepted")?;

    work.measure("mint", Some(&text), mint);
    work.measure("verify", None, || verify(&text, &work.secret, work.now));
    work.measure("attenuate", Some(&narrower), || attenuate(&text));
    Ok(())
}
