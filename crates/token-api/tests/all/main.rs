//! token-api from outside.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod authority;
mod caches;
mod clock;
mod dropped;
mod edited;
mod embedding;
mod endpoints;
mod forged;
mod hosts;
mod ids;
mod import;
mod many;
mod prepared;
#[cfg(feature = "redb")]
mod readme;
mod records;
mod secrecy;
#[cfg(feature = "test-random")]
mod seeded;
mod third_party;

use token_api::{AcceptError, MintRequest, Refusal};
use token_core::{Context, Subject};
use token_store::ClaimId;
use token_test::world::SPACE;

const OWNER: Subject<&str> = Subject::User("owner");
const PROVIDER: Subject<&str> = Subject::Provider("p1");
const DAY: u64 = 24 * 60 * 60;

/// A key ring in text form.
const KEYS: &str =
    "onetoken-keys-v1 1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f:3d6c986d";

fn claim(name: impl Into<Vec<u8>>) -> ClaimId {
    ClaimId::new(name).unwrap()
}

/// The owner's request for a token to support the space.
fn support() -> MintRequest<'static> {
    MintRequest::space_support(SPACE, OWNER)
}

/// The request with some of its fields changed.
fn with<'a>(mut request: MintRequest<'a>, change: impl FnOnce(&mut MintRequest<'a>)) -> MintRequest<'a> {
    change(&mut request);
    request
}

/// The context of the same request by this consumer.
fn by(consumer: Subject<&str>, context: &Context) -> Context {
    let mut context = context.clone();
    context.consumer = Some(consumer.into_owned());
    context
}

fn refusal(error: AcceptError) -> Refusal {
    match error {
        AcceptError::Refused(refusal) => refusal,
        AcceptError::Failed(failure) => panic!("{failure}"),
    }
}
