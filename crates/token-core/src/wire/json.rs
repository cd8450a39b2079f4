//! The JSON forms: v2J, read and written, and v1J, read (`macaroon-formats.md` §4, §6).

use alloc::{string::String, vec::Vec};

use super::{
    DecodeOptions, EncodeError, Format,
    error::{DecodeError, Problem},
    text, vid_fits, writable_vid,
};
use crate::{
    Caveat, Macaroon, Signature,
    macaroon::{CaveatSpans, Parts, ThirdPartySpans},
};

/// How deep an ignored member may go: deeper than any that a macaroon has.
const MAX_DEPTH: usize = 4;

/// Reads a JSON document. On failure `parts` tells what came before the damage, in the document's own order.
pub(crate) fn read(
    document: &str,
    options: &DecodeOptions,
    parts: &mut Parts,
) -> Result<(Format, Signature), DecodeError> {
    let mut reader = Reader { document, at: 0, options };
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

/// A value, and where it begins.
struct Member<T> {
    value: T,
    at: usize,
}

enum Value {
    Text(String),
    Number(u64),
    Caveats(Vec<Members>),
}

/// The members of an object, by name; those that are `null` are left out.
struct Members {
    at: usize,
    members: Vec<(&'static str, Member<Value>)>,
}

/// The members of a macaroon: of v2J, then of v1J. What ends in `64` is the base64 of what it is without.
const NAMES: [&str; 12] =
    ["v", "l", "l64", "i", "i64", "c", "s", "s64", "location", "identifier", "caveats", "signature"];
const V1_NAMES: [&str; 4] = ["location", "identifier", "caveats", "signature"];
/// The members of a caveat: of v2J, then of v1J.
const CAVEAT_NAMES: [&str; 9] = ["i", "i64", "l", "l64", "v", "v64", "cid", "vid", "cl"];
const V1_CAVEAT_NAMES: [&str; 3] = ["cid", "vid", "cl"];

struct Reader<'a> {
    document: &'a str,
    at: usize,
    options: &'a DecodeOptions,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.document.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    fn advance(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.advance(rest.len().saturating_sub(rest.trim_start_matches([' ', '\t', '\r', '\n']).len()));
    }

    fn syntax(&self, expected: &'static str) -> DecodeError {
        self.error(Problem::JsonSyntax { expected }, self.at)
    }

    /// Offsets of JSON count characters of the text.
    fn error(&self, problem: Problem, at: usize) -> DecodeError {
        let before = self.document.get(..at).unwrap_or(self.document);
        DecodeError::text(problem, before.chars().count())
    }

    fn take(&mut self, token: u8, expected: &'static str) -> Result<(), DecodeError> {
        self.space();
        match self.peek() {
            Some(found) if found == token => {
                self.advance(1);
                Ok(())
            }
            _ => Err(self.syntax(expected)),
        }
    }

    fn members(&mut self, names: &'static [&'static str]) -> Result<Members, DecodeError> {
        self.take(b'{', "an object")?;
        let mut found = Members { at: self.at.saturating_sub(1), members: Vec::new() };
        let mut nulls = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.advance(1);
            return Ok(found);
        }
        loop {
            self.space();
            let at = self.at;
            let name = self.string()?;
            self.take(b':', "a colon")?;
            self.space();
            let known = names.iter().find(|known| **known == name);
            match known {
                Some(&name) => {
                    if found.members.iter().any(|(other, _)| *other == name) || nulls.contains(&name) {
                        return Err(self.error(Problem::JsonDuplicate, at));
                    }
                    let at = self.at;
                    match self.value(name)? {
                        Some(value) => found.members.push((name, Member { value, at })),
                        // A version that is null is not 2; in a caveat, `v` is the vid.
                        None if name == "v" && names.contains(&"c") => {
                            return Err(self.error(Problem::JsonVersion, at));
                        }
                        None => nulls.push(name),
                    }
                }
                None if self.options.liberal => self.skip()?,
                None => return Err(self.error(Problem::JsonUnknownMember, at)),
            }
            self.space();
            match self.peek() {
                Some(b',') => self.advance(1),
                Some(b'}') => {
                    self.advance(1);
                    return Ok(found);
                }
                _ => return Err(self.syntax("a comma or the end of the object")),
            }
        }
    }

    fn value(&mut self, name: &'static str) -> Result<Option<Value>, DecodeError> {
        match self.peek() {
            Some(b'n') => {
                self.word("null")?;
                Ok(None)
            }
            Some(b'"') => self.string().map(|text| Some(Value::Text(text))),
            Some(b'0'..=b'9') if name == "v" => self.number().map(|number| Some(Value::Number(number))),
            Some(b'[') if name == "c" || name == "caveats" => {
                self.caveats().map(|caveats| Some(Value::Caveats(caveats)))
            }
            _ if name == "c" || name == "caveats" => Err(self.syntax("an array of objects")),
            _ => Err(self.syntax("a string")),
        }
    }

    fn caveats(&mut self) -> Result<Vec<Members>, DecodeError> {
        self.take(b'[', "an array")?;
        let mut caveats = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.advance(1);
            return Ok(caveats);
        }
        loop {
            self.space();
            if caveats.len() >= self.options.limits.caveats {
                let problem = Problem::TooManyCaveats { max: self.options.limits.caveats };
                return Err(self.error(problem, self.at));
            }
            caveats.push(self.members(&CAVEAT_NAMES)?);
            self.space();
            match self.peek() {
                Some(b',') => self.advance(1),
                Some(b']') => {
                    self.advance(1);
                    return Ok(caveats);
                }
                _ => return Err(self.syntax("a comma or the end of the array")),
            }
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), DecodeError> {
        match self.rest().starts_with(word) {
            true => {
                self.advance(word.len());
                Ok(())
            }
            false => Err(self.syntax(word)),
        }
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let rest = self.rest();
        let digits = rest.split(|other: char| !other.is_ascii_digit()).next().unwrap_or_default();
        let number = crate::predicate::canonical_u64(digits).ok_or_else(|| self.syntax("a whole number"))?;
        self.advance(digits.len());
        match self.peek() {
            Some(b'.' | b'e' | b'E') => Err(self.syntax("a whole number")),
            _ => Ok(number),
        }
    }

    /// RFC 8259 §7. What is escaped is decoded, since what is signed are the bytes of the text that is meant.
    fn string(&mut self) -> Result<String, DecodeError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a string"));
        }
        self.advance(1);
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(|other: char| matches!(other, '"' | '\\' | '\0'..='\u{1f}'));
            let plain = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            text.push_str(plain);
            self.advance(plain.len());
            match self.peek() {
                Some(b'"') => {
                    self.advance(1);
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.syntax("no control character in a string")),
                None => return Err(self.syntax("the end of the string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let begin = self.at;
        self.advance(1);
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.advance(1);
                return self.unicode(begin);
            }
            _ => return Err(self.error(Problem::JsonEscape, begin)),
        };
        self.advance(1);
        Ok(escaped)
    }

    /// A surrogate means something in a pair alone.
    fn unicode(&mut self, begin: usize) -> Result<char, DecodeError> {
        let bad = |reader: &Self| reader.error(Problem::JsonEscape, begin);
        let high = self.hex4().ok_or_else(|| bad(self))?;
        let code = match high {
            0xd800..=0xdbff => {
                let paired = self.rest().starts_with("\\u");
                self.advance(2);
                let low = Some(()).filter(|()| paired).and_then(|()| self.hex4()).ok_or_else(|| bad(self))?;
                let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(|| bad(self))?;
                ((high & 0x3ff) << 10 | low).saturating_add(0x1_0000)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| bad(self))
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        self.advance(4);
        u32::from_str_radix(digits, 16).ok()
    }

    /// Passes over a value that means nothing here, without recursion.
    fn skip(&mut self) -> Result<(), DecodeError> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(self.error(Problem::JsonDepth { max: MAX_DEPTH }, self.at));
                    }
                    self.advance(1);
                    self.space();
                    let closing = if bracket == b'{' { b'}' } else { b']' };
                    if self.peek() != Some(closing) {
                        open.push(closing);
                        if closing == b'}' {
                            self.name()?;
                        }
                        continue;
                    }
                    self.advance(1);
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                Some(b'-' | b'0'..=b'9') => {
                    let rest = self.rest();
                    let number =
                        rest.trim_start_matches(['-', '+', '.', 'e', 'E']).trim_start_matches(|c: char| {
                            c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')
                        });
                    self.advance(rest.len().saturating_sub(number.len()));
                }
                _ => return Err(self.syntax("a value")),
            }
            // A value has ended, and with it any number of arrays and objects.
            loop {
                let Some(&closing) = open.last() else { return Ok(()) };
                self.space();
                match self.peek() {
                    Some(b',') => {
                        self.advance(1);
                        if closing == b'}' {
                            self.name()?;
                        }
                        break;
                    }
                    Some(found) if found == closing => {
                        self.advance(1);
                        open.pop();
                    }
                    _ => return Err(self.syntax("a comma or a closing bracket")),
                }
            }
        }
    }

    fn name(&mut self) -> Result<(), DecodeError> {
        self.space();
        self.string()?;
        self.take(b':', "a colon")
    }
}

impl Members {
    fn has_any(&self, names: &[&str]) -> bool {
        self.members.iter().any(|(name, _)| names.contains(name))
    }

    fn take(&mut self, name: &str) -> Option<Member<Value>> {
        let at = self.members.iter().position(|(other, _)| *other == name)?;
        Some(self.members.swap_remove(at).1)
    }
}

/// Puts the members of an object where a macaroon has them.
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
            return Err(self.reader.error(Problem::MissingField { expected: "signature" }, members.at));
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
            return Err(self.reader.error(Problem::MissingField { expected: "signature" }, members.at));
        };
        let problem = Problem::SignatureLength { len: signature.value.len() };
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
        let identifier = self.parts.push(&identifier);
        let third_party = match (vid, location) {
            (Some(vid), location) => Some(ThirdPartySpans {
                vid: self.parts.push(&vid.value),
                location: location.map(|location| self.parts.push(&location.value)).unwrap_or_default(),
            }),
            (None, Some(location)) if !self.reader.options.liberal => {
                let problem = Problem::UnexpectedField { expected: "a vid beside a caveat's location" };
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
            Some(Member { at, .. }) => {
                Err(self.reader.error(Problem::JsonSyntax { expected: "an array of objects" }, at))
            }
        }
    }

    fn text(&self, member: Option<Member<Value>>) -> Result<Option<Member<Vec<u8>>>, DecodeError> {
        match member {
            None => Ok(None),
            Some(Member { value: Value::Text(text), at }) => {
                Ok(Some(Member { value: text.into_bytes(), at }))
            }
            Some(Member { at, .. }) => {
                Err(self.reader.error(Problem::JsonSyntax { expected: "a string" }, at))
            }
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

    /// One of the two, not both: another reader might take the other.
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
            Some(Member { value, .. }) if !value.is_empty() || self.reader.options.liberal => Ok(value),
            Some(Member { at, .. }) => Err(self.reader.error(Problem::EmptyField { field }, at)),
            None => Err(self.reader.error(Problem::MissingField { expected: field }, at)),
        }
    }

    fn utf8(&self, member: &Member<Vec<u8>>, field: &'static str) -> Result<(), DecodeError> {
        match core::str::from_utf8(&member.value) {
            Err(_) if !self.reader.options.liberal => {
                Err(self.reader.error(Problem::NotUtf8 { field }, member.at))
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

/// Writes v2J: what is UTF-8 as a string, what is not, and every vid and signature, as base64url without padding.
pub(crate) fn write(macaroon: &Macaroon) -> Result<String, EncodeError> {
    let mut out = String::with_capacity(macaroon.parts.fields.len().saturating_mul(2).saturating_add(64));
    out.push_str("{\"v\":2");
    if !macaroon.location().is_empty() {
        put(&mut out, ",", "l", macaroon.location());
    }
    put(&mut out, ",", "i", macaroon.identifier());
    out.push_str(",\"c\":[");
    for (index, caveat) in macaroon.caveats().enumerate() {
        let open = if index == 0 { "{" } else { ",{" };
        match caveat {
            Caveat::FirstParty { predicate } => put(&mut out, open, "i", predicate),
            Caveat::ThirdParty { identifier, vid, location } => {
                writable_vid(vid)?;
                put(&mut out, open, "i", identifier);
                if !location.is_empty() {
                    put(&mut out, ",", "l", location);
                }
                put_base64(&mut out, "v64", vid);
            }
        }
        out.push('}');
    }
    out.push(']');
    put_base64(&mut out, "s64", macaroon.signature().expose());
    out.push('}');
    Ok(out)
}

fn put(out: &mut String, before: &str, name: &str, value: &[u8]) {
    out.push_str(before);
    match core::str::from_utf8(value) {
        Ok(value) => {
            out.extend(["\"", name, "\":\""]);
            for character in value.chars() {
                match character {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '\0'..='\u{1f}' => out.push_str(&alloc::format!("\\u{:04x}", u32::from(character))),
                    plain => out.push(plain),
                }
            }
            out.push('"');
        }
        Err(_) => out.extend(["\"", name, "64\":\"", &text::encode(value, crate::Encoding::Base64Url), "\""]),
    }
}

fn put_base64(out: &mut String, name: &str, value: &[u8]) {
    out.extend([",\"", name, "\":\"", &text::encode(value, crate::Encoding::Base64Url), "\""]);
}
