//! Failures of the command, as a message, a document and an exit code.

mod excerpt;
mod refusal;

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;
use token_api::{AcceptError, MintError, Refusal as Why, ThirdPartyError};
use token_core::{
    Damage, DecodeError, EncodeError, FieldError, Inspection, Limits, Macaroon, Report, Stage, Unit,
    UnixTime, VerifyError,
};
use token_store::{ClaimId, RekeyError, Retry, StoreError, TransferError};

pub(crate) use self::{excerpt::Unwritable, refusal::Refusal};
use crate::{home::HomeError, output::Bytes};

/// The exit codes, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done; for a verification: accepted.
    Done,
    /// The token is refused.
    Refused,
    /// The command line is wrong.
    Usage,
    /// The token, a caveat or an identifier is malformed.
    Malformed,
    /// A file or the store cannot be used, or is damaged.
    Unusable,
}

impl Exit {
    /// The exit code of work that skipped this many damaged records.
    pub(crate) const fn of_damage(count: u64) -> Self {
        if count == 0 { Self::Done } else { Self::Unusable }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Malformed => 3,
            Exit::Unusable => 4,
        })
    }
}

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
    /// Standard output failed, and the lost output cannot be produced again.
    #[error("standard output cannot be written: {0}")]
    Undelivered(io::Error),
    #[error("the system's clock shows a time before 1970")]
    Clock,
    #[error("{}", Chain(.0))]
    Home(#[from] HomeError),
    #[error("{}", Chain(.0))]
    Authority(#[from] token_api::Failure),
    /// Not an export, or an incomplete one.
    #[error("{}: {}", name.display(), Chain(source))]
    Export { name: PathBuf, source: TransferError },
    /// Some keys were not sealed again.
    #[error(
        "old keys are kept, since something may need them: sealed keys that do not open: {failed}, damaged records: \
         {damaged}; `onetoken check` names them"
    )]
    Rekey { failed: u64, damaged: u64 },
    /// There is nothing to revoke.
    #[error("nothing to revoke: the store holds no token of {of}")]
    NothingFound { of: String },
    /// The store failed during a spend under this claim.
    #[error("{}; retry with `--claim {claim}`, which spends no second use", Chain(source))]
    Spending { claim: String, source: StoreError },
}

impl From<ThirdPartyError> for Failure {
    fn from(error: ThirdPartyError) -> Self {
        match error {
            ThirdPartyError::Field(error) => Malformed::part(error).into(),
            ThirdPartyError::Failed(failure) => failure.into(),
            _ => token_api::Failure::Random.into(),
        }
    }
}

impl From<RekeyError> for Failure {
    fn from(error: RekeyError) -> Self {
        match error {
            RekeyError::Store(error) => error.into(),
            RekeyError::Seal(error) => Self::Authority(error.into()),
            _ => token_api::Failure::Random.into(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Authority(error.into())
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

    /// A failure of standard output, even if the reader has gone away: the output is lost.
    pub(crate) fn undelivered(self) -> Self {
        match self {
            Self::Output(source) => Self::Undelivered(source),
            failure => failure,
        }
    }

    /// The authority's error at minting.
    pub(crate) fn minting(error: MintError) -> Self {
        match error {
            MintError::Failed(failure) => failure.into(),
            MintError::Format(_) | MintError::Encode(_) => Malformed::made(&error).into(),
            // The host of this command refuses nothing, so the rest are mistakes of usage.
            error => UsageError::Mint(error).into(),
        }
    }

    /// The authority's error at a spend under a claim.
    pub(crate) fn spending(error: AcceptError, macaroon: &Macaroon, claim: &str) -> Self {
        match error {
            AcceptError::Failed(token_api::Failure::Store(source)) => {
                Self::Spending { claim: claim.to_owned(), source }
            }
            error => Self::checking(error, macaroon),
        }
    }

    /// The authority's error for a decoded token.
    pub(crate) fn checking(error: AcceptError, macaroon: &Macaroon) -> Self {
        match error {
            AcceptError::Failed(failure) => failure.into(),
            AcceptError::Refused(Why::Malformed(error)) => Malformed::result(&error).into(),
            AcceptError::Refused(Why::Verify(error)) => Self::verifying(error, macaroon, &[]),
            AcceptError::Refused(why) => Refusal::new(why, macaroon, &[]).into(),
        }
    }

    /// The verifier's error for a macaroon and its discharges.
    pub(crate) fn verifying(error: VerifyError, macaroon: &Macaroon, discharges: &[Macaroon]) -> Self {
        match error {
            // A limit on their number, not on their content.
            VerifyError::TooManyDischarges { max } => Malformed::too_many_discharges(max).into(),
            error => Refusal::new(error.into(), macaroon, discharges).into(),
        }
    }
}

/// An error with all its causes.
struct Chain<'a, E>(&'a E);

impl<E: Error> fmt::Display for Chain<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The command line parses, but makes no sense.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("a key is needed: give one of --secret, --secret-hex and --secret-file")]
    NoKey,
    #[error("the secret is empty")]
    EmptySecret,
    #[error("--secret-hex takes pairs of hexadecimal digits")]
    SecretHex,
    #[error("a raw key has 32 bytes; this one has {len}")]
    RawKeyLength { len: usize },
    #[error("a token is needed: give it, or `-` and the token on standard input")]
    NoToken,
    #[error("standard input can be only one of the tokens and secrets")]
    InputTwice,
    #[error("--compat is for verifying with a key: what is in the store was written by the rules")]
    CompatByStore,
    #[error("--third-party takes LOCATION:IDENTIFIER:KEY or LOCATION:IDENTIFIER:@PATH")]
    ThirdParty,
    #[error("{format} is never written in {encoding}")]
    Encoding { format: &'static str, encoding: &'static str },
    #[error("--lines reads tokens from standard input: leave the token out")]
    TokenWithLines,
    #[error("there is nothing to confine to: give --caveat, --ttl, --expires, --ip or --consumer")]
    NoCaveat,
    #[error("a list of addresses names IPv4 networks")]
    Addresses,
    #[error("a list of consumers names users, groups and providers")]
    Consumers,
    #[error("there is no home directory: say with --home where the keys are")]
    NoHome,
    #[error(
        "a temporary token has no record and cannot be revoked alone: `onetoken revoke --temporary SUBJECT` voids \
         all that its subject has"
    )]
    RevokeTemporary,
    #[error("say with --consumer who spends the token")]
    NoConsumer,
    #[error(
        "`memory:` is forgotten when this command ends, and nothing would ever verify the token: name another store"
    )]
    ForgetfulStore,
    #[error("--after takes the cursor that the page before gave out, with the same filters")]
    Cursor,
    #[error("--before takes a time that has come: what is yet to be minted is not voided beforehand")]
    NotYet,
    #[error("the store of this home may need the old keys: name another with --also, and not with --store")]
    RekeyOther,
    #[error("with `-` the export itself is on standard output: there is no room for --json")]
    ExportAndJson,
    #[error("a claim has 1 to {} bytes; this one has {len}", ClaimId::MAX_LEN)]
    Claim { len: usize },
    #[error(transparent)]
    Mint(MintError),
}

/// A malformed token, caveat or identifier.
#[derive(Debug, thiserror::Error)]
#[error("malformed: {}{message}", Of(*discharge))]
pub(crate) struct Malformed {
    message: String,
    stage: Stage,
    offset: usize,
    unit: Unit,
    hint: Option<String>,
    /// Which discharge it is, if it is one.
    discharge: Option<usize>,
    /// The parts before the damage, and the time to judge them at.
    pub(crate) partial: Option<(Box<Inspection>, UnixTime)>,
}

/// Begins a message about a discharge.
struct Of(Option<usize>);

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(discharge) => write!(f, "discharge {discharge}: "),
        }
    }
}

impl Malformed {
    pub(crate) fn token(damage: Damage, now: UnixTime) -> Self {
        Self {
            message: damage.to_string(),
            stage: damage.error.stage(),
            offset: damage.error.offset(),
            unit: damage.error.unit(),
            hint: damage.hint.as_ref().map(ToString::to_string),
            discharge: None,
            partial: Some((damage.partial, now)),
        }
    }

    /// The first character that is not UTF-8.
    pub(crate) fn not_text(offset: usize) -> Self {
        Self::at(
            format!("the token is not UTF-8, at character {offset}"),
            Stage::Text,
            offset,
            Unit::Character,
        )
    }

    /// Longer than any text that is read.
    pub(crate) fn too_long(max: usize) -> Self {
        let message =
            format!("the token has more than {max} characters; {} are allowed", Limits::ONEDATA.text);
        Self::at(message, Stage::Limit, Limits::ONEDATA.text, Unit::Character)
    }

    /// The name of a file was given.
    pub(crate) fn file_name(name: impl fmt::Display) -> Self {
        let message =
            format!("not a token but the name of a file; give what is in it on standard input: `< {name}`");
        Self { hint: Some(message.clone()), ..Self::at(message, Stage::Text, 0, Unit::Character) }
    }

    /// The same for this discharge.
    pub(crate) fn of_discharge(self, index: usize) -> Self {
        Self { discharge: Some(index), ..self }
    }

    /// Too many discharges; the first beyond the limit.
    pub(crate) fn too_many_discharges(max: usize) -> Self {
        let message = format!("there are more than {max} discharges");
        Self::at(message, Stage::Limit, 0, Unit::Character).of_discharge(max)
    }

    /// The minted or attenuated token could not be read back.
    pub(crate) fn result(error: &DecodeError) -> Self {
        Self::at(error.to_string(), error.stage(), error.offset(), error.unit())
    }

    /// An identifier or a caveat cannot be part of a macaroon.
    pub(crate) fn part(error: FieldError) -> Self {
        Self::at(error.to_string(), Stage::Limit, Limits::ONEDATA.field, Unit::Byte)
    }

    /// The token cannot carry this caveat.
    pub(crate) fn caveat(index: usize, text: &str) -> Self {
        let message = format!("caveat {index}: {}", Unwritable(text));
        Self::at(message, Stage::Field, 0, Unit::Character)
    }

    /// The token does not fit its format.
    pub(crate) fn made(error: &MintError) -> Self {
        Self::at(error.to_string(), Stage::Field, 0, Unit::Byte)
    }

    /// A field does not fit into the format.
    pub(crate) fn field(error: EncodeError) -> Self {
        let (stage, offset) = match error {
            EncodeError::FieldTooLong { max, .. } => (Stage::Limit, max),
            _ => (Stage::Field, 0),
        };
        Self::at(error.to_string(), stage, offset, Unit::Byte)
    }

    fn at(message: String, stage: Stage, offset: usize, unit: Unit) -> Self {
        Self { message, stage, offset, unit, hint: None, discharge: None, partial: None }
    }
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

impl Failure {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) | Self::NothingFound { .. } => Exit::Refused,
            Self::Usage(_) => Exit::Usage,
            Self::Malformed(_) => Exit::Malformed,
            Self::File { .. }
            | Self::Input(_)
            | Self::Output(_)
            | Self::Undelivered(_)
            | Self::Clock
            | Self::Home(_)
            | Self::Authority(_)
            | Self::Export { .. }
            | Self::Rekey { .. }
            | Self::Spending { .. } => Exit::Unusable,
        }
    }

    /// The document of `cli.md`: `{"error":{"kind":…,"message":…, …}}`.
    pub(crate) fn document(&self) -> ErrorDocument<'_> {
        let mut error = Body { message: self.to_string(), ..Body::default() };
        match self {
            Self::Refused(refusal) => {
                error.kind = refusal.kind();
                error.message = refusal.why.to_string();
                (error.discharge, error.index) = (refusal.at.discharge, refusal.at.index);
                error.caveat = refusal.caveat.as_ref().map(|caveat| &caveat.text);
                error.caveat_bytes = refusal.caveat.as_ref().and_then(|caveat| caveat.cut_from);
                error.reason = refusal.reason();
            }
            Self::NothingFound { .. } => error.kind = "unknown-token",
            Self::Usage(_) => error.kind = "usage",
            Self::Malformed(malformed) => {
                error.kind = "malformed";
                error.message.clone_from(&malformed.message);
                error.discharge = malformed.discharge;
                error.stage = Some(malformed.stage.as_str());
                error.offset = Some(malformed.offset);
                error.unit = Some(malformed.unit.to_string());
                error.hint = malformed.hint.as_deref();
                error.partial = Some(malformed.partial.as_ref().map(|(partial, now)| partial.report(*now)));
            }
            Self::File { .. } => error.kind = "file",
            Self::Input(_) => error.kind = "input",
            Self::Output(_) | Self::Undelivered(_) => error.kind = "output",
            Self::Clock => error.kind = "clock",
            Self::Home(HomeError::Store(_)) | Self::Authority(_) => error.kind = "store",
            Self::Spending { claim, .. } => {
                error.kind = "store";
                error.claim = Some(claim);
            }
            Self::Export { source, .. } => {
                error.kind = "export";
                error.line = match source {
                    TransferError::Line { line, .. } | TransferError::Incomplete { line } => Some(*line),
                    _ => None,
                };
            }
            Self::Rekey { .. } => error.kind = "key-needed",
            Self::Home(_) => error.kind = "home",
        }
        error.retry = self.retry();
        ErrorDocument { error }
    }

    /// The caller's next step after a store failure.
    fn retry(&self) -> Option<&'static str> {
        let (Self::Home(HomeError::Store(error))
        | Self::Authority(token_api::Failure::Store(error))
        | Self::Spending { source: error, .. }) = self
        else {
            return None;
        };
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
    /// The same for this line of standard input, counted from 1.
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
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    // Null if nothing could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<Option<Report<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document(failure: &Failure) -> Value {
        serde_json::to_value(failure.document()).unwrap()["error"].clone()
    }

    #[test]
    fn a_store_that_failed_tells_what_may_be_done() {
        for (error, retry) in
            [(StoreError::Full, "safe"), (StoreError::Unknown(None), "ask"), (StoreError::Poisoned, "never")]
        {
            let told = document(&HomeError::from(error.clone()).into());
            assert_eq!((&told["kind"], &told["retry"]), (&json!("store"), &json!(retry)));
            let told = document(&error.into());
            assert_eq!((&told["retry"], &told["claim"]), (&json!(retry), &Value::Null));
        }
        assert_eq!(document(&Failure::Clock)["retry"], Value::Null);
    }

    #[test]
    fn a_spend_in_doubt_names_its_claim() {
        let key = token_core::RootKey::derive_any(b"example");
        let macaroon = Macaroon::mint(&key, "l", b"i").unwrap();
        let failure =
            Failure::spending(token_api::Failure::from(StoreError::Unknown(None)).into(), &macaroon, "mine");
        let told = document(&failure);
        assert_eq!((&told["retry"], &told["claim"]), (&json!("ask"), &json!("mine")));
        assert!(failure.to_string().contains("--claim mine"), "{failure}");
        assert_eq!(failure.exit(), Exit::Unusable);
    }
}
