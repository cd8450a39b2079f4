//! The public stores, and the pointers and references that forward to one.

#[cfg(any(feature = "redb", feature = "sled"))]
use std::path::Path;
use std::{fmt, sync::Arc, time::Duration};

use token_core::UnixTime;

#[cfg(feature = "redb")]
use crate::embedded::engine::redb::Redb;
#[cfg(feature = "sled")]
use crate::embedded::engine::sled::Sled;
use crate::{
    Administration, Amend, Amendment, CheckReport, ClaimId, Counts, Cursor, Delete, Entity, Events, Filter,
    Generation, Generations, GrantId, Held, Insert, Item, KeyRing, Page, Raise, Record, Refund, Reinstate,
    Reseal, Revocation, Revoke, Spend, StoreError, Sweep, TokenId, TokenStore, Use,
    embedded::engine::memory::Memory, embedded::kv::Kv,
};

/// Defines calls that forward to `$inner`, and then do `$then`, also after an error.
macro_rules! forward {
    ($self:ident => $inner:expr, then $then:expr;
     $(fn $call:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(fn $call(&$self, $($argument: $kind),*) -> Result<$answer, StoreError> {
            let done = $inner.$call($($argument),*);
            $then;
            done
        })*
    };
    ($self:ident => $inner:expr; $(fn $call:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(fn $call(&$self, $($argument: $kind),*) -> Result<$answer, StoreError> {
            $inner.$call($($argument),*)
        })*
    };
}

pub(crate) use forward;

/// Forwards every call of [`TokenStore`] to `$inner`.
macro_rules! delegate {
    ($self:ident => $inner:expr) => {
        forward! { $self => $inner;
            fn insert(record: &Record) -> Insert;
            fn get(id: &TokenId) -> Option<Record>;
            fn spend(id: &TokenId, claim: &ClaimId, by: &Use) -> Spend;
            fn claimed(id: &TokenId, claim: &ClaimId) -> Option<Held>;
            fn refund(id: &TokenId, claim: &ClaimId, grant: GrantId) -> Refund;
            fn revoke(id: &TokenId, revocation: &Revocation) -> Revoke;
            fn reinstate(id: &TokenId) -> Reinstate;
            fn amend(id: &TokenId, amendment: &Amendment) -> Amend;
            fn delete(id: &TokenId) -> Delete;
            fn list(filter: &Filter, after: Option<&Cursor>, limit: usize) -> Page;
            fn purge(now: UnixTime, limit: usize) -> usize;
            fn generation(subject: &Entity) -> Option<Generation>;
            fn present_generation(subject: &Entity) -> Option<Generation>;
            fn raise_generation(subject: &Entity, next: &Generation) -> Raise;
            fn delete_generation(subject: &Entity) -> Delete;
        }
    };
}

/// Forwards every call of [`Administration`] to `$inner`.
macro_rules! delegate_administration {
    ($self:ident => $inner:expr) => {
        forward! { $self => $inner;
            fn revoke_all(filter: &Filter, revocation: &Revocation, after: Option<&Cursor>, limit: usize) -> Sweep;
            fn delete_all(filter: &Filter, after: Option<&Cursor>, limit: usize) -> Sweep;
            fn events(after: Option<&Cursor>, limit: usize) -> Events;
            fn revoke_before(time: UnixTime) -> UnixTime;
            fn counts() -> Counts;
            fn purge_spent(now: UnixTime, retention: Duration, limit: usize) -> usize;
            fn claims(id: &TokenId, after: Option<&ClaimId>, limit: usize) -> Vec<(ClaimId, Held)>;
            fn generations(after: Option<&Cursor>, limit: usize) -> Generations;
            fn reseal(changes: &[Reseal]) -> usize;
            fn restore(items: &[Item]) -> usize;
            fn check(keys: Option<&KeyRing>) -> CheckReport;
        }
    };
}

macro_rules! pointer {
    ($pointer:ident) => {
        #[deny(clippy::missing_trait_methods)]
        impl<S: TokenStore + ?Sized> TokenStore for $pointer<S> {
            delegate!(self => (**self));
        }

        #[deny(clippy::missing_trait_methods)]
        impl<S: Administration + ?Sized> Administration for $pointer<S> {
            delegate_administration!(self => (**self));
        }
    };
}

pointer!(Arc);
pointer!(Box);

/// Defines a store over an engine. Its clones share their state.
macro_rules! store {
    ($(#[$attribute:meta])* $name:ident over $engine:ty) => {
        $(#[$attribute])*
        #[derive(Clone)]
        pub struct $name(pub(crate) Arc<Kv<$engine>>);

        #[deny(clippy::missing_trait_methods)]
        impl TokenStore for $name {
            delegate!(self => self.0);
        }

        #[deny(clippy::missing_trait_methods)]
        impl Administration for $name {
            delegate_administration!(self => self.0);
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

/// Defines a store over an engine that has a path: one with `create`, `open` and `locked`.
#[cfg(any(feature = "redb", feature = "sled"))]
macro_rules! store_on_disk {
    ($(#[$attribute:meta])* $name:ident over $engine:ty) => {
        store!($(#[$attribute])* $name over $engine);

        impl $name {
            /// Creates a store at `path`, and opens it.
            ///
            /// # Errors
            /// [`StoreError`]: [`Exists`](StoreError::Exists) if there is something at the path, except a directory
            /// that the store takes, and errors of the disk.
            pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
                Ok(Self(Arc::new(Kv::new(<$engine>::create(path.as_ref())?))))
            }

            /// Opens the store at `path`.
            ///
            /// # Errors
            /// [`StoreError`]: [`NotFound`](StoreError::NotFound) if there is nothing,
            /// [`AlreadyOpen`](StoreError::AlreadyOpen), [`NotAStore`](StoreError::NotAStore) if the path holds
            /// something else (even an empty file), [`NewerVersion`](StoreError::NewerVersion),
            /// [`Corrupt`](StoreError::Corrupt), and errors of the disk.
            pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
                Ok(Self(Arc::new(Kv::open(<$engine>::open(path.as_ref())?)?)))
            }

            /// Opens the store at `path`, or creates one if there is none. Use it only where an empty store does no
            /// harm, as in tests: with a mistyped path, a server would know none of its tokens.
            ///
            /// # Errors
            /// Those of [`open`](Self::open) except [`NotFound`](StoreError::NotFound).
            pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
                let path = path.as_ref();
                match Self::open(path) {
                    Err(StoreError::NotFound { .. }) => match Self::create(path) {
                        // Another process created the store first.
                        Err(StoreError::Exists { .. }) => Self::open(path),
                        created => created,
                    },
                    opened => opened,
                }
            }

            /// Copies the store and opens the copy, to inspect it without touching the original. Refuses every write
            /// ([`ReadOnly`](StoreError::ReadOnly)). The copy is in the directory for temporary files, and is removed
            /// with the last clone. The original may be on a read-only file system, or need a repair.
            ///
            /// # Errors
            /// As [`open`](Self::open), [`AlreadyOpen`](StoreError::AlreadyOpen) too: nothing may write to the original
            /// while it is copied.
            pub fn inspect(path: impl AsRef<Path>) -> Result<Self, StoreError> {
                let path = path.as_ref();
                Ok(Self(Arc::new(Kv::open_copy(path, &<$engine>::locked(path), <$engine>::open)?)))
            }
        }
    };
}

store! {
    /// A store in memory: for tests, and for tokens that may be lost with the process. Keeps the whole contract except
    /// G3. Clones share their state.
    MemoryStore over Memory
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Kv::new(Memory::default())))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "redb")]
store_on_disk! {
    /// A store in one file, on redb: the one to use unless there is a reason not to. Clones share their state.
    ///
    /// [`create`](Self::create) makes the file accessible to its owner alone (mode 0600); it appears whole or not at
    /// all. [`open`](Self::open) checks every page, which takes about a second per million records. Inserts are fastest
    /// under ids that begin with the time, as an authority draws them; under random ids they take about three times as
    /// long.
    RedbStore over Redb
}

#[cfg(feature = "sled")]
store_on_disk! {
    /// A store in one directory, on sled 0.34, a beta engine without further releases: for hosts that need it. Clones
    /// share their state.
    ///
    /// [`create`](Self::create) makes a directory accessible to its owner alone (mode 0700), takes an empty one, and
    /// completes a store whose creation was interrupted. An existing directory keeps its mode. The files that hold
    /// records are accessible to the owner alone; files that sled adds later reveal no more than the number of pages.
    /// [`open`](Self::open) finds no store in an empty directory, and none whose creation was interrupted. Both return
    /// [`StoreError::Full`] if less than 8 MiB are free.
    SledStore over Sled
}
