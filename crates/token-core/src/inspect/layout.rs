//! Where in a text its fields are, what is wrong in it, and what reads behind that.

use alloc::{string::String, vec, vec::Vec};
use core::ops::Range;

use super::{Damage, Hint, Inspection};
use crate::{
    Format, Problem, Spelling,
    macaroon::Span,
    wire::{
        text::{Places, decode_piece},
        v1,
    },
};

/// A field of a macaroon in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stretch {
    /// Which field.
    pub field: Field,
    /// The characters of the text that spell it, as offsets in bytes of the text. A character that spells the end of one
    /// field and the beginning of the next counts for the next.
    pub characters: Range<usize>,
}

/// Which field of a macaroon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The location.
    Location,
    /// The identifier.
    Identifier,
    /// A caveat with all its parts.
    Caveat {
        /// Its index from 0 among those that are listed with it.
        index: usize,
    },
    /// The signature.
    Signature,
}

impl Field {
    /// Returns its name: `location`, `identifier`, `caveat` or `signature`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::Identifier => "identifier",
            Self::Caveat { .. } => "caveat",
            Self::Signature => "signature",
        }
    }
}

/// What reads behind the damage of a token, up to its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tail {
    /// The end of the field that the damage is in.
    pub fragment: Vec<u8>,
    /// The whole fields, without the signature; of a third-party caveat the identifier.
    pub fields: Vec<(Field, Vec<u8>)>,
    /// Where the fields are, the signature included.
    pub layout: Vec<Stretch>,
}

impl Inspection {
    /// Returns where in this text, which was inspected, its fields are, in order, as far as they were read. Returns nothing
    /// for JSON.
    #[must_use]
    pub fn layout(&self, text: &str) -> Vec<Stretch> {
        let mut places = Places::new(text, self.0.spelling.unwrap_or_default());
        let mut begin = places.of(0);
        self.ends()
            .into_iter()
            .map(|(field, end)| {
                let end = if end >= self.len() { text.len() } else { places.of(end) };
                let characters = begin..end;
                begin = end;
                Stretch { field, characters }
            })
            .collect()
    }

    /// The fields with where each ends, in bytes of the macaroon.
    fn ends(&self) -> Vec<(Field, usize)> {
        let (parts, is_v2) = (self.parts(), self.format() == Some(Format::V2));
        if !matches!(self.format(), Some(Format::V1 | Format::V2)) {
            return Vec::new();
        }
        // A line feed ends a packet of v1, and a byte a section of v2. The location of v2 has no section of its own.
        let behind = |span: Span| span.end.saturating_add(1);
        let location = parts.location.map(|span| if is_v2 { span.end } else { behind(span) });
        let caveats = parts.caveats.iter().enumerate().map(|(index, caveat)| {
            let last = match caveat.third_party {
                Some(third_party) if is_v2 => third_party.vid,
                Some(third_party) => third_party.location,
                None => caveat.identifier,
            };
            (Field::Caveat { index }, behind(last))
        });
        let signature = self.signature().map(|_| (Field::Signature, self.len()));
        let head = location.map(|end| (Field::Location, end));
        let identifier = parts.identifier.map(|span| (Field::Identifier, behind(span)));
        head.into_iter().chain(identifier).chain(caveats).chain(signature).collect()
    }
}

impl Damage {
    /// Returns what was probably the text, if that reads whole. It is a guess: only the signature can confirm it.
    #[must_use]
    pub fn repaired(&self, text: &str) -> Option<String> {
        match self.hint.as_ref()? {
            Hint::FirstCharactersChanged { count, expected, rest_is_whole: true } => {
                Some([expected, text.get(*count..)?].concat())
            }
            Hint::Trim => Some(text.split_whitespace().collect()),
            _ => None,
        }
    }

    /// Returns the name of the field that the text ends within, what is left of it, and how many bytes are missing.
    #[must_use]
    pub fn cut(&self) -> Option<(Field, &[u8], usize)> {
        let Problem::Cut { field: Some(name), begin, missing, .. } = *self.error.problem() else {
            return None;
        };
        let field = match name {
            "location" => Field::Location,
            "identifier" => Field::Identifier,
            "signature" => Field::Signature,
            _ => Field::Caveat { index: self.partial.caveats().len() },
        };
        // A length, the name and a space.
        let start = begin.saturating_add(name.len()).saturating_add(5);
        let left = self.partial.parts().fields.get(start..).unwrap_or_default();
        Some((field, if field == Field::Signature { &[] } else { left }, missing))
    }

    /// Returns which characters of the text, which was inspected, are wrong, as offsets in bytes of the text. The range is
    /// empty and at the end if characters are missing there.
    #[must_use]
    pub fn characters(&self, text: &str) -> Range<usize> {
        if let Some(Hint::FirstCharactersChanged { count, .. }) = self.hint {
            return 0..count.min(text.len());
        }
        let begin = self.error.offset();
        let rest = text.get(begin..).unwrap_or_default();
        let len = match self.error.problem() {
            Problem::Empty
            | Problem::Cut { .. }
            | Problem::CutLength(_)
            | Problem::CutField { .. }
            | Problem::MissingField(_) => 0,
            Problem::Prefix | Problem::LengthField(_) | Problem::PacketTooShort { .. } => 4,
            Problem::Escape(found) => found.len_utf8().saturating_add(1),
            Problem::Character(found) | Problem::MixedAlphabets(found) => found.len_utf8(),
            Problem::Whitespace => rest.len().saturating_sub(rest.trim_start().len()),
            Problem::TooLong { .. } | Problem::TrailingBytes(_) => text.len(),
            _ => 1,
        };
        let end = begin.saturating_add(len);
        let (begin, end) = match self.error.unit() {
            "character" => (begin, end),
            _ if len == 0 || begin >= self.partial.len() => (text.len(), text.len()),
            _ => {
                let mut places = Places::new(text, self.partial.0.spelling.unwrap_or_default());
                (places.of(begin), places.of(end))
            }
        };
        let (mut begin, mut end) = (begin.min(text.len()), end.clamp(begin.min(text.len()), text.len()));
        while !text.is_char_boundary(begin) {
            begin = begin.saturating_sub(1);
        }
        while !text.is_char_boundary(end) {
            end = end.saturating_add(1);
        }
        begin..end
    }

    /// Returns what reads behind the damage, if the text ends like a whole v1 token.
    #[must_use]
    pub fn tail(&self, text: &str) -> Option<Tail> {
        let spelling = self.partial.0.spelling?;
        let read = self.partial.ends().last().map_or(0, |(_, end)| *end);
        let read = Places::new(text, spelling).of(read);
        let noticed = if self.error.unit() == "character" { self.error.offset() } else { read };
        Tail::find(text, noticed, spelling).or_else(|| Tail::find(text, read, spelling))
    }
}

impl Tail {
    /// Finds what reads behind this offset. What is missing before it shifts the rest against the groups of four
    /// characters, so it is tried with each shift, none of which begins within an escape.
    fn find(text: &str, from: usize, spelling: Spelling) -> Option<Self> {
        (0..=8_usize).find_map(|skip| {
            let from = from.checked_add(skip)?;
            let piece = text.get(from..)?;
            let bytes = decode_piece(piece, spelling.encoding)?;
            let packets = v1::last_packets(&bytes)?;
            let mut places = Places::new(piece, Spelling { service: None, ..spelling });
            Some(Self::new(&bytes, &packets, |byte| match byte {
                end if end >= bytes.len() => text.len(),
                byte => places.of(byte).saturating_add(from),
            }))
        })
    }

    fn new(bytes: &[u8], packets: &[v1::Found<'_>], mut place: impl FnMut(usize) -> usize) -> Self {
        let first = packets.first().map_or(bytes.len(), |packet| packet.begin);
        let fragment = bytes.get(..first).unwrap_or_default();
        let fragment = fragment.strip_suffix(b"\n").unwrap_or(fragment).to_vec();
        let (mut fields, mut layout, mut caveats) = (vec![], Vec::<Stretch>::new(), 0_usize);
        for packet in packets {
            let field = match packet.name {
                "location" => Field::Location,
                "identifier" => Field::Identifier,
                "signature" => Field::Signature,
                "cid" => {
                    caveats = caveats.saturating_add(1);
                    Field::Caveat { index: caveats.saturating_sub(1) }
                }
                // A part of the caveat before it.
                _ => {
                    let end = place(packet.end);
                    if let Some(last) = layout.last_mut() {
                        last.characters.end = end;
                    }
                    continue;
                }
            };
            layout.push(Stretch { field, characters: place(packet.begin)..place(packet.end) });
            if field != Field::Signature {
                fields.push((field, packet.value.to_vec()));
            }
        }
        Self { fragment, fields, layout }
    }
}

#[cfg(test)]
mod tests {
    use crate::{DecodeOptions, Encoding, Format, Macaroon, RootKey, inspect};

    use super::*;

    fn token() -> Macaroon {
        let key = RootKey::derive_any(b"a secret of the test, of 32 bytes");
        let mut macaroon = Macaroon::mint(&key, "onezone", b"id1").unwrap();
        for caveat in ["time < 1496140144", "ip = 192.0.2.7", "data.readonly"] {
            macaroon.attenuate(caveat).unwrap();
        }
        macaroon
    }

    fn fields(stretches: &[Stretch]) -> Vec<Field> {
        stretches.iter().map(|stretch| stretch.field).collect()
    }

    const CAVEATS: [Field; 3] =
        [Field::Caveat { index: 0 }, Field::Caveat { index: 1 }, Field::Caveat { index: 2 }];

    #[test]
    fn the_fields_cover_the_text() {
        for (format, encoding) in [
            (Format::V1, Encoding::Base62),
            (Format::V1, Encoding::Base64Url),
            (Format::V2, Encoding::Base64Url),
        ] {
            for prefix in ["", "opw-"] {
                if format == Format::V2 && !prefix.is_empty() {
                    continue;
                }
                let text = [prefix, &token().to_text(format, encoding).unwrap()].concat();
                let layout = inspect(&text, &DecodeOptions::default()).unwrap().layout(&text);
                let expected =
                    [&[Field::Location, Field::Identifier][..], &CAVEATS, &[Field::Signature]].concat();
                assert_eq!(fields(&layout), expected);
                assert_eq!(layout.first().unwrap().characters.start, prefix.len());
                assert_eq!(layout.last().unwrap().characters.end, text.len());
                assert!(layout.windows(2).all(|pair| pair[0].characters.end == pair[1].characters.start));
            }
        }
        let text = token().to_text(Format::V2J, Encoding::Json).unwrap();
        assert!(inspect(&text, &DecodeOptions::default()).unwrap().layout(&text).is_empty());
    }

    #[test]
    fn the_rest_of_a_spliced_text_reads() {
        let text = token().to_text(Format::V1, Encoding::Base62).unwrap();
        let layout = inspect(&text, &DecodeOptions::default()).unwrap().layout(&text);
        let (first, last) = (&layout[2].characters, &layout[3].characters);
        // From within the first caveat to within the second, with every shift.
        for start in first.start + 8..first.start + 12 {
            for end in last.start + 16..last.start + 20 {
                let Some(spliced) =
                    text.get(..start).zip(text.get(end..)).map(|(head, rest)| [head, rest].concat())
                else {
                    continue;
                };
                let damage = inspect(&spliced, &DecodeOptions::default()).unwrap_err();
                assert_eq!(damage.partial.identifier(), Some(&b"id1"[..]));
                let tail = damage.tail(&spliced).unwrap();
                assert_eq!(tail.fields, [(CAVEATS[0], b"data.readonly".to_vec())], "{start} {end}");
                assert!(tail.fragment.ends_with(b"0.2.7"), "{start} {end}");
                assert_eq!(fields(&tail.layout), [CAVEATS[0], Field::Signature]);
                let lost = end - start;
                assert_eq!(tail.layout[0].characters.start, layout[4].characters.start - lost);
                assert_eq!(tail.layout[1].characters.end, spliced.len());
            }
        }
    }

    #[test]
    fn a_text_without_its_end_has_no_tail() {
        let text = token().to_text(Format::V1, Encoding::Base62).unwrap();
        for end in 1..text.len() {
            let Err(damage) = inspect(text.get(..end).unwrap(), &DecodeOptions::default()) else { continue };
            assert_eq!(damage.tail(text.get(..end).unwrap()), None);
            let wrong = damage.characters(text.get(..end).unwrap());
            assert!(wrong.start <= wrong.end && wrong.end <= end, "{wrong:?} of {end}");
        }
    }

    #[test]
    fn the_wrong_characters_are_characters() {
        for (text, wrong) in [("MDAx\u{e9}", 4..6), ("MDAx MDAx", 4..5), ("xyz-MDAx", 0..4), ("", 0..0)] {
            let damage = inspect(text, &DecodeOptions::default()).unwrap_err();
            assert_eq!(damage.characters(text), wrong, "{text}");
        }
    }

    #[test]
    fn a_repair_reads_whole() {
        let text = token().to_text(Format::V1, Encoding::Base62).unwrap();
        let altered = ["JK", text.get(2..).unwrap()].concat();
        let damage = inspect(&altered, &DecodeOptions::default()).unwrap_err();
        assert_eq!(damage.characters(&altered), 0..2);
        assert_eq!(damage.repaired(&altered), Some(text.clone()));
        let broken = [text.get(..40).unwrap(), "\n", text.get(40..).unwrap()].concat();
        let damage = inspect(&broken, &DecodeOptions::default()).unwrap_err();
        assert_eq!(damage.repaired(&broken), Some(text));
    }
}
