//! Mint, attenuate, verify and inspect macaroon tokens. Pure: no I/O, no clock, no randomness, no global state.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod mac;
mod secret;
mod time;

pub use mac::Signature;
pub use secret::{RootKey, ShortSecret};
pub use time::UnixTime;
