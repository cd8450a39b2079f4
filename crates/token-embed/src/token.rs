//! Reading and writing tokens, and the errors of that.

use alloc::{
    borrow::Cow,
    string::{String, ToString as _},
};

use serde::{Serialize, Serializer};
use token_core::{
    BuildError, Bytes, Caveat, DecodeError, DecodeOptions, EncodeError, Identifier, Limits, Macaroon,
    Predicate, Problem, Spelling, UnixTime, Unmet, VerifyError, inspect,
};

use crate::{
    error::{Code, Error, Partial},
    text::Condition,
};

/// `{"token":…}`
#[derive(Serialize)]
pub struct Written {
    token: String,
}

/// From the text of a token.
impl From<String> for Written {
    fn from(token: String) -> Self {
        Self { token }
    }
}

impl Written {
    /// Returns the text of the token.
    #[must_use]
    pub fn into_token(self) -> String {
        self.token
    }
}

/// Reads the text of a token. Refuses an identifier that begins as version 2 and is none.
pub(crate) fn read(text: &str) -> Result<(Macaroon, Spelling), Error> {
    let options = DecodeOptions::default();
    match Macaroon::from_text(text, &options) {
        Ok((macaroon, spelling)) if Identifier::read(macaroon.identifier()).is_ok() => {
            Ok((macaroon, spelling))
        }
        _ => Err(damaged(text, &options, None, false)),
    }
}

/// Diagnoses a text that could not be read.
pub(crate) fn damaged(
    text: &str,
    options: &DecodeOptions,
    now: Option<UnixTime>,
    with_partial: bool,
) -> Error {
    let Err(damage) = inspect(text, options) else { return Error::new(Code::BadToken) };
    let hint = damage.hint.as_ref().map(|hint| hint.to_string());
    Error::from(damage.error).with(|detail| {
        detail.hint = hint;
        detail.partial = with_partial.then_some(Partial { inspection: damage.partial, now });
    })
}

/// The member `caveats` of an answer: the texts of a token's own caveats.
pub(crate) struct Texts<'a>(pub(crate) &'a Macaroon);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(own_caveats(self.0).map(Bytes))
    }
}

/// Returns the texts of a token's own caveats.
pub(crate) fn own_caveats(macaroon: &Macaroon) -> impl Iterator<Item = &[u8]> {
    macaroon.caveats().filter_map(|caveat| match caveat {
        Caveat::FirstParty { predicate } => Some(predicate),
        Caveat::ThirdParty { .. } => None,
    })
}

/// Writes a token, unless it would exceed what its readers read.
pub(crate) fn write(macaroon: &Macaroon, spelling: Spelling) -> Result<Written, Error> {
    let token = macaroon.spell(spelling)?;
    let Limits { text, caveats, .. } = Limits::ONEDATA;
    let too_large = |limit| Error::new(Code::TokenTooLarge).with(|detail| detail.limit = Some(limit));
    match () {
        () if token.len() > text => Err(too_large(text)),
        () if macaroon.caveats().len() > caveats => Err(too_large(caveats)),
        () => Ok(token.into()),
    }
}

/// Appends the caveats. Refuses one that is known and has a value that no request can have, such as the country `pl`:
/// a blacklist of it would exclude no one.
pub(crate) fn attenuate(macaroon: &mut Macaroon, caveats: &[Condition<'_>]) -> Result<(), Error> {
    for (index, caveat) in caveats.iter().enumerate() {
        let is_about = |error: Error| error.with(|detail| detail.index = Some(index));
        let bytes: &[u8] = caveat.as_ref();
        if Predicate::read(bytes).is_some_and(|predicate| !predicate.has_meaning()) {
            let reason = "a value in the caveat is one that no request can have";
            return Err(is_about(Error::argument("caveats", reason)));
        }
        macaroon.attenuate(caveat).map_err(|error| is_about(Error::build("caveats", error)))?;
    }
    Ok(())
}

impl Error {
    /// A field of a macaroon that cannot be written.
    pub(crate) fn build(member: &'static str, error: BuildError) -> Self {
        match error {
            BuildError::Subject => Self::because(Code::TokenSubjectInvalid, error.to_string()),
            BuildError::Identifier(error) => Self::argument(member, error.problem().to_string())
                .with(|detail| detail.offset = Some(error.offset())),
            error => Self::argument(member, error.to_string()),
        }
    }

    /// The same, in the discharge with this index.
    pub(crate) fn of_discharge(self, index: usize) -> Self {
        self.with(|detail| detail.discharge = Some(index))
    }

    /// The refusal of a macaroon, which has the caveats, or of one of its discharges.
    pub(crate) fn refused(error: &VerifyError, macaroon: &Macaroon, discharges: &[Macaroon]) -> Self {
        let invalid = |reason: &'static str| Self::because(Code::TokenInvalid, reason);
        let unverified = |reason| Self::because(Code::TokenCaveatUnverified, reason);
        let (refused, at) = match error {
            VerifyError::BadSignature => (invalid("signature"), None),
            VerifyError::CaveatUnmet { at, why } => (unverified(word(why)), Some(*at)),
            VerifyError::CaveatUnsupported { at } => (unverified("unsupported".into()), Some(*at)),
            VerifyError::CaveatUnenforced { at } => (unverified("unenforced".into()), Some(*at)),
            VerifyError::CaveatUnknown { at } => (Self::new(Code::TokenCaveatUnknown), Some(*at)),
            VerifyError::WrongSession => (Self::new(Code::TokenSessionInvalid), None),
            VerifyError::DischargeMissing { at } => {
                return invalid("discharge-missing").with(|detail| {
                    (detail.discharge, detail.index) = (at.discharge, Some(at.index));
                });
            }
            VerifyError::CaveatKeyUnreadable { at } => {
                return invalid("caveat-key").with(|detail| {
                    (detail.discharge, detail.index) = (at.discharge, Some(at.index));
                });
            }
            VerifyError::BadDischarge { discharge } => (invalid("signature").of_discharge(*discharge), None),
            VerifyError::DischargeUnused { discharge } => {
                (invalid("discharge-unused").of_discharge(*discharge), None)
            }
            VerifyError::DischargeAmbiguous { discharge } => {
                (invalid("discharge-ambiguous").of_discharge(*discharge), None)
            }
            VerifyError::TooManyDischarges { .. } => (invalid("too-many-discharges"), None),
            VerifyError::TooDeep { .. } => (invalid("too-deep"), None),
            other => (Self::because(Code::TokenInvalid, other.to_string()), None),
        };
        let Some(at) = at else { return refused };
        let holder = at.discharge.map_or(Some(macaroon), |index| discharges.get(index));
        let caveat = holder.and_then(|holder| holder.caveats().nth(at.index));
        refused.with(|detail| {
            (detail.discharge, detail.index) = (at.discharge, Some(at.index));
            detail.caveat = caveat.and_then(|caveat| match caveat {
                Caveat::FirstParty { predicate } => Some(predicate.to_vec()),
                Caveat::ThirdParty { .. } => None,
            });
        })
    }
}

fn word(why: &Unmet) -> Cow<'static, str> {
    match why {
        Unmet::Expired { .. } => "expired".into(),
        Unmet::Refuted => "refuted".into(),
        Unmet::NotKnown => "not-known".into(),
        other => other.to_string().into(),
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        if let Problem::TooLong { max, .. } = error.problem() {
            return Self::new(Code::TokenTooLarge).with(|detail| detail.limit = Some(*max));
        }
        Self::because(Code::BadToken, error.problem().to_string()).with(|detail| {
            detail.stage = Some(error.stage());
            (detail.offset, detail.unit) = (Some(error.offset()), Some(error.unit()));
        })
    }
}

/// A field does not fit into the format.
impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::FieldTooLong { max, .. } => {
                Self::because(Code::TokenTooLarge, error.to_string()).with(|detail| detail.limit = Some(max))
            }
            error => Self::because(Code::InvalidArgument, error.to_string()),
        }
    }
}
