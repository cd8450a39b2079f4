//! Verifies many macaroons at once: all chains first, several at a time if the processor can, then the caveats of each
//! macaroon.

use alloc::vec::Vec;

use super::{Verified, Verifier, VerifyError};
use crate::{Macaroon, RootKey};

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
        #[cfg(feature = "simd")]
        return self.verify_many_by(token_lanes::Kernel::detect(), macaroons);
        #[cfg(not(feature = "simd"))]
        self.verify_in_turn(macaroons)
    }

    /// As [`verify_many`](Self::verify_many), by this kernel; `None`: one by one. For tests and measurements.
    #[cfg(feature = "simd")]
    #[doc(hidden)]
    #[must_use]
    pub fn verify_many_by<'t>(
        &self,
        kernel: Option<token_lanes::Kernel>,
        macaroons: &[(&'t Macaroon, &RootKey)],
    ) -> Vec<Result<Verified<'t>, VerifyError>> {
        /// The number of chains that fill the lanes well even if their lengths differ, and that fit into the first
        /// cache.
        const AT_ONCE: usize = 256;
        let Some(kernel) = kernel else { return self.verify_in_turn(macaroons) };
        let mut answers = Vec::with_capacity(macaroons.len());
        for macaroons in macaroons.chunks(AT_ONCE) {
            let chains = crate::lanes::chains(kernel, macaroons);
            answers.extend(macaroons.iter().zip(chains).map(|((macaroon, key), chain)| match chain {
                Some(chain) if chain.is_confirmed() => self.judge_confirmed(macaroon, &[], &[]),
                Some(_) => Err(VerifyError::BadSignature),
                None => self.verify(macaroon, key),
            }));
        }
        answers
    }

    fn verify_in_turn<'t>(
        &self,
        macaroons: &[(&'t Macaroon, &RootKey)],
    ) -> Vec<Result<Verified<'t>, VerifyError>> {
        macaroons.iter().map(|(macaroon, key)| self.verify(macaroon, key)).collect()
    }
}
