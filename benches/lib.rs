//! Measurements.
//!
//! - `cargo run --release -p token-bench --bin ratios`: the works W1 to W9 beside the crate `macaroon` and the floor
//!   that SHA-256 sets.
//! - `scripts/instructions`: how many instructions W1 to W8 take, compared with what is recorded.
//! - `cargo bench -p token-bench`: `core`, minting, reading, verifying, attenuating and inspecting one token; `store`,
//!   keeping, finding and spending a record, by backend; `hostile`, the worst that a text can do to its reader.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a measurement that cannot be set up stops"
)]

pub mod allocations;
pub mod works;
