//! The authority and its configuration.

use std::{fmt, time::Duration};

use ring::rand::SystemRandom;
use token_core::{Context, Inspection, Limits, RootKey, Subject, Token, UnixTime};
use token_store::{
    Cursor, Entity, EntityKind, Filter, Generation, KeyRing, Owner, Page, Raise, Record, Revoke, SealedKey,
    StoreError, TokenId, TokenStore,
};

use crate::{Clock, Failure, Host, Refusal, SystemClock, clock::ForwardClock, random::Random};

/// How long a token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// For this long from now on, rounded down to a whole second.
    For(Duration),
    /// Until this time.
    Until(UnixTime),
    /// Until it is revoked or spent. The store keeps its record for ever.
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
    /// Before 20.02, and what the two documented endpoints return: an opaque id and the caveat `tokenType = …`.
    #[default]
    Legacy,
    /// Since 20.02: a version-2 identifier.
    Modern,
}

/// How a client learns that a resource does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Absence {
    /// A client that [`Host::may_see`] the resource gets 404. Every other client gets 403, as it would without the
    /// privilege for an existing resource: a client cannot probe for ids.
    #[default]
    Hidden,
    /// Every authenticated client gets 404 for an absent resource, and 403 without the privilege: it can find out
    /// which ids exist. Onezone has answered so since 17.06.
    Told,
}

/// The configuration of an authority. Start from the default and change the fields that differ.
#[derive(Clone, Debug)]
pub struct Config {
    /// The location of tokens in the legacy dialect. Onezone has written `onezone` since 3.0.0-rc12.
    pub location: String,
    /// The location of tokens in the modern dialect: the domain of the Onezone.
    pub domain: String,
    /// The dialect of space support tokens whose request names none.
    pub dialect: Dialect,
    /// The lifetime of tokens whose request names none. Default: seven days.
    pub lifetime: Lifetime,
    /// The longest lifetime of a temporary token. Default: 30 days, as in Onezone (2,592,000 seconds).
    pub max_temporary_lifetime: Duration,
    /// The limits of decoding; a token beyond them is refused.
    pub limits: Limits,
    /// How a client learns that a resource does not exist.
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
/// Any number of threads share it by reference. Each call is synchronous and may wait for the disk: an asynchronous
/// server calls it on a thread that may block.
pub struct Authority<S, H> {
    pub(crate) store: S,
    pub(crate) keys: KeyRing,
    pub(crate) host: H,
    pub(crate) config: Config,
    clock: ForwardClock,
    random: Random,
    // An unknown token is verified against this key, so that it does the same work as a forged one.
    decoy: SealedKey,
}

impl<S: TokenStore, H: Host> Authority<S, H> {
    /// Makes an authority over a store and the key ring that opens its keys.
    ///
    /// # Errors
    /// [`Failure`] when the operating system gives no random bytes.
    pub fn new(store: S, keys: KeyRing, host: H, config: Config) -> Result<Self, Failure> {
        Self::with_clock(store, keys, host, config, SystemClock)
    }

    /// Like [`new`](Self::new), with another clock.
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

    /// Like [`with_clock`](Self::with_clock), with ids and secrets from a known source, so that the tokens are
    /// reproducible. For tests and golden files only: anyone who knows the source can forge every token.
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

    /// Returns the present time. It never goes back.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Returns the context of a request made now. The caller fills in the other facts.
    #[must_use]
    pub fn context(&self) -> Context<'static> {
        Context::at(self.now())
    }

    /// Returns the store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Reads a token, and the record under its id if there is one. Verifies nothing.
    ///
    /// # Errors
    /// [`InspectError`]. For a text that is not a token, it carries the part that was read.
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

    /// Revokes a token for good.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError> {
        let revoked = self.store.revoke(id)?;
        tracing::info!(%id, outcome = ?revoked, "revoke");
        Ok(revoked)
    }

    /// Revokes every temporary token of the subject by raising its generation, and returns the new generation's
    /// number. Replaces a damaged generation.
    ///
    /// # Errors
    /// [`Failure`], for example [`Failure::NoGenerationLeft`].
    pub fn revoke_temporary(&self, subject: Subject<'_>) -> Result<u64, Failure> {
        let subject = entity(subject);
        loop {
            let present = match self.store.generation(&subject) {
                // No token is valid under a damaged generation, so replacing it voids no further tokens.
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

    /// Returns one page of records; see [`TokenStore::list`].
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.store.list(filter, after, limit)
    }

    /// Removes at most `limit` records that have expired by `before`, or by now if that is earlier: a valid token's
    /// record is never removed. Returns how many it removed; fewer than `limit` means that none are left.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn purge(&self, before: Option<UnixTime>, limit: usize) -> Result<usize, StoreError> {
        let now = self.now();
        self.store.purge(before.map_or(now, |before| before.min(now)), limit)
    }

    /// Returns the present generation of the subject's temporary tokens and its root key. Starts generation 1 if the
    /// subject has none.
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

    /// Raises the generation. Returns `None` if another call raised it first.
    fn raise(&self, subject: &Entity, number: u64) -> Result<Option<RootKey>, Failure> {
        let (key, _) = self.draw()?;
        let root_key = self.keys.seal(&key, Owner::Generation { subject, number })?;
        match self.store.raise_generation(subject, &Generation { number, root_key })? {
            Raise::Raised => Ok(Some(key)),
            Raise::Stale { .. } => Ok(None),
        }
    }

    /// Draws a root key and 32 bytes for an id, in one call to the operating system.
    pub(crate) fn draw(&self) -> Result<(RootKey, [u8; 32]), Failure> {
        let mut bytes = zeroize::Zeroizing::new([0; 64]);
        self.random.fill(bytes.as_mut_slice())?;
        let (secret, id) = bytes.split_first_chunk::<32>().ok_or(Failure::Random)?;
        let key = RootKey::derive(secret).map_err(|_| Failure::Random)?;
        Ok((key, <[u8; 32]>::try_from(id).map_err(|_| Failure::Random)?))
    }

    /// Opens the key that an unknown token is verified against.
    pub(crate) fn decoy_key(&self) -> Result<RootKey, Failure> {
        Ok(self.keys.open(&self.decoy, decoy(&entity(Subject::Nobody)))?)
    }

    pub(crate) fn decode(&self, text: &str) -> Result<Token, Refusal> {
        let mut options = token_core::DecodeOptions::default();
        options.limits = self.config.limits;
        Ok(Token::decode(text, &options)?)
    }
}

/// Shows the store, the key ring and the configuration.
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
    /// The token as read, unverified.
    pub inspection: Inspection,
    /// The record under the token's id. A record does not make the token valid.
    pub record: Option<Record>,
}

/// Why a token was not inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The text is not a token.
    #[error(transparent)]
    Damaged(#[from] token_core::Damage),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// The owner that the decoy key is sealed for: no generation has the number 0.
const fn decoy(nobody: &Entity) -> Owner<'_> {
    Owner::Generation { subject: nobody, number: 0 }
}

/// Converts a subject to the store's type.
pub(crate) fn entity(subject: Subject<'_>) -> Entity {
    Entity { kind: subject.kind().to_owned(), id: subject.id().unwrap_or_default().to_owned() }
}

/// Converts an entity to the subject that it stands for.
pub(crate) fn subject(entity: &Entity) -> Option<Subject<'_>> {
    match entity.known_kind() {
        Some(EntityKind::User) => Some(Subject::User(&entity.id)),
        Some(EntityKind::Provider) => Some(Subject::Provider(&entity.id)),
        Some(EntityKind::Group) => Some(Subject::Group(&entity.id)),
        None if entity.kind == Subject::Nobody.kind() => Some(Subject::Nobody),
        _ => None,
    }
}
