//! The subject or the consumer of a token (`onedata-tokens.md` §3).

use alloc::{borrow::ToOwned as _, string::String};
use core::{fmt, str::FromStr};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::ParseError;

/// A user, a provider, a group, or nobody. `Subject` owns its id; `Subject<&str>` borrows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host decides about every kind")]
pub enum Subject<S = String> {
    /// `usr-ID`
    User(S),
    /// `prv-ID`
    Provider(S),
    /// `grp-ID`
    Group(S),
    /// `nobody`
    Nobody,
}

impl<'a> Subject<&'a str> {
    /// Reads `usr-ID`, `prv-ID`, `grp-ID` or `nobody`. An id is not empty and contains neither `/` nor `|`, the
    /// separators of identifiers and caveats.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        if text == "nobody" {
            return Some(Self::Nobody);
        }
        let (code, id) = text.split_at_checked(4)?;
        if id.is_empty() || id.bytes().any(|byte| matches!(byte, b'/' | b'|')) {
            return None;
        }
        Self::of_code((code, id))
    }

    /// Makes the subject of a kind, with any id.
    pub(crate) fn of_code((code, id): (&str, &'a str)) -> Option<Self> {
        match code {
            "usr-" => Some(Self::User(id)),
            "prv-" => Some(Self::Provider(id)),
            "grp-" => Some(Self::Group(id)),
            _ => None,
        }
    }
}

impl<S: AsRef<str>> Subject<S> {
    /// Returns the kind as in Onedata's JSON: `user`, `oneprovider`, `group` or `nobody`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Provider(_) => "oneprovider",
            Self::Group(_) => "group",
            Self::Nobody => "nobody",
        }
    }

    /// Returns the id; [`Nobody`](Self::Nobody) has none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::User(id) | Self::Provider(id) | Self::Group(id) => Some(id.as_ref()),
            Self::Nobody => None,
        }
    }

    /// Returns the same subject, which borrows this one's id.
    #[must_use]
    pub fn as_deref(&self) -> Subject<&str> {
        match self {
            Self::User(id) => Subject::User(id.as_ref()),
            Self::Provider(id) => Subject::Provider(id.as_ref()),
            Self::Group(id) => Subject::Group(id.as_ref()),
            Self::Nobody => Subject::Nobody,
        }
    }

    /// Returns the same subject with an id of its own.
    #[must_use]
    pub fn into_owned(self) -> Subject {
        match self {
            Self::User(id) => Subject::User(id.as_ref().to_owned()),
            Self::Provider(id) => Subject::Provider(id.as_ref().to_owned()),
            Self::Group(id) => Subject::Group(id.as_ref().to_owned()),
            Self::Nobody => Subject::Nobody,
        }
    }
}

/// As [`Subject::read`].
impl FromStr for Subject {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let subject = Subject::read(text).ok_or(ParseError("none of usr-ID, prv-ID, grp-ID and nobody"))?;
        Ok(subject.into_owned())
    }
}

impl<S: AsRef<str>> fmt::Display for Subject<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_deref() {
            Subject::User(id) => write!(f, "usr-{id}"),
            Subject::Provider(id) => write!(f, "prv-{id}"),
            Subject::Group(id) => write!(f, "grp-{id}"),
            Subject::Nobody => f.write_str("nobody"),
        }
    }
}

/// `{"type":"user","id":"…"}`
impl<S: AsRef<str>> Serialize for Subject<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut subject = serializer.serialize_struct("Subject", 2)?;
        subject.serialize_field("type", self.kind())?;
        subject.serialize_field("id", &self.id())?;
        subject.end()
    }
}
