//! `onetoken list`

use serde::Serialize;
use token_core::UnixTime;
use token_store::{Entity, Filter, Record};

use crate::{
    args::ListArgs,
    entity::Named,
    error::{Exit, Failure},
    home::HomeArgs,
    output::{Bytes, Plain, Terminal},
    time::{Expiry, Stamp},
};

/// How many records are asked for at once.
const PAGE: usize = 256;

pub(super) fn run(args: &ListArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let authority = home.authority()?;
    let now = authority.now();
    let filter = match (&args.resource, &args.issuer) {
        (Some(resource), _) => Filter::Resource(resource.clone()),
        (None, Some(issuer)) => Filter::Issuer(issuer.clone()),
        (None, None) if args.expired => Filter::ExpiresBefore(now),
        (None, None) => Filter::All,
    };
    let wanted = |record: &Record| {
        args.issuer.as_ref().is_none_or(|issuer| record.issuer == *issuer)
            && (!args.expired || has_expired(record, now))
    };
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let page = authority.list(&filter, after.as_deref(), PAGE)?;
        records.extend(page.records.into_iter().filter(wanted));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // Whoever reads slowly must not keep others from the store.
    drop(authority);

    let entries = records.iter().map(|record| Entry::new(record, now));
    if args.lines {
        for entry in entries {
            terminal.document(&entry)?;
        }
    } else if args.json {
        terminal.document(&Listing { tokens: entries.collect() })?;
    } else {
        print(&records, now, terminal)?;
    }
    Ok(Exit::Done)
}

fn has_expired(record: &Record, now: UnixTime) -> bool {
    record.expires.is_some_and(|expires| expires <= now)
}

#[derive(Serialize)]
struct Listing<'a> {
    tokens: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    id: Bytes,
    #[serde(rename = "type")]
    kind: &'a str,
    resource: Option<Named<'a>>,
    issuer: Named<'a>,
    name: Option<&'a str>,
    created_at: Stamp,
    expires_at: Option<Stamp>,
    expired: bool,
    use_limit: Option<u64>,
    uses: u64,
    revoked: bool,
}

impl<'a> Entry<'a> {
    fn new(record: &'a Record, now: UnixTime) -> Self {
        Self {
            id: record.id.as_bytes().into(),
            kind: &record.kind,
            resource: record.resource.as_ref().map(Named::from),
            issuer: (&record.issuer).into(),
            name: record.name.as_deref(),
            created_at: Stamp(record.created),
            expires_at: record.expires.map(Stamp),
            expired: has_expired(record, now),
            use_limit: record.use_limit.map(Into::into),
            uses: record.uses,
            revoked: record.revoked,
        }
    }
}

fn print(records: &[Record], now: UnixTime, terminal: &mut Terminal) -> Result<(), Failure> {
    let named = |entity: &Entity| format!("{}:{}", entity.kind, Plain(entity.id.as_bytes()));
    let mut rows = vec![["ID", "TYPE", "RESOURCE", "ISSUER", "USES", "STATE"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| {
        let limit = record.use_limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
        let state = match record.expires {
            _ if record.revoked => "revoked".to_owned(),
            Some(at) => Expiry { at, now }.to_string(),
            None => "never expires".to_owned(),
        };
        [
            record.id.to_string(),
            record.kind.clone(),
            record.resource.as_ref().map_or_else(|| "-".to_owned(), named),
            named(&record.issuer),
            format!("{}/{limit}", record.uses),
            state,
        ]
    }));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  "));
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    terminal.text(text)
}
