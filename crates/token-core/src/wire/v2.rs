//! The v2 binary form: tagged fields with varint lengths (`macaroon-formats.md` §3, §6).

use alloc::vec::Vec;

use super::{
    error::{DecodeError, EncodeError, Problem},
    format::{DecodeOptions, vid_fits, writable_vid},
};
use crate::{
    Caveat, Macaroon, Signature,
    macaroon::{CaveatSpans, Parts, Span, ThirdPartySpans},
};

/// The first byte of the form.
pub(crate) const VERSION: u8 = 2;

const EOS: u8 = 0;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
const VID: u8 = 4;
const SIGNATURE: u8 = 6;

/// Reads the fields in `parts.fields`, from its beginning to its end. On failure, `parts` keeps the fields before the
/// damage.
pub(crate) fn read(parts: &mut Parts, options: &DecodeOptions) -> Result<Signature, DecodeError> {
    let bytes = core::mem::take(&mut parts.fields);
    let read = Reader { bytes: &bytes, at: 0, options }.macaroon(parts);
    parts.fields = bytes;
    read
}

/// A field, and its offset.
#[derive(Clone, Copy)]
struct Field {
    span: Span,
    begin: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    options: &'a DecodeOptions,
}

impl Reader<'_> {
    fn macaroon(mut self, parts: &mut Parts) -> Result<Signature, DecodeError> {
        match self.bytes.first() {
            Some(&VERSION) => self.at = 1,
            found => {
                let problem = Problem::Version(found.copied().unwrap_or_default());
                return Err(DecodeError::bytes(problem, 0));
            }
        }
        if let Some(location) = self.field(LOCATION, "location")? {
            self.utf8(location, "location")?;
            parts.location = Some(location.span);
        }
        let identifier = self.required(IDENTIFIER, "identifier")?;
        self.not_empty(identifier, "identifier")?;
        parts.identifier = Some(identifier.span);
        self.end_of_section()?;

        while self.peek() != Some(EOS) {
            let begin = self.at;
            let location = self.field(LOCATION, "caveat location")?;
            if let Some(location) = location {
                self.utf8(location, "caveat location")?;
            }
            let identifier = self.required(IDENTIFIER, "caveat")?;
            self.not_empty(identifier, "caveat")?;
            let vid = self.field(VID, "vid")?;
            self.end_of_section()?;
            if parts.caveats.len() >= self.options.limits.caveats {
                let problem = Problem::TooManyCaveats(self.options.limits.caveats);
                return Err(DecodeError::bytes(problem, begin));
            }
            let third_party = match (vid, location) {
                (Some(vid), location) => {
                    vid_fits(vid.span.len(), vid.begin)?;
                    Some(ThirdPartySpans {
                        vid: vid.span,
                        location: location.map_or(Span::default(), |at| at.span),
                    })
                }
                (None, Some(location)) if !self.options.liberal => {
                    let problem = Problem::UnexpectedField("a vid beside a caveat's location");
                    return Err(DecodeError::bytes(problem, location.begin));
                }
                (None, _) => None,
            };
            parts.caveats.push(CaveatSpans { identifier: identifier.span, third_party });
        }
        self.end_of_section()?;

        let signature = self.required(SIGNATURE, "signature")?;
        let len = signature.span.len();
        let value = parts_of(self.bytes, signature.span);
        let value = <[u8; Signature::LEN]>::try_from(value)
            .map_err(|_| DecodeError::bytes(Problem::SignatureLength(len), signature.begin))?;
        match self.rest().len() {
            0 => Ok(Signature::new(value)),
            left => Err(DecodeError::bytes(Problem::TrailingBytes(left), self.at)),
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn end_of_section(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            Some(EOS) => {
                self.at = self.at.saturating_add(1);
                Ok(())
            }
            Some(_) => Err(DecodeError::bytes(Problem::UnexpectedField("the end of a section"), self.at)),
            None => Err(DecodeError::bytes(Problem::MissingField("the end of a section"), self.at)),
        }
    }

    fn required(&mut self, tag: u8, field: &'static str) -> Result<Field, DecodeError> {
        let at = self.at;
        match self.field(tag, field)? {
            Some(found) => Ok(found),
            None if self.peek().is_none() => Err(DecodeError::bytes(Problem::MissingField(field), at)),
            None => Err(DecodeError::bytes(Problem::UnexpectedField(field), at)),
        }
    }

    /// Reads the field with this tag, if it is next. A tag is one byte: all assigned tags fit into it, so a longer
    /// encoding of a tag is another field.
    fn field(&mut self, tag: u8, field: &'static str) -> Result<Option<Field>, DecodeError> {
        let begin = self.at;
        if self.peek() != Some(tag) {
            return Ok(None);
        }
        self.at = self.at.saturating_add(1);
        let declared = self.varint(field)?;
        let max = self.options.limits.field;
        let left = self.rest().len();
        let len = match usize::try_from(declared) {
            Ok(len) if len <= left && len <= max => len,
            Ok(len) if len > left && len <= max => {
                let missing = len.saturating_sub(left);
                return Err(DecodeError::bytes(
                    Problem::CutField { field, begin, missing },
                    self.bytes.len(),
                ));
            }
            _ => {
                let problem = Problem::FieldTooLong { field, len: declared, max };
                return Err(DecodeError::bytes(problem, begin));
            }
        };
        let start = self.at;
        self.at = start.saturating_add(len);
        Ok(Some(Field { span: Span { start, end: self.at }, begin }))
    }

    /// Reads an unsigned LEB128 number in its shortest form.
    fn varint(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let begin = self.at;
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let Some(byte) = self.peek() else {
                let problem = Problem::CutField { field, begin, missing: 1 };
                return Err(DecodeError::bytes(problem, self.bytes.len()));
            };
            self.at = self.at.saturating_add(1);
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let minimal = byte != 0 || shift == 0;
                return match minimal || self.options.liberal {
                    true => Ok(value),
                    false => Err(DecodeError::bytes(Problem::Varint(field), begin)),
                };
            }
        }
        Err(DecodeError::bytes(Problem::Varint(field), begin))
    }

    fn utf8(&self, field: Field, name: &'static str) -> Result<(), DecodeError> {
        match core::str::from_utf8(parts_of(self.bytes, field.span)) {
            Err(error) if !self.options.liberal => {
                let at = field.span.start.saturating_add(error.valid_up_to());
                Err(DecodeError::bytes(Problem::NotUtf8(name), at))
            }
            _ => Ok(()),
        }
    }

    fn not_empty(&self, field: Field, name: &'static str) -> Result<(), DecodeError> {
        match field.span.len() {
            0 if !self.options.liberal => Err(DecodeError::bytes(Problem::EmptyField(name), field.begin)),
            _ => Ok(()),
        }
    }
}

fn parts_of(bytes: &[u8], span: Span) -> &[u8] {
    bytes.get(span.start..span.end).unwrap_or_default()
}

/// Writes the fields.
pub(crate) fn write(macaroon: &Macaroon) -> Result<Vec<u8>, EncodeError> {
    let fields = macaroon.parts.fields.len();
    let mut out = Vec::with_capacity(
        fields.saturating_add(macaroon.parts.caveats.len().saturating_mul(8)).saturating_add(64),
    );
    out.push(VERSION);
    put_location(&mut out, macaroon.location());
    put(&mut out, IDENTIFIER, macaroon.identifier());
    out.push(EOS);
    for caveat in macaroon.caveats() {
        match caveat {
            Caveat::FirstParty { predicate } => put(&mut out, IDENTIFIER, predicate),
            Caveat::ThirdParty { identifier, vid, location } => {
                writable_vid(vid)?;
                put_location(&mut out, location);
                put(&mut out, IDENTIFIER, identifier);
                put(&mut out, VID, vid);
            }
        }
        out.push(EOS);
    }
    out.push(EOS);
    put(&mut out, SIGNATURE, macaroon.signature().expose());
    Ok(out)
}

/// Writes a location, but omits an empty one.
fn put_location(out: &mut Vec<u8>, location: &[u8]) {
    if !location.is_empty() {
        put(out, LOCATION, location);
    }
}

fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    let mut len = value.len();
    loop {
        let low = u8::try_from(len & 0x7f).unwrap_or_default();
        len >>= 7;
        if len == 0 {
            out.push(low);
            break;
        }
        out.push(low | 0x80);
    }
    out.extend_from_slice(value);
}
