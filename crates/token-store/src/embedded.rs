//! The embedded stores: the contract, implemented once over an ordered map of bytes, and the engines that are such maps.

mod backends;
mod copy;
mod engine;
pub(crate) mod kv;
pub(crate) mod layout;
pub(crate) mod listing;
mod place;
mod queue;

pub use backends::MemoryStore;
#[cfg(feature = "redb")]
pub use backends::RedbStore;
#[cfg(feature = "sled")]
pub use backends::SledStore;
pub(crate) use backends::forward;
