//! The knowledge that only the embedding program has.

use std::{error::Error, ops::Deref, sync::Arc};

use token_core::{Purpose, Service, Subject};
use token_store::Entity;

use crate::{Decision, Question};

/// The embedding program's knowledge of its groups, spaces and users, and of who may do what.
///
/// The authority asks the host when it mints, and again when a token is spent, since the issuer may have lost the
/// privilege in between. This crate has no implementation, so a program cannot allow everything by accident. `Arc`,
/// `Box` and references to a host are hosts.
///
/// A program that cannot be called back has an `Authority<S>` without a host. It calls [`Authority::prepare`] and gives
/// its [`Decision`] to the second step.
///
/// [`Authority::prepare`]: crate::Authority::prepare
pub trait Host: Send + Sync {
    /// Whether the resource exists.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; no token is then minted or spent.
    fn exists(&self, resource: &Entity) -> Result<bool, HostError>;

    /// Whether the subject may issue tokens for this purpose about the resource: it needs the privilege
    /// [`Purpose::privilege`] there.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; no token is then minted or spent.
    fn may(&self, subject: Subject<&str>, purpose: Purpose, resource: &Entity) -> Result<bool, HostError>;

    /// Whether the subject may learn that a resource does not exist. The authority asks only about absent resources,
    /// and not with [`Absence::Told`](crate::Absence::Told).
    ///
    /// The default is `false`: the client gets the same answer as without the privilege. Return `true` for subjects
    /// that see every resource, such as administrators.
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; no token is then minted or spent.
    fn may_see(&self, subject: Subject<&str>, resource: &Entity) -> Result<bool, HostError> {
        let _ = (subject, resource);
        Ok(false)
    }

    /// Whether the subject of a token still exists, is not blocked, and may use the service; the answers are those of
    /// [`Question::Subject`](crate::Question::Subject). The authority asks when it verifies or spends a token.
    ///
    /// The default is [`Decision::Allowed`]: for a host that revokes or deletes the tokens of a subject that leaves or is
    /// blocked ([`Authority::delete_subject`](crate::Authority::delete_subject)).
    ///
    /// # Errors
    /// [`HostError`] when the host cannot answer; the token is then not accepted.
    fn standing(
        &self,
        subject: Subject<&str>,
        service: Option<Service<&str>>,
    ) -> Result<Decision, HostError> {
        let _ = (subject, service);
        Ok(Decision::Allowed)
    }
}

/// Asks the host. Returns its first answer other than yes.
pub(crate) fn decide<'a>(
    host: &impl Host,
    questions: impl IntoIterator<Item = Question<'a>>,
) -> Result<Decision, HostError> {
    for question in questions {
        let decision = match question {
            Question::Subject { subject, service } => host.standing(subject, service)?,
            Question::Grant { resource, .. } if !host.exists(resource)? => Decision::ResourceGone,
            Question::Grant { issuer, purpose, resource } if !host.may(issuer, purpose, resource)? => {
                Decision::NoLongerAllowed
            }
            Question::Grant { .. } => Decision::Allowed,
        };
        if decision != Decision::Allowed {
            return Ok(decision);
        }
    }
    Ok(Decision::Allowed)
}

/// A pointer to a host is a host.
impl<P: Deref<Target: Host> + Send + Sync> Host for P {
    fn exists(&self, resource: &Entity) -> Result<bool, HostError> {
        (**self).exists(resource)
    }

    fn may(&self, subject: Subject<&str>, purpose: Purpose, resource: &Entity) -> Result<bool, HostError> {
        (**self).may(subject, purpose, resource)
    }

    fn may_see(&self, subject: Subject<&str>, resource: &Entity) -> Result<bool, HostError> {
        (**self).may_see(subject, resource)
    }

    fn standing(
        &self,
        subject: Subject<&str>,
        service: Option<Service<&str>>,
    ) -> Result<Decision, HostError> {
        (**self).standing(subject, service)
    }
}

/// The host could not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the host could not answer")]
pub struct HostError(#[source] Arc<dyn Error + Send + Sync>);

impl HostError {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }
}
