//! The JSON forms: v2J, read and written, and v1J, read (`macaroon-formats.md` §4, §6).

mod syntax;
mod write;

use alloc::vec::Vec;

use self::syntax::{Member, Members, NAMES, Reader, V1_CAVEAT_NAMES, V1_NAMES, Value};
pub(crate) use self::write::write;
use super::{
    error::{DecodeError, Problem},
    format::{DecodeOptions, Format},
    text,
};
use crate::{
    Signature,
    macaroon::{CaveatSpans, Parts, ThirdPartySpans},
    seal::VID_LEN,
};

/// Reads a JSON document. If the JSON is valid but the macaroon is not, `parts` keeps the fields before the damage.
pub(crate) fn read(
    document: &str,
    options: &DecodeOptions,
    parts: &mut Parts,
) -> Result<(Format, Signature), DecodeError> {
    let mut reader = Reader::new(document, options);
    let members = reader.members(&NAMES)?;
    if !reader.rest().is_empty() {
        return Err(reader.syntax("the end of the text"));
    }
    let is_v1 = members.has_any(&V1_NAMES);
    let format = if is_v1 { Format::V1J } else { Format::V2J };
    Ok((format, Builder { reader, parts, is_v1 }.macaroon(members)?))
}

/// Builds a macaroon from the members of an object.
struct Builder<'a, 'p> {
    reader: Reader<'a>,
    parts: &'p mut Parts,
    is_v1: bool,
}

impl Builder<'_, '_> {
    fn macaroon(mut self, mut members: Members) -> Result<Signature, DecodeError> {
        self.not_mixed(&members, &V1_NAMES)?;
        match members.take(&["v"]) {
            None | Some(Member { value: Value::Number(2), .. }) => {}
            Some(Member { value: Value::Text(version), .. }) if version == "2" => {}
            Some(Member { at, .. }) => {
                return Err(self.reader.error(Problem::Json("is of another version than 2"), at));
            }
        }
        if let Some(location) = self.field(&mut members, &["l", "location"], &["l64"])? {
            self.fits(&location, "location")?;
            self.utf8(&location, "location")?;
            self.parts.location = Some(self.parts.push(&location.value));
        }
        let identifier = self.field(&mut members, &["i", "identifier"], &["i64"])?;
        let identifier = self.not_empty(identifier, "identifier", members.at)?;
        self.parts.identifier = Some(self.parts.push(&identifier));
        for caveat in self.caveats(members.take(&["c", "caveats"]))? {
            self.caveat(caveat)?;
        }
        let Some(Member { value, at }) = self.field(&mut members, &["s", "signature"], &["s64"])? else {
            return Err(self.reader.error(Problem::MissingField("signature"), members.at));
        };
        let (signature, problem) = match self.is_v1 {
            true => (self.hex(&value), Problem::SignatureHex),
            false => (value.as_slice().try_into().ok(), Problem::SignatureLength(value.len())),
        };
        signature.map(Signature::new).ok_or_else(|| self.reader.error(problem, at))
    }

    fn caveat(&mut self, mut members: Members) -> Result<(), DecodeError> {
        self.not_mixed(&members, &V1_CAVEAT_NAMES)?;
        let identifier = self.field(&mut members, &["i", "cid"], &["i64"])?;
        let vid = self.field(&mut members, &["v"], &["v64", "vid"])?;
        if let Some(Member { value, at }) = &vid
            && value.len() != VID_LEN
            && !self.is_v1
        {
            return Err(self.reader.error(Problem::VidLength(value.len()), *at));
        }
        let location = self.field(&mut members, &["l", "cl"], &["l64"])?;
        if let Some(location) = &location {
            self.utf8(location, "caveat location")?;
        }
        let identifier = self.not_empty(identifier, "caveat", members.at)?;
        for (member, field) in [(&vid, "vid"), (&location, "caveat location")] {
            member.as_ref().map_or(Ok(()), |member| self.fits(member, field))?;
        }
        let identifier = self.parts.push(&identifier);
        let third_party = match (vid, location) {
            (Some(vid), location) => Some(ThirdPartySpans {
                vid: self.parts.push(&vid.value),
                location: location.map(|location| self.parts.push(&location.value)).unwrap_or_default(),
            }),
            (None, Some(location)) if !self.reader.options.liberal => {
                let problem = Problem::UnexpectedField("a vid beside a caveat's location");
                return Err(self.reader.error(problem, location.at));
            }
            (None, _) => None,
        };
        self.parts.caveats.push(CaveatSpans { identifier, third_party });
        Ok(())
    }

    fn not_mixed(&self, members: &Members, v1: &[&str]) -> Result<(), DecodeError> {
        match members.members.iter().any(|(name, _)| v1.contains(name) != self.is_v1) {
            true => Err(self
                .reader
                .error(Problem::Json("mixes members of version 1 and of version 2"), members.at)),
            false => Ok(()),
        }
    }

    fn caveats(&self, member: Option<Member<Value>>) -> Result<Vec<Members>, DecodeError> {
        match member {
            None => Ok(Vec::new()),
            Some(Member { value: Value::Caveats(caveats), .. }) => Ok(caveats),
            Some(Member { at, .. }) => Err(self.reader.error(Problem::JsonSyntax("an array of objects"), at)),
        }
    }

    fn text(&self, member: Member<Value>) -> Result<Member<Vec<u8>>, DecodeError> {
        match member {
            Member { value: Value::Text(text), at } => Ok(Member { value: text.into_bytes(), at }),
            Member { at, .. } => Err(self.reader.error(Problem::JsonSyntax("a string"), at)),
        }
    }

    fn base64(&self, member: Member<Value>) -> Result<Member<Vec<u8>>, DecodeError> {
        let Member { value, at } = self.text(member)?;
        match text::read_base64(&value, self.reader.options.liberal) {
            Ok(value) => Ok(Member { value, at }),
            Err((error, _)) => Err(self.reader.error(error.problem, at)),
        }
    }

    /// Takes a field as text or as base64, by its names in v2J and v1J, and refuses both: another reader might take
    /// the other.
    fn field(
        &self,
        members: &mut Members,
        text: &[&str],
        base64: &[&str],
    ) -> Result<Option<Member<Vec<u8>>>, DecodeError> {
        match (members.take(text), members.take(base64)) {
            (Some(_), Some(Member { at, .. })) => {
                Err(self.reader.error(Problem::Json("has a field both as text and as base64"), at))
            }
            (None, Some(member)) => self.base64(member).map(Some),
            (text, None) => text.map(|member| self.text(member)).transpose(),
        }
    }

    fn not_empty(
        &self,
        member: Option<Member<Vec<u8>>>,
        field: &'static str,
        at: usize,
    ) -> Result<Vec<u8>, DecodeError> {
        match member {
            Some(member) if !member.value.is_empty() || self.reader.options.liberal => {
                self.fits(&member, field)?;
                Ok(member.value)
            }
            Some(Member { at, .. }) => Err(self.reader.error(Problem::EmptyField(field), at)),
            None => Err(self.reader.error(Problem::MissingField(field), at)),
        }
    }

    fn fits(&self, member: &Member<Vec<u8>>, field: &'static str) -> Result<(), DecodeError> {
        let (len, max) = (member.value.len(), self.reader.options.limits.field);
        match len > max {
            true => {
                let len = u64::try_from(len).unwrap_or(u64::MAX);
                Err(self.reader.error(Problem::FieldTooLong { field, len, max }, member.at))
            }
            false => Ok(()),
        }
    }

    fn utf8(&self, member: &Member<Vec<u8>>, field: &'static str) -> Result<(), DecodeError> {
        match core::str::from_utf8(&member.value) {
            Err(_) if !self.reader.options.liberal => {
                Err(self.reader.error(Problem::NotUtf8(field), member.at))
            }
            _ => Ok(()),
        }
    }

    fn hex(&self, digits: &[u8]) -> Option<[u8; Signature::LEN]> {
        let digit = |digit: u8| match digit {
            b'A'..=b'F' if !self.reader.options.liberal => None,
            digit => u8::try_from(char::from(digit).to_digit(16)?).ok(),
        };
        let (pairs, []) = digits.as_chunks() else { return None };
        let pairs: &[_; Signature::LEN] = pairs.try_into().ok()?;
        let mut signature = [0; Signature::LEN];
        for (byte, &[high, low]) in signature.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(signature)
    }
}
