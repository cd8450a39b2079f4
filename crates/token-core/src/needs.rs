//! The facts that a host has to look up before it verifies a token.

use alloc::vec::Vec;

use crate::{Macaroon, Predicate, Subject};

/// The facts that the caveats of a macaroon ask for and that a host commonly has to look up. The other facts come with
/// the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs<'t> {
    /// Whether a caveat asks for the autonomous system of the peer.
    pub asn: bool,
    /// Whether a caveat asks for the country of the peer.
    pub country: bool,
    /// Whether a caveat asks for the regions of the peer.
    pub regions: bool,
    /// Whether a caveat asks whether the consumer is a direct member of any group.
    pub any_group: bool,
    /// The ids of the groups of which the consumer could have to be an effective member, each once, in order.
    pub groups: Vec<&'t str>,
}

impl Macaroon {
    /// Returns which facts to look up before verifying the macaroon. Ask each discharge as well.
    ///
    /// Trusts nothing: anyone can write a macaroon that asks for all of them, so look each up at most once.
    ///
    /// ```
    /// use token_core::{Macaroon, RootKey};
    ///
    /// let mut macaroon = Macaroon::mint(&RootKey::derive(&[7; 32])?, "", b"id")?;
    /// macaroon.attenuate("geo.country = PL")?;
    /// macaroon.attenuate("consumer = grp-g1|usr-u1")?;
    /// let needs = macaroon.needs();
    /// assert!(needs.country && !needs.asn);
    /// assert_eq!(needs.groups, ["g1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn needs(&self) -> Needs<'_> {
        let mut needs = Needs::default();
        for predicate in self.caveats().filter_map(|caveat| caveat.read()) {
            match predicate {
                Predicate::Asn(_) => needs.asn = true,
                Predicate::GeoCountry(..) => needs.country = true,
                Predicate::GeoRegion(..) => needs.regions = true,
                Predicate::Consumer(list) => {
                    for listed in list.iter() {
                        match listed {
                            Subject::Group("*") => needs.any_group = true,
                            Subject::Group(id) => needs.groups.push(id),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        needs.groups.sort_unstable();
        needs.groups.dedup();
        needs
    }
}
