//! The one failure of the command: its exit code, its kind and its message, and what else its document says.

mod excerpt;

use std::{collections::BTreeMap, error::Error, fmt, io, iter, path::Path};

use serde::Serialize;
use token_api::{AcceptError, MintError, Refusal, ThirdPartyError};
use token_core::{
    BuildError, Bytes, Caveat, Damage, DecodeError, DecodeOptions, EncodeError, Inspection, Limits, Macaroon,
    UnixTime, VerifyError,
};
use token_store::{KeySourceError, RekeyError, Retry, StoreError, TransferError};

use self::excerpt::Excerpt;
pub(crate) use self::excerpt::unwritable;
use crate::{bytes::Members, exit::Exit};

/// Why the command failed. Serializes as the inner document of `cli.md`: `{"kind":…,"message":…, …}`.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: &'static str,
    message: String,
    #[serde(flatten)]
    more: Members,
    #[serde(skip)]
    exit: Exit,
    /// What could be read of a damaged token.
    #[serde(skip)]
    pub(crate) partial: Option<Box<Inspection>>,
}

/// As people read it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.exit {
            Exit::Refused => "refused: ",
            Exit::Malformed => "malformed: ",
            _ => "",
        };
        write!(f, "{prefix}{}", self.message)
    }
}

/// The message of an error with those of all its causes.
fn chain(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Failure {
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), more: Members::default(), exit, partial: None }
    }

    /// A mistake in the command line that its parser does not find.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// The home cannot be made or used.
    pub(crate) fn home(message: impl fmt::Display) -> Self {
        Self::new(Exit::Unusable, "home", message)
    }

    /// The operating system refused this file or directory of the home.
    pub(crate) fn home_file(path: &Path, error: io::Error) -> Self {
        Self::home(format_args!("{} cannot be used: {error}", path.display()))
    }

    /// The operating system refused a file that the command line names. Does not repeat a token in the place of a name.
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        let is_token = |name: &str| Macaroon::from_text(name, &DecodeOptions::compat()).is_ok();
        let name = match path.to_str().is_some_and(is_token) {
            true => "the token in the place of a file".into(),
            false => path.to_string_lossy(),
        };
        Self::new(Exit::Unusable, "file", format_args!("{name} cannot be used: {error}"))
    }

    pub(crate) fn input(error: io::Error) -> Self {
        Self::new(Exit::Unusable, "input", format_args!("standard input cannot be read: {error}"))
    }

    /// Not a failure if the reader closed the output: it wants no more of it.
    pub(crate) fn output(error: io::Error) -> Self {
        let is_closed = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if is_closed { Exit::Done } else { Exit::Unusable };
        Self::new(exit, "output", format_args!("standard output cannot be written: {error}"))
    }

    /// The same, but a reader that closed the output lost what it asked for.
    pub(crate) fn undelivered(self) -> Self {
        Self { exit: if self.exit == Exit::Done { Exit::Unusable } else { self.exit }, ..self }
    }

    /// The authority failed for another reason than the store.
    pub(crate) fn authority(error: &dyn Error) -> Self {
        Self::new(Exit::Unusable, "store", chain(error))
    }

    /// An export to, or an import from, a file of this name failed.
    pub(crate) fn transfer(name: &Path, error: TransferError) -> Self {
        let line = match &error {
            TransferError::Line { line, .. } | TransferError::Incomplete { line } => Some(*line),
            _ => None,
        };
        match error {
            TransferError::Store(error) => error.into(),
            TransferError::Io(error) => Self::file(name, error),
            error => {
                let message = format_args!("{}: {}", name.display(), chain(&error));
                Self::new(Exit::Unusable, "export", message).with_some("line", line)
            }
        }
    }

    /// The token, a caveat or an identifier is malformed, in this unit at this offset.
    fn malformed(message: impl fmt::Display, stage: &str, offset: usize, unit: &str) -> Self {
        let failure = Self::new(Exit::Malformed, "malformed", message).with("stage", stage);
        failure.with("offset", offset).with("unit", unit).with("partial", None::<()>)
    }

    /// A damaged token, judged at this time.
    pub(crate) fn damaged(damage: Damage, now: UnixTime) -> Self {
        let message = damage.to_string();
        let hint = damage.hint.as_ref().map(ToString::to_string);
        let failure = Self::from(damage.error).with_some("hint", hint);
        let failure = failure.with("partial", damage.partial.report(now));
        Self { message, partial: Some(damage.partial), ..failure }
    }

    /// The token is not UTF-8 from this character on.
    pub(crate) fn not_text(offset: usize) -> Self {
        let message = format_args!("the token is not UTF-8, at character {offset}");
        Self::malformed(message, "text", offset, "character")
    }

    /// The token is longer than any text that is read.
    pub(crate) fn too_long(max: usize) -> Self {
        let allowed = Limits::ONEDATA.text;
        let message = format_args!("the token has more than {max} characters; {allowed} are allowed");
        Self::malformed(message, "limit", allowed, "character")
    }

    /// The caller gave the name of a file in place of a token.
    pub(crate) fn file_name(name: &str) -> Self {
        let message = format!(
            "this is the name of a file, not a token; give its content on standard input: `< {name}`"
        );
        Self::malformed(&message, "text", 0, "character").with("hint", &message)
    }

    /// This part of a document of `verify --requests` cannot be read. Its content is not shown: it holds a secret.
    pub(crate) fn request(part: &str, column: usize) -> Self {
        let message = format_args!(
            "{part} is not as in {{\"token\":…,\"secret\":…,\"context\":{{…}}}}; see `onetoken help verify`"
        );
        Self::malformed(message, "json", column, "character")
    }

    /// The same, with what a verification made of each caveat.
    pub(crate) fn explained(self, caveats: Option<impl Serialize>) -> Self {
        self.with_some("caveats", caveats)
    }

    /// Another token has the name.
    pub(crate) fn name_taken() -> Self {
        Self::new(Exit::Refused, "name-taken", MintError::NameTaken)
    }

    /// The token cannot carry this caveat.
    pub(crate) fn caveat(index: usize, text: &str) -> Self {
        Self::malformed(format_args!("caveat {index}: {}", unwritable(text)), "field", 0, "character")
    }

    /// The failure for the authority's error, with the caveat of the macaroon that was refused.
    pub(crate) fn checking(error: AcceptError, macaroon: &Macaroon) -> Self {
        match error {
            AcceptError::Failed(failure) => failure.into(),
            AcceptError::Refused(Refusal::Malformed(error)) => error.into(),
            AcceptError::Refused(Refusal::Verify(error)) => Self::verifying(error, macaroon, &[]),
            AcceptError::Refused(refusal) => refusal.into(),
        }
    }

    /// The failure for the verifier's error, with the caveat of the macaroon or the discharge that was refused.
    pub(crate) fn verifying(error: VerifyError, macaroon: &Macaroon, discharges: &[Macaroon]) -> Self {
        let unmet;
        let (kind, reason) = match &error {
            // A limit on their number, not on their content. Names the first beyond it.
            VerifyError::TooManyDischarges { max } => {
                return Self::malformed(&error, "limit", 0, "character").of_discharge(*max);
            }
            VerifyError::BadSignature => ("bad-signature", None),
            VerifyError::BadDischarge { .. } => (
                "bad-signature",
                Some("made with another key, bound to another macaroon or to none, or changed"),
            ),
            VerifyError::CaveatKeyUnreadable { .. } => {
                ("bad-signature", Some("its key was not sealed under the signature before it"))
            }
            VerifyError::CaveatUnmet { why, .. } => {
                unmet = why.to_string();
                ("caveat-unmet", Some(unmet.as_str()))
            }
            VerifyError::CaveatUnsupported { .. } | VerifyError::CaveatUnenforced { .. } => {
                ("caveat-unmet", Some("unsupported"))
            }
            VerifyError::CaveatUnknown { .. } => ("caveat-unknown", Some("it is not understood")),
            VerifyError::DischargeMissing { .. } => ("discharge-missing", Some("it has no discharge")),
            VerifyError::DischargeUnused { .. } => ("discharge-unused", None),
            VerifyError::DischargeAmbiguous { .. } => ("discharge-ambiguous", None),
            VerifyError::TooDeep { .. } => ("too-deep", None),
            VerifyError::WrongType { .. } => ("wrong-type", None),
            VerifyError::WrongSession => ("wrong-session", None),
            _ => ("refused", None),
        };
        let (discharge, index) = match &error {
            VerifyError::BadDischarge { discharge }
            | VerifyError::DischargeUnused { discharge }
            | VerifyError::DischargeAmbiguous { discharge } => (Some(*discharge), None),
            VerifyError::CaveatKeyUnreadable { at }
            | VerifyError::CaveatUnmet { at, .. }
            | VerifyError::CaveatUnsupported { at }
            | VerifyError::CaveatUnenforced { at }
            | VerifyError::CaveatUnknown { at }
            | VerifyError::DischargeMissing { at } => (at.discharge, Some(at.index)),
            _ => (None, None),
        };
        let holder = discharge.map_or(Some(macaroon), |discharge| discharges.get(discharge));
        let caveat = holder.zip(index).and_then(|(holder, index)| holder.caveats().nth(index));
        let caveat = caveat.map(|caveat| match caveat {
            Caveat::FirstParty { predicate } => Excerpt::new(predicate),
            Caveat::ThirdParty { identifier, .. } => Excerpt::new(identifier),
        });
        let message =
            caveat.as_ref().map_or_else(|| error.to_string(), |caveat| format!("{error}: {caveat}"));
        Self::new(Exit::Refused, kind, message)
            .with_some("discharge", discharge)
            .with_some("index", index)
            .with_some("caveat", caveat.as_ref().map(|caveat| Bytes(caveat.text)))
            .with_some("caveatBytes", caveat.and_then(|caveat| caveat.cut_from))
            .with_some("reason", reason)
    }

    /// The same, in the discharge with this index.
    pub(crate) fn of_discharge(self, index: usize) -> Self {
        let message = format!("discharge {index}: {}", self.message);
        Self { message, ..self }.with("discharge", index)
    }

    /// The same, for a line of standard input, counted from 1.
    pub(crate) fn of_line(self, line: u64) -> Self {
        self.with("line", line)
    }

    /// The same. One of the store names the claim, under which the caller can retry the spend.
    pub(crate) fn spending(self, claim: &str) -> Self {
        if !self.more.contains("retry") {
            return self;
        }
        let message = format!("{}; retry with `--claim {claim}`, which spends no second use", self.message);
        Self { message, ..self }.with("claim", claim)
    }

    fn with(self, name: &'static str, value: impl Serialize) -> Self {
        self.with_some(name, Some(value))
    }

    fn with_some(self, name: &'static str, value: Option<impl Serialize>) -> Self {
        Self { more: self.more.with_some(name, value), ..self }
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The document of `cli.md`: `{"error":{"kind":…,"message":…, …}}`.
    pub(crate) fn document(&self) -> impl Serialize {
        BTreeMap::from([("error", self)])
    }
}

/// A refusal that no caveat causes.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::Unknown => "unknown-token",
            Refusal::Revoked => "revoked",
            Refusal::Expired { .. } => "expired",
            Refusal::Exhausted => "exhausted",
            Refusal::WrongType { .. } => "wrong-type",
            Refusal::WrongConsumer { .. } => "wrong-consumer",
            Refusal::NoLongerAllowed => "not-allowed",
            _ => "refused",
        };
        Self::new(Exit::Refused, kind, refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let retry = match error.retry() {
            Retry::Safe => "safe",
            Retry::Ask => "ask",
            Retry::Never => "never",
        };
        Self::authority(&error).with("retry", retry)
    }
}

impl From<token_api::Failure> for Failure {
    fn from(failure: token_api::Failure) -> Self {
        match failure {
            token_api::Failure::Store(error) => error.into(),
            failure => Self::authority(&failure),
        }
    }
}

impl From<RekeyError> for Failure {
    fn from(error: RekeyError) -> Self {
        match error {
            RekeyError::Store(error) => error.into(),
            error => Self::authority(&error),
        }
    }
}

impl From<KeySourceError> for Failure {
    fn from(error: KeySourceError) -> Self {
        Self::home(chain(&error))
    }
}

impl From<ThirdPartyError> for Failure {
    fn from(error: ThirdPartyError) -> Self {
        match error {
            ThirdPartyError::Field(error) => error.into(),
            error => Self::authority(&error),
        }
    }
}

impl From<MintError> for Failure {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Failed(failure) => failure.into(),
            MintError::NameTaken => Self::name_taken(),
            MintError::Format(_) | MintError::Encode(_) => Self::malformed(error, "field", 0, "byte"),
            // The host of this command refuses nothing, so the rest are mistakes of usage.
            error => Self::usage(error),
        }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::malformed(&error, error.stage(), error.offset(), error.unit())
    }
}

/// An identifier or a caveat cannot be part of a macaroon.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::malformed(error, "limit", Limits::ONEDATA.field, "byte")
    }
}

/// A field does not fit into the format.
impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        let (stage, offset) = match error {
            EncodeError::FieldTooLong { max, .. } => ("limit", max),
            _ => ("field", 0),
        };
        Self::malformed(error, stage, offset, "byte")
    }
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
        assert_eq!(
            document(&Failure::from(token_api::Failure::Random).spending("mine"))["claim"],
            Value::Null
        );
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
