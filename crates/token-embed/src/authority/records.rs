//! The verbs about records: `revoke`, `unrevoke`, `delete`, `list`, `void_temporary`, `events` and `purge`.

use std::{borrow::Cow, num::NonZeroUsize};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use token_core::{Bytes, DecodeOptions, Stamp, Subject, Token, UnixTime};
use token_store::{
    Cursor, Entity, Event, Filter, Page, Record, Reinstate, Revocation, TokenId, TokenStore as _,
};

use super::Inner;
use crate::{
    error::Error,
    seal::{EntityDocument, entity},
    text::{Octets, Text, some_object},
    token::damaged,
};

/// The greatest number of records or events that one call returns.
const MAX_PAGE: usize = 1000;

/// The greatest number of records that one call purges.
const MAX_PURGE: usize = 100_000;

/// The id of a token in an answer.
pub(super) struct Id(pub(super) TokenId);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(self.0.as_bytes()).serialize(serializer)
    }
}

/// An entity in an answer: `{"type":"space","id":"…"}`
#[derive(Serialize)]
pub struct Named {
    r#type: Cow<'static, str>,
    id: String,
}

impl From<&Entity> for Named {
    fn from(Entity { kind, id }: &Entity) -> Self {
        Self { r#type: kind.clone(), id: id.clone() }
    }
}

/// `{"id":…,"outcome":…}`
#[derive(Serialize)]
pub struct Outcome {
    id: Id,
    outcome: &'static str,
}

impl Outcome {
    /// The answer of a verb for the token with this id, in a word.
    #[must_use]
    pub const fn new(id: TokenId, outcome: &'static str) -> Self {
        Self { id: Id(id), outcome }
    }
}

/// Returns the id that is given, as such or by its token.
fn id(id: Option<&Octets<'_>>, token: Option<&Text<'_>>) -> Result<TokenId, Error> {
    match (id, token) {
        (Some(id), None) => TokenId::new(&**id).map_err(|error| Error::argument("id", error.to_string())),
        (None, Some(text)) => {
            let options = DecodeOptions::default();
            let token = Token::decode(text, &options).map_err(|_| damaged(text, &options, None, false))?;
            TokenId::new(token.identifier().id()).map_err(|error| Error::argument("token", error.to_string()))
        }
        _ => Err(Error::argument("id", "either id or token is needed, not both")),
    }
}

fn cursor(after: Option<&Text<'_>>) -> Result<Option<Cursor>, Error> {
    let none = |_| Error::argument("after", "not the place of a page");
    after.map(|text| URL_SAFE_NO_PAD.decode(&**text).map(Cursor::from).map_err(none)).transpose()
}

fn written(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(cursor.as_bytes())
}

/// `revoke`: makes a token worthless, for good unless it is `reversible`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke<'a> {
    #[serde(borrow)]
    id: Option<Octets<'a>>,
    #[serde(borrow)]
    token: Option<Text<'a>>,
    reversible: Option<bool>,
    by: Option<Subject>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

impl Revoke<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Outcome, Error> {
        let id = id(self.id.as_ref(), self.token.as_ref())?;
        let mut revocation = Revocation::for_good(authority.now());
        revocation.reversible = self.reversible == Some(true);
        revocation.by = self.by.as_ref().map(entity);
        revocation.reason = self.reason.as_deref().unwrap_or_default().into();
        let outcome = match authority.revoke(&id, Some(&revocation))? {
            token_store::Revoke::Revoked => "revoked",
            token_store::Revoke::Absent => "absent",
        };
        Ok(Outcome::new(id, outcome))
    }
}

/// `unrevoke`: undoes a reversible revocation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unrevoke<'a> {
    #[serde(borrow)]
    id: Option<Octets<'a>>,
    #[serde(borrow)]
    token: Option<Text<'a>>,
}

impl Unrevoke<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Outcome, Error> {
        let id = id(self.id.as_ref(), self.token.as_ref())?;
        let outcome = match authority.reinstate(&id)? {
            Reinstate::Reinstated => "unrevoked",
            Reinstate::ForGood => "for-good",
            Reinstate::Absent => "absent",
        };
        Ok(Outcome::new(id, outcome))
    }
}

/// `delete`: removes the record of a token, with all that is known of its uses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete<'a> {
    #[serde(borrow)]
    id: Option<Octets<'a>>,
    #[serde(borrow)]
    token: Option<Text<'a>>,
}

impl Delete<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Outcome, Error> {
        let id = id(self.id.as_ref(), self.token.as_ref())?;
        let outcome = match authority.delete(&id)? {
            token_store::Delete::Deleted => "deleted",
            token_store::Delete::Absent => "absent",
        };
        Ok(Outcome::new(id, outcome))
    }
}

/// `list`: the records of a resource or an issuer, those that have expired by a time, or all; page by page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct List<'a> {
    #[serde(default, deserialize_with = "some_object")]
    resource: Option<EntityDocument>,
    issuer: Option<Subject>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    expires_before: Option<UnixTime>,
    #[serde(borrow)]
    after: Option<Text<'a>>,
    limit: Option<NonZeroUsize>,
}

/// `{"tokens":[…],"damaged":[…],"next":…}`: the records, the ids of damaged ones, and `after` of the next page, or null.
#[derive(Serialize)]
pub struct Listed {
    tokens: Vec<Entry>,
    damaged: Vec<Id>,
    next: Option<String>,
}

impl Listed {
    /// The answer for a page at this time, with the text of its cursor.
    #[must_use]
    pub fn new(page: Page, now: UnixTime, next: Option<String>) -> Self {
        Self {
            tokens: page.records.into_iter().map(|record| Entry::new(record, now)).collect(),
            damaged: page.damaged.into_iter().map(Id).collect(),
            next,
        }
    }
}

impl List<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Listed, Error> {
        let filter = match (&self.resource, &self.issuer, &self.name, self.expires_before) {
            (None, None, None, None) => Filter::All,
            (Some(resource), None, None, None) => Filter::Resource(resource.clone().into()),
            (None, Some(issuer), None, None) => Filter::Issuer(entity(issuer)),
            (None, Some(issuer), Some(name), None) => Filter::Name(entity(issuer), (**name).into()),
            (None, None, None, Some(time)) => Filter::ExpiresBefore(time),
            _ => {
                return Err(Error::argument(
                    "issuer",
                    "of the filters, only a name and its issuer go together",
                ));
            }
        };
        let limit = self.limit.map_or(MAX_PAGE, NonZeroUsize::get).min(MAX_PAGE);
        let page = authority.store().list(&filter, cursor(self.after.as_ref())?.as_ref(), limit)?;
        let next = page.next.as_ref().map(written);
        Ok(Listed::new(page, authority.now(), next))
    }
}

/// A record in an answer.
pub struct Entry {
    record: Record,
    now: UnixTime,
}

impl Entry {
    /// The document of a record at this time.
    #[must_use]
    pub const fn new(record: Record, now: UnixTime) -> Self {
        Self { record, now }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { record, now } = self;
        let metadata = Some(record.metadata.as_slice()).filter(|bytes| !bytes.is_empty());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &Bytes(record.id.as_bytes()))?;
        map.serialize_entry("type", record.purpose.as_str())?;
        map.serialize_entry("resource", &record.resource.as_ref().map(Named::from))?;
        map.serialize_entry("issuer", &Named::from(&record.issuer))?;
        map.serialize_entry("name", &record.name)?;
        map.serialize_entry("createdAt", &Stamp(record.created))?;
        map.serialize_entry("expiresAt", &record.expires.map(Stamp))?;
        map.serialize_entry("expired", &record.expires.is_some_and(|expires| expires <= *now))?;
        map.serialize_entry("useLimit", &record.use_limit)?;
        map.serialize_entry("uses", &record.uses)?;
        map.serialize_entry("revoked", &record.is_revoked())?;
        map.serialize_entry("metadata", &metadata.map(Bytes))?;
        map.serialize_entry("revocation", &record.revocation.as_ref().map(Revoked))?;
        map.end()
    }
}

struct Revoked<'a>(&'a Revocation);

impl Serialize for Revoked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Revocation { at, by, reason, reversible } = self.0;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("at", &Stamp(*at))?;
        map.serialize_entry("by", &by.as_ref().map(Named::from))?;
        map.serialize_entry("reason", &Some(reason).filter(|reason| !reason.is_empty()))?;
        map.serialize_entry("reversible", reversible)?;
        map.end()
    }
}

/// `void_temporary`: revokes all temporary tokens of a subject.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidTemporary {
    subject: Subject,
}

/// `{"generation":…}`: the generation from now on.
#[derive(Serialize)]
pub struct Voided {
    generation: u64,
}

/// From the generation.
impl From<u64> for Voided {
    fn from(generation: u64) -> Self {
        Self { generation }
    }
}

impl VoidTemporary {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Voided, Error> {
        Ok(authority.revoke_temporary(self.subject.as_deref())?.into())
    }
}

/// `events`: the changes that make verdicts obsolete, after a place; without one, the place of the next.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events<'a> {
    #[serde(borrow)]
    after: Option<Text<'a>>,
    limit: Option<NonZeroUsize>,
}

/// `{"events":[…],"next":…,"missed":…}`: if events were missed, forget every verdict.
#[derive(Serialize)]
pub struct Happened {
    events: Vec<Change>,
    next: String,
    missed: bool,
}

impl Happened {
    /// The answer for a page of the log, with the text of its cursor.
    #[must_use]
    pub fn new(events: Vec<Event>, next: String, missed: bool) -> Self {
        Self { events: events.into_iter().map(Change).collect(), next, missed }
    }
}

struct Change(Event);

/// The text of a subject that the store names.
fn subject(Entity { kind, id }: &Entity) -> String {
    match kind.as_ref() {
        "user" => Subject::User(id.as_str()).to_string(),
        "oneprovider" => Subject::Provider(id.as_str()).to_string(),
        _ => format!("{kind}:{id}"),
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.0 {
            Event::Revoked(id) => {
                map.serialize_entry("event", "revoked")?;
                map.serialize_entry("id", &Bytes(id.as_bytes()))?;
            }
            Event::Reinstated(id) => {
                map.serialize_entry("event", "reinstated")?;
                map.serialize_entry("id", &Bytes(id.as_bytes()))?;
            }
            Event::Deleted(id) => {
                map.serialize_entry("event", "deleted")?;
                map.serialize_entry("id", &Bytes(id.as_bytes()))?;
            }
            Event::RevokedBefore(time) => {
                map.serialize_entry("event", "revoked-before")?;
                map.serialize_entry("before", &Stamp(*time))?;
            }
            Event::GenerationRaised(of, number) => {
                map.serialize_entry("event", "generation-raised")?;
                map.serialize_entry("subject", &subject(of))?;
                map.serialize_entry("generation", number)?;
            }
            Event::GenerationDeleted(of) => {
                map.serialize_entry("event", "generation-deleted")?;
                map.serialize_entry("subject", &subject(of))?;
            }
            _ => map.serialize_entry("event", "other")?,
        }
        map.end()
    }
}

impl Events<'_> {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Happened, Error> {
        let limit = self.limit.map_or(MAX_PAGE, NonZeroUsize::get).min(MAX_PAGE);
        let page = authority.events(cursor(self.after.as_ref())?.as_ref(), limit)?;
        Ok(Happened::new(page.events, written(&page.next), page.missed))
    }
}

/// `purge`: removes records that have expired, by now or by an earlier time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    before: Option<UnixTime>,
    limit: Option<NonZeroUsize>,
}

/// `{"purged":…}`: how many. Fewer than the limit, which is 100,000 at most, means that none are left.
#[derive(Serialize)]
pub struct Purged {
    purged: usize,
}

/// From the number.
impl From<usize> for Purged {
    fn from(purged: usize) -> Self {
        Self { purged }
    }
}

impl Purge {
    pub(super) fn answer(&self, authority: &Inner) -> Result<Purged, Error> {
        let limit = self.limit.map_or(MAX_PAGE, NonZeroUsize::get).min(MAX_PURGE);
        Ok(authority.purge(self.before, limit)?.into())
    }
}
