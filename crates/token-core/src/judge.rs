//! Judges whether a predicate holds in a context (`onedata-tokens.md` §4).

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::{
    cell::{Cell, OnceCell},
    net::IpAddr,
};

use crate::{
    Context, GeoFilter, Predicate, Scope, Service, Subject, UnixTime,
    predicate::{List, ListItem},
};

/// Why a known caveat does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unmet {
    /// The caveat has expired.
    #[error("it expired at {valid_until}")]
    Expired {
        /// The first second at which it no longer holds.
        valid_until: UnixTime,
    },
    /// The request contradicts the caveat.
    #[error("the request is not as it asks")]
    Refuted,
    /// The context lacks the fact that the caveat asks for.
    #[error("nothing is known of what it asks for")]
    NotKnown,
    /// A [`Judge`] refuted it, with this reason.
    #[error("{0}")]
    Other(String),
}

/// Judges predicates outside Onedata's vocabulary, or overrides the judgment of some within it.
///
/// A closure from the predicate's bytes to a [`Judgment`] is a judge, and can capture the data that it needs:
///
/// ```
/// use token_core::{Context, Judgment, Macaroon, RootKey, UnixTime, Verifier};
///
/// let key = RootKey::derive(&[7; 32])?;
/// let mut macaroon = Macaroon::mint(&key, "", b"id")?;
/// macaroon.attenuate("colour = blue")?;
///
/// let colours = ["red", "blue"];
/// let judge = |predicate: &[u8]| match predicate.strip_prefix(b"colour = ") {
///     None => Judgment::NotMine,
///     Some(colour) if colours.iter().any(|ours| ours.as_bytes() == colour) => Judgment::Satisfied,
///     Some(_) => Judgment::NotSatisfied("no such colour here".into()),
/// };
/// let context = Context::at(UnixTime::from_secs(0));
/// Verifier::new(&context).judges(&[&judge]).verify(&macaroon, &key)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Judge {
    /// Judges one predicate. Return [`Judgment::NotMine`] unless the judge understands it to the last byte.
    fn judge(&self, predicate: &[u8]) -> Judgment;
}

impl<F: Fn(&[u8]) -> Judgment> Judge for F {
    fn judge(&self, predicate: &[u8]) -> Judgment {
        self(predicate)
    }
}

/// The answer of a [`Judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caveat holds, does not, or is unknown")]
pub enum Judgment {
    /// The predicate holds.
    Satisfied,
    /// The predicate does not hold, and why.
    NotSatisfied(String),
    /// This judge does not know the predicate; others may.
    NotMine,
}

/// A request, as one verification sees it.
///
/// The holder of a token decides how many groups its caveats name, and a user may be in thousands. The first few
/// lookups are linear, which suffices for an honest token. After these, the groups are sorted, once.
pub(crate) struct Request<'a> {
    pub(crate) context: &'a Context,
    /// In place of the context's.
    pub(crate) now: UnixTime,
    /// In place of the context's.
    pub(crate) service: Option<Service<&'a str>>,
    lookups: Cell<usize>,
    sorted: OnceCell<Vec<&'a str>>,
}

impl<'a> Request<'a> {
    /// Sorting some thousand groups takes as long as this number of linear lookups.
    const LOOKUPS_UNSORTED: usize = 16;

    pub(crate) const fn new(context: &'a Context, now: UnixTime, service: Option<Service<&'a str>>) -> Self {
        Self { context, now, service, lookups: Cell::new(0), sorted: OnceCell::new() }
    }

    /// Judges whether the predicate holds.
    pub(crate) fn judge(&self, predicate: &Predicate<'_>) -> Result<(), Unmet> {
        let context = self.context;
        match *predicate {
            Predicate::Time { valid_until } => {
                let valid_until = valid_until.to_time();
                if self.now < valid_until { Ok(()) } else { Err(Unmet::Expired { valid_until }) }
            }
            Predicate::Ip(masks) => {
                let peer = context.peer_ip.ok_or(Unmet::NotKnown)?.to_canonical();
                holds(matches!(peer, IpAddr::V4(peer) if masks.iter().any(|mask| mask.contains(peer))))
            }
            Predicate::Asn(list) => {
                let asn = context.asn.ok_or(Unmet::NotKnown)?.into();
                holds(list.iter().any(|listed| listed.to_u64() == Some(asn)))
            }
            // If the country is unknown, neither list admits.
            Predicate::GeoCountry(filter, list) => {
                let country = context.country.as_deref().ok_or(Unmet::NotKnown)?;
                filtered(filter, list, |listed| listed == country)
            }
            Predicate::GeoRegion(filter, list) => {
                let regions = context.regions.as_deref().ok_or(Unmet::NotKnown)?;
                filtered(filter, list, |listed| regions.iter().any(|region| region.as_str() == listed))
            }
            Predicate::Service(list) => {
                let service = self.service.ok_or(Unmet::NotKnown)?;
                holds(list.iter().any(|listed| listed.admits(service)))
            }
            Predicate::Consumer(list) => {
                let consumer = context.consumer.as_ref().ok_or(Unmet::NotKnown)?.as_deref();
                let mut refuted = Unmet::Refuted;
                for listed in list.iter() {
                    match self.admits(listed, consumer) {
                        Some(true) => return Ok(()),
                        Some(false) => {}
                        None => refuted = Unmet::NotKnown,
                    }
                }
                Err(refuted)
            }
            Predicate::Interface(interface) => holds(context.interface.ok_or(Unmet::NotKnown)? == interface),
            // Enforced by the service, operation by operation (§4.2).
            Predicate::Api(_) => Ok(()),
            Predicate::DataReadonly | Predicate::DataPath(_) | Predicate::DataObjectId(_) => {
                holds(context.data_caveats_allowed)
            }
            Predicate::IdentityScope => holds(context.scope == Scope::IdentityToken),
            // The verifier compares it with the expected type.
            Predicate::TokenType(_) => Ok(()),
        }
    }

    /// Returns what the request shows for a caveat of this type, in words. `None` if nothing is known, or if no fact
    /// of the request decides.
    pub(crate) fn fact(&self, predicate: &Predicate<'_>) -> Option<String> {
        let context = self.context;
        Some(match predicate {
            Predicate::Time { .. } => self.now.to_string(),
            Predicate::Ip(_) => context.peer_ip?.to_string(),
            Predicate::Asn(_) => context.asn?.to_string(),
            Predicate::GeoCountry(..) => context.country.clone()?,
            Predicate::GeoRegion(..) => {
                let names: Vec<&str> =
                    context.regions.as_ref()?.iter().map(|region| region.as_str()).collect();
                names.join(", ")
            }
            Predicate::Service(_) => self.service?.to_string(),
            Predicate::Consumer(list) => {
                let consumer = context.consumer.as_ref()?;
                let names_groups = list.iter().any(|listed| matches!(listed, Subject::Group(_)));
                match &context.consumer_groups {
                    _ if !names_groups => consumer.to_string(),
                    Some(groups) => format!("{consumer}, groups: {}", groups.len()),
                    None => format!("{consumer}, groups: not known"),
                }
            }
            Predicate::Interface(_) => context.interface?.to_string(),
            Predicate::DataReadonly | Predicate::DataPath(_) | Predicate::DataObjectId(_) => {
                let admitted = if context.data_caveats_allowed { "admits" } else { "does not admit" };
                format!("the request {admitted} caveats about data")
            }
            Predicate::IdentityScope => match context.scope {
                Scope::Unlimited => "the token is used for anything".into(),
                Scope::IdentityToken => "the token is used as proof of identity".into(),
            },
            Predicate::Api(_) | Predicate::TokenType(_) => return None,
        })
    }

    /// Whether a listed subject admits the consumer. `None` if the consumer's groups decide and are unknown.
    fn admits(&self, listed: Subject<&str>, consumer: Subject<&str>) -> Option<bool> {
        match (listed, consumer) {
            (Subject::User("*"), Subject::User(_)) | (Subject::Provider("*"), Subject::Provider(_)) => {
                Some(true)
            }
            (Subject::Group("*"), Subject::User(_)) => self.context.consumer_in_any_group,
            (Subject::Group(group), Subject::User(_)) => self.is_in(group),
            (listed, consumer) => Some(listed == consumer),
        }
    }

    /// Whether the consumer is in the group. `None` if the groups are unknown.
    fn is_in(&self, group: &str) -> Option<bool> {
        let given = self.context.consumer_groups.as_deref()?;
        let lookups = self.lookups.get().saturating_add(1);
        self.lookups.set(lookups);
        if lookups <= Self::LOOKUPS_UNSORTED {
            return Some(given.iter().any(|given| given == group));
        }
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<&str> = given.iter().map(String::as_str).collect();
            sorted.sort_unstable_by_key(by_length);
            sorted
        });
        Some(sorted.binary_search_by_key(&by_length(&group), by_length).is_ok())
    }
}

/// Sorts groups by length first. Lengths are adjacent in memory and ids are not, so a lookup rejects a name of another
/// length quickly; and a token has room for fewer names that are as long as ids.
fn by_length<'a>(group: &&'a str) -> (usize, &'a str) {
    (group.len(), group)
}

fn holds(condition: bool) -> Result<(), Unmet> {
    if condition { Ok(()) } else { Err(Unmet::Refuted) }
}

fn filtered<'a, T: ListItem<'a>>(
    filter: GeoFilter,
    list: List<'a, T>,
    matches: impl Fn(T) -> bool,
) -> Result<(), Unmet> {
    holds(list.iter().any(matches) == (filter == GeoFilter::Whitelist))
}
