//! Why a macaroon is refused.

use core::fmt;

use crate::{LegacyType, Unmet};

/// The place of a caveat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The index of the discharge, from 0 in the caller's order; `None`: the macaroon itself.
    pub discharge: Option<usize>,
    /// The index of the caveat, from 0 in chain order.
    pub index: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.discharge {
            None => write!(f, "caveat {}", self.index),
            Some(discharge) => write!(f, "caveat {} of discharge {discharge}", self.index),
        }
    }
}

/// Why a macaroon was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Wrong root key, or bytes changed after signing. Deliberately says no more.
    #[error("the signature does not match")]
    BadSignature,
    /// A known caveat does not hold.
    #[error("{at} does not hold: {why}")]
    CaveatUnmet {
        /// The caveat.
        at: Place,
        /// Why it does not hold.
        why: Unmet,
    },
    /// The caveat is of a type that the verifier does not support.
    #[error("{at} is of a type that this token must not carry")]
    CaveatUnsupported {
        /// The caveat.
        at: Place,
    },
    /// A discharge has a caveat that the host would have to enforce after verification
    /// ([`Predicate::is_enforced_later`](crate::Predicate::is_enforced_later)). The host looks for those in the
    /// verified macaroon only.
    #[error("{at} has to be enforced after verification, which no caveat of a discharge is")]
    CaveatUnenforced {
        /// The caveat.
        at: Place,
    },
    /// A caveat is unknown.
    #[error("{at} is not known")]
    CaveatUnknown {
        /// The caveat.
        at: Place,
    },
    /// The token states another type than the expected one.
    #[error("the token is of type {stated}")]
    WrongType {
        /// The stated type.
        stated: LegacyType,
    },
    /// The access token is bound to another session than that of the request, or only one of them has a session.
    #[error("the token is not for the session of the request")]
    WrongSession,
    /// A third-party caveat has no discharge, or its discharge was used for another caveat.
    #[error("{at} has to be discharged by a third party")]
    DischargeMissing {
        /// The caveat.
        at: Place,
    },
    /// The key of a third-party caveat was not sealed under the signature before it, so no discharge can satisfy it.
    #[error("the key of {at} does not open")]
    CaveatKeyUnreadable {
        /// The caveat.
        at: Place,
    },
    /// A discharge was minted under another key, changed after it was bound, or not bound to this macaroon.
    #[error(
        "discharge {discharge} does not fit: made with another key, bound to another macaroon, or changed"
    )]
    BadDischarge {
        /// The index of the discharge, from 0.
        discharge: usize,
    },
    /// No caveat asks for a discharge.
    #[error("no caveat asks for discharge {discharge}")]
    DischargeUnused {
        /// The index of the discharge, from 0.
        discharge: usize,
    },
    /// Two discharges have the same identifier, so the choice is ambiguous.
    #[error("discharge {discharge} has the identifier of an earlier one")]
    DischargeAmbiguous {
        /// The index of the discharge, from 0.
        discharge: usize,
    },
    /// There are more discharges than the verifier allows.
    #[error("there are more than {max} discharges")]
    TooManyDischarges {
        /// The greatest allowed number.
        max: usize,
    },
    /// Discharges of discharges go deeper than the verifier allows.
    #[error("discharges ask for discharges more than {max} levels deep")]
    TooDeep {
        /// The greatest allowed depth.
        max: usize,
    },
}
