//! `verify` and `preflight`.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    ser::{SerializeMap as _, SerializeStruct as _},
};
use token_core::{
    Bytes, CaveatTypes, Identifier, IdentifierV2, Macaroon, Predicate, Stamp, UnixTime, Verifier, VerifyError,
};

use crate::{
    error::Error,
    facts::{Facts, Use, types},
    json::unreadable,
    text::{Octets, Text, object, root_key},
    token::{Texts, own_caveats, read},
};

/// `verify`: verifies a token by its secret or its root key and the facts of the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Verify<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    secret: Option<Octets<'a>>,
    #[serde(borrow)]
    root_key: Option<Octets<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    context: Facts<'a>,
    r#as: Option<Use>,
    #[serde(borrow)]
    supported: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    ignored: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    exact: Option<Vec<Octets<'a>>>,
    #[serde(borrow)]
    discharges: Option<Vec<Text<'a>>>,
}

/// `{"valid":true,"identifier":…,"subject":…,"type":…,"caveats":[…],"expiresAt":…}`
///
/// The subject and the type are null for an identifier of another version than 2. The caveats are the texts of the
/// token's own ones, some of which the host has to enforce later.
pub struct Verified {
    macaroon: Macaroon,
    expires_at: Option<UnixTime>,
    has_caveats: bool,
}

impl Verified {
    /// The answer for a macaroon that was verified and expires at this time.
    #[must_use]
    pub const fn new(macaroon: Macaroon, expires_at: Option<UnixTime>) -> Self {
        Self { macaroon, expires_at, has_caveats: true }
    }

    /// The same without the member `caveats`, for a caller that has its own in its place.
    #[must_use]
    pub fn without_caveats(self) -> Self {
        Self { has_caveats: false, ..self }
    }

    /// Returns the macaroon.
    #[must_use]
    pub const fn macaroon(&self) -> &Macaroon {
        &self.macaroon
    }

    /// Returns the identifier.
    #[must_use]
    pub fn identifier(&self) -> &[u8] {
        self.macaroon.identifier()
    }

    /// Returns what an identifier of version 2 states; `None` for any other.
    #[must_use]
    pub fn stated(&self) -> Option<IdentifierV2<&str>> {
        Identifier::read(self.identifier()).ok()?.v2().copied()
    }

    /// Returns the texts of the token's own caveats.
    pub fn caveats(&self) -> impl Iterator<Item = &[u8]> {
        own_caveats(&self.macaroon)
    }

    /// Returns the time from which on the token is not valid.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

impl Serialize for Verified {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stated = self.stated();
        let mut answer = serializer.serialize_struct("Verified", if self.has_caveats { 6 } else { 5 })?;
        answer.serialize_field("valid", &true)?;
        answer.serialize_field("identifier", &Bytes(self.identifier()))?;
        answer.serialize_field("subject", &stated.map(|stated| stated.subject))?;
        answer.serialize_field("type", &stated.map(|stated| stated.token_type))?;
        if self.has_caveats {
            answer.serialize_field("caveats", &Texts(&self.macaroon))?;
        }
        answer.serialize_field("expiresAt", &self.expires_at.map(Stamp))?;
        answer.end()
    }
}

impl<'a> Verify<'a> {
    /// Reads the request as [`Request::read`](crate::Request::read) does.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument); the error shows no value of the request.
    pub fn read<D: Deserializer<'a>>(from: D) -> Result<Self, Error> {
        object(from).map_err(|error| unreadable(&error))
    }
}

impl Verify<'_> {
    /// # Errors
    /// [`Error`]: the signature is judged first, then the caveats in their order, last the session.
    pub fn answer(&self) -> Result<Verified, Error> {
        self.judge(None)?
    }

    /// Verifies, and explains what it makes of each caveat if that is wanted. The outer error is one of the request or of
    /// a text in it; the inner one refuses the token.
    pub(crate) fn judge(
        &self,
        explained: Option<&mut Option<Vec<Judged>>>,
    ) -> Result<Result<Verified, Error>, Error> {
        let key = root_key(self.secret.as_ref(), self.root_key.as_ref())?;
        let mut context = self.context.context(None)?;
        let (macaroon, _) = read(&self.token)?;
        let read_discharge = |(index, text): (usize, &Text<'_>)| {
            read(text).map(|(discharge, _)| discharge).map_err(|error| error.of_discharge(index))
        };
        let discharges = self.discharges.as_deref().unwrap_or_default();
        let discharges: Vec<_> =
            discharges.iter().enumerate().map(read_discharge).collect::<Result<_, Error>>()?;
        let exact: Vec<&[u8]> = self.exact.iter().flatten().map(|exact| &**exact).collect();
        let mut supported = match self.r#as {
            Some(used_as) => used_as.supported(&macaroon, &mut context),
            None => CaveatTypes::ALL,
        };
        if let Some(names) = &self.supported {
            supported = types("supported", names)?;
        }
        let ignored = types("ignored", self.ignored.as_deref().unwrap_or_default())?;
        let verifier = Verifier::new(&context).exact(&exact).supporting(supported).ignoring(ignored);
        if let Some(explained) = explained {
            *explained = verifier.explain(&macaroon, &discharges, &key).ok().map(|explanation| {
                let judged = explanation.findings.into_iter().map(|finding| {
                    let reason = finding.verdict.as_ref().err().map(reason);
                    let (discharge, index) = (finding.at.discharge, finding.at.index);
                    Judged { discharge, index, holds: reason.is_none(), fact: finding.fact, reason }
                });
                judged.collect()
            });
        }
        let expires_at = match verifier.verify_with(&macaroon, &discharges, &key) {
            Ok(verified) => match self.r#as.and_then(|used_as| used_as.mismatch(&macaroon)) {
                Some(code) => return Ok(Err(Error::new(code))),
                None => verified.expires_at(),
            },
            Err(error) => return Ok(Err(Error::refused(&error, &macaroon, &discharges))),
        };
        Ok(Ok(Verified::new(macaroon, expires_at)))
    }
}

/// What a verification made of a caveat.
#[derive(Serialize)]
pub(crate) struct Judged {
    discharge: Option<usize>,
    index: usize,
    holds: bool,
    /// What the request has about it.
    fact: Option<String>,
    /// Why it does not hold.
    reason: Option<String>,
}

/// Says why a caveat does not hold, without its place.
#[must_use]
pub fn reason(error: &VerifyError) -> String {
    match error {
        VerifyError::CaveatUnmet { why, .. } => why.to_string(),
        VerifyError::CaveatUnsupported { .. } => "a token of this type must not carry it".into(),
        VerifyError::CaveatUnenforced { .. } => "the host enforces no caveat of a discharge".into(),
        VerifyError::CaveatUnknown { .. } => "it is not understood".into(),
        other => other.to_string(),
    }
}

/// `preflight`: whether the issuer would refuse the token, judged without its key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preflight<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow, deserialize_with = "object")]
    context: Facts<'a>,
    r#as: Option<Use>,
}

/// `{"refuted":{"index":…,"caveat":…,"reason":…}}` or `{"undecided":true}`. A token that is refused for its session has
/// neither index nor caveat.
pub struct Preflighted(Option<Error>);

impl Serialize for Preflighted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Refuted<'a>(&'a Error);

        impl Serialize for Refuted<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let detail = self.0.detail();
                let caveat = detail.caveat.as_deref();
                let known = caveat.and_then(Predicate::read);
                let mut refuted = serializer.serialize_struct("Refuted", 3)?;
                refuted.serialize_field("index", &detail.index)?;
                match (known, caveat) {
                    (Some(known), _) => refuted.serialize_field("caveat", &known)?,
                    (None, bytes) => refuted.serialize_field("caveat", &bytes.map(Bytes))?,
                }
                refuted.serialize_field("reason", &detail.reason)?;
                refuted.end()
            }
        }

        let mut map = serializer.serialize_map(Some(1))?;
        match &self.0 {
            Some(error) => map.serialize_entry("refuted", &Refuted(error))?,
            None => map.serialize_entry("undecided", &true)?,
        }
        map.end()
    }
}

impl Preflight<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Preflighted, Error> {
        let mut context = self.context.context(None)?;
        let (macaroon, _) = read(&self.token)?;
        let supported = match self.r#as {
            Some(used_as) => used_as.supported(&macaroon, &mut context),
            None => CaveatTypes::ALL,
        };
        let refuted = Verifier::new(&context).supporting(supported).preflight(&macaroon);
        Ok(Preflighted(refuted.map(|error| {
            let reason = match error {
                VerifyError::WrongSession => Some("session"),
                VerifyError::CaveatUnknown { .. } => Some("unknown"),
                _ => None,
            };
            let refused = Error::refused(&error, &macaroon, &[]);
            refused.with(|detail| detail.reason = reason.map(Into::into).or(detail.reason.take()))
        })))
    }
}
