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
    /// Begins with the first bucket, for a store without entries.
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Goes on after the last entry. So many processes, one after another, fill a bucket as one would.
    pub(super) fn read(view: &impl View) -> Result<Self, StoreError> {
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
        let Some(last) = low.checked_sub(1) else { return Ok(Self::new()) };
        let len = usize::try_from(LEN).unwrap_or(usize::MAX);
        let entries = view.scan(&layout::bucket(layout::ISSUER, last), &end, len)?.len();
        let drawn = u64::try_from(entries).unwrap_or(LEN);
        Ok(Self(AtomicU64::new(u64::from(last).saturating_mul(LEN).saturating_add(drawn))))
    }

    /// Returns the bucket of the next insert.
    pub(super) fn draw(&self) -> u32 {
        let insert = self.0.fetch_add(1, Ordering::Relaxed);
        u32::try_from(insert / LEN).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Entity, TokenId,
        embedded::engine::{Batch, Engine, memory::Memory},
    };

    /// Returns the buckets of a store with the first `len` numbers as ids in each of these.
    fn after(buckets: &[(u32, u16)]) -> Buckets {
        let entry = |bucket, id: u16| {
            let (issuer, id) = (Entity::user("u1"), TokenId::new(id.to_be_bytes()).unwrap());
            (layout::entry(layout::issuer(bucket, &issuer), &id), Some(Vec::new()))
        };
        let entries = buckets.iter().flat_map(|(bucket, len)| (0..*len).map(|id| entry(*bucket, id)));
        let memory = Memory::default();
        memory.commit(entries.collect::<Batch>()).unwrap();
        Buckets::read(&memory.view().unwrap()).unwrap()
    }

    #[test]
    fn a_bucket_has_a_number_of_inserts() {
        let buckets = Buckets::new();
        let drawn: Vec<u32> = (0..2049).map(|_| buckets.draw()).collect();
        assert_eq!([drawn[0], drawn[1023], drawn[1024], drawn[2047], drawn[2048]], [0, 0, 1, 1, 2]);
    }

    #[test]
    fn an_opened_store_fills_the_last_bucket() {
        for (buckets, left, expected) in [
            (&[][..], 1024, 0),
            (&[(0, 1)], 1023, 0),
            (&[(0, 1024)], 1024, 1),
            (&[(0, 2000)], 1024, 1),
            (&[(0, 9), (5, 9), (1000, 24)], 1000, 1000),
            (&[(u32::MAX - 1, 1023)], 1, u32::MAX - 1),
        ] {
            let buckets = after(buckets);
            assert!((0..left).all(|_| buckets.draw() == expected), "{expected}");
            assert_eq!(buckets.draw(), expected + 1);
        }
        let beyond = after(&[(3, 1), (u32::MAX, 1024)]);
        assert_eq!((beyond.draw(), beyond.draw()), (u32::MAX, u32::MAX));
    }
}
