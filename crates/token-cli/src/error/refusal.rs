//! Why a token is not good.

use std::{error::Error, fmt};

use token_api::Refusal as Why;
use token_core::{Caveat, Macaroon, Place, VerifyError};

use super::excerpt::Excerpt;

/// A token is not good.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) why: Why,
    pub(super) at: Where,
    /// The caveat at fault, if one is.
    pub(super) caveat: Option<Excerpt>,
}

impl Refusal {
    /// The refusal of `macaroon` with these discharges.
    pub(super) fn new(why: Why, macaroon: &Macaroon, discharges: &[Macaroon]) -> Self {
        let at = match &why {
            Why::Verify(error) => place(error),
            _ => Where::default(),
        };
        let holder = match at.discharge {
            None => Some(macaroon),
            Some(discharge) => discharges.get(discharge),
        };
        let caveat = holder.zip(at.index).and_then(|(holder, index)| holder.caveats().nth(index));
        let caveat = caveat.map(|caveat| match caveat {
            Caveat::FirstParty { predicate } => Excerpt::new(predicate),
            Caveat::ThirdParty { identifier, .. } => Excerpt::new(identifier),
        });
        Self { why, at, caveat }
    }

    /// The store has no record of the named token.
    pub(crate) const fn unknown() -> Self {
        Self::of_record(Why::Unknown)
    }

    /// Its record has no use left.
    pub(crate) const fn exhausted() -> Self {
        Self::of_record(Why::Exhausted)
    }

    const fn of_record(why: Why) -> Self {
        Self { why, at: Where { discharge: None, index: None }, caveat: None }
    }

    pub(super) fn kind(&self) -> &'static str {
        match &self.why {
            Why::Unknown => "unknown-token",
            Why::Revoked => "revoked",
            Why::Expired { .. } => "expired",
            Why::Exhausted => "exhausted",
            Why::WrongType { .. } | Why::Verify(VerifyError::WrongType { .. }) => "wrong-type",
            Why::WrongConsumer { .. } => "wrong-consumer",
            Why::NoLongerAllowed => "not-allowed",
            Why::Verify(
                VerifyError::BadSignature
                | VerifyError::BadDischarge { .. }
                | VerifyError::CaveatKeyUnreadable { .. },
            ) => "bad-signature",
            Why::Verify(
                VerifyError::CaveatUnmet { .. }
                | VerifyError::CaveatUnsupported { .. }
                | VerifyError::CaveatUnenforced { .. },
            ) => "caveat-unmet",
            Why::Verify(VerifyError::CaveatUnknown { .. }) => "caveat-unknown",
            Why::Verify(VerifyError::DischargeMissing { .. }) => "discharge-missing",
            Why::Verify(VerifyError::DischargeUnused { .. }) => "discharge-unused",
            Why::Verify(VerifyError::DischargeAmbiguous { .. }) => "discharge-ambiguous",
            Why::Verify(VerifyError::TooDeep { .. }) => "too-deep",
            _ => "refused",
        }
    }

    pub(super) fn reason(&self) -> Option<String> {
        match &self.why {
            Why::Verify(VerifyError::CaveatUnmet { why, .. }) => Some(why.to_string()),
            Why::Verify(VerifyError::CaveatUnsupported { .. } | VerifyError::CaveatUnenforced { .. }) => {
                Some("unsupported".to_owned())
            }
            Why::Verify(VerifyError::CaveatUnknown { .. }) => Some("it is not understood".to_owned()),
            Why::Verify(VerifyError::DischargeMissing { .. }) => Some("it has no discharge".to_owned()),
            Why::Verify(VerifyError::BadDischarge { .. }) => {
                Some("made with another key, bound to another macaroon or to none, or changed".to_owned())
            }
            Why::Verify(VerifyError::CaveatKeyUnreadable { .. }) => {
                Some("its key was not sealed under the signature before it".to_owned())
            }
            _ => None,
        }
    }
}

/// The discharge and the caveat at fault, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Where {
    pub(super) discharge: Option<usize>,
    pub(super) index: Option<usize>,
}

fn place(error: &VerifyError) -> Where {
    match *error {
        VerifyError::CaveatUnmet { at, .. }
        | VerifyError::CaveatUnsupported { at }
        | VerifyError::CaveatUnenforced { at }
        | VerifyError::CaveatUnknown { at }
        | VerifyError::DischargeMissing { at }
        | VerifyError::CaveatKeyUnreadable { at } => {
            let Place { discharge, index } = at;
            Where { discharge, index: Some(index) }
        }
        VerifyError::BadDischarge { discharge }
        | VerifyError::DischargeUnused { discharge }
        | VerifyError::DischargeAmbiguous { discharge } => Where { discharge: Some(discharge), index: None },
        _ => Where::default(),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.why)?;
        match &self.caveat {
            Some(caveat) => write!(f, ": {caveat}"),
            None => Ok(()),
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.why)
    }
}
