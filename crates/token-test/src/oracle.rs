//! An independent implementation to compare with: the crate `macaroon` 0.3, behind the few calls that tests need.
//!
//! Every token that the library writes must verify here, and every token written here must verify in the library.
//!
//! **Give it well-formed tokens only.** Its v1 decoder recurses once per packet, so a long run of packets overflows
//! the stack and aborts the process, which no test harness can catch. It also accepts many malformed tokens. So its
//! verdict on a good token is evidence, and its verdict on a bad one is not; test hostile input against the library
//! alone. Every call checks [`MAX_LEN`] as a last guard.

use std::sync::Once;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use macaroon::{Format, MacaroonKey, Verifier};

pub use macaroon::{Caveat, Macaroon, MacaroonError};

use crate::Key;

/// The longest accepted input, in bytes. At the least packet length of 7 bytes, the decoder recurses 586 times for
/// it; without optimization, some 1,200 calls fit on the 2 MiB stack of a test thread.
pub const MAX_LEN: usize = 4 * 1024;

/// A token minted by the oracle.
#[derive(Clone, Debug)]
pub struct Minted {
    /// Version 1, as packets.
    pub v1: Vec<u8>,
    /// Version 1 as the oracle's own text: base64 of the URL-safe alphabet, padded.
    pub base64: String,
    /// The signature.
    pub signature: [u8; 32],
}

/// Mints a token with first-party caveats.
///
/// # Panics
/// If the identifier is empty, which the oracle refuses.
#[must_use]
pub fn mint<C: AsRef<[u8]>>(
    key: Key<'_>,
    location: &str,
    identifier: impl AsRef<[u8]>,
    caveats: &[C],
) -> Minted {
    initialize();
    let mut token = Macaroon::create(Some(location.into()), &root_key(key), identifier.as_ref().into())
        .expect("the oracle mints any identifier that is not empty");
    for caveat in caveats {
        token.add_first_party_caveat(caveat.as_ref().into());
    }
    let base64 = token.serialize(Format::V1).expect("the oracle writes what it minted");
    let v1 = URL_SAFE.decode(&base64).expect("the oracle writes padded base64");
    Minted { v1, base64, signature: signature(&token) }
}

/// Reads a token in version 1 or 2 from bytes.
///
/// # Errors
/// The oracle's error if it cannot read the token.
///
/// # Panics
/// If the token is longer than [`MAX_LEN`].
pub fn parse(token: &[u8]) -> Result<Macaroon, MacaroonError> {
    assert!(token.len() <= MAX_LEN, "{} bytes might overflow the oracle's stack", token.len());
    initialize();
    Macaroon::deserialize_binary(token)
}

/// Returns the predicates of a token.
///
/// # Panics
/// If a caveat is a third-party one.
#[must_use]
pub fn predicates(token: &Macaroon) -> Vec<Vec<u8>> {
    let predicate = |caveat: &Caveat| match caveat {
        Caveat::FirstParty(caveat) => caveat.predicate().0,
        Caveat::ThirdParty(_) => panic!("a third-party caveat"),
    };
    token.caveats().iter().map(predicate).collect()
}

/// Returns the signature of a token.
#[must_use]
pub fn signature(token: &Macaroon) -> [u8; 32] {
    *AsRef::<[u8; 32]>::as_ref(&token.signature())
}

/// Verifies a token in version 1 or 2, given as bytes: the signature, and that each caveat is one of `exact`.
///
/// # Errors
/// The oracle's error if it cannot read the token or refuses it.
///
/// # Panics
/// If the token is longer than [`MAX_LEN`].
pub fn verify<C: AsRef<[u8]>>(token: &[u8], key: Key<'_>, exact: &[C]) -> Result<(), MacaroonError> {
    let token = parse(token)?;
    let mut verifier = Verifier::default();
    for predicate in exact {
        verifier.satisfy_exact(predicate.as_ref().into());
    }
    verifier.verify(&token, &root_key(key), Vec::new())
}

fn root_key(key: Key<'_>) -> MacaroonKey {
    match key {
        Key::Secret(secret) => MacaroonKey::generate(secret),
        Key::Derived(key) => key.into(),
    }
}

/// Starts libsodium, which requires this once, before any other call on another thread.
///
/// # Panics
/// If it does not start.
pub fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| macaroon::initialize().expect("libsodium starts"));
}
