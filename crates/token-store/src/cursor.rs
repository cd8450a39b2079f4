//! Listings: the keys that a listing walks, and the cursors from page to page.

use crate::{Filter, StoreError, TokenId, codec, layout};

const CHECK_LEN: usize = 8;

/// Cursors, for stores of your own.
impl Filter {
    /// Makes a cursor for [`Page::next`](crate::Page::next), which leads to the records after `place` in the listing of
    /// this filter. The store defines the places. In most listings a place is the id of the page's last record; under
    /// [`Filter::ExpiresBefore`] it is its expiry and its id. The empty place precedes the first record.
    ///
    /// The cursor ends with a checksum of the place and the filter, so that [`place`](Self::place) refuses a cursor
    /// that was altered, cut short, or made for another filter. The checksum is not a signature. A caller who forges a
    /// cursor gets to another place of the same listing, and to no record that the filter excludes.
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

    /// Returns the place that a [`cursor`](Self::cursor) of this filter was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for any other bytes.
    pub fn place<'a>(&self, cursor: &'a [u8]) -> Result<&'a [u8], StoreError> {
        Listing::new(self).place(cursor)
    }
}

/// A walk over the keys of one filter.
///
/// A cursor holds the rest of the last key of a page, and a check that ties it to the filter. So it stays valid while
/// others write, even if that very record is purged.
#[derive(Clone)]
pub(crate) struct Listing {
    prefix: Vec<u8>,
    end: Vec<u8>,
    // The position of the token id in a key.
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
        // There is an end, since no prefix is all 0xff: each begins with the byte of its part of the key space.
        Self { end: end.unwrap_or_default(), token_at, prefix }
    }

    /// Returns the first key of the page.
    pub(crate) fn start(&self, after: Option<&[u8]>) -> Result<Vec<u8>, StoreError> {
        let Some(after) = after else { return Ok(self.prefix.clone()) };
        let rest = self.place(after)?;
        let last = [self.prefix.as_slice(), rest].concat();
        Ok(if rest.is_empty() { last } else { layout::next(last) })
    }

    /// Returns the first key after all pages.
    pub(crate) fn end(&self) -> &[u8] {
        &self.end
    }

    /// Makes the cursor to the page after this key; to the first page if the key is empty.
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

    /// Returns the rest of a key after the prefix of the walk.
    #[cfg(feature = "postgres")]
    pub(crate) fn rest<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.get(self.prefix.len()..).unwrap_or_default()
    }

    /// Returns the token of a key.
    pub(crate) fn token(&self, key: &[u8]) -> Result<TokenId, StoreError> {
        layout::token(key, self.token_at)
    }

    fn check(&self, rest: &[u8]) -> [u8; CHECK_LEN] {
        codec::check(&[b"cursor", &self.prefix, &self.end, rest])
    }
}
