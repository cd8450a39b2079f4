//! The two documented endpoints as function calls (`GET /groups/{id}/spaces/token`,
//! `GET /spaces/{id}/providers/token`).
//!
//! The API documents 403 for a client that lacks the privilege and 404 for a resource that does not exist. To tell
//! every client the two apart would let a stranger find out which ids exist, so by default
//! ([`Absence::Hidden`](crate::Absence::Hidden)) 404 is for clients that may see the resource
//! ([`Host::may_see`]), and every other client gets the same 403 in both cases. With
//! [`Absence::Told`](crate::Absence::Told) every authenticated client gets 404 for what does not exist.

use std::fmt;

use serde::Serialize;
use token_core::Subject;
use token_store::{Entity, InvalidId, StoreError, TokenStore};

use crate::{
    Authority, CheckError, Failure, Grant, Host, MintError, MintRequest,
    authority::{entity, subject},
    error::report,
};

/// Who calls an endpoint, as the server found out from the request's credentials. It is owned, so that it can go from
/// one thread to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// There were no credentials, or bad ones.
    Unauthenticated,
    /// The credentials are those of this user or provider.
    Authenticated(Entity),
}

impl Client {
    /// The credentials are those of this user.
    #[must_use]
    pub fn user(id: impl Into<String>) -> Self {
        Self::Authenticated(Entity::user(id))
    }

    /// The credentials are those of this provider.
    #[must_use]
    pub fn provider(id: impl Into<String>) -> Self {
        Self::Authenticated(Entity::provider(id))
    }
}

/// The credentials are those of this subject.
impl From<Subject<'_>> for Client {
    fn from(subject: Subject<'_>) -> Self {
        Self::Authenticated(entity(subject))
    }
}

/// The body of `GET /groups/{id}/spaces/token`: `{"token":"…"}`. It must not be cached
/// (`Cache-Control: no-store`).
#[derive(Clone, Serialize)]
pub struct SpaceInviteToken {
    /// The token's text.
    pub token: String,
}

/// The body of `GET /spaces/{id}/providers/token`: `{"token":"…"}`. It must not be cached
/// (`Cache-Control: no-store`).
#[derive(Clone, Serialize)]
pub struct SpaceSupportToken {
    /// The token's text.
    pub token: String,
}

/// Does not show the token.
impl fmt::Debug for SpaceInviteToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpaceInviteToken").finish_non_exhaustive()
    }
}

/// Does not show the token.
impl fmt::Debug for SpaceSupportToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpaceSupportToken").finish_non_exhaustive()
    }
}

/// An answer other than 200: a status and, serialized, the documented body
/// `{"error":"…","error_description":"…"}`. It never says more than it may; the cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{status} {error}: {error_description}")]
pub struct ApiError {
    #[serde(skip)]
    status: u16,
    error: &'static str,
    error_description: &'static str,
}

impl ApiError {
    /// 400: an id in the request is not an id.
    pub const INVALID_REQUEST: Self = Self {
        status: 400,
        error: "invalid_request",
        error_description: "The id in the request is not an id.",
    };
    /// 400: the one answer for every token that is not accepted, whatever the reason.
    pub const REFUSED: Self = Self { status: 400, ..Self::UNAUTHENTICATED };
    /// 401: there are no credentials, or bad ones.
    pub const UNAUTHENTICATED: Self = Self {
        status: 401,
        error: "invalid_token",
        error_description: "Provided token could not be validated.",
    };
    /// 403: the client lacks the privilege, or may not know whether there is such a resource.
    pub const FORBIDDEN: Self = Self {
        status: 403,
        error: "insufficient_privileges",
        error_description: "The client lacks the privilege for this operation.",
    };
    /// 404: there is no such group or space, for a client that may know.
    pub const NOT_FOUND: Self =
        Self { status: 404, error: "not_found", error_description: "There is no such group or space." };
    /// 500: the server could not answer.
    pub const SERVER_ERROR: Self = Self {
        status: 500,
        error: "server_error",
        error_description: "The server could not answer. Try again later.",
    };

    /// The status code of HTTP.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The documented short name.
    #[must_use]
    pub const fn error(&self) -> &'static str {
        self.error
    }

    /// The text for a person.
    #[must_use]
    pub const fn error_description(&self) -> &'static str {
        self.error_description
    }
}

impl From<MintError> for ApiError {
    fn from(error: MintError) -> Self {
        match error {
            MintError::InvalidId => Self::INVALID_REQUEST,
            MintError::NoSuchResource => Self::NOT_FOUND,
            MintError::NotAllowed => Self::FORBIDDEN,
            // The server that authenticated such a client is at fault, not the client.
            MintError::InvalidIssuer
            | MintError::InvalidName { .. }
            | MintError::TooLarge
            | MintError::TemporaryUnlimited
            | MintError::UnsupportedCaveat { .. }
            | MintError::ExpiryRequired { .. }
            | MintError::NotTemporary
            | MintError::Format(_)
            | MintError::Encode(_)
            | MintError::Failed(_) => Self::SERVER_ERROR,
        }
    }
}

/// The cause is for the log.
impl From<StoreError> for ApiError {
    fn from(_: StoreError) -> Self {
        Self::SERVER_ERROR
    }
}

/// The cause is for the log.
impl From<Failure> for ApiError {
    fn from(_: Failure) -> Self {
        Self::SERVER_ERROR
    }
}

/// An id that a client sent, such as the name of a claim, is none.
impl From<InvalidId> for ApiError {
    fn from(_: InvalidId) -> Self {
        Self::INVALID_REQUEST
    }
}

/// A token that is refused gets one answer, whatever the reason.
impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Refused(_) => Self::REFUSED,
            CheckError::Failed(_) => Self::SERVER_ERROR,
        }
    }
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// `GET /groups/{id}/spaces/token`: a token with which a provider can create a space for the group and
    /// support it. The client needs `group_create_space_token` in the group.
    ///
    /// # Errors
    /// [`ApiError`] with the documented status 400, 401, 403, 404 or 500. By default, 404 is for clients that may see
    /// the group ([`Absence`](crate::Absence)).
    pub fn create_group_spaces_token(
        &self,
        client: &Client,
        group_id: &str,
    ) -> Result<SpaceInviteToken, ApiError> {
        let token = self.answer(client, Grant::GroupSpaces { group: group_id })?;
        Ok(SpaceInviteToken { token })
    }

    /// `GET /spaces/{id}/providers/token`: a token with which a provider can support the space. The client needs
    /// `space_add_provider` in the space.
    ///
    /// # Errors
    /// [`ApiError`] with the documented status 400, 401, 403, 404 or 500. By default, 404 is for clients that may see
    /// the space ([`Absence`](crate::Absence)).
    pub fn get_space_provider_token(
        &self,
        client: &Client,
        space_id: &str,
    ) -> Result<SpaceSupportToken, ApiError> {
        let token = self.answer(client, Grant::SpaceSupport { space: space_id, dialect: None })?;
        Ok(SpaceSupportToken { token })
    }

    fn answer(&self, client: &Client, grant: Grant<'_>) -> Result<String, ApiError> {
        let Client::Authenticated(client) = client else { return Err(ApiError::UNAUTHENTICATED) };
        // Nobody is no client either: minting says so.
        let issuer = subject(client).unwrap_or(Subject::Nobody);
        match self.mint(&MintRequest::new(grant, issuer)) {
            Ok(minted) => Ok(minted.token),
            Err(error) => {
                match &error {
                    MintError::Failed(_) => tracing::error!(%issuer, reason = report(&error), "not minted"),
                    _ => tracing::warn!(%issuer, reason = report(&error), "not minted"),
                }
                Err(error.into())
            }
        }
    }
}
