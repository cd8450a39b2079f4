//! The knowledge that only the embedding program has.

use std::{error::Error, ops::Deref, sync::Arc};

use token_core::{Purpose, Subject};
use token_store::Entity;

/// The embedding program's knowledge of its groups, spaces and users, and of who may do what.
///
/// The authority asks the host when it mints, and again when a token is spent, since the issuer may have lost the
/// privilege in between. This crate has no implementation, so a program cannot allow everything by accident. `Arc`,
/// `Box` and references to a host are hosts.
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
}

/// Whether a subject may issue a token.
pub(crate) enum Permission {
    Granted,
    Denied,
    /// The resource of the token does not exist.
    NoResource,
}

/// Asks the host whether the issuer may issue a token for this purpose. A token without a resource needs no permission.
pub(crate) fn permission(
    host: &impl Host,
    issuer: Subject<&str>,
    purpose: Purpose,
    resource: Option<&Entity>,
) -> Result<Permission, HostError> {
    let Some(resource) = resource else { return Ok(Permission::Granted) };
    if !host.exists(resource)? {
        return Ok(Permission::NoResource);
    }
    Ok(if host.may(issuer, purpose, resource)? { Permission::Granted } else { Permission::Denied })
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
