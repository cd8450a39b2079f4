//! The cursors of listings, from page to page.

use std::fmt;

use super::codec::{self, CHECK_LEN};
use crate::{Entity, Filter, Generations, StoreError};

/// A place in a listing, from which the next page goes on: [`Page::next`](crate::Page::next) and its like. It fits the
/// listing that it came from, on the same store, and stays valid while others write.
///
/// It ends with a checksum of the place and the listing, so that a store refuses a cursor that was altered, cut short,
/// or made for another listing. The checksum is not a signature. A caller who forges a cursor gets to another place of
/// the same listing, and to nothing that the listing excludes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// Returns the bytes, to store or to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn new(listing: &[&[u8]], place: &[u8]) -> Self {
        Self([place, &check(listing, place)].concat())
    }

    fn place(&self, listing: &[&[u8]]) -> Result<&[u8], StoreError> {
        match self.0.split_last_chunk::<CHECK_LEN>() {
            Some((place, found)) if check(listing, place) == *found => Ok(place),
            _ => Err(StoreError::InvalidCursor),
        }
    }
}

/// Takes any bytes; the call that gets the cursor checks them.
impl From<Vec<u8>> for Cursor {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0.escape_ascii())
    }
}

// Ties a place to its listing.
fn check(listing: &[&[u8]], place: &[u8]) -> [u8; CHECK_LEN] {
    codec::check(&[[b"cursor".as_slice(), place].as_slice(), listing].concat())
}

/// Cursors, for stores of your own.
impl Filter {
    /// Makes a cursor for [`Page::next`](crate::Page::next), which leads to the records after `place` in the listing of
    /// this filter. The store defines the places. In most listings a place is the id of the page's last record; under
    /// [`Filter::ExpiresBefore`] it is its expiry and its id. The empty place precedes the first record.
    ///
    /// ```
    /// use std::{collections::BTreeMap, ops::Bound};
    ///
    /// use token_store::{Cursor, Entity, Filter, Page, Record, StoreError, TokenId};
    ///
    /// /// One page of an issuer's records.
    /// fn list_issuer(
    ///     all: &BTreeMap<TokenId, Record>,
    ///     issuer: &Entity,
    ///     after: Option<&Cursor>,
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
    pub fn cursor(&self, place: &[u8]) -> Cursor {
        self.listed(|listing| Cursor::new(listing, place))
    }

    /// Returns the place that a [`cursor`](Self::cursor) of this filter was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for any other cursor.
    pub fn place<'a>(&self, cursor: &'a Cursor) -> Result<&'a [u8], StoreError> {
        self.listed(|listing| cursor.place(listing))
    }

    // Calls with the parts that name this listing and no other.
    fn listed<T>(&self, call: impl FnOnce(&[&[u8]]) -> T) -> T {
        match self {
            Self::All => call(&[b"all"]),
            Self::Resource(Entity { kind, id }) => call(&[b"resource", kind.as_bytes(), id.as_bytes()]),
            Self::Issuer(Entity { kind, id }) => call(&[b"issuer", kind.as_bytes(), id.as_bytes()]),
            Self::ExpiresBefore(time) => call(&[b"expires", &time.as_secs().to_be_bytes()]),
        }
    }
}

/// Cursors, for stores of your own.
impl Generations {
    /// Makes a cursor for [`Generations::next`], which leads to the generations after `place`. The store defines the
    /// places. The empty place precedes the first generation.
    #[must_use]
    pub fn cursor(place: &[u8]) -> Cursor {
        Cursor::new(&[b"generations"], place)
    }

    /// Returns the place that a [`cursor`](Self::cursor) was made from.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`] for a cursor of another listing.
    pub fn place(cursor: &Cursor) -> Result<&[u8], StoreError> {
        cursor.place(&[b"generations"])
    }
}
