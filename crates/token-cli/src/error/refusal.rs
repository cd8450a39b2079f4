//! Why a token is not good.

use std::{borrow::Cow, error::Error, fmt};

use token_api::Refusal as Why;
use token_core::{Caveat, Macaroon, Place, VerifyError};

use super::excerpt::Excerpt;

/// A token is not good.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) why: Why,
    pub(super) kind: &'static str,
    /// The number of the discharge at fault, if one is.
    pub(super) discharge: Option<usize>,
    /// The number of the caveat at fault, if one is.
    pub(super) index: Option<usize>,
    pub(super) caveat: Option<Excerpt>,
    /// Why the caveat or the discharge does not hold.
    pub(super) reason: Option<Cow<'static, str>>,
}

/// A refusal that no caveat causes.
impl From<Why> for Refusal {
    fn from(why: Why) -> Self {
        let kind = match &why {
            Why::Unknown => "unknown-token",
            Why::Revoked => "revoked",
            Why::Expired { .. } => "expired",
            Why::Exhausted => "exhausted",
            Why::WrongType { .. } => "wrong-type",
            Why::WrongConsumer { .. } => "wrong-consumer",
            Why::NoLongerAllowed => "not-allowed",
            _ => "refused",
        };
        Self { why, kind, discharge: None, index: None, caveat: None, reason: None }
    }
}

impl Refusal {
    /// The verifier's refusal of `macaroon` with these discharges.
    pub(super) fn verifying(error: VerifyError, macaroon: &Macaroon, discharges: &[Macaroon]) -> Self {
        let nowhere = (None, None);
        let at_caveat = |Place { discharge, index }| (discharge, Some(index));
        let (kind, (discharge, index), reason): (_, _, Option<Cow<'static, str>>) = match &error {
            VerifyError::BadSignature => ("bad-signature", nowhere, None),
            VerifyError::BadDischarge { discharge } => (
                "bad-signature",
                (Some(*discharge), None),
                Some("made with another key, bound to another macaroon or to none, or changed".into()),
            ),
            VerifyError::CaveatKeyUnreadable { at } => (
                "bad-signature",
                at_caveat(*at),
                Some("its key was not sealed under the signature before it".into()),
            ),
            VerifyError::CaveatUnmet { at, why } => {
                ("caveat-unmet", at_caveat(*at), Some(why.to_string().into()))
            }
            VerifyError::CaveatUnsupported { at } | VerifyError::CaveatUnenforced { at } => {
                ("caveat-unmet", at_caveat(*at), Some("unsupported".into()))
            }
            VerifyError::CaveatUnknown { at } => {
                ("caveat-unknown", at_caveat(*at), Some("it is not understood".into()))
            }
            VerifyError::DischargeMissing { at } => {
                ("discharge-missing", at_caveat(*at), Some("it has no discharge".into()))
            }
            VerifyError::DischargeUnused { discharge } => {
                ("discharge-unused", (Some(*discharge), None), None)
            }
            VerifyError::DischargeAmbiguous { discharge } => {
                ("discharge-ambiguous", (Some(*discharge), None), None)
            }
            VerifyError::TooDeep { .. } => ("too-deep", nowhere, None),
            VerifyError::WrongType { .. } => ("wrong-type", nowhere, None),
            _ => ("refused", nowhere, None),
        };
        let holder = match discharge {
            None => Some(macaroon),
            Some(discharge) => discharges.get(discharge),
        };
        let caveat = holder.zip(index).and_then(|(holder, index)| holder.caveats().nth(index));
        let caveat = caveat.map(|caveat| match caveat {
            Caveat::FirstParty { predicate } => Excerpt::new(predicate),
            Caveat::ThirdParty { identifier, .. } => Excerpt::new(identifier),
        });
        Self { why: error.into(), kind, discharge, index, caveat, reason }
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
