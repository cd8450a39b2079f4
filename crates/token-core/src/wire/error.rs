//! Why a text or its bytes are not a token, and where.

use core::fmt;

use crate::identifier::IdentifierError;

/// The text, or the bytes that it spells, are not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at {unit} {offset}")]
pub struct DecodeError {
    pub(crate) problem: Problem,
    pub(crate) offset: usize,
    pub(crate) unit: Unit,
}

impl DecodeError {
    /// What is wrong.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Where the damage shows, counted from 0 in [`unit`](Self::unit)s.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What [`offset`](Self::offset) counts.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// At which step of decoding the damage shows.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.problem.stage()
    }

    /// Whether this is how a text looks that was cut off.
    pub(crate) const fn is_at_the_end(&self) -> bool {
        matches!(
            self.problem,
            Problem::CutEscape
                | Problem::Base64Length
                | Problem::TrailingBits
                | Problem::Cut { .. }
                | Problem::CutLength { .. }
                | Problem::CutField { .. }
                | Problem::MissingField { .. }
        )
    }

    pub(crate) const fn text(problem: Problem, offset: usize) -> Self {
        Self { problem, offset, unit: Unit::Character }
    }

    pub(crate) const fn bytes(problem: Problem, offset: usize) -> Self {
        Self { problem, offset, unit: Unit::Byte }
    }

    pub(crate) const fn too_long(len: usize, max: usize) -> Self {
        Self::bytes(Problem::TooLong { len, max }, max)
    }

    pub(crate) fn field_too_long(field: &'static str, len: usize, max: usize, begin: usize) -> Self {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        Self::bytes(Problem::FieldTooLong { field, len, max }, begin)
    }

    pub(crate) const fn missing_signature(offset: usize) -> Self {
        Self::bytes(Problem::MissingField { expected: "signature" }, offset)
    }
}

/// What an offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Characters of the text, its prefix included.
    Character,
    /// Bytes of the macaroon that the text spells.
    Byte,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "character",
            Self::Byte => "byte",
        })
    }
}

/// A step of decoding, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The text as a whole: its prefix, its characters.
    Text,
    /// The escapes of base62.
    Base62,
    /// The characters, padding and last bits of base64.
    Base64,
    /// The frame of a v1 packet.
    Packet,
    /// The name, order or value of a field.
    Field,
    /// The JSON of a v2J or v1J document.
    Json,
    /// The grammar of a version-2 identifier.
    Identifier,
    /// A limit of the reader.
    Limit,
}

impl Stage {
    /// The stage as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Base62 => "base62",
            Self::Base64 => "base64",
            Self::Packet => "packet",
            Self::Field => "field",
            Self::Json => "json",
            Self::Identifier => "identifier",
            Self::Limit => "limit",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no text.
    #[error("the token is empty")]
    Empty,
    /// White space is no part of a token; a line may have been broken or copied with its ends.
    #[error("the token holds white space")]
    Whitespace,
    /// The fourth character is `-`, and what stands before it is neither `opw` nor `opp`
    /// (`onedata-tokens.md` §1.2), or what stands behind it is not of v1.
    #[error(
        "the prefix is neither `opw-` nor `opp-`, or stands before something other than a token of Onedata"
    )]
    Prefix,
    /// In base62, `0` is followed by one of `0` to `5` (`onedata-tokens.md` §1.2).
    #[error("`0{}` is no escape of base62, where 0 to 5 follow a 0: characters are missing or changed here", found.escape_default())]
    Escape {
        /// What follows the `0`.
        found: char,
    },
    /// The text ends in the middle of an escape.
    #[error("the text is cut: it ends within an escape of base62")]
    CutEscape,
    /// No alphabet of a token has this character.
    #[error("{found:?} is no character of a token")]
    Character {
        /// The character.
        found: char,
    },
    /// Either `-` and `_` or `+` and `/` stand in one text, never both.
    #[error("{found:?} belongs to the other base64 alphabet than the characters before it")]
    MixedAlphabets {
        /// The first character of the other alphabet.
        found: char,
    },
    /// No bytes are spelled by that many characters.
    #[error("the text is cut or has a character too many: base64 never has 4n+1 characters")]
    Base64Length,
    /// Padding stands at the end, and is either right or not there.
    #[error("the base64 padding is wrong")]
    Padding,
    /// The last character has bits that no encoder sets.
    #[error("the text is cut or its last character is changed: bits are left over")]
    TrailingBits,
    /// A packet begins with four lower-case hexadecimal digits.
    #[error("the length field of the {} packet is not four lower-case hexadecimal digits", Ordinal(*.packet))]
    LengthField {
        /// Which packet, from 0.
        packet: usize,
    },
    /// A packet has at least its length, a name, a space and a line feed.
    #[error("the {} packet says it has {declared} bytes, less than any packet has", Ordinal(*.packet))]
    PacketTooShort {
        /// Which packet, from 0.
        packet: usize,
        /// The length that it states, in bytes.
        declared: usize,
    },
    /// The bytes end within a packet.
    #[error("the token is cut {missing} bytes short inside the {} packet, which begins at byte {begin} and says it has {declared} bytes", FieldOr(*.field))]
    Cut {
        /// The name of the packet, where enough of it is left to tell.
        field: Option<&'static str>,
        /// Where the packet begins, in bytes.
        begin: usize,
        /// The length that it states, in bytes.
        declared: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// The bytes end within a packet's length field.
    #[error("the token is cut within the length field of its {} packet", Ordinal(*.packet))]
    CutLength {
        /// Which packet, from 0.
        packet: usize,
    },
    /// A packet ends with a line feed: its length, or something before this, is changed.
    #[error("the {} packet does not end in a line feed where its length says: its length is wrong, or bytes are missing or changed before", Ordinal(*.packet))]
    NoLineFeed {
        /// Which packet, from 0.
        packet: usize,
    },
    /// A packet has a name and a space before its value.
    #[error("the {} packet has no name", Ordinal(*.packet))]
    NoName {
        /// Which packet, from 0.
        packet: usize,
    },
    /// Another field has its place here (`macaroon-formats.md` §2).
    #[error("another field stands where {expected} should")]
    UnexpectedField {
        /// What may stand here.
        expected: &'static str,
    },
    /// The macaroon ends before this field.
    #[error("the token ends where {expected} should stand")]
    MissingField {
        /// What should have come.
        expected: &'static str,
    },
    /// An identifier or a predicate is empty.
    #[error("the {field} is empty")]
    EmptyField {
        /// The name of the field.
        field: &'static str,
    },
    /// A location is text.
    #[error("the {field} is not UTF-8")]
    NotUtf8 {
        /// The name of the field.
        field: &'static str,
    },
    /// A signature has 32 bytes.
    #[error("the signature has {len} bytes instead of 32")]
    SignatureLength {
        /// Its length, in bytes.
        len: usize,
    },
    /// A third-party caveat's sealed key has 72 bytes (`macaroon-formats.md` §1).
    #[error("the key of a third-party caveat has {len} bytes instead of 72")]
    VidLength {
        /// Its length, in bytes.
        len: usize,
    },
    /// Nothing follows the signature.
    #[error("{left} bytes follow the signature")]
    TrailingBytes {
        /// How many, in bytes.
        left: usize,
    },
    /// A binary macaroon begins with its version, of which there is one: 2.
    #[error("the macaroon's version is {found}, where 2 is the only one")]
    Version {
        /// The first byte.
        found: u8,
    },
    /// A length is written as an unsigned LEB128 number of at most 64 bits, in as few bytes as will do.
    #[error("the length of the {field} is not a number in its shortest form")]
    Varint {
        /// The name of the field.
        field: &'static str,
    },
    /// The bytes end within a field.
    #[error("the macaroon is cut {missing} bytes short inside the {field}, which begins at byte {begin}")]
    CutField {
        /// The name of the field.
        field: &'static str,
        /// Where the field begins, in bytes.
        begin: usize,
        /// How many bytes are missing, at least.
        missing: usize,
    },
    /// The document is not JSON (RFC 8259), or not that of a macaroon.
    #[error("the JSON should have {expected} here")]
    JsonSyntax {
        /// What should stand here.
        expected: &'static str,
    },
    /// A string has an escape that RFC 8259 §7 does not know, or half a surrogate pair.
    #[error("the JSON has a bad escape in a string")]
    JsonEscape,
    /// A member stands twice in an object.
    #[error("the JSON has a member twice")]
    JsonDuplicate,
    /// No macaroon has this member.
    #[error("the JSON has a member that no macaroon has")]
    JsonUnknownMember,
    /// An ignored member nests deeper than any member of a macaroon.
    #[error("the JSON nests deeper than {max} levels")]
    JsonDepth {
        /// The greatest depth allowed.
        max: usize,
    },
    /// A field stands both as text and as base64.
    #[error("the JSON has a field both as text and as base64")]
    JsonBoth,
    /// Members of v1J and of v2J stand side by side.
    #[error("the JSON mixes members of version 1 and of version 2")]
    JsonMixed,
    /// The version of v2J is 2.
    #[error("the JSON is of another version than 2")]
    JsonVersion,
    /// The signature of v1J has 64 lower-case hexadecimal digits.
    #[error("the signature is not 64 lower-case hexadecimal digits")]
    SignatureHex,
    /// The version-2 identifier is not written as Onedata writes it.
    #[error("{0}")]
    Identifier(IdentifierError),
    /// The text is longer than the reader takes.
    #[error("the token has a length of {len}; {max} are allowed")]
    TooLong {
        /// Its length, in characters or bytes.
        len: usize,
        /// The greatest length allowed.
        max: usize,
    },
    /// A field is longer than the reader takes.
    #[error("the {field} has {len} bytes; {max} are allowed")]
    FieldTooLong {
        /// The name of the field.
        field: &'static str,
        /// Its length, in bytes. In v2 it is the one that the field states, which can be more than memory has.
        len: u64,
        /// The greatest length allowed, in bytes.
        max: usize,
    },
    /// There are more caveats than the reader takes.
    #[error("there are more than {max} caveats")]
    TooManyCaveats {
        /// The greatest number allowed.
        max: usize,
    },
}

impl Problem {
    const fn stage(&self) -> Stage {
        match self {
            Self::Empty | Self::Whitespace | Self::Prefix => Stage::Text,
            Self::Escape { .. } | Self::CutEscape => Stage::Base62,
            Self::Character { .. }
            | Self::MixedAlphabets { .. }
            | Self::Base64Length
            | Self::Padding
            | Self::TrailingBits => Stage::Base64,
            Self::LengthField { .. }
            | Self::PacketTooShort { .. }
            | Self::Cut { .. }
            | Self::CutLength { .. }
            | Self::NoLineFeed { .. }
            | Self::NoName { .. } => Stage::Packet,
            Self::UnexpectedField { .. }
            | Self::MissingField { .. }
            | Self::EmptyField { .. }
            | Self::NotUtf8 { .. }
            | Self::SignatureLength { .. }
            | Self::VidLength { .. }
            | Self::Version { .. }
            | Self::Varint { .. }
            | Self::CutField { .. }
            | Self::SignatureHex
            | Self::TrailingBytes { .. } => Stage::Field,
            Self::JsonSyntax { .. }
            | Self::JsonEscape
            | Self::JsonDuplicate
            | Self::JsonUnknownMember
            | Self::JsonDepth { .. }
            | Self::JsonBoth
            | Self::JsonMixed
            | Self::JsonVersion => Stage::Json,
            Self::Identifier(_) => Stage::Identifier,
            Self::TooLong { .. } | Self::FieldTooLong { .. } | Self::TooManyCaveats { .. } => Stage::Limit,
        }
    }
}

struct Ordinal(usize);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("first"),
            1 => f.write_str("second"),
            2 => f.write_str("third"),
            n => {
                let n = n.saturating_add(1);
                let suffix = match (n % 100, n % 10) {
                    (11..=13, _) => "th",
                    (_, 1) => "st",
                    (_, 2) => "nd",
                    (_, 3) => "rd",
                    _ => "th",
                };
                write!(f, "{n}{suffix}")
            }
        }
    }
}

struct FieldOr(Option<&'static str>);

impl fmt::Display for FieldOr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.unwrap_or("last"))
    }
}

/// The macaroon cannot be written in this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A v1 packet has at most 65,535 bytes, its length and name included (`macaroon-formats.md` §2).
    #[error("the {field} has {len} bytes; a v1 packet takes {max}")]
    FieldTooLong {
        /// The name of the packet.
        field: &'static str,
        /// The length of the value, in bytes.
        len: usize,
        /// The greatest length that fits, in bytes.
        max: usize,
    },
    /// A third-party caveat's sealed key has 72 bytes; one that was read from v1J has another length, and opens
    /// for nobody.
    #[error("the key of a third-party caveat has {len} bytes instead of 72")]
    VidLength {
        /// Its length, in bytes.
        len: usize,
    },
    /// Libraries that read v1 take text alone for identifiers and predicates (`macaroon-formats.md` §6).
    #[error("the {field} is not UTF-8, which v1 cannot carry everywhere")]
    NotUtf8 {
        /// The name of the packet.
        field: &'static str,
    },
}
