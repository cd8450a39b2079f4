//! Listing, page by page.

use token_store::{Cursor, Filter, Page, StoreError, TokenId, kit};

use crate::{
    error::Failure,
    kind::{Stored, bigint, get, stored},
    session::{Parameter, Session},
};

/// One page of the records that a filter matches.
pub(crate) struct Listing {
    filter: Filter,
    // The place of the last record before the page: its id, with its expiry before it if the filter orders by that.
    place: Vec<u8>,
    limit: usize,
}

impl Listing {
    /// A page from after the cursor's place on, or the first. `InvalidCursor` for a cursor of another listing.
    pub(crate) fn new(filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Self, StoreError> {
        let place = after.map_or(Ok(&[][..]), |cursor| filter.place(cursor))?.to_vec();
        Ok(Self { filter: filter.clone(), place, limit })
    }

    /// Leads to this page.
    pub(crate) fn start(&self) -> Cursor {
        self.filter.cursor(&self.place)
    }

    /// Reads the page. A damaged record is listed by its id, and is no error.
    pub(crate) async fn page(&self, session: &Session) -> Result<Page, Failure> {
        macro_rules! sql {
            ($filter:literal, $order:literal) => {
                concat!(
                    "SELECT t.id, coalesce(t.expires, 0), ",
                    stored!(),
                    " FROM onetoken.tokens t WHERE ",
                    $filter,
                    " ORDER BY ",
                    $order,
                    " LIMIT $1::bigint"
                )
            };
        }
        // One record more than the limit shows whether there is another page.
        let limit = i64::try_from(self.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let (place, limit) = (self.place.as_slice(), &limit as Parameter<'_>);
        let mut rows = match &self.filter {
            Filter::All => session.query(sql!("t.id > $2::bytea", "t.id"), &[limit, &place]).await?,
            Filter::Resource(resource) => {
                let sql = sql!("t.resource = $2::bytea AND t.id > $3::bytea", "t.id");
                session.query(sql, &[limit, &kit::entity_key(resource), &place]).await?
            }
            Filter::Issuer(issuer) => {
                let sql = sql!("t.issuer = $2::bytea AND t.id > $3::bytea", "t.id");
                session.query(sql, &[limit, &kit::entity_key(issuer), &place]).await?
            }
            Filter::Name(issuer, name) => {
                let sql = sql!("t.issuer = $2::bytea AND t.name = $3::bytea AND t.id > $4::bytea", "t.id");
                session.query(sql, &[limit, &kit::entity_key(issuer), &name.as_bytes(), &place]).await?
            }
            Filter::ExpiresBefore(time) => {
                let (expires, id) = match place.split_first_chunk() {
                    Some((expires, id)) => (bigint(u64::from_be_bytes(*expires)), id),
                    None => (0, place),
                };
                let sql = sql!(
                    "t.expires <= $2::bigint AND (t.expires, t.id) > ($3::bigint, $4::bytea)",
                    "t.expires, t.id"
                );
                session.query(sql, &[limit, &bigint(time.as_secs()), &expires, &id]).await?
            }
        };
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let mut page = Page::default();
        let mut last = self.place.clone();
        for row in &rows {
            let (id, expires): (&[u8], i64) = (get(row, 0)?, get(row, 1)?);
            last = match self.filter {
                Filter::ExpiresBefore(_) => [&expires.to_be_bytes(), id].concat(),
                _ => id.to_vec(),
            };
            let id = TokenId::new(id).map_err(|_| StoreError::Corrupt { what: "the id of a record" })?;
            let record = Stored::read(row, 2).and_then(|stored| stored.record(id.clone()));
            page.add(id, record)?;
        }
        page.next = more.then(|| self.filter.cursor(&last));
        Ok(page)
    }
}
