//! token-core from outside.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod caveat;
mod fingerprint;
mod formats;
mod hosts;
mod identifier;
mod provider;
mod secret;
mod text;
mod verify;
