//! Listings: which keys one walks, and the cursors that lead from page to page.

use crate::{Filter, StoreError, TokenId, codec, layout};

const CHECK_LEN: usize = 8;

/// Cursors, for stores of your own.
impl Filter {
    /// A cursor for [`Page::next`](crate::Page::next), which leads to what follows `place` in the listing of this filter. The
    /// store decides what a place is: in most listings the id of the page's last record, under
    /// [`Filter::ExpiresBefore`] its expiry and its id. The empty place precedes the first record.
    ///
    /// The cursor ends with a checksum of the place and the filter, so that [`place`](Self::place) refuses one that was
    /// altered, cut short, or made for another filter. It is no signature: a caller who makes one up gets to another
    /// place of the same listing, and to no record that the filter excludes.
    ///
    /// ```
    /// use std::{collections::BTreeMap, ops::Bound};
    ///
    /// use token_store::{Entity, Filter, Page, Record, StoreError, TokenId};
    ///
    /// /// One page of an issuer's records.
    /// fn list_issuer(
    ///     all: &BTreeMap<TokenId, Record>,
    ///     issuer: &Entity,
    ///     after: Option<&[u8]>,
    ///     limit: usize,
    /// ) -> Result<Page, StoreError> {
    ///     let filter = Filter::Issuer(issuer.clone());
    ///     let place = after.map_or(Ok(&[][..]), |cursor| filter.place(cursor))?;
    ///     let from = TokenId::new(place).map_or(Bound::Unbounded, Bound::Excluded);
    ///     let rest = all.range((from, Bound::Unbounded)).map(|(_, record)| record);
    ///     let mut rest = rest.filter(|record| record.issuer == *issuer).peekable();
    ///     let records: Vec<Record> = rest.by_ref().take(limit).cloned().collect();
    ///     let last = records.last().map_or(place, |record| record.id.as_bytes());
    ///     let next = rest.peek().map(|_| filter.cursor(last));
    ///     Ok(Page { records, damaged: Vec::new(), next })
    /// }
    ///
    /// let user = |id: &str| Entity { kind: "user".into(), id: id.into() };
    /// let cursor = Filter::Issuer(user("u1")).cursor(b"an id");
    /// assert!(list_issuer(&BTreeMap::new(), &user("u1"), Some(&cursor), 10).is_ok());
    /// let other = list_issuer(&BTreeMap::new(), &user("u2"), Some(&cursor), 10);
    /// assert!(matches!(other, Err(StoreError::InvalidCursor)));
    /// ```
    #[must_use]
    pub fn cursor(&self, place: &[u8]) -> Vec<u8> {
        Listing::new(self).cursor_after(place)
    }

    /// The place that a [`cursor`](Self::cursor) of this filter was made of.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for anything else.
    pub fn place<'a>(&self, cursor: &'a [u8]) -> Result<&'a [u8], StoreError> {
        Listing::new(self).place(cursor)
    }
}

/// The walk over the keys of one filter.
///
/// A cursor holds the rest of the key that a page ended with, so that it stays good while others write, also
/// when that very record is purged, and a check that ties it to the filter.
#[derive(Clone)]
pub(crate) struct Listing {
    prefix: Vec<u8>,
    end: Vec<u8>,
    // How much of a key stands before the token id.
    token_at: usize,
}

impl Listing {
    pub(crate) fn new(filter: &Filter) -> Self {
        let prefix = match filter {
            Filter::All => layout::records(),
            Filter::Resource(resource) => layout::resource(resource),
            Filter::Issuer(issuer) => layout::issuer(issuer),
            Filter::ExpiresBefore(_) => layout::expiries(),
        };
        let (end, token_at) = match filter {
            Filter::ExpiresBefore(time) => {
                let last = layout::expiry(*time);
                let len = last.len();
                (layout::after_all(last), len)
            }
            _ => (layout::after_all(prefix.clone()), prefix.len()),
        };
        // There is an end, as no prefix is all 0xff: each begins with its part of the key space.
        Self { end: end.unwrap_or_default(), token_at, prefix }
    }

    /// The first key of the page.
    pub(crate) fn start(&self, after: Option<&[u8]>) -> Result<Vec<u8>, StoreError> {
        let Some(after) = after else { return Ok(self.prefix.clone()) };
        let rest = self.place(after)?;
        let last = [self.prefix.as_slice(), rest].concat();
        Ok(if rest.is_empty() { last } else { layout::next(last) })
    }

    /// The first key after all pages.
    pub(crate) fn end(&self) -> &[u8] {
        &self.end
    }

    /// Leads to the page after this key; to the first page if the key is empty.
    pub(crate) fn cursor(&self, key: &[u8]) -> Vec<u8> {
        self.cursor_after(key.get(self.prefix.len()..).unwrap_or_default())
    }

    fn cursor_after(&self, place: &[u8]) -> Vec<u8> {
        [place, &self.check(place)].concat()
    }

    fn place<'a>(&self, cursor: &'a [u8]) -> Result<&'a [u8], StoreError> {
        match cursor.split_last_chunk::<CHECK_LEN>() {
            Some((place, check)) if self.check(place) == *check => Ok(place),
            _ => Err(StoreError::InvalidCursor),
        }
    }

    /// What of a key comes after what all keys of the walk begin with.
    #[cfg(feature = "postgres")]
    pub(crate) fn rest<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.get(self.prefix.len()..).unwrap_or_default()
    }

    /// The token that a key is about.
    pub(crate) fn token(&self, key: &[u8]) -> Result<TokenId, StoreError> {
        layout::token(key, self.token_at)
    }

    fn check(&self, rest: &[u8]) -> [u8; CHECK_LEN] {
        codec::check(&[b"cursor", &self.prefix, &self.end, rest])
    }
}
