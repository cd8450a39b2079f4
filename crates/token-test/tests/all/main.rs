//! Both crates against vectors, oracles, peers and hostile input.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api_documents;
mod compat;
mod discharges;
mod fuzz_corpus;
mod hmac;
mod hostile;
mod laws;
mod macaroons;
mod onedata;
mod oracle;
mod peers;
mod properties;
mod support;
mod vectors;
