//! What Onedata's own token library, `ctool`, made of caveats and tokens: the vectors `ctool-….jsonl`.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use token_core::{Context, Interface, Region, Scope, Session, UnixTime};

/// The texts of caveats that it was given.
#[must_use]
pub fn caveats() -> Vec<CaveatText> {
    load(include_str!("../vectors/ctool-caveats.jsonl"))
}

/// The tokens that it was given.
#[must_use]
pub fn verdicts() -> Vec<Verdict> {
    load(include_str!("../vectors/ctool-verdicts.jsonl"))
}

fn load<T: DeserializeOwned>(lines: &str) -> Vec<T> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn bytes<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(json).map(|text| STANDARD.decode(text).unwrap())
}

fn some_bytes<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(json).map(Some)
}

/// The text of a caveat, and what it is read as.
#[derive(Clone, Debug, Deserialize)]
pub struct CaveatText {
    /// The text.
    #[serde(deserialize_with = "bytes")]
    pub text: Vec<u8>,
    /// Whether it is read.
    pub reads: bool,
    /// The text that is written for it, if it is UTF-8.
    #[serde(default, deserialize_with = "some_bytes")]
    pub writes: Option<Vec<u8>>,
    /// Its JSON, likewise.
    pub json: Option<Value>,
    /// Whether a new token may carry it.
    #[serde(default)]
    pub sane: bool,
}

/// A token, and the answer of its verification.
#[derive(Clone, Debug, Deserialize)]
pub struct Verdict {
    /// The token's text.
    pub token: String,
    /// The secret that it was verified with.
    pub secret: String,
    /// The secret that it was minted with.
    pub minted_with: String,
    ctx: Facts,
    /// `{"ok":true,"session":…}`, `{"unverified":CAVEAT}` or `{"error":NAME}`
    pub verdict: Value,
}

#[derive(Clone, Debug, Deserialize)]
struct Facts {
    now: u64,
    ip: Option<IpAddr>,
    asn: Option<u32>,
    country: Option<String>,
    regions: Option<Vec<String>>,
    service: Option<String>,
    consumer: Option<String>,
    groups: Option<Vec<String>>,
    interface: Option<String>,
    session: Option<String>,
    scope: String,
    data_caveats_allowed: bool,
}

impl Verdict {
    /// Returns the facts of the request.
    #[must_use]
    pub fn context(&self) -> Context {
        let facts = self.ctx.clone();
        let mut context = Context::at(UnixTime::from_secs(facts.now));
        (context.peer_ip, context.asn, context.country) = (facts.ip, facts.asn, facts.country);
        context.regions =
            facts.regions.map(|names| names.iter().map(|name| Region::from_name(name).unwrap()).collect());
        context.service = facts.service.map(|text| text.parse().unwrap());
        context.consumer = facts.consumer.map(|text| text.parse().unwrap());
        context.consumer_in_any_group = facts.groups.as_ref().map(|groups| !groups.is_empty());
        context.consumer_groups = facts.groups;
        context.interface = facts.interface.map(|name| Interface::from_name(&name).unwrap());
        context.session = match facts.session {
            None => Session::None,
            Some(any) if any == "any" => Session::Any,
            Some(session) => Session::This(session),
        };
        context.scope = match facts.scope.as_str() {
            "unlimited" => Scope::Unlimited,
            "identity_token" => Scope::IdentityToken,
            other => panic!("a scope {other}"),
        };
        context.data_caveats_allowed = facts.data_caveats_allowed;
        context
    }
}
