//! The errors of an authority as errors of the verbs.

use std::{io::ErrorKind, iter};

use token_api::{AcceptError, Failure, MintError, Refusal};
use token_core::{InviteConsumer, Purpose, Token, VerifyError};
use token_store::{KeySourceError, Retry, StoreError};

use crate::error::{Code, Error};

/// The message of an error with those of its causes, on one line. None of them has a token, a secret or a password.
fn chain(error: &dyn std::error::Error) -> String {
    iter::successors(error.source(), |cause| (*cause).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let code = match (&error, error.retry()) {
            (StoreError::Corrupt { .. } | StoreError::NotAStore { .. } | StoreError::WentBack { .. }, _) => {
                Code::StoreCorrupt
            }
            (StoreError::InvalidCursor, _) => {
                return Self::argument("after", error.to_string());
            }
            (StoreError::TooLarge { .. } | StoreError::ClockAhead { .. }, _) => Code::InvalidArgument,
            (_, Retry::Ask) => Code::StoreUnknown,
            (_, Retry::Safe | Retry::Never) => Code::StoreUnavailable,
        };
        let unavailable = code == Code::StoreUnavailable;
        Self::because(code, chain(&error))
            .with(|detail| detail.retry = unavailable.then_some(error.retry() == Retry::Safe))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let code = match failure {
            Failure::Store(error) => return error.into(),
            Failure::Key(_) | Failure::UnknownIssuer | Failure::NoGenerationLeft => Code::StoreCorrupt,
            Failure::NoConsumer => return Self::argument("context.consumer", "it is missing"),
            Failure::NoPurpose => return Self::argument("expect", "it is missing"),
            Failure::Id(_) => Code::InvalidArgument,
            _ => Code::StoreUnavailable,
        };
        let unavailable = code == Code::StoreUnavailable;
        Self::because(code, chain(&failure)).with(|detail| detail.retry = unavailable.then_some(true))
    }
}

/// Without the path and the name of the variable: a key ring may stand there by mistake.
impl From<KeySourceError> for Error {
    fn from(error: KeySourceError) -> Self {
        let reason = match error {
            KeySourceError::Exists { .. } => "the file exists and is not overwritten",
            KeySourceError::Exposed { .. } => "others than its owner may use the file; run chmod 600 on it",
            KeySourceError::NotAFile { .. } => "no regular file",
            KeySourceError::Malformed { .. } => "the file holds no key ring",
            KeySourceError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
                "there is no such file"
            }
            KeySourceError::Io { .. } => "the file cannot be used",
            KeySourceError::Absent { .. } => "the environment variable is not set",
            KeySourceError::Variable { .. } => "the environment variable holds no key ring",
            _ => "the key ring cannot be had",
        };
        Self::argument("keys", reason)
    }
}

impl From<MintError> for Error {
    fn from(error: MintError) -> Self {
        let member = match error {
            MintError::Failed(failure) => return failure.into(),
            MintError::Encode(error) => return error.into(),
            MintError::Format(error) => return Self::build("target", error),
            MintError::NoSuchResource => return Self::new(Code::InviteTokenTargetIdInvalid),
            MintError::NotAllowed => return Self::new(Code::InviteTokenSubjectNotAuthorized),
            MintError::TooLarge => return Self::because(Code::TokenTooLarge, error.to_string()),
            MintError::InvalidIssuer => return Self::because(Code::TokenSubjectInvalid, error.to_string()),
            MintError::UnsupportedCaveat { index } => {
                return Self::argument("caveats", error.to_string())
                    .with(|detail| detail.index = Some(index));
            }
            MintError::InvalidId => "target",
            MintError::InvalidName { .. } | MintError::NameTaken => "name",
            MintError::TooLong { what, .. } => what,
            MintError::ExpiryRequired { .. } => "lifetime",
            MintError::TemporaryUnlimited => "uses",
            MintError::NotTemporary => "temporary",
            _ => return Self::because(Code::InvalidArgument, error.to_string()),
        };
        Self::argument(member, error.to_string())
    }
}

/// Why this token, of which that purpose was expected, is not accepted.
pub(super) fn accepting(error: AcceptError, token: &Token, expect: Option<Purpose>) -> Error {
    match error {
        AcceptError::Failed(failure) => failure.into(),
        AcceptError::Refused(refusal) => refused(refusal, token, expect),
    }
}

fn refused(refusal: Refusal, token: &Token, expect: Option<Purpose>) -> Error {
    match refusal {
        Refusal::Malformed(error) => error.into(),
        Refusal::Unknown => Error::because(Code::TokenInvalid, "unknown"),
        Refusal::Verify(VerifyError::WrongType { stated }) => other_type(expect, stated.as_str()),
        Refusal::Verify(error) => Error::refused(&error, token.macaroon(), &[]),
        Refusal::Revoked => Error::new(Code::TokenRevoked),
        Refusal::Expired { at } => Error::because(Code::TokenCaveatUnverified, "expired")
            .with(|detail| detail.caveat = Some(format!("time < {}", at.as_secs()).into_bytes())),
        Refusal::Exhausted => Error::new(Code::InviteTokenUsageLimitExceeded),
        Refusal::WrongType { found } => other_type(expect, found.as_str()),
        Refusal::WrongConsumer { needed } => Error::new(Code::InviteTokenConsumerInvalid).with(|detail| {
            detail.expected = Some(match needed {
                InviteConsumer::User => "user",
                InviteConsumer::Provider => "oneprovider",
                InviteConsumer::Anyone => "anyone",
            });
        }),
        Refusal::ResourceGone => Error::new(Code::InviteTokenTargetIdInvalid),
        Refusal::NoLongerAllowed => Error::new(Code::InviteTokenSubjectNotAuthorized),
        Refusal::SubjectGone => Error::because(Code::TokenSubjectInvalid, "gone"),
        Refusal::SubjectBlocked => Error::because(Code::TokenSubjectInvalid, "blocked"),
        Refusal::ServiceForbidden => Error::new(Code::TokenServiceForbidden),
        other => Error::because(Code::TokenInvalid, other.to_string()),
    }
}

fn other_type(expect: Option<Purpose>, received: &'static str) -> Error {
    let (code, expected) = match expect {
        Some(Purpose::Access) => (Code::NotAnAccessToken, None),
        Some(Purpose::Identity) => (Code::NotAnIdentityToken, None),
        expect => (Code::NotAnInviteToken, expect.map(Purpose::as_str)),
    };
    Error::new(code).with(|detail| (detail.expected, detail.received) = (expected, Some(received)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_store_says_whether_a_retry_can_help() {
        for (error, code, retry) in [
            (StoreError::Full, Code::StoreUnavailable, Some(true)),
            (StoreError::ReadOnly, Code::StoreUnavailable, Some(false)),
            (StoreError::Poisoned, Code::StoreUnavailable, Some(false)),
            (StoreError::Unknown(None), Code::StoreUnknown, None),
            (StoreError::Corrupt { what: "a page" }, Code::StoreCorrupt, None),
        ] {
            for error in [Error::from(error.clone()), Failure::Store(error).into()] {
                assert_eq!((error.code(), error.detail().retry), (code, retry));
            }
        }
        assert_eq!(Error::from(Failure::Random).detail().retry, Some(true));
    }
}
