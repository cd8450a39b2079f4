//! The cursors of listings, from page to page.

use std::fmt;

use super::codec::{self, CHECK_LEN};
use crate::StoreError;

/// A place in a listing, at which the next page begins: for example [`Page::next`](crate::Page::next). It is valid for
/// the listing that it came from, on the same store, and stays valid while others write.
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

    pub(super) fn new(listing: &[&[u8]], place: &[u8]) -> Self {
        Self([place, &check(listing, place)].concat())
    }

    pub(super) fn place(&self, listing: &[&[u8]]) -> Result<&[u8], StoreError> {
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
