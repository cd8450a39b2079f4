//! The embedded stores: the contract, implemented once over an ordered map of bytes, and the engines that are such maps.

mod backends;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    allow(dead_code, reason = "only what is on disk needs all of it")
)]
mod copy;
mod engine;
pub(crate) mod kv;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    allow(dead_code, reason = "only what is on disk needs all of it")
)]
pub(crate) mod layout;
pub(crate) mod listing;
#[cfg(any(feature = "redb", feature = "sled"))]
mod place;
mod queue;

pub use backends::MemoryStore;
#[cfg(feature = "redb")]
pub use backends::RedbStore;
#[cfg(feature = "sled")]
pub use backends::SledStore;
