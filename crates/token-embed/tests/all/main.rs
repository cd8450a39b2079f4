//! The tests of the documents. `cases.json` and the vectors of token-test are what every shell runs too.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests, whose helpers are outside of test functions"
)]

#[cfg(feature = "authority")]
mod authority;
mod cases;
mod errors;
mod hostile;
mod people;
#[cfg(feature = "keys")]
mod seal;
mod vectors;

use serde_json::Value;

/// Calls a verb. The error is the document.
fn call(verb: &str, request: &Value) -> Result<Value, Value> {
    let answer = token_embed::call(verb, &serde_json::to_vec(request).unwrap());
    let document = |json: Vec<u8>| serde_json::from_slice(&json).unwrap();
    answer.map(document).map_err(document)
}
