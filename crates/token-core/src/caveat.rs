//! One condition of a macaroon.

/// A condition under which a macaroon is valid, as the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caveat<'a> {
    /// Judged by the verifier of the macaroon.
    FirstParty {
        /// The condition; [`Predicate::read`](crate::Predicate::read) reads it.
        predicate: &'a [u8],
    },
    /// Judged by a third party, which confirms it with a discharge macaroon.
    ThirdParty {
        /// The identifier that the discharge must have.
        identifier: &'a [u8],
        /// The discharge's root key, sealed under the signature before this caveat.
        vid: &'a [u8],
        /// Where to get the discharge: an unsigned hint that any holder may have changed.
        location: &'a [u8],
    },
}
