//! Encodes and decodes text: base62 and base64 (`onedata-tokens.md` §1.2, `macaroon-formats.md` §5).

mod engine;

use alloc::{string::String, vec::Vec};

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

use self::engine::{PADDED, UNPADDED, URL};
use super::{
    error::{DecodeError, Problem},
    format::{DecodeOptions, Format},
};
use crate::{parse::named, service::ServiceKind};

/// The encoding of bytes as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Onedata's own: base64url without padding, in which `0` escapes all but letters and digits.
    #[default]
    Base62,
    /// RFC 4648 §5, the alphabet with `-` and `_`.
    Base64Url,
    /// RFC 4648 §4, the alphabet with `+` and `/`. Read only: it is written as base64url.
    Base64,
    /// None: the text is JSON itself.
    Json,
}

named! {
    Encoding, "none of base62, base64url, base64, json",
    Base62 = "base62", Base64Url = "base64url", Base64 = "base64", Json = "json",
}

/// The unsigned properties of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spelling {
    /// Its format.
    pub format: Format,
    /// Its encoding.
    pub encoding: Encoding,
    /// The service of a Oneprovider that the prefix `opw-` or `opp-` names: an unsigned hint.
    pub service: Option<ServiceKind>,
    /// Whether it was read by the liberal rules, and is written by them.
    pub(crate) liberal: bool,
}

/// The offset and text that every v1 token has in base64: the `cation` of its first packet, `00XXlocation `. It
/// contains `0a`, which is not an escape of base62, so the two encodings cannot be confused (`onedata-tokens.md` §1.4).
const BASE64_MARK: (usize, &[u8]) = (8, b"Y2F0aW9u");

/// Spare capacity behind a decoded token for appended caveats, in bytes.
const SPARE: usize = 64;

/// The size of a temporary piece, for encoding or decoding that cannot work in place: whole groups of base64.
const PIECE: usize = 1024;

/// A failure, and the bytes decoded before it.
type Cut = (DecodeError, Vec<u8>);

pub(crate) fn encode(bytes: &[u8], encoding: Encoding) -> String {
    let mut text = String::new();
    encode_to(&mut text, bytes, encoding);
    text
}

/// Returns the length of this number of bytes as text: approximate in base62, an upper bound in base64.
pub(crate) const fn encoded_len(len: usize) -> usize {
    len.saturating_mul(4).div_ceil(3).saturating_add(len / 12)
}

pub(crate) fn encode_to(text: &mut String, bytes: &[u8], encoding: Encoding) {
    text.reserve(encoded_len(bytes.len()));
    if encoding != Encoding::Base62 {
        return URL.encode_string(bytes, text);
    }
    let mut piece = [0; PIECE];
    for bytes in bytes.chunks(PIECE / 4 * 3) {
        let len = URL.encode_slice(bytes, &mut piece).unwrap_or_default();
        let mut rest = piece.get(..len).and_then(|base64| str::from_utf8(base64).ok()).unwrap_or_default();
        // Few characters are escaped, and the run before each is copied at once.
        loop {
            let end = rest.bytes().position(|byte| matches!(byte, b'0' | b'_' | b'-')).unwrap_or(rest.len());
            let (run, after) = rest.split_at_checked(end).unwrap_or_default();
            text.push_str(run);
            let mut after = after.chars();
            text.push_str(match after.next() {
                Some('0') => "00",
                Some('_') => "01",
                Some('-') => "02",
                _ => break,
            });
            rest = after.as_str();
        }
    }
}

/// Decodes a text, and returns its spelling if it was recognized. Every text has at most one reading: a base62 text is
/// never tried as base64, nor the other way round.
pub(crate) fn decode(text: &str, options: &DecodeOptions) -> (Option<Spelling>, Result<Vec<u8>, Cut>) {
    let (service, body) = match split_prefix(text.as_bytes()) {
        Ok(split) => split,
        Err(error) => return (None, Err((error, Vec::new()))),
    };
    let skipped = text.len().saturating_sub(body.len());
    let (encoding, decoded) = read_body(body, options.liberal);
    let decoded = decoded.map_err(|(mut error, before)| {
        error.offset = error.offset.saturating_add(skipped);
        (error, before)
    });
    (Some(Spelling { encoding, service, ..Spelling::default() }), decoded)
}

/// The beginning of every v2 text: the version 2 and a tag below 16 (`macaroon-formats.md` §5).
const V2_MARK: &[u8] = b"Ag";

/// Splits off the prefix (`onedata-tokens.md` §1.2): a fourth character `-` ends a service code, which must be a
/// Oneprovider's. A v1 text without a prefix has no `-` there, since its first three bytes are digits. A v2 text may,
/// so it is recognized first.
fn split_prefix(text: &[u8]) -> Result<(Option<ServiceKind>, &[u8]), DecodeError> {
    if text.is_empty() {
        return Err(DecodeError::text(Problem::Empty, 0));
    }
    if text.starts_with(V2_MARK) {
        return Ok((None, text));
    }
    let Some((prefix, body)) = text.split_at_checked(4).filter(|(prefix, _)| prefix.ends_with(b"-")) else {
        return Ok((None, text));
    };
    let service = match prefix {
        b"opw-" => ServiceKind::OpWorker,
        b"opp-" => ServiceKind::OpPanel,
        _ => return Err(DecodeError::text(Problem::Prefix, 0)),
    };
    match body.is_empty() {
        true => Err(DecodeError::text(Problem::Empty, prefix.len())),
        false => Ok((Some(service), body)),
    }
}

fn read_body(body: &[u8], liberal: bool) -> (Encoding, Result<Vec<u8>, Cut>) {
    // A valid text is read in one pass. Any other text is read again to find the error.
    let (encoding, quick) = match body {
        _ if body.starts_with(V2_MARK) || marked_as_base64(body) => (Encoding::Base64Url, quick_base64(body)),
        _ if marked_as_base62(body) => (Encoding::Base62, quick_base62(body)),
        _ => (Encoding::Base62, None),
    };
    if let Some(bytes) = quick {
        return (encoding, Ok(bytes));
    }
    let encoding = match body.iter().find(|byte| !byte.is_ascii_alphanumeric()) {
        // A foreign character in a text whose encoding is recognized.
        Some(_) if !body.starts_with(V2_MARK) && marked_as_base62(body) => {
            return (Encoding::Base62, read_base62(body, liberal));
        }
        Some(b'+' | b'/') => Encoding::Base64,
        Some(b'=') if !body.iter().any(|byte| matches!(byte, b'-' | b'_')) => Encoding::Base64,
        Some(_) => Encoding::Base64Url,
        None if body.starts_with(V2_MARK) || marked_as_base64(body) => Encoding::Base64Url,
        None => match read_base62(body, liberal) {
            // A liberal reader accepts v1 without a location, which has no mark.
            Err((error, _)) if liberal && matches!(error.problem, Problem::Escape(_)) => Encoding::Base64Url,
            read => return (Encoding::Base62, read),
        },
    };
    (encoding, read_base64(body, liberal))
}

/// Reads base64url without padding.
fn quick_base64(body: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64::decoded_len_estimate(body.len()).saturating_add(SPARE));
    URL.decode_vec(body, &mut bytes).ok()?;
    Some(bytes)
}

/// Reads base62 of base64url without padding.
fn quick_base62(body: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64::decoded_len_estimate(body.len()).saturating_add(SPARE));
    let (mut characters, mut piece) = (body.iter(), [0; PIECE]);
    while !characters.as_slice().is_empty() {
        let mut len = 0_usize;
        for plain in &mut piece {
            *plain = match characters.next() {
                Some(b'0') => match characters.next()? {
                    b'0' => b'0',
                    b'1' => b'_',
                    b'2' => b'-',
                    _ => return None,
                },
                Some(b'-' | b'_') => return None,
                Some(other) => *other,
                None => break,
            };
            len = len.saturating_add(1);
        }
        URL.decode_vec(piece.get(..len)?, &mut bytes).ok()?;
    }
    Some(bytes)
}

/// Reads a piece of base62 that was cut off between characters.
pub(crate) fn read_piece(piece: &str) -> Result<Vec<u8>, DecodeError> {
    read_base62(piece.as_bytes(), false).map_err(|(error, _)| error)
}

/// Decodes the end of a text that was cut off between characters.
pub(crate) fn decode_piece(piece: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base62 => read_piece(piece).ok(),
        Encoding::Base64 | Encoding::Base64Url => read_base64(piece.as_bytes(), false).ok(),
        Encoding::Json => None,
    }
}

/// Where in a text the bytes that it encodes begin. It is asked about ever later bytes, so it goes through the text once.
pub(crate) struct Places<'a> {
    body: &'a [u8],
    encoding: Encoding,
    /// The length of the prefix.
    skipped: usize,
    /// An offset in the unescaped text, and the same in the body.
    plain: usize,
    at: usize,
}

impl<'a> Places<'a> {
    pub(crate) fn new(text: &'a str, spelling: Spelling) -> Self {
        let skipped = if spelling.service.is_some() { 4 } else { 0 };
        let body = text.as_bytes().get(skipped..).unwrap_or_default();
        Self { body, encoding: spelling.encoding, skipped, plain: 0, at: 0 }
    }

    /// Returns the offset of the character with which this byte begins, or the length of the text.
    pub(crate) fn of(&mut self, byte: usize) -> usize {
        if self.encoding == Encoding::Json {
            return byte.min(self.body.len());
        }
        let plain = byte.saturating_mul(4) / 3;
        while self.plain < plain && self.at < self.body.len() {
            let is_escape = self.encoding == Encoding::Base62 && self.body.get(self.at) == Some(&b'0');
            self.at = self.at.saturating_add(if is_escape { 2 } else { 1 });
            self.plain = self.plain.saturating_add(1);
        }
        self.at.min(self.body.len()).saturating_add(self.skipped)
    }
}

/// Whether the text has the same mark in base62: at the same offset, or one further for each escape before it.
fn marked_as_base62(body: &[u8]) -> bool {
    let mark = b"Y2F00aW9u";
    [8, 9, 10].into_iter().any(|at| body.get(at..).is_some_and(|tail| tail.starts_with(mark)))
}

fn marked_as_base64(body: &[u8]) -> bool {
    let (at, mark) = BASE64_MARK;
    let tail = body.get(at..).unwrap_or_default();
    // A text that is cut within the mark is still recognized if it has the `0a`.
    tail.starts_with(mark) || (tail.len() > 4 && mark.starts_with(tail))
}

fn read_base62(body: &[u8], liberal: bool) -> Result<Vec<u8>, Cut> {
    let mut base64 = Vec::with_capacity(body.len());
    let mut at = 0_usize;
    let mut rest = body;
    while let Some((character, tail)) = rest.split_first() {
        let (plain, taken) = match (character, tail.first()) {
            (b'0', Some(b'0')) => (b'0', 2),
            (b'0', Some(b'1')) => (b'_', 2),
            (b'0', Some(b'2')) => (b'-', 2),
            (b'0', Some(b'3')) => (b'/', 2),
            (b'0', Some(b'4')) => (b'+', 2),
            (b'0', Some(b'5')) => (b'=', 2),
            (b'0', Some(other)) => {
                let error = DecodeError::text(Problem::Escape(char::from(*other)), at);
                return Err((error, decode_before(&base64, base64.len())));
            }
            (b'0', None) => {
                let error = DecodeError::text(Problem::CutEscape, at);
                return Err((error, decode_cut(&base64)));
            }
            (plain, _) if plain.is_ascii_alphanumeric() => (*plain, 1),
            (stray, _) => {
                let problem = match stray {
                    b'-' | b'_' | b'+' | b'/' | b'=' => Problem::Character(char::from(*stray)),
                    stray => foreign(body, at, *stray),
                };
                return Err((DecodeError::text(problem, at), decode_before(&base64, base64.len())));
            }
        };
        base64.push(plain);
        rest = rest.get(taken..).unwrap_or_default();
        at = at.saturating_add(taken);
    }
    read_base64(&base64, liberal).map_err(|(mut error, before)| {
        error.offset = escaped_offset(body, error.offset);
        (error, before)
    })
}

/// Converts an offset in the unescaped text to the offset in the base62 text.
fn escaped_offset(body: &[u8], plain: usize) -> usize {
    let mut at = 0_usize;
    for _ in 0..plain {
        at = at.saturating_add(if body.get(at) == Some(&b'0') { 2 } else { 1 });
    }
    at.min(body.len())
}

/// Reads base64 in either alphabet, with correct padding or none. The liberal rules allow line ends, and spare bits in
/// the last character.
pub(crate) fn read_base64(body: &[u8], liberal: bool) -> Result<Vec<u8>, Cut> {
    if liberal && body.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        let joined: Vec<u8> = body.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        return read_base64(&joined, liberal);
    }
    let standard = body.iter().find(|byte| matches!(byte, b'+' | b'/' | b'-' | b'_'));
    let alphabet = match standard {
        Some(b'+' | b'/') => &STANDARD,
        _ => &URL_SAFE,
    };
    let config = if body.ends_with(b"=") { PADDED } else { UNPADDED };
    let config = config.with_decode_allow_trailing_bits(liberal);
    GeneralPurpose::new(alphabet, config).decode(body).map_err(|error| {
        let last = body.len().saturating_sub(1);
        let (problem, offset) = match (error, first_foreign(body)) {
            // The decoder checks the end before the middle; report the first fault.
            (base64::DecodeError::InvalidByte(at, byte), first)
                if is_base64(byte) && first.is_none_or(|(first, _)| at < first) =>
            {
                (if byte == b'=' { Problem::Padding } else { foreign(body, at, byte) }, at)
            }
            (_, Some((first, byte))) => (foreign(body, first, byte), first),
            (base64::DecodeError::InvalidLastSymbol { offset, .. }, None) => (Problem::TrailingBits, offset),
            (base64::DecodeError::InvalidLength(_), None) => (Problem::Base64Length, last),
            (base64::DecodeError::InvalidByte(..) | base64::DecodeError::InvalidPadding, None) => {
                (Problem::Padding, last)
            }
        };
        let before = match problem {
            Problem::Base64Length | Problem::TrailingBits => decode_cut(body),
            _ => decode_before(body, offset),
        };
        (DecodeError::text(problem, offset), before)
    })
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

fn first_foreign(body: &[u8]) -> Option<(usize, u8)> {
    body.iter().copied().enumerate().find(|(_, byte)| !is_base64(*byte))
}

fn foreign(body: &[u8], at: usize, byte: u8) -> Problem {
    let tail = body.get(at..).unwrap_or_default();
    let found = tail.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    match found.unwrap_or(char::REPLACEMENT_CHARACTER) {
        found if is_base64(byte) => Problem::MixedAlphabets(found),
        found if found.is_whitespace() => Problem::Whitespace,
        found => Problem::Character(found),
    }
}

/// Decodes the whole groups of four characters before `end`.
fn decode_before(base64: &[u8], end: usize) -> Vec<u8> {
    decode_cut(base64.get(..end & !3).unwrap_or_default())
}

/// Decodes all whole bytes of base64 that was cut off anywhere.
fn decode_cut(base64: &[u8]) -> Vec<u8> {
    const CUT: GeneralPurposeConfig = UNPADDED.with_decode_allow_trailing_bits(true);
    let whole = if base64.len() % 4 == 1 { base64.len() & !3 } else { base64.len() };
    let head = base64.get(..whole).unwrap_or_default();
    let alphabet = if head.iter().any(|byte| matches!(byte, b'+' | b'/')) { &STANDARD } else { &URL_SAFE };
    GeneralPurpose::new(alphabet, CUT).decode(head).unwrap_or_default()
}
