//! The JSON forms: v2J, read and written, and v1J, read (`macaroon-formats.md` §4, §6).

mod syntax;
mod write;

use alloc::vec::Vec;

use self::syntax::{Member, Members, NAMES, Reader, V1_CAVEAT_NAMES, V1_NAMES, Value};
pub(crate) use self::write::write;
use super::{
    error::{DecodeError, Problem},
    format::{DecodeOptions, Format, vid_fits},
    text,
};
use crate::{
    Signature,
    macaroon::{CaveatSpans, Parts, ThirdPartySpans},
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
    let builder = Builder { reader, parts };
    match members.has_any(&V1_NAMES) {
        true => Ok((Format::V1J, builder.v1(members)?)),
        false => Ok((Format::V2J, builder.v2(members)?)),
    }
}

/// Builds a macaroon from the members of an object.
struct Builder<'a, 'p> {
    reader: Reader<'a>,
    parts: &'p mut Parts,
}

impl Builder<'_, '_> {
    fn v1(mut self, mut members: Members) -> Result<Signature, DecodeError> {
        if members.members.iter().any(|(name, _)| !V1_NAMES.contains(name)) {
            return Err(self.reader.error(Problem::JsonMixed, members.at));
        }
        if let Some(location) = self.text(members.take("location"))? {
            self.fits(&location, "location")?;
            self.parts.location = Some(self.parts.push(&location.value));
        }
        let identifier = self.text(members.take("identifier"))?;
        let identifier = self.not_empty(identifier, "identifier", members.at)?;
        self.parts.identifier = Some(self.parts.push(&identifier));
        for mut caveat in self.caveats(members.take("caveats"))? {
            if caveat.members.iter().any(|(name, _)| !V1_CAVEAT_NAMES.contains(name)) {
                return Err(self.reader.error(Problem::JsonMixed, caveat.at));
            }
            let identifier = self.text(caveat.take("cid"))?;
            let vid = match caveat.take("vid") {
                Some(vid) => Some(self.base64(vid)?),
                None => None,
            };
            let location = self.text(caveat.take("cl"))?;
            self.caveat(caveat.at, identifier, vid, location)?;
        }
        let signature = self.text(members.take("signature"))?;
        let Some(Member { value: digits, at }) = signature else {
            return Err(self.reader.error(Problem::MissingField("signature"), members.at));
        };
        self.hex(&digits).ok_or_else(|| self.reader.error(Problem::SignatureHex, at))
    }

    fn v2(mut self, mut members: Members) -> Result<Signature, DecodeError> {
        match members.take("v") {
            None | Some(Member { value: Value::Number(2), .. }) => {}
            Some(Member { value: Value::Text(version), .. }) if version == "2" => {}
            Some(Member { at, .. }) => return Err(self.reader.error(Problem::JsonVersion, at)),
        }
        if let Some(location) = self.either(&mut members, "l", "l64")? {
            self.fits(&location, "location")?;
            self.utf8(&location, "location")?;
            self.parts.location = Some(self.parts.push(&location.value));
        }
        let identifier = self.either(&mut members, "i", "i64")?;
        let identifier = self.not_empty(identifier, "identifier", members.at)?;
        self.parts.identifier = Some(self.parts.push(&identifier));
        for mut caveat in self.caveats(members.take("c"))? {
            if caveat.has_any(&V1_CAVEAT_NAMES) {
                return Err(self.reader.error(Problem::JsonMixed, caveat.at));
            }
            let identifier = self.either(&mut caveat, "i", "i64")?;
            let vid = self.either(&mut caveat, "v", "v64")?;
            if let Some(vid) = &vid {
                vid_fits(vid.value.len(), 0)
                    .map_err(|error| self.reader.error(error.problem().clone(), vid.at))?;
            }
            let location = self.either(&mut caveat, "l", "l64")?;
            if let Some(location) = &location {
                self.utf8(location, "caveat location")?;
            }
            self.caveat(caveat.at, identifier, vid, location)?;
        }
        let Some(signature) = self.either(&mut members, "s", "s64")? else {
            return Err(self.reader.error(Problem::MissingField("signature"), members.at));
        };
        let problem = Problem::SignatureLength(signature.value.len());
        <[u8; Signature::LEN]>::try_from(signature.value)
            .map(Signature::new)
            .map_err(|_| self.reader.error(problem, signature.at))
    }

    fn caveat(
        &mut self,
        at: usize,
        identifier: Option<Member<Vec<u8>>>,
        vid: Option<Member<Vec<u8>>>,
        location: Option<Member<Vec<u8>>>,
    ) -> Result<(), DecodeError> {
        let identifier = self.not_empty(identifier, "caveat", at)?;
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

    fn caveats(&self, member: Option<Member<Value>>) -> Result<Vec<Members>, DecodeError> {
        match member {
            None => Ok(Vec::new()),
            Some(Member { value: Value::Caveats(caveats), .. }) => Ok(caveats),
            Some(Member { at, .. }) => Err(self.reader.error(Problem::JsonSyntax("an array of objects"), at)),
        }
    }

    fn text(&self, member: Option<Member<Value>>) -> Result<Option<Member<Vec<u8>>>, DecodeError> {
        match member {
            None => Ok(None),
            Some(Member { value: Value::Text(text), at }) => {
                Ok(Some(Member { value: text.into_bytes(), at }))
            }
            Some(Member { at, .. }) => Err(self.reader.error(Problem::JsonSyntax("a string"), at)),
        }
    }

    fn base64(&self, member: Member<Value>) -> Result<Member<Vec<u8>>, DecodeError> {
        let at = member.at;
        let encoded = self.text(Some(member))?.map(|text| text.value).unwrap_or_default();
        match text::read_base64(&encoded, self.reader.options.liberal) {
            Ok(value) => Ok(Member { value, at }),
            Err((error, _)) => Err(self.reader.error(error.problem().clone(), at)),
        }
    }

    /// Takes one of the two members, and refuses both: another reader might take the other.
    fn either(
        &self,
        members: &mut Members,
        plain: &str,
        base64: &str,
    ) -> Result<Option<Member<Vec<u8>>>, DecodeError> {
        match (members.take(plain), members.take(base64)) {
            (Some(_), Some(Member { at, .. })) => Err(self.reader.error(Problem::JsonBoth, at)),
            (None, Some(member)) => self.base64(member).map(Some),
            (plain, None) => self.text(plain),
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

    fn hex(&self, digits: &[u8]) -> Option<Signature> {
        let digit = |digit: &u8| match digit {
            b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
            b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
            b'A'..=b'F' if self.reader.options.liberal => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
            _ => None,
        };
        let (pairs, rest) = digits.as_chunks::<2>();
        let mut signature = [0; Signature::LEN];
        if !rest.is_empty() || pairs.len() != signature.len() {
            return None;
        }
        for (byte, [high, low]) in signature.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(Signature::new(signature))
    }
}
