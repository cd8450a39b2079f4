//! Onedata's services, as caveats and prefixes name them (`onedata-tokens.md` §3).

use alloc::{borrow::ToOwned as _, string::String};
use core::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::{
    ParseError,
    parse::{self, named},
};

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceKind {
    /// Onezone itself.
    OzWorker,
    /// Onezone's administration panel.
    OzPanel,
    /// A Oneprovider itself.
    OpWorker,
    /// A Oneprovider's administration panel.
    OpPanel,
}

named! {
    ServiceKind, "none of ozw, ozp, opw, opp",
    OzWorker = "ozw", OzPanel = "ozp", OpWorker = "opw", OpPanel = "opp",
}

impl Serialize for ServiceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One service, such as `opw-provider1`. In a caveat the id `*` stands for every service of the kind.
///
/// `Service` owns its id; `Service<&str>` borrows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service<S = String> {
    /// The kind of service.
    pub kind: ServiceKind,
    /// The id of the cluster's provider, or `onezone`.
    pub id: S,
}

impl<'a> Service<&'a str> {
    /// Onezone: `ozw-onezone`.
    pub const ONEZONE: Self = Self { kind: ServiceKind::OzWorker, id: "onezone" };

    /// Reads `code-ID`. The id is not empty and contains no `|`, which separates ids in a caveat.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (code, id) = parse::once(text, b'-')?;
        let kind = ServiceKind::from_name(code)?;
        (!id.is_empty() && !id.bytes().any(|byte| byte == b'|')).then_some(Self { kind, id })
    }

    /// Whether a caveat that names `self` admits `other`.
    pub(crate) fn admits(&self, other: Service<&str>) -> bool {
        self.kind == other.kind && (self.id == "*" || self.id == other.id)
    }
}

impl<S: AsRef<str>> Service<S> {
    /// Returns the same service, which borrows this one's id.
    #[must_use]
    pub fn as_deref(&self) -> Service<&str> {
        Service { kind: self.kind, id: self.id.as_ref() }
    }

    /// Returns the same service with an id of its own.
    #[must_use]
    pub fn into_owned(self) -> Service {
        Service { kind: self.kind, id: self.id.as_ref().to_owned() }
    }
}

/// As [`Service::read`].
impl FromStr for Service {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let service = Service::read(text).ok_or(ParseError("none of ozw-ID, ozp-ID, opw-ID and opp-ID"))?;
        Ok(service.into_owned())
    }
}

impl<S: AsRef<str>> fmt::Display for Service<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind, self.id.as_ref())
    }
}
