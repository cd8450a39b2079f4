//! A place in a listing.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use token_core::UnixTime;

pub(crate) const NO_CURSOR: &str =
    "not a cursor of this listing; give --after the cursor of the previous page, and the same filters";

/// The end of a page, and the time of the listing's first page: all pages judge expiry at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(crate) now: UnixTime,
    pub(crate) after: token_store::Cursor,
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = || {
            let (now, after) = text.split_once('-')?;
            let now = UnixTime::from_secs(now.parse().ok()?);
            Some(Self { now, after: URL_SAFE_NO_PAD.decode(after).ok()?.into() })
        };
        read().ok_or(NO_CURSOR)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.now.as_secs(), URL_SAFE_NO_PAD.encode(self.after.as_bytes()))
    }
}
