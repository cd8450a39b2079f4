//! `onetoken show`

use std::collections::BTreeMap;

use serde::Serialize;
use token_core::UnixTime;
use token_store::{Record, TokenStore as _, Use};

use super::{list::Entry, record};
use crate::{
    args::ShowArgs,
    bytes::{Bytes, Plain},
    describe::{self, Row},
    entity::{Named, limit},
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    output::Terminal,
    time::{Stamp, until},
};

/// The page size of the calls to the store.
const PAGE: usize = 256;

pub(super) fn run(args: &ShowArgs, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    let (authority, record) = find(args, home)?;
    if args.text {
        let lost = "the caveats of the token were too long to be kept, so it cannot be written again";
        let text =
            authority.text_of(&record)?.ok_or_else(|| Failure::new(Exit::Refused, "not-kept", lost))?;
        drop(authority);
        return terminal.answer(&BTreeMap::from([("token", &text)]), format_args!("{text}\n"));
    }
    let now = authority.now();
    let stated = authority.stated(&record)?;
    let spends = spends(&authority, &record)?;
    drop(authority);
    let shown = Shown {
        entry: Entry::new(&record, now),
        uses_left: record.use_limit.map(|limit| limit.get().saturating_sub(record.uses)),
        last_used_at: record.last_use.map(Stamp),
        session: stated.session,
        privileges: Some(stated.privileges).filter(|bytes| !bytes.is_empty()).map(Bytes::from),
        caveats: stated.caveats,
        spends: spends.iter().map(Spend::new).collect(),
    };
    terminal.answer(&shown, describe::lines(&shown.rows(&record, now)))
}

/// Opens the store, and reads the record that the command line names.
fn find(args: &ShowArgs, home: &HomeArgs) -> Result<(Issuer, Record), Failure> {
    let (authority, found, unknown) = match (&args.issuer, &args.name) {
        (Some(issuer), Some(name)) => {
            let unknown =
                Failure::new(Exit::Refused, "unknown-token", "the issuer has no token of this name");
            let authority = home.authority()?;
            let found = authority.find(issuer.as_deref(), name)?;
            (authority, found, unknown)
        }
        _ => {
            let text = record::text(&args.token)?;
            let id = record::id(&text)?;
            let authority = home.authority()?;
            let found = authority.store().get(&id)?;
            (authority, found, record::unknown(&text))
        }
    };
    found.map(|record| (authority, record)).ok_or(unknown)
}

/// All uses of a token with a use limit.
fn spends(authority: &Issuer, record: &Record) -> Result<Vec<Use>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = authority.uses(&record.id, after.as_ref(), PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(all) };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(_, held)| held.spent));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(flatten)]
    entry: Entry<'a>,
    uses_left: Option<u64>,
    last_used_at: Option<Stamp>,
    session: Option<&'a str>,
    privileges: Option<Bytes>,
    caveats: Option<Vec<&'a str>>,
    spends: Vec<Spend>,
}

#[derive(Serialize)]
struct Spend {
    consumer: Option<Named>,
    at: Stamp,
}

impl Spend {
    fn new(spent: &Use) -> Self {
        Self { consumer: spent.consumer.as_ref().map(Named::from), at: Stamp(spent.at) }
    }
}

impl Shown<'_> {
    /// The same for people.
    fn rows(&self, record: &Record, now: UnixTime) -> Vec<Row> {
        let plain = |text: &str| Plain(text.as_bytes()).to_string();
        let bytes = |bytes: &Bytes| Plain(bytes.as_bytes()).to_string();
        let mut rows = vec![("id", record.id.to_string()), ("type", record.purpose.to_string())];
        rows.extend(record.resource.as_ref().map(|of| ("resource", Named::from(of).resource())));
        rows.push(("issuer", Named::from(&record.issuer).subject()));
        rows.extend(self.session.map(|session| ("session", plain(session))));
        rows.extend(record.name.as_ref().map(|name| ("name", plain(name))));
        if !record.metadata.is_empty() {
            rows.push(("metadata", Plain(&record.metadata).to_string()));
        }
        rows.extend(self.privileges.as_ref().map(|privileges| ("privileges", bytes(privileges))));
        rows.extend([("created", record.created.to_string()), ("expires", until(record.expires, now))]);
        match &self.caveats {
            None => rows.push(("caveats", "too long to be kept".to_owned())),
            Some(caveats) => rows.extend(listed("caveats", caveats.iter().map(|caveat| plain(caveat)))),
        }
        if let Some(revocation) = &record.revocation {
            let end = if revocation.reversible { "reversible" } else { "for good" };
            rows.push(("revoked", format!("{} ({end})", revocation.at)));
            rows.extend(revocation.by.as_ref().map(|by| ("revoked by", Named::from(by).subject())));
            rows.extend(Some(("reason", plain(&revocation.reason))).filter(|(_, reason)| !reason.is_empty()));
        }
        rows.push(("uses left", limit(self.uses_left)));
        rows.extend(record.last_use.map(|at| ("last use", at.to_string())));
        let spends = self.spends.iter().map(|Spend { consumer, at: Stamp(at) }| {
            let consumer = consumer.as_ref().map_or_else(|| "nobody".to_owned(), Named::subject);
            format!("{at}  {consumer}")
        });
        rows.extend(listed("used by", spends));
        rows
    }
}

/// A row for each value, the first with the name.
fn listed(name: &'static str, values: impl Iterator<Item = String>) -> impl Iterator<Item = Row> {
    values.enumerate().map(move |(index, value)| (if index == 0 { name } else { "" }, value))
}
