//! Explains a verification to an operator.

use alloc::{string::String, vec::Vec};
use core::iter;

use super::{Judging, Place, Verifier, VerifyError};
use crate::{Caveat, Macaroon, Predicate, RootKey};

/// What a verification made of each caveat of a token whose signatures are confirmed.
///
/// For an operator: it shows facts of the request, so it is not for the bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation<'t> {
    /// The first-party caveats of the macaroon, then those of its discharges, in the order in which they are judged.
    pub findings: Vec<Finding<'t>>,
    /// The answer of [`Verifier::verify_with`]: the first caveat that does not hold, else a wrong session.
    pub answer: Result<(), VerifyError>,
}

/// What a verification made of one caveat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding<'t> {
    /// The caveat's place.
    pub at: Place,
    /// The caveat.
    pub caveat: &'t [u8],
    /// Whether it holds, or why not.
    pub verdict: Result<(), VerifyError>,
    /// What the context has about it, in words; `None` if nothing, or if no fact decides.
    pub fact: Option<String>,
}

impl Verifier<'_> {
    /// Explains what [`verify_with`](Self::verify_with) answers: judges every caveat, also those behind the first that
    /// does not hold.
    ///
    /// # Errors
    /// As [`verify_with`](Self::verify_with), while the signatures are not confirmed. So a forger learns nothing.
    pub fn explain<'t>(
        &self,
        macaroon: &'t Macaroon,
        discharges: &'t [Macaroon],
        key: &RootKey,
    ) -> Result<Explanation<'t>, VerifyError> {
        let order = self.confirm_with(macaroon, discharges, key)?;
        let asked = order.iter().filter_map(|index| Some((Some(*index), discharges.get(*index)?)));
        let (mut judging, mut findings) = (Judging::new(self), Vec::new());
        for (discharge, macaroon) in iter::once((None, macaroon)).chain(asked) {
            let verdicts: Vec<_> = judging.verdicts(discharge, macaroon).collect();
            let own = macaroon.caveats().enumerate().filter_map(|(index, caveat)| match caveat {
                Caveat::FirstParty { predicate } => Some((Place { discharge, index }, predicate)),
                Caveat::ThirdParty { .. } => None,
            });
            findings.extend(own.zip(verdicts).map(|((at, caveat), verdict)| {
                let fact = Predicate::read(caveat).and_then(|predicate| judging.request.fact(&predicate));
                Finding { at, caveat, verdict, fact }
            }));
        }
        let refused = findings.iter().find_map(|finding| finding.verdict.clone().err());
        let answer = refused.map_or_else(|| self.judge_session(macaroon), Err);
        Ok(Explanation { findings, answer })
    }
}
