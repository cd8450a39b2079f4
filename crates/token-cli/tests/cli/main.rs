//! Runs the program itself, and checks its output and exit code.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that finds something else fails"
)]

mod adopt;
mod answers;
mod golden;
mod help;
mod hostile;
mod inspect;
mod keys;
mod moving;
#[cfg(feature = "postgres")]
mod postgres;
mod races;
mod raw;
mod records;
mod requests;
mod run;
mod scan;
mod store;
#[cfg(target_os = "linux")]
mod terminal;
mod third_party;
mod upkeep;
