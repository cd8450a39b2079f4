//! Verification: the whole chain first, with all its discharges, then each caveat in order.

mod batch;
mod error;
mod explain;
mod signatures;

use core::fmt;

pub use self::{
    batch::Confirmed,
    error::{Place, VerifyError},
    explain::{Explanation, Finding},
};
use crate::{
    CaveatTypes, Context, Identifier, Judge, Judgment, LegacyType, Limits, Macaroon, Predicate, RootKey,
    Service, Session, Subject, TokenType, UnixTime, Unmet, identifier, judge::Request, macaroon::Span,
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
    ignored: CaveatTypes,
    stated: Option<LegacyType>,
    exact: &'a [&'a [u8]],
    judges: &'a [&'a dyn Judge],
    limits: Limits,
    unused_discharges: bool,
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
            ignored: CaveatTypes::NONE,
            stated: None,
            exact: &[],
            judges: &[],
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

    /// Accepts caveats of these types unjudged, if they are supported: a host asks so what a token could do in another
    /// request. Does not cover `tokenType`, which is no condition on a request. The expiry still counts a `time` caveat.
    #[must_use]
    pub const fn ignoring(self, types: CaveatTypes) -> Self {
        Self { ignored: types, ..self }
    }

    /// Refuses a caveat `tokenType = …` that states another type than this. Accepts a token without such a caveat.
    /// `None`: accepts any type.
    #[must_use]
    pub const fn stating(self, stated: Option<LegacyType>) -> Self {
        Self { stated, ..self }
    }

    /// Also accepts every caveat whose bytes are exactly one of these.
    #[must_use]
    pub const fn exact(self, exact: &'a [&'a [u8]]) -> Self {
        Self { exact, ..self }
    }

    /// Asks these judges first, in order, and takes the first answer other than [`Judgment::NotMine`].
    #[must_use]
    pub const fn judges(self, judges: &'a [&'a dyn Judge]) -> Self {
        Self { judges, ..self }
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
    /// [`VerifyError::BadSignature`]; [`VerifyError::DischargeMissing`] for a third-party caveat, which only
    /// [`verify_with`](Self::verify_with) accepts; else the error of the first caveat that is refused, with its place.
    pub fn verify<'t>(&self, macaroon: &'t Macaroon, key: &RootKey) -> Result<Verified<'t>, VerifyError> {
        self.verify_with(macaroon, &[], key)
    }

    /// Verifies the macaroon together with the discharges of its third-party caveats, in any order. Each discharge
    /// must be bound to the macaroon, and is used exactly once.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and those about discharges: missing, unused, ambiguous, not bound to this macaroon,
    /// too many or too deep. All signatures are confirmed before any caveat is
    /// judged, in time linear in their length.
    pub fn verify_with<'t>(
        &self,
        macaroon: &'t Macaroon,
        discharges: &[Macaroon],
        key: &RootKey,
    ) -> Result<Verified<'t>, VerifyError> {
        let order = self.confirm_with(macaroon, discharges, key)?;
        self.judge_confirmed(macaroon, discharges, &order)
    }

    /// Judges the caveats and the session of a macaroon. The caller has confirmed its signature and those of its
    /// discharges, which it passes in this order.
    fn judge_confirmed<'t>(
        &self,
        macaroon: &'t Macaroon,
        discharges: &[Macaroon],
        order: &[usize],
    ) -> Result<Verified<'t>, VerifyError> {
        let mut judging = Judging::new(self);
        judging.verdicts(None, macaroon).collect::<Result<(), _>>()?;
        for index in order {
            if let Some(discharge) = discharges.get(*index) {
                judging.verdicts(Some(*index), discharge).collect::<Result<(), _>>()?;
            }
        }
        let Judging { expires_at, legacy_type, .. } = judging;
        self.judge_session(macaroon)?;
        Ok(Verified { macaroon, expires_at, legacy_type })
    }

    /// Judges without a key whether the issuer would refuse the macaroon in this context, and returns its error: then
    /// the caller need not send the macaroon there.
    ///
    /// Not a verification: judges first-party caveats alone. `None` says nothing about the signature, discharges, or
    /// facts that this context does not have, such as a session.
    #[must_use]
    pub fn preflight(&self, macaroon: &Macaroon) -> Option<VerifyError> {
        let refused = |error: &_| !matches!(error, VerifyError::CaveatUnmet { why: Unmet::NotKnown, .. });
        let by_caveat = Judging::new(self).verdicts(None, macaroon).filter_map(Result::err).find(refused);
        let session_known = self.context.session != Session::None;
        by_caveat.or_else(|| self.judge_session(macaroon).err().filter(|_| session_known))
    }

    /// Judges the session of an access token: it must be that of the request, and none if that has none.
    fn judge_session(&self, macaroon: &Macaroon) -> Result<(), VerifyError> {
        let present = match &self.context.session {
            Session::Any => return Ok(()),
            Session::This(session) => Some(session.as_bytes()),
            Session::None => None,
        };
        let Some(bound) = identifier::session(macaroon.identifier()) else { return Ok(()) };
        if bound == present { Ok(()) } else { Err(VerifyError::WrongSession) }
    }
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("context", self.context)
            .field("supported", &self.supported)
            .field("ignored", &self.ignored)
            .field("judges", &self.judges.len())
            .finish_non_exhaustive()
    }
}

/// A verification whose signatures are confirmed, or a preflight.
struct Judging<'v> {
    verifier: &'v Verifier<'v>,
    request: Request<'v>,
    expires_at: Option<UnixTime>,
    legacy_type: Option<LegacyType>,
}

impl<'v> Judging<'v> {
    fn new(verifier: &'v Verifier<'v>) -> Self {
        let request = Request::new(verifier.context, verifier.now, verifier.service);
        Self { verifier, request, expires_at: None, legacy_type: None }
    }

    /// Judges each first-party caveat, in chain order.
    fn verdicts<'m>(
        &'m mut self,
        discharge: Option<usize>,
        macaroon: &'m Macaroon,
    ) -> impl Iterator<Item = Result<(), VerifyError>> + use<'m, 'v> {
        let parts = &macaroon.parts;
        let text = parts.text();
        let own = parts.caveats.iter().enumerate().filter(|(_, spans)| spans.third_party.is_none());
        own.map(move |(index, spans)| {
            let Span { start, end } = spans.identifier;
            let (bytes, read) = match text.and_then(|text| text.get(start..end)) {
                Some(text) => (text.as_bytes(), Predicate::read_text(text)),
                None => {
                    let bytes = parts.bytes(spans.identifier);
                    (bytes, Predicate::read(bytes))
                }
            };
            self.judge(Place { discharge, index }, bytes, read)
        })
    }

    fn judge(&mut self, at: Place, bytes: &[u8], read: Option<Predicate<'_>>) -> Result<(), VerifyError> {
        if let Some(Predicate::Time { valid_until }) = read {
            let valid_until = valid_until.to_time();
            self.expires_at = Some(self.expires_at.map_or(valid_until, |least| least.min(valid_until)));
        }
        if self.verifier.exact.contains(&bytes) {
            return Ok(());
        }
        let judgments = self.verifier.judges.iter().map(|judge| judge.judge(bytes));
        match { judgments }.find(|judgment| *judgment != Judgment::NotMine) {
            Some(Judgment::Satisfied) => return Ok(()),
            Some(Judgment::NotSatisfied(reason)) => {
                return Err(VerifyError::CaveatUnmet { at, why: Unmet::Other(reason) });
            }
            Some(Judgment::NotMine) | None => {}
        }
        // Judged by reference: moving it takes longer than judging it.
        let Some(predicate) = &read else { return Err(VerifyError::CaveatUnknown { at }) };
        let kind = CaveatTypes::of(predicate);
        if !self.verifier.supported.intersects(kind) {
            return Err(VerifyError::CaveatUnsupported { at });
        }
        if at.discharge.is_some() && predicate.is_enforced_later() {
            return Err(VerifyError::CaveatUnenforced { at });
        }
        if let Predicate::TokenType(stated) = *predicate {
            if self.verifier.stated.is_some_and(|asked| asked != stated) {
                return Err(VerifyError::WrongType { stated });
            }
            // A holder may append another type; the token is then refused everywhere.
            let first = match at.discharge {
                None => *self.legacy_type.get_or_insert(stated),
                Some(_) => self.legacy_type.unwrap_or(stated),
            };
            if first != stated {
                return Err(VerifyError::CaveatUnmet { at, why: Unmet::Refuted });
            }
        }
        if self.verifier.ignored.intersects(kind) {
            return Ok(());
        }
        self.request.judge(predicate).map_err(|why| VerifyError::CaveatUnmet { at, why })
    }
}

/// A verified macaroon: minted under the verifier's key, with caveats that all hold in its context. Only
/// [`Verifier::verify`], [`Verifier::verify_with`] and [`Verifier::verify_many`] make one.
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

    /// Returns the type in a version-2 identifier, with the target of an invitation. `None` for any other identifier.
    #[must_use]
    pub fn token_type(&self) -> Option<TokenType<&'t str>> {
        self.identifier()?.v2().map(|identifier| identifier.token_type)
    }

    /// Returns the type that a legacy token states in its caveats `tokenType = …`, which all agree. `None` if it has
    /// no such caveat, or if its identifier is not opaque.
    ///
    /// A caveat only restricts. If the issuer minted the token without this caveat, its holder may have appended any
    /// type. Prefer the issuer's record if there is one.
    #[must_use]
    pub fn legacy_type(&self) -> Option<LegacyType> {
        self.legacy_type.filter(|_| matches!(self.identifier(), Some(Identifier::Opaque(_))))
    }

    /// Returns the first second at which the token is expired: the earliest of all `time` caveats, also of the
    /// discharges. `None` if there is none.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}
