//! Minting.

use std::{fmt, num::NonZeroU64};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use token_core::{
    IdentifierV2, InviteType, Persistence, Predicate, PredicateBuf, RootKey, Scope, Subject, Token,
    TokenType, UnixTime,
};
use token_store::{Entity, Insert, Record, Terms, TokenId, TokenStore};

use crate::{
    Absence, Authority, Dialect, Failure, Host, Lifetime, MintError, Purpose,
    host::{Permission, permission},
    subject::{entity, is_id, is_issuer},
};

/// A request for a token. Start from the constructor for its purpose and change the fields that differ.
#[derive(Clone, Debug)]
pub struct MintRequest<'a> {
    purpose: Purpose,
    resource: Option<Entity>,
    /// What a version-2 identifier states; `None`: there is no such identifier for the purpose.
    token_type: Option<TokenType<&'a str>>,
    /// `None`: as configured.
    dialect: Option<Dialect>,
    /// The authenticated user or provider that requests the token.
    pub issuer: Subject<&'a str>,
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
    /// Requests a token to create a space for the group and support it, in the legacy dialect.
    #[must_use]
    pub fn group_spaces(group: &str, issuer: Subject<&'a str>) -> Self {
        Self {
            resource: Some(Entity::group(group)),
            use_limit: Some(NonZeroU64::MIN),
            ..Self::new(Purpose::GroupSpaces, None, Some(Dialect::Legacy), issuer)
        }
    }

    /// Requests a token to support the space, in the configured dialect. An [`invite`](Self::invite) of type
    /// [`InviteType::SupportSpace`] is in the modern dialect under any configuration.
    #[must_use]
    pub fn space_support(space: &'a str, issuer: Subject<&'a str>) -> Self {
        Self { dialect: None, ..Self::invite(InviteType::SupportSpace, space, issuer) }
    }

    /// Requests an invitation of this type to the entity with the id `target`, in the modern dialect.
    #[must_use]
    pub fn invite(invite: InviteType, target: &'a str, issuer: Subject<&'a str>) -> Self {
        let token_type = TokenType::Invite { invite, target };
        Self {
            resource: Some(Entity { kind: invite.target_kind().to_owned(), id: target.to_owned() }),
            use_limit: Some(NonZeroU64::MIN),
            ..Self::new(Purpose::invite(invite), Some(token_type), Some(Dialect::Modern), issuer)
        }
    }

    /// Requests a token to act for the issuer.
    #[must_use]
    pub const fn access(issuer: Subject<&'a str>) -> Self {
        let token_type = TokenType::Access { session: None };
        Self::new(Purpose::Access, Some(token_type), Some(Dialect::Modern), issuer)
    }

    /// Requests a token to act for the issuer within this session.
    #[must_use]
    pub const fn access_in(session: &'a str, issuer: Subject<&'a str>) -> Self {
        let token_type = TokenType::Access { session: Some(session) };
        Self::new(Purpose::Access, Some(token_type), Some(Dialect::Modern), issuer)
    }

    /// Requests a token to prove who the issuer is.
    #[must_use]
    pub const fn identity(issuer: Subject<&'a str>) -> Self {
        Self::new(Purpose::Identity, Some(TokenType::Identity), Some(Dialect::Modern), issuer)
    }

    const fn new(
        purpose: Purpose,
        token_type: Option<TokenType<&'a str>>,
        dialect: Option<Dialect>,
        issuer: Subject<&'a str>,
    ) -> Self {
        Self {
            purpose,
            resource: None,
            token_type,
            dialect,
            issuer,
            lifetime: None,
            use_limit: None,
            temporary: false,
            caveats: Vec::new(),
            name: None,
        }
    }

    /// Returns the purpose of the token.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
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
        let (purpose, issuer) = (request.purpose, request.issuer);
        if !is_issuer(issuer) {
            return Err(MintError::InvalidIssuer);
        }
        if let Some(name) = request.name.filter(|name| name.len() > MAX_NAME_LEN) {
            return Err(MintError::InvalidName { len: name.len(), max: MAX_NAME_LEN });
        }
        if request.temporary && request.use_limit.is_some() {
            return Err(MintError::TemporaryUnlimited);
        }
        if request.resource.as_ref().is_some_and(|resource| !is_id(&resource.id)) {
            return Err(MintError::InvalidId);
        }
        self.authorize(request)?;

        let now = self.now();
        let expires_at = self.expiry(request, now)?;
        let (key, id) = self.draw()?;
        let text = URL_SAFE_NO_PAD.encode(id);
        let id = TokenId::new(text.as_str()).map_err(Failure::from)?;
        let token = if request.temporary {
            let (generation, key) = self.temporary_key(issuer)?;
            self.write(request, &key, &text, Persistence::Temporary { generation }, expires_at)?
        } else {
            let token = self.write(request, &key, &text, Persistence::Named, expires_at)?;
            let terms = Terms {
                id: &id,
                purpose,
                resource: request.resource.as_ref(),
                issuer: &entity(issuer),
                created: now,
                expires: expires_at,
                use_limit: request.use_limit,
                body: &[],
            };
            let mut record = Record::new(terms, &key, &self.keys).map_err(Failure::from)?;
            record.name = request.name.map(str::to_owned);
            match self.store.insert(&record).map_err(Failure::from)? {
                Insert::Inserted => token,
                Insert::Exists | Insert::NameTaken => return Err(Failure::IdTaken.into()),
            }
        };
        tracing::info!(%id, %purpose, %issuer, temporary = request.temporary, "minted");
        Ok(Minted { token, id, expires_at })
    }

    fn authorize(&self, request: &MintRequest<'_>) -> Result<(), MintError> {
        let (issuer, resource) = (request.issuer, request.resource.as_ref());
        let permission = permission(&self.host, issuer, request.purpose, resource).map_err(Failure::from)?;
        match (permission, resource) {
            (Permission::Granted, _) => Ok(()),
            (Permission::NoResource, Some(resource)) => {
                let told = self.config.absence == Absence::Told
                    || self.host.may_see(issuer, resource).map_err(Failure::from)?;
                if told {
                    return Err(MintError::NoSuchResource);
                }
                tracing::info!(%issuer, kind = resource.kind, "no such resource; the issuer does not learn it");
                Err(MintError::NotAllowed)
            }
            _ => Err(MintError::NotAllowed),
        }
    }

    /// The token's expiry: the earlier of its lifetime's end and the requested time caveats.
    fn expiry(&self, request: &MintRequest<'_>, now: UnixTime) -> Result<Option<UnixTime>, MintError> {
        let by_lifetime = request.lifetime.unwrap_or(self.config.lifetime).expiry(now);
        let by_caveat = request.caveats.iter().filter_map(|caveat| match Predicate::read(caveat.as_ref()) {
            Some(Predicate::Time { valid_until }) => Some(valid_until.to_time()),
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
        let mut token = match (request.token_type, request.dialect.unwrap_or(self.config.dialect)) {
            (Some(token_type), Dialect::Modern) => {
                let identifier = IdentifierV2 { persistence, subject: request.issuer, token_type, id };
                Token::mint(key, &self.config.domain, &identifier)?
            }
            _ if request.temporary => return Err(MintError::NotTemporary),
            _ => {
                let mut token = Token::mint_legacy(key, &self.config.location, id)?;
                if let Some(stated) = request.purpose.legacy_type(&token.identifier()) {
                    token.attenuate(PredicateBuf::token_type(stated))?;
                }
                token
            }
        };
        if let Some(expires_at) = expires_at {
            token.attenuate(PredicateBuf::time(expires_at))?;
        }
        let supported = request.purpose.caveat_types(&token.identifier(), Scope::Unlimited);
        for (index, caveat) in request.caveats.iter().enumerate() {
            // A caveat that came as JSON may be one that `PredicateBuf::read` refuses to write.
            let written = PredicateBuf::read(caveat.as_str());
            let predicate = written.as_ref().and_then(|caveat| Predicate::read(caveat.as_ref()));
            if !predicate.is_some_and(|predicate| supported.contains(&predicate)) {
                return Err(MintError::UnsupportedCaveat { index });
            }
            token.attenuate(caveat)?;
        }
        let text = token.encode()?;
        // Does not hand out a token that decoding would refuse.
        Token::decode(&text, &self.decoding()).map_err(|_| MintError::TooLarge)?;
        Ok(text)
    }
}

/// The longest name of a record, in bytes.
const MAX_NAME_LEN: usize = 256;
