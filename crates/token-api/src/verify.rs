//! Verifying.

use std::{borrow::Cow, cmp::Ordering};

use token_core::{
    CaveatTypes, Confirmed, Context, DecodeError, DecodeOptions, Finding, Identifier, LegacyType,
    Persistence, RootKey, Scope, Service, Subject, Token, TokenType, UnixTime, Verified, Verifier,
    VerifyError,
};
use token_store::{Entity, Generation, StoreError, TokenId, TokenStore};

use crate::{
    AcceptError, Authority, Failure, Host, Purpose, Refusal, body,
    error::report,
    subject::{self, entity, is_issuer},
};

/// A token that a call is given: a text, or a [`Token`] that the caller has decoded.
pub trait TokenInput {
    /// Returns the token. The options are for decoding a text.
    ///
    /// # Errors
    /// [`DecodeError`] for a text that is not a token.
    fn token(&self, options: &DecodeOptions) -> Result<Cow<'_, Token>, DecodeError>;
}

impl TokenInput for Token {
    fn token(&self, _: &DecodeOptions) -> Result<Cow<'_, Token>, DecodeError> {
        Ok(Cow::Borrowed(self))
    }
}

impl TokenInput for str {
    fn token(&self, options: &DecodeOptions) -> Result<Cow<'_, Token>, DecodeError> {
        Token::decode(self, options).map(Cow::Owned)
    }
}

impl TokenInput for String {
    fn token(&self, options: &DecodeOptions) -> Result<Cow<'_, Token>, DecodeError> {
        self.as_str().token(options)
    }
}

impl<T: TokenInput + ?Sized> TokenInput for &T {
    fn token(&self, options: &DecodeOptions) -> Result<Cow<'_, Token>, DecodeError> {
        (**self).token(options)
    }
}

/// A token that was accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The token, with the caveats that the host has to enforce after verification
    /// ([`Predicate::is_enforced_later`](token_core::Predicate::is_enforced_later)) among others.
    pub token: Token,
    /// The id under which the token is stored, spent and revoked.
    pub id: TokenId,
    /// What the token is for.
    pub purpose: Purpose,
    /// The resource that it grants access to.
    pub resource: Option<Entity>,
    /// The subject that the token acts for, or that invites.
    pub issuer: Subject,
    /// When it expires: the earliest time among its record and its caveats. From then on it is refused.
    pub expires_at: Option<UnixTime>,
    /// Whether it has a record, so that its uses are counted.
    pub stored: bool,
    /// How many uses its record had left when it was read; `None`: no limit, or no record. Other calls may spend
    /// them in the meantime: only [`Authority::spend`] decides.
    pub uses_left: Option<u64>,
    /// The privileges that it carries, as its request gave them ([`MintRequest::privileges`]).
    ///
    /// [`MintRequest::privileges`]: crate::MintRequest::privileges
    pub privileges: Vec<u8>,
}

/// What a verification made of each caveat of a token that was minted here.
///
/// For an operator: it shows facts of the request, so it is not for the bearer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explained<'t> {
    /// The first-party caveats, in the order in which they are judged.
    pub caveats: Vec<Finding<'t>>,
    /// The answer of [`Authority::verify`], which also judges the record: whether the token is revoked, for example.
    pub answer: Result<Accepted, AcceptError>,
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Verifies a token for a request. Refuses a token for another purpose than `expect`; `None` accepts any purpose.
    /// Does not spend it: [`Accepted::uses_left`] says whether a use is left. Asks the host about the subject
    /// ([`Host::standing`]).
    ///
    /// [`Purpose::Identity`] also accepts an access token of a provider that is bound to no session, as Onezone does. It
    /// may then carry the caveats of [`Scope::IdentityToken`], under any scope of the context.
    /// [`Accepted::purpose`] stays [`Purpose::Access`].
    ///
    /// Make the context with [`Authority::context`]. A context without a service stands for Onezone itself. The
    /// authority judges by the later of the context's time and its own: a stale context does not revive an expired
    /// token, and a context from the future expires tokens early.
    ///
    /// Refuses an access token that is bound to another session than that of the context (`act:SESSION`). A context has
    /// none unless the host sets it.
    ///
    /// # Errors
    /// [`AcceptError`], which distinguishes a refused token from an authority that failed.
    pub fn verify(
        &self,
        token: &(impl TokenInput + ?Sized),
        expect: Option<Purpose>,
        context: &Context,
    ) -> Result<Accepted, AcceptError> {
        self.accept(self.prepare(token, expect, context)?)
    }

    /// Explains to an operator what [`verify`](Self::verify) answers: judges every caveat, also those behind the first
    /// that does not hold. Looks the token up once more for that.
    ///
    /// # Errors
    /// [`AcceptError`] while the signature is not confirmed. So a forger learns nothing.
    pub fn explain<'t>(
        &self,
        token: &'t Token,
        expect: Option<Purpose>,
        context: &Context,
    ) -> Result<Explained<'t>, AcceptError> {
        let explanation = self.look_up(token).map_err(AcceptError::from).and_then(|(key, issued)| {
            // An unknown token takes the same work as a forged one.
            let (_, issued) = issued.inspect_err(|_| {
                let _ = Verifier::new(context).confirm(token.macaroon(), &key);
            })?;
            let identifier = token.identifier();
            let judged_in = issued.context(&identifier, expect, context);
            let verifier = issued.verifier(&identifier, &judged_in).at(self.later(context));
            Ok(verifier.explain(token.macaroon(), &[], &key).map_err(Refusal::from)?)
        });
        let caveats = explanation.inspect_err(|error| log(token, error))?.findings;
        Ok(Explained { caveats, answer: self.verify(token, expect, context) })
    }
}

/// What needs no host.
impl<S: TokenStore, H> Authority<S, H> {
    /// Decodes the token if it came as a text.
    pub(crate) fn decode<'t>(
        &self,
        token: &'t (impl TokenInput + ?Sized),
    ) -> Result<Cow<'t, Token>, Refusal> {
        token.token(&self.decoding()).map_err(|error| {
            tracing::warn!(reason = %error, "refused");
            Refusal::Malformed(error)
        })
    }

    /// Confirms that the token was minted here, and only then judges whether it is valid now. Returns an authentic token
    /// with a record even if it is refused for a reason that came later, and the reason: a spend may have an earlier answer.
    /// The caller gives the token itself, which then need not be copied.
    pub(crate) fn judge(
        &self,
        token: &Token,
        expect: Option<Purpose>,
        context: &Context,
    ) -> Result<(impl FnOnce(Token) -> Accepted + use<S, H>, Option<Refusal>), AcceptError> {
        let (key, issued) = self.look_up(token)?;
        let confirmed = Verifier::new(context).confirm(token.macaroon(), &key);
        let (id, issued) = issued?;
        let Judged { expires_at, refusal } =
            self.judge_issued(token, &issued, confirmed, expect, context, self.later(context))?;
        Ok((move |token| issued.accepted(id, token, expires_at), refusal))
    }

    /// Judges a token that was issued here, and whose signature was compared under the key that the look-up returned.
    pub(crate) fn judge_issued(
        &self,
        token: &Token,
        issued: &Issued,
        confirmed: Result<Confirmed<'_>, VerifyError>,
        expect: Option<Purpose>,
        context: &Context,
        now: UnixTime,
    ) -> Result<Judged, AcceptError> {
        if let Err(VerifyError::BadSignature) = confirmed {
            return Err(Refusal::Verify(VerifyError::BadSignature).into());
        }
        let identifier = token.identifier();
        let context = issued.context(&identifier, expect, context);
        let verifier = issued.verifier(&identifier, &context);
        let judged_at = |now| confirmed.clone().and_then(|confirmed| verifier.at(now).judge(confirmed));
        let verified = judged_at(now);
        // It was minted here. Is it the expected one, and valid now?
        if !issued.agrees {
            let what = "a record contradicts the token that it is about";
            return Err(Failure::Store(StoreError::Corrupt { what }).into());
        }
        let is_other = expect.is_some_and(|expect| expect != issued.purpose);
        if is_other && !issued.proves_identity(&identifier, expect) {
            return Err(Refusal::WrongType { found: issued.purpose }.into());
        }
        let by_caveats = verified.as_ref().ok().and_then(Verified::expires_at);
        let valid = match issued.expires.filter(|at| *at <= now) {
            _ if issued.revoked => Err(Refusal::Revoked),
            Some(at) => Err(Refusal::Expired { at }),
            None => verified.map(drop).map_err(Refusal::from),
        };
        let refusal = match valid {
            Ok(()) => None,
            Err(refusal) => {
                // An earlier spend stands for a request that the other caveats allow, as before the refusal.
                let timeless = || judged_at(UnixTime::from_secs(0));
                if !(issued.stored && refusal.came_later() && timeless().is_ok()) {
                    return Err(refusal.into());
                }
                Some(refusal)
            }
        };
        Ok(Judged { expires_at: issued.expires.into_iter().chain(by_caveats).min(), refusal })
    }

    /// Confirms that the generation that signed a temporary token is in force in the store itself, past any cache.
    pub(crate) fn require_present_generation(&self, token: &Token) -> Result<(), AcceptError> {
        let identifier = token.identifier();
        let (subject, generation, token_type) = temporary_of(&identifier).ok_or(Refusal::Unknown)?;
        let (key, _) = self.temporary(subject, generation, token_type, S::present_generation)?;
        // The generation may have been deleted and begun again under the same number. The caveats were judged before.
        match Verifier::new(&self.context()).confirm(token.macaroon(), &key) {
            Err(VerifyError::BadSignature) => Err(Refusal::Verify(VerifyError::BadSignature).into()),
            _ => Ok(()),
        }
    }

    /// Looks up how the token was issued, and the key under which its signature must be confirmed. A token that this
    /// authority cannot have minted gets the key of a decoy, so that it takes the same work as a forged one.
    pub(crate) fn look_up(&self, token: &Token) -> Result<(RootKey, LookedUp), Failure> {
        match self.issued(token) {
            Ok((key, id, issued)) => Ok((key, Ok((id, issued)))),
            Err(AcceptError::Refused(refusal)) => Ok((self.decoy_key()?, Err(refusal))),
            Err(AcceptError::Failed(failure)) => Err(failure),
        }
    }

    fn issued(&self, token: &Token) -> Result<(RootKey, TokenId, Issued), AcceptError> {
        // A forger can write an id or a subject of any length, so they are checked before they are copied, looked up or
        // cached.
        let identifier = token.identifier();
        if identifier.id().len() > TokenId::MAX_LEN {
            return Err(Refusal::Unknown.into());
        }
        let id = TokenId::new(identifier.id()).map_err(|_| Refusal::Unknown)?;
        let (key, issued) = match temporary_of(&identifier) {
            Some((subject, generation, token_type)) => {
                self.temporary(subject, generation, token_type, S::generation)
            }
            None => self.stored(&id, &identifier),
        }?;
        Ok((key, id, issued))
    }

    /// The later of the context's time and the authority's: a stale context must not revive a token that has expired in
    /// the meantime.
    pub(crate) fn later(&self, context: &Context) -> UnixTime {
        context.now.max(self.now())
    }

    /// Looks a token with a record up.
    fn stored(&self, id: &TokenId, identifier: &Identifier<'_>) -> Result<(RootKey, Issued), AcceptError> {
        let Some(record) = self.store.get(id).map_err(Failure::from)? else {
            return Err(Refusal::Unknown.into());
        };
        // The first check: a record that was edited without the key ring does not open.
        let key = self.keys.open(&record.root_key, record.owner()).map_err(Failure::from)?;
        let head = body::head(&record)?;
        let (kind, stated) = (record.issuer.known_kind(), head.identifier(&record)?);
        let agrees = stated.as_ref() == Some(identifier);
        let (legacy_type, privileges) = (head.legacy_type(), head.privileges.to_vec());
        let issued = Issued {
            agrees,
            legacy_type,
            privileges,
            revoked: record.is_revoked(),
            issuer: subject::of_kind(kind, record.issuer.id)?,
            uses_left: record.use_limit.map(|limit| limit.get().saturating_sub(record.uses)),
            stored: true,
            expires: record.expires,
            purpose: record.purpose,
            resource: record.resource,
        };
        Ok((key, issued))
    }

    /// Looks the key of a temporary token up; the identifier says the rest.
    fn temporary(
        &self,
        subject: Subject<&str>,
        generation: u64,
        token_type: TokenType<&str>,
        read: ReadGeneration<S>,
    ) -> Result<(RootKey, Issued), AcceptError> {
        if !is_issuer(subject) {
            return Err(Refusal::Unknown.into());
        }
        let owner = entity(subject);
        let present = read(&self.store, &owner).map_err(Failure::from)?.ok_or(Refusal::Unknown)?;
        match present.number.cmp(&generation) {
            Ordering::Less => return Err(Refusal::Unknown.into()),
            // That generation's secret is gone, so a token cannot be distinguished from a forgery.
            Ordering::Greater => return Err(Refusal::Revoked.into()),
            Ordering::Equal => {}
        }
        let key = self.open_generation(&owner, &present)?;
        let resource = match token_type {
            TokenType::Invite { invite, target } => {
                Some(Entity { kind: invite.target_kind().into(), id: target.to_owned() })
            }
            _ => None,
        };
        let issued = Issued {
            agrees: true,
            legacy_type: None,
            privileges: Vec::new(),
            purpose: token_type.purpose(),
            resource,
            issuer: subject.into_owned(),
            expires: None,
            revoked: false,
            stored: false,
            uses_left: None,
        };
        Ok((key, issued))
    }
}

/// Logs the reason under the token's id.
pub(crate) fn log(token: &Token, error: &AcceptError) {
    let identifier = token.identifier();
    let id = identifier.id().get(..TokenId::MAX_LEN).unwrap_or(identifier.id()).escape_ascii();
    match error {
        AcceptError::Refused(reason) => tracing::warn!(%id, %reason, "refused"),
        AcceptError::Failed(reason) => tracing::error!(%id, reason = report(reason), "failed"),
    }
}

/// Reads the generation of a subject: possibly from a cache, or from the store itself.
type ReadGeneration<S> = fn(&S, &Entity) -> Result<Option<Generation>, StoreError>;

/// The id and the facts of a token that was issued here, or why it cannot be one.
pub(crate) type LookedUp = Result<(TokenId, Issued), Refusal>;

/// How an authentic token was judged.
pub(crate) struct Judged {
    /// When it expires: the earliest time among its record and its caveats.
    pub(crate) expires_at: Option<UnixTime>,
    /// Why it is refused, although an earlier spend of the same claim stands.
    pub(crate) refusal: Option<Refusal>,
}

/// The facts of a token as it was issued: from its record, or from its generation and its identifier.
pub(crate) struct Issued {
    /// Whether the token's identifier says the same as its record.
    agrees: bool,
    /// The type that a legacy token states.
    legacy_type: Option<LegacyType>,
    privileges: Vec<u8>,
    purpose: Purpose,
    resource: Option<Entity>,
    issuer: Subject,
    expires: Option<UnixTime>,
    revoked: bool,
    stored: bool,
    uses_left: Option<u64>,
}

impl Issued {
    /// The token with these facts, once it is judged.
    pub(crate) fn accepted(self, id: TokenId, token: Token, expires_at: Option<UnixTime>) -> Accepted {
        Accepted {
            token,
            id,
            purpose: self.purpose,
            resource: self.resource,
            issuer: self.issuer,
            expires_at,
            stored: self.stored,
            uses_left: self.uses_left,
            privileges: self.privileges,
        }
    }

    /// Whether the token is to prove the identity of a provider, and is its access token that is bound to no session.
    fn proves_identity(&self, identifier: &Identifier<'_>, expect: Option<Purpose>) -> bool {
        let bound = identifier
            .v2()
            .is_some_and(|stated| matches!(stated.token_type, TokenType::Access { session: Some(_) }));
        expect == Some(Purpose::Identity)
            && self.purpose == Purpose::Access
            && matches!(self.issuer, Subject::Provider(_))
            && !bound
    }

    /// The context to judge the token in. A provider's access token that proves its identity is judged as such.
    fn context<'c>(
        &self,
        identifier: &Identifier<'_>,
        expect: Option<Purpose>,
        context: &'c Context,
    ) -> Cow<'c, Context> {
        let mut context = Cow::Borrowed(context);
        if self.proves_identity(identifier, expect) {
            context.to_mut().scope = Scope::IdentityToken;
        }
        context
    }

    /// A verifier of the token, which judges by the context's time.
    fn verifier<'c>(&self, identifier: &Identifier<'_>, context: &'c Context) -> Verifier<'c> {
        let supported = match self.legacy_type {
            Some(_) => CaveatTypes::LEGACY_INVITE,
            None => self.purpose.caveat_types(identifier, context.scope),
        };
        Verifier::new(context)
            .serving(context.service.as_ref().map_or(Service::ONEZONE, Service::as_deref))
            .supporting(supported)
            .stating(self.legacy_type.or_else(|| self.purpose.legacy_type(identifier)))
    }
}

/// The subject, the generation and the type that the identifier of a temporary token states.
fn temporary_of<'a>(identifier: &Identifier<'a>) -> Option<(Subject<&'a str>, u64, TokenType<&'a str>)> {
    let stated = identifier.v2()?;
    match stated.persistence {
        Persistence::Temporary { generation } => Some((stated.subject, generation, stated.token_type)),
        Persistence::Named => None,
    }
}
