//! Requests and answers in JSON, and what is wrong with a request that cannot be read.

use alloc::{
    borrow::Cow,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use serde::Serialize;

use crate::error::{Code, Error};

/// The longest request that is read, in bytes. It has room for a token of the greatest length, 1 MiB, for its discharges
/// and for the groups of its consumer.
pub const MAX_REQUEST: usize = 4 << 20;

impl Error {
    /// The error for a request of more than [`MAX_REQUEST`] bytes.
    #[must_use]
    pub fn request_too_large() -> Self {
        Self::because(Code::TokenTooLarge, "the request").with(|detail| detail.limit = Some(MAX_REQUEST))
    }
}

/// Reads a request in JSON.
pub(crate) fn from_json<'a, T>(
    request: &'a [u8],
    read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::SliceRead<'a>>) -> Result<T, Error>,
) -> Result<T, Error> {
    if request.len() > MAX_REQUEST {
        return Err(Error::request_too_large());
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
        // In place of the members of bytes there may be a secret.
        let is_in_bytes = message.ends_with(", expected `hex` or `base64url`");
        (if is_in_bytes { String::new() } else { name }, "there is no such member".into())
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
