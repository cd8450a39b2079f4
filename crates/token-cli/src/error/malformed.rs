//! Where a token, a caveat or an identifier is malformed.

use std::fmt;

use token_api::MintError;
use token_core::{Damage, DecodeError, EncodeError, FieldError, Inspection, Limits, Stage, Unit, UnixTime};

use super::excerpt::Unwritable;

/// A malformed token, caveat or identifier.
#[derive(Debug, thiserror::Error)]
#[error("malformed: {}{message}", of(*discharge))]
pub(crate) struct Malformed {
    pub(super) message: String,
    pub(super) stage: Stage,
    pub(super) offset: usize,
    pub(super) unit: Unit,
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
    fn new(message: impl fmt::Display, stage: Stage, offset: usize, unit: Unit) -> Self {
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
        Self::new(message, Stage::Text, offset, Unit::Character)
    }

    /// The token is longer than any text that is read.
    pub(crate) fn too_long(max: usize) -> Self {
        let allowed = Limits::ONEDATA.text;
        let message = format_args!("the token has more than {max} characters; {allowed} are allowed");
        Self::new(message, Stage::Limit, allowed, Unit::Character)
    }

    /// The name of a file stands in the place of a token.
    pub(crate) fn file_name(name: &str) -> Self {
        let message = format!(
            "this is the name of a file, not a token; give its content on standard input: `< {name}`"
        );
        Self { hint: Some(message.clone()), ..Self::new(message, Stage::Text, 0, Unit::Character) }
    }

    /// The same for this discharge.
    pub(crate) fn of_discharge(self, index: usize) -> Self {
        Self { discharge: Some(index), ..self }
    }

    /// There are too many discharges; the first beyond the limit.
    pub(crate) fn too_many_discharges(max: usize) -> Self {
        let message = format_args!("there are more than {max} discharges");
        Self::new(message, Stage::Limit, 0, Unit::Character).of_discharge(max)
    }

    /// The token cannot carry this caveat.
    pub(crate) fn caveat(index: usize, text: &str) -> Self {
        let message = format_args!("caveat {index}: {}", Unwritable(text));
        Self::new(message, Stage::Field, 0, Unit::Character)
    }

    /// The token to mint does not fit its format.
    pub(crate) fn minted(error: &MintError) -> Self {
        Self::new(error, Stage::Field, 0, Unit::Byte)
    }
}

impl From<DecodeError> for Malformed {
    fn from(error: DecodeError) -> Self {
        Self::new(&error, error.stage(), error.offset(), error.unit())
    }
}

/// An identifier or a caveat cannot be part of a macaroon.
impl From<FieldError> for Malformed {
    fn from(error: FieldError) -> Self {
        Self::new(error, Stage::Limit, Limits::ONEDATA.field, Unit::Byte)
    }
}

/// A field does not fit into the format.
impl From<EncodeError> for Malformed {
    fn from(error: EncodeError) -> Self {
        let (stage, offset) = match error {
            EncodeError::FieldTooLong { max, .. } => (Stage::Limit, max),
            _ => (Stage::Field, 0),
        };
        Self::new(error, stage, offset, Unit::Byte)
    }
}
