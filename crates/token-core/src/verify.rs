//! Verification: the whole chain first, with all its discharges, then each caveat in order.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::fmt;

use crate::{
    Caveat, CaveatKey, Context, Identifier, LegacyType, Limits, Macaroon, Predicate, RootKey, Subject,
    TokenType, TokenUse, UnixTime, Unmet,
    judge::{Groups, judge},
    mac::ChainKey,
    macaroon::Span,
    seal,
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
    context: &'a Context<'a>,
    token_use: Option<TokenUse>,
    exact: &'a [&'a [u8]],
    checks: &'a [&'a dyn Check],
    limits: Limits,
    unused_discharges: bool,
}

/// Judges predicates that are not of Onedata's vocabulary, or judges some of those otherwise.
///
/// A closure from the predicate's bytes to a [`Judgment`] is one, and can hold whatever it needs to judge by:
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
pub trait Check {
    /// Judges one predicate. Anything that is not understood to its last byte is [`Judgment::NotMine`].
    fn check(&self, predicate: &[u8]) -> Judgment;
}

impl<F: Fn(&[u8]) -> Judgment> Check for F {
    fn check(&self, predicate: &[u8]) -> Judgment {
        self(predicate)
    }
}

/// What a [`Check`] says of a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgment {
    /// It holds.
    Satisfied,
    /// It does not hold, and why.
    NotSatisfied(String),
    /// The check does not know it; others may.
    NotMine,
}

impl<'a> Verifier<'a> {
    /// Judges caveats of Onedata's vocabulary by this context, on tokens of any type.
    #[must_use]
    pub const fn new(context: &'a Context<'a>) -> Self {
        Self {
            context,
            token_use: None,
            exact: &[],
            checks: &[],
            limits: Limits::ONEDATA,
            unused_discharges: false,
        }
    }

    /// Refuses caveats that tokens used so do not support.
    #[must_use]
    pub const fn used_as(self, token_use: TokenUse) -> Self {
        Self { token_use: Some(token_use), ..self }
    }

    /// Accepts, besides, every caveat whose bytes are exactly one of these.
    #[must_use]
    pub const fn exact(self, exact: &'a [&'a [u8]]) -> Self {
        Self { exact, ..self }
    }

    /// Asks these first, in order, and takes the first answer that is not [`Judgment::NotMine`].
    #[must_use]
    pub const fn checks(self, checks: &'a [&'a dyn Check]) -> Self {
        Self { checks, ..self }
    }

    /// Takes that many discharges, and that deep.
    #[must_use]
    pub const fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Does not mind discharges that no caveat asks for, as libmacaroons and pymacaroons do not.
    #[must_use]
    pub const fn ignoring_unused_discharges(self) -> Self {
        Self { unused_discharges: true, ..self }
    }

    /// Whether the macaroon was minted under this key and holds in this context.
    ///
    /// No caveat is looked at before the signature is confirmed, so a forger learns nothing about them.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`]; else what the first caveat that does not hold comes to, by its place.
    pub fn verify<'t>(&self, macaroon: &'t Macaroon, key: &RootKey) -> Result<Verified<'t>, VerifyError> {
        self.verify_with(macaroon, &[], key)
    }

    /// As [`verify`](Self::verify), with the discharges of the macaroon's third-party caveats, in any order. Each
    /// must be bound to the macaroon, and each is used exactly once.
    ///
    /// # Errors
    /// As above; and what is wrong with the discharges. The signatures of all of them are confirmed before any
    /// caveat is judged, at a cost that grows with their length and not faster.
    pub fn verify_with<'t>(
        &self,
        macaroon: &'t Macaroon,
        discharges: &[Macaroon],
        key: &RootKey,
    ) -> Result<Verified<'t>, VerifyError> {
        let order = self.confirm(macaroon, discharges, key)?;
        let mut verified = Verified { macaroon, expires_at: None, legacy_type: None };
        let groups = Groups::of(self.context);
        self.admit_all(None, macaroon, &groups, &mut verified)?;
        for index in order {
            if let Some(discharge) = discharges.get(index) {
                self.admit_all(Some(index), discharge, &groups, &mut verified)?;
            }
        }
        Ok(verified)
    }

    /// Confirms every signature, and returns the discharges in the order in which they are asked for.
    fn confirm(
        &self,
        root: &Macaroon,
        discharges: &[Macaroon],
        key: &RootKey,
    ) -> Result<Vec<usize>, VerifyError> {
        // Before any work is done for them. It tells a forger nothing but how many there were.
        if discharges.len() > self.limits.discharges {
            return Err(VerifyError::TooManyDischarges { max: self.limits.discharges });
        }
        // Nothing is allocated for a macaroon without third-party caveats.
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
        groups: &Groups<'_>,
        verified: &mut Verified<'_>,
    ) -> Result<(), VerifyError> {
        let parts = &macaroon.parts;
        let text = parts.text();
        for (index, caveat) in parts.caveats.iter().enumerate().filter(|(_, it)| it.third_party.is_none()) {
            let Span { start, end } = caveat.identifier;
            let bytes = parts.bytes(caveat.identifier);
            let text =
                text.and_then(|text| text.get(start..end)).or_else(|| core::str::from_utf8(bytes).ok());
            self.admit(Place { discharge, index }, bytes, text, groups, verified)?;
        }
        Ok(())
    }

    fn admit(
        &self,
        at: Place,
        bytes: &[u8],
        text: Option<&str>,
        groups: &Groups<'_>,
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
        // Looked at where it was read: to move it takes longer than to judge it.
        let Some(predicate) = &read else { return Err(VerifyError::CaveatUnknown { at }) };
        if self.token_use.is_some_and(|token_use| !token_use.supports(predicate)) {
            return Err(VerifyError::CaveatUnsupported { at });
        }
        if at.discharge.is_some() && predicate.is_enforced_later() {
            return Err(VerifyError::CaveatUnenforced { at });
        }
        if let Predicate::TokenType(stated) = *predicate {
            // A holder may append another type, which narrows the token to nothing.
            let first = match at.discharge {
                None => *verified.legacy_type.get_or_insert(stated),
                Some(_) => verified.legacy_type.unwrap_or(stated),
            };
            match (self.token_use, first) {
                (Some(TokenUse::Legacy(asked)), _) if asked != stated => {
                    return Err(VerifyError::WrongType { stated });
                }
                (_, first) if first != stated => {
                    return Err(VerifyError::CaveatUnmet { at, why: Unmet::Refuted });
                }
                _ => {}
            }
        }
        judge(predicate, self.context, groups).map_err(|why| VerifyError::CaveatUnmet { at, why })
    }

    fn check(&self, text: &[u8]) -> Judgment {
        let mut judgments = self.checks.iter().map(|check| check.check(text));
        judgments.find(|judgment| *judgment != Judgment::NotMine).unwrap_or(Judgment::NotMine)
    }

    /// What can be told about a macaroon without its key: whether one of its caveats is refuted already, so
    /// that it need not be sent to its issuer at all.
    ///
    /// This is no verification, and nothing that it returns says that a token is good: anyone can write
    /// caveats that are not refuted.
    pub fn preflight(&self, macaroon: &Macaroon) -> Preflight {
        let mut first_stated = None;
        let groups = Groups::of(self.context);
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
            if self.token_use.is_some_and(|token_use| !token_use.supports(&predicate)) {
                return Preflight::Refuted { index, why: Refutation::Unsupported };
            }
            let of_another_type = match predicate {
                Predicate::TokenType(stated) => {
                    let first = *first_stated.get_or_insert(stated);
                    stated != first
                        || matches!(self.token_use, Some(TokenUse::Legacy(asked)) if asked != stated)
                }
                _ => false,
            };
            match judge(&predicate, self.context, &groups) {
                _ if of_another_type => {
                    return Preflight::Refuted { index, why: Refutation::Unmet(Unmet::Refuted) };
                }
                // The issuer may know what is not known here.
                Ok(()) | Err(Unmet::NotKnown) => {}
                Err(why) => return Preflight::Refuted { index, why: Refutation::Unmet(why) },
            }
        }
        Preflight::Undecided
    }
}

/// A third-party caveat whose discharge is to be confirmed.
struct Asked<'t> {
    at: Place,
    identifier: &'t [u8],
    /// `None` where the caveat's key did not open.
    key: Option<CaveatKey>,
    depth: usize,
}

/// Computes the chain of a macaroon, and puts what it asks third parties for at the end of the list.
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
            .field("token_use", &self.token_use)
            .field("checks", &self.checks.len())
            .finish_non_exhaustive()
    }
}

/// Where a caveat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// In which discharge, from 0 in the order in which they were given; `None`: in the macaroon itself.
    pub discharge: Option<usize>,
    /// Which caveat, from 0 in chain order.
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

/// A macaroon that was minted under the key it was verified with, and whose caveats hold in the context it
/// was verified in. Only [`Verifier::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'t> {
    macaroon: &'t Macaroon,
    expires_at: Option<UnixTime>,
    legacy_type: Option<LegacyType>,
}

impl<'t> Verified<'t> {
    /// The macaroon, with all caveats that the host has to enforce after verification
    /// ([`Predicate::is_enforced_later`]): no discharge carries one.
    #[must_use]
    pub const fn macaroon(&self) -> &'t Macaroon {
        self.macaroon
    }

    /// What its identifier says; `None` where that is not written as Onedata writes it.
    #[must_use]
    pub fn identifier(&self) -> Option<Identifier<'t>> {
        Identifier::read(self.macaroon.identifier()).ok()
    }

    /// Who the token speaks for, or who invites. Not known for an opaque identifier: the issuer's record
    /// tells.
    #[must_use]
    pub fn subject(&self) -> Option<Subject<'t>> {
        self.identifier()?.v2().map(|identifier| identifier.subject)
    }

    /// What the token is for, and for an invitation its target, as a version-2 identifier says.
    #[must_use]
    pub fn token_type(&self) -> Option<TokenType<'t>> {
        self.identifier()?.v2().map(|identifier| identifier.token_type)
    }

    /// What the token is for, as a token of before 20.02 says in its caveat `tokenType = …`.
    ///
    /// A caveat restricts and grants nothing: where the issuer minted a token without one, its holder may have
    /// appended any. Go by the issuer's record where there is one.
    #[must_use]
    pub fn legacy_type(&self) -> Option<LegacyType> {
        self.legacy_type.filter(|_| matches!(self.identifier(), Some(Identifier::Opaque(_))))
    }

    /// The first second at which the token no longer holds: the least of all its `time` caveats.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

/// Why a macaroon was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Another root key, or bytes changed after signing. Deliberately says no more.
    #[error("the signature does not match")]
    BadSignature,
    /// A caveat was understood and does not hold.
    #[error("{at} does not hold: {why}")]
    CaveatUnmet {
        /// Which caveat.
        at: Place,
        /// Why it does not hold.
        why: Unmet,
    },
    /// A caveat is of a kind that a token used so must not carry (`onedata-tokens.md` §4.1).
    #[error("{at} is not supported by a token used so")]
    CaveatUnsupported {
        /// Which caveat.
        at: Place,
    },
    /// A discharge has a caveat that would have to be enforced after verification
    /// ([`Predicate::is_enforced_later`]). A host finds those in the macaroon that it verified and nowhere else.
    #[error("{at} has to be enforced after verification, which no caveat of a discharge is")]
    CaveatUnenforced {
        /// Which caveat.
        at: Place,
    },
    /// A caveat is not understood.
    #[error("{at} is not known")]
    CaveatUnknown {
        /// Which caveat.
        at: Place,
    },
    /// The token states another type than the one it is used as.
    #[error("the token is of type {stated}")]
    WrongType {
        /// The type that it states.
        stated: LegacyType,
    },
    /// A third-party caveat has no discharge, or its discharge was used for another caveat.
    #[error("{at} has to be discharged by a third party")]
    DischargeMissing {
        /// Which caveat.
        at: Place,
    },
    /// The key of a third-party caveat was not sealed under the signature before it: nobody can discharge it.
    #[error("the key of {at} does not open")]
    CaveatKeyUnreadable {
        /// Which caveat.
        at: Place,
    },
    /// A discharge was made under another key, changed after it was bound, or not bound to this macaroon.
    #[error(
        "discharge {discharge} does not fit: made with another key, bound to another macaroon, or changed"
    )]
    BadDischarge {
        /// Which discharge, from 0.
        discharge: usize,
    },
    /// No caveat asks for a discharge.
    #[error("no caveat asks for discharge {discharge}")]
    DischargeUnused {
        /// Which discharge, from 0.
        discharge: usize,
    },
    /// Two discharges have one identifier, so that it is not clear which is meant.
    #[error("discharge {discharge} has the identifier of an earlier one")]
    DischargeAmbiguous {
        /// Which discharge, from 0.
        discharge: usize,
    },
    /// There are more discharges than the verifier takes.
    #[error("there are more than {max} discharges")]
    TooManyDischarges {
        /// The greatest number allowed.
        max: usize,
    },
    /// Discharges ask for discharges deeper than the verifier goes.
    #[error("discharges ask for discharges more than {max} levels deep")]
    TooDeep {
        /// The greatest depth allowed.
        max: usize,
    },
}

/// What [`Verifier::preflight`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Preflight {
    /// The issuer would refuse the token: there is no need to ask.
    Refuted {
        /// The first caveat that is refuted, from 0 in chain order.
        index: usize,
        /// How.
        why: Refutation,
    },
    /// Only the issuer can tell.
    Undecided,
}

/// How a caveat is refuted without a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refutation {
    /// It does not hold.
    #[error("it does not hold: {0}")]
    Unmet(Unmet),
    /// A token used so must not carry it.
    #[error("a token used so does not support it")]
    Unsupported,
    /// It is not known.
    #[error("it is not known")]
    Unknown,
}
