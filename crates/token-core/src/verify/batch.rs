//! Verification in two steps, signature and caveats, so that the signatures of many macaroons are confirmed at once.

use alloc::vec::Vec;

use super::{Verified, Verifier, VerifyError};
use crate::{Macaroon, RootKey};

/// A macaroon whose signature is confirmed under its key. No caveat of it is judged yet.
#[derive(Clone, Copy, Debug)]
pub struct Confirmed<'t>(&'t Macaroon);

impl Verifier<'_> {
    /// Verifies many macaroons, each under its own key. Returns the answers of [`verify`](Self::verify), in the order of
    /// the macaroons.
    ///
    /// With the feature `simd`, a processor with SHA-NI or AVX-512 computes many chains at once, in four fifths or half
    /// of the time. Batches of 16 or more gain most. Macaroons with third-party caveats are verified one by one, and so
    /// are all macaroons without the feature or on another processor.
    ///
    /// ```
    /// use token_core::{Context, Macaroon, RootKey, UnixTime, Verifier, VerifyError};
    ///
    /// let keys = [RootKey::derive(&[7; 32])?, RootKey::derive(&[8; 32])?];
    /// let good = Macaroon::mint(&keys[0], "onezone", b"id")?;
    /// let forged = Macaroon::mint(&keys[0], "onezone", b"another id")?;
    ///
    /// let context = Context::at(UnixTime::from_secs(0));
    /// let answers = Verifier::new(&context).verify_many(&[(&good, &keys[0]), (&forged, &keys[1])]);
    /// assert!(answers[0].is_ok());
    /// assert_eq!(answers[1].as_ref().unwrap_err(), &VerifyError::BadSignature);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn verify_many<'t>(
        &self,
        macaroons: &[(&'t Macaroon, &RootKey)],
    ) -> Vec<Result<Verified<'t>, VerifyError>> {
        self.confirm_many(macaroons).into_iter().map(|confirmed| self.judge(confirmed?)).collect()
    }

    /// Confirms the signature of a macaroon that is presented without discharges: the first step of
    /// [`verify`](Self::verify). [`judge`](Self::judge) is the second, and may be that of another verifier.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`]. For an authentic macaroon with a third-party caveat,
    /// [`VerifyError::DischargeMissing`], or [`VerifyError::CaveatKeyUnreadable`] if no discharge could satisfy it.
    pub fn confirm<'t>(&self, macaroon: &'t Macaroon, key: &RootKey) -> Result<Confirmed<'t>, VerifyError> {
        self.confirm_with(macaroon, &[], key).map(|_| Confirmed(macaroon))
    }

    /// Confirms the signatures of many macaroons, each under its own key: the first step of
    /// [`verify_many`](Self::verify_many). Returns the answers of [`confirm`](Self::confirm), in their order.
    #[must_use]
    pub fn confirm_many<'t>(
        &self,
        macaroons: &[(&'t Macaroon, &RootKey)],
    ) -> Vec<Result<Confirmed<'t>, VerifyError>> {
        #[cfg(feature = "simd")]
        return self.confirm_many_by(token_lanes::Kernel::detect(), macaroons);
        #[cfg(not(feature = "simd"))]
        self.confirm_in_turn(macaroons)
    }

    /// As [`confirm_many`](Self::confirm_many), by this kernel; `None`: one by one. For tests and measurements.
    #[cfg(feature = "simd")]
    #[doc(hidden)]
    #[must_use]
    pub fn confirm_many_by<'t>(
        &self,
        kernel: Option<token_lanes::Kernel>,
        macaroons: &[(&'t Macaroon, &RootKey)],
    ) -> Vec<Result<Confirmed<'t>, VerifyError>> {
        /// The number of chains that fill the lanes well even if their lengths differ, and that fit into the first
        /// cache.
        const AT_ONCE: usize = 256;
        let Some(kernel) = kernel else { return self.confirm_in_turn(macaroons) };
        let mut answers = Vec::with_capacity(macaroons.len());
        for macaroons in macaroons.chunks(AT_ONCE) {
            let chains = crate::lanes::chains(kernel, macaroons);
            // By reference: a chain that is moved out of the list leaves its key behind unwiped.
            answers.extend(macaroons.iter().zip(&chains).map(|((macaroon, key), chain)| match chain {
                Some(chain) if chain.is_confirmed() => Ok(Confirmed(macaroon)),
                Some(_) => Err(VerifyError::BadSignature),
                None => self.confirm(macaroon, key),
            }));
        }
        answers
    }

    fn confirm_in_turn<'t>(
        &self,
        macaroons: &[(&'t Macaroon, &RootKey)],
    ) -> Vec<Result<Confirmed<'t>, VerifyError>> {
        macaroons.iter().map(|(macaroon, key)| self.confirm(macaroon, key)).collect()
    }

    /// Judges the caveats and the session of a macaroon whose signature is confirmed: the second step of
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// That of the first caveat that is refused, with its place; [`VerifyError::WrongSession`].
    pub fn judge<'t>(&self, confirmed: Confirmed<'t>) -> Result<Verified<'t>, VerifyError> {
        self.judge_confirmed(confirmed.0, &[], &[])
    }
}
