//! Minting.

use std::{fmt, num::NonZeroU64, time::SystemTime};

use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use token_core::{
    Identifier, IdentifierV2, InviteType, Persistence, Predicate, PredicateBuf, RootKey, Scope, Subject,
    Token, TokenType, UnixTime,
};
use token_store::{Entity, Insert, Owner, Record, Terms, TokenId, TokenStore};

use crate::{
    Absence, Authority, Decision, Dialect, Failure, Host, Lifetime, MintError, Purpose, Question,
    authority::Drawn,
    body::{self, Head},
    host::decide,
    id,
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
    /// A name for the record, of 1 to 256 bytes. No other record of the issuer has it. A temporary token has none.
    pub name: Option<&'a str>,
    /// Bytes that the record keeps for the host, at most [`Record::MAX_METADATA_LEN`]. [`Authority::amend`] changes
    /// them.
    pub metadata: &'a [u8],
    /// The privileges that the token carries, in a form of the host's own: at most
    /// [`MAX_PRIVILEGES_LEN`](Self::MAX_PRIVILEGES_LEN) bytes, which never change. [`Accepted`](crate::Accepted) has
    /// them.
    pub privileges: &'a [u8],
}

impl<'a> MintRequest<'a> {
    /// The greatest length of carried privileges, in bytes.
    pub const MAX_PRIVILEGES_LEN: usize = 4096;

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
            resource: Some(Entity { kind: invite.target_kind().into(), id: target.to_owned() }),
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
            metadata: &[],
            privileges: &[],
        }
    }

    /// Returns the purpose of the token.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns what the host has to decide before [`Authority::mint_decided`].
    #[must_use]
    pub fn question(&self) -> Option<Question<'_>> {
        let resource = self.resource.as_ref()?;
        Some(Question::Grant { issuer: self.issuer, purpose: self.purpose, resource })
    }

    pub(crate) const fn has_session(&self) -> bool {
        matches!(self.token_type, Some(TokenType::Access { session: Some(_) }))
    }

    pub(crate) const fn resource(&self) -> Option<&Entity> {
        self.resource.as_ref()
    }

    /// Returns the identifier of a token with this id.
    pub(crate) fn identifier<'i>(
        &self,
        dialect: Dialect,
        persistence: Persistence,
        id: &'i str,
    ) -> Identifier<'i>
    where
        'a: 'i,
    {
        match (self.token_type, dialect) {
            (Some(token_type), Dialect::Modern) => {
                Identifier::V2(IdentifierV2 { persistence, subject: self.issuer, token_type, id })
            }
            _ => Identifier::Opaque(id.as_bytes()),
        }
    }

    /// Refuses what no record or token can carry.
    pub(crate) fn check(&self) -> Result<(), MintError> {
        let allowed = |what, bytes: &[u8], max| match bytes.len() {
            len if len > max => Err(MintError::TooLong { what, len, max }),
            _ => Ok(()),
        };
        if !is_issuer(self.issuer) {
            return Err(MintError::InvalidIssuer);
        }
        let named = 1..=Record::MAX_NAME_LEN;
        if let Some(name) = self.name.filter(|name| !named.contains(&name.len())) {
            return Err(MintError::InvalidName { len: name.len(), max: Record::MAX_NAME_LEN });
        }
        if self.temporary && self.use_limit.is_some() {
            return Err(MintError::TemporaryUnlimited);
        }
        if self.resource.as_ref().is_some_and(|resource| !is_id(&resource.id)) {
            return Err(MintError::InvalidId);
        }
        // A temporary token has no record to keep them.
        let most = |max| if self.temporary { 0 } else { max };
        allowed("name", self.name.unwrap_or_default().as_bytes(), most(Record::MAX_NAME_LEN))?;
        allowed("metadata", self.metadata, most(Record::MAX_METADATA_LEN))?;
        allowed("privileges", self.privileges, most(Self::MAX_PRIVILEGES_LEN))
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
        request.check()?;
        let decision = decide(&self.host, request.question()).map_err(Failure::from)?;
        if let (Decision::ResourceGone, Some(resource)) = (decision, request.resource()) {
            let issuer = request.issuer;
            let told = self.config.absence == Absence::Told
                || self.host.may_see(issuer, resource).map_err(Failure::from)?;
            if !told {
                tracing::info!(%issuer, kind = &*resource.kind, "no such resource; the issuer does not learn it");
                return Err(MintError::NotAllowed);
            }
        }
        self.mint_decided(request, decision)
    }
}

/// What needs no host.
impl<S: TokenStore, H> Authority<S, H> {
    /// Mints a token as [`mint`](Self::mint) does, for a host that has answered [`MintRequest::question`] itself.
    ///
    /// # Errors
    /// As [`mint`](Self::mint). [`MintError::NoSuchResource`] for [`Decision::ResourceGone`], and
    /// [`MintError::NotAllowed`] for any other decision than [`Decision::Allowed`]; the host says which of them a
    /// client may see.
    pub fn mint_decided(&self, request: &MintRequest<'_>, decision: Decision) -> Result<Minted, MintError> {
        request.check()?;
        match decision {
            Decision::Allowed => {}
            Decision::ResourceGone => return Err(MintError::NoSuchResource),
            _ => return Err(MintError::NotAllowed),
        }
        let (purpose, issuer) = (request.purpose, request.issuer);
        let now = self.now();
        let expires_at = self.expiry(request, now)?;
        let Drawn { key, id, nonce } = self.draw()?;
        let timed = self.config.timed_ids && !request.temporary;
        let id = TokenId::new(id::write(id, timed.then(SystemTime::now))).map_err(Failure::from)?;
        let text = std::str::from_utf8(id.as_bytes()).map_err(|_| MintError::InvalidId)?;
        let dialect = request.dialect.unwrap_or(self.config.dialect);
        let (token, id) = if request.temporary {
            let (generation, key) = self.temporary_key(issuer)?;
            let identifier = request.identifier(dialect, Persistence::Temporary { generation }, text);
            if identifier.v2().is_none() {
                return Err(MintError::NotTemporary);
            }
            let caveats = Caveats::new(request, &identifier, expires_at)?;
            (self.sign(&key, &identifier, caveats.iter())?, id)
        } else {
            let identifier = request.identifier(dialect, Persistence::Named, text);
            let caveats = Caveats::new(request, &identifier, expires_at)?;
            let token = self.sign(&key, &identifier, caveats.iter())?;
            let legacy_type = purpose.legacy_type(&identifier);
            let body = body::write(&Head::new(&identifier, legacy_type, request.privileges), &caveats)?;
            let issued_by = entity(issuer);
            let terms = Terms {
                id: &id,
                purpose,
                resource: request.resource(),
                issuer: &issued_by,
                created: now,
                expires: expires_at,
                use_limit: request.use_limit,
                body: &body,
            };
            let root_key = self.keys.seal_under(nonce, &key, Owner::Token(terms)).map_err(Failure::from)?;
            let record = Record {
                id,
                purpose,
                resource: request.resource().cloned(),
                issuer: issued_by,
                root_key,
                created: now,
                expires: expires_at,
                use_limit: request.use_limit,
                body,
                uses: 0,
                last_use: None,
                revocation: None,
                name: request.name.map(str::to_owned),
                metadata: request.metadata.to_vec(),
            };
            match self.store.insert(&record).map_err(Failure::from)? {
                Insert::Inserted => (token, record.id),
                Insert::Exists => return Err(Failure::IdTaken.into()),
                Insert::NameTaken => return Err(MintError::NameTaken),
            }
        };
        tracing::info!(%id, %purpose, %issuer, temporary = request.temporary, "minted");
        Ok(Minted { token, id, expires_at })
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

    /// Signs a token, and writes it.
    pub(crate) fn sign(
        &self,
        key: &RootKey,
        identifier: &Identifier<'_>,
        caveats: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<String, MintError> {
        let mut token = match identifier {
            Identifier::V2(identifier) => Token::mint(key, &self.config.domain, identifier)?,
            Identifier::Opaque(id) => {
                let id = std::str::from_utf8(id).map_err(|_| MintError::InvalidId)?;
                Token::mint_legacy(key, &self.config.location, id)?
            }
        };
        caveats.into_iter().try_for_each(|caveat| token.attenuate(caveat.as_ref()))?;
        let text = token.encode()?;
        // Does not hand out a token that decoding would refuse.
        if token.is_within(&self.config.limits, &text) { Ok(text) } else { Err(MintError::TooLarge) }
    }
}

/// The caveats of a new token, in this order. Those of the request are not copied.
struct Caveats<'r> {
    legacy_type: Option<PredicateBuf>,
    expiry: Option<PredicateBuf>,
    requested: &'r [PredicateBuf],
}

impl<'r> Caveats<'r> {
    fn new(
        request: &'r MintRequest<'_>,
        identifier: &Identifier<'_>,
        expires_at: Option<UnixTime>,
    ) -> Result<Self, MintError> {
        let supported = request.purpose.caveat_types(identifier, Scope::Unlimited);
        for (index, caveat) in request.caveats.iter().enumerate() {
            // A caveat that came as JSON may be one that `PredicateBuf::read` refuses to write.
            let written = PredicateBuf::read(caveat.as_str());
            let predicate = written.as_ref().and_then(|caveat| Predicate::read(caveat.as_ref()));
            if !predicate.is_some_and(|predicate| supported.contains(&predicate)) {
                return Err(MintError::UnsupportedCaveat { index });
            }
        }
        Ok(Self {
            legacy_type: request.purpose.legacy_type(identifier).map(PredicateBuf::token_type),
            expiry: expires_at.map(PredicateBuf::time),
            requested: &request.caveats,
        })
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let own = self.legacy_type.iter().chain(&self.expiry);
        own.chain(self.requested).map(PredicateBuf::as_str)
    }
}

impl Serialize for Caveats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut caveats = serializer.serialize_seq(Some(self.iter().count()))?;
        self.iter().try_for_each(|caveat| caveats.serialize_element(caveat))?;
        caveats.end()
    }
}
