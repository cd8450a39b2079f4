//! The JSON syntax. Records the offset of every value, and quotes none in errors.

use alloc::{string::String, vec::Vec};

use crate::{
    DecodeOptions,
    wire::error::{DecodeError, Problem},
};

/// The greatest depth of an ignored member: deeper than any member of a macaroon. The error states it.
const MAX_DEPTH: usize = 4;

/// A value, and where it begins.
pub(super) struct Member<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

pub(super) enum Value {
    Text(String),
    Number(u64),
    Caveats(Vec<Members>),
}

/// The members of an object, by name, without those that are `null`.
pub(super) struct Members {
    pub(super) at: usize,
    pub(super) members: Vec<(&'static str, Member<Value>)>,
}

/// The members of a macaroon: of v2J, then of v1J. A name with `64` at the end is the base64 form of the one without.
pub(super) const NAMES: [&str; 12] =
    ["v", "l", "l64", "i", "i64", "c", "s", "s64", "location", "identifier", "caveats", "signature"];
pub(super) const V1_NAMES: [&str; 4] = ["location", "identifier", "caveats", "signature"];
/// The members of a caveat: of v2J, then of v1J.
const CAVEAT_NAMES: [&str; 9] = ["i", "i64", "l", "l64", "v", "v64", "cid", "vid", "cl"];
pub(super) const V1_CAVEAT_NAMES: [&str; 3] = ["cid", "vid", "cl"];

/// Reads the subset of JSON (RFC 8259) that macaroons use, in one pass from left to right.
pub(super) struct Reader<'a> {
    document: &'a str,
    at: usize,
    pub(super) options: &'a DecodeOptions,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(document: &'a str, options: &'a DecodeOptions) -> Self {
        Self { document, at: 0, options }
    }

    pub(super) fn rest(&self) -> &'a str {
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

    pub(super) fn syntax(&self, expected: &'static str) -> DecodeError {
        self.error(Problem::JsonSyntax(expected), self.at)
    }

    /// Makes an error. Offsets in JSON count characters of the text.
    pub(super) fn error(&self, problem: Problem, at: usize) -> DecodeError {
        let before = self.document.get(..at).unwrap_or(self.document);
        DecodeError::text(problem, before.chars().count())
    }

    fn expect(&mut self, token: u8, expected: &'static str) -> Result<(), DecodeError> {
        self.space();
        match self.peek() {
            Some(found) if found == token => Ok(()),
            _ => Err(self.syntax(expected)),
        }
    }

    pub(super) fn members(&mut self, names: &'static [&'static str]) -> Result<Members, DecodeError> {
        self.expect(b'{', "an object")?;
        let mut found = Members { at: self.at, members: Vec::new() };
        let mut nulls = Vec::new();
        self.sequence(b'}', "a comma or the end of the object", |reader| {
            let at = reader.at;
            let name = reader.name()?;
            reader.space();
            let Some(&name) = names.iter().find(|known| **known == name) else {
                return match reader.options.liberal {
                    true => reader.skip(0),
                    false => Err(reader.error(Problem::Json("has a member that no macaroon has"), at)),
                };
            };
            if found.members.iter().any(|(other, _)| *other == name) || nulls.contains(&name) {
                return Err(reader.error(Problem::Json("has a member twice"), at));
            }
            let at = reader.at;
            match reader.value(name)? {
                Some(value) => found.members.push((name, Member { value, at })),
                // A null version is not 2. In a caveat, `v` is the vid.
                None if name == "v" && names.contains(&"c") => {
                    return Err(reader.error(Problem::Json("is of another version than 2"), at));
                }
                None => nulls.push(name),
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads the items between two brackets, of which the first is next.
    fn sequence(
        &mut self,
        closing: u8,
        unfinished: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.advance(1);
        self.space();
        let mut unread = self.peek() != Some(closing);
        while unread {
            self.space();
            item(self)?;
            self.space();
            unread = match self.peek() {
                Some(b',') => true,
                Some(found) if found == closing => false,
                _ => return Err(self.syntax(unfinished)),
            };
            if unread {
                self.advance(1);
            }
        }
        self.advance(1);
        Ok(())
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
        let mut caveats = Vec::new();
        self.sequence(b']', "a comma or the end of the array", |reader| {
            if caveats.len() >= reader.options.limits.caveats {
                let problem = Problem::TooManyCaveats(reader.options.limits.caveats);
                return Err(reader.error(problem, reader.at));
            }
            caveats.push(reader.members(&CAVEAT_NAMES)?);
            Ok(())
        })?;
        Ok(caveats)
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
        let number = crate::parse::canonical_u64(digits).ok_or_else(|| self.syntax("a whole number"))?;
        self.advance(digits.len());
        match self.peek() {
            Some(b'.' | b'e' | b'E') => Err(self.syntax("a whole number")),
            _ => Ok(number),
        }
    }

    /// Reads a string (RFC 8259 §7). Decodes escapes, since the signature covers the unescaped bytes.
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
            _ => return Err(self.error(Problem::Json("has a bad escape in a string"), begin)),
        };
        self.advance(1);
        Ok(escaped)
    }

    /// Reads a `\u` escape. A surrogate is valid only in a pair.
    fn unicode(&mut self, begin: usize) -> Result<char, DecodeError> {
        let bad = |reader: &Self| reader.error(Problem::Json("has a bad escape in a string"), begin);
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

    /// Skips an ignored value. Recurs no deeper than [`MAX_DEPTH`].
    fn skip(&mut self, depth: usize) -> Result<(), DecodeError> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                Err(self.error(Problem::Json("nests deeper than 4 levels"), self.at))
            }
            Some(b'{') => self.sequence(b'}', "a comma or a closing bracket", |reader| {
                reader.name()?;
                reader.skip(depth.saturating_add(1))
            }),
            Some(b'[') => self.sequence(b']', "a comma or a closing bracket", |reader| {
                reader.skip(depth.saturating_add(1))
            }),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => {
                let rest = self.rest();
                let behind = rest.trim_start_matches(|c: char| {
                    c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')
                });
                self.advance(rest.len().saturating_sub(behind.len()));
                Ok(())
            }
            _ => Err(self.syntax("a value")),
        }
    }

    fn name(&mut self) -> Result<String, DecodeError> {
        let name = self.string()?;
        self.expect(b':', "a colon")?;
        self.advance(1);
        Ok(name)
    }
}

impl Members {
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        self.members.iter().any(|(name, _)| names.contains(name))
    }

    /// Takes the member with one of these names.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Member<Value>> {
        let at = self.members.iter().position(|(name, _)| names.contains(name))?;
        Some(self.members.swap_remove(at).1)
    }
}
