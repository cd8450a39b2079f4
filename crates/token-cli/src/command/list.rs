//! `onetoken list`

use token_core::UnixTime;
use token_embed::authority::{Entry, Listed};
use token_store::{Filter, Page, Record, StoreError};

use crate::{
    args::{Cursor, ListArgs, NO_CURSOR},
    bytes::Plain,
    entity::{limit, resource_text, subject_text},
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    output::Terminal,
    table::table,
    time::expiry,
};

/// The page size of the calls to the store.
const PAGE: usize = 256;

pub(super) fn run(args: &ListArgs, home: &HomeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let authority = home.authority()?;
    let now = args.after.as_ref().map_or_else(|| authority.now(), |cursor| cursor.now);
    let mut page = find(args, &authority, now)?;
    // A slow reader must not keep others from the store.
    drop(authority);

    let next = page.next.take().map(|after| Cursor { now, after }.to_string());
    let is_damaged = Exit::of_damage(!page.damaged.is_empty());
    if terminal.prints_json() {
        terminal.document(&Listed::new(page, now, next))?;
        return Ok(is_damaged);
    }
    match args.lines {
        true => {
            page.records.into_iter().try_for_each(|record| terminal.document(&Entry::new(record, now)))?
        }
        false => print(&page.records, now, terminal)?,
    }
    for id in page.damaged {
        terminal.note(format_args!("{id} is damaged"));
    }
    if let Some(next) = next {
        terminal.note(format_args!("there are more tokens; continue with --after {next}"));
    }
    Ok(is_damaged)
}

fn find(args: &ListArgs, authority: &Issuer, now: UnixTime) -> Result<Page, Failure> {
    let expires_by = args.expires_before.or_else(|| args.expired.then_some(now));
    let filter = match (&args.resource, &args.issuer, expires_by) {
        (Some(resource), ..) => Filter::Resource(resource.clone()),
        (None, Some(issuer), _) => match &args.name {
            Some(name) => Filter::Name(issuer.clone(), name.clone()),
            None => Filter::Issuer(issuer.clone()),
        },
        (None, None, Some(by)) => Filter::ExpiresBefore(by),
        (None, None, None) => Filter::All,
    };
    let wanted = |record: &Record| {
        args.issuer.as_ref().is_none_or(|issuer| record.issuer == *issuer)
            && expires_by.is_none_or(|by| record.expires.is_some_and(|expires| expires <= by))
    };
    let after = args.after.as_ref().map(|cursor| cursor.after.clone());
    let mut found = Page { next: after, ..Page::default() };
    loop {
        let left = args.limit.map(|limit| limit.saturating_sub(found.records.len()));
        let limit = left.unwrap_or(PAGE).min(PAGE);
        let page = match authority.store().list(&filter, found.next.as_ref(), limit) {
            Err(StoreError::InvalidCursor) => return Err(Failure::usage(NO_CURSOR)),
            page => page?,
        };
        found.records.extend(page.records.into_iter().filter(wanted));
        found.damaged.extend(page.damaged);
        found.next = page.next;
        if found.next.is_none() || args.limit.is_some_and(|limit| found.records.len() >= limit) {
            return Ok(found);
        }
    }
}

fn print(records: &[Record], now: UnixTime, terminal: &Terminal) -> Result<(), Failure> {
    if records.is_empty() {
        terminal.note("no tokens were found");
        return Ok(());
    }
    let mut rows = vec![["ID", "TYPE", "RESOURCE", "ISSUER", "NAME", "USES", "STATE"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let state = match record.expires {
            _ if record.revocation.as_ref().is_some_and(|revocation| revocation.reversible) => {
                "revoked, reversible".to_owned()
            }
            _ if record.is_revoked() => "revoked".to_owned(),
            Some(at) => expiry(at, now),
            None => "never expires".to_owned(),
        };
        [
            record.id.to_string(),
            Plain(record.purpose.as_str().as_bytes()).to_string(),
            or_none(record.resource.as_ref().map(resource_text)),
            subject_text(&record.issuer),
            or_none(record.name.as_ref().map(|name| Plain(name.as_bytes()).to_string())),
            format!("{}/{}", record.uses, limit(record.use_limit.map(Into::into))),
            state,
        ]
    }));
    terminal.text(table(&rows, [true, true, true, true, true, false, false], terminal.width()))
}
