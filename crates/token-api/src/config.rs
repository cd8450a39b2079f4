//! The configuration of an authority.

use std::time::Duration;

use token_core::{Limits, UnixTime};

/// How long a token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// For this long from now on, rounded down to a whole second. Ends at [`UnixTime::MAX`] at the latest.
    For(Duration),
    /// Until this time.
    Until(UnixTime),
    /// Until it is revoked or spent. The store keeps its record for ever.
    Forever,
}

impl Lifetime {
    pub(crate) fn expiry(self, now: UnixTime) -> Option<UnixTime> {
        match self {
            Self::For(duration) => Some(now.plus_secs(duration.as_secs())),
            Self::Until(time) => Some(time),
            Self::Forever => None,
        }
    }
}

/// Which generation of Onedata a token is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Before 20.02, and what the two documented endpoints return: an opaque id and the caveat `tokenType = …`.
    #[default]
    Legacy,
    /// Since 20.02: a version-2 identifier.
    Modern,
}

/// How a client learns that a resource does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// A client that [`Host::may_see`](crate::Host::may_see) the resource gets 404. Every other client gets 403, as it
    /// would without the privilege for an existing resource: a client cannot probe for ids.
    #[default]
    Hidden,
    /// Every authenticated client gets 404 for an absent resource, and 403 without the privilege: it can find out
    /// which ids exist. Onezone has answered so since 17.06.
    Told,
}

/// The configuration of an authority. Start from the default and change the fields that differ.
#[derive(Clone, Debug)]
pub struct Config {
    /// The location of tokens in the legacy dialect. Onezone has written `onezone` since 3.0.0-rc12.
    pub location: String,
    /// The location of tokens in the modern dialect: the domain of the Onezone.
    pub domain: String,
    /// The dialect of space support tokens. Every other token has one dialect only.
    pub dialect: Dialect,
    /// The lifetime of tokens whose request names none. Default: seven days.
    pub lifetime: Lifetime,
    /// The longest lifetime of a temporary token. Default: 30 days, as in Onezone (2,592,000 seconds).
    pub max_temporary_lifetime: Duration,
    /// The limits of decoding; a token beyond them is refused.
    pub limits: Limits,
    /// How a client learns that a resource does not exist.
    pub absence: Absence,
    /// Whether the id of a new stored token begins with the time. Default: yes. Embedded stores write tokens faster if
    /// their ids follow one another. An id then tells every reader when its token was minted, to the millisecond by the
    /// system's clock. Without this, an id is random and tells nothing. Both kinds have 43 characters.
    pub timed_ids: bool,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            location: "onezone".to_owned(),
            domain: "onezone.example.com".to_owned(),
            dialect: Dialect::Legacy,
            lifetime: Lifetime::For(DAY.saturating_mul(7)),
            max_temporary_lifetime: DAY.saturating_mul(30),
            limits: Limits::default(),
            absence: Absence::Hidden,
            timed_ids: true,
        }
    }
}
