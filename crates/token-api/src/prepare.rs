//! Verifying and spending in two steps, for a host that cannot be called back.

use token_core::{Context, InviteConsumer, Purpose, Scope, Service, Subject};
use token_store::TokenStore;

use crate::{
    AcceptError, Accepted, Authority, Decision, Failure, Question, Refusal,
    host::{Host, decide},
    verify::{TokenInput, log},
};

/// A token that [`Authority::prepare`] found valid, up to the decision of the host.
///
/// Use it soon, and with the authority that prepared it. [`Authority::accept_prepared`] and
/// [`Authority::spend_prepared`] judge again whether the token has expired. A spend also asks the store whether the token
/// was revoked, deleted or spent up. They do not judge again what the caller knew at the first step: the facts of the
/// [`Context`], and the answers to the questions. So ask the questions after the first step, and prepare a token again
/// for another request.
#[derive(Clone, Debug)]
#[must_use]
pub struct Prepared {
    pub(crate) accepted: Accepted,
    /// Why the token is refused, although an earlier spend of the same claim stands.
    pub(crate) refusal: Option<Refusal>,
    consumer: Option<Subject>,
    service: Option<Service>,
    expect: Option<Purpose>,
    scope: Scope,
}

impl Prepared {
    /// Takes an authentic token, and why it is refused nevertheless.
    pub(crate) fn new(
        accepted: Accepted,
        refusal: Option<Refusal>,
        expect: Option<Purpose>,
        context: &Context,
    ) -> Self {
        Self {
            accepted,
            refusal,
            consumer: context.consumer.clone(),
            service: context.service.clone(),
            expect,
            scope: context.scope,
        }
    }

    /// Returns what the host has to decide. No questions: the token is refused, and the second step says so, unless a
    /// spend under the same claim was granted before ([`Authority::spend`]).
    pub fn questions(&self) -> impl Iterator<Item = Question<'_>> {
        self.about_subject().into_iter().chain(self.about_grant())
    }

    pub(crate) fn about_subject(&self) -> Option<Question<'_>> {
        let proves_identity = self.expect == Some(Purpose::Identity) || self.scope == Scope::IdentityToken;
        let acts = self.accepted.purpose == Purpose::Access && !proves_identity;
        let service = || self.service.as_ref().map_or(Service::ONEZONE, Service::as_deref);
        let question =
            Question::Subject { subject: self.accepted.issuer.as_deref(), service: acts.then(service) };
        self.refusal.is_none().then_some(question)
    }

    fn about_grant(&self) -> Option<Question<'_>> {
        let Accepted { issuer, purpose, resource, .. } = &self.accepted;
        let resource = resource.as_ref().filter(|_| self.refusal.is_none())?;
        Some(Question::Grant { issuer: issuer.as_deref(), purpose: *purpose, resource })
    }

    /// Returns the token's facts before the host has decided: enough to look them up, not to act on them.
    #[must_use]
    pub const fn undecided(&self) -> &Accepted {
        &self.accepted
    }

    /// Returns the consumer that spends the token.
    pub(crate) fn spender(&self) -> Result<Subject<&str>, Failure> {
        match (&self.consumer, self.expect) {
            (Some(consumer), Some(_)) => Ok(consumer.as_deref()),
            (None, _) => Err(Failure::NoConsumer),
            (_, None) => Err(Failure::NoPurpose),
        }
    }

    /// Checks that a consumer of this kind may spend the token.
    pub(crate) fn require_consumer(&self, consumer: Subject<&str>) -> Result<(), Refusal> {
        let needed = self.accepted.purpose.consumer();
        let fits = match needed {
            InviteConsumer::User => matches!(consumer, Subject::User(_)),
            InviteConsumer::Provider => matches!(consumer, Subject::Provider(_)),
            InviteConsumer::Anyone => true,
        };
        if fits { Ok(()) } else { Err(Refusal::WrongConsumer { needed }) }
    }
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Asks the host about the subject of a token that is valid otherwise.
    pub(crate) fn accept(&self, prepared: Prepared) -> Result<Accepted, AcceptError> {
        let decision = self.decide(&prepared, prepared.about_subject())?;
        self.accept_prepared(prepared, decision)
    }

    /// Asks the host about a token.
    pub(crate) fn decide<'a>(
        &self,
        prepared: &Prepared,
        questions: impl IntoIterator<Item = Question<'a>>,
    ) -> Result<Decision, AcceptError> {
        let decision = decide(&self.host, questions).map_err(Failure::from).map_err(AcceptError::from);
        decision.inspect_err(|error| log(&prepared.accepted.token, error))
    }
}

/// What needs no host.
impl<S: TokenStore, H> Authority<S, H> {
    /// Verifies a token up to the decision of the host, which the second step takes:
    /// [`accept_prepared`](Self::accept_prepared) or [`spend_prepared`](Self::spend_prepared). The parameters are those
    /// of [`verify`](Self::verify). The consumer of a spend is that of the context. To spend the token, name the purpose
    /// that is expected.
    ///
    /// ```
    /// use token_api::{
    ///     Authority, ClaimId, Config, Decision, KeyRing, MemoryStore, MintRequest, Purpose, Question, Subject,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let authority: Authority<_> = Authority::new(MemoryStore::new(), KeyRing::generate()?, (), Config::default())?;
    /// let request = MintRequest::space_support("s1", Subject::User("u1"));
    /// let minted = authority.mint_decided(&request, Decision::Allowed)?;
    ///
    /// let mut context = authority.context();
    /// context.consumer = Some(Subject::Provider("p1".into()));
    /// let prepared = authority.prepare(&minted.token, Some(Purpose::SpaceSupport), &context)?;
    /// // Send the questions to the host, and wait for its decision on any thread.
    /// for question in prepared.questions() {
    ///     match question {
    ///         Question::Subject { subject, .. } => assert_eq!(subject, Subject::User("u1")),
    ///         Question::Grant { resource, .. } => assert_eq!(resource.id, "s1"),
    ///         _ => unreachable!(),
    ///     }
    /// }
    /// let spent = authority.spend_prepared(prepared, Decision::Allowed, &ClaimId::new("request 1")?)?;
    /// assert_eq!(spent.uses_left, Some(0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AcceptError`]
    pub fn prepare(
        &self,
        token: &(impl TokenInput + ?Sized),
        expect: Option<Purpose>,
        context: &Context,
    ) -> Result<Prepared, AcceptError> {
        let token = self.decode(token)?;
        let judged = self.judge(&token, expect, context);
        let (accepted, refusal) = judged.inspect_err(|error| log(&token, error))?;
        Ok(Prepared::new(accepted(token.into_owned()), refusal, expect, context))
    }

    /// Accepts a token that the host has decided about, without spending it.
    ///
    /// # Errors
    /// [`AcceptError`]
    pub fn accept_prepared(&self, prepared: Prepared, decision: Decision) -> Result<Accepted, AcceptError> {
        let Prepared { accepted, refusal, .. } = prepared;
        let valid = match refusal {
            Some(refusal) => Err(refusal),
            None => self.require_unexpired(&accepted).and_then(|()| Refusal::of(decision)),
        };
        let valid = valid.map_err(AcceptError::from).inspect_err(|error| log(&accepted.token, error));
        valid?;
        tracing::debug!(id = %accepted.id, purpose = %accepted.purpose, "accepted");
        Ok(accepted)
    }

    /// Refuses a token that has expired since it was prepared.
    pub(crate) fn require_unexpired(&self, accepted: &Accepted) -> Result<(), Refusal> {
        accepted.expires_at.filter(|at| *at <= self.now()).map_or(Ok(()), |at| Err(Refusal::Expired { at }))
    }
}
