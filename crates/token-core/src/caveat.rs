//! One condition of a macaroon.

/// A condition under which a macaroon holds, as the bytes that were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caveat<'a> {
    /// Judged by whoever verifies the macaroon.
    FirstParty {
        /// What has to hold; [`Predicate::read`](crate::Predicate::read) reads it.
        predicate: &'a [u8],
    },
    /// Judged by somebody else, who confirms it with a discharge macaroon.
    ThirdParty {
        /// The identifier that the discharge must have.
        identifier: &'a [u8],
        /// The discharge's root key, sealed under the signature before this caveat.
        vid: &'a [u8],
        /// Where to get the discharge: an unsigned hint that anyone may have changed.
        location: &'a [u8],
    },
}
