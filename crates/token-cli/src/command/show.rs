//! `onetoken show`

use serde::Serialize;
use token_core::{Bytes, Stamp, UnixTime};
use token_embed::{
    Written,
    authority::{Entry, Named},
};
use token_store::{Record, TokenStore as _, Use};

use super::record;
use crate::{
    args::ShowArgs,
    bytes::Plain,
    describe::{self, Row},
    entity::{limit, resource_text, subject_text},
    error::Failure,
    exit::Exit,
    home::{HomeArgs, Issuer},
    output::Terminal,
    time::until,
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
        let line = format!("{text}\n");
        return terminal.answer(&Written::from(text), line);
    }
    let now = authority.now();
    let stated = authority.stated(&record)?;
    let spends = spends(&authority, &record)?;
    drop(authority);
    let shown = Shown {
        entry: Entry::new(record.clone(), now),
        uses_left: record.use_limit.map(|limit| limit.get().saturating_sub(record.uses)),
        last_used_at: record.last_use.map(Stamp),
        session: stated.session,
        privileges: Some(stated.privileges).filter(|bytes| !bytes.is_empty()).map(Bytes),
        caveats: stated.caveats,
        spends: spends.iter().map(Spend::from).collect(),
    };
    terminal.answer(&shown, describe::lines(&shown.rows(&record, &spends, now)))
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
    entry: Entry,
    uses_left: Option<u64>,
    last_used_at: Option<Stamp>,
    session: Option<&'a str>,
    privileges: Option<Bytes<'a>>,
    caveats: Option<Vec<&'a str>>,
    spends: Vec<Spend>,
}

#[derive(Serialize)]
struct Spend {
    consumer: Option<Named>,
    at: Stamp,
}

impl From<&Use> for Spend {
    fn from(spent: &Use) -> Self {
        Self { consumer: spent.consumer.as_ref().map(Named::from), at: Stamp(spent.at) }
    }
}

impl Shown<'_> {
    /// The same for people.
    fn rows(&self, record: &Record, spends: &[Use], now: UnixTime) -> Vec<Row> {
        let plain = |text: &str| Plain(text.as_bytes()).to_string();
        let mut rows = vec![("id", record.id.to_string()), ("type", record.purpose.to_string())];
        rows.extend(record.resource.as_ref().map(|of| ("resource", resource_text(of))));
        rows.push(("issuer", subject_text(&record.issuer)));
        rows.extend(self.session.map(|session| ("session", plain(session))));
        rows.extend(record.name.as_ref().map(|name| ("name", plain(name))));
        if !record.metadata.is_empty() {
            rows.push(("metadata", Plain(&record.metadata).to_string()));
        }
        rows.extend(self.privileges.map(|Bytes(bytes)| ("privileges", Plain(bytes).to_string())));
        rows.extend([("created", record.created.to_string()), ("expires", until(record.expires, now))]);
        match &self.caveats {
            None => rows.push(("caveats", "too long to be kept".to_owned())),
            Some(caveats) => rows.extend(listed("caveats", caveats.iter().map(|caveat| plain(caveat)))),
        }
        if let Some(revocation) = &record.revocation {
            let end = if revocation.reversible { "reversible" } else { "for good" };
            rows.push(("revoked", format!("{} ({end})", revocation.at)));
            rows.extend(revocation.by.as_ref().map(|by| ("revoked by", subject_text(by))));
            rows.extend(Some(("reason", plain(&revocation.reason))).filter(|(_, reason)| !reason.is_empty()));
        }
        rows.push(("uses left", limit(self.uses_left)));
        rows.extend(record.last_use.map(|at| ("last use", at.to_string())));
        let spends = spends.iter().map(|Use { consumer, at }| {
            let consumer = consumer.as_ref().map_or_else(|| "nobody".to_owned(), subject_text);
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
