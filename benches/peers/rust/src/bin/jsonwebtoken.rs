//! The crate `jsonwebtoken`, HS256: claims with the same facts.

use std::hint::black_box;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use token_peers::{Outcome, Work, forge, require};

#[derive(Deserialize, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    jti: &'a str,
    exp: u64,
}

#[derive(Deserialize)]
struct Received {
    #[expect(dead_code, reason = "read as the others read it")]
    iss: String,
    #[expect(dead_code, reason = "read as the others read it")]
    jti: String,
    exp: u64,
}

fn main() -> Outcome<()> {
    let work = Work::from_args()?;
    let header = Header::new(Algorithm::HS256);
    // The time is an argument, as for the other programs, so that the system's clock is not measured.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    let mint = || -> jsonwebtoken::errors::Result<String> {
        let claims = Claims { iss: &work.location, jti: &work.identifier, exp: work.expires };
        encode(&header, &claims, &EncodingKey::from_secret(black_box(work.secret.as_bytes())))
    };
    let verify = |text: &str, secret: &str, now: u64| -> bool {
        decode::<Received>(black_box(text), &DecodingKey::from_secret(secret.as_bytes()), &validation)
            .is_ok_and(|token| now < token.claims.exp)
    };

    let text = mint()?;
    require(verify(&text, &work.secret, work.now), "a good token is refused")?;
    require(!verify(&forge(&text), &work.secret, work.now), "a forged token is accepted")?;
    require(!verify(&text, "another", work.now), "another secret is accepted")?;
    require(!verify(&text, &work.secret, work.expires), "an expired token is accepted")?;

    work.measure("mint", Some(&text), mint);
    work.measure("verify", None, || verify(&text, &work.secret, work.now));
    Ok(())
}
