//! Random numbers that a seed repeats.

use ring::rand::{SecureRandom, SystemRandom};

use crate::failure::Failure;

/// `SplitMix64` (Steele, Lea, Flood 2014): evenly spread enough for test choices, and repeatable.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns one of `0..end`; 0 if that is empty.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    /// Returns an index into a list of this length, unless it is empty.
    pub(crate) fn index(&mut self, len: usize) -> Option<usize> {
        usize::try_from(self.next()).unwrap_or_default().checked_rem(len)
    }
}

/// Returns a random number from the system.
pub(crate) fn fresh() -> Result<u64, Failure> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Failure::underway("random"))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_does_not() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            [(); 4].map(|()| random.next())
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        assert_eq!(Random::new(7).below(0), 0);
    }
}
