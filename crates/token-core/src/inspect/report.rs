//! An inspection as one document.

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::Inspection;
use crate::{Caveat, IdentifierV2, Predicate, ServiceKind, UnixTime};

/// An inspection in the form of `cli.md`: `{"verified":false,"encoding":…,"location":…,"caveats":[…],…}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    verified: bool,
    encoding: Option<&'static str>,
    format: Option<&'static str>,
    bytes: usize,
    location: Option<Text<'a>>,
    identifier: Option<Text<'a>>,
    token: Option<Reading<'a>>,
    caveats: Vec<Condition<'a>>,
    expires_at: Option<Expiry>,
    expired: bool,
    signature: Option<String>,
    #[serde(skip)]
    inspection: &'a Inspection,
}

impl<'a> Report<'a> {
    pub(super) fn new(inspection: &'a Inspection, now: UnixTime) -> Self {
        let expires_at = inspection.expires_at();
        Self {
            verified: false,
            encoding: inspection.encoding().map(|encoding| encoding.as_str()),
            format: inspection.format().map(|format| format.as_str()),
            bytes: inspection.len(),
            location: inspection.location().map(Text),
            identifier: inspection.identifier().map(Text),
            token: inspection.token().map(|token| Reading { token, service: inspection.service() }),
            caveats: inspection.caveats().map(Condition).collect(),
            expires_at: expires_at.map(Expiry),
            expired: expires_at.is_some_and(|expires_at| expires_at <= now),
            signature: None,
            inspection,
        }
    }

    /// Adds the signature, in hexadecimal. The document is then a bearer credential.
    #[must_use]
    pub fn with_signature(mut self) -> Self {
        self.signature = self
            .inspection
            .signature()
            .map(|signature| signature.expose().iter().map(|byte| format!("{byte:02x}")).collect());
        self
    }
}

/// A string, or `{"base64url":…}` for bytes that are not UTF-8.
struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let base64 = URL_SAFE_NO_PAD.encode(self.0);
                serializer.serialize_newtype_variant("Text", 0, "base64url", &base64)
            }
        }
    }
}

#[derive(Serialize)]
struct Reading<'a> {
    #[serde(flatten)]
    token: IdentifierV2<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<ServiceKind>,
}

struct Condition<'a>(Caveat<'a>);

impl Serialize for Condition<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Caveat::FirstParty { predicate } => {
                let mut map = serializer.serialize_struct("FirstParty", 2)?;
                map.serialize_field("text", &Text(predicate))?;
                map.serialize_field("caveat", &Predicate::read(predicate))?;
                map.end()
            }
            Caveat::ThirdParty { identifier, location, .. } => {
                let mut map = serializer.serialize_struct("ThirdParty", 3)?;
                map.serialize_field("thirdParty", &true)?;
                map.serialize_field("identifier", &Text(identifier))?;
                map.serialize_field("location", &Text(location))?;
                map.end()
            }
        }
    }
}

/// RFC 3339, or the seconds for a time that it cannot represent.
struct Expiry(UnixTime);

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_rfc3339() {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_u64(self.0.as_secs()),
        }
    }
}
