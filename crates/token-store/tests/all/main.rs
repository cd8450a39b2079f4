//! The stores of one process against the contract: behavior, damage, places and secrecy.
//!
//! No test here starts a process: until it executes its program, a child holds the locks of the other tests' stores.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod backends;
mod broken;
mod cached;
mod damage;
mod model;
mod places;
mod sealed;
