//! The v2 binary form: tagged fields with varint lengths (`macaroon-formats.md` §3, §6).

use alloc::vec::Vec;

use super::{
    error::{DecodeError, EncodeError, Problem},
    field::{Field, room},
    format::{DecodeOptions, writable_vid},
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

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    options: &'a DecodeOptions,
}

impl<'a> Reader<'a> {
    fn macaroon(mut self, parts: &mut Parts) -> Result<Signature, DecodeError> {
        match self.bytes.first() {
            Some(&VERSION) => self.at = 1,
            found => {
                let problem = Problem::Version(found.copied().unwrap_or_default());
                return Err(DecodeError::bytes(problem, 0));
            }
        }
        let options = self.options;
        if let Some(location) = self.field(LOCATION, "location")? {
            parts.location = Some(location.utf8("location", options)?);
        }
        parts.identifier = Some(self.identifier("identifier")?);
        self.end_of_section()?;

        while self.peek() != Some(EOS) {
            let begin = self.at;
            let location = self.field(LOCATION, "caveat location")?;
            if let Some(location) = location {
                location.utf8("caveat location", options)?;
            }
            let identifier = self.identifier("caveat")?;
            let vid = self.field(VID, "vid")?;
            self.end_of_section()?;
            room(parts, options, begin)?;
            let third_party = match (vid, location) {
                (Some(vid), location) => Some(ThirdPartySpans {
                    vid: vid.vid()?,
                    location: location.map_or(Span::default(), |at| at.span()),
                }),
                (None, Some(location)) if !options.liberal => {
                    return Err(location.error(Problem::UnexpectedField("a vid beside a caveat's location")));
                }
                (None, _) => None,
            };
            parts.caveats.push(CaveatSpans { identifier, third_party });
        }
        self.end_of_section()?;
        self.required(SIGNATURE, "signature")?.signature(self.rest().len(), self.at)
    }

    fn identifier(&mut self, name: &'static str) -> Result<Span, DecodeError> {
        let identifier = self.required(IDENTIFIER, name)?;
        if self.options.liberal { Ok(identifier.span()) } else { identifier.not_empty(name) }
    }

    fn rest(&self) -> &'a [u8] {
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

    fn required(&mut self, tag: u8, field: &'static str) -> Result<Field<'a>, DecodeError> {
        let at = self.at;
        match self.field(tag, field)? {
            Some(found) => Ok(found),
            None if self.peek().is_none() => Err(DecodeError::bytes(Problem::MissingField(field), at)),
            None => Err(DecodeError::bytes(Problem::UnexpectedField(field), at)),
        }
    }

    /// Reads the field with this tag, if it is next. A tag is one byte: all assigned tags fit into it, so a longer
    /// encoding of a tag is another field.
    fn field(&mut self, tag: u8, field: &'static str) -> Result<Option<Field<'a>>, DecodeError> {
        let begin = self.at;
        if self.peek() != Some(tag) {
            return Ok(None);
        }
        self.at = self.at.saturating_add(1);
        let declared = self.varint(field)?;
        let (max, start, rest) = (self.options.limits.field, self.at, self.rest());
        let Some(len) = usize::try_from(declared).ok().filter(|len| *len <= max) else {
            return Err(DecodeError::bytes(Problem::FieldTooLong { field, len: declared, max }, begin));
        };
        let Some(value) = rest.get(..len) else {
            let problem = Problem::CutField { field, begin, missing: len.saturating_sub(rest.len()) };
            return Err(DecodeError::bytes(problem, self.bytes.len()));
        };
        self.at = start.saturating_add(len);
        Ok(Some(Field { value, start, begin }))
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
