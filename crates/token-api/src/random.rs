//! The source of an authority's ids and secrets.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::Failure;

/// The operating system's random bytes, or a test's with the feature `test-random`.
pub(crate) enum Random {
    System(SystemRandom),
    #[cfg(feature = "test-random")]
    Test(std::sync::Mutex<TestRandom>),
}

/// Fills with bytes that a test knows in advance.
#[cfg(feature = "test-random")]
pub(crate) type TestRandom = Box<dyn FnMut(&mut [u8]) + Send>;

impl Random {
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), Failure> {
        match self {
            Self::System(random) => random.fill(bytes).map_err(|_| Failure::Random),
            #[cfg(feature = "test-random")]
            Self::Test(random) => {
                random.lock().unwrap_or_else(std::sync::PoisonError::into_inner)(bytes);
                Ok(())
            }
        }
    }
}
