//! A place in a listing.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use token_core::UnixTime;

use crate::error::UsageError;

/// The end of a page, and the time of the listing's first page: all pages judge expiry at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(crate) now: UnixTime,
    pub(crate) after: token_store::Cursor,
}

impl FromStr for Cursor {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        let (now, after) = text.split_once('-').ok_or(UsageError::Cursor)?;
        let now = now.parse().map_err(|_| UsageError::Cursor)?;
        let after = URL_SAFE_NO_PAD.decode(after).map_err(|_| UsageError::Cursor)?;
        Ok(Self { now: UnixTime::from_secs(now), after: after.into() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.now.as_secs(), URL_SAFE_NO_PAD.encode(self.after.as_bytes()))
    }
}
