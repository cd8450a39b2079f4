//! Verifying.

use std::{borrow::Cow, cmp::Ordering};

use token_core::{
    Context, DecodeError, DecodeOptions, Finding, Identifier, IdentifierV2, Persistence, RootKey, Service,
    Subject, Token, TokenType, UnixTime, Verified, Verifier, VerifyError,
};
use token_store::{Entity, Generation, StoreError, TokenId, TokenStore};

use crate::{
    AcceptError, Authority, Failure, Host, Purpose, Refusal,
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
    /// Does not spend it: [`Accepted::uses_left`] says whether a use is left.
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
        let token = self.decode(token)?;
        let judged = self.judge(&token, expect, context, S::generation);
        let accepted = judged.and_then(|(accepted, valid)| Ok(valid.map(|()| accepted)?));
        match &accepted {
            Ok(accepted) => tracing::debug!(id = %accepted.id, purpose = %accepted.purpose, "accepted"),
            Err(error) => log(&token, error),
        }
        accepted
    }

    /// Verifies many tokens as [`verify`](Self::verify) does, and returns the answers in their order. With the feature
    /// `rayon`, its threads share the work; the answers are the same.
    pub fn verify_many(
        &self,
        tokens: &[impl TokenInput + Sync],
        expect: Option<Purpose>,
        context: &Context,
    ) -> Vec<Result<Accepted, AcceptError>> {
        let verify = |token| self.verify(token, expect, context);
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            /// A token takes some microseconds to verify, and about one to hand to another thread.
            const LEAST_AT_ONCE: usize = 16;
            tokens.par_iter().with_min_len(LEAST_AT_ONCE).map(verify).collect()
        }
        #[cfg(not(feature = "rayon"))]
        tokens.iter().map(verify).collect()
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
        let explanation = self.issued(token, context, S::generation).and_then(|(_, issued)| {
            let verifier = issued.verifier(&token.identifier(), context).at(self.later(context));
            Ok(verifier.explain(token.macaroon(), &[], &issued.key).map_err(Refusal::from)?)
        });
        let caveats = explanation.inspect_err(|error| log(token, error))?.findings;
        Ok(Explained { caveats, answer: self.verify(token, expect, context) })
    }

    /// Decodes the token if it came as a text.
    pub(crate) fn decode<'t>(
        &self,
        token: &'t (impl TokenInput + ?Sized),
    ) -> Result<Cow<'t, Token>, Refusal> {
        let token = token.token(&self.decoding()).map_err(Refusal::from);
        token.inspect_err(|reason| tracing::warn!(%reason, "refused"))
    }

    /// Confirms that the token was minted here, and only then judges whether it is valid now. Returns an authentic token
    /// even if it is refused: a spend may have an earlier answer for it.
    pub(crate) fn judge(
        &self,
        token: &Token,
        expect: Option<Purpose>,
        context: &Context,
        read: ReadGeneration<S>,
    ) -> Result<(Accepted, Result<(), Refusal>), AcceptError> {
        let identifier = token.identifier();
        let (id, issued) = self.issued(token, context, read)?;
        let now = self.later(context);
        let verifier = issued.verifier(&identifier, context).at(now);
        let verified = verifier.verify(token.macaroon(), &issued.key);
        if let Err(VerifyError::BadSignature) = verified {
            return Err(Refusal::Verify(VerifyError::BadSignature).into());
        }
        // It was minted here. Is it the expected one, and valid now?
        if !issued.agrees(&identifier) {
            let what = "a record contradicts the token that it is about";
            return Err(Failure::Store(StoreError::Corrupt { what }).into());
        }
        if expect.is_some_and(|expect| expect != issued.purpose) {
            return Err(Refusal::WrongType { found: issued.purpose }.into());
        }
        let by_caveats = verified.as_ref().ok().and_then(Verified::expires_at);
        let valid = match issued.expires.filter(|at| *at <= now) {
            _ if issued.revoked => Err(Refusal::Revoked),
            Some(at) => Err(Refusal::Expired { at }),
            None => verified.map(drop).map_err(Refusal::from),
        };
        let accepted = Accepted {
            token: token.clone(),
            id,
            purpose: issued.purpose,
            resource: issued.resource,
            issuer: issued.issuer,
            expires_at: issued.expires.into_iter().chain(by_caveats).min(),
            stored: issued.stored,
            uses_left: issued.uses_left,
        };
        Ok((accepted, valid))
    }

    /// Looks up how the token was issued. Refuses one that this authority cannot have minted.
    fn issued(
        &self,
        token: &Token,
        context: &Context,
        read: ReadGeneration<S>,
    ) -> Result<(TokenId, Issued), AcceptError> {
        // A forger can write an id or a subject of any length, so they are checked before they are copied, looked up or
        // cached.
        let identifier = token.identifier();
        if identifier.id().len() > TokenId::MAX_LEN {
            return Err(Refusal::Unknown.into());
        }
        let id = TokenId::new(identifier.id()).map_err(|_| Refusal::Unknown)?;
        let issued = match identifier.v2() {
            Some(&IdentifierV2 {
                persistence: Persistence::Temporary { generation },
                subject,
                token_type,
                ..
            }) => self.temporary(subject, generation, token_type, read),
            _ => self.stored(&id),
        };
        // A token that is not known here takes the same work as a forged one.
        if let Err(AcceptError::Refused(_)) = issued {
            let _ = Verifier::new(context).verify(token.macaroon(), &self.decoy_key()?);
        }
        Ok((id, issued?))
    }

    /// The later of the context's time and the authority's: a stale context must not revive a token that has expired in
    /// the meantime.
    fn later(&self, context: &Context) -> UnixTime {
        context.now.max(self.now())
    }

    /// Looks a token with a record up.
    fn stored(&self, id: &TokenId) -> Result<Issued, AcceptError> {
        let record = self.store.get(id).map_err(Failure::from)?.ok_or(Refusal::Unknown)?;
        // The first check: a record that was edited without the key ring does not open.
        let key = self.keys.open(&record.root_key, record.owner()).map_err(Failure::from)?;
        Ok(Issued {
            key,
            purpose: record.purpose,
            resource: record.resource,
            issuer: subject::issuer(record.issuer).ok_or(Failure::UnknownIssuer)?,
            expires: record.expires,
            revoked: record.revocation.is_some(),
            stored: true,
            uses_left: record.use_limit.map(|limit| limit.get().saturating_sub(record.uses)),
        })
    }

    /// Looks the key of a temporary token up; the identifier says the rest.
    fn temporary(
        &self,
        subject: Subject<&str>,
        generation: u64,
        token_type: TokenType<&str>,
        read: ReadGeneration<S>,
    ) -> Result<Issued, AcceptError> {
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
        let (purpose, resource) = purpose_of(token_type);
        Ok(Issued {
            key,
            purpose,
            resource: resource.map(|(kind, id)| Entity { kind: kind.to_owned(), id: id.to_owned() }),
            issuer: subject.into_owned(),
            expires: None,
            revoked: false,
            stored: false,
            uses_left: None,
        })
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

/// The facts of a token as it was issued: from its record, or from its generation and its identifier.
struct Issued {
    key: RootKey,
    purpose: Purpose,
    resource: Option<Entity>,
    issuer: Subject,
    expires: Option<UnixTime>,
    revoked: bool,
    stored: bool,
    uses_left: Option<u64>,
}

impl Issued {
    /// A verifier of the token, which judges by the context's time.
    fn verifier<'c>(&self, identifier: &Identifier<'_>, context: &'c Context) -> Verifier<'c> {
        Verifier::new(context)
            .serving(context.service.as_ref().map_or(Service::ONEZONE, Service::as_deref))
            .supporting(self.purpose.caveat_types(identifier, context.scope))
            .stating(self.purpose.legacy_type(identifier))
    }

    /// Whether the token's identifier agrees with these facts, as far as it states any.
    fn agrees(&self, identifier: &Identifier<'_>) -> bool {
        let Some(stated) = identifier.v2() else {
            return matches!(self.purpose, Purpose::GroupSpaces | Purpose::SpaceSupport);
        };
        let (purpose, resource) = purpose_of(stated.token_type);
        let same_resource = match (&self.resource, resource) {
            (Some(resource), Some((kind, id))) => resource.kind == kind && resource.id == id,
            (resource, stated) => resource.is_none() && stated.is_none(),
        };
        self.purpose == purpose && same_resource && self.issuer.as_deref() == stated.subject
    }
}

/// The purpose of a token of this type, and the kind and id of its resource.
fn purpose_of(token_type: TokenType<&str>) -> (Purpose, Option<(&'static str, &str)>) {
    let resource = match token_type {
        TokenType::Invite { invite, target } => Some((invite.target_kind(), target)),
        _ => None,
    };
    (token_type.purpose(), resource)
}
