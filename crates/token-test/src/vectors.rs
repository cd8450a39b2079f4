//! The vectors of `crates/token-test/vectors`; its README says where each comes from.
//!
//! The files also have members for their readers (`source`, `note`, …), which have no field here.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use token_core::{Context, Encoding, Predicate, Region, Scope, Service, Session, Subject, UnixTime};

use crate::{Key, hex, text};

/// All tokens of Onedata.
#[must_use]
pub fn golden() -> Vec<Golden> {
    [onedata(), onedata_legacy()].concat()
}

/// Tokens of Onedata 20.02 and later.
#[must_use]
pub fn onedata() -> Vec<Golden> {
    load(include_str!("../vectors/onedata.json"))
}

/// Tokens as Onedata wrote them before 20.02: the shapes that the two documented endpoints return.
#[must_use]
pub fn onedata_legacy() -> Vec<Golden> {
    load(include_str!("../vectors/onedata-legacy.json"))
}

/// Macaroons of every format, good and bad, from the other libraries and their bug reports.
#[must_use]
pub fn macaroons() -> Vec<MacaroonVector> {
    load(include_str!("../vectors/macaroons.json"))
}

/// The parts of macaroons: base64, varints, packets, sections, and one chain step by step.
#[must_use]
pub fn primitives() -> Primitives {
    load(include_str!("../vectors/primitives.json"))
}

/// The sample tokens of the API documents, most of them damaged, and what is wrong with each.
#[must_use]
pub fn api_documents() -> Vec<ApiDocument> {
    load(include_str!("../vectors/api-documents.json"))
}

fn load<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("a vector file does not fit its types: {error}"))
}

fn bytes<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(json).map(|text| hex::decode(&text))
}

fn some_bytes<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(json).map(Some)
}

fn signature<'de, D: Deserializer<'de>>(json: D) -> Result<[u8; 32], D::Error> {
    bytes(json).map(|bytes| bytes.try_into().expect("a signature has 32 bytes"))
}

fn some_signature<'de, D: Deserializer<'de>>(json: D) -> Result<Option<[u8; 32]>, D::Error> {
    signature(json).map(Some)
}

/// A token of Onedata.
#[derive(Clone, Debug, Deserialize)]
pub struct Golden {
    /// What the vector is called in failure messages.
    pub name: String,
    #[serde(default)]
    secret: String,
    #[serde(default, deserialize_with = "bytes")]
    secret_hex: Vec<u8>,
    /// The location: the zone's domain; before 20.02 `onezone`, or `registry` on older servers.
    #[serde(alias = "onezone_domain")]
    pub location: String,
    /// The identifier: version 2, or 43 opaque characters.
    pub identifier: String,
    /// The caveats, in chain order.
    pub caveats: Vec<String>,
    /// The signature.
    #[serde(rename = "signature_hex", deserialize_with = "signature")]
    pub signature: [u8; 32],
    /// The token's text as base62.
    #[serde(rename = "serialized_base62")]
    pub base62: String,
    /// The token's text as unpadded base64url.
    #[serde(rename = "serialized_base64url")]
    pub base64url: String,
    /// The parsed identifier of version 2, as Onedata's JSON.
    pub token: Option<serde_json::Value>,
}

impl Golden {
    /// The secret, from which the root key is to be derived.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        if self.secret_hex.is_empty() { self.secret.as_bytes() } else { &self.secret_hex }
    }

    /// The secret as a key.
    #[must_use]
    pub fn key(&self) -> Key<'_> {
        Key::Secret(self.secret())
    }

    /// The token's texts.
    #[must_use]
    pub fn texts(&self) -> [(Encoding, &str); 2] {
        [(Encoding::Base62, &self.base62), (Encoding::Base64Url, &self.base64url)]
    }

    /// A request in which all caveats hold: the first value that each admits.
    #[must_use]
    pub fn context(&self) -> Context {
        let mut facts = Context::at(UnixTime::from_secs(1));
        facts.session = Session::Any;
        for caveat in &self.caveats {
            match Predicate::read(caveat.as_bytes()).unwrap() {
                Predicate::Ip(masks) => {
                    let text = masks.to_string();
                    facts.peer_ip = Some(text.split('/').next().unwrap().parse().unwrap());
                }
                Predicate::Asn(list) => {
                    facts.asn = list.iter().next().and_then(|it| it.to_u64()?.try_into().ok());
                }
                Predicate::GeoCountry(_, list) => facts.country = list.iter().next().map(Into::into),
                Predicate::GeoRegion(_, list) => {
                    facts.regions = Some(list.iter().take(1).filter_map(Region::from_name).collect());
                }
                Predicate::Service(list) => facts.service = list.iter().next().map(Service::into_owned),
                Predicate::Consumer(list) => facts.consumer = list.iter().next().map(Subject::into_owned),
                Predicate::Interface(interface) => facts.interface = Some(interface),
                Predicate::DataReadonly | Predicate::DataPath(_) | Predicate::DataObjectId(_) => {
                    facts.data_caveats_allowed = true;
                }
                Predicate::IdentityScope => facts.scope = Scope::IdentityToken,
                _ => {}
            }
        }
        facts
    }

    /// The token in v1.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        text::bytes(&self.base64url)
    }
}

/// One macaroon: its wire form, and its fields if the strict grammar reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct MacaroonVector {
    /// The vector's unique name in failure messages.
    pub name: String,
    /// The wire format; `None` if the bytes are of no format.
    pub format: Option<Format>,
    serialized: Option<String>,
    #[serde(default, deserialize_with = "some_bytes")]
    serialized_hex: Option<Vec<u8>>,
    /// Whether the strict grammar reads it.
    pub valid_parse: bool,
    /// Why the strict grammar refuses it.
    pub reject_reason: Option<String>,
    key: Option<String>,
    #[serde(default)]
    key_is_raw_32_bytes: bool,
    /// The location hint.
    pub location: Option<String>,
    identifier: Option<String>,
    #[serde(default, deserialize_with = "some_bytes")]
    identifier_hex: Option<Vec<u8>>,
    /// The caveats, in chain order.
    #[serde(default)]
    pub caveats: Vec<CaveatVector>,
    /// The signature; present exactly if [`valid_parse`](Self::valid_parse).
    #[serde(default, rename = "signature_hex", deserialize_with = "some_signature")]
    pub signature: Option<[u8; 32]>,
    /// The texts of the discharges that come with it.
    #[serde(default)]
    pub discharges: Vec<String>,
    /// The expected answer of verification; `None` if the key is unknown or there is nothing to verify.
    pub verify: Option<Verification>,
}

impl MacaroonVector {
    /// Returns the macaroon as received: text in UTF-8 if the vector is text, raw bytes otherwise.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        one_of(self.serialized.as_deref(), self.serialized_hex.as_deref()).unwrap()
    }

    /// Returns the macaroon as text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.serialized.as_deref()
    }

    /// Returns the root key, if it is known.
    #[must_use]
    pub fn key(&self) -> Option<Key<'_>> {
        let key = self.key.as_ref()?.as_bytes();
        Some(match self.key_is_raw_32_bytes {
            false => Key::Secret(key),
            true => Key::Derived(key.try_into().expect("a raw key has 32 bytes")),
        })
    }

    /// Returns the identifier, if the strict grammar reads the macaroon.
    #[must_use]
    pub fn identifier(&self) -> Option<&[u8]> {
        one_of(self.identifier.as_deref(), self.identifier_hex.as_deref())
    }

    /// Whether every caveat is a first-party one.
    #[must_use]
    pub fn is_first_party_only(&self) -> bool {
        self.caveats.iter().all(|caveat| caveat.vid.is_none())
    }
}

/// Returns the bytes of a field that is text or else hexadecimal.
fn one_of<'a>(text: Option<&'a str>, bytes: Option<&'a [u8]>) -> Option<&'a [u8]> {
    assert!(text.is_none() || bytes.is_none(), "a field is text and bytes: {text:?}");
    text.map(str::as_bytes).or(bytes)
}

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Version 1 packets, in base64.
    V1,
    /// Version 1 as a JSON object, or a list of them.
    V1J,
    /// Version 2 fields, in base64.
    V2,
    /// Version 2 as a JSON object.
    V2J,
}

/// A caveat.
#[derive(Clone, Debug, Deserialize)]
pub struct CaveatVector {
    cid: Option<String>,
    #[serde(default, deserialize_with = "some_bytes")]
    cid_hex: Option<Vec<u8>>,
    /// The sealed caveat key, of a third-party caveat.
    #[serde(default, rename = "vid_hex", deserialize_with = "some_bytes")]
    pub vid: Option<Vec<u8>>,
    /// The location hint of a third-party caveat.
    pub cl: Option<String>,
}

impl CaveatVector {
    /// The predicate of a first-party caveat, the identifier of a third-party one.
    #[must_use]
    pub fn cid(&self) -> &[u8] {
        one_of(self.cid.as_deref(), self.cid_hex.as_deref()).unwrap()
    }
}

/// An expected verification.
#[derive(Clone, Debug, Deserialize)]
pub struct Verification {
    /// The predicates that hold.
    pub exact: Vec<String>,
    /// The answer.
    pub expect: Expectation,
}

/// The answer of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// The macaroon is accepted.
    Ok,
    /// It is refused.
    Fail,
}

/// The vectors of the encodings and of the chain.
#[derive(Clone, Debug, Deserialize)]
pub struct Primitives {
    /// base64 in both alphabets.
    pub base64_decode: Vec<TextCase>,
    /// Varints and their bytes.
    pub varint: Vec<VarintCase>,
    /// Bytes that are no varint.
    pub varint_reject: Vec<BytesCase>,
    /// Single packets of version 1.
    pub packet_v1: Vec<TextCase>,
    /// The limits of a packet of version 1.
    pub packet_v1_max: PacketLimits,
    /// Single sections of version 2.
    pub section_v2: Vec<BytesCase>,
    /// One macaroon with a third-party caveat and its discharge, step by step.
    pub hmac_chain: Vec<HmacStep>,
}

/// A text that is to be read or refused.
#[derive(Clone, Debug, Deserialize)]
pub struct TextCase {
    /// The text.
    pub input: String,
    /// Whether it is refused.
    #[serde(default)]
    pub reject: bool,
    /// Whether it is read.
    #[serde(default)]
    pub ok: bool,
    /// Which rule it is about.
    pub note: String,
}

/// Bytes that are to be read or refused.
#[derive(Clone, Debug, Deserialize)]
pub struct BytesCase {
    /// The bytes.
    #[serde(alias = "input_hex", alias = "bytes_hex", deserialize_with = "bytes")]
    pub bytes: Vec<u8>,
    /// Whether they are read.
    #[serde(default)]
    pub ok: bool,
    /// Which rule they are about.
    #[serde(alias = "why")]
    pub note: String,
}

/// A varint.
#[derive(Clone, Debug, Deserialize)]
pub struct VarintCase {
    /// The number.
    pub value: u64,
    /// Its only encoding.
    pub bytes: Vec<u8>,
}

/// The limits of a packet of version 1.
#[derive(Clone, Debug, Deserialize)]
pub struct PacketLimits {
    /// The longest packet, in bytes.
    pub max_total: usize,
    /// The longest value, in bytes.
    pub max_value_by_key: PacketBytes,
}

/// A number of bytes for each kind of packet.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct PacketBytes {
    /// `location`
    pub location: usize,
    /// `identifier`
    pub identifier: usize,
    /// `cid`
    pub cid: usize,
}

/// One value on the way from a root key to a signature.
#[derive(Clone, Debug, Deserialize)]
pub struct HmacStep {
    /// The value, in hexadecimal.
    pub hex: String,
}

/// A sample token as an API document prints it, and what is wrong with it.
#[derive(Clone, Debug, Deserialize)]
pub struct ApiDocument {
    /// The vector's name in failure messages.
    pub id: String,
    /// The token as printed.
    pub text: String,
    /// Its length in characters.
    pub length: usize,
    /// The text as base64url, where base62 unescapes.
    pub unescaped: Option<String>,
    /// The packets before the damage.
    #[serde(default)]
    pub complete_packets: Vec<Packet>,
    /// The packet that the damage cuts short.
    pub truncated_packet: Option<TruncatedPacket>,
    /// The token before it was damaged, as base64url, where that is known.
    pub restored: Option<String>,
    /// The same as base62.
    pub restored_base62: Option<String>,
    /// The packets of the token before it was damaged.
    #[serde(default)]
    pub restored_packets: Vec<Packet>,
    /// The packets, where nothing is wrong.
    #[serde(default)]
    pub packets: Vec<Packet>,
}

/// A packet. It has a value that is text or else one in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Packet {
    /// The value, where it is text.
    pub value: Option<String>,
    /// The value in hexadecimal, where it is not.
    pub hex: Option<String>,
}

/// A packet that ends before its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TruncatedPacket {
    /// The length that it declares, in bytes.
    pub declared_length: usize,
    /// The bytes that are there.
    pub available: usize,
}
