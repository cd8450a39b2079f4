//! Listing, page by page.

use token_core::UnixTime;

use super::{
    PostgresStore,
    error::Failure,
    kind::{Repeat, Stored, bigint, get},
    session::{Parameter, Session},
};
use crate::{
    Cursor, Filter, Page, Record, StoreError, TokenId, embedded::layout, embedded::listing::Listing,
};

/// A record that a listing has found.
pub(super) struct Found {
    pub(super) id: TokenId,
    expires: i64,
    /// [`StoreError::Corrupt`] if the record is damaged.
    pub(super) record: Result<Record, StoreError>,
}

/// The records that a filter matches, from a cursor on.
#[derive(Clone)]
pub(super) struct Walk {
    filter: Filter,
    // The first key, without the prefix that all keys of the listing share.
    from: Vec<u8>,
    limit: i64,
}

impl Walk {
    // Reads one record more than the limit: it shows whether there is another page.
    pub(super) fn new(filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Self, StoreError> {
        let listing = Listing::new(filter);
        let from = listing.rest(&listing.start(after)?).to_vec();
        let limit = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        Ok(Self { filter: filter.clone(), from, limit })
    }

    /// Returns the records, with one more than the limit if there is one.
    pub(super) async fn records(&self, session: &Session) -> Result<Vec<Found>, Failure> {
        macro_rules! sql {
            ($filter:literal, $order:literal) => {
                concat!(
                    "SELECT t.id, coalesce(t.expires, 0), t.record, t.uses, ",
                    "t.revoked OR t.created < (SELECT s.revoke_before FROM onetoken.store s) ",
                    "FROM onetoken.tokens t WHERE ",
                    $filter,
                    " ORDER BY ",
                    $order,
                    " LIMIT $1::bigint"
                )
            };
        }
        let (from, limit) = (self.from.as_slice(), &self.limit as Parameter<'_>);
        let rows = match &self.filter {
            Filter::All => session.query(sql!("t.id >= $2::bytea", "t.id"), &[limit, &from]).await?,
            Filter::Resource(resource) => {
                let sql = sql!("t.resource = $2::bytea AND t.id >= $3::bytea", "t.id");
                session.query(sql, &[limit, &layout::resource(resource), &from]).await?
            }
            Filter::Issuer(issuer) => {
                let sql = sql!("t.issuer = $2::bytea AND t.id >= $3::bytea", "t.id");
                session.query(sql, &[limit, &layout::issuer(issuer), &from]).await?
            }
            Filter::ExpiresBefore(time) => {
                let (expires, id) = match from.split_first_chunk() {
                    Some((expires, id)) => (bigint(u64::from_be_bytes(*expires)), id),
                    None => (0, from),
                };
                let sql = sql!(
                    "t.expires <= $2::bigint AND (t.expires, t.id) >= ($3::bigint, $4::bytea)",
                    "t.expires, t.id"
                );
                session.query(sql, &[limit, &bigint(time.as_secs()), &expires, &id]).await?
            }
        };
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = TokenId::new(get::<&[u8]>(row, 0)?);
            let id = id.map_err(|_| StoreError::Corrupt { what: "the id of a record" })?;
            let record = match Stored::read(row, 2).and_then(|stored| stored.record(id.clone())) {
                Err(error @ StoreError::Corrupt { .. }) => Err(error),
                record => Ok(record?),
            };
            records.push(Found { id, expires: get(row, 1)?, record });
        }
        Ok(records)
    }
}

/// Cuts what a walk found to the limit. Returns the cursor of the next page with it.
pub(super) fn page(
    mut found: Vec<Found>,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: usize,
) -> (Vec<Found>, Option<Cursor>) {
    let listing = Listing::new(filter);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = more.then(|| match found.last() {
        Some(last) => listing.cursor(&key(filter, last)),
        None => after.cloned().unwrap_or_else(|| listing.cursor(&[])),
    });
    (found, next)
}

pub(super) fn list(
    store: &PostgresStore,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let walk = Walk::new(filter, after, limit)?;
    let found = store.run(&store.0.administration, Repeat::Reads, move |session| {
        let walk = walk.clone();
        Box::pin(async move { walk.records(session).await })
    })?;
    let (found, next) = page(found, filter, after, limit);
    let mut page = Page { records: Vec::new(), damaged: Vec::new(), next };
    for Found { id, record, .. } in found {
        match record {
            Ok(record) => page.records.push(record),
            Err(_) => page.damaged.push(id),
        }
    }
    Ok(page)
}

// The record's key in the listing.
fn key(filter: &Filter, found: &Found) -> Vec<u8> {
    let prefix = match filter {
        Filter::All => layout::records(),
        Filter::Resource(resource) => layout::resource(resource),
        Filter::Issuer(issuer) => layout::issuer(issuer),
        Filter::ExpiresBefore(_) => layout::expiry(UnixTime::from_secs(found.expires.unsigned_abs())),
    };
    layout::entry(prefix, &found.id)
}
