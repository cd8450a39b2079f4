//! Listings: walks over the keys of one filter, or over the generations.

use super::{
    engine::{Pair, View},
    layout,
};
use crate::{Cursor, Filter, Generations, StoreError, TokenId, contract::report::add};

/// The number of pairs that a walk reads at a time.
pub(crate) const PAGE: usize = 1024;

/// The number of pairs that a listing of records reads at a time.
const AT_ONCE: usize = 32;

/// A listing. The place of a cursor is the rest of the last key of a page. So a cursor stays valid while others write,
/// even if that very record is purged.
pub(crate) struct Listing {
    // `None` for the generations.
    filter: Option<Filter>,
    prefix: Vec<u8>,
    end: Vec<u8>,
    // The position of the token id in a key.
    token_at: usize,
    // Whether the keys stand in buckets. Then `prefix` is that of the first.
    has_buckets: bool,
}

impl Listing {
    pub(crate) fn new(filter: &Filter) -> Self {
        let prefix = match filter {
            Filter::All => layout::RECORDS.to_vec(),
            Filter::Resource(resource) => layout::resource(0, resource),
            Filter::Issuer(issuer) => layout::issuer(0, issuer),
            Filter::Name(issuer, name) => layout::name(issuer, name),
            Filter::ExpiresBefore(_) => layout::EXPIRIES.to_vec(),
        };
        let last = match filter {
            Filter::ExpiresBefore(time) => layout::expiry(*time),
            Filter::Resource(_) => vec![layout::RESOURCE],
            Filter::Issuer(_) => vec![layout::ISSUER],
            _ => prefix.clone(),
        };
        let has_buckets = matches!(filter, Filter::Resource(_) | Filter::Issuer(_));
        let token_at = prefix.len().max(last.len());
        Self { filter: Some(filter.clone()), token_at, end: layout::after_all(&last), has_buckets, prefix }
    }

    pub(crate) fn generations() -> Self {
        let prefix = layout::GENERATIONS.to_vec();
        let (token_at, end) = (prefix.len(), layout::after_all(&prefix));
        Self { filter: None, token_at, end, has_buckets: false, prefix }
    }

    /// Returns the pairs of the page after this cursor, and the cursor to the next page.
    pub(crate) fn page(
        &self,
        view: &impl View,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Pair>, Option<Cursor>), StoreError> {
        let place = |after| match &self.filter {
            Some(filter) => filter.place(after),
            None => Generations::place(after),
        };
        let from = match after.map(place).transpose()? {
            None | Some([]) => self.prefix.clone(),
            Some(place) => layout::next(self.key_at(place)?),
        };
        // One more than requested, to detect the last page.
        let mut pairs = self.scan(view, from, limit.saturating_add(1))?;
        let more = pairs.len() > limit;
        pairs.truncate(limit);
        let next = more.then(|| match (pairs.last(), after) {
            (Some((key, _)), _) => self.after(key),
            (None, Some(after)) => after.clone(),
            (None, None) => self.cursor(&[]),
        });
        Ok((pairs, next))
    }

    // Returns the first `limit` pairs of the listing from a key on.
    fn scan(&self, view: &impl View, mut from: Vec<u8>, limit: usize) -> Result<Vec<Pair>, StoreError> {
        if self.has_buckets {
            return self.scan_buckets(view, from, limit);
        }
        if !self.is_of_records() {
            return view.scan(&from, &self.end, limit);
        }
        let mut records = Vec::new();
        while records.len() < limit {
            let wanted = limit.saturating_sub(records.len()).min(AT_ONCE);
            let pairs = view.scan(&from, &self.end, wanted)?;
            let Some((last, _)) = pairs.last() else { break };
            // A record may have many claims, of which few are read.
            from = match layout::token_of(last) {
                Some(id) => layout::after_all(&layout::claims(&id)),
                None => layout::next(last.clone()),
            };
            records.extend(pairs.into_iter().filter(|(key, _)| layout::claim_of(key).is_none()));
        }
        Ok(records)
    }

    fn scan_buckets(
        &self,
        view: &impl View,
        mut from: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        let mut pairs = Vec::new();
        while let Some((bucket, _)) = layout::split_bucket(&from) {
            let end = layout::after_all(&self.in_bucket(bucket));
            pairs.extend(view.scan(&from, &end, limit.saturating_sub(pairs.len()))?);
            let (false, Some(next)) = (pairs.len() >= limit, bucket.checked_add(1)) else { break };
            // The next bucket with entries, of any entity.
            let next = layout::bucket(self.space(), next);
            let Some((found, _)) = view.scan(&next, &self.end, 1)?.pop() else { break };
            let Some((bucket, _)) = layout::split_bucket(&found) else { break };
            from = self.in_bucket(bucket);
        }
        Ok(pairs)
    }

    // Returns the prefix in a bucket.
    fn in_bucket(&self, bucket: u32) -> Vec<u8> {
        let rest = layout::split_bucket(&self.prefix).map_or(&[][..], |(_, rest)| rest);
        [&layout::bucket(self.space(), bucket), rest].concat()
    }

    fn space(&self) -> u8 {
        self.prefix.first().copied().unwrap_or_default()
    }

    /// Returns the cursor to the page after this key.
    pub(crate) fn after(&self, key: &[u8]) -> Cursor {
        let rest = key.get(self.prefix.len()..).unwrap_or_default();
        match layout::split_bucket(key) {
            Some((bucket, _)) if self.has_buckets => self.cursor(&[&bucket.to_be_bytes()[..], rest].concat()),
            _ => self.cursor(rest),
        }
    }

    // Returns the key at the place of a cursor.
    fn key_at(&self, place: &[u8]) -> Result<Vec<u8>, StoreError> {
        if !self.has_buckets {
            return Ok([&self.prefix, place].concat());
        }
        let (bucket, rest) = place.split_first_chunk().ok_or(StoreError::InvalidCursor)?;
        Ok([&self.in_bucket(u32::from_be_bytes(*bucket)), rest].concat())
    }

    fn cursor(&self, place: &[u8]) -> Cursor {
        match &self.filter {
            Some(filter) => filter.cursor(place),
            None => Generations::cursor(place),
        }
    }

    /// Returns whether the keys are those of the records themselves.
    pub(crate) const fn is_of_records(&self) -> bool {
        matches!(self.filter, Some(Filter::All))
    }

    /// Returns the token of a key.
    pub(crate) fn token(&self, key: &[u8]) -> Result<TokenId, StoreError> {
        match self.is_of_records() {
            // A damaged key is named by its bytes. The check of its value, which covers the key, refuses the record.
            true => layout::record_of(key)
                .or_else(|| TokenId::new(key.get(1..key.len().min(TokenId::MAX_LEN))?).ok())
                .ok_or(StoreError::Corrupt { what: "the key of a record" }),
            false => layout::token(key, self.token_at),
        }
    }
}

/// Counts the pairs under a prefix.
pub(crate) fn count(
    prefix: &[u8],
    scan: impl Fn(&[u8], &[u8]) -> Result<Vec<Pair>, StoreError>,
) -> Result<u64, StoreError> {
    let mut count = 0;
    each(prefix, scan, |_| {
        add(&mut count, 1);
        Ok(())
    })?;
    Ok(count)
}

/// Visits every pair under a prefix, page by page, as `scan` returns them.
pub(crate) fn each(
    prefix: &[u8],
    scan: impl Fn(&[u8], &[u8]) -> Result<Vec<Pair>, StoreError>,
    mut see: impl FnMut(&Pair) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut from, end) = (prefix.to_vec(), layout::after_all(prefix));
    loop {
        let pairs = scan(&from, &end)?;
        pairs.iter().try_for_each(&mut see)?;
        match pairs.into_iter().next_back() {
            Some((last, _)) => from = layout::next(last),
            None => return Ok(()),
        }
    }
}
