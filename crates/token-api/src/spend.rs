//! Spending.

use ring::digest;
use token_core::{Context, Subject};
use token_store::{ClaimId, GrantId, Held, Refund, Spend, TokenId, TokenStore, Use};

use crate::{
    AcceptError, Accepted, Authority, Decision, Failure, Host, Prepared, Purpose, Refusal,
    subject::entity,
    verify::{TokenInput, log},
};

/// A use that was taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Spent {
    /// The token.
    pub accepted: Accepted,
    /// The key under which the use is stored: a hash of the consumer and its claim.
    claim: ClaimId,
    /// The grant of this use; `None`: there is no use to give back.
    grant: Option<GrantId>,
    /// How many uses are left; `None`: no limit.
    pub uses_left: Option<u64>,
    /// Whether this call is a retry: an earlier call took the use under this claim, and this one took nothing.
    pub repeated: bool,
}

impl Spent {
    /// Returns the key of the claim and the grant under which the store keeps the use; `None` if there is no use to give
    /// back. With the id of the token, [`Authority::refund_grant`] takes them: for a caller that does not keep this value.
    #[must_use]
    pub fn use_taken(&self) -> Option<(&ClaimId, GrantId)> {
        Some((&self.claim, self.grant?))
    }
}

/// What the store says of a use.
struct Taken {
    uses_left: Option<u64>,
    grant: Option<GrantId>,
    repeated: bool,
}

/// A token was not spent, or the action that it was spent on failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpendError<E> {
    /// The token was not spent: it was refused, or the authority could not decide.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// The action failed.
    #[error("the action failed")]
    Action {
        /// The action's error.
        #[source]
        action: E,
        /// What became of the use.
        refund: Refund,
    },
    /// The action failed, and the refund failed too: retry it with [`Authority::refund`] and `spent`.
    #[error("the action failed, and the use could not be given back")]
    NotRefunded {
        /// The action's error.
        #[source]
        action: E,
        /// Why the refund failed.
        failure: Failure,
        /// The use to give back.
        spent: Box<Spent>,
    },
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Spends one use of a token for the context's consumer. Call it before the action that the use pays for: a crash
    /// then wastes at most a use, and never grants one twice.
    ///
    /// Idempotent per consumer and claim: the claim names the spend, and a retry under the same claim gets the same
    /// answer and takes no use. This holds even if the token has since been exhausted, revoked or has expired; its other
    /// caveats must hold for the retry as well. Retry after
    /// [`StoreError::Unknown`](token_store::StoreError::Unknown) or a lost reply. Another consumer gains nothing from
    /// this consumer's claim. Uses of a temporary token are not counted.
    ///
    /// [`Subject::Nobody`] has no claims, since its requests cannot be distinguished: each call takes another use, and
    /// a call whose outcome is unknown cannot be retried.
    ///
    /// The store keeps the consumer and the time with the claim ([`uses`](Self::uses)).
    ///
    /// # Errors
    /// [`AcceptError`], for example [`Failure::NoConsumer`] for a context without a consumer. After
    /// [`StoreError::Unknown`](token_store::StoreError::Unknown), retry under the same claim.
    pub fn spend(
        &self,
        token: &(impl TokenInput + ?Sized),
        expect: Purpose,
        claim: &ClaimId,
        context: &Context,
    ) -> Result<Spent, AcceptError> {
        let consumer = context.consumer.as_ref().ok_or(Failure::NoConsumer)?.as_deref();
        let prepared = self.prepare(token, Some(expect), context)?;
        let decision = match prepared.require_consumer(consumer) {
            Ok(()) => self.decide(&prepared, prepared.questions())?,
            // The second step refuses the token.
            Err(_) => Decision::Allowed,
        };
        self.spend_prepared(prepared, decision, claim)
    }

    /// Spends one use, runs the action, and gives the use back if the action fails.
    ///
    /// [`Spent::repeated`] says that this call is a retry: an earlier call may already have run the action. Once a
    /// claim has been retried, no failure gives its use back ([`Refund::Kept`]), since another call may have succeeded.
    /// If the process dies in between, or the action panics, the use stays spent.
    ///
    /// # Errors
    /// [`SpendError`], which carries the action's own error.
    pub fn spend_with<T, E>(
        &self,
        token: &(impl TokenInput + ?Sized),
        expect: Purpose,
        claim: &ClaimId,
        context: &Context,
        action: impl FnOnce(&Spent) -> Result<T, E>,
    ) -> Result<(Spent, T), SpendError<E>> {
        let spent = self.spend(token, expect, claim, context)?;
        match action(&spent) {
            Ok(done) => Ok((spent, done)),
            Err(action) => Err(match self.refund(&spent) {
                Ok(refund) => SpendError::Action { action, refund },
                Err(failure) => SpendError::NotRefunded { action, failure, spent: Box::new(spent) },
            }),
        }
    }
}

/// What needs no host.
impl<S: TokenStore, H> Authority<S, H> {
    /// Spends one use of a token that the host has decided about, for the consumer of the context that it was
    /// [prepared](Self::prepare) with. See [`spend`](Self::spend) for claims and retries.
    ///
    /// # Errors
    /// As [`spend`](Self::spend), and [`Failure::NoPurpose`] for a token that was prepared for any purpose.
    pub fn spend_prepared(
        &self,
        prepared: Prepared,
        decision: Decision,
        claim: &ClaimId,
    ) -> Result<Spent, AcceptError> {
        let consumer = prepared.spender()?;
        let taken = self.take_use(&prepared, consumer, decision, claim);
        let (claim, Taken { uses_left, grant, repeated }) =
            taken.inspect_err(|error| log(&prepared.accepted.token, error))?;
        let accepted = &prepared.accepted;
        tracing::info!(id = %accepted.id, purpose = %accepted.purpose, %consumer, repeated, "spent");
        let accepted = prepared.accepted;
        Ok(Spent { accepted, claim, grant, uses_left, repeated })
    }

    fn take_use(
        &self,
        prepared: &Prepared,
        consumer: Subject<&str>,
        decision: Decision,
        claim: &ClaimId,
    ) -> Result<(ClaimId, Taken), AcceptError> {
        let accepted = &prepared.accepted;
        if !accepted.stored {
            // A temporary token has no record, so its generation decides: read it from the store, past the cache.
            self.require_present_generation(&accepted.token)?;
        }
        let claim = match consumer {
            Subject::Nobody => self.draw_claim()?,
            consumer => claim_of(consumer, claim)?,
        };
        let valid = match &prepared.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => self
                .require_unexpired(accepted)
                .and_then(|()| prepared.require_consumer(consumer))
                .and_then(|()| Refusal::of(decision)),
        };
        let taken = match valid {
            Ok(()) if !accepted.stored => Taken { uses_left: None, grant: None, repeated: false },
            Ok(()) => {
                let consumer = (consumer != Subject::Nobody).then(|| entity(consumer));
                let by = Use { consumer, at: self.now() };
                match self.store.spend(&accepted.id, &claim, &by).map_err(Failure::from)? {
                    Spend::Spent { uses_left, grant, repeated } => Taken { uses_left, grant, repeated },
                    Spend::Exhausted => return Err(Refusal::Exhausted.into()),
                    Spend::Revoked => return Err(Refusal::Revoked.into()),
                    Spend::Absent => return Err(Refusal::Unknown.into()),
                }
            }
            // A use that was granted stays granted if the token became invalid afterwards: the consumer may
            // have lost the reply and acted all the same.
            Err(refusal) if accepted.stored && refusal.came_later() => {
                let held = self.store.claimed(&accepted.id, &claim).map_err(Failure::from)?;
                let Held { uses_left, grant, .. } = held.ok_or(refusal)?;
                Taken { uses_left: Some(uses_left), grant: Some(grant), repeated: true }
            }
            Err(refusal) => return Err(refusal.into()),
        };
        Ok((claim, taken))
    }

    /// Gives this use back. The caller vouches that the action has not happened and will not. A use whose claim has
    /// been retried stays spent ([`Refund::Kept`]). A second refund changes nothing ([`Refund::NotClaimed`]), even if
    /// the claim has been made anew in between.
    ///
    /// # Errors
    /// [`Failure`]; retry.
    pub fn refund(&self, spent: &Spent) -> Result<Refund, Failure> {
        let Some((claim, grant)) = spent.use_taken() else { return Ok(Refund::NotClaimed) };
        self.refund_grant(&spent.accepted.id, claim, grant)
    }

    /// Gives a use back as [`refund`](Self::refund) does, by the parts that [`Spent::use_taken`] returned.
    ///
    /// # Errors
    /// [`Failure`]; retry.
    pub fn refund_grant(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, Failure> {
        let refunded = self.store.refund(id, claim, grant)?;
        tracing::info!(%id, outcome = ?refunded, "refund");
        Ok(refunded)
    }

    /// Draws a random claim, for a spend that will not be retried.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn draw_claim(&self) -> Result<ClaimId, Failure> {
        Ok(ClaimId::new(self.draw()?.id)?)
    }
}

/// Hashes the consumer into its claim: the same claim of two consumers is two claims.
fn claim_of(consumer: Subject<&str>, claim: &ClaimId) -> Result<ClaimId, Failure> {
    let consumer = consumer.to_string();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"onetoken claim\0");
    context.update(&u64::try_from(consumer.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(consumer.as_bytes());
    context.update(claim.as_bytes());
    Ok(ClaimId::new(context.finish().as_ref())?)
}
