//! Listings: the keys that a listing walks.

use super::layout;
use crate::{Cursor, Filter, StoreError, TokenId};

/// A walk over the keys of one filter.
///
/// The place of a cursor is the rest of the last key of a page. So a cursor stays valid while others write, even if that
/// very record is purged.
#[derive(Clone)]
pub(crate) struct Listing {
    filter: Filter,
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
        Self { filter: filter.clone(), end: end.unwrap_or_default(), token_at, prefix }
    }

    /// Returns the first key of the page.
    pub(crate) fn start(&self, after: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
        let Some(after) = after else { return Ok(self.prefix.clone()) };
        let rest = self.filter.place(after)?;
        let last = [self.prefix.as_slice(), rest].concat();
        Ok(if rest.is_empty() { last } else { layout::next(last) })
    }

    /// Returns the first key after all pages.
    pub(crate) fn end(&self) -> &[u8] {
        &self.end
    }

    /// Makes the cursor to the page after this key; to the first page if the key is empty.
    pub(crate) fn cursor(&self, key: &[u8]) -> Cursor {
        self.filter.cursor(key.get(self.prefix.len()..).unwrap_or_default())
    }

    /// Returns the token of a key.
    pub(crate) fn token(&self, key: &[u8]) -> Result<TokenId, StoreError> {
        layout::token(key, self.token_at)
    }
}
