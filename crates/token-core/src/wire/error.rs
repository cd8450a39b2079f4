//! The errors of decoding and encoding.

use core::fmt;

/// Why a text, or the bytes that it encodes, are not a token, and where the damage is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at {unit} {offset}")]
pub struct DecodeError {
    pub(crate) problem: Problem,
    pub(crate) offset: usize,
    pub(crate) unit: &'static str,
}

impl DecodeError {
    /// Returns what is wrong.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the offset of the damage, counted from 0 in [`unit`](Self::unit)s.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the unit of [`offset`](Self::offset): a `character` of the text, including its prefix, or a `byte` of
    /// the decoded macaroon.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        self.unit
    }

    /// Returns the step of decoding that found the damage: `text` as a whole, `base62`, `base64`, the frame of a
    /// `packet`, a `field`, `json`, the `identifier`, or a `limit` of the reader.
    #[must_use]
    pub const fn stage(&self) -> &'static str {
        self.problem.stage()
    }

    /// Whether a text that was cut off can fail like this.
    pub(crate) const fn is_at_the_end(&self) -> bool {
        matches!(
            self.problem,
            Problem::CutEscape
                | Problem::Base64Length
                | Problem::TrailingBits
                | Problem::Cut { .. }
                | Problem::CutLength(_)
                | Problem::CutField { .. }
                | Problem::MissingField(_)
        )
    }

    pub(crate) const fn text(problem: Problem, offset: usize) -> Self {
        Self { problem, offset, unit: "character" }
    }

    pub(crate) const fn bytes(problem: Problem, offset: usize) -> Self {
        Self { problem, offset, unit: "byte" }
    }

    pub(crate) const fn too_long(len: usize, max: usize) -> Self {
        Self::bytes(Problem::TooLong { len, max }, max)
    }

    pub(crate) fn field_too_long(field: &'static str, len: usize, max: usize, begin: usize) -> Self {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        Self::bytes(Problem::FieldTooLong { field, len, max }, begin)
    }

    pub(crate) const fn missing_signature(offset: usize) -> Self {
        Self::bytes(Problem::MissingField("signature"), offset)
    }
}

/// What is wrong with a token. Packets are counted from 0, and lengths in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is empty.
    #[error("the token is empty")]
    Empty,
    /// The text contains white space, perhaps from a broken line or a copied line end.
    #[error("the token holds white space")]
    Whitespace,
    /// The fourth character is `-`, but the prefix is neither `opw` nor `opp` (`onedata-tokens.md` §1.2), or the text
    /// after it is not v1.
    #[error(
        "the prefix is neither `opw-` nor `opp-`, or stands before something other than a token of Onedata"
    )]
    Prefix,
    /// In base62, a `0` is followed by this character, and not by one of `0` to `5` (`onedata-tokens.md` §1.2).
    #[error("`0{}` is no escape of base62, where 0 to 5 follow a 0: characters are missing or changed here", .0.escape_default())]
    Escape(char),
    /// The text ends within an escape.
    #[error("the text is cut: it ends within an escape of base62")]
    CutEscape,
    /// This character is in no alphabet of a token.
    #[error("{0:?} is no character of a token")]
    Character(char),
    /// The text mixes the alphabets with `-` and `_` and with `+` and `/`: this is the first character of the other.
    #[error("{0:?} belongs to the other base64 alphabet than the characters before it")]
    MixedAlphabets(char),
    /// No bytes encode to this number of characters.
    #[error("the text is cut or has a character too many: base64 never has 4n+1 characters")]
    Base64Length,
    /// The padding is not at the end, or incomplete, or too long.
    #[error("the base64 padding is wrong")]
    Padding,
    /// The last character has bits set that encoders leave zero.
    #[error("the text is cut or its last character is changed: bits are left over")]
    TrailingBits,
    /// This packet does not begin with four lower-case hexadecimal digits.
    #[error("the length field of the {} packet is not four lower-case hexadecimal digits", Ordinal(*.0))]
    LengthField(usize),
    /// A packet's length is too short for its length field, a name, a space and a line feed.
    #[error("the {} packet says it has {declared} bytes, less than any packet has", Ordinal(*.packet))]
    PacketTooShort {
        /// The index of the packet, from 0.
        packet: usize,
        /// The stated length, in bytes.
        declared: usize,
    },
    /// The bytes end within a packet.
    #[error("the token is cut {missing} bytes short inside the {} packet, which begins at byte {begin} and says it has {declared} bytes", .field.unwrap_or("last"))]
    Cut {
        /// The name of the packet, if enough of it is left.
        field: Option<&'static str>,
        /// Where the packet begins, in bytes.
        begin: usize,
        /// The stated length, in bytes.
        declared: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// The bytes end within this packet's length field.
    #[error("the token is cut within the length field of its {} packet", Ordinal(*.0))]
    CutLength(usize),
    /// This packet does not end with a line feed: its length, or an earlier byte, is changed.
    #[error("the {} packet does not end in a line feed where its length says: its length is wrong, or bytes are missing or changed before", Ordinal(*.0))]
    NoLineFeed(usize),
    /// This packet has no name and space before its value.
    #[error("the {} packet has no name", Ordinal(*.0))]
    NoName(usize),
    /// Another field is where this one should be (`macaroon-formats.md` §2).
    #[error("another field stands where {0} should")]
    UnexpectedField(&'static str),
    /// The macaroon ends before this field.
    #[error("the token ends where {0} should stand")]
    MissingField(&'static str),
    /// This field, an identifier or a predicate, is empty.
    #[error("the {0} is empty")]
    EmptyField(&'static str),
    /// This field, such as the location, is not UTF-8.
    #[error("the {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// The signature has this length instead of 32 bytes.
    #[error("the signature has {0} bytes instead of 32")]
    SignatureLength(usize),
    /// A third-party caveat's sealed key has this length instead of 72 bytes (`macaroon-formats.md` §1).
    #[error("the key of a third-party caveat has {0} bytes instead of 72")]
    VidLength(usize),
    /// This many bytes follow the signature.
    #[error("{0} bytes follow the signature")]
    TrailingBytes(usize),
    /// The first byte of a binary macaroon is this version, and not 2, the only one.
    #[error("the macaroon's version is {0}, where 2 is the only one")]
    Version(u8),
    /// The length of this field is not an unsigned LEB128 number of at most 64 bits in its shortest form.
    #[error("the length of the {0} is not a number in its shortest form")]
    Varint(&'static str),
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
    /// The document is not JSON (RFC 8259), or not the JSON of a macaroon. A reader expects this here.
    #[error("the JSON should have {0} here")]
    JsonSyntax(&'static str),
    /// The document is JSON, but not a macaroon's: this is wrong with it.
    #[error("the JSON {0}")]
    Json(&'static str),
    /// The signature of a v1J document is not 64 lower-case hexadecimal digits.
    #[error("the signature is not 64 lower-case hexadecimal digits")]
    SignatureHex,
    /// The version-2 identifier is not written as Onedata writes it. Onedata writes this part here.
    #[error("the identifier should have {0} here")]
    Identifier(&'static str),
    /// The text, or the binary macaroon, exceeds the reader's limit.
    #[error("the token has a length of {len}; {max} are allowed")]
    TooLong {
        /// Its length, in bytes.
        len: usize,
        /// The greatest allowed length, in bytes.
        max: usize,
    },
    /// A field exceeds the reader's limit.
    #[error("the {field} has {len} bytes; {max} are allowed")]
    FieldTooLong {
        /// The name of the field.
        field: &'static str,
        /// Its length, in bytes. In v2 the stated length, which can exceed memory.
        len: u64,
        /// The greatest allowed length, in bytes.
        max: usize,
    },
    /// The macaroon has more caveats than this limit of the reader.
    #[error("there are more than {0} caveats")]
    TooManyCaveats(usize),
}

impl Problem {
    const fn stage(&self) -> &'static str {
        match self {
            Self::Empty | Self::Whitespace | Self::Prefix => "text",
            Self::Escape(_) | Self::CutEscape => "base62",
            Self::Character(_)
            | Self::MixedAlphabets(_)
            | Self::Base64Length
            | Self::Padding
            | Self::TrailingBits => "base64",
            Self::LengthField(_)
            | Self::PacketTooShort { .. }
            | Self::Cut { .. }
            | Self::CutLength(_)
            | Self::NoLineFeed(_)
            | Self::NoName(_) => "packet",
            Self::UnexpectedField(_)
            | Self::MissingField(_)
            | Self::EmptyField(_)
            | Self::NotUtf8(_)
            | Self::SignatureLength(_)
            | Self::VidLength(_)
            | Self::Version(_)
            | Self::Varint(_)
            | Self::CutField { .. }
            | Self::SignatureHex
            | Self::TrailingBytes(_) => "field",
            Self::JsonSyntax(_) | Self::Json(_) => "json",
            Self::Identifier(_) => "identifier",
            Self::TooLong { .. } | Self::FieldTooLong { .. } | Self::TooManyCaveats(_) => "limit",
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

/// Why a macaroon cannot be written in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A v1 packet would exceed 65,535 bytes, including its length and name (`macaroon-formats.md` §2).
    #[error("the {field} has {len} bytes; a v1 packet takes {max}")]
    FieldTooLong {
        /// The name of the packet.
        field: &'static str,
        /// The length of the value, in bytes.
        len: usize,
        /// The greatest length that fits, in bytes.
        max: usize,
    },
    /// A third-party caveat's sealed key does not have 72 bytes, as can happen in v1J. Such a key never opens.
    #[error("the key of a third-party caveat has {len} bytes instead of 72")]
    VidLength {
        /// Its length, in bytes.
        len: usize,
    },
    /// An identifier or a predicate is not UTF-8; other readers of v1 require text (`macaroon-formats.md` §6).
    #[error("the {field} is not UTF-8, which v1 cannot carry everywhere")]
    NotUtf8 {
        /// The name of the packet.
        field: &'static str,
    },
}
