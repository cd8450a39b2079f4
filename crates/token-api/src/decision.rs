//! What only the host can decide about a token.

use token_core::{Purpose, Service, Subject};
use token_store::Entity;

/// A question that only the host can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question<'a> {
    /// Does the subject exist, is it not blocked, and is the service allowed for it? If not:
    /// [`Decision::SubjectGone`], [`Decision::SubjectBlocked`] or [`Decision::ServiceForbidden`].
    Subject {
        /// The subject that the token acts for, or that invites.
        subject: Subject<&'a str>,
        /// The service that an access token is used at; `None` for other tokens and proofs of identity.
        service: Option<Service<&'a str>>,
    },
    /// Does the resource exist, and may the issuer still issue such a token about it ([`Purpose::privilege`])? If not:
    /// [`Decision::ResourceGone`] or [`Decision::NoLongerAllowed`]. A call that does not spend the token need not ask.
    Grant {
        /// The issuer.
        issuer: Subject<&'a str>,
        /// The purpose of the token.
        purpose: Purpose,
        /// The resource that the token is about.
        resource: &'a Entity,
    },
}

/// What the host decides about a token. A call that needs a decision takes one, so it cannot be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// The answer to every question is yes.
    Allowed,
    /// The resource does not exist.
    ResourceGone,
    /// The issuer lacks the privilege.
    NoLongerAllowed,
    /// The subject does not exist.
    SubjectGone,
    /// The subject is blocked.
    SubjectBlocked,
    /// The service is not allowed for the subject.
    ServiceForbidden,
}
