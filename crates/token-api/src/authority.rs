//! The authority: what it holds and how it is set up.

use std::{fmt, time::Duration};

use ring::rand::SystemRandom;
use token_core::{Context, Inspection, Limits, RootKey, Subject, Token, UnixTime};
use token_store::{
    Entity, EntityKind, Filter, Generation, KeyRing, Owner, Page, Raise, Record, Revoke, SealedKey,
    StoreError, TokenId, TokenStore,
};

use crate::{Clock, Failure, Host, Refusal, SystemClock, clock::ForwardClock, random::Random};

/// How long tokens hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// That long from now on; fractions of a second are dropped.
    For(Duration),
    /// Until that time.
    Until(UnixTime),
    /// Until revoked or spent. A token that never expires stays in the store for ever.
    Forever,
}

impl Lifetime {
    pub(crate) fn expiry(self, now: UnixTime) -> Option<UnixTime> {
        match self {
            Self::For(duration) => Some(now.plus_secs(duration.as_secs())),
            Self::Until(time) => Some(time),
            Self::Forever => None,
        }
    }
}

/// Which generation of Onedata a token is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// As the two documented endpoints hand it out: an opaque id and the caveat `tokenType = …`.
    #[default]
    Legacy,
    /// As since 20.02: a version-2 identifier.
    Modern,
}

/// What a client learns of a resource that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Absence {
    /// A client that [`Host::may_see`] the resource learns that it does not exist (404). Every other client is told
    /// that it lacks the privilege (403), as it would be if the resource existed: nobody can probe for ids.
    #[default]
    Hidden,
    /// Every authenticated client learns that a resource does not exist (404), and so which ids do (403). Onezone has
    /// answered so since 17.06.
    Told,
}

/// How an authority is set up. Begin with the default and change what is to be unusual.
#[derive(Clone, Debug)]
pub struct Config {
    /// The location of tokens in the legacy dialect. Onezone has written `onezone` since 3.0.0-rc12.
    pub location: String,
    /// The location of tokens in the modern dialect: the domain of the Onezone.
    pub domain: String,
    /// The dialect of space support tokens that do not say otherwise.
    pub dialect: Dialect,
    /// How long tokens hold that do not say otherwise. Default: seven days.
    pub lifetime: Lifetime,
    /// The longest that a temporary token may hold. Default: 30 days, as Onezone (2,592,000 seconds).
    pub max_temporary_lifetime: Duration,
    /// What is read before a token is refused.
    pub limits: Limits,
    /// What a client learns of a resource that does not exist.
    pub absence: Absence,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            location: "onezone".to_owned(),
            domain: "onezone.example.com".to_owned(),
            dialect: Dialect::Legacy,
            lifetime: Lifetime::For(DAY.saturating_mul(7)),
            max_temporary_lifetime: DAY.saturating_mul(30),
            limits: Limits::default(),
            absence: Absence::Hidden,
        }
    }
}

/// Mints, verifies and spends tokens.
///
/// It is shared by reference between any number of threads. Each call is synchronous and may wait for the disk:
/// an asynchronous server calls it where it may block.
pub struct Authority<S, H> {
    pub(crate) store: S,
    pub(crate) keys: KeyRing,
    pub(crate) host: H,
    pub(crate) config: Config,
    clock: ForwardClock,
    random: Random,
    // Verified against where there is no record, so that an unknown token takes the way of a forged one.
    decoy: SealedKey,
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// An authority over a store and the key ring that opens it.
    ///
    /// # Errors
    /// [`Failure`] when the operating system gives no random bytes.
    pub fn new(store: S, keys: KeyRing, host: H, config: Config) -> Result<Self, Failure> {
        Self::with_clock(store, keys, host, config, SystemClock)
    }

    /// As [`new`](Self::new), with the time from elsewhere.
    ///
    /// # Errors
    /// [`Failure`] when the operating system gives no random bytes.
    pub fn with_clock(
        store: S,
        keys: KeyRing,
        host: H,
        config: Config,
        clock: impl Clock + 'static,
    ) -> Result<Self, Failure> {
        Self::with_random(store, keys, host, config, clock, Random::System(SystemRandom::new()))
    }

    /// As [`with_clock`](Self::with_clock), with ids and secrets from a source that a test knows, so that its tokens are
    /// always the same. Whoever knows the source can forge every token: this is for tests and golden files alone.
    ///
    /// # Errors
    /// [`Failure`] when the operating system gives no random bytes to seal keys with.
    #[cfg(feature = "test-random")]
    pub fn with_test_random(
        store: S,
        keys: KeyRing,
        host: H,
        config: Config,
        clock: impl Clock + 'static,
        random: impl FnMut(&mut [u8]) + Send + 'static,
    ) -> Result<Self, Failure> {
        let random = Random::Test(std::sync::Mutex::new(Box::new(random)));
        Self::with_random(store, keys, host, config, clock, random)
    }

    fn with_random(
        store: S,
        keys: KeyRing,
        host: H,
        config: Config,
        clock: impl Clock + 'static,
        random: Random,
    ) -> Result<Self, Failure> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        random.fill(secret.as_mut_slice())?;
        let decoy = keys.seal(&RootKey::from_derived(*secret), decoy(&entity(Subject::Nobody)))?;
        let clock = ForwardClock::new(Box::new(clock));
        Ok(Self { store, keys, host, config, clock, random, decoy })
    }

    /// The time, which never goes back.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The facts of a request made now, to be filled in by the caller.
    #[must_use]
    pub fn context(&self) -> Context<'static> {
        Context::at(self.now())
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// What a token says of itself, and the record that it names, if there is one. Nothing is verified.
    ///
    /// # Errors
    /// [`InspectError`], for a text that is no token with what was read of it.
    pub fn inspect(&self, text: &str) -> Result<Inspected, InspectError> {
        let mut options = token_core::DecodeOptions::default();
        options.limits = self.config.limits;
        let inspection = token_core::inspect(text, &options)?;
        let id = inspection.identifier().and_then(|bytes| {
            let identifier = token_core::Identifier::read(bytes).ok()?;
            TokenId::new(identifier.id()).ok()
        });
        let record = id.map(|id| self.store.get(&id)).transpose()?.flatten();
        Ok(Inspected { inspection, record })
    }

    /// Voids a token for good.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError> {
        let revoked = self.store.revoke(id)?;
        tracing::info!(%id, outcome = ?revoked, "revoke");
        Ok(revoked)
    }

    /// Voids every temporary token that was minted for the subject, and returns the number of the new
    /// generation. A damaged one is written over.
    ///
    /// # Errors
    /// [`Failure`], [`Failure::NoGenerationLeft`] among others.
    pub fn void_temporary(&self, subject: Subject<'_>) -> Result<u64, Failure> {
        let subject = entity(subject);
        loop {
            let present = match self.store.generation(&subject) {
                // Nothing is good under it, and what comes in its place voids no more than it did.
                Err(StoreError::Corrupt { .. }) => 0,
                present => present?.map_or(0, |generation| generation.number),
            };
            let number = present.checked_add(1).ok_or(Failure::NoGenerationLeft)?;
            if self.raise(&subject, number)?.is_some() {
                tracing::info!(subject = subject.id, number, "temporary tokens voided");
                return Ok(number);
            }
        }
    }

    /// One page of records; see [`TokenStore::list`].
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn list(&self, filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        self.store.list(filter, after, limit)
    }

    /// Removes at most `limit` records that have expired by `before`, or by now if that is earlier: what holds
    /// still is never removed. Returns how many; fewer than `limit` means that none are left.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn purge(&self, before: Option<UnixTime>, limit: usize) -> Result<usize, StoreError> {
        let now = self.now();
        self.store.purge(before.map_or(now, |before| before.min(now)), limit)
    }

    /// The root key of the subject's temporary tokens at their present generation, which is begun if need be.
    pub(crate) fn temporary_key(&self, subject: Subject<'_>) -> Result<(u64, RootKey), Failure> {
        let subject = entity(subject);
        loop {
            if let Some(generation) = self.store.generation(&subject)? {
                return Ok((generation.number, self.open_generation(&subject, &generation)?));
            }
            if let Some(key) = self.raise(&subject, 1)? {
                return Ok((1, key));
            }
        }
    }

    pub(crate) fn open_generation(
        &self,
        subject: &Entity,
        generation: &Generation,
    ) -> Result<RootKey, Failure> {
        let owner = Owner::Generation { subject, number: generation.number };
        Ok(self.keys.open(&generation.root_key, owner)?)
    }

    /// `None` where somebody else was faster.
    fn raise(&self, subject: &Entity, number: u64) -> Result<Option<RootKey>, Failure> {
        let (key, _) = self.draw()?;
        let root_key = self.keys.seal(&key, Owner::Generation { subject, number })?;
        match self.store.raise_generation(subject, &Generation { number, root_key })? {
            Raise::Raised => Ok(Some(key)),
            Raise::Stale { .. } => Ok(None),
        }
    }

    /// A new root key and 32 bytes for an id, in one call to the operating system.
    pub(crate) fn draw(&self) -> Result<(RootKey, [u8; 32]), Failure> {
        let mut bytes = zeroize::Zeroizing::new([0; 64]);
        self.random.fill(bytes.as_mut_slice())?;
        let (secret, id) = bytes.split_first_chunk::<32>().ok_or(Failure::Random)?;
        let key = RootKey::derive(secret).map_err(|_| Failure::Random)?;
        Ok((key, <[u8; 32]>::try_from(id).map_err(|_| Failure::Random)?))
    }

    /// The key to verify an unknown token against.
    pub(crate) fn decoy_key(&self) -> Result<RootKey, Failure> {
        Ok(self.keys.open(&self.decoy, decoy(&entity(Subject::Nobody)))?)
    }

    pub(crate) fn decode(&self, text: &str) -> Result<Token, Refusal> {
        let mut options = token_core::DecodeOptions::default();
        options.limits = self.config.limits;
        Ok(Token::decode(text, &options)?)
    }
}

/// Shows how it is set up.
impl<S: fmt::Debug, H> fmt::Debug for Authority<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("store", &self.store)
            .field("keys", &self.keys)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A token and its record.
#[derive(Debug)]
pub struct Inspected {
    /// What the token says of itself, unconfirmed.
    pub inspection: Inspection,
    /// The record under the id that the token names. That it is there does not make the token good.
    pub record: Option<Record>,
}

/// A token was not inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The text is no token.
    #[error(transparent)]
    Damaged(#[from] token_core::Damage),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What the decoy key is sealed for: no generation has the number 0.
const fn decoy(nobody: &Entity) -> Owner<'_> {
    Owner::Generation { subject: nobody, number: 0 }
}

/// The store's word for a subject.
pub(crate) fn entity(subject: Subject<'_>) -> Entity {
    Entity { kind: subject.kind().to_owned(), id: subject.id().unwrap_or_default().to_owned() }
}

/// The subject that an entity stands for.
pub(crate) fn subject(entity: &Entity) -> Option<Subject<'_>> {
    match entity.known_kind() {
        Some(EntityKind::User) => Some(Subject::User(&entity.id)),
        Some(EntityKind::Provider) => Some(Subject::Provider(&entity.id)),
        Some(EntityKind::Group) => Some(Subject::Group(&entity.id)),
        None if entity.kind == Subject::Nobody.kind() => Some(Subject::Nobody),
        _ => None,
    }
}
