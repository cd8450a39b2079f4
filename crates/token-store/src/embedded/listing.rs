//! Listings: walks over the keys of one filter, or over the generations.

use super::{
    engine::{Pair, View},
    layout,
};
use crate::{Cursor, Filter, Generations, StoreError, TokenId, contract::report::add};

/// The number of pairs that a walk reads at a time.
pub(crate) const PAGE: usize = 1024;

/// A listing. The place of a cursor is the rest of the last key of a page. So a cursor stays valid while others write,
/// even if that very record is purged.
pub(crate) struct Listing {
    // `None` for the generations.
    filter: Option<Filter>,
    prefix: Vec<u8>,
    end: Vec<u8>,
    // The position of the token id in a key.
    token_at: usize,
}

impl Listing {
    pub(crate) fn new(filter: &Filter) -> Self {
        let prefix = match filter {
            Filter::All => layout::RECORDS.to_vec(),
            Filter::Resource(resource) => layout::resource(resource),
            Filter::Issuer(issuer) => layout::issuer(issuer),
            Filter::Name(issuer, name) => layout::name(issuer, name),
            Filter::ExpiresBefore(_) => layout::EXPIRIES.to_vec(),
        };
        let last = match filter {
            Filter::ExpiresBefore(time) => layout::expiry(*time),
            _ => prefix.clone(),
        };
        Self { filter: Some(filter.clone()), token_at: last.len(), end: layout::after_all(&last), prefix }
    }

    pub(crate) fn generations() -> Self {
        let prefix = layout::GENERATIONS.to_vec();
        Self { filter: None, token_at: prefix.len(), end: layout::after_all(&prefix), prefix }
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
            Some(place) => layout::next([&self.prefix, place].concat()),
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
        if !self.is_of_records() {
            return view.scan(&from, &self.end, limit);
        }
        let mut records = Vec::new();
        while records.len() < limit {
            let pairs = view.scan(&from, &self.end, limit.saturating_sub(records.len()))?;
            let Some((last, _)) = pairs.last() else { break };
            // A record may have many claims, which are not read.
            from = match layout::token_of(last) {
                Some(id) => layout::after_all(&layout::claims(&id)),
                None => layout::next(last.clone()),
            };
            records.extend(pairs.into_iter().filter(|(key, _)| layout::claim_of(key).is_none()));
        }
        Ok(records)
    }

    /// Returns the cursor to the page after this key.
    pub(crate) fn after(&self, key: &[u8]) -> Cursor {
        self.cursor(key.get(self.prefix.len()..).unwrap_or_default())
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
            true => layout::record_of(key).ok_or(StoreError::Corrupt { what: "the key of a record" }),
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
