//! Verifying and spending.

use std::cmp::Ordering;

use ring::digest;
use token_core::{
    Context, Identifier, IdentifierV2, InviteConsumer, Persistence, RootKey, Service, Subject, Token,
    TokenType, UnixTime, Unmet, Verified, Verifier, VerifyError,
};
use token_store::{
    ClaimId, Entity, Generation, GrantId, Held, Refund, Spend, StoreError, TokenId, TokenStore,
};

use crate::{
    AcceptError, Authority, Failure, Host, MintError, Purpose, Refusal, SpendError, TheUse,
    authority::{entity, subject},
    error::report,
    mint::is_issuer,
};

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
    issuer: Entity,
    /// When it expires: the earliest time among its record and its caveats. From then on it is refused.
    pub expires_at: Option<UnixTime>,
    /// Whether it has a record, so that its uses are counted.
    pub stored: bool,
    /// How many uses its record had left when it was read; `None`: no limit, or no record. Other calls may spend
    /// them in the meantime: only [`Authority::spend`] decides.
    pub uses_left: Option<u64>,
}

impl Accepted {
    /// Returns the subject that the token acts for, or that invites.
    #[must_use]
    pub fn issuer(&self) -> Subject<'_> {
        // `find_stored` and `is_issuer` admit known kinds only.
        subject(&self.issuer).unwrap_or(Subject::Nobody)
    }
}

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

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Verifies a token for a request. Does not spend it: [`Accepted::uses_left`] says whether a use is left.
    ///
    /// Make the context with [`Authority::context`]. A context without a service stands for Onezone itself. The
    /// authority judges by the later of the context's time and its own: a stale context does not revive an expired
    /// token, and a context from the future expires tokens early.
    ///
    /// Does not check the session that an access token is bound to (`act:SESSION`). A host that mints such tokens
    /// compares the session in [`Accepted::token`] with the session of the request.
    ///
    /// # Errors
    /// [`AcceptError`], which distinguishes a refused token from an authority that failed.
    pub fn verify(
        &self,
        text: &str,
        expect: Option<Purpose>,
        context: &Context<'_>,
    ) -> Result<Accepted, AcceptError> {
        let token = self.decode_logged(text)?;
        let checked = self.authenticate(&token, expect, context, S::generation).and_then(|authentic| {
            authentic.standing?;
            Ok(authentic.token)
        });
        match &checked {
            Ok(accepted) => tracing::debug!(id = %accepted.id, purpose = %accepted.purpose, "accepted"),
            Err(error) => log(&token, error),
        }
        checked
    }

    /// Verifies many tokens as [`verify`](Self::verify) does, and returns the answers in the order of the texts. With
    /// the feature `rayon`, its threads share the work; the answers are the same.
    pub fn verify_many(
        &self,
        texts: &[impl AsRef<str> + Sync],
        expect: Option<Purpose>,
        context: &Context<'_>,
    ) -> Vec<Result<Accepted, AcceptError>> {
        let verify = |text: &_| self.verify(AsRef::<str>::as_ref(text), expect, context);
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            /// A token takes some microseconds to verify, and about one to hand to another thread.
            const LEAST_AT_ONCE: usize = 16;
            texts.par_iter().with_min_len(LEAST_AT_ONCE).map(verify).collect()
        }
        #[cfg(not(feature = "rayon"))]
        texts.iter().map(verify).collect()
    }

    fn decode_logged(&self, text: &str) -> Result<Token, Refusal> {
        self.decode(text).inspect_err(|reason| tracing::warn!(%reason, "refused"))
    }

    /// Confirms that the token was minted here, and only then judges whether it is valid.
    fn authenticate(
        &self,
        token: &Token,
        expect: Option<Purpose>,
        context: &Context<'_>,
        read: ReadGeneration<S>,
    ) -> Result<Authentic, AcceptError> {
        let identifier = token.identifier();
        if !may_be_minted_here(&identifier) {
            return Err(Refusal::Unknown.into());
        }
        let id = TokenId::new(identifier.id()).map_err(|_| Refusal::Unknown)?;
        let found = match identifier.v2() {
            Some(&IdentifierV2 { persistence: Persistence::Temporary { generation }, .. }) => {
                self.find_temporary(&identifier, generation, read)?
            }
            _ => self.find_stored(&id)?,
        };
        let known = match found {
            Lookup::Known(known) => known,
            Lookup::Absent(refusal) => {
                // Does the same work as for a forged token.
                let _ = Verifier::new(context).verify(token.macaroon(), &self.decoy_key()?);
                return Err(refusal.into());
            }
        };

        let mut context = context.clone();
        context.service = Some(context.service.unwrap_or(Service::ONEZONE));
        // A stale context must not revive a token that has expired in the meantime.
        context.now = context.now.max(self.now());
        let verifier = Verifier::new(&context)
            .supporting(known.purpose.caveat_types(&identifier, context.scope))
            .stating(known.purpose.legacy_type(&identifier));
        let verified = verifier.verify(token.macaroon(), &known.key);
        // Until the signature is confirmed, report nothing else.
        if let Err(VerifyError::BadSignature) = verified {
            return Err(Refusal::Verify(VerifyError::BadSignature).into());
        }
        if !known.agrees(&identifier) {
            let what = "a record contradicts the token that it is about";
            return Err(Failure::Store(StoreError::Corrupt { what }).into());
        }
        if expect.is_some_and(|expect| expect != known.purpose) {
            return Err(Refusal::WrongType { found: known.purpose }.into());
        }
        let by_caveats = verified.as_ref().ok().and_then(Verified::expires_at);
        let standing = match (known.expires.filter(|at| *at <= context.now), verified) {
            _ if known.revoked => Err(Refusal::Revoked),
            (Some(at), _) => Err(Refusal::Expired { at }),
            (None, verified) => verified.map(|_| ()).map_err(Refusal::from),
        };
        let expires_at = known.expires.into_iter().chain(by_caveats).min();
        let Known { purpose, resource, issuer, stored, uses_left, .. } = known;
        let token = token.clone();
        let token = Accepted { token, id, purpose, resource, issuer, expires_at, stored, uses_left };
        Ok(Authentic { token, standing })
    }

    fn find_stored(&self, id: &TokenId) -> Result<Lookup, Failure> {
        let Some(record) = self.store.get(id)? else { return Ok(Lookup::Absent(Refusal::Unknown)) };
        // The first check: a record that was edited without the key ring does not open.
        let key = self.keys.open(&record.root_key, record.owner())?;
        subject(&record.issuer).ok_or(Failure::UnknownIssuer)?;
        Ok(Lookup::Known(Known {
            key,
            purpose: record.purpose,
            resource: record.resource,
            issuer: record.issuer,
            expires: record.expires,
            revoked: record.revoked,
            stored: true,
            uses_left: record.use_limit.map(|limit| limit.get().saturating_sub(record.uses)),
        }))
    }

    fn find_temporary(
        &self,
        identifier: &Identifier<'_>,
        generation: u64,
        read: ReadGeneration<S>,
    ) -> Result<Lookup, Failure> {
        let Some(identifier) = identifier.v2() else { return Ok(Lookup::Absent(Refusal::Unknown)) };
        let issuer = entity(identifier.subject);
        let Some(present) = read(&self.store, &issuer)? else {
            return Ok(Lookup::Absent(Refusal::Unknown));
        };
        match present.number.cmp(&generation) {
            Ordering::Less => return Ok(Lookup::Absent(Refusal::Unknown)),
            // That generation's secret is gone, so a token cannot be distinguished from a forgery.
            Ordering::Greater => return Ok(Lookup::Absent(Refusal::Revoked)),
            Ordering::Equal => {}
        }
        let key = self.open_generation(&issuer, &present)?;
        let (purpose, resource) = purpose_of(identifier.token_type);
        Ok(Lookup::Known(Known {
            key,
            purpose,
            resource: resource.map(|(kind, id)| Entity { kind: kind.to_owned(), id: id.to_owned() }),
            issuer,
            expires: None,
            revoked: false,
            stored: false,
            uses_left: None,
        }))
    }

    /// Spends one use of a token. Call it before the action that the use pays for: a crash then wastes at most a use,
    /// and never grants one twice.
    ///
    /// Idempotent per consumer and claim: the claim names the spend, and a retry under the same claim gets the same
    /// answer and takes no use. This holds even if the token has since been exhausted, revoked or has expired. Retry
    /// after [`StoreError::Unknown`] or a lost reply. Another consumer gains nothing from this consumer's claim. Uses
    /// of a temporary token are not counted.
    ///
    /// [`Subject::Nobody`] has no claims, since its requests cannot be distinguished: each call takes another use, and
    /// a call whose outcome is unknown cannot be retried.
    ///
    /// # Errors
    /// [`AcceptError`]; after [`StoreError::Unknown`], retry under the same claim.
    pub fn spend(
        &self,
        text: &str,
        expect: Purpose,
        consumer: Subject<'_>,
        claim: &ClaimId,
        context: &Context<'_>,
    ) -> Result<Spent, AcceptError> {
        let mut context = context.clone();
        context.consumer = Some(consumer);
        let token = self.decode_logged(text)?;
        let spent = self
            .authenticate(&token, Some(expect), &context, S::generation)
            .and_then(|authentic| match authentic.token.stored {
                true => Ok(authentic),
                // A temporary token has no record, so its generation decides: read it from the store, past the
                // cache. A forged token was refused above and cannot cause this read.
                false => self.authenticate(&token, Some(expect), &context, S::present_generation),
            })
            .and_then(|authentic| self.spend_authentic(authentic, consumer, claim));
        match &spent {
            Ok(Spent { accepted, repeated, .. }) => {
                tracing::info!(id = %accepted.id, purpose = %expect, %consumer, repeated, "spent");
            }
            Err(error) => log(&token, error),
        }
        spent
    }

    fn spend_authentic(
        &self,
        Authentic { token: accepted, standing }: Authentic,
        consumer: Subject<'_>,
        claim: &ClaimId,
    ) -> Result<Spent, AcceptError> {
        let claim = match consumer {
            Subject::Nobody => self.draw_claim()?,
            consumer => claim_of(consumer, claim)?,
        };
        let spent = match standing.map_err(AcceptError::from).and_then(|()| self.admit(&accepted, consumer)) {
            Ok(()) if accepted.stored => self.spend_stored(&accepted.id, &claim)?,
            Ok(()) => Granted { uses_left: None, grant: None, repeated: false },
            // A use that was granted stays granted if the token became invalid afterwards: the consumer may
            // have lost the reply and acted all the same.
            Err(AcceptError::Refused(refusal)) if accepted.stored && came_later(&refusal) => {
                match self.store.claimed(&accepted.id, &claim).map_err(Failure::from)? {
                    Some(Held { uses_left, grant }) => {
                        Granted { uses_left: Some(uses_left), grant: Some(grant), repeated: true }
                    }
                    None => return Err(refusal.into()),
                }
            }
            Err(error) => return Err(error),
        };
        let Granted { uses_left, grant, repeated } = spent;
        Ok(Spent { accepted, claim, grant, uses_left, repeated })
    }

    /// Checks that this consumer may spend the token, and that its issuer may still grant it.
    fn admit(&self, accepted: &Accepted, consumer: Subject<'_>) -> Result<(), AcceptError> {
        let needed = accepted.purpose.consumer();
        let fits = match needed {
            InviteConsumer::User => matches!(consumer, Subject::User(_)),
            InviteConsumer::Provider => matches!(consumer, Subject::Provider(_)),
            InviteConsumer::Anyone => true,
        };
        if !fits {
            return Err(Refusal::WrongConsumer { needed }.into());
        }
        let Some(resource) = &accepted.resource else { return Ok(()) };
        self.authorize(accepted.issuer(), accepted.purpose, resource).map_err(|error| match error {
            MintError::Failed(failure) => AcceptError::Failed(failure),
            _ => AcceptError::Refused(Refusal::NoLongerAllowed),
        })
    }

    fn spend_stored(&self, id: &TokenId, claim: &ClaimId) -> Result<Granted, AcceptError> {
        match self.store.spend(id, claim).map_err(Failure::from)? {
            Spend::Spent { uses_left, grant, repeated } => Ok(Granted { uses_left, grant, repeated }),
            Spend::Exhausted => Err(Refusal::Exhausted.into()),
            Spend::Revoked => Err(Refusal::Revoked.into()),
            Spend::Absent => Err(Refusal::Unknown.into()),
        }
    }

    /// Spends one use, runs the action, and gives the use back if the action fails.
    ///
    /// [`Spent::repeated`] says that this call is a retry: an earlier call may already have run the action. Once a
    /// claim has been retried, no failure gives its use back, since another call may have succeeded. If the process
    /// dies in between, or the action panics, the use stays spent.
    ///
    /// # Errors
    /// [`SpendError`], which carries the action's own error.
    pub fn spend_with<T, E>(
        &self,
        text: &str,
        expect: Purpose,
        consumer: Subject<'_>,
        claim: &ClaimId,
        context: &Context<'_>,
        action: impl FnOnce(&Spent) -> Result<T, E>,
    ) -> Result<(Spent, T), SpendError<E>> {
        let spent = self.spend(text, expect, consumer, claim, context)?;
        match action(&spent) {
            Ok(done) => Ok((spent, done)),
            Err(action) if spent.repeated => Err(SpendError::Action { action, the_use: TheUse::StaysSpent }),
            Err(action) => match self.refund(&spent) {
                Ok(refund) => {
                    let the_use = match refund {
                        Refund::Refunded => TheUse::GivenBack,
                        Refund::Kept => TheUse::StaysSpent,
                        Refund::NotClaimed | Refund::Absent => TheUse::NotCounted,
                    };
                    Err(SpendError::Action { action, the_use })
                }
                Err(refund) => Err(SpendError::NotRefunded { action, refund, spent: Box::new(spent) }),
            },
        }
    }

    /// Gives this use back. The caller vouches that the action has not happened and will not. A use whose claim has
    /// been retried stays spent ([`Refund::Kept`]). A second refund changes nothing ([`Refund::NotClaimed`]), even if
    /// the claim has been made anew in between.
    ///
    /// # Errors
    /// [`StoreError`]; retry.
    pub fn refund(&self, spent: &Spent) -> Result<Refund, StoreError> {
        let Some(grant) = spent.grant else { return Ok(Refund::NotClaimed) };
        let refunded = self.store.refund(&spent.accepted.id, &spent.claim, grant)?;
        tracing::info!(id = %spent.accepted.id, outcome = ?refunded, "refund");
        Ok(refunded)
    }

    /// Draws a random claim, for a spend that will not be retried.
    ///
    /// # Errors
    /// [`Failure::Random`]
    pub fn draw_claim(&self) -> Result<ClaimId, Failure> {
        let (_, id) = self.draw()?;
        ClaimId::new(id).map_err(|_| Failure::Random)
    }
}

/// Whether this authority could mint a token with this identifier, judged by the parts that are looked up: the
/// token's id, and the subject of a temporary token. A forger can write any text of any length there, so this check
/// runs before those parts are copied, looked up or cached. It reveals only the documented rules to the forger.
fn may_be_minted_here(identifier: &Identifier<'_>) -> bool {
    let looked_up = match identifier {
        Identifier::V2(IdentifierV2 { persistence: Persistence::Temporary { .. }, subject, .. }) => {
            is_issuer(*subject)
        }
        Identifier::V2(_) | Identifier::Opaque(_) => true,
    };
    looked_up && identifier.id().len() <= TokenId::MAX_LEN
}

/// Logs the reason under the token's id.
fn log(token: &Token, error: &AcceptError) {
    let identifier = token.identifier();
    let id = identifier.id().get(..TokenId::MAX_LEN).unwrap_or(identifier.id()).escape_ascii();
    match error {
        AcceptError::Refused(reason) => tracing::warn!(%id, %reason, "refused"),
        AcceptError::Failed(reason) => tracing::error!(%id, reason = report(reason), "failed"),
    }
}

/// Hashes the consumer into its claim: the same claim of two consumers is two claims.
fn claim_of(consumer: Subject<'_>, claim: &ClaimId) -> Result<ClaimId, Failure> {
    let consumer = consumer.to_string();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"onetoken claim\0");
    context.update(&u64::try_from(consumer.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(consumer.as_bytes());
    context.update(claim.as_bytes());
    ClaimId::new(context.finish().as_ref()).map_err(|_| Failure::Random)
}

/// Whether a valid token can reach this refusal later, without a change to its text.
const fn came_later(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Revoked
            | Refusal::Expired { .. }
            | Refusal::NoLongerAllowed
            | Refusal::Verify(VerifyError::CaveatUnmet { why: Unmet::Expired { .. }, .. })
    )
}

/// The facts about a token that the store or its generation gives, before it is verified.
struct Known {
    key: RootKey,
    purpose: Purpose,
    resource: Option<Entity>,
    issuer: Entity,
    expires: Option<UnixTime>,
    revoked: bool,
    stored: bool,
    uses_left: Option<u64>,
}

impl Known {
    /// Whether the token's identifier agrees with the record, as far as it states anything.
    fn agrees(&self, identifier: &Identifier<'_>) -> bool {
        let names = |entity: &Entity, kind: &str, id: &str| entity.kind == kind && entity.id == id;
        match identifier {
            Identifier::Opaque(_) => matches!(self.purpose, Purpose::GroupSpaces | Purpose::SpaceSupport),
            Identifier::V2(IdentifierV2 { subject, token_type, .. }) => {
                let (purpose, resource) = purpose_of(*token_type);
                let same_resource = match (&self.resource, resource) {
                    (Some(mine), Some((kind, id))) => names(mine, kind, id),
                    (mine, theirs) => mine.is_none() && theirs.is_none(),
                };
                let issuer = (subject.kind(), subject.id().unwrap_or_default());
                self.purpose == purpose && same_resource && names(&self.issuer, issuer.0, issuer.1)
            }
        }
    }
}

/// The purpose of a token of this type, and the kind and id of its resource.
fn purpose_of(token_type: TokenType<'_>) -> (Purpose, Option<(&'static str, &str)>) {
    match token_type {
        TokenType::Access { .. } => (Purpose::Access, None),
        TokenType::Identity => (Purpose::Identity, None),
        TokenType::Invite { invite, target } => {
            (Purpose::invite(invite), Some((invite.target_kind(), target)))
        }
    }
}

/// Reads the generation of a subject: possibly from a cache, or from the store itself.
type ReadGeneration<S> = fn(&S, &Entity) -> Result<Option<Generation>, StoreError>;

/// The result of looking a token up.
enum Lookup {
    Known(Known),
    Absent(Refusal),
}

/// A token that was minted here, and whether it is valid now.
struct Authentic {
    token: Accepted,
    standing: Result<(), Refusal>,
}

struct Granted {
    uses_left: Option<u64>,
    grant: Option<GrantId>,
    repeated: bool,
}
