//! The one error of all verbs.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::fmt;

use serde::{Serialize, Serializer};
use token_core::{Bytes, Inspection, Predicate, UnixTime};

/// The list of all codes as a JSON document: for each its `code`, its `number`, what it `means`, whether a `retry` of the
/// same call may succeed, and the members that its `detail` can have. Constants of other languages are checked against it.
pub const ERRORS_JSON: &str = include_str!("../errors.json");

macro_rules! codes {
    ($($variant:ident = $number:literal $code:literal,)+) => {
        /// What went wrong. The words and numbers are those of [`ERRORS_JSON`] and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`, ", $number)] $variant,)+
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$variant),+];

            /// Returns the word: an atom in Erlang, a string elsewhere.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Returns the number: the status in C, where 0 is success.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }
        }
    };
}

codes! {
    BadToken = 1 "bad_token",
    TokenTooLarge = 2 "token_too_large",
    TokenInvalid = 3 "token_invalid",
    TokenRevoked = 4 "token_revoked",
    TokenCaveatUnknown = 5 "token_caveat_unknown",
    TokenCaveatUnverified = 6 "token_caveat_unverified",
    TokenSubjectInvalid = 7 "token_subject_invalid",
    TokenSessionInvalid = 8 "token_session_invalid",
    TokenServiceForbidden = 9 "token_service_forbidden",
    NotAnAccessToken = 10 "not_an_access_token",
    NotAnIdentityToken = 11 "not_an_identity_token",
    NotAnInviteToken = 12 "not_an_invite_token",
    InviteTokenUsageLimitExceeded = 13 "invite_token_usage_limit_exceeded",
    InviteTokenConsumerInvalid = 14 "invite_token_consumer_invalid",
    InviteTokenTargetIdInvalid = 15 "invite_token_target_id_invalid",
    InviteTokenSubjectNotAuthorized = 16 "invite_token_subject_not_authorized",
    StoreUnavailable = 32 "store_unavailable",
    StoreUnknown = 33 "store_unknown",
    StoreCorrupt = 34 "store_corrupt",
    InvalidArgument = 48 "invalid_argument",
    Panic = 99 "panic",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a verb has no answer. Serializes to `{"code":…,"detail":{…}}`.
///
/// Never shows a token, a secret or a signature. A caveat is shown, and what could be read of a damaged token.
#[derive(Debug, Serialize, thiserror::Error)]
#[serde(transparent)]
#[error("{}{}", .0.code, .0.detail.reason.as_deref().map(|reason| alloc::format!(": {reason}")).unwrap_or_default())]
pub struct Error(Box<Inner>);

#[derive(Debug, Serialize)]
struct Inner {
    code: Code,
    detail: Detail,
}

/// What else is known of an error. Serializes to an object with the members that are known.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Detail {
    /// The step of decoding that found the damage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
    /// Where the damage is, from 0, in units of `unit`; of an identifier in a request, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// The unit of `offset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// The greatest allowed length in bytes, or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The name of a member of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Cow<'static, str>>,
    /// The index of a discharge, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discharge: Option<usize>,
    /// The index of a caveat, or of an item of `member`, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// A caveat, as its document if it is understood.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "caveat")]
    pub caveat: Option<Vec<u8>>,
    /// Why: one word where a program would distinguish the reasons, else a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// What probably happened to a damaged token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<&'static str>,
    /// What was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<&'static str>,
    /// Whether the same call may succeed later by itself. If not, its cause has to be fixed or the store opened again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<bool>,
    /// The line of a JSON request, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column of a JSON request, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What was read of a damaged token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
}

/// What was read of a damaged token before the damage. Serializes as an inspection.
#[derive(Debug)]
pub struct Partial {
    pub(crate) inspection: Box<Inspection>,
    pub(crate) now: Option<UnixTime>,
}

impl Serialize for Partial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inspection.report(self.now).serialize(serializer)
    }
}

fn caveat<S: Serializer>(caveat: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = caveat.as_deref().unwrap_or_default();
    match Predicate::read(bytes) {
        Some(predicate) => predicate.serialize(serializer),
        None => Bytes(bytes).serialize(serializer),
    }
}

impl Error {
    /// An error without detail.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner { code, detail: Detail::default() }))
    }

    /// An error that a shell found in the request, about this member of it.
    #[must_use]
    pub fn argument(member: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidArgument).with(|detail| {
            detail.member = Some(member.into());
            detail.reason = Some(reason.into());
        })
    }

    pub(crate) fn because(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code).with(|detail| detail.reason = Some(reason.into()))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Detail)) -> Self {
        change(&mut self.0.detail);
        self
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns what else is known.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        &self.0.detail
    }

    /// Returns the document as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| br#"{"code":"panic","detail":{}}"#.to_vec())
    }
}
