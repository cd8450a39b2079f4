//! The verbs that need no store: one type for each request and one for each answer.

mod verify;

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use token_core::{
    DecodeOptions, Encoding, Format, IdentifierV2, Inspection, Macaroon, Predicate, Spelling, Token,
    UnixTime, inspect,
};

pub(crate) use self::verify::Judged;
pub use self::verify::{Preflight, Preflighted, Verified, Verify, reason};
pub use crate::token::Written;
use crate::{
    error::Error,
    json::unreadable,
    text::{Condition, Given, Octets, Text, object, root_key},
    token::{self, attenuate, damaged, read},
};

/// `inspect`: reads a token without its key. Proves nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspect<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    now: Option<UnixTime>,
    signature: Option<bool>,
    compat: Option<bool>,
}

/// The inspection of `cli.md`.
pub struct Inspected {
    inspection: Inspection,
    now: Option<UnixTime>,
    signature: bool,
}

impl Serialize for Inspected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.inspection.report(self.now);
        if self.signature { report.with_signature() } else { report }.serialize(serializer)
    }
}

impl Inspect<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Inspected, Error> {
        let options = match self.compat {
            Some(true) => DecodeOptions::compat(),
            _ => DecodeOptions::default(),
        };
        let inspection =
            inspect(&self.token, &options).map_err(|_| damaged(&self.token, &options, self.now, true))?;
        Ok(Inspected { inspection, now: self.now, signature: self.signature.unwrap_or(false) })
    }
}

/// `confine`: appends caveats. Needs no key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confine<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    caveats: Vec<Condition<'a>>,
}

impl<'a> Confine<'a> {
    /// Reads the request as [`Request::read`](crate::Request::read) does.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument); the error shows no value of the request.
    pub fn read<D: Deserializer<'a>>(from: D) -> Result<Self, Error> {
        object(from).map_err(|error| unreadable(&error))
    }
}

impl Confine<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Written, Error> {
        let (mut macaroon, spelling) = read(&self.token)?;
        attenuate(&mut macaroon, &self.caveats)?;
        token::write(&macaroon, spelling)
    }
}

/// `caveat`: reads the text of a caveat, or writes one from its document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caveat<'a> {
    #[serde(borrow)]
    text: Option<Octets<'a>>,
    #[serde(borrow)]
    caveat: Option<Condition<'a>>,
}

/// `{"text":…,"caveat":…}`: the text as Onedata writes it, and the document. Of a text that is not understood, the text
/// as it is, and null.
pub struct CaveatRead(Vec<u8>);

impl Serialize for CaveatRead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        token_core::Caveat::FirstParty { predicate: &self.0 }.serialize(serializer)
    }
}

impl Caveat<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<CaveatRead, Error> {
        let given: &[u8] = match (&self.text, &self.caveat) {
            (Some(text), None) => text,
            (None, Some(caveat)) => caveat.as_ref(),
            _ => return Err(Error::argument("text", "either text or caveat is needed, not both")),
        };
        let written = Predicate::read(given).map(|predicate| alloc::format!("{predicate}").into_bytes());
        Ok(CaveatRead(written.unwrap_or_else(|| given.to_vec())))
    }
}

/// `needs`: the facts to look up before the token is verified.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// `{"asn":…,"country":…,"region":…,"groups":[…]}`. The group `*` asks whether the consumer is in any group.
#[derive(Serialize)]
pub struct Needed {
    asn: bool,
    country: bool,
    region: bool,
    groups: Vec<String>,
}

impl Needs<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Needed, Error> {
        let (macaroon, _) = read(&self.token)?;
        let needs = macaroon.needs();
        let any_group = needs.any_group.then_some("*");
        Ok(Needed {
            asn: needs.asn,
            country: needs.country,
            region: needs.regions,
            groups: any_group.into_iter().chain(needs.groups.iter().copied()).map(Into::into).collect(),
        })
    }
}

/// `mint`: makes a token under a secret or a root key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mint<'a> {
    #[serde(borrow)]
    secret: Option<Octets<'a>>,
    #[serde(borrow)]
    root_key: Option<Octets<'a>>,
    #[serde(borrow)]
    location: Text<'a>,
    #[serde(borrow)]
    identifier: Given<'a, IdentifierV2>,
    #[serde(borrow)]
    caveats: Option<Vec<Condition<'a>>>,
    #[serde(borrow)]
    format: Option<Text<'a>>,
    #[serde(borrow)]
    encoding: Option<Text<'a>>,
}

impl Mint<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Written, Error> {
        let key = root_key(self.secret.as_ref(), self.root_key.as_ref())?;
        let (format, encoding) = self.written_as()?;
        let invalid = |error| Error::build("identifier", error);
        let mut macaroon = match &self.identifier {
            Given::Bytes(bytes) => {
                // A reader would refuse it.
                token_core::Identifier::read(bytes).map_err(|error| invalid(error.into()))?;
                Macaroon::mint(&key, &self.location, bytes).map_err(invalid)?
            }
            Given::Document(identifier) => {
                let token = Token::mint(&key, &self.location, identifier).map_err(invalid)?;
                token.macaroon().clone()
            }
        };
        attenuate(&mut macaroon, self.caveats.as_deref().unwrap_or_default())?;
        let mut spelling = Spelling::default();
        (spelling.format, spelling.encoding) = (format, encoding);
        token::write(&macaroon, spelling)
    }

    fn written_as(&self) -> Result<(Format, Encoding), Error> {
        match (self.format.as_deref(), self.encoding.as_deref()) {
            (None | Some("v1"), None | Some("base62")) => Ok((Format::V1, Encoding::Base62)),
            (None | Some("v1"), Some("base64url")) => Ok((Format::V1, Encoding::Base64Url)),
            (Some("v2"), None | Some("base64url")) => Ok((Format::V2, Encoding::Base64Url)),
            (Some("v2j"), None | Some("json")) => Ok((Format::V2J, Encoding::Json)),
            (Some("v1" | "v2" | "v2j"), _) => {
                Err(Error::argument("encoding", "the format has no such encoding"))
            }
            _ => Err(Error::argument("format", "none of v1, v2 and v2j")),
        }
    }
}

/// `bind`: binds a discharge to the macaroon that it is presented with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind<'a> {
    #[serde(borrow)]
    root: Text<'a>,
    #[serde(borrow)]
    discharge: Text<'a>,
}

impl Bind<'_> {
    /// # Errors
    /// [`Error`]
    pub fn answer(&self) -> Result<Written, Error> {
        let (root, _) = read(&self.root)?;
        let (discharge, spelling) = read(&self.discharge).map_err(|error| error.of_discharge(0))?;
        token::write(&root.bind_discharge(&discharge), spelling)
    }
}

/// `version`: what this library is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {}

/// `{"package":…,"abi":…,"formats":[…]}`
#[derive(Serialize)]
pub struct Versions {
    package: &'static str,
    abi: u32,
    formats: Vec<&'static str>,
}

/// The version of the verbs and their documents. It rises when a caller has to change.
pub const ABI: u32 = 1;

impl Version {
    /// # Errors
    /// None.
    pub fn answer(&self) -> Result<Versions, Error> {
        Ok(Versions {
            package: env!("CARGO_PKG_VERSION"),
            abi: ABI,
            formats: [Format::V1, Format::V2, Format::V2J, Format::V1J].map(Format::as_str).to_vec(),
        })
    }
}
