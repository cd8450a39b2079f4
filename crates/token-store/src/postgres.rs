//! A store in a PostgreSQL server, which many hosts share.

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Instant,
};

use futures_util::future::{LocalBoxFuture, join, join_all, select};
use token_core::UnixTime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    ClaimId, Cursor, Entity, Filter, Generation, GrantId, Held, Insert, Invalidator, Page, Raise, Record,
    Refund, Retry, Revoke, Spend, StoreError, TokenId, TokenStore, embedded::layout, owned::Owned,
};
use change::{Act, Change, Changed, Changes};
use error::Failure;
use kind::{Generations, Gets, Inserts, Kind, NewRecord, Repeat, bigint};
use lane::{Call, Job, Lane, Other, Task, Waits};
use metrics::Meter;
use notices::{Listener, Notices};
use session::{Session, Target};

mod admin;
mod change;
mod check;
mod config;
mod error;
mod hosts;
mod kind;
mod lane;
mod listing;
mod log;
mod metrics;
mod notices;
mod schema;
mod session;
mod tls;

pub use config::{InvalidPostgresUrl, PostgresConfig};
pub use metrics::PostgresMetrics;

/// The factor by which the statement timeout of listings and administration exceeds that of other statements: they
/// work on many records.
const ADMINISTRATION: u32 = 6;

/// A store in a PostgreSQL server, or in a server that speaks its protocol. Use it where many hosts share a store.
///
/// # Threads, and async programs
/// Any thread may call it. A call blocks its thread until the server has answered, as [`TokenStore`] promises. Calls
/// of many threads share statements and their syncs. In an async program, call through `tokio::task::spawn_blocking`
/// or its like: a call inside a task does not panic, but it blocks all other tasks of its thread. The store has one
/// thread of its own for its connections, which ends after the last clone is dropped. A process that forks must open
/// the store again in the child.
///
/// # What can go wrong
/// - If the connection is lost while a write is in flight, its outcome is unknown: [`StoreError::Unknown`]. Retry
///   under the same claim. The store itself retries reads and idempotent writes.
/// - [`counts`](crate::Administration::counts) and the purges use the columns that the server decides by and do not
///   decode records. They treat damaged records like all others and do not report them;
///   [`check`](crate::Administration::check) does.
/// - The server counts uses up to 2⁶³ − 1. The store keeps a larger limit exactly but counts it as 2⁶³ − 1, which no
///   token reaches: [`Spend::Spent`] then reports fewer uses than are left.
/// - While the server is unreachable or in recovery, the store retries until [`PostgresConfig::call_timeout`] has
///   passed.
/// - The store refuses a server that may lose acknowledged writes ([`StoreError::NotDurable`]): `fsync`,
///   `full_page_writes` and `synchronous_commit` must be on. It does not require a synchronous standby; the operator
///   must set one up so that a failover loses no writes.
#[derive(Clone)]
pub struct PostgresStore(Arc<Lanes>);

struct Lanes {
    // The process that opened the store: a fork has neither its threads nor its connections.
    process: Owned<()>,
    readers: Vec<UnboundedSender<Job>>,
    writers: Vec<UnboundedSender<Job>>,
    administration: UnboundedSender<Job>,
    notices: UnboundedSender<Job>,
    caches: UnboundedSender<Invalidator>,
    meter: Arc<Meter>,
    target: Target,
}

impl PostgresStore {
    /// Creates the tables in the schema `onetoken` of the database, or migrates those of an older version. Changes
    /// nothing if they are up to date. The user must own the tables or be allowed to create them; opening the store
    /// needs fewer rights.
    ///
    /// # Errors
    /// [`StoreError`]: [`NotFound`](StoreError::NotFound) if there is no such database,
    /// [`NewerVersion`](StoreError::NewerVersion), [`Denied`](StoreError::Denied),
    /// [`Unreachable`](StoreError::Unreachable), [`NotDurable`](StoreError::NotDurable),
    /// [`ReadOnly`](StoreError::ReadOnly).
    pub fn init(config: &PostgresConfig) -> Result<(), StoreError> {
        let target = Target::new(config)?;
        apart(async move || {
            let session = hosts::primary(&target, None, None).await?;
            let migrated = schema::migrate(&session).await;
            session.close().await;
            migrated
        })
    }

    /// Opens the store. Does not change its tables.
    ///
    /// # Errors
    /// [`StoreError`]: [`NotFound`](StoreError::NotFound) if there is no such database or no tables in it (call
    /// [`init`](Self::init)); [`OlderVersion`](StoreError::OlderVersion) if [`init`](Self::init) must migrate them
    /// first; [`NewerVersion`](StoreError::NewerVersion), [`Denied`](StoreError::Denied),
    /// [`Unreachable`](StoreError::Unreachable), [`NotDurable`](StoreError::NotDurable),
    /// [`ReadOnly`](StoreError::ReadOnly).
    pub fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let target = Target::new(config)?;
        let meter = Arc::new(Meter::default());
        let mut lanes = Vec::new();
        let mut lane = |limit, meter: &Arc<Meter>| {
            let (sender, jobs) = unbounded_channel();
            let (target, meter) = (target.clone(), Arc::clone(meter));
            lanes.push(Lane { jobs, target, limit, session: None, meter });
            sender
        };
        let limit = Some(config.statement_timeout);
        let (caches, named) = unbounded_channel();
        let listener = Listener { caches: named, target: target.clone(), limit, meter: Arc::clone(&meter) };
        let store = Lanes {
            process: Owned::new(()),
            readers: (0..config.readers).map(|_| lane(limit, &meter)).collect(),
            writers: (0..config.writers).map(|_| lane(limit, &meter)).collect(),
            administration: lane(limit.map(|limit| limit.saturating_mul(ADMINISTRATION)), &meter),
            // The metrics do not count notices as calls.
            notices: lane(limit, &Arc::default()),
            caches,
            meter: Arc::clone(&meter),
            target: target.clone(),
        };
        let (opened, outcome) = mpsc::sync_channel(1);
        // The thread ends when every sender is dropped, so nobody joins it.
        let _thread = spawn(move |runtime| {
            runtime.block_on(async {
                meter.connecting();
                match Session::open(&target, limit).await {
                    Ok(session) => {
                        if let Some(first) = lanes.first_mut() {
                            first.session = Some(session);
                        }
                        drop(opened.send(Ok(())));
                        let served = join(join_all(lanes.into_iter().map(Lane::run)), listener.run());
                        select(pin!(served), pin!(hosts::watch(&target, limit))).await;
                    }
                    Err(failure) => drop(opened.send(Err(failure.into_error()))),
                }
            });
        })?;
        match outcome.recv() {
            Ok(outcome) => outcome.map(|()| Self(Arc::new(store))),
            Err(_) => Err(StoreError::Unknown(None)),
        }
    }

    /// Returns the counters of the store.
    #[must_use]
    pub fn metrics(&self) -> PostgresMetrics {
        self.0.meter.read()
    }

    /// Invalidates entries of a cache from now on when this or another host voids them: one record if a token is
    /// revoked, one subject if its generation is raised, and everything if a call voids or restores many records.
    /// Spending and purging tokens invalidate nothing.
    ///
    /// The notices arrive on a connection of their own, which the store opens in the background and reopens when it
    /// is lost. The cache then forgets everything, since it may have missed notices. A notice can be lost, and a
    /// server or a pooler may not support them: [`CacheConfig::ttl`](crate::CacheConfig::ttl) remains the bound on
    /// how long a revocation can go unseen.
    ///
    /// ```no_run
    /// use token_store::{CacheConfig, CachedStore, PostgresStore};
    ///
    /// let store = PostgresStore::open(&"postgres://onetoken@db1,db2/tokens".parse()?)?;
    /// let cached = CachedStore::new(store, CacheConfig::default());
    /// cached.store().listen(cached.invalidator());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listen(&self, cache: Invalidator) {
        // If the thread is gone, the store answers no calls either.
        drop(self.0.caches.send(cache));
    }

    // Notifies the caches of all hosts that `key` is void, also if the outcome is unknown.
    fn telling<T>(
        &self,
        key: impl FnOnce() -> Vec<u8>,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if done.as_ref().err().is_none_or(|error| error.retry() == Retry::Ask) {
            let (mut waits, told) = self.waits();
            waits.until = waits.since.checked_add(notices::PATIENCE).unwrap_or(waits.until);
            // Wait, so that a caller that revokes and then exits has sent the notice. If that fails, entries expire
            // by their TTL.
            if self.0.notices.send(Job::Notice(Call::<Notices> { ask: key(), waits })).is_ok() {
                drop(told.recv_timeout(notices::PATIENCE));
            }
        }
        done
    }

    fn ask<K: Kind>(
        &self,
        lane: &UnboundedSender<Job>,
        job: impl FnOnce(Call<K>) -> Job,
        ask: K::Ask,
    ) -> Result<K::Answer, StoreError> {
        self.0.process.get()?;
        let (waits, answer) = self.waits();
        lane.send(job(Call { ask, waits })).map_err(|_| StoreError::Poisoned)?;
        answer.recv().unwrap_or(Err(StoreError::Unknown(None)))
    }

    fn change(&self, id: &TokenId, act: Act) -> Result<Changed, StoreError> {
        let change = Change { id: id.clone(), act };
        self.ask::<Changes>(of(&self.0.writers, id.as_bytes())?, Job::Change, change)?
    }

    // Runs an operation that is not batched. It may run more than once, each time on another connection.
    fn run<T: Send + 'static>(
        &self,
        lane: &UnboundedSender<Job>,
        repeat: Repeat,
        run: impl for<'s> Fn(&'s Session) -> LocalBoxFuture<'s, Result<T, Failure>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.process.get()?;
        let answer = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&answer);
        let (waits, done) = self.waits();
        let run: Task = Box::new(move |session| {
            let (answer, kept) = (run(session), Arc::clone(&kept));
            Box::pin(async move {
                let answer = answer.await?;
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                Ok(())
            })
        });
        lane.send(Job::Other(Other { run, waits, repeat })).map_err(|_| StoreError::Poisoned)?;
        done.recv().unwrap_or(Err(StoreError::Unknown(None)))?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or(StoreError::Unknown(None))
    }

    fn waits<T>(&self) -> (Waits<T>, mpsc::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = mpsc::sync_channel(1);
        let since = Instant::now();
        let until = since.checked_add(self.0.target.config.call_timeout).unwrap_or(since);
        (Waits { until, since, reply, in_doubt: None }, answer)
    }
}

#[deny(clippy::missing_trait_methods)]
impl TokenStore for PostgresStore {
    fn insert(&self, record: &Record) -> Result<Insert, StoreError> {
        let lane = of(&self.0.writers, record.id.as_bytes())?;
        self.ask::<Inserts>(lane, Job::Insert, NewRecord::new(record)?)
    }

    fn get(&self, id: &TokenId) -> Result<Option<Record>, StoreError> {
        let stored = self.ask::<Gets>(of(&self.0.readers, id.as_bytes())?, Job::Get, id.clone())?;
        stored.map(|stored| stored.record(id.clone())).transpose()
    }

    fn spend(&self, id: &TokenId, claim: &ClaimId) -> Result<Spend, StoreError> {
        self.change(id, Act::Spend(claim.clone(), GrantId::draw()?))?.spend()
    }

    fn claimed(&self, id: &TokenId, claim: &ClaimId) -> Result<Option<Held>, StoreError> {
        self.change(id, Act::Claimed(claim.clone()))?.claimed()
    }

    fn refund(&self, id: &TokenId, claim: &ClaimId, grant: GrantId) -> Result<Refund, StoreError> {
        self.change(id, Act::Refund(claim.clone(), grant))?.refund()
    }

    fn revoke(&self, id: &TokenId) -> Result<Revoke, StoreError> {
        let done = self.change(id, Act::Revoke).and_then(Changed::revoke);
        self.telling(|| layout::record(id), done)
    }

    fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        listing::list(self, filter, after, limit)
    }

    fn purge(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        admin::purge(self, now, limit)
    }

    fn generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        // Such a key would fail the statement that it shares with other callers.
        if !layout::may_have_generation(subject) {
            return Ok(None);
        }
        let key = layout::generation(subject);
        let found = self.ask::<Generations>(of(&self.0.readers, &key)?, Job::Generation, key)?;
        found.map(|bytes| Generation::from_bytes(subject, &bytes)).transpose()
    }

    fn present_generation(&self, subject: &Entity) -> Result<Option<Generation>, StoreError> {
        self.generation(subject)
    }

    fn raise_generation(&self, subject: &Entity, next: &Generation) -> Result<Raise, StoreError> {
        const READ: &str = "SELECT generation FROM onetoken.generations WHERE subject = $1::bytea";
        const FIRST: &str = "
            INSERT INTO onetoken.generations (subject, number, generation) SELECT $1::bytea, $2::bigint, $3::bytea
            WHERE {mark}
            ON CONFLICT (subject) DO NOTHING
            RETURNING number";
        const NEXT: &str = "
            UPDATE onetoken.generations SET number = $2::bigint, generation = $3::bytea
            WHERE subject = $1::bytea AND generation = $4::bytea AND {mark}
            RETURNING number";
        let (key, value, number) = (layout::generation(subject), next.to_bytes(subject)?, next.number);
        let lane = of(&self.0.writers, &key)?;
        let owner = subject.clone();
        let raised = self.run(lane, Repeat::OtherWrite, move |session| {
            let (owner, key, value) = (owner.clone(), key.clone(), value.clone());
            Box::pin(async move {
                let found = session.query(READ, &[&key]).await?;
                let stored = found.first().map(|row| kind::get::<&[u8]>(row, 0)).transpose()?;
                let present = match stored.map(|stored| Generation::from_bytes(&owner, stored)) {
                    // Overwritten: no temporary token is good under a damaged generation.
                    None | Some(Err(StoreError::Corrupt { .. })) => 0,
                    Some(generation) => generation?.number,
                };
                if present.checked_add(1) != Some(number) {
                    session.settle().await?;
                    return Ok(Raise::Stale { present });
                }
                let number = bigint(number);
                let raised = match &stored {
                    None => session.write(FIRST, &[&key, &number, &value]).await?,
                    Some(stored) => session.write(NEXT, &[&key, &number, &value, stored]).await?,
                };
                match raised.is_empty() {
                    false => Ok(Raise::Raised),
                    // Another host changed the row after it was read.
                    true => Err(Failure::Again(error::timed_out("others raise it as well"))),
                }
            })
        });
        match number {
            // The first generation voids nothing that a cache may hold, or replaces a damaged one.
            1 => raised,
            _ => self.telling(|| layout::generation(subject), raised),
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresStore({})", self.0.target.place)
    }
}

// Calls about one subject share one connection, so that they do not wait for each other's row locks.
fn of<'a>(lanes: &'a [UnboundedSender<Job>], subject: &[u8]) -> Result<&'a UnboundedSender<Job>, StoreError> {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    let count = u64::try_from(lanes.len()).ok();
    let at = count.and_then(|count| usize::try_from(hasher.finish().checked_rem(count)?).ok());
    at.and_then(|at| lanes.get(at)).ok_or(StoreError::Poisoned)
}

// Runs long work on a thread and a connection of its own, so that other calls do not wait for it.
fn apart<T: Send + 'static>(
    work: impl AsyncFnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn(move |runtime| runtime.block_on(work()))?.join() {
        Ok(done) => done?.map_err(Failure::into_error),
        Err(_) => Err(StoreError::Unknown(None)),
    }
}

// Starts a runtime on a thread of its own, since the caller's thread may run another runtime.
fn spawn<T: Send + 'static>(
    work: impl FnOnce(&tokio::runtime::Runtime) -> T + Send + 'static,
) -> Result<thread::JoinHandle<Result<T, StoreError>>, StoreError> {
    let io = |error| StoreError::Io(Arc::new(error));
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
        let done = work(&runtime);
        // Does not wait for a name lookup that is still running.
        runtime.shutdown_background();
        Ok(done)
    };
    thread::Builder::new().name("onetoken-postgres".to_owned()).spawn(work).map_err(io)
}
