//! Why an authority did not do what it was asked.

use token_core::{DecodeError, EncodeError, InviteConsumer, UnixTime, VerifyError};
use token_store::{OpenError, SealError, StoreError};

use crate::{Consumed, HostError, Kind};

/// A token was not minted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The id of the resource is empty, longer than 128 characters, or has characters that no id has.
    #[error("not an id: an id has 1 to 128 printable ASCII characters without `/`, `|`, `:`, `*`")]
    InvalidId,
    /// Only a user or a provider has tokens minted, by an id as above.
    #[error("only a user or a provider with an id can have tokens minted")]
    InvalidIssuer,
    /// The name is longer than a record takes.
    #[error("a name of {len} bytes; {max} are allowed")]
    InvalidName {
        /// The length of the name, in bytes.
        len: usize,
        /// The greatest length allowed, in bytes.
        max: usize,
    },
    /// The resource does not exist, and the issuer may learn it ([`Absence`](crate::Absence)).
    #[error("there is no such resource")]
    NoSuchResource,
    /// The issuer lacks the privilege; or the resource does not exist, and the issuer may not learn it.
    #[error("the issuer lacks the privilege")]
    NotAllowed,
    /// Tokens of this kind do not support this caveat (`onedata-tokens.md` §4.1), or it is one that
    /// [`PredicateBuf::read`](token_core::PredicateBuf::read) does not write.
    #[error("a token of this kind does not support caveat {index}")]
    UnsupportedCaveat {
        /// Which of the caveats asked for, from 0.
        index: usize,
    },
    /// A temporary token is not stored and so has to expire, within the longest time configured.
    #[error("a temporary token has to expire within {max} seconds")]
    ExpiryRequired {
        /// The longest time, in seconds.
        max: u64,
    },
    /// The token has more caveats, or a longer text, than the authority reads.
    #[error("the token would be larger than any that is read")]
    TooLarge,
    /// The uses of a temporary token cannot be counted.
    #[error("the uses of a temporary token cannot be limited")]
    TemporaryUnlimited,
    /// A token of before 20.02 cannot be temporary.
    #[error("a token of this kind cannot be temporary")]
    NotTemporary,
    /// The token does not fit its format.
    #[error(transparent)]
    Format(#[from] token_core::MintError),
    /// The token does not fit its format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The authority could not work.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A token was not accepted, or it could not be found out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckError {
    /// The token is not good.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The authority could not work; nothing is said about the token.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a token is not good. This is for logs and operators: outside all of it is one answer, which
/// [`ApiError`](crate::ApiError) gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not a token.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// No token of this id was minted here, or it has been purged.
    #[error("the token is not known here")]
    Unknown,
    /// Its signature does not match, or a caveat does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// It was revoked, alone or with all temporary tokens of its subject.
    #[error("the token was revoked")]
    Revoked,
    /// Its time has come.
    #[error("the token expired at {at}")]
    Expired {
        /// When.
        at: UnixTime,
    },
    /// All its uses are spent.
    #[error("every use of the token is spent")]
    Exhausted,
    /// It is of another kind than the one asked for.
    #[error("the token is of kind {found}")]
    WrongType {
        /// Its kind.
        found: Kind,
    },
    /// It is not for a consumer of this sort.
    #[error("the token is not for such a consumer")]
    WrongConsumer {
        /// Whom it is for.
        needed: InviteConsumer,
    },
    /// Its issuer has lost the privilege, or its resource is gone.
    #[error("the issuer may no longer grant this, or the resource is gone")]
    NoLongerAllowed,
}

/// The authority could not work.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The store failed; [`StoreError::retry`] tells what to do.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A stored key did not open.
    #[error("a stored key did not open")]
    Open(#[from] OpenError),
    /// A new key was not sealed.
    #[error("a new key was not sealed")]
    Seal(#[from] SealError),
    /// The operating system gave no random bytes, or ones it gave before.
    #[error("the operating system gives no random bytes")]
    Random,
    /// The host could not answer.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A record says of itself what this version does not know.
    #[error("a record is of an unknown kind")]
    UnknownKind,
    /// The number of the subject's generation is the greatest there is. No raising leads there: it was written so.
    #[error("every generation of the subject has been used")]
    NoGenerationLeft,
}

/// A token was not spent, or what was to be done with it failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConsumeError<E> {
    /// The token is not good, or it could not be found out.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// What was to be done failed.
    #[error("the action failed; {the_use}")]
    Action {
        /// Why.
        #[source]
        action: E,
        /// What became of the use.
        the_use: TheUse,
    },
    /// What was to be done failed, and the use could not be given back: ask
    /// [`Authority::refund`](crate::Authority::refund) again, with what was consumed.
    #[error("the action failed, and the use could not be given back")]
    NotRefunded {
        /// Why the action failed.
        #[source]
        action: E,
        /// Why the use was not given back.
        refund: StoreError,
        /// The use.
        consumed: Box<Consumed>,
    },
}

/// What became of a use when what it was spent on failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TheUse {
    /// It can be spent again.
    GivenBack,
    /// The claim was answered more than once, and another call may have acted on it: the use is spent.
    StaysSpent,
    /// Uses of this token are not counted, so there was none to give back.
    NotCounted,
}

impl std::fmt::Display for TheUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::GivenBack => "the use was given back",
            Self::StaysSpent => "the use stays spent, since another call may have acted under the same claim",
            Self::NotCounted => "its uses are not counted",
        })
    }
}

/// An error with its causes, on one line.
pub(crate) fn report(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
