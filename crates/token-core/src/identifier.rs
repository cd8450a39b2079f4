//! The typed reading of an identifier (`onedata-tokens.md` §3).

use alloc::{format, string::String};
use core::fmt;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeStruct as _},
};

use crate::{DecodeError, Problem, Subject, TokenType, parse};

/// An identifier, as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a reader refuses every other version")]
pub enum Identifier<'a> {
    /// A bare name: legacy tokens (before 20.02) and macaroons of other programs have one.
    Opaque(&'a [u8]),
    /// Version 2, as Onedata has written it since 20.02.
    V2(IdentifierV2<&'a str>),
}

/// `2/persistence/subject/type/id`. `IdentifierV2` owns its parts; `IdentifierV2<&str>` borrows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifierV2<S = String> {
    /// Whether the token is stored.
    pub persistence: Persistence,
    /// The subject that the token acts for, or that invites.
    pub subject: Subject<S>,
    /// The type of the token.
    pub token_type: TokenType<S>,
    /// The token's id: not empty, without `/`.
    pub id: S,
}

/// Whether a token is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "version 2 has no other")]
pub enum Persistence {
    /// Stored under its id, with a secret of its own: `nmd`.
    Named,
    /// Not stored: `tmp-GENERATION`.
    Temporary {
        /// The generation of the subject's shared secret that signed it. A later generation revokes the token.
        generation: u64,
    },
}

impl<'a> Identifier<'a> {
    /// Reads an identifier. It is opaque if it has no `/`, or no number before the first `/`.
    ///
    /// # Errors
    /// [`DecodeError`] when it begins with a version number but is not a version-2 identifier as Onedata writes
    /// it. Onedata refuses such a token as bad. The offset counts from the identifier's beginning.
    pub fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if let Some(parts) = bytes.strip_prefix(VERSION) {
            return IdentifierV2::read(parts).map(Self::V2);
        }
        match parse::position(bytes, b'/').and_then(|slash| bytes.get(..slash)) {
            Some(version) if is_integer(version) => Err(bad("the version `2`", 0)),
            _ => Ok(Self::Opaque(bytes)),
        }
    }

    /// Returns the id under which the token is stored and spent: all of an opaque identifier, or the last part of a
    /// version-2 identifier.
    #[must_use]
    pub const fn id(&self) -> &'a [u8] {
        match self {
            Self::Opaque(bytes) => bytes,
            Self::V2(identifier) => identifier.id.as_bytes(),
        }
    }

    /// Returns the version-2 identifier, if it is one.
    #[must_use]
    pub const fn v2(&self) -> Option<&IdentifierV2<&'a str>> {
        match self {
            Self::V2(identifier) => Some(identifier),
            Self::Opaque(_) => None,
        }
    }
}

/// Returns the session that an access token is bound to, without reading the rest of its identifier:
/// `2/…/…/act:SESSION/…`. The inner `None` is a token bound to no session; the outer one is no access token.
pub(crate) fn session<'i>(identifier: &'i [u8]) -> Option<Option<&'i [u8]>> {
    let behind_slash =
        |part: &'i [u8]| parse::position(part, b'/').and_then(|at| part.get(at.checked_add(1)?..));
    let parts = identifier.strip_prefix(VERSION)?;
    let subject = parts.strip_prefix(b"nmd/").or_else(|| behind_slash(parts))?;
    let bound = behind_slash(subject)?.strip_prefix(b"act")?;
    match bound.first()? {
        b'/' => Some(None),
        b':' => Some(bound.get(1..parse::position(bound, b'/')?)),
        _ => None,
    }
}

/// What an identifier of version 2 begins with.
const VERSION: &[u8] = b"2/";

const PARTS: &str = "five parts, separated by `/`";
const TYPE: &str = "a type `act`, `act:SESSION`, `idn` or `CODE:TARGET:PARAMETERS`";

const fn bad(expected: &'static str, at: usize) -> DecodeError {
    DecodeError::bytes(Problem::Identifier(expected), at)
}

/// Whether Erlang reads the text as an integer. Onedata distinguishes the versions by this.
fn is_integer(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"+").or_else(|| bytes.strip_prefix(b"-")).unwrap_or(bytes);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

impl<'a> IdentifierV2<&'a str> {
    /// Reads the parts behind the version.
    fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut at = VERSION.len();
        let text = core::str::from_utf8(bytes)
            .map_err(|error| bad("UTF-8", at.saturating_add(error.valid_up_to())))?;
        let end = at.saturating_add(text.len());
        let mut parts = parse::parts(text, b'/');
        let mut part = || {
            let (begin, part) = (at, parts.next().ok_or(bad(PARTS, end))?);
            at = at.saturating_add(part.len()).saturating_add(1);
            Ok((begin, part))
        };
        let (persistence_at, persistence) = part()?;
        let (subject_at, subject) = part()?;
        let (type_at, token_type) = part()?;
        let (id_at, id) = part()?;
        if parts.next().is_some() {
            return Err(bad(PARTS, id_at.saturating_add(id.len())));
        }
        Ok(Self {
            persistence: Persistence::read(persistence)
                .ok_or(bad("the persistence `nmd`, or `tmp-` and a number", persistence_at))?,
            // `*` stands for anyone in caveats, and is no subject's id here.
            subject: Subject::read(subject)
                .filter(|subject| subject.id() != Some("*"))
                .ok_or(bad("a subject `usr-ID`, `prv-ID`, `grp-ID` or `nobody`", subject_at))?,
            token_type: TokenType::read(token_type).ok_or(bad(TYPE, type_at))?,
            id: Some(id).filter(|id| !id.is_empty()).ok_or(bad("an id", id_at))?,
        })
    }
}

impl<S: AsRef<str>> IdentifierV2<S> {
    /// Returns the same identifier, which borrows this one's parts.
    #[must_use]
    pub fn as_deref(&self) -> IdentifierV2<&str> {
        IdentifierV2 {
            persistence: self.persistence,
            subject: self.subject.as_deref(),
            token_type: self.token_type.as_deref(),
            id: self.id.as_ref(),
        }
    }

    /// Writes the identifier.
    ///
    /// # Errors
    /// [`DecodeError`] when a part contains a separator, so that it would read back as a different identifier.
    pub fn write(&self) -> Result<String, DecodeError> {
        let IdentifierV2 { persistence, subject, token_type, id } = self.as_deref();
        let text = format!("2/{persistence}/{subject}/{token_type}/{id}");
        match Identifier::read(text.as_bytes())? == Identifier::V2(self.as_deref()) {
            true => Ok(text),
            false => Err(bad(TYPE, 0)),
        }
    }
}

impl Persistence {
    fn read(text: &str) -> Option<Self> {
        if text == "nmd" {
            return Some(Self::Named);
        }
        let generation = text.strip_prefix("tmp-").and_then(parse::canonical_u64)?;
        Some(Self::Temporary { generation })
    }
}

impl fmt::Display for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => f.write_str("nmd"),
            Self::Temporary { generation } => write!(f, "tmp-{generation}"),
        }
    }
}

/// `"named"` or `{"temporary":7}`
impl Serialize for Persistence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named => serializer.serialize_str("named"),
            Self::Temporary { generation } => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("temporary", generation)?;
                map.end()
            }
        }
    }
}

/// `{"version":2,"persistence":…,"subject":…,"type":…,"id":…}`
impl<S: AsRef<str>> Serialize for IdentifierV2<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut map = serializer.serialize_struct("IdentifierV2", 5)?;
        map.serialize_field("version", &2)?;
        map.serialize_field("persistence", &self.persistence)?;
        map.serialize_field("subject", &self.subject)?;
        map.serialize_field("type", &self.token_type)?;
        map.serialize_field("id", self.id.as_ref())?;
        map.end()
    }
}
