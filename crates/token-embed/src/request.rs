//! A verb by its name: the request is read, answered and written in three steps, so that a shell can release what it
//! holds during the second.

use alloc::{
    borrow::Cow,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use serde::{Deserializer, Serialize};

#[cfg(feature = "keys")]
use crate::seal::{Open, Opened, Seal, Sealed};
use crate::{
    error::{Code, Error},
    pure::{
        Bind, Caveat, CaveatRead, Confine, Inspect, Inspected, Mint, Needed, Needs, Preflight, Preflighted,
        Verified, Verify, Version, Versions, Written,
    },
    text::object,
};

/// The longest request that is read, in bytes. It has room for a token of the greatest length, 1 MiB, for its discharges
/// and for the groups of its consumer.
pub const MAX_REQUEST: usize = 4 << 20;

macro_rules! verbs {
    ($($(#[$when:meta])* $name:literal $verb:ident $request:ty => $answer:ty,)+) => {
        /// The names of the verbs.
        pub const VERBS: &[&str] = &[$($(#[$when])* $name),+];

        /// The request of a verb, as read.
        #[non_exhaustive]
        pub enum Request<'a> {
            $($(#[$when])* #[doc = concat!("`", $name, "`")] $verb($request),)+
        }

        /// The answer of a verb. Serializes to its document.
        #[derive(Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Answer {
            $($(#[$when])* #[doc = concat!("`", $name, "`")] $verb($answer),)+
        }

        impl<'a> Request<'a> {
            /// Reads the request of a verb from any form that serde has a deserializer for. Borrows texts from it where
            /// they stand there as such.
            ///
            /// # Errors
            /// [`Code::InvalidArgument`]; the error shows no value of the request.
            pub fn read<D: Deserializer<'a>>(verb: &str, from: D) -> Result<Self, Error> {
                match verb {
                    $($(#[$when])* $name => object(from).map(Self::$verb),)+
                    _ => return Err(Error::argument("verb", "there is no such verb")),
                }
                .map_err(|error| unreadable(&error))
            }

            /// Answers the request.
            ///
            /// # Errors
            /// [`Error`]
            pub fn answer(&self) -> Result<Answer, Error> {
                match self {
                    $($(#[$when])* Self::$verb(request) => Ok(Answer::$verb(request.answer()?)),)+
                }
            }
        }
    };
}

verbs! {
    "inspect" Inspect Inspect<'a> => Inspected,
    "confine" Confine Confine<'a> => Written,
    "caveat" Caveat Caveat<'a> => CaveatRead,
    "needs" Needs Needs<'a> => Needed,
    "preflight" Preflight Preflight<'a> => Preflighted,
    "mint" Mint Mint<'a> => Written,
    "verify" Verify Verify<'a> => Verified,
    "bind" Bind Bind<'a> => Written,
    #[cfg(feature = "keys")]
    "seal" Seal Seal<'a> => Sealed,
    #[cfg(feature = "keys")]
    "open" Open Open<'a> => Opened,
    "version" Version Version => Versions,
}

/// Answers a request in JSON. Both documents, the answer and the error, are JSON.
///
/// ```
/// let answer = token_embed::call("caveat", br#"{"text":"time < 1496140144"}"#).unwrap();
/// assert_eq!(answer, br#"{"text":"time < 1496140144","caveat":{"type":"time","validUntil":1496140144}}"#);
///
/// let error = token_embed::call("needs", br#"{"token":"MDAx"}"#).unwrap_err();
/// assert!(error.starts_with(br#"{"code":"bad_token","detail":{"stage":"packet","offset":"#));
/// ```
///
/// # Errors
/// The document of an [`Error`]. [`answer_json`] returns the error itself.
pub fn call(verb: &str, request: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    answer_json(verb, request).map_err(|error| error.to_json())
}

/// Answers a request in JSON, as [`call`] does.
///
/// # Errors
/// [`Error`]
pub fn answer_json(verb: &str, request: &[u8]) -> Result<Vec<u8>, Error> {
    to_json(&from_json(request, |json| Request::read(verb, json))?.answer()?)
}

/// Reads a request in JSON.
pub(crate) fn from_json<'a, T>(
    request: &'a [u8],
    read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::SliceRead<'a>>) -> Result<T, Error>,
) -> Result<T, Error> {
    if request.len() > MAX_REQUEST {
        return Err(Error::because(Code::TokenTooLarge, "the request")
            .with(|detail| detail.limit = Some(MAX_REQUEST)));
    }
    let mut json = serde_json::Deserializer::from_slice(request);
    let read = read(&mut json)?;
    json.end().map_err(|error| unreadable(&error))?;
    Ok(read)
}

pub(crate) fn to_json(answer: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(answer).map_err(|_| Error::new(Code::Panic))
}

/// The error for a request that is not as it should be. Messages of deserializers quote what they found, which may be a
/// secret or a token in the wrong place. So this keeps only the parts that no request decides: the name of a known
/// member, what was expected, and the place in JSON.
pub(crate) fn unreadable(error: &impl fmt::Display) -> Error {
    let message = error.to_string();
    let (message, place) = cut_place(&message);
    let quoted = |head: &str| message.strip_prefix(head)?.split_once('`').map(|(name, _)| name.to_string());
    let (member, reason): (String, Cow<'static, str>) = if let Some(name) = quoted("missing field `") {
        (name, "it is missing".into())
    } else if let Some(name) = quoted("duplicate field `") {
        (name, "it is there twice".into())
    } else if let Some(name) = quoted("unknown field `") {
        (name, "there is no such member".into())
    } else if let Some((_, expected)) = message.rsplit_once(", expected ") {
        (String::new(), alloc::format!("the request should have {expected} here").into())
    } else {
        (
            String::new(),
            if place.is_some() { "the request is not JSON" } else { "the request cannot be read" }.into(),
        )
    };
    Error::because(Code::InvalidArgument, reason).with(|detail| {
        detail.member = is_name(&member).then_some(Cow::Owned(member));
        (detail.line, detail.column) = place.unzip();
    })
}

/// Whether this may be the misspelled name of a member, and no value.
fn is_name(name: &str) -> bool {
    (1..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// Cuts ` at line 1 column 2` off the message of a reader of JSON.
fn cut_place(message: &str) -> (&str, Option<(usize, usize)>) {
    let place = || {
        let (head, place) = message.rsplit_once(" at line ")?;
        let (line, column) = place.split_once(" column ")?;
        Some((head, (line.parse().ok()?, column.parse().ok()?)))
    };
    place().map_or((message, None), |(head, place)| (head, Some(place)))
}
