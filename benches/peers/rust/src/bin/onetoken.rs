//! This library, with plain macaroons: the same input as the other programs, and the same checks. Like them it does
//! not parse the identifier.

use std::hint::black_box;

use token_core::{Context, DecodeOptions, Encoding, Format, Macaroon, RootKey, UnixTime, Verifier};
use token_peers::{Outcome, Work, forge, require};

fn main() -> Outcome<()> {
    let work = Work::from_args()?;
    let options = DecodeOptions::default();
    let mint = || -> Outcome<String> {
        let key = RootKey::derive_any(black_box(work.secret.as_bytes()));
        let mut token = Macaroon::mint(&key, &work.location, work.identifier.as_bytes())?;
        token.attenuate(&work.caveat)?;
        Ok(token.to_text(Format::V1, Encoding::Base64Url)?)
    };
    let verify = |text: &str, secret: &str, now: u64| -> bool {
        let Ok((token, _)) = Macaroon::from_text(black_box(text), &options) else { return false };
        let context = Context::at(UnixTime::from_secs(now));
        Verifier::new(&context).verify(&token, &RootKey::derive_any(secret.as_bytes())).is_ok()
    };
    let attenuate = |text: &str| -> Outcome<String> {
        let (mut token, spelling) = Macaroon::from_text(black_box(text), &options)?;
        token.attenuate(&work.further)?;
        Ok(token.spell(spelling)?)
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
