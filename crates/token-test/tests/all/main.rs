//! Both crates against vectors, oracles, peers and hostile input.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api_documents;
mod batch;
mod compat;
mod ctool;
mod discharges;
mod fuzz_corpus;
mod hmac;
mod hostile;
mod laws;
mod macaroons;
mod onedata;
mod oracle;
mod peer;
mod peers;
mod properties;
mod strategies;
mod support;
mod vectors;
