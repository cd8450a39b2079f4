//! The source of an authority's ids and secrets.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::Failure;

/// Fills a buffer with random bytes.
pub(crate) type Random = Box<dyn Fn(&mut [u8]) -> Result<(), Failure> + Send + Sync>;

/// Fills the buffer with the operating system's random bytes.
pub(crate) fn system(bytes: &mut [u8]) -> Result<(), Failure> {
    SystemRandom::new().fill(bytes).map_err(|_| Failure::Random)
}
