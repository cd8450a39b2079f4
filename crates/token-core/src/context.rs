//! The facts of one request.

use core::net::IpAddr;

use crate::{
    Service, Subject, UnixTime,
    predicate::{Interface, Region},
};

/// What is known of the request that a token came with. All of it is given by the caller; nothing is fetched.
///
/// A fact that is left out satisfies no caveat that asks for it.
///
/// Sessions are no part of it: the session that an access token is bound to (`act:SESSION`) is not checked by
/// verification. The caller compares it with that of the request.
///
/// ```
/// use token_core::{Context, Subject, UnixTime};
///
/// let mut context = Context::at(UnixTime::from_secs(1_700_000_000));
/// context.peer_ip = Some([192, 0, 2, 7].into());
/// context.consumer = Some(Subject::Provider("p1"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The time.
    pub now: UnixTime,
    /// Where the request comes from. Caveats name IPv4 addresses alone; an IPv4-mapped IPv6 address counts as
    /// the IPv4 address that it maps.
    pub peer_ip: Option<IpAddr>,
    /// The autonomous system of that address.
    pub asn: Option<u32>,
    /// The country of that address, by its ISO 3166-1 alpha-2 code.
    pub country: Option<&'a str>,
    /// The regions of that address; a member of the European Union is in [`Region::Europe`] and [`Region::Eu`].
    pub regions: Option<&'a [Region]>,
    /// The service that asks, authenticated.
    pub service: Option<Service<'a>>,
    /// Who uses the token, authenticated.
    pub consumer: Option<Subject<'a>>,
    /// The ids of the groups that the consumer, a user, is an effective member of.
    pub consumer_groups: Option<&'a [&'a str]>,
    /// Whether the consumer, a user, is a direct member of any group.
    pub consumer_in_any_group: Option<bool>,
    /// The interface that the request came in by.
    pub interface: Option<Interface>,
    /// Whether caveats that restrict access to data (`data.…`) are admitted: they are enforced file by file
    /// later on, and a request that nobody will enforce them for must not pass.
    pub data_caveats_allowed: bool,
    /// What the token is used for.
    pub scope: Scope,
}

/// What an access token is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Anything.
    #[default]
    Unlimited,
    /// To prove who its subject is, and nothing else.
    IdentityToken,
}

impl Context<'_> {
    /// A request at that time, of which nothing else is known.
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
        }
    }
}
