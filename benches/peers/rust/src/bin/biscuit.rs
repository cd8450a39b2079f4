//! The crate `biscuit-auth`: facts and checks in Datalog, signed with Ed25519.

use std::hint::black_box;
use std::time::Duration;

use biscuit_auth::datalog::RunLimits;
use biscuit_auth::macros::{authorizer, biscuit, block};
use biscuit_auth::{Algorithm, Biscuit, KeyPair, PrivateKey, PublicKey, UnverifiedBiscuit};
use token_peers::{Outcome, Work, expiry, forge, require};

fn key_pair(byte: u8) -> Outcome<KeyPair> {
    Ok(KeyPair::from(&PrivateKey::from_bytes(&[byte; 32], Algorithm::Ed25519)?))
}

fn main() -> Outcome<()> {
    let work = Work::from_args()?;
    let further = i64::try_from(expiry(&work.further).ok_or("no expiry")?)?;
    let expires = i64::try_from(work.expires)?;
    // The key pair belongs to the issuer and outlives its tokens, so it is not part of the work.
    let (pair, other) = (key_pair(7)?, key_pair(9)?);
    // By default the authorizer gives up after a millisecond, which a busy machine may exceed.
    let limits = RunLimits { max_time: Duration::from_secs(1), ..RunLimits::default() };
    let mint = || -> Result<String, biscuit_auth::error::Token> {
        let (location, identifier) = (work.location.as_str(), work.identifier.as_str());
        biscuit!("location({location}); identifier({identifier}); check if time($time), $time < {expires};")
            .build(black_box(&pair))?
            .to_base64()
    };
    let verify = |text: &str, key: PublicKey, now: u64| -> bool {
        let Ok(token) = Biscuit::from_base64(black_box(text), key) else { return false };
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        authorizer!("time({now}); allow if true;")
            .set_limits(limits.clone())
            .build(&token)
            .and_then(|mut authorizer| authorizer.authorize())
            .is_ok()
    };
    let attenuate = |text: &str| -> Result<String, biscuit_auth::error::Token> {
        UnverifiedBiscuit::from_base64(black_box(text))?
            .append(block!("check if time($time), $time < {further};"))?
            .to_base64()
    };

    let text = mint()?;
    let narrower = attenuate(&text)?;
    require(verify(&text, pair.public(), work.now), "a good token is refused")?;
    require(verify(&narrower, pair.public(), work.now), "an attenuated token is refused")?;
    require(!verify(&forge(&text), pair.public(), work.now), "a forged token is accepted")?;
    require(!verify(&text, other.public(), work.now), "another key is accepted")?;
    require(!verify(&text, pair.public(), work.expires), "an expired token is accepted")?;

    work.measure("mint", Some(&text), mint);
    work.measure("verify", None, || verify(&text, pair.public(), work.now));
    work.measure("attenuate", None, || attenuate(&text));
    Ok(())
}
