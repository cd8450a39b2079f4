//! Measurements.
//!
//! - `cargo run --release -p token-bench --bin ratios`: the works W1 to W9 beside the crate `macaroon` and the floor
//!   that SHA-256 sets, and the batches B1 to B3 beside that floor.
//! - `verified`: one verification of a stored token by each store, of tokens that are accepted and refused.
//! - `scale`: how the cost of one token grows with its caveats and its length.
//! - `durable`, `shared`: an authority on stores of many records beside a bare log, and a PostgreSQL server beside bare
//!   connections.
//! - `churn`: what remains of many tokens that are minted, spent and purged.
//! - `scripts/instructions`: how many instructions W1 to W8 take, and B1 to B3 and the authority's `verify_many` one
//!   macaroon after the other, compared with the recorded counts.
//! - `cargo bench -p token-bench`: `core` mints, reads, verifies, attenuates and inspects one token; `store` inserts,
//!   gets and spends a record, by backend; `hostile` reads the worst inputs.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a measurement that cannot be set up stops"
)]

pub mod allocations;
pub mod batches;
pub mod load;
pub mod machine;
pub mod works;
