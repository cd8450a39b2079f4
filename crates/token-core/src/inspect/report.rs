//! An inspection as one document.

use alloc::{format, string::String, vec::Vec};

use serde::Serialize;

use super::Inspection;
use crate::{Bytes, Caveat, IdentifierV2, ServiceKind, Stamp, UnixTime};

/// An inspection in the form of `cli.md`: `{"verified":false,"encoding":…,"location":…,"caveats":[…],…}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    verified: bool,
    encoding: Option<&'static str>,
    format: Option<&'static str>,
    bytes: usize,
    location: Option<Bytes<'a>>,
    identifier: Option<Bytes<'a>>,
    token: Option<Reading<'a>>,
    caveats: Vec<Caveat<'a>>,
    expires_at: Option<Stamp>,
    expired: Option<bool>,
    signature: Option<String>,
    #[serde(skip)]
    inspection: &'a Inspection,
}

impl<'a> Report<'a> {
    pub(super) fn new(inspection: &'a Inspection, now: Option<UnixTime>) -> Self {
        let expires_at = inspection.expires_at();
        Self {
            verified: false,
            encoding: inspection.encoding().map(|encoding| encoding.as_str()),
            format: inspection.format().map(|format| format.as_str()),
            bytes: inspection.len(),
            location: inspection.location().map(Bytes),
            identifier: inspection.identifier().map(Bytes),
            token: inspection.token().map(|token| Reading { token, service: inspection.service() }),
            caveats: inspection.caveats().collect(),
            expires_at: expires_at.map(Stamp),
            expired: now.map(|now| expires_at.is_some_and(|expires_at| expires_at <= now)),
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

#[derive(Serialize)]
struct Reading<'a> {
    #[serde(flatten)]
    token: IdentifierV2<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<ServiceKind>,
}
