//! Verifying and spending.

use std::cmp::Ordering;

use token_core::{
    Context, Identifier, IdentifierV2, InviteConsumer, Persistence, RootKey, Service, Subject, Token,
    TokenType, UnixTime, Verifier, VerifyError,
};
use token_store::{ClaimId, Entity, Owner, Redeem, Refund, StoreError, TokenId, TokenStore};

use crate::{
    Authority, CheckError, ConsumeError, Failure, Host, Kind, MintError, Refusal,
    authority::{entity, subject},
};

/// A token that was accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The token, with the caveats that are enforced after verification (`api`, `data.…`) among others.
    pub token: Token,
    /// The id that it is stored, spent and revoked under.
    pub id: TokenId,
    /// What it is for.
    pub kind: Kind,
    /// What it is about.
    pub resource: Option<Entity>,
    /// Who it speaks for, or who invites.
    pub issuer: Entity,
    /// From when on it is worth nothing: the least of what its record and its caveats say.
    pub expires_at: Option<UnixTime>,
    /// Whether it is stored, so that its uses are counted.
    pub stored: bool,
}

/// A use that was taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Consumed {
    /// The token.
    pub accepted: Accepted,
    /// The claim that holds the use.
    pub claim: ClaimId,
    /// How many uses are left; `None`: without limit.
    pub uses_left: Option<u64>,
    /// Whether the claim had been made before, so that this call took nothing.
    pub repeated: bool,
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Whether a token is good for a request. It is not spent, and whether uses are left is not asked.
    ///
    /// Make the context with [`Authority::context`]. A context without a service stands for Onezone itself.
    ///
    /// # Errors
    /// [`CheckError`], which keeps a bad token and an authority that cannot work apart.
    pub fn verify(
        &self,
        text: &str,
        expect: Option<Kind>,
        context: &Context<'_>,
    ) -> Result<Accepted, CheckError> {
        let token = self.decode(text).inspect_err(|refusal| {
            tracing::warn!(reason = %refusal, "refused");
        })?;
        let id = TokenId::new(token.identifier().id());
        let checked = match &id {
            // Nothing was ever stored under an id of such a length.
            Err(_) => Err(Refusal::Unknown.into()),
            Ok(id) => self.check(&token, id, expect, context),
        };
        match (checked, id) {
            (Ok(found), Ok(id)) => {
                tracing::debug!(%id, kind = %found.kind, "accepted");
                Ok(Accepted {
                    token,
                    id,
                    kind: found.kind,
                    resource: found.resource,
                    issuer: found.issuer,
                    expires_at: found.expires_at,
                    stored: found.stored,
                })
            }
            (Err(error), id) => {
                let id = id.map_or_else(|_| "(too long)".to_owned(), |id| id.to_string());
                match &error {
                    CheckError::Refused(reason) => tracing::warn!(id, %reason, "refused"),
                    CheckError::Failed(reason) => tracing::error!(id, %reason, "not checked"),
                }
                Err(error)
            }
            (Ok(_), Err(_)) => Err(Refusal::Unknown.into()),
        }
    }

    fn check(
        &self,
        token: &Token,
        id: &TokenId,
        expect: Option<Kind>,
        context: &Context<'_>,
    ) -> Result<Found, CheckError> {
        let identifier = token.identifier();
        let found = match identifier.v2() {
            Some(&IdentifierV2 { persistence: Persistence::Temporary { generation }, .. }) => {
                self.find_temporary(&identifier, generation)?
            }
            _ => self.find_stored(id)?,
        };
        let known = match found {
            Lookup::Known(known) => known,
            Lookup::Absent(refusal) => {
                // The same work as for a forged token.
                let _ = Verifier::new(context).verify(token.macaroon(), &self.decoy_key()?);
                return Err(refusal.into());
            }
        };

        let mut context = context.clone();
        context.service = Some(context.service.unwrap_or(Service::ONEZONE));
        let verifier = Verifier::new(&context).used_as(known.found.kind.token_use(&identifier));
        let verified = verifier.verify(token.macaroon(), &known.key);
        // Until the signature is confirmed, nothing else is said.
        if let Err(VerifyError::BadSignature) = verified {
            return Err(Refusal::Verify(VerifyError::BadSignature).into());
        }
        if known.revoked {
            return Err(Refusal::Revoked.into());
        }
        if let Some(at) = known.found.expires_at.filter(|at| *at <= context.now) {
            return Err(Refusal::Expired { at }.into());
        }
        if expect.is_some_and(|expect| expect != known.found.kind) {
            return Err(Refusal::WrongType { found: known.found.kind }.into());
        }
        let verified = verified.map_err(Refusal::from)?;
        let expires_at = known.found.expires_at.into_iter().chain(verified.expires_at()).min();
        Ok(Found { expires_at, ..known.found })
    }

    fn find_stored(&self, id: &TokenId) -> Result<Lookup, Failure> {
        let Some(record) = self.store.get(id)? else { return Ok(Lookup::Absent(Refusal::Unknown)) };
        Ok(Lookup::Known(Known {
            key: self.keys.open(&record.root_key, Owner::Token(id))?,
            revoked: record.revoked,
            found: Found {
                kind: record.kind.parse().map_err(|_| Failure::UnknownKind)?,
                resource: record.resource,
                issuer: record.issuer,
                expires_at: record.expires,
                stored: true,
            },
        }))
    }

    fn find_temporary(&self, identifier: &Identifier<'_>, generation: u64) -> Result<Lookup, Failure> {
        let Some(identifier) = identifier.v2() else { return Ok(Lookup::Absent(Refusal::Unknown)) };
        let issuer = entity(identifier.subject);
        let Some(present) = self.store.generation(&issuer)? else {
            return Ok(Lookup::Absent(Refusal::Unknown));
        };
        match present.number.cmp(&generation) {
            Ordering::Less => return Ok(Lookup::Absent(Refusal::Unknown)),
            // The secret of that generation is gone, and with it what could tell a token from a forgery.
            Ordering::Greater => return Ok(Lookup::Absent(Refusal::Revoked)),
            Ordering::Equal => {}
        }
        let key = self.open_generation(&issuer, &present)?;
        let (kind, resource) = match identifier.token_type {
            TokenType::Access { .. } => (Kind::Access, None),
            TokenType::Identity => (Kind::Identity, None),
            TokenType::Invite { invite, target } => {
                let resource = Entity { kind: invite.target_kind().to_owned(), id: target.to_owned() };
                (Kind::invite(invite), Some(resource))
            }
        };
        let found = Found { kind, resource, issuer, expires_at: None, stored: false };
        Ok(Lookup::Known(Known { key, revoked: false, found }))
    }

    /// Spends one use of a token, before whatever it is spent on is done: a crash may waste a use, and never
    /// gives one twice.
    ///
    /// The claim names the spend. Asked again under the same claim, the answer is the same and costs nothing,
    /// which is how to find out after [`StoreError::Unknown`], or after a reply that was lost. Uses of a
    /// temporary token are not counted.
    ///
    /// # Errors
    /// [`CheckError`]; after [`StoreError::Unknown`], ask again under the same claim.
    pub fn consume(
        &self,
        text: &str,
        expect: Kind,
        consumer: Subject<'_>,
        claim: &ClaimId,
        context: &Context<'_>,
    ) -> Result<Consumed, CheckError> {
        let mut context = context.clone();
        context.consumer = Some(consumer);
        let accepted = self.verify(text, Some(expect), &context)?;
        let spent = self.spend(&accepted, consumer, claim);
        match &spent {
            Ok(Redeemed { repeated, .. }) => {
                tracing::info!(id = %accepted.id, kind = %expect, %consumer, repeated, "consumed");
            }
            Err(CheckError::Refused(reason)) => {
                tracing::warn!(id = %accepted.id, %consumer, %reason, "not consumed")
            }
            Err(CheckError::Failed(reason)) => {
                tracing::error!(id = %accepted.id, %consumer, %reason, "not consumed")
            }
        }
        let Redeemed { uses_left, repeated } = spent?;
        Ok(Consumed { accepted, claim: claim.clone(), uses_left, repeated })
    }

    fn spend(
        &self,
        accepted: &Accepted,
        consumer: Subject<'_>,
        claim: &ClaimId,
    ) -> Result<Redeemed, CheckError> {
        let needed = accepted.kind.consumer();
        let fits = match needed {
            InviteConsumer::User => matches!(consumer, Subject::User(_)),
            InviteConsumer::Provider => matches!(consumer, Subject::Provider(_)),
            InviteConsumer::Anyone => true,
        };
        if !fits {
            return Err(Refusal::WrongConsumer { needed }.into());
        }
        if let Some(resource) = &accepted.resource {
            let issuer = subject(&accepted.issuer).ok_or(Failure::UnknownKind)?;
            self.authorize(issuer, accepted.kind, resource).map_err(|error| match error {
                MintError::Failed(failure) => CheckError::Failed(failure),
                _ => CheckError::Refused(Refusal::NoLongerAllowed),
            })?;
        }
        if !accepted.stored {
            return Ok(Redeemed { uses_left: None, repeated: false });
        }
        match self.store.redeem(&accepted.id, claim).map_err(Failure::from)? {
            Redeem::Redeemed { uses_left, repeated } => Ok(Redeemed { uses_left, repeated }),
            Redeem::Exhausted => Err(Refusal::Exhausted.into()),
            Redeem::Revoked => Err(Refusal::Revoked.into()),
            Redeem::Absent => Err(Refusal::Unknown.into()),
        }
    }

    /// Spends one use, does what it is spent on, and gives the use back if that fails.
    ///
    /// When the claim had been made before, an earlier call may have done it already: [`Consumed::repeated`]
    /// tells the action so, and its failure then gives nothing back. If the process dies in between, or the
    /// action panics, the use stays spent.
    ///
    /// # Errors
    /// [`ConsumeError`], with the action's own error in it.
    pub fn consume_with<T, E>(
        &self,
        text: &str,
        expect: Kind,
        consumer: Subject<'_>,
        claim: &ClaimId,
        context: &Context<'_>,
        action: impl FnOnce(&Consumed) -> Result<T, E>,
    ) -> Result<(Consumed, T), ConsumeError<E>> {
        let consumed = self.consume(text, expect, consumer, claim, context)?;
        match action(&consumed) {
            Ok(done) => Ok((consumed, done)),
            Err(action) if consumed.repeated => Err(ConsumeError::Repeated(action)),
            Err(action) => match self.refund(&consumed) {
                Ok(_) => Err(ConsumeError::Action(action)),
                Err(refund) => Err(ConsumeError::NotRefunded { action, refund }),
            },
        }
    }

    /// Gives a use back: what it was to be spent on has not been done and will not be.
    ///
    /// # Errors
    /// [`StoreError`]; ask again.
    pub fn refund(&self, consumed: &Consumed) -> Result<Refund, StoreError> {
        if !consumed.accepted.stored {
            return Ok(Refund::NotClaimed);
        }
        let refunded = self.store.refund(&consumed.accepted.id, &consumed.claim)?;
        tracing::info!(id = %consumed.accepted.id, outcome = ?refunded, "refund");
        Ok(refunded)
    }

    /// A claim of its own, at random: for a spend that nobody will ask about again.
    ///
    /// # Errors
    /// [`Failure::Random`]
    pub fn draw_claim(&self) -> Result<ClaimId, Failure> {
        let (_, id) = self.draw()?;
        ClaimId::new(id).map_err(|_| Failure::Random)
    }
}

/// What is known of a token before it is verified.
struct Known {
    key: RootKey,
    revoked: bool,
    found: Found,
}

struct Found {
    kind: Kind,
    resource: Option<Entity>,
    issuer: Entity,
    expires_at: Option<UnixTime>,
    stored: bool,
}

enum Lookup {
    Known(Known),
    Absent(Refusal),
}

struct Redeemed {
    uses_left: Option<u64>,
    repeated: bool,
}
