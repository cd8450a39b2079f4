//! Ours.

use std::hint::black_box;

use token_core::{Context, DecodeOptions, Encoding, Format, Identifier, RootKey, Token, UnixTime, Verifier};
use token_peers::{Outcome, Work, forge, require};

fn main() -> Outcome<()> {
    let work = Work::from_args()?;
    let identifier = Identifier::read(work.identifier.as_bytes())?;
    let identifier = identifier.v2().ok_or("the identifier has another version")?;
    let options = DecodeOptions::default();
    let mint = || -> Outcome<String> {
        let key = RootKey::derive_any(black_box(work.secret.as_bytes()));
        let mut token =
            Token::mint(&key, &work.location, identifier)?.written_as(Format::V1, Encoding::Base64Url);
        token.attenuate(&work.caveat)?;
        Ok(token.encode()?)
    };
    let verify = |text: &str, secret: &str, now: u64| -> bool {
        let Ok(token) = Token::decode(black_box(text), &options) else { return false };
        let context = Context::at(UnixTime::from_secs(now));
        Verifier::new(&context).verify(token.macaroon(), &RootKey::derive_any(secret.as_bytes())).is_ok()
    };
    let attenuate = |text: &str| -> Outcome<String> {
        let mut token = Token::decode(black_box(text), &options)?;
        token.attenuate(&work.further)?;
        Ok(token.encode()?)
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
