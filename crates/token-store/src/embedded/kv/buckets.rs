//! The buckets of the indexes by resource and issuer.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{StoreError, embedded::engine::View, embedded::layout};

/// The number of inserts in a bucket. With fewer, a listing has more buckets to seek in; with more, the entries of one
/// commit are spread over more pages.
const LEN: u64 = 1024;

/// Draws the bucket of each insert.
///
/// The numbers serve speed alone. If a bucket gets more inserts, or fewer because some fail, no answer changes.
pub(super) struct Buckets(AtomicU64);

impl Buckets {
    /// Begins with this bucket.
    pub(super) fn from(first: u32) -> Self {
        Self(AtomicU64::new(u64::from(first).saturating_mul(LEN)))
    }

    /// Returns the bucket of the next insert.
    pub(super) fn draw(&self) -> u32 {
        let insert = self.0.fetch_add(1, Ordering::Relaxed);
        u32::try_from(insert / LEN).unwrap_or(u32::MAX)
    }
}

/// Returns the bucket after the last that has entries.
pub(super) fn free(view: &impl View) -> Result<u32, StoreError> {
    // Every record has an issuer. The first bucket from which on there is none is found by halving.
    let end = layout::after_all(&[layout::ISSUER]);
    let (mut low, mut high) = (0_u32, u32::MAX);
    while low < high {
        let middle = low.midpoint(high);
        match view.scan(&layout::bucket(layout::ISSUER, middle), &end, 1)?.is_empty() {
            true => high = middle,
            false => low = middle.saturating_add(1),
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Entity, TokenId,
        embedded::engine::{Batch, Engine, memory::Memory},
    };

    #[test]
    fn a_bucket_has_a_number_of_inserts() {
        let buckets = Buckets::from(7);
        let drawn: Vec<u32> = (0..2049).map(|_| buckets.draw()).collect();
        assert_eq!([drawn[0], drawn[1023], drawn[1024], drawn[2047], drawn[2048]], [7, 7, 8, 8, 9]);
        assert_eq!(Buckets::from(u32::MAX).draw(), u32::MAX);
    }

    #[test]
    fn the_free_bucket_is_past_the_last() {
        let entry = |bucket| {
            let (issuer, id) = (Entity::user("u1"), TokenId::new([1]).unwrap());
            (layout::entry(layout::issuer(bucket, &issuer), &id), Some(Vec::new()))
        };
        for (buckets, expected) in [
            (&[][..], 0),
            (&[0], 1),
            (&[1], 2),
            (&[0, 5, 1000], 1001),
            (&[u32::MAX - 1], u32::MAX),
            (&[3, u32::MAX], u32::MAX),
        ] {
            let memory = Memory::default();
            memory.commit(&buckets.iter().copied().map(entry).collect::<Batch>()).unwrap();
            assert_eq!(free(&memory.view().unwrap()).unwrap(), expected);
        }
    }
}
