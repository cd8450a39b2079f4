//! Verification: the whole chain first, with all its discharges, then each caveat in order.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::fmt;

use crate::{
    Caveat, CaveatKey, CaveatTypes, Context, Identifier, LegacyType, Limits, Macaroon, Predicate, RootKey,
    Service, Subject, TokenType, UnixTime, Unmet, judge::Request, mac::ChainKey, macaroon::Span, seal,
};

/// Verifies macaroons against the facts of one request.
///
/// ```
/// use token_core::{Context, Macaroon, PredicateBuf, RootKey, UnixTime, Verifier, VerifyError};
///
/// let key = RootKey::derive(&[7; 32])?;
/// let mut macaroon = Macaroon::mint(&key, "onezone", b"id")?;
/// macaroon.attenuate(PredicateBuf::time(UnixTime::from_secs(1_000)))?;
///
/// let before = Context::at(UnixTime::from_secs(999));
/// assert_eq!(Verifier::new(&before).verify(&macaroon, &key)?.expires_at(), Some(UnixTime::from_secs(1_000)));
///
/// let at = Context::at(UnixTime::from_secs(1_000));
/// assert!(matches!(Verifier::new(&at).verify(&macaroon, &key), Err(VerifyError::CaveatUnmet { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    context: &'a Context,
    now: UnixTime,
    service: Option<Service<&'a str>>,
    supported: CaveatTypes,
    stated: Option<LegacyType>,
    exact: &'a [&'a [u8]],
    checks: &'a [&'a dyn Judge],
    limits: Limits,
    unused_discharges: bool,
}

/// Judges predicates outside Onedata's vocabulary, or overrides the judgment of some within it.
///
/// A closure from the predicate's bytes to a [`Judgment`] is a check, and can capture the data that it needs:
///
/// ```
/// use token_core::{Context, Judgment, Macaroon, RootKey, UnixTime, Verifier};
///
/// let key = RootKey::derive(&[7; 32])?;
/// let mut macaroon = Macaroon::mint(&key, "", b"id")?;
/// macaroon.attenuate("colour = blue")?;
///
/// let colours = ["red", "blue"];
/// let check = |predicate: &[u8]| match predicate.strip_prefix(b"colour = ") {
///     None => Judgment::NotMine,
///     Some(colour) if colours.iter().any(|ours| ours.as_bytes() == colour) => Judgment::Satisfied,
///     Some(_) => Judgment::NotSatisfied("no such colour here".into()),
/// };
/// let context = Context::at(UnixTime::from_secs(0));
/// Verifier::new(&context).checks(&[&check]).verify(&macaroon, &key)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Judge {
    /// Judges one predicate. Return [`Judgment::NotMine`] unless the check understands it to the last byte.
    fn check(&self, predicate: &[u8]) -> Judgment;
}

impl<F: Fn(&[u8]) -> Judgment> Judge for F {
    fn check(&self, predicate: &[u8]) -> Judgment {
        self(predicate)
    }
}

/// The answer of a [`Judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgment {
    /// The predicate holds.
    Satisfied,
    /// The predicate does not hold, and why.
    NotSatisfied(String),
    /// This check does not know the predicate; others may.
    NotMine,
}

impl<'a> Verifier<'a> {
    /// Makes a verifier that judges Onedata's caveats by this context, on tokens of any type.
    #[must_use]
    pub fn new(context: &'a Context) -> Self {
        Self {
            context,
            now: context.now,
            service: context.service.as_ref().map(Service::as_deref),
            supported: CaveatTypes::ALL,
            stated: None,
            exact: &[],
            checks: &[],
            limits: Limits::ONEDATA,
            unused_discharges: false,
        }
    }

    /// Judges at this time, not at the context's.
    #[must_use]
    pub const fn at(self, now: UnixTime) -> Self {
        Self { now, ..self }
    }

    /// Judges as if this service made the request, not the context's.
    #[must_use]
    pub const fn serving(self, service: Service<&'a str>) -> Self {
        Self { service: Some(service), ..self }
    }

    /// Refuses caveats of other types than these.
    #[must_use]
    pub const fn supporting(self, types: CaveatTypes) -> Self {
        Self { supported: types, ..self }
    }

    /// Refuses a caveat `tokenType = …` that states another type than this. A token without such a caveat is accepted.
    #[must_use]
    pub const fn stating(self, stated: Option<LegacyType>) -> Self {
        Self { stated, ..self }
    }

    /// Also accepts every caveat whose bytes are exactly one of these.
    #[must_use]
    pub const fn exact(self, exact: &'a [&'a [u8]]) -> Self {
        Self { exact, ..self }
    }

    /// Runs these checks first, in order, and takes the first answer other than [`Judgment::NotMine`].
    #[must_use]
    pub const fn checks(self, checks: &'a [&'a dyn Judge]) -> Self {
        Self { checks, ..self }
    }

    /// Sets the greatest number and depth of discharges.
    #[must_use]
    pub const fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Ignores discharges that no caveat asks for, as libmacaroons and pymacaroons do.
    #[must_use]
    pub const fn ignoring_unused_discharges(self) -> Self {
        Self { unused_discharges: true, ..self }
    }

    /// Verifies that the macaroon was minted under this key and is valid in this context.
    ///
    /// Judges no caveat before the signature is confirmed, so a forger learns nothing about caveats.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`]; else the error of the first caveat that is refused, with its place.
    pub fn verify<'t>(&self, macaroon: &'t Macaroon, key: &RootKey) -> Result<Verified<'t>, VerifyError> {
        self.verify_with(macaroon, &[], key)
    }

    /// Verifies the macaroon together with the discharges of its third-party caveats, in any order. Each discharge
    /// must be bound to the macaroon, and is used exactly once.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and the errors about discharges. All signatures are confirmed before any caveat is
    /// judged, in time linear in their length.
    pub fn verify_with<'t>(
        &self,
        macaroon: &'t Macaroon,
        discharges: &[Macaroon],
        key: &RootKey,
    ) -> Result<Verified<'t>, VerifyError> {
        let order = self.confirm(macaroon, discharges, key)?;
        let mut verified = Verified { macaroon, expires_at: None, legacy_type: None };
        let request = Request::new(self.context, self.now, self.service);
        self.admit_all(None, macaroon, &request, &mut verified)?;
        for index in order {
            if let Some(discharge) = discharges.get(index) {
                self.admit_all(Some(index), discharge, &request, &mut verified)?;
            }
        }
        Ok(verified)
    }

    /// Confirms every signature, and returns the discharges in the order in which caveats ask for them.
    fn confirm(
        &self,
        root: &Macaroon,
        discharges: &[Macaroon],
        key: &RootKey,
    ) -> Result<Vec<usize>, VerifyError> {
        // Checked before any work on them. A forger learns only how many discharges it sent.
        if discharges.len() > self.limits.discharges {
            return Err(VerifyError::TooManyDischarges { max: self.limits.discharges });
        }
        // Does not allocate for a macaroon without third-party caveats.
        let mut asked = VecDeque::new();
        let link = walk(None, root, key, 0, &mut asked);
        if !link.confirms(root.signature()) {
            return Err(VerifyError::BadSignature);
        }
        if asked.is_empty() && discharges.is_empty() {
            return Ok(Vec::new());
        }
        let mut unused = BTreeMap::new();
        for (index, discharge) in discharges.iter().enumerate() {
            if unused.insert(discharge.identifier(), index).is_some() {
                return Err(VerifyError::DischargeAmbiguous { discharge: index });
            }
        }
        let mut order = Vec::new();
        while let Some(Asked { at, identifier, key, depth }) = asked.pop_front() {
            let Some(key) = key else { return Err(VerifyError::CaveatKeyUnreadable { at }) };
            let Some(index) = unused.remove(identifier) else {
                return Err(VerifyError::DischargeMissing { at });
            };
            if depth > self.limits.depth {
                return Err(VerifyError::TooDeep { max: self.limits.depth });
            }
            let Some(discharge) = discharges.get(index) else { continue };
            let link = walk(Some(index), discharge, key.as_root(), depth, &mut asked);
            if !link.bound_to(root.signature()).confirms(discharge.signature()) {
                return Err(VerifyError::BadDischarge { discharge: index });
            }
            order.push(index);
        }
        match unused.into_values().min() {
            Some(discharge) if !self.unused_discharges => Err(VerifyError::DischargeUnused { discharge }),
            _ => Ok(order),
        }
    }

    fn admit_all(
        &self,
        discharge: Option<usize>,
        macaroon: &Macaroon,
        request: &Request<'_>,
        verified: &mut Verified<'_>,
    ) -> Result<(), VerifyError> {
        let parts = &macaroon.parts;
        let text = parts.text();
        for (index, caveat) in parts.caveats.iter().enumerate().filter(|(_, it)| it.third_party.is_none()) {
            let Span { start, end } = caveat.identifier;
            let bytes = parts.bytes(caveat.identifier);
            let text =
                text.and_then(|text| text.get(start..end)).or_else(|| core::str::from_utf8(bytes).ok());
            self.admit(Place { discharge, index }, bytes, text, request, verified)?;
        }
        Ok(())
    }

    fn admit(
        &self,
        at: Place,
        bytes: &[u8],
        text: Option<&str>,
        request: &Request<'_>,
        verified: &mut Verified<'_>,
    ) -> Result<(), VerifyError> {
        let read = text.and_then(Predicate::read_text);
        if let Some(Predicate::Time { valid_until }) = read {
            verified.expires_at =
                Some(verified.expires_at.map_or(valid_until, |least| least.min(valid_until)));
        }
        if self.exact.contains(&bytes) {
            return Ok(());
        }
        match self.check(bytes) {
            Judgment::Satisfied => return Ok(()),
            Judgment::NotSatisfied(reason) => {
                return Err(VerifyError::CaveatUnmet { at, why: Unmet::Other(reason) });
            }
            Judgment::NotMine => {}
        }
        // Judged by reference: moving it takes longer than judging it.
        let Some(predicate) = &read else { return Err(VerifyError::CaveatUnknown { at }) };
        if !self.supported.contains(predicate) {
            return Err(VerifyError::CaveatUnsupported { at });
        }
        if at.discharge.is_some() && predicate.is_enforced_later() {
            return Err(VerifyError::CaveatUnenforced { at });
        }
        if let Predicate::TokenType(stated) = *predicate {
            // A holder may append another type; the token is then refused everywhere.
            let first = match at.discharge {
                None => *verified.legacy_type.get_or_insert(stated),
                Some(_) => verified.legacy_type.unwrap_or(stated),
            };
            match (self.stated, first) {
                (Some(asked), _) if asked != stated => {
                    return Err(VerifyError::WrongType { stated });
                }
                (_, first) if first != stated => {
                    return Err(VerifyError::CaveatUnmet { at, why: Unmet::Refuted });
                }
                _ => {}
            }
        }
        request.judge(predicate).map_err(|why| VerifyError::CaveatUnmet { at, why })
    }

    fn check(&self, text: &[u8]) -> Judgment {
        let mut judgments = self.checks.iter().map(|check| check.check(text));
        judgments.find(|judgment| *judgment != Judgment::NotMine).unwrap_or(Judgment::NotMine)
    }

    /// Checks without a key whether this context refutes a caveat. The issuer would refuse such a macaroon, so the
    /// caller need not send it there.
    ///
    /// Not a verification: a macaroon that is not refuted may still be forged.
    pub fn preflight(&self, macaroon: &Macaroon) -> Preflight {
        let mut first_stated = None;
        let request = Request::new(self.context, self.now, self.service);
        for (index, caveat) in macaroon.caveats().enumerate() {
            let Caveat::FirstParty { predicate: text } = caveat else { continue };
            if self.exact.contains(&text) {
                continue;
            }
            match self.check(text) {
                Judgment::Satisfied => continue,
                Judgment::NotSatisfied(reason) => {
                    return Preflight::Refuted { index, why: Refutation::Unmet(Unmet::Other(reason)) };
                }
                Judgment::NotMine => {}
            }
            let Some(predicate) = Predicate::read(text) else {
                return Preflight::Refuted { index, why: Refutation::Unknown };
            };
            if !self.supported.contains(&predicate) {
                return Preflight::Refuted { index, why: Refutation::Unsupported };
            }
            let of_another_type = match predicate {
                Predicate::TokenType(stated) => {
                    let first = *first_stated.get_or_insert(stated);
                    stated != first || self.stated.is_some_and(|asked| asked != stated)
                }
                _ => false,
            };
            match request.judge(&predicate) {
                _ if of_another_type => {
                    return Preflight::Refuted { index, why: Refutation::Unmet(Unmet::Refuted) };
                }
                // The issuer may know the missing fact.
                Ok(()) | Err(Unmet::NotKnown) => {}
                Err(why) => return Preflight::Refuted { index, why: Refutation::Unmet(why) },
            }
        }
        Preflight::Undecided
    }
}

/// A third-party caveat whose discharge is not confirmed yet.
struct Asked<'t> {
    at: Place,
    identifier: &'t [u8],
    /// `None` if the caveat's key did not open.
    key: Option<CaveatKey>,
    depth: usize,
}

/// Computes the chain of a macaroon, and appends its third-party caveats to the queue.
fn walk<'t>(
    discharge: Option<usize>,
    macaroon: &'t Macaroon,
    key: &RootKey,
    depth: usize,
    asked: &mut VecDeque<Asked<'t>>,
) -> ChainKey {
    let mut link = ChainKey::start(key.expose(), macaroon.identifier());
    for (index, caveat) in macaroon.caveats().enumerate() {
        match caveat {
            Caveat::FirstParty { predicate } => link.link(predicate),
            Caveat::ThirdParty { identifier, vid, .. } => {
                let key = seal::open(&link, vid);
                let at = Place { discharge, index };
                asked.push_back(Asked { at, identifier, key, depth: depth.saturating_add(1) });
                link.link_third_party(vid, identifier);
            }
        }
    }
    link
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("context", self.context)
            .field("supported", &self.supported)
            .field("checks", &self.checks.len())
            .finish_non_exhaustive()
    }
}

/// The place of a caveat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The index of the discharge, from 0 in the caller's order; `None`: the macaroon itself.
    pub discharge: Option<usize>,
    /// The index of the caveat, from 0 in chain order.
    pub index: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.discharge {
            None => write!(f, "caveat {}", self.index),
            Some(discharge) => write!(f, "caveat {} of discharge {discharge}", self.index),
        }
    }
}

/// A verified macaroon: minted under the verifier's key, with caveats that all hold in its context. Only
/// [`Verifier::verify`] and [`Verifier::verify_with`] make one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'t> {
    macaroon: &'t Macaroon,
    expires_at: Option<UnixTime>,
    legacy_type: Option<LegacyType>,
}

impl<'t> Verified<'t> {
    /// Returns the macaroon. It carries all caveats that the host has to enforce after verification
    /// ([`Predicate::is_enforced_later`]); no discharge carries one.
    #[must_use]
    pub const fn macaroon(&self) -> &'t Macaroon {
        self.macaroon
    }

    /// Returns its identifier; `None` if it is not written as Onedata writes it.
    #[must_use]
    pub fn identifier(&self) -> Option<Identifier<'t>> {
        Identifier::read(self.macaroon.identifier()).ok()
    }

    /// Returns the subject that the token acts for, or that invites. `None` for an opaque identifier: the issuer's
    /// record has it.
    #[must_use]
    pub fn subject(&self) -> Option<Subject<&'t str>> {
        self.identifier()?.v2().map(|identifier| identifier.subject)
    }

    /// Returns the type in a version-2 identifier, with the target of an invitation.
    #[must_use]
    pub fn token_type(&self) -> Option<TokenType<&'t str>> {
        self.identifier()?.v2().map(|identifier| identifier.token_type)
    }

    /// Returns the type that a legacy token states in its caveat `tokenType = …`.
    ///
    /// A caveat only restricts. If the issuer minted the token without this caveat, its holder may have appended any
    /// type. Prefer the issuer's record if there is one.
    #[must_use]
    pub fn legacy_type(&self) -> Option<LegacyType> {
        self.legacy_type.filter(|_| matches!(self.identifier(), Some(Identifier::Opaque(_))))
    }

    /// Returns the first second at which the token is expired: the earliest of all `time` caveats, also of the
    /// discharges.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

/// Why a macaroon was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Wrong root key, or bytes changed after signing. Deliberately says no more.
    #[error("the signature does not match")]
    BadSignature,
    /// A known caveat does not hold.
    #[error("{at} does not hold: {why}")]
    CaveatUnmet {
        /// The caveat.
        at: Place,
        /// Why it does not hold.
        why: Unmet,
    },
    /// The caveat is of a type that the verifier does not support.
    #[error("{at} is of a type that this token must not carry")]
    CaveatUnsupported {
        /// The caveat.
        at: Place,
    },
    /// A discharge has a caveat that the host would have to enforce after verification
    /// ([`Predicate::is_enforced_later`]). The host looks for those in the verified macaroon only.
    #[error("{at} has to be enforced after verification, which no caveat of a discharge is")]
    CaveatUnenforced {
        /// The caveat.
        at: Place,
    },
    /// A caveat is unknown.
    #[error("{at} is not known")]
    CaveatUnknown {
        /// The caveat.
        at: Place,
    },
    /// The token states another type than the expected one.
    #[error("the token is of type {stated}")]
    WrongType {
        /// The stated type.
        stated: LegacyType,
    },
    /// A third-party caveat has no discharge, or its discharge was used for another caveat.
    #[error("{at} has to be discharged by a third party")]
    DischargeMissing {
        /// The caveat.
        at: Place,
    },
    /// The key of a third-party caveat was not sealed under the signature before it, so no discharge can satisfy it.
    #[error("the key of {at} does not open")]
    CaveatKeyUnreadable {
        /// The caveat.
        at: Place,
    },
    /// A discharge was minted under another key, changed after it was bound, or not bound to this macaroon.
    #[error(
        "discharge {discharge} does not fit: made with another key, bound to another macaroon, or changed"
    )]
    BadDischarge {
        /// The index of the discharge, from 0.
        discharge: usize,
    },
    /// No caveat asks for a discharge.
    #[error("no caveat asks for discharge {discharge}")]
    DischargeUnused {
        /// The index of the discharge, from 0.
        discharge: usize,
    },
    /// Two discharges have the same identifier, so the choice is ambiguous.
    #[error("discharge {discharge} has the identifier of an earlier one")]
    DischargeAmbiguous {
        /// The index of the discharge, from 0.
        discharge: usize,
    },
    /// There are more discharges than the verifier allows.
    #[error("there are more than {max} discharges")]
    TooManyDischarges {
        /// The greatest allowed number.
        max: usize,
    },
    /// Discharges of discharges go deeper than the verifier allows.
    #[error("discharges ask for discharges more than {max} levels deep")]
    TooDeep {
        /// The greatest allowed depth.
        max: usize,
    },
}

/// The answer of [`Verifier::preflight`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Preflight {
    /// The issuer would refuse the token: do not send it.
    Refuted {
        /// The index of the first refuted caveat, from 0 in chain order.
        index: usize,
        /// Why it is refuted.
        why: Refutation,
    },
    /// Only the issuer can decide.
    Undecided,
}

/// Why a caveat is refuted without a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refutation {
    /// The caveat does not hold.
    #[error("it does not hold: {0}")]
    Unmet(Unmet),
    /// The caveat is of a type that the verifier does not support.
    #[error("it is of a type that this token must not carry")]
    Unsupported,
    /// The caveat is unknown.
    #[error("it is not known")]
    Unknown,
}
