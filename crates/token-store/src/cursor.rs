//! Listings: which keys one walks, and the cursors that lead from page to page.

use crate::{Filter, StoreError, TokenId, codec, layout};

const CHECK_LEN: usize = 8;

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
        let (rest, check) = after.split_last_chunk::<CHECK_LEN>().ok_or(StoreError::InvalidCursor)?;
        if self.check(rest) != *check {
            return Err(StoreError::InvalidCursor);
        }
        let last = [self.prefix.as_slice(), rest].concat();
        Ok(if rest.is_empty() { last } else { layout::next(last) })
    }

    /// The first key after all pages.
    pub(crate) fn end(&self) -> &[u8] {
        &self.end
    }

    /// Leads to the page after this key; to the first page if the key is empty.
    pub(crate) fn cursor(&self, key: &[u8]) -> Vec<u8> {
        let rest = key.get(self.prefix.len()..).unwrap_or_default();
        [rest, &self.check(rest)].concat()
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
