//! Verifying and spending.

use std::cmp::Ordering;

use ring::digest;
use token_core::{
    Context, Identifier, IdentifierV2, InviteConsumer, Persistence, RootKey, Service, Subject, Token,
    TokenType, UnixTime, Unmet, Verified, Verifier, VerifyError,
};
use token_store::{
    ClaimId, Entity, Generation, GrantId, Held, Redeem, Refund, StoreError, TokenId, TokenStore,
};

use crate::{
    Authority, CheckError, ConsumeError, Failure, Host, Kind, MintError, Refusal, TheUse,
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
    /// The id that it is stored, spent and revoked under.
    pub id: TokenId,
    /// What it is for.
    pub kind: Kind,
    /// What it is about.
    pub resource: Option<Entity>,
    issuer: Entity,
    /// From when on it is worth nothing: the least of what its record and its caveats say.
    pub expires_at: Option<UnixTime>,
    /// Whether it is stored, so that its uses are counted.
    pub stored: bool,
    /// How many uses its record had left when it was read; `None`: without limit, or not stored. Others may spend
    /// meanwhile: only [`Authority::consume`] decides.
    pub uses_left: Option<u64>,
}

impl Accepted {
    /// Who it speaks for, or who invites.
    #[must_use]
    pub fn issuer(&self) -> Subject<'_> {
        // One of an unknown kind is not accepted.
        subject(&self.issuer).unwrap_or(Subject::Nobody)
    }
}

/// A use that was taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Consumed {
    /// The token.
    pub accepted: Accepted,
    /// What the use is stored under: the consumer and its claim.
    claim: ClaimId,
    /// Which grant of a use this is; `None`: there is nothing to give back.
    grant: Option<GrantId>,
    /// How many uses are left; `None`: without limit.
    pub uses_left: Option<u64>,
    /// Whether the claim had been made before, so that this call took nothing.
    pub repeated: bool,
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Whether a token is good for a request. It is not spent: [`Accepted::uses_left`] tells
    /// whether it can be.
    ///
    /// Make the context with [`Authority::context`]. A context without a service stands for Onezone itself. The
    /// time is the later one of the context's and the authority's own: an old context revives nothing, and one from
    /// the future lets tokens expire early.
    ///
    /// A session that an access token is bound to (`act:SESSION`) is not checked: a host that gives out such tokens
    /// compares the session that [`Accepted::token`] names with that of the request.
    ///
    /// # Errors
    /// [`CheckError`], which keeps a bad token and an authority that cannot work apart.
    pub fn verify(
        &self,
        text: &str,
        expect: Option<Kind>,
        context: &Context<'_>,
    ) -> Result<Accepted, CheckError> {
        let token = self.decode_logged(text)?;
        let checked = self.authenticate(&token, expect, context, S::generation).and_then(|authentic| {
            authentic.standing?;
            Ok(authentic.token)
        });
        match &checked {
            Ok(accepted) => tracing::debug!(id = %accepted.id, kind = %accepted.kind, "accepted"),
            Err(error) => log(&token, error),
        }
        checked
    }

    /// As [`verify`](Self::verify), for each of many tokens: the answers in the order of the texts. With the feature
    /// `rayon` the work is spread over its threads; the answers are the same.
    pub fn verify_many(
        &self,
        texts: &[impl AsRef<str> + Sync],
        expect: Option<Kind>,
        context: &Context<'_>,
    ) -> Vec<Result<Accepted, CheckError>> {
        let verify = |text: &_| self.verify(AsRef::<str>::as_ref(text), expect, context);
        #[cfg(feature = "rayon")]
        {
            use rayon::prelude::*;
            /// A token takes some microseconds, and to hand work to another thread about one.
            const LEAST_AT_ONCE: usize = 16;
            texts.par_iter().with_min_len(LEAST_AT_ONCE).map(verify).collect()
        }
        #[cfg(not(feature = "rayon"))]
        texts.iter().map(verify).collect()
    }

    fn decode_logged(&self, text: &str) -> Result<Token, Refusal> {
        self.decode(text).inspect_err(|reason| tracing::warn!(%reason, "refused"))
    }

    /// Finds out whether the token was minted here, and only then what is to be said against it.
    fn authenticate(
        &self,
        token: &Token,
        expect: Option<Kind>,
        context: &Context<'_>,
        read: ReadGeneration<S>,
    ) -> Result<Authentic, CheckError> {
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
                // The same work as for a forged token.
                let _ = Verifier::new(context).verify(token.macaroon(), &self.decoy_key()?);
                return Err(refusal.into());
            }
        };

        let mut context = context.clone();
        context.service = Some(context.service.unwrap_or(Service::ONEZONE));
        // A context that waited before it was used must not revive what has expired meanwhile.
        context.now = context.now.max(self.now());
        let verifier = Verifier::new(&context).used_as(known.kind.token_use(&identifier, context.scope));
        let verified = verifier.verify(token.macaroon(), &known.key);
        // Until the signature is confirmed, nothing else is said.
        if let Err(VerifyError::BadSignature) = verified {
            return Err(Refusal::Verify(VerifyError::BadSignature).into());
        }
        if !known.agrees(&identifier) {
            let what = "a record contradicts the token that it is about";
            return Err(Failure::Store(StoreError::Corrupt { what }).into());
        }
        if expect.is_some_and(|expect| expect != known.kind) {
            return Err(Refusal::WrongType { found: known.kind }.into());
        }
        let by_caveats = verified.as_ref().ok().and_then(Verified::expires_at);
        let standing = match (known.expires.filter(|at| *at <= context.now), verified) {
            _ if known.revoked => Err(Refusal::Revoked),
            (Some(at), _) => Err(Refusal::Expired { at }),
            (None, verified) => verified.map(|_| ()).map_err(Refusal::from),
        };
        let expires_at = known.expires.into_iter().chain(by_caveats).min();
        let Known { kind, resource, issuer, stored, uses_left, .. } = known;
        let token = token.clone();
        let token = Accepted { token, id, kind, resource, issuer, expires_at, stored, uses_left };
        Ok(Authentic { token, standing })
    }

    fn find_stored(&self, id: &TokenId) -> Result<Lookup, Failure> {
        let Some(record) = self.store.get(id)? else { return Ok(Lookup::Absent(Refusal::Unknown)) };
        // First of all: what was edited without the key ring does not open.
        let key = self.keys.open(&record.root_key, record.owner())?;
        subject(&record.issuer).ok_or(Failure::UnknownKind)?;
        Ok(Lookup::Known(Known {
            key,
            kind: record.kind.parse().map_err(|_| Failure::UnknownKind)?,
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
            // The secret of that generation is gone, and with it what could tell a token from a forgery.
            Ordering::Greater => return Ok(Lookup::Absent(Refusal::Revoked)),
            Ordering::Equal => {}
        }
        let key = self.open_generation(&issuer, &present)?;
        let (kind, resource) = purpose(identifier.token_type);
        Ok(Lookup::Known(Known {
            key,
            kind,
            resource: resource.map(|(kind, id)| Entity { kind: kind.to_owned(), id: id.to_owned() }),
            issuer,
            expires: None,
            revoked: false,
            stored: false,
            uses_left: None,
        }))
    }

    /// Spends one use of a token, before whatever it is spent on is done: a crash may waste a use, and never
    /// gives one twice.
    ///
    /// The claim names the spend among those of this consumer. Asked again under the same claim, the answer is
    /// the same and costs nothing, also when the token has been spent up, revoked or has expired since: this is
    /// how to find out after [`StoreError::Unknown`], or after a reply that was lost. Nobody else gets anything
    /// by a claim of this consumer's. Uses of a temporary token are not counted.
    ///
    /// [`Subject::Nobody`] has no claims, since one nobody cannot be told from another: each call takes a use of its
    /// own, and a call whose outcome is not known cannot be asked again.
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
        let token = self.decode_logged(text)?;
        let consumed = self
            .authenticate(&token, Some(expect), &context, S::generation)
            .and_then(|authentic| match authentic.token.stored {
                true => Ok(authentic),
                // The store counts no uses of it, so that its generation alone decides: the present one. A forged
                // token does not come so far, and makes nobody read past the cache.
                false => self.authenticate(&token, Some(expect), &context, S::present_generation),
            })
            .and_then(|authentic| self.spend(authentic, consumer, claim));
        match &consumed {
            Ok(Consumed { accepted, repeated, .. }) => {
                tracing::info!(id = %accepted.id, kind = %expect, %consumer, repeated, "consumed");
            }
            Err(error) => log(&token, error),
        }
        consumed
    }

    fn spend(
        &self,
        Authentic { token: accepted, standing }: Authentic,
        consumer: Subject<'_>,
        claim: &ClaimId,
    ) -> Result<Consumed, CheckError> {
        let claim = match consumer {
            Subject::Nobody => self.draw_claim()?,
            consumer => claim_of(consumer, claim)?,
        };
        let spent = match standing.map_err(CheckError::from).and_then(|()| self.admit(&accepted, consumer)) {
            Ok(()) if accepted.stored => self.redeem(&accepted.id, &claim)?,
            Ok(()) => Spent { uses_left: None, grant: None, repeated: false },
            // What was granted once is not denied afterwards, when only time has passed: whoever lost the reply
            // may have acted on it.
            Err(CheckError::Refused(refusal)) if accepted.stored && came_later(&refusal) => {
                match self.store.claimed(&accepted.id, &claim).map_err(Failure::from)? {
                    Some(Held { uses_left, grant }) => {
                        Spent { uses_left: Some(uses_left), grant: Some(grant), repeated: true }
                    }
                    None => return Err(refusal.into()),
                }
            }
            Err(error) => return Err(error),
        };
        let Spent { uses_left, grant, repeated } = spent;
        Ok(Consumed { accepted, claim, grant, uses_left, repeated })
    }

    /// Whether this consumer may spend the token, and its issuer may still grant it.
    fn admit(&self, accepted: &Accepted, consumer: Subject<'_>) -> Result<(), CheckError> {
        let needed = accepted.kind.consumer();
        let fits = match needed {
            InviteConsumer::User => matches!(consumer, Subject::User(_)),
            InviteConsumer::Provider => matches!(consumer, Subject::Provider(_)),
            InviteConsumer::Anyone => true,
        };
        if !fits {
            return Err(Refusal::WrongConsumer { needed }.into());
        }
        let Some(resource) = &accepted.resource else { return Ok(()) };
        self.authorize(accepted.issuer(), accepted.kind, resource).map_err(|error| match error {
            MintError::Failed(failure) => CheckError::Failed(failure),
            _ => CheckError::Refused(Refusal::NoLongerAllowed),
        })
    }

    fn redeem(&self, id: &TokenId, claim: &ClaimId) -> Result<Spent, CheckError> {
        match self.store.redeem(id, claim).map_err(Failure::from)? {
            Redeem::Redeemed { uses_left, grant, repeated } => Ok(Spent { uses_left, grant, repeated }),
            Redeem::Exhausted => Err(Refusal::Exhausted.into()),
            Redeem::Revoked => Err(Refusal::Revoked.into()),
            Redeem::Absent => Err(Refusal::Unknown.into()),
        }
    }

    /// Spends one use, does what it is spent on, and gives the use back if that fails.
    ///
    /// When the claim had been made before, an earlier call may have done it already: [`Consumed::repeated`]
    /// tells the action so. Once a claim has been answered again, whichever call it was, no failure gives its use
    /// back, since another call may have succeeded. If the process dies in between, or the action panics, the use
    /// stays spent.
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
            Err(action) if consumed.repeated => {
                Err(ConsumeError::Action { action, the_use: TheUse::StaysSpent })
            }
            Err(action) => match self.refund(&consumed) {
                Ok(refund) => {
                    let the_use = match refund {
                        Refund::Refunded => TheUse::GivenBack,
                        Refund::Kept => TheUse::StaysSpent,
                        Refund::NotClaimed | Refund::Absent => TheUse::NotCounted,
                    };
                    Err(ConsumeError::Action { action, the_use })
                }
                Err(refund) => {
                    Err(ConsumeError::NotRefunded { action, refund, consumed: Box::new(consumed) })
                }
            },
        }
    }

    /// Gives this use back: what it was to be spent on has not been done and will not be. A use whose claim has been
    /// answered again stays spent ([`Refund::Kept`]). A repeated call changes nothing ([`Refund::NotClaimed`]), also
    /// when somebody else has made the same claim in between.
    ///
    /// # Errors
    /// [`StoreError`]; ask again.
    pub fn refund(&self, consumed: &Consumed) -> Result<Refund, StoreError> {
        let Some(grant) = consumed.grant else { return Ok(Refund::NotClaimed) };
        let refunded = self.store.refund(&consumed.accepted.id, &consumed.claim, grant)?;
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

/// Whether this authority mints tokens with such an identifier, as far as that is said by what is looked up: the
/// token's id, or the subject of a temporary token. A forger may write there what they like and at any length. This
/// is asked before any of it is copied, looked up or kept, and tells the forger nothing that is not documented.
fn may_be_minted_here(identifier: &Identifier<'_>) -> bool {
    let looked_up = match identifier {
        Identifier::V2(IdentifierV2 { persistence: Persistence::Temporary { .. }, subject, .. }) => {
            is_issuer(*subject)
        }
        Identifier::V2(_) | Identifier::Opaque(_) => true,
    };
    looked_up && identifier.id().len() <= TokenId::MAX_LEN
}

/// The reason goes to the log, under the id that the token names.
fn log(token: &Token, error: &CheckError) {
    let identifier = token.identifier();
    let id = identifier.id().get(..TokenId::MAX_LEN).unwrap_or(identifier.id()).escape_ascii();
    match error {
        CheckError::Refused(reason) => tracing::warn!(%id, %reason, "refused"),
        CheckError::Failed(reason) => tracing::error!(%id, reason = report(reason), "failed"),
    }
}

/// A claim is of its consumer: another's, of the same name, is another claim.
fn claim_of(consumer: Subject<'_>, claim: &ClaimId) -> Result<ClaimId, Failure> {
    let consumer = consumer.to_string();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"onetoken claim\0");
    context.update(&u64::try_from(consumer.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(consumer.as_bytes());
    context.update(claim.as_bytes());
    ClaimId::new(context.finish().as_ref()).map_err(|_| Failure::Random)
}

/// Whether a token that was once good comes to this by itself.
const fn came_later(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Revoked
            | Refusal::Expired { .. }
            | Refusal::NoLongerAllowed
            | Refusal::Verify(VerifyError::CaveatUnmet { why: Unmet::Expired { .. }, .. })
    )
}

/// What is known of a token before it is verified.
struct Known {
    key: RootKey,
    kind: Kind,
    resource: Option<Entity>,
    issuer: Entity,
    expires: Option<UnixTime>,
    revoked: bool,
    stored: bool,
    uses_left: Option<u64>,
}

impl Known {
    /// Whether the token says the same of itself, as far as it says anything.
    fn agrees(&self, identifier: &Identifier<'_>) -> bool {
        let names = |entity: &Entity, kind: &str, id: &str| entity.kind == kind && entity.id == id;
        match identifier {
            Identifier::Opaque(_) => matches!(self.kind, Kind::GroupSpaces | Kind::SpaceSupport),
            Identifier::V2(IdentifierV2 { subject, token_type, .. }) => {
                let (kind, resource) = purpose(*token_type);
                let same_resource = match (&self.resource, resource) {
                    (Some(mine), Some((kind, id))) => names(mine, kind, id),
                    (mine, theirs) => mine.is_none() && theirs.is_none(),
                };
                let issuer = (subject.kind(), subject.id().unwrap_or_default());
                self.kind == kind && same_resource && names(&self.issuer, issuer.0, issuer.1)
            }
        }
    }
}

/// What a token of this type is for, and the kind and id of what it is about.
fn purpose(token_type: TokenType<'_>) -> (Kind, Option<(&'static str, &str)>) {
    match token_type {
        TokenType::Access { .. } => (Kind::Access, None),
        TokenType::Identity => (Kind::Identity, None),
        TokenType::Invite { invite, target } => (Kind::invite(invite), Some((invite.target_kind(), target))),
    }
}

/// How the generation of a subject is read: as a cache may have it, or as the store has it now.
type ReadGeneration<S> = fn(&S, &Entity) -> Result<Option<Generation>, StoreError>;

/// What was found under a token's id.
enum Lookup {
    Known(Known),
    Absent(Refusal),
}

/// A token that was minted here, and whether it is good.
struct Authentic {
    token: Accepted,
    standing: Result<(), Refusal>,
}

struct Spent {
    uses_left: Option<u64>,
    grant: Option<GrantId>,
    repeated: bool,
}
