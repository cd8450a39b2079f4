//! Where a token, a caveat or an identifier is malformed.

use std::fmt;

use token_api::MintError;
use token_core::{BuildError, Damage, DecodeError, EncodeError, Inspection, Limits, UnixTime};

use super::excerpt::Unwritable;

/// A malformed token, caveat or identifier.
#[derive(Debug, thiserror::Error)]
#[error("malformed: {}{message}", of(*discharge))]
pub(crate) struct Malformed {
    pub(super) message: String,
    pub(super) stage: &'static str,
    pub(super) offset: usize,
    pub(super) unit: &'static str,
    pub(super) hint: Option<String>,
    /// Which discharge it is, if it is one.
    pub(super) discharge: Option<usize>,
    /// The parts before the damage, and the time to judge them at.
    pub(crate) partial: Option<(Box<Inspection>, UnixTime)>,
}

fn of(discharge: Option<usize>) -> String {
    discharge.map_or_else(String::new, |discharge| format!("discharge {discharge}: "))
}

impl Malformed {
    fn new(message: impl fmt::Display, stage: &'static str, offset: usize, unit: &'static str) -> Self {
        let message = message.to_string();
        Self { message, stage, offset, unit, hint: None, discharge: None, partial: None }
    }

    /// A damaged token, judged at this time.
    pub(crate) fn token(damage: Damage, now: UnixTime) -> Self {
        Self {
            message: damage.to_string(),
            hint: damage.hint.as_ref().map(ToString::to_string),
            partial: Some((damage.partial, now)),
            ..damage.error.into()
        }
    }

    /// The token is not UTF-8 from this character on.
    pub(crate) fn not_text(offset: usize) -> Self {
        let message = format_args!("the token is not UTF-8, at character {offset}");
        Self::new(message, "text", offset, "character")
    }

    /// The token is longer than any text that is read.
    pub(crate) fn too_long(max: usize) -> Self {
        let allowed = Limits::ONEDATA.text;
        let message = format_args!("the token has more than {max} characters; {allowed} are allowed");
        Self::new(message, "limit", allowed, "character")
    }

    /// The caller gave the name of a file in place of a token.
    pub(crate) fn file_name(name: &str) -> Self {
        let message = format!(
            "this is the name of a file, not a token; give its content on standard input: `< {name}`"
        );
        Self { hint: Some(message.clone()), ..Self::new(message, "text", 0, "character") }
    }

    /// The same error, in the discharge with this index.
    pub(crate) fn of_discharge(self, index: usize) -> Self {
        Self { discharge: Some(index), ..self }
    }

    /// There are too many discharges. Names the first beyond the limit.
    pub(crate) fn too_many_discharges(max: usize) -> Self {
        let message = format_args!("there are more than {max} discharges");
        Self::new(message, "limit", 0, "character").of_discharge(max)
    }

    /// The token cannot carry this caveat.
    pub(crate) fn caveat(index: usize, text: &str) -> Self {
        let message = format_args!("caveat {index}: {}", Unwritable(text));
        Self::new(message, "field", 0, "character")
    }

    /// The token to mint does not fit its format.
    pub(crate) fn minted(error: &MintError) -> Self {
        Self::new(error, "field", 0, "byte")
    }
}

impl From<DecodeError> for Malformed {
    fn from(error: DecodeError) -> Self {
        Self::new(&error, error.stage(), error.offset(), error.unit())
    }
}

/// An identifier or a caveat cannot be part of a macaroon.
impl From<BuildError> for Malformed {
    fn from(error: BuildError) -> Self {
        Self::new(error, "limit", Limits::ONEDATA.field, "byte")
    }
}

/// A field does not fit into the format.
impl From<EncodeError> for Malformed {
    fn from(error: EncodeError) -> Self {
        let (stage, offset) = match error {
            EncodeError::FieldTooLong { max, .. } => ("limit", max),
            _ => ("field", 0),
        };
        Self::new(error, stage, offset, "byte")
    }
}
