//! A verb by its name: the request is read, answered and written in three steps, so that a shell can release what it
//! holds during the second.

use alloc::vec::Vec;

#[cfg(feature = "keys")]
use crate::seal::{Open, Opened, Seal, Sealed};
use crate::{
    error::Error,
    pure::{
        Bind, Caveat, CaveatRead, Confine, Inspect, Inspected, Mint, Needed, Needs, Preflight, Preflighted,
        Verified, Verify, Version, Versions, Written,
    },
    verbs::verbs,
};

verbs! {
    (self) ()
    "inspect" Inspect Inspect<'a> => Inspected,
    "confine" Confine Confine<'a> => Written,
    "caveat" Caveat Caveat<'a> => CaveatRead,
    "needs" Needs Needs<'a> => Needed,
    "preflight" Preflight Preflight<'a> => Preflighted,
    "mint" Mint Mint<'a> => Written,
    "verify" Verify Verify<'a> => Verified,
    "bind" Bind Bind<'a> => Written,
    #[cfg(feature = "keys")]
    "seal" Seal Seal<'a> => Sealed,
    #[cfg(feature = "keys")]
    "open" Open Open<'a> => Opened,
    "version" Version Version => Versions,
}

/// Answers a request in JSON. Both documents, the answer and the error, are JSON.
///
/// ```
/// let answer = token_embed::call("caveat", br#"{"text":"time < 1496140144"}"#).unwrap();
/// assert_eq!(answer, br#"{"text":"time < 1496140144","caveat":{"type":"time","validUntil":1496140144}}"#);
///
/// let error = token_embed::call("needs", br#"{"token":"MDAx"}"#).unwrap_err();
/// assert!(error.starts_with(br#"{"code":"bad_token","detail":{"stage":"packet","offset":"#));
/// ```
///
/// # Errors
/// The document of an [`Error`]. [`answer_json`] returns the error itself.
pub fn call(verb: &str, request: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    answer_json(verb, request).map_err(|error| error.to_json())
}

/// Answers a request in JSON, as [`call`] does.
///
/// # Errors
/// [`Error`]
pub fn answer_json(verb: &str, request: &[u8]) -> Result<Vec<u8>, Error> {
    in_json(verb, request)
}
