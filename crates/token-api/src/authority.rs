//! The authority, and the calls of its operator.

use std::fmt;

use token_core::{Context, Damage, DecodeOptions, Identifier, Inspection, RootKey, Subject, UnixTime};
use token_store::{
    Entity, Generation, KeyRing, Owner, Raise, Record, SealNonce, SealedKey, StoreError, TokenId, TokenStore,
};
use zeroize::Zeroizing;

use crate::{
    Config, Failure,
    clock::Clock,
    random::{self, Random},
    subject::entity,
};

/// Mints, verifies and spends tokens.
///
/// Any number of threads share it by reference. Each call is synchronous and may wait for the disk: an asynchronous
/// server calls it on a thread that may block.
///
/// `Authority<S>` has no host, and no call that asks one: see [`prepare`](Self::prepare) and
/// [`mint_decided`](Self::mint_decided). Its host is `()`.
pub struct Authority<S, H = ()> {
    pub(crate) store: S,
    pub(crate) keys: KeyRing,
    pub(crate) host: H,
    pub(crate) config: Config,
    clock: Clock,
    random: Random,
    // An unknown token is verified against this key, so that it does the same work as a forged one.
    decoy: SealedKey,
}

impl<S: TokenStore, H> Authority<S, H> {
    /// Makes an authority over a store and the key ring that opens its keys.
    ///
    /// # Errors
    /// [`Failure`] when the operating system gives no random bytes.
    pub fn new(store: S, keys: KeyRing, host: H, config: Config) -> Result<Self, Failure> {
        let mut secret = Zeroizing::new([0; 32]);
        random::system(secret.as_mut_slice())?;
        let decoy = keys.seal(&RootKey::from_derived(*secret), decoy_owner(&entity(Subject::Nobody)))?;
        Ok(Self {
            store,
            keys,
            host,
            config,
            clock: Clock::system(),
            random: Box::new(random::system),
            decoy,
        })
    }

    /// Replaces the system's clock.
    #[must_use]
    pub fn with_clock(mut self, time: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(time);
        self
    }

    /// Takes ids, secrets and nonces from a known source alone, so that the tokens are reproducible; turns
    /// [`Config::timed_ids`] off. For tests and golden files only: anyone who knows the source can forge every token.
    #[cfg(feature = "test-random")]
    #[must_use]
    pub fn with_test_random(mut self, random: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        let random = std::sync::Mutex::new(random);
        self.random = Box::new(move |bytes| {
            random.lock().unwrap_or_else(std::sync::PoisonError::into_inner)(bytes);
            Ok(())
        });
        self.config.timed_ids = false;
        self
    }

    /// Returns the present time. It never goes back.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Returns the context of a request made now. The caller fills in the other facts, such as
    /// its session.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::at(self.now())
    }

    /// Returns the store, for example to list its records.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Reads a token, and the record under its id if there is one. Verifies nothing.
    ///
    /// # Errors
    /// [`Failure`]; a text that is not a token is no failure.
    pub fn inspect(&self, text: &str) -> Result<Inspected, Failure> {
        let reading = token_core::inspect(text, &self.decoding());
        let identifier = reading.as_ref().ok().and_then(Inspection::identifier);
        let id = identifier.and_then(|bytes| TokenId::new(Identifier::read(bytes).ok()?.id()).ok());
        let record = id.map(|id| self.store.get(&id)).transpose()?.flatten();
        Ok(Inspected { reading, record })
    }

    /// Revokes every temporary token of the subject by raising its generation, and returns the new generation's
    /// number. Replaces a damaged generation. Tokens with records stay valid. Takes any subject, even one that has no
    /// temporary tokens.
    ///
    /// # Errors
    /// [`Failure`], for example [`Failure::NoGenerationLeft`].
    pub fn revoke_temporary(&self, subject: Subject<&str>) -> Result<u64, Failure> {
        let subject = entity(subject);
        loop {
            let present = match self.store.generation(&subject) {
                // No token is valid under a damaged generation, so replacing it revokes no further tokens.
                Err(StoreError::Corrupt { .. }) => 0,
                present => present?.map_or(0, |generation| generation.number),
            };
            let number = present.checked_add(1).ok_or(Failure::NoGenerationLeft)?;
            if self.raise(&subject, number)?.is_some() {
                tracing::info!(subject = subject.id, number, "temporary tokens revoked");
                return Ok(number);
            }
        }
    }

    /// Removes at most `limit` records that have expired by `before`, or by now if that is earlier: a valid token's
    /// record is never removed. Returns how many it removed; fewer than `limit` means that none are left.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn purge(&self, before: Option<UnixTime>, limit: usize) -> Result<usize, Failure> {
        let now = self.now();
        Ok(self.store.purge(before.map_or(now, |before| before.min(now)), limit)?)
    }

    /// Returns the present generation of the subject's temporary tokens and its root key. Starts generation 1 if the
    /// subject has none.
    pub(crate) fn temporary_key(&self, subject: Subject<&str>) -> Result<(u64, RootKey), Failure> {
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
        let Drawn { key, nonce, .. } = self.draw()?;
        let root_key = self.keys.seal_under(nonce, &key, Owner::Generation { subject, number })?;
        match self.store.raise_generation(subject, &Generation { number, root_key })? {
            Raise::Raised => Ok(Some(key)),
            Raise::Stale { .. } => Ok(None),
        }
    }

    /// Draws all that a new token needs in one call to the operating system.
    pub(crate) fn draw(&self) -> Result<Drawn, Failure> {
        let mut bytes = Zeroizing::new([0; 32 + 32 + SealNonce::LEN]);
        (self.random)(bytes.as_mut_slice())?;
        let parts = bytes.split_first_chunk::<32>().and_then(|(secret, rest)| {
            let (id, nonce) = rest.split_first_chunk::<32>()?;
            Some((secret, id, nonce.first_chunk()?))
        });
        let (secret, id, nonce) = parts.ok_or(Failure::Random)?;
        Ok(Drawn { key: RootKey::derive_any(secret), id: *id, nonce: SealNonce::from_random(*nonce) })
    }

    /// Opens the key that an unknown token is verified against.
    pub(crate) fn decoy_key(&self) -> Result<RootKey, Failure> {
        Ok(self.keys.open(&self.decoy, decoy_owner(&entity(Subject::Nobody)))?)
    }

    pub(crate) fn decoding(&self) -> DecodeOptions {
        let mut options = DecodeOptions::default();
        options.limits = self.config.limits;
        options
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

/// Random bytes, and a key derived from some.
pub(crate) struct Drawn {
    pub(crate) key: RootKey,
    /// For an id.
    pub(crate) id: [u8; 32],
    pub(crate) nonce: SealNonce,
}

/// A token and its record.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspected {
    /// The token as read, unverified; or the part that was read of a text that is not a token.
    pub reading: Result<Inspection, Damage>,
    /// The record under the token's id; `None` if the store has none or the text is not a token. A record does not
    /// make the token valid.
    pub record: Option<Record>,
}

/// The owner that the decoy key is sealed for: no generation has the number 0.
const fn decoy_owner(nobody: &Entity) -> Owner<'_> {
    Owner::Generation { subject: nobody, number: 0 }
}
