//! The two documented endpoints as function calls (`GET /groups/{id}/spaces/token`,
//! `GET /spaces/{id}/providers/token`).
//!
//! The API documents 403 for a client that lacks the privilege, and 404 for a resource that does not exist. If every
//! client got both, a stranger could find out which ids exist. So by default
//! ([`Absence::Hidden`](crate::Absence::Hidden)) only clients that may see the resource ([`Host::may_see`]) get 404,
//! and every other client gets 403 in both cases. With [`Absence::Told`](crate::Absence::Told), every authenticated
//! client gets 404 for an absent resource.

use std::fmt;

use serde::Serialize;
use token_core::Subject;
use token_store::{InvalidId, TokenStore};

use crate::{AcceptError, Authority, Failure, Host, MintError, MintRequest, error::report};

/// The body of `GET /groups/{id}/spaces/token`: `{"token":"…"}`. Send it with `Cache-Control: no-store`.
#[derive(Clone, Serialize)]
pub struct SpaceInviteToken {
    /// The token's text.
    pub token: String,
}

/// The body of `GET /spaces/{id}/providers/token`: `{"token":"…"}`. Send it with `Cache-Control: no-store`.
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

/// An answer other than 200: a status, and the documented body `{"error":"…","error_description":"…"}` when
/// serialized. Does not reveal the cause; that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{status} {error}: {error_description}")]
pub struct ApiError {
    #[serde(skip)]
    status: u16,
    error: &'static str,
    error_description: &'static str,
}

impl ApiError {
    /// 400: an id in the request is invalid.
    pub const INVALID_REQUEST: Self = Self {
        status: 400,
        error: "invalid_request",
        error_description: "The id in the request is not an id.",
    };
    /// 400: the one answer for every refused token, for any reason.
    pub const REFUSED: Self = Self { status: 400, ..Self::UNAUTHENTICATED };
    /// 401: the request has no credentials, or invalid ones.
    pub const UNAUTHENTICATED: Self = Self {
        status: 401,
        error: "invalid_token",
        error_description: "Provided token could not be validated.",
    };
    /// 403: the client lacks the privilege, or may not learn whether the resource exists.
    pub const FORBIDDEN: Self = Self {
        status: 403,
        error: "insufficient_privileges",
        error_description: "The client lacks the privilege for this operation.",
    };
    /// 404: the group or space does not exist, and the client may learn that.
    pub const NOT_FOUND: Self =
        Self { status: 404, error: "not_found", error_description: "There is no such group or space." };
    /// 500: the server could not answer.
    pub const SERVER_ERROR: Self = Self {
        status: 500,
        error: "server_error",
        error_description: "The server could not answer. Try again later.",
    };

    /// Returns the HTTP status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the documented short name.
    #[must_use]
    pub const fn error(&self) -> &'static str {
        self.error
    }

    /// Returns the description for people.
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
            // The client chose none of these: the server that authenticated it is at fault.
            MintError::InvalidIssuer
            | MintError::InvalidName { .. }
            | MintError::TooLong { .. }
            | MintError::NameTaken
            | MintError::IdTaken
            | MintError::NotImportable
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

/// Omits the cause, which is for the log.
impl From<Failure> for ApiError {
    fn from(_: Failure) -> Self {
        Self::SERVER_ERROR
    }
}

/// An id that the client sent, such as that of a claim, is invalid.
impl From<InvalidId> for ApiError {
    fn from(_: InvalidId) -> Self {
        Self::INVALID_REQUEST
    }
}

/// A refused token gets one answer, for any reason.
impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Refused(_) => Self::REFUSED,
            AcceptError::Failed(_) => Self::SERVER_ERROR,
        }
    }
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Mints a token with which a provider can create a space for the group and support it:
    /// `GET /groups/{id}/spaces/token`. The client is the authenticated user or provider; `None`: its credentials are
    /// missing or invalid. It needs `group_create_space_token` in the group.
    ///
    /// # Errors
    /// [`ApiError`] with the documented status 400, 401, 403, 404 or 500. By default, only clients that may see the
    /// group get 404 ([`Absence`](crate::Absence)).
    pub fn create_group_spaces_token(
        &self,
        client: Option<Subject<&str>>,
        group_id: &str,
    ) -> Result<SpaceInviteToken, ApiError> {
        let issuer = client.ok_or(ApiError::UNAUTHENTICATED)?;
        let token = self.answer(&MintRequest::group_spaces(group_id, issuer))?;
        Ok(SpaceInviteToken { token })
    }

    /// Mints a token with which a provider can support the space: `GET /spaces/{id}/providers/token`. The client is
    /// the authenticated user or provider; `None`: its credentials are missing or invalid. It needs
    /// `space_add_provider` in the space.
    ///
    /// # Errors
    /// [`ApiError`] with the documented status 400, 401, 403, 404 or 500. By default, only clients that may see the
    /// space get 404 ([`Absence`](crate::Absence)).
    pub fn get_space_provider_token(
        &self,
        client: Option<Subject<&str>>,
        space_id: &str,
    ) -> Result<SpaceSupportToken, ApiError> {
        let issuer = client.ok_or(ApiError::UNAUTHENTICATED)?;
        let token = self.answer(&MintRequest::space_support(space_id, issuer))?;
        Ok(SpaceSupportToken { token })
    }

    fn answer(&self, request: &MintRequest<'_>) -> Result<String, ApiError> {
        let minted = self.mint(request).inspect_err(|error| {
            let (issuer, reason) = (request.issuer, report(error));
            match error {
                MintError::Failed(_) => tracing::error!(%issuer, reason, "not minted"),
                _ => tracing::warn!(%issuer, reason, "not minted"),
            }
        });
        Ok(minted?.token)
    }
}
