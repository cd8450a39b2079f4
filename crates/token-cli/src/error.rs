//! Failures of the command, as a message, a document and an exit code.

mod excerpt;
mod home;
mod malformed;
mod refusal;
mod usage;

use std::{
    error::Error,
    io, iter,
    path::{Path, PathBuf},
};

use serde::Serialize;
use token_api::{AcceptError, MintError, Refusal as Why, ThirdPartyError};
use token_core::{Macaroon, Report, VerifyError};
use token_store::{KeySourceError, RekeyError, Retry, StoreError, TransferError};

pub(crate) use self::{
    excerpt::Unwritable, home::HomeError, malformed::Malformed, refusal::Refusal, usage::UsageError,
};
use crate::{bytes::Bytes, exit::Exit, time::WrongClock};

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(Box<Refusal>),
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Malformed(Box<Malformed>),
    #[error("{} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("standard input cannot be read: {0}")]
    Input(io::Error),
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Clock(#[from] WrongClock),
    #[error("{}", chain(.0))]
    Home(#[from] HomeError),
    #[error("{}", chain(.0))]
    Store(#[from] StoreError),
    /// The authority failed for another reason than the store.
    #[error("{}", chain(.0.as_ref()))]
    Authority(Box<dyn Error + Send + Sync>),
    /// Not an export, or an incomplete one.
    #[error("{}: {}", name.display(), chain(source))]
    Export { name: PathBuf, source: TransferError },
    /// Some keys were not sealed again.
    #[error(
        "the old keys stay in the key ring, because {failed} sealed keys do not open and {damaged} records are damaged; \
         `onetoken check` names them"
    )]
    Rekey { failed: u64, damaged: u64 },
    /// There is nothing to revoke.
    #[error("nothing to revoke: the store holds no token of {of}")]
    NothingFound { of: String },
    /// The store failed during a spend under this claim.
    #[error("{}; retry with `--claim {claim}`, which spends no second use", chain(source))]
    Spending { claim: String, source: StoreError },
}

/// The message of an error with those of all its causes.
fn chain(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(Box::new(malformed))
    }
}

impl From<token_api::Failure> for Failure {
    fn from(failure: token_api::Failure) -> Self {
        match failure {
            token_api::Failure::Store(error) => Self::Store(error),
            failure => Self::Authority(failure.into()),
        }
    }
}

impl From<KeySourceError> for Failure {
    fn from(error: KeySourceError) -> Self {
        Self::Home(error.into())
    }
}

impl From<ThirdPartyError> for Failure {
    fn from(error: ThirdPartyError) -> Self {
        match error {
            ThirdPartyError::Field(error) => Malformed::from(error).into(),
            error => Self::Authority(error.into()),
        }
    }
}

impl From<RekeyError> for Failure {
    fn from(error: RekeyError) -> Self {
        match error {
            RekeyError::Store(error) => error.into(),
            error => Self::Authority(error.into()),
        }
    }
}

impl From<MintError> for Failure {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Failed(failure) => failure.into(),
            MintError::Format(_) | MintError::Encode(_) => Malformed::minted(&error).into(),
            // The host of this command refuses nothing, so the rest are mistakes of usage.
            error => UsageError::Mint(error).into(),
        }
    }
}

impl Failure {
    /// The failure of an export to, or an import from, a file of this name.
    pub(crate) fn transfer(name: &Path, error: TransferError) -> Self {
        match error {
            TransferError::Store(error) => error.into(),
            TransferError::Io(source) => Self::File { path: name.to_owned(), source },
            source => Self::Export { name: name.to_owned(), source },
        }
    }

    /// The same failure, but a reader that closed standard output is one like any other: it lost what it asked for.
    pub(crate) fn undelivered(self) -> Self {
        match self {
            Self::Output(source) => Self::Output(io::Error::other(source)),
            failure => failure,
        }
    }

    /// The same failure. One of the store names the claim, under which the caller can retry the spend.
    pub(crate) fn spending(self, claim: &str) -> Self {
        match self {
            Self::Store(source) => Self::Spending { claim: claim.to_owned(), source },
            failure => failure,
        }
    }

    /// The failure for the authority's error, with the caveat of the macaroon that was refused.
    pub(crate) fn checking(error: AcceptError, macaroon: &Macaroon) -> Self {
        match error {
            AcceptError::Failed(failure) => failure.into(),
            AcceptError::Refused(Why::Malformed(error)) => Malformed::from(error).into(),
            AcceptError::Refused(Why::Verify(error)) => Self::verifying(error, macaroon, &[]),
            AcceptError::Refused(why) => Refusal::from(why).into(),
        }
    }

    /// The failure for the verifier's error, with the caveat of the macaroon or the discharge that was refused.
    pub(crate) fn verifying(error: VerifyError, macaroon: &Macaroon, discharges: &[Macaroon]) -> Self {
        match error {
            // A limit on their number, not on their content.
            VerifyError::TooManyDischarges { max } => Malformed::too_many_discharges(max).into(),
            error => Refusal::verifying(error, macaroon, discharges).into(),
        }
    }

    /// The exit code of this failure.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) | Self::NothingFound { .. } => Exit::Refused,
            Self::Usage(_) => Exit::Usage,
            Self::Malformed(_) => Exit::Malformed,
            _ => Exit::Unusable,
        }
    }

    /// The document of `cli.md`: `{"error":{"kind":…,"message":…, …}}`.
    pub(crate) fn document(&self) -> ErrorDocument<'_> {
        let mut error = Body { message: self.to_string(), retry: self.retry(), ..Body::default() };
        error.kind = match self {
            Self::Refused(refusal) => {
                error.message = refusal.why.to_string();
                (error.discharge, error.index) = (refusal.discharge, refusal.index);
                error.caveat = refusal.caveat.as_ref().map(|caveat| &caveat.text);
                error.caveat_bytes = refusal.caveat.as_ref().and_then(|caveat| caveat.cut_from);
                error.reason = refusal.reason.as_deref();
                refusal.kind
            }
            Self::NothingFound { .. } => "unknown-token",
            Self::Usage(_) => "usage",
            Self::Malformed(malformed) => {
                error.message.clone_from(&malformed.message);
                error.discharge = malformed.discharge;
                error.damage = Some(Damage {
                    stage: malformed.stage,
                    offset: malformed.offset,
                    unit: malformed.unit,
                    hint: malformed.hint.as_deref(),
                    partial: malformed.partial.as_ref().map(|(partial, now)| partial.report(*now)),
                });
                "malformed"
            }
            Self::File { .. } => "file",
            Self::Input(_) => "input",
            Self::Output(_) => "output",
            Self::Clock(_) => "clock",
            Self::Home(_) => "home",
            Self::Store(_) | Self::Authority(_) => "store",
            Self::Spending { claim, .. } => {
                error.claim = Some(claim);
                "store"
            }
            Self::Export { source, .. } => {
                error.line = match source {
                    TransferError::Line { line, .. } | TransferError::Incomplete { line } => Some(*line),
                    _ => None,
                };
                "export"
            }
            Self::Rekey { .. } => "key-needed",
        };
        ErrorDocument { error }
    }

    /// The caller's next step after a store failure.
    fn retry(&self) -> Option<&'static str> {
        let (Self::Store(error) | Self::Spending { source: error, .. }) = self else { return None };
        Some(match error.retry() {
            Retry::Safe => "safe",
            Retry::Ask => "ask",
            Retry::Never => "never",
        })
    }
}

#[derive(Serialize)]
pub(crate) struct ErrorDocument<'a> {
    error: Body<'a>,
}

impl ErrorDocument<'_> {
    /// The same document, for a line of standard input, counted from 1.
    pub(crate) const fn of_line(mut self, line: u64) -> Self {
        self.error.line = Some(line);
        self
    }
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    discharge: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caveat: Option<&'a Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caveat_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(flatten)]
    damage: Option<Damage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'a str>,
}

/// Where a token is malformed.
#[derive(Serialize)]
struct Damage<'a> {
    stage: &'static str,
    offset: usize,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// Null if nothing could be read.
    partial: Option<Report<'a>>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document(failure: &Failure) -> Value {
        serde_json::to_value(failure.document()).unwrap()["error"].clone()
    }

    #[test]
    fn a_failure_of_the_store_says_whether_to_retry() {
        for (error, retry) in
            [(StoreError::Full, "safe"), (StoreError::Unknown(None), "ask"), (StoreError::Poisoned, "never")]
        {
            for failure in [Failure::from(error.clone()), token_api::Failure::from(error).into()] {
                let shown = document(&failure);
                assert_eq!((&shown["kind"], &shown["retry"]), (&json!("store"), &json!(retry)));
                assert_eq!(shown["claim"], Value::Null);
            }
        }
        assert_eq!(document(&WrongClock.into())["retry"], Value::Null);
    }

    #[test]
    fn a_spend_in_doubt_names_its_claim() {
        let failure = Failure::from(StoreError::Unknown(None)).spending("mine");
        let shown = document(&failure);
        assert_eq!((&shown["retry"], &shown["claim"]), (&json!("ask"), &json!("mine")));
        assert!(failure.to_string().contains("--claim mine"), "{failure}");
        assert_eq!(failure.exit(), Exit::Unusable);
    }
}
