//! The subject or the consumer of a token (`onedata-tokens.md` §3).

use core::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// A user, a provider, a group, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject<'a> {
    /// `usr-ID`
    User(&'a str),
    /// `prv-ID`
    Provider(&'a str),
    /// `grp-ID`
    Group(&'a str),
    /// `nobody`
    Nobody,
}

impl<'a> Subject<'a> {
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
        match code {
            "usr-" => Some(Self::User(id)),
            "prv-" => Some(Self::Provider(id)),
            "grp-" => Some(Self::Group(id)),
            _ => None,
        }
    }

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
    pub const fn id(&self) -> Option<&'a str> {
        match self {
            Self::User(id) | Self::Provider(id) | Self::Group(id) => Some(id),
            Self::Nobody => None,
        }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "usr-{id}"),
            Self::Provider(id) => write!(f, "prv-{id}"),
            Self::Group(id) => write!(f, "grp-{id}"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// `{"type":"user","id":"…"}`
impl Serialize for Subject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut subject = serializer.serialize_struct("Subject", 2)?;
        subject.serialize_field("type", self.kind())?;
        subject.serialize_field("id", &self.id())?;
        subject.end()
    }
}
