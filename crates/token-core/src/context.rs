//! The facts of one request.

use alloc::{string::String, vec::Vec};
use core::net::IpAddr;

use crate::{
    Service, Subject, UnixTime,
    predicate::{Interface, Region},
};

/// The known facts of the request that a token came with. The caller supplies all of them.
///
/// A missing fact satisfies no caveat that asks for it.
///
/// ```
/// use token_core::{Context, Subject, UnixTime};
///
/// let mut context = Context::at(UnixTime::from_secs(1_700_000_000));
/// context.peer_ip = Some([192, 0, 2, 7].into());
/// context.consumer = Some(Subject::Provider("p1".into()));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// The time of the request.
    pub now: UnixTime,
    /// The address that the request comes from. Caveats name IPv4 addresses only; an IPv4-mapped IPv6 address counts
    /// as the IPv4 address that it maps.
    pub peer_ip: Option<IpAddr>,
    /// The autonomous system of that address.
    pub asn: Option<u32>,
    /// The country of that address, as an ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// The regions of that address; a member of the European Union is in [`Region::Europe`] and [`Region::Eu`].
    pub regions: Option<Vec<Region>>,
    /// The authenticated service that makes the request.
    pub service: Option<Service>,
    /// The authenticated user of the token.
    pub consumer: Option<Subject>,
    /// The ids of the groups that the consumer, a user, is an effective member of.
    pub consumer_groups: Option<Vec<String>>,
    /// Whether the consumer, a user, is a direct member of any group.
    pub consumer_in_any_group: Option<bool>,
    /// The interface through which the request came.
    pub interface: Option<Interface>,
    /// Whether caveats that restrict access to data (`data.…`) are admitted. Set it only if the caller enforces them
    /// later, file by file.
    pub data_caveats_allowed: bool,
    /// The use of the token.
    pub scope: Scope,
    /// The session of the request. An access token is accepted only in the session that it is bound to (`act:SESSION`),
    /// or outside of sessions if it is bound to none.
    pub session: Session,
}

/// The session of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a request is in no session, in one, or in any")]
pub enum Session {
    /// None.
    #[default]
    None,
    /// The session with this id.
    This(String),
    /// Any: the session of a token is not checked.
    Any,
}

/// The use of an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a verifier judges by every scope")]
pub enum Scope {
    /// Anything.
    #[default]
    Unlimited,
    /// Only to prove who its subject is.
    IdentityToken,
}

impl Context {
    /// Makes a context at that time, without any other facts.
    #[must_use]
    pub const fn at(now: UnixTime) -> Self {
        Self {
            now,
            peer_ip: None,
            asn: None,
            country: None,
            regions: None,
            service: None,
            consumer: None,
            consumer_groups: None,
            consumer_in_any_group: None,
            interface: None,
            data_caveats_allowed: false,
            scope: Scope::Unlimited,
            session: Session::None,
        }
    }
}
