//! Minting.

use std::{fmt, num::NonZeroU64};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use token_core::{
    IdentifierV2, InviteType, LegacyType, Persistence, Predicate, PredicateBuf, RootKey, Scope, Subject,
    Token, TokenType, UnixTime,
};
use token_store::{Entity, Insert, Record, Terms, TokenId, TokenStore};

use crate::{Absence, Authority, Dialect, Failure, Host, Lifetime, MintError, Purpose, authority::entity};

/// What a token grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant<'a> {
    /// To create a space for the group and support it. Legacy dialect only.
    GroupSpaces {
        /// The id of the group.
        group: &'a str,
    },
    /// To support the space.
    SpaceSupport {
        /// The id of the space.
        space: &'a str,
        /// The token's dialect; `None`: the configured one.
        dialect: Option<Dialect>,
    },
    /// To accept another invitation.
    Invite {
        /// The type of invitation.
        invite: InviteType,
        /// The id of the entity that it invites to.
        target: &'a str,
    },
    /// To act for the subject.
    Access {
        /// The session that the token is bound to.
        session: Option<&'a str>,
    },
    /// To prove who the subject is.
    Identity,
}

impl Grant<'_> {
    /// Returns the purpose of a token that grants this.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::GroupSpaces { .. } => Purpose::GroupSpaces,
            Self::SpaceSupport { .. } => Purpose::SpaceSupport,
            Self::Invite { invite, .. } => Purpose::invite(*invite),
            Self::Access { .. } => Purpose::Access,
            Self::Identity => Purpose::Identity,
        }
    }

    fn resource(&self) -> Option<Entity> {
        match *self {
            Self::GroupSpaces { group } => Some(Entity::group(group)),
            Self::SpaceSupport { space, .. } => Some(Entity::space(space)),
            Self::Invite { invite, target } => {
                Some(Entity { kind: invite.target_kind().to_owned(), id: target.to_owned() })
            }
            Self::Access { .. } | Self::Identity => None,
        }
    }
}

/// A request for a token. Start from [`MintRequest::new`] and change the fields that differ.
#[derive(Clone, Debug)]
pub struct MintRequest<'a> {
    /// What the token grants.
    pub grant: Grant<'a>,
    /// The authenticated user or provider that requests the token.
    pub issuer: Subject<'a>,
    /// How long the token is valid; `None`: as configured.
    pub lifetime: Option<Lifetime>,
    /// How often the token may be spent; `None`: no limit. Default: once, and no limit for access and identity
    /// tokens.
    pub use_limit: Option<NonZeroU64>,
    /// Whether the token is temporary: signed with the subject's shared secret and not stored. It cannot be revoked
    /// alone, and its uses are not counted: `use_limit` has to be `None`.
    pub temporary: bool,
    /// Additional caveats.
    pub caveats: Vec<PredicateBuf>,
    /// A name for the record, of at most 256 bytes.
    pub name: Option<&'a str>,
}

impl<'a> MintRequest<'a> {
    /// Makes a request with the defaults for this grant.
    #[must_use]
    pub const fn new(grant: Grant<'a>, issuer: Subject<'a>) -> Self {
        let use_limit = match grant {
            Grant::Access { .. } | Grant::Identity => None,
            _ => Some(NonZeroU64::MIN),
        };
        Self { grant, issuer, lifetime: None, use_limit, temporary: false, caveats: Vec::new(), name: None }
    }
}

/// A token that was minted.
#[non_exhaustive]
pub struct Minted {
    /// The token's text. Show it to the bearer only.
    pub token: String,
    /// The id under which the token is stored, spent and revoked.
    pub id: TokenId,
    /// When it expires: from then on it is refused.
    pub expires_at: Option<UnixTime>,
}

/// Does not show the token.
impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Mints a token if the host allows it. The record is durable when this returns; a temporary token has none.
    ///
    /// # Errors
    /// [`MintError`]; no record is then stored, except perhaps after
    /// [`StoreError::Unknown`](token_store::StoreError::Unknown).
    pub fn mint(&self, request: &MintRequest<'_>) -> Result<Minted, MintError> {
        let purpose = request.grant.purpose();
        if !is_issuer(request.issuer) {
            return Err(MintError::InvalidIssuer);
        }
        if let Some(name) = request.name.filter(|name| name.len() > MAX_NAME_LEN) {
            return Err(MintError::InvalidName { len: name.len(), max: MAX_NAME_LEN });
        }
        if request.temporary && request.use_limit.is_some() {
            return Err(MintError::TemporaryUnlimited);
        }
        let resource = request.grant.resource();
        if let Some(resource) = &resource {
            if !is_id(&resource.id) {
                return Err(MintError::InvalidId);
            }
            self.authorize(request.issuer, purpose, resource)?;
        }

        let now = self.now();
        let expires_at = self.expiry(request, now)?;
        let (key, id) = self.draw()?;
        let id = URL_SAFE_NO_PAD.encode(id);
        let minted = match request.temporary {
            true => {
                let (generation, key) = self.temporary_key(request.issuer)?;
                let token =
                    self.write(request, &key, &id, Persistence::Temporary { generation }, expires_at)?;
                Minted { token, id: token_id(&id)?, expires_at }
            }
            false => {
                let token = self.write(request, &key, &id, Persistence::Named, expires_at)?;
                let id = token_id(&id)?;
                let terms = Terms {
                    id: &id,
                    purpose,
                    resource: resource.as_ref(),
                    issuer: &entity(request.issuer),
                    created: now,
                    expires: expires_at,
                    use_limit: request.use_limit,
                };
                let mut record = Record::new(terms, &key, &self.keys).map_err(Failure::from)?;
                record.name = request.name.map(str::to_owned);
                match self.store.insert(&record).map_err(Failure::from)? {
                    Insert::Inserted => Minted { token, id, expires_at },
                    // Two draws of 256 random bits do not collide by chance.
                    Insert::Exists => return Err(Failure::Random.into()),
                }
            }
        };
        tracing::info!(id = %minted.id, %purpose, issuer = %request.issuer, temporary = request.temporary, "minted");
        Ok(minted)
    }

    pub(crate) fn authorize(
        &self,
        issuer: Subject<'_>,
        purpose: Purpose,
        resource: &Entity,
    ) -> Result<(), MintError> {
        if !self.host.exists(resource).map_err(Failure::from)? {
            let told = self.config.absence == Absence::Told
                || self.host.may_see(issuer, resource).map_err(Failure::from)?;
            if told {
                return Err(MintError::NoSuchResource);
            }
            tracing::info!(%issuer, kind = resource.kind, "no such resource; the issuer does not learn it");
            return Err(MintError::NotAllowed);
        }
        let allowed = match purpose.privilege() {
            Some(_) => self.host.may(issuer, purpose, resource).map_err(Failure::from)?,
            None => true,
        };
        if allowed { Ok(()) } else { Err(MintError::NotAllowed) }
    }

    /// The token's expiry: the earlier of its lifetime's end and the requested time caveats.
    fn expiry(&self, request: &MintRequest<'_>, now: UnixTime) -> Result<Option<UnixTime>, MintError> {
        let by_lifetime = request.lifetime.unwrap_or(self.config.lifetime).expiry(now);
        let by_caveat = request.caveats.iter().filter_map(|caveat| match Predicate::read(caveat.as_ref()) {
            Some(Predicate::Time { valid_until }) => Some(valid_until),
            _ => None,
        });
        let expires_at = by_lifetime.into_iter().chain(by_caveat).min();
        let max = self.config.max_temporary_lifetime.as_secs();
        match request.temporary && expires_at.is_none_or(|expires_at| expires_at > now.plus_secs(max)) {
            true => Err(MintError::ExpiryRequired { max }),
            false => Ok(expires_at),
        }
    }

    fn write(
        &self,
        request: &MintRequest<'_>,
        key: &RootKey,
        id: &str,
        persistence: Persistence,
        expires_at: Option<UnixTime>,
    ) -> Result<String, MintError> {
        let modern = |token_type| {
            let identifier = IdentifierV2 { persistence, subject: request.issuer, token_type, id };
            Token::mint(key, &self.config.domain, &identifier)
        };
        let legacy = |legacy_type| {
            let mut token = Token::mint_legacy(key, &self.config.location, id)?;
            token.attenuate(PredicateBuf::token_type(legacy_type))?;
            Ok::<_, token_core::BuildError>(token)
        };
        let mut token = match request.grant {
            Grant::GroupSpaces { .. } if request.temporary => return Err(MintError::NotTemporary),
            Grant::GroupSpaces { .. } => legacy(LegacyType::SpaceCreate)?,
            Grant::SpaceSupport { space, dialect } => match dialect.unwrap_or(self.config.dialect) {
                Dialect::Legacy if request.temporary => return Err(MintError::NotTemporary),
                Dialect::Legacy => legacy(LegacyType::SpaceSupport)?,
                Dialect::Modern => {
                    modern(TokenType::Invite { invite: InviteType::SupportSpace, target: space })?
                }
            },
            Grant::Invite { invite, target } => modern(TokenType::Invite { invite, target })?,
            Grant::Access { session } => modern(TokenType::Access { session })?,
            Grant::Identity => modern(TokenType::Identity)?,
        };
        if let Some(expires_at) = expires_at {
            token.attenuate(PredicateBuf::time(expires_at)).map_err(token_core::BuildError::from)?;
        }
        let supported = request.grant.purpose().caveat_types(&token.identifier(), Scope::Unlimited);
        for (index, caveat) in request.caveats.iter().enumerate() {
            // A caveat that came as JSON may be one that `PredicateBuf::read` refuses to write.
            let written = PredicateBuf::read(caveat.as_str());
            let predicate = written.as_ref().and_then(|caveat| Predicate::read(caveat.as_ref()));
            if !predicate.is_some_and(|predicate| supported.contains(&predicate)) {
                return Err(MintError::UnsupportedCaveat { index });
            }
            token.attenuate(caveat).map_err(token_core::BuildError::from)?;
        }
        let text = token.encode()?;
        // Does not hand out a token that decoding would refuse.
        self.decode(&text).map_err(|_| MintError::TooLarge)?;
        Ok(text)
    }
}

fn token_id(id: &str) -> Result<TokenId, Failure> {
    TokenId::new(id).map_err(|_| Failure::Random)
}

/// The longest name of a record, in bytes.
const MAX_NAME_LEN: usize = 256;

/// Whether the authority mints tokens for this subject.
pub(crate) fn is_issuer(subject: Subject<'_>) -> bool {
    match subject {
        Subject::User(id) | Subject::Provider(id) => is_id(id),
        _ => false,
    }
}

/// Whether this is an id. Ids are written into identifiers and caveats, so they must not contain the separators
/// of these, nor `*`, which means anyone there.
fn is_id(id: &str) -> bool {
    const MAX_LEN: usize = 128;
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'|' | b':' | b'*');
    (1..=MAX_LEN).contains(&id.len()) && id.bytes().all(allowed)
}
