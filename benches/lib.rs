//! Measurements: `cargo bench -p token-bench`.
//!
//! - `core`: minting, reading, verifying, attenuating and inspecting one token.
//! - `store`: keeping, finding and spending a record, by backend.
//! - `hostile`: the worst that a text can do to its reader.
