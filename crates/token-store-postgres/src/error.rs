//! Classifies the errors of the server and the driver.

use std::{error::Error as _, io, sync::Arc};

use tokio_postgres::error::{Severity, SqlState};

use token_store::StoreError;

/// Why a statement failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nothing happened; a retry on this connection may succeed.
    Again(Arc<io::Error>),
    /// Nothing happened; a retry on another connection may succeed.
    Elsewhere(StoreError),
    /// Nothing happened; the server refused the statement.
    Refused(StoreError),
    /// The connection is lost, or the server does not know the outcome: the statement may have taken effect.
    Doubt(Arc<io::Error>),
}

impl Failure {
    /// Turns doubt into a safe retry, for what changes nothing if it is repeated.
    pub(crate) fn of_nothing(self, place: &str) -> Self {
        match self {
            Self::Doubt(cause) => Self::Elsewhere(unreachable(place, cause)),
            failure => failure,
        }
    }

    /// The error that the caller gets: [`StoreError::Unknown`] for doubt, [`StoreError::Io`] for [`Self::Again`].
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Again(cause) => StoreError::Io(cause),
            Self::Elsewhere(error) | Self::Refused(error) => error,
            Self::Doubt(cause) => StoreError::Unknown(Some(cause)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// Makes text of a server safe to print: one line, without control characters, and of limited length.
pub(crate) fn shown(text: &str) -> String {
    /// In characters. PostgreSQL's own messages are shorter.
    const LONGEST: usize = 400;
    let mut shown = String::new();
    for one in text.chars().take(LONGEST) {
        match one {
            '"' | '\'' | '\\' => shown.push(one),
            _ => shown.extend(one.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str(" ...");
    }
    shown
}

/// The source of an error, as text that holds no parameter of a statement and no stored value.
pub(crate) fn cause(error: &tokio_postgres::Error) -> Arc<io::Error> {
    let source = error.source();
    let kind = source.and_then(|source| source.downcast_ref()).map_or(io::ErrorKind::Other, io::Error::kind);
    let text = match (error.as_db_error(), source) {
        // Not the details, which quote stored values.
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    };
    Arc::new(io::Error::new(kind, shown(&text)))
}

/// The error of a server that did not answer in time: `Unreachable`.
pub(crate) fn no_answer(place: &str, what: &'static str) -> StoreError {
    unreachable(place, timed_out(what))
}

/// The cause of a wait for the server that took too long.
pub(crate) fn timed_out(what: &'static str) -> Arc<io::Error> {
    Arc::new(io::Error::new(io::ErrorKind::TimedOut, what))
}

/// Classifies the failure of a statement that was sent, by the code that the server gives. Without a code it is in
/// doubt.
pub(crate) fn of_statement(error: &tokio_postgres::Error, place: &str) -> Failure {
    let Some(said) = error.as_db_error() else { return Failure::Doubt(cause(error)) };
    // idle_session_timeout: the server closed the connection before it received the statement.
    if said.code().code() == "57P05" {
        return Failure::Elsewhere(unreachable(place, cause(error)));
    }
    // The connection ends, and the server does not say whether before or after the commit.
    if matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
        return Failure::Doubt(cause(error));
    }
    match said.code().code().as_bytes() {
        // Serialization failure, deadlock, a lock that others hold.
        b"40001" | b"40P01" | b"55P03" => Failure::Again(cause(error)),
        // Another took a name after the snapshot of the statement.
        b"23505" if said.constraint() == Some("tokens_name") => Failure::Again(cause(error)),
        // Statement completion unknown; connection exceptions; the server shuts down or has crashed.
        b"40003" | b"57P01" | b"57P02" | [b'0', b'8', ..] => Failure::Doubt(cause(error)),
        // Read-only: it is no longer the primary.
        b"25006" => Failure::Elsewhere(StoreError::ReadOnly),
        // A setting or prepared statement of this session is missing, or another session's exists: a pooler shares
        // the connection.
        b"42704" | b"26000" | b"42P05" => Failure::Refused(StoreError::Pooled { place: place.to_owned() }),
        // The plan predates a change of the tables: a new connection makes a new plan.
        b"0A000" => Failure::Elsewhere(StoreError::Io(cause(error))),
        b"53100" => Failure::Refused(StoreError::Full),
        b"42P01" | b"3F000" => Failure::Refused(StoreError::NotFound { path: place.into() }),
        b"42501" => Failure::Refused(denied(error, place)),
        b"XX001" | b"XX002" => Failure::Refused(StoreError::Corrupt { what: "the server says so" }),
        _ => Failure::Refused(StoreError::Io(cause(error))),
    }
}

/// Classifies the failure of a connection attempt.
pub(crate) fn of_connecting(error: &tokio_postgres::Error, place: &str) -> Failure {
    match error.code() {
        // No such database.
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            Failure::Refused(StoreError::NotFound { path: place.into() })
        }
        // Wrong password, no such user, no entry in pg_hba.conf, no right to connect.
        Some(code) if code.code().starts_with("28") || *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            Failure::Refused(denied(error, place))
        }
        // The driver's own errors: no password is given, or the server does not prove that it knows it.
        None if ["authentication error", "invalid configuration"].contains(&error.to_string().as_str()) => {
            Failure::Refused(denied(error, place))
        }
        _ => Failure::Elsewhere(unreachable(place, cause(error))),
    }
}

/// Nothing happened, because no connection to the server works.
pub(crate) fn unreachable(place: &str, source: Arc<io::Error>) -> StoreError {
    StoreError::Unreachable { place: place.to_owned(), source }
}

fn denied(error: &tokio_postgres::Error, place: &str) -> StoreError {
    StoreError::Denied { place: place.to_owned(), source: cause(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_shown_on_one_line_and_not_endless() {
        let said = "role \"a\u{1b}[31mb\nc\u{9b}\u{202e}d\" isn't";
        assert_eq!(shown(said), r#"role "a\u{1b}[31mb\nc\u{9b}\u{202e}d" isn't"#);
        assert!(shown(&"\u{1b}".repeat(1 << 20)).len() < 4_000);
    }
}
