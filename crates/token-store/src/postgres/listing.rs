//! Listing, page by page.

use super::{
    PostgresStore,
    error::Failure,
    kind::{Stored, bigint, get},
    session::{Parameter, Session},
};
use crate::{Filter, Page, Record, StoreError, TokenId, cursor::Listing, layout};

/// The records of a filter from some point on.
#[derive(Clone)]
pub(super) struct Walk {
    filter: Filter,
    // What of the first key comes after what all keys of the listing begin with.
    from: Vec<u8>,
    limit: i64,
}

impl Walk {
    // Of one more than asked for, the last tells that there is another page.
    pub(super) fn new(filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Self, StoreError> {
        let listing = Listing::new(filter);
        let from = listing.rest(&listing.start(after)?).to_vec();
        let limit = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        Ok(Self { filter: filter.clone(), from, limit })
    }

    /// The records, and one more than were asked for if there is one.
    pub(super) async fn records(&self, session: &Session) -> Result<Vec<Record>, Failure> {
        macro_rules! sql {
            ($filter:literal, $order:literal) => {
                concat!(
                    "SELECT t.id, t.record, t.uses, t.revoked OR t.created < s.void_before ",
                    "FROM onetoken.tokens t CROSS JOIN onetoken.store s WHERE ",
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
            records.push(Stored::read(row, 1)?.record(id)?);
        }
        Ok(records)
    }
}

/// Of the records that a walk gave, those that were asked for, and where the next page begins.
pub(super) fn page(
    mut records: Vec<Record>,
    filter: &Filter,
    after: Option<&[u8]>,
    limit: usize,
) -> (Vec<Record>, Option<Vec<u8>>) {
    let listing = Listing::new(filter);
    let more = records.len() > limit;
    records.truncate(limit);
    let next = more.then(|| match records.last() {
        Some(record) => listing.cursor(&key(filter, record)),
        None => after.map_or_else(|| listing.cursor(&[]), <[u8]>::to_vec),
    });
    (records, next)
}

pub(super) fn list(
    store: &PostgresStore,
    filter: &Filter,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page, StoreError> {
    let walk = Walk::new(filter, after, limit)?;
    let records = store.run(&store.0.administration, true, move |session| {
        let walk = walk.clone();
        Box::pin(async move { walk.records(session).await })
    })?;
    let (records, next) = page(records, filter, after, limit);
    Ok(Page { records, next })
}

// The key under which the listing has a record.
fn key(filter: &Filter, record: &Record) -> Vec<u8> {
    let prefix = match filter {
        Filter::All => layout::records(),
        Filter::Resource(resource) => layout::resource(resource),
        Filter::Issuer(issuer) => layout::issuer(issuer),
        Filter::ExpiresBefore(_) => record.expires.map(layout::expiry).unwrap_or_default(),
    };
    layout::entry(prefix, &record.id)
}
