//! Importing tokens that another issuer minted, and writing the texts of stored tokens again.

use std::{fmt, num::NonZeroU64};

use token_core::{
    Identifier, InviteType, LegacyType, Persistence, Predicate, Purpose, RootKey, Subject, UnixTime,
};
use token_store::{
    Administration, Generation, Insert, Item, Owner, Record, Revocation, Terms, TokenId, TokenStore,
};

use crate::{
    Authority, Dialect, Failure, MintError, MintRequest,
    body::{self, Head},
    subject::{entity, is_issuer},
};

/// A token that another issuer minted, such as the Onezone that this authority replaces.
#[derive(Clone)]
pub struct Foreign<'a> {
    /// Its id. Never the id of a token that was deleted or purged: it would return with the uses that it had there.
    pub id: &'a str,
    /// Its secret, in the form that it was minted under: in Onezone 64 hexadecimal characters as ASCII, or 32 raw bytes
    /// until 2019.
    pub secret: &'a [u8],
    /// [`Dialect::Legacy`] for an identifier of version 1, which is the id alone. The tokens that Onezone migrated to
    /// 20.02 have one too.
    pub dialect: Dialect,
    /// All its caveats, as they were signed and in their order.
    pub caveats: &'a [&'a str],
    /// When it was minted. A later time than now counts as now.
    pub created: UnixTime,
    /// How many of its uses are spent.
    pub uses: u64,
    /// Its revocation.
    pub revocation: Option<Revocation>,
}

/// Does not show the secret.
impl fmt::Debug for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What needs no host.
impl<S: TokenStore, H> Authority<S, H> {
    /// Stores the record of a token that another issuer minted, so that the text of its holder is accepted here. Asks no
    /// host, and adds no caveat: the token expires by its own. Returns its text, for comparison. The location is the
    /// configured one, which is not signed.
    ///
    /// The request says what the token is for, and gives its issuer, use limit, name, metadata and privileges.
    ///
    /// Idempotent while the store has the record: a repeated call leaves its uses and its revocation as they are.
    ///
    /// # Errors
    /// [`MintError`], such as [`MintError::IdTaken`] and [`MintError::NameTaken`].
    /// [`MintError::NotImportable`] for a request with caveats or a lifetime or of a temporary token, for an empty secret,
    /// and for a legacy token whose caveat `tokenType = …` states another purpose.
    pub fn import(&self, request: &MintRequest<'_>, foreign: &Foreign<'_>) -> Result<String, MintError> {
        request.check()?;
        let identifier = request.identifier(foreign.dialect, Persistence::Named, foreign.id);
        let predicates = || foreign.caveats.iter().filter_map(|caveat| Predicate::read(caveat.as_bytes()));
        let legacy_type = legacy_type(&identifier, predicates());
        let fits = match identifier {
            Identifier::V2(_) => true,
            Identifier::Opaque(_) => {
                legacy_type.map_or(Purpose::Access, purpose) == request.purpose() && !request.has_session()
            }
        };
        let is_new = request.temporary || request.lifetime.is_some() || !request.caveats.is_empty();
        if is_new || !fits || foreign.secret.is_empty() {
            return Err(MintError::NotImportable);
        }
        let key = RootKey::derive_any(foreign.secret);
        let text = self.sign(&key, &identifier, foreign.caveats)?;
        let expires = predicates().filter_map(|caveat| match caveat {
            Predicate::Time { valid_until } => Some(valid_until.to_time()),
            _ => None,
        });
        let head = Head::new(&identifier, legacy_type, request.privileges);
        let id = TokenId::new(foreign.id).map_err(Failure::from)?;
        let terms = Terms {
            id: &id,
            purpose: request.purpose(),
            resource: request.resource(),
            issuer: &entity(request.issuer),
            created: foreign.created.min(self.now()),
            expires: expires.min(),
            use_limit: request.use_limit,
            body: &body::write(&head, foreign.caveats)?,
        };
        let mut record = Record::new(terms, &key, &self.keys).map_err(Failure::from)?;
        record.name = request.name.map(str::to_owned);
        record.metadata = request.metadata.to_vec();
        record.uses = request.use_limit.map_or(foreign.uses, |limit| foreign.uses.min(limit.get()));
        record.revocation.clone_from(&foreign.revocation);
        match self.store.insert(&record).map_err(Failure::from)? {
            Insert::Inserted => tracing::info!(%id, purpose = %terms.purpose, "imported"),
            Insert::NameTaken => return Err(MintError::NameTaken),
            Insert::Exists => {
                let there = self.store.get(&id).map_err(Failure::from)?.ok_or(MintError::IdTaken)?;
                let key = self.keys.open(&there.root_key, there.owner()).map_err(Failure::from)?;
                // An earlier call put the time of that call for one in the future.
                let terms = Terms { created: foreign.created.min(there.created), ..terms };
                let same_terms = matches!(there.owner(), Owner::Token(there) if there == terms);
                // The signature shows whether the secret is the same.
                if !same_terms || self.sign(&key, &identifier, foreign.caveats)? != text {
                    return Err(MintError::IdTaken);
                }
            }
        }
        Ok(text)
    }

    /// Writes the text of a stored token again, for its owner: as it was minted or imported, with the location that is
    /// configured now. `None` if its caveats were too long to be kept ([`Record::MAX_BODY_LEN`]).
    ///
    /// The text is a credential, even of a token that is revoked reversibly.
    ///
    /// # Errors
    /// [`Failure`], for example for a record that was edited.
    pub fn text_of(&self, record: &Record) -> Result<Option<String>, Failure> {
        let key = self.keys.open(&record.root_key, record.owner())?;
        let (head, caveats) = body::whole(record)?;
        let Some(caveats) = caveats else { return Ok(None) };
        let identifier = head.identifier(record)?.ok_or_else(body::unreadable)?;
        let text = self.sign(&key, &identifier, &caveats);
        text.map(Some).map_err(|error| match error {
            MintError::Failed(failure) => failure,
            _ => body::unreadable(),
        })
    }
}

/// What needs no host.
impl<S: Administration, H> Authority<S, H> {
    /// Puts generation `number` of the subject's temporary tokens in force, with the secret that another issuer signed
    /// them under. Returns `false`, and changes nothing, if the store has a generation with this number or a higher one.
    /// The next temporary tokens of the subject are minted under it too. Do not import a generation that was deleted: its
    /// tokens would be valid again.
    ///
    /// # Errors
    /// [`MintError::InvalidIssuer`] for a subject that has no tokens, [`MintError::NotImportable`] for an empty secret,
    /// or [`MintError::Failed`].
    pub fn import_generation(
        &self,
        subject: Subject<&str>,
        number: NonZeroU64,
        secret: &[u8],
    ) -> Result<bool, MintError> {
        if !is_issuer(subject) {
            return Err(MintError::InvalidIssuer);
        }
        if secret.is_empty() {
            return Err(MintError::NotImportable);
        }
        let (subject, number) = (entity(subject), number.get());
        let owner = Owner::Generation { subject: &subject, number };
        let root_key = self.keys.seal(&RootKey::derive_any(secret), owner).map_err(Failure::from)?;
        let item = Item::Generation { subject, generation: Generation { number, root_key } };
        let changed = self.store.restore(std::slice::from_ref(&item)).map_err(Failure::from)?;
        tracing::info!(number, changed, "generation imported");
        Ok(changed != 0)
    }
}

/// The purpose of a token that states this type.
const fn purpose(stated: LegacyType) -> Purpose {
    Purpose::Invite(match stated {
        LegacyType::SpaceCreate => return Purpose::GroupSpaces,
        LegacyType::SpaceSupport => return Purpose::SpaceSupport,
        LegacyType::GroupInvite | LegacyType::GroupInviteUser => InviteType::UserJoinGroup,
        LegacyType::GroupInviteGroup => InviteType::GroupJoinGroup,
        LegacyType::SpaceInviteUser => InviteType::UserJoinSpace,
        LegacyType::SpaceInviteGroup => InviteType::GroupJoinSpace,
        LegacyType::ProviderRegistration => InviteType::RegisterOneprovider,
    })
}

/// The type that a legacy token states in its first caveat `tokenType = …`.
fn legacy_type<'a>(
    identifier: &Identifier<'_>,
    mut caveats: impl Iterator<Item = Predicate<'a>>,
) -> Option<LegacyType> {
    match identifier {
        Identifier::V2(_) => None,
        Identifier::Opaque(_) => caveats.find_map(|caveat| match caveat {
            Predicate::TokenType(stated) => Some(stated),
            _ => None,
        }),
    }
}
