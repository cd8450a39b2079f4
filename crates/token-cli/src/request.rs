//! The facts of a request, by which a token is judged, from the command line or from a document.

use std::net::IpAddr;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde::Deserialize;
use token_core::{Context, Interface, Region, RootKey, Scope, Service, Session, Subject, UnixTime};
use token_embed::Facts;

use crate::{error::Failure, time};

#[derive(Args)]
pub(crate) struct RequestArgs {
    /// The time of the request, in RFC 3339 or Unix seconds; with a store, not earlier than now [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time, help_heading = "Context")]
    at: Option<UnixTime>,
    /// The IP address of the caller
    #[arg(long, value_name = "ADDR", help_heading = "Context")]
    ip: Option<IpAddr>,
    /// The autonomous system of that address
    #[arg(long, value_name = "N", help_heading = "Context")]
    asn: Option<u32>,
    /// The country of that address, as its two-letter code
    #[arg(long, value_name = "CC", value_parser = country, help_heading = "Context")]
    country: Option<String>,
    /// A region of that address, such as Europe; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = region(), help_heading = "Context")]
    region: Vec<Region>,
    /// The consumer of the token: usr-ID, grp-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = consumer, help_heading = "Context")]
    pub(crate) consumer: Option<Subject>,
    /// A group that the consumer is a member of: grp-ID; may be repeated
    #[arg(long, value_name = "GROUP", value_parser = group, help_heading = "Context")]
    group: Vec<String>,
    /// The service that makes the request, such as opw-ID
    #[arg(long, value_name = "SERVICE", help_heading = "Context")]
    service: Option<Service>,
    /// The interface that receives the request
    #[arg(long, value_name = "NAME", value_parser = interface(), help_heading = "Context")]
    interface: Option<Interface>,
    /// Accept caveats that restrict access to data; the service enforces them later, at each file
    #[arg(long, help_heading = "Context")]
    allow_data_caveats: bool,
    /// The session of the request, or `any`. Without it, an access token that is bound to a session is refused
    #[arg(long, value_name = "ID", allow_hyphen_values = true, value_parser = session, help_heading = "Context")]
    session: Option<Session>,
    /// What the token is used for: anything, or only to prove who its subject is
    #[arg(long, value_name = "SCOPE", value_parser = scope(), default_value = UNLIMITED, help_heading = "Context")]
    scope: Scope,
}

const UNLIMITED: &str = "unlimited";
const IDENTITY_TOKEN: &str = "identity-token";
/// The id that stands for any session.
const ANY: &str = "any";

impl RequestArgs {
    /// The given time, or that of the clock. Fails if the clock shows a time before 1970.
    pub(crate) fn now(&self) -> Result<UnixTime, Failure> {
        self.at.map_or_else(time::now, Ok)
    }

    /// The facts of the request at this time, by which caveats are judged.
    pub(crate) fn context(&self, now: UnixTime) -> Context {
        let mut context = Context::at(now);
        context.peer_ip = self.ip;
        context.asn = self.asn;
        context.country = self.country.clone();
        context.regions = (!self.region.is_empty()).then(|| self.region.clone());
        context.service = self.service.clone();
        context.consumer = self.consumer.clone();
        context.interface = self.interface;
        context.data_caveats_allowed = self.allow_data_caveats;
        context.session = self.session.clone().unwrap_or_default();
        context.scope = self.scope;
        context.consumer_in_any_group = (!self.group.is_empty()).then_some(true);
        context.consumer_groups = (!self.group.is_empty()).then(|| self.group.clone());
        context
    }
}

/// A token to verify, with its secret and its request, as a document on a line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request<'a> {
    pub(crate) token: String,
    secret: String,
    #[serde(borrow)]
    context: Option<Facts<'a>>,
}

impl<'a> Request<'a> {
    /// Reads the document. An error shows no part of it, since it holds a secret.
    pub(crate) fn read(line: &'a str) -> Result<Self, Failure> {
        serde_json::from_str(line).map_err(|error| Failure::request("the document", error.column()))
    }

    /// The root key. Fails if the secret is empty.
    pub(crate) fn key(&self) -> Result<RootKey, Failure> {
        match self.secret.as_str() {
            "" => Err(Failure::request("the secret", 0)),
            secret => Ok(RootKey::derive_any(secret.as_bytes())),
        }
    }

    /// The facts of the request; the clock has the time if the document has none.
    pub(crate) fn context(&self) -> Result<Context, Failure> {
        let now = time::now()?;
        let Some(facts) = &self.context else { return Ok(Context::at(now)) };
        facts
            .context(Some(now))
            .map_err(|error| Failure::request(error.detail().member.as_deref().unwrap_or("the context"), 0))
    }
}

/// Reads the id of a session, or `any`.
fn session(text: &str) -> Result<Session, &'static str> {
    match text {
        "" => Err("neither the id of a session nor any"),
        ANY => Ok(Session::Any),
        id => Ok(Session::This(id.to_owned())),
    }
}

fn scope_of(text: &str) -> Result<Scope, &'static str> {
    match text {
        UNLIMITED => Ok(Scope::Unlimited),
        IDENTITY_TOKEN => Ok(Scope::IdentityToken),
        _ => Err("neither unlimited nor identity-token"),
    }
}

fn group(text: &str) -> Result<String, &'static str> {
    match text.parse() {
        Ok(Subject::Group(id)) => Ok(id),
        _ => Err("not grp-ID"),
    }
}

// With their possible values, which completions offer.

fn scope() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new([UNLIMITED, IDENTITY_TOKEN]).try_map(|text| scope_of(&text))
}

fn interface() -> impl TypedValueParser<Value = Interface> {
    let all = [Interface::Rest, Interface::Oneclient, Interface::Graphsync].map(Interface::as_str);
    PossibleValuesParser::new(all).try_map(|text| text.parse::<Interface>())
}

fn region() -> impl TypedValueParser<Value = Region> {
    PossibleValuesParser::new(Region::ALL.map(Region::as_str)).try_map(|text| text.parse::<Region>())
}

/// Upper case, as in address databases and in every caveat that can hold.
fn country(text: &str) -> Result<String, &'static str> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase()).ok_or("not two letters")
}

/// Reads a consumer: a user, a group or a provider. Refuses `nobody`.
pub(crate) fn consumer(text: &str) -> Result<Subject, &'static str> {
    match text.parse() {
        Err(_) | Ok(Subject::Nobody) => Err("none of usr-ID, grp-ID and prv-ID"),
        Ok(subject) => Ok(subject),
    }
}

/// Reads an issuer: a user or a provider. Refuses every other subject.
pub(crate) fn issuer(text: &str) -> Result<Subject, &'static str> {
    match text.parse() {
        Ok(subject @ (Subject::User(_) | Subject::Provider(_))) => Ok(subject),
        _ => Err("neither usr-ID nor prv-ID; only users and providers issue tokens"),
    }
}
