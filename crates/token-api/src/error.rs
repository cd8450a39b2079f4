//! The errors of an authority, one type for each operation.

use token_core::{DecodeError, EncodeError, InviteConsumer, UnixTime, Unmet, VerifyError};
use token_store::{InvalidId, KeyError, StoreError};

use crate::{Decision, HostError, Purpose};

/// Why a token was not minted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The resource's id is empty, longer than 128 characters, or contains a character that ids exclude.
    #[error("not an id: an id has 1 to 128 printable ASCII characters without `/`, `|`, `:`, `*`")]
    InvalidId,
    /// The issuer is not a user or provider with a valid id.
    #[error("only a user or a provider with an id can have tokens minted")]
    InvalidIssuer,
    /// The name is empty or longer than a record's name may be.
    #[error("a name of {len} bytes; 1 to {max} are allowed")]
    InvalidName {
        /// The length of the name, in bytes.
        len: usize,
        /// The greatest allowed length, in bytes.
        max: usize,
    },
    /// The metadata or the privileges are longer than a record keeps; or a temporary token has some, or a name.
    #[error("{what} of {len} bytes; {max} are allowed")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length, in bytes.
        len: usize,
        /// The greatest allowed length, in bytes.
        max: usize,
    },
    /// Another token of the issuer has the name.
    #[error("another token of the issuer has this name")]
    NameTaken,
    /// A token to import has the id of another token.
    #[error("another token has this id")]
    IdTaken,
    /// A token to import has a record, a secret, its own caveats and no other expiry. One with an identifier of version 1
    /// has no session, and is an access token or an invitation that states its legacy type.
    #[error("no token that can be imported has these properties")]
    NotImportable,
    /// The resource does not exist, and the issuer may learn that ([`Absence`](crate::Absence)).
    #[error("there is no such resource")]
    NoSuchResource,
    /// The issuer lacks the privilege; or the resource does not exist, and the issuer may not learn that.
    #[error("the issuer lacks the privilege")]
    NotAllowed,
    /// Tokens for this purpose do not support this caveat (`onedata-tokens.md` §4.1), or
    /// [`PredicateBuf::read`](token_core::PredicateBuf::read) refuses it.
    #[error("a token for this purpose does not support caveat {index}")]
    UnsupportedCaveat {
        /// The index of the caveat in the request, from 0.
        index: usize,
    },
    /// A temporary token has no record, so it has to expire within the configured time.
    #[error("a temporary token has to expire within {max} seconds")]
    ExpiryRequired {
        /// The configured time, in seconds.
        max: u64,
    },
    /// The token exceeds the limits that the authority reads tokens with.
    #[error("the token would be larger than any that is read")]
    TooLarge,
    /// The uses of a temporary token cannot be counted.
    #[error("the uses of a temporary token cannot be limited")]
    TemporaryUnlimited,
    /// A legacy token cannot be temporary.
    #[error("a token for this purpose cannot be temporary")]
    NotTemporary,
    /// The token does not fit its format.
    #[error(transparent)]
    Format(#[from] token_core::BuildError),
    /// The token does not fit its format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The authority failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a token was not accepted: it was refused, or the authority could not decide.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "there is no third case, and a caller handles both")]
pub enum AcceptError {
    /// The token is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The authority failed, and could not judge the token.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a token is refused. For logs and operators only: clients get one answer for every reason, from
/// [`ApiError`](crate::ApiError).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not a token.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// No token with this id was minted here, or its record has been purged.
    #[error("the token is not known here")]
    Unknown,
    /// Its signature does not match, or a caveat does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// It was revoked, alone or together with all temporary tokens of its subject.
    #[error("the token was revoked")]
    Revoked,
    /// It has expired.
    #[error("the token expired at {at}")]
    Expired {
        /// When it expired.
        at: UnixTime,
    },
    /// All its uses are spent.
    #[error("every use of the token is spent")]
    Exhausted,
    /// It is for another purpose than expected.
    #[error("the token is for {found}")]
    WrongType {
        /// Its purpose.
        found: Purpose,
    },
    /// A consumer of this kind may not spend it.
    #[error("the token is not for such a consumer")]
    WrongConsumer {
        /// The kind of consumer that may spend it.
        needed: InviteConsumer,
    },
    /// Its resource no longer exists.
    #[error("the resource is gone")]
    ResourceGone,
    /// Its issuer has lost the privilege.
    #[error("the issuer may no longer grant this")]
    NoLongerAllowed,
    /// Its subject no longer exists.
    #[error("the subject is gone")]
    SubjectGone,
    /// Its subject is blocked.
    #[error("the subject is blocked")]
    SubjectBlocked,
    /// The service is not allowed for its subject.
    #[error("the service is not allowed for the subject")]
    ServiceForbidden,
}

impl Refusal {
    /// Returns the refusal that follows from a decision.
    pub(crate) const fn of(decision: Decision) -> Result<(), Self> {
        Err(match decision {
            Decision::Allowed => return Ok(()),
            Decision::ResourceGone => Self::ResourceGone,
            Decision::NoLongerAllowed => Self::NoLongerAllowed,
            Decision::SubjectGone => Self::SubjectGone,
            Decision::SubjectBlocked => Self::SubjectBlocked,
            Decision::ServiceForbidden => Self::ServiceForbidden,
        })
    }

    /// Whether a valid token can reach this refusal later, without a change to its text.
    pub(crate) const fn came_later(&self) -> bool {
        matches!(
            self,
            Self::Revoked
                | Self::Expired { .. }
                | Self::ResourceGone
                | Self::NoLongerAllowed
                | Self::SubjectGone
                | Self::SubjectBlocked
                | Self::ServiceForbidden
                | Self::Verify(VerifyError::CaveatUnmet { why: Unmet::Expired { .. }, .. })
        )
    }
}

/// Why the authority failed. Says nothing about the token.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The store failed; [`StoreError::retry`] says what to do.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The key ring could not open a stored key or seal a new one.
    #[error("the key ring cannot open or seal a key")]
    Key(#[from] KeyError),
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// A new token's id, drawn at random, is taken: the operating system repeats its random bytes.
    #[error("a random id is taken: the operating system repeats its random bytes")]
    IdTaken,
    /// The store does not take an id that the authority made.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The context of a spend names no consumer. Set [`Context::consumer`](token_core::Context::consumer), to
    /// [`Subject::Nobody`](token_core::Subject::Nobody) for a client without credentials.
    #[error("the context of a spend names no consumer")]
    NoConsumer,
    /// A token that was prepared for any purpose is spent: it may be for another one than the caller acts on.
    #[error("a spend names no expected purpose")]
    NoPurpose,
    /// The host could not answer.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The issuer of a record is neither a user nor a provider. This version mints for no other.
    #[error("the issuer of a record is neither a user nor a provider")]
    UnknownIssuer,
    /// The subject's generation has the greatest number. Raising it step by step cannot get there: the number was
    /// written by hand.
    #[error("every generation of the subject has been used")]
    NoGenerationLeft,
}

/// Formats an error and its causes on one line.
pub(crate) fn report(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
