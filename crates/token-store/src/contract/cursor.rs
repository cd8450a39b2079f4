//! The cursors of listings, from page to page.

use super::codec::{self, CHECK_LEN};
use crate::{Entity, Filter, StoreError};

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
        [place, &self.check(place)].concat()
    }

    /// Returns the place that a [`cursor`](Self::cursor) of this filter was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for any other bytes.
    pub fn place<'a>(&self, cursor: &'a [u8]) -> Result<&'a [u8], StoreError> {
        match cursor.split_last_chunk::<CHECK_LEN>() {
            Some((place, check)) if self.check(place) == *check => Ok(place),
            _ => Err(StoreError::InvalidCursor),
        }
    }

    // Ties a place to this filter.
    fn check(&self, place: &[u8]) -> [u8; CHECK_LEN] {
        let check =
            |name: &[u8], first: &[u8], second: &[u8]| codec::check(&[b"cursor", name, first, second, place]);
        match self {
            Self::All => check(b"all", b"", b""),
            Self::Resource(Entity { kind, id }) => check(b"resource", kind.as_bytes(), id.as_bytes()),
            Self::Issuer(Entity { kind, id }) => check(b"issuer", kind.as_bytes(), id.as_bytes()),
            Self::ExpiresBefore(time) => check(b"expires", &time.as_secs().to_be_bytes(), b""),
        }
    }
}
