//! Guesses the cause of a damaged text.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use crate::{
    DecodeError, DecodeOptions, Encoding, Problem,
    wire::{Reading, text},
};

/// The probable cause of a damaged text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// The first characters contradict the rest of the text.
    FirstCharactersChanged {
        /// How many characters, up to the last that differs.
        count: usize,
        /// The expected characters.
        expected: String,
        /// Whether the text is a whole token once these are repaired.
        rest_is_whole: bool,
    },
    /// The text ends like a whole token: an earlier part is missing or changed.
    EndIsWhole,
    /// The text is a token once its white space is removed.
    Trim,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstCharactersChanged { count, expected, rest_is_whole } => {
                let (were, their) = match count {
                    1 => ("character was".into(), "its"),
                    2 => ("two characters were".into(), "their"),
                    3 => ("three characters were".into(), "their"),
                    n => (format!("{n} characters were"), "their"),
                };
                write!(f, "the first {were} altered: with `{expected}` in {their} place ")?;
                f.write_str(match rest_is_whole {
                    true => "the token reads whole",
                    false => "the first packet reads, and the damage goes on behind it",
                })
            }
            Self::EndIsWhole => f.write_str(
                "the text ends with a complete signature, so a piece in the middle is missing or altered",
            ),
            Self::Trim => f.write_str("without the white space it reads whole"),
        }
    }
}

pub(super) fn hint(
    text: &str,
    error: &DecodeError,
    reading: &Reading,
    options: &DecodeOptions,
) -> Option<Hint> {
    match error.problem() {
        Problem::Whitespace => {
            let joined: String = text.split_whitespace().collect();
            reads_whole(&joined, options).then_some(Hint::Trim)
        }
        Problem::LengthField(0) | Problem::PacketTooShort { packet: 0, .. } => {
            first_characters(text, reading, options)
        }
        Problem::Escape(_) => {
            let tail = text.get(error.offset()..)?.get(1..)?;
            ends_whole(tail).then_some(Hint::EndIsWhole)
        }
        _ => None,
    }
}

fn reads_whole(text: &str, options: &DecodeOptions) -> bool {
    crate::wire::read_text(text, options, &mut Reading::default()).is_ok()
}

/// Derives the first characters: the first packet of a token is `00XXlocation VALUE LF`, so its end gives its length.
fn first_characters(text: &str, reading: &Reading, options: &DecodeOptions) -> Option<Hint> {
    let bytes = &reading.parts.fields;
    let packet = bytes.get(4..).filter(|rest| rest.starts_with(b"location "))?;
    let len = packet.iter().position(|byte| *byte == b'\n')?.checked_add(5)?;
    let repaired: Vec<u8> = [format!("{len:04x}").as_bytes(), packet].concat();
    let spelling = reading.spelling?;
    let prefix = spelling.service.map_or(String::new(), |service| format!("{service}-"));
    let encoding = match spelling.encoding {
        Encoding::Base64 => Encoding::Base64Url,
        other => other,
    };
    let repaired = [prefix, text::encode(&repaired, encoding)].concat();
    if repaired.len() != text.len() {
        return None;
    }
    let last = repaired.bytes().zip(text.bytes()).rposition(|(right, found)| right != found)?;
    // Six bytes cover the length field; what differs behind them is other damage.
    let count = last.checked_add(1).filter(|count| *count <= 8)?;
    let expected = repaired.get(..count)?.to_string();
    Some(Hint::FirstCharactersChanged { count, expected, rest_is_whole: reads_whole(&repaired, options) })
}

/// Whether a piece of base62 ends like a token, cut off at any character of a group of four.
fn ends_whole(tail: &str) -> bool {
    (0..4).filter_map(|skip| tail.get(skip..)).any(|tail| {
        let Ok(bytes) = text::read_piece(tail) else { return false };
        bytes
            .strip_suffix(b"\n")
            .and_then(|bytes| bytes.split_last_chunk::<32>())
            .is_some_and(|(head, _)| head.ends_with(b"002fsignature "))
    })
}
