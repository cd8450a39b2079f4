//! The store: its connections, and how a call reaches one.

use std::{
    any::Any,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::pin,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all, select};
use token_store::{Invalidator, Retry, StoreError, kit::Owned};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    config::PostgresConfig,
    error::Failure,
    hosts,
    kind::{Kind, Others, Repeat, Task},
    lane::{Call, Job, Lane},
    metrics::PostgresMetrics,
    notices::{self, Subject},
    schema,
    session::{Session, Target},
};

/// The factor by which the statement timeout of listings and administration exceeds that of other statements: they
/// work on many records.
const ADMINISTRATION: u32 = 6;

/// A store in a PostgreSQL server, or in a server that speaks its protocol. Use it where many hosts share a store.
///
/// # Threads, and async programs
/// Any thread may call it. A call blocks its thread until the server has answered. Calls of many threads share
/// statements and their syncs. In an async program, call through `tokio::task::spawn_blocking` or its like: a call
/// inside a task does not panic, but it blocks all other tasks of its thread. The store has one thread of its own for
/// its connections, which ends after the last clone is dropped. A process that forks must open the store again in the
/// child.
///
/// # What can go wrong
/// - If the connection is lost while a write is in flight, its outcome is unknown: [`StoreError::Unknown`]. Retry
///   under the same claim. The store itself retries reads and idempotent writes.
/// - [`counts`](token_store::Administration::counts), the purges, and the calls that change one token use the columns
///   that the server decides by and do not decode records. They treat damaged records like all others and do not report
///   them; [`check`](token_store::Administration::check) does.
/// - The server counts uses up to 2⁶³ − 1. The store keeps a larger limit exactly but counts it as 2⁶³ − 1, which no
///   token reaches: [`Spend::Spent`](token_store::Spend::Spent) then reports fewer uses than are left.
/// - While the server is unreachable or in recovery, the store retries until [`PostgresConfig::call_timeout`] has
///   passed.
/// - The store refuses a server that may lose acknowledged writes ([`StoreError::NotDurable`]): `fsync`,
///   `full_page_writes` and `synchronous_commit` must be on. It does not require a synchronous standby; the operator
///   must set one up so that a failover loses no writes.
#[derive(Clone)]
pub struct PostgresStore(pub(crate) Arc<Lanes>);

/// The queues of an open store. Each has one connection.
pub(crate) struct Lanes {
    // The process that opened the store: a fork has neither its threads nor its connections.
    process: Owned<()>,
    pub(crate) readers: Vec<UnboundedSender<Job>>,
    pub(crate) writers: Vec<UnboundedSender<Job>>,
    pub(crate) administration: UnboundedSender<Job>,
    notices: UnboundedSender<Job>,
    caches: UnboundedSender<Invalidator>,
    target: Target,
}

impl PostgresStore {
    /// Creates the tables in the schema `onetoken` of the database. Changes nothing if they exist. The user must own the
    /// tables or be allowed to create them; opening the store needs fewer rights.
    ///
    /// # Errors
    /// [`StoreError`]: [`NotFound`](StoreError::NotFound) if there is no such database,
    /// [`OlderVersion`](StoreError::OlderVersion), [`NewerVersion`](StoreError::NewerVersion),
    /// [`ForeignOwner`](StoreError::ForeignOwner) if another user owns the schema, [`Denied`](StoreError::Denied),
    /// [`Unreachable`](StoreError::Unreachable), [`NotDurable`](StoreError::NotDurable),
    /// [`ReadOnly`](StoreError::ReadOnly); [`Io`](StoreError::Io) for a certificate that cannot be read.
    pub fn init(config: &PostgresConfig) -> Result<(), StoreError> {
        let target = Target::new(config)?;
        apart(async || {
            let session = hosts::primary(&target, None, None).await?;
            let created = schema::create(&session).await;
            session.close().await;
            created
        })
    }

    /// Opens the store. Does not change its tables.
    ///
    /// # Errors
    /// [`StoreError`]: [`NotFound`](StoreError::NotFound) if there is no such database or no tables in it (call
    /// [`init`](Self::init)); [`OlderVersion`](StoreError::OlderVersion), [`NewerVersion`](StoreError::NewerVersion),
    /// [`Denied`](StoreError::Denied), [`Unreachable`](StoreError::Unreachable),
    /// [`NotDurable`](StoreError::NotDurable), [`ReadOnly`](StoreError::ReadOnly); [`Io`](StoreError::Io) for a
    /// certificate that cannot be read.
    pub fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let target = Target::new(config)?;
        let mut lanes = Vec::new();
        let mut lane = |limit, target: &Target| {
            let (sender, jobs) = unbounded_channel();
            lanes.push(Lane { jobs, target: target.clone(), limit, session: None });
            sender
        };
        let limit = Some(config.statement_timeout);
        let (caches, named) = unbounded_channel();
        // The metrics do not count notices as calls.
        let unmetered = Target { meter: Arc::default(), ..target.clone() };
        let store = Lanes {
            process: Owned::new(()),
            readers: (0..config.readers).map(|_| lane(limit, &target)).collect(),
            writers: (0..config.writers).map(|_| lane(limit, &target)).collect(),
            administration: lane(limit.map(|limit| limit.saturating_mul(ADMINISTRATION)), &target),
            notices: lane(limit, &unmetered),
            caches,
            target: target.clone(),
        };
        let (opened, outcome) = mpsc::sync_channel(1);
        // The thread ends when every sender is dropped, so nobody joins it.
        let thread = builder().spawn(move || {
            block_on(async {
                match hosts::open(&target, limit).await {
                    Ok(session) => {
                        if let Some(first) = lanes.first_mut() {
                            first.session = Some(session);
                        }
                        drop(opened.send(Ok(())));
                        let served = join(
                            join_all(lanes.into_iter().map(Lane::run)),
                            notices::serve(named, target.clone()),
                        );
                        select(pin!(served), pin!(hosts::watch(&target, limit))).await;
                    }
                    Err(failure) => drop(opened.send(Err(failure.into_error()))),
                }
            })
        });
        thread.map_err(io)?;
        match outcome.recv() {
            Ok(outcome) => outcome.map(|()| Self(Arc::new(store))),
            Err(_) => Err(StoreError::Unknown(None)),
        }
    }

    /// Returns the counters of the store.
    #[must_use]
    pub fn metrics(&self) -> PostgresMetrics {
        self.0.target.meter.read()
    }

    /// Invalidates entries of a cache from now on when this or another host revokes, reinstates or deletes what they
    /// hold: one record or one subject if a call is about it alone, and everything if a call is about many. Spending,
    /// amending and purging tokens invalidate nothing.
    ///
    /// The notices arrive on a connection of their own, which the store opens in the background and reopens when it
    /// is lost. The cache then forgets everything, since it may have missed notices. A notice can be lost, and a
    /// server or a pooler may not support them: [`CacheConfig::ttl`](token_store::CacheConfig::ttl) remains the bound on
    /// how long a revocation can go unseen.
    ///
    /// ```no_run
    /// use token_store::{CacheConfig, CachedStore};
    /// use token_store_postgres::PostgresStore;
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

    /// Returns `done`, the result of a call that revokes `subject`. Before that, if the call succeeded or may have,
    /// sends a notice to the caches of all hosts. Waits at most [`PATIENCE`](notices::PATIENCE) for the sending; a
    /// failure to send it is no error.
    pub(crate) fn announce<T>(&self, subject: Subject, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.as_ref().err().is_none_or(|error| error.retry() == Retry::Ask) {
            // Wait, so that a caller that revokes and then exits has sent the notice. If that fails, entries expire
            // by their TTL.
            if let Ok(sent) = post(&self.0.notices, Job::Notice, subject, notices::PATIENCE) {
                drop(sent.recv_timeout(notices::PATIENCE));
            }
        }
        done
    }

    /// Makes a call and waits for its answer. `Forked` in a forked process,
    /// `Poisoned` if the lane has ended.
    pub(crate) fn ask<K: Kind>(
        &self,
        lane: &UnboundedSender<Job>,
        job: impl FnOnce(Call<K>) -> Job,
        ask: K::Ask,
    ) -> Result<K::Answer, StoreError> {
        self.process()?;
        let answer = post(lane, job, ask, self.0.target.config.call_timeout)?;
        answer.recv().unwrap_or(Err(StoreError::Unknown(None)))
    }

    /// Makes a call that shares no statement, and fails as [`ask`](Self::ask) does. It may run more than once, each time
    /// on another connection.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        lane: &UnboundedSender<Job>,
        repeat: Repeat,
        run: impl AsyncFn(&Session) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let run = Arc::new(run);
        let task: Task = Box::new(move |session| {
            let run = Arc::clone(&run);
            Box::pin(async move { Ok(Box::new((*run)(session).await?) as Box<dyn Any + Send>) })
        });
        let answer = self.ask::<Others>(lane, Job::Other, (task, repeat))?;
        answer.downcast().map(|answer| *answer).map_err(|_| StoreError::Unknown(None))
    }

    /// Makes a call on the connection for listings and administration, as [`run`](Self::run) does.
    pub(crate) fn administer<T: Send + 'static>(
        &self,
        repeat: Repeat,
        run: impl AsyncFn(&Session) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        self.run(&self.0.administration, repeat, run)
    }

    /// Runs work that may take long on a connection of its own, so that other calls do not wait for it. The work must
    /// only read. It has no time limit and is not retried.
    pub(crate) fn apart<T: Send>(
        &self,
        work: impl AsyncFnOnce(&Session) -> Result<T, Failure> + Send,
    ) -> Result<T, StoreError> {
        self.process()?;
        apart(async || {
            let session = hosts::open(&self.0.target, None).await?;
            let done = work(&session).await;
            session.close().await;
            done.map_err(|failure| failure.of_nothing(&self.0.target.place))
        })
    }

    fn process(&self) -> Result<(), StoreError> {
        self.0.process.get().copied()
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresStore({})", self.0.target.place)
    }
}

/// Returns the lane for a subject; `Poisoned` if there are no lanes. Calls about one subject share one connection, so
/// that they do not wait for each other's row locks.
pub(crate) fn lane_of<'a>(
    lanes: &'a [UnboundedSender<Job>],
    subject: &[u8],
) -> Result<&'a UnboundedSender<Job>, StoreError> {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    let count = u64::try_from(lanes.len()).ok();
    let at = count.and_then(|count| usize::try_from(hasher.finish().checked_rem(count)?).ok());
    at.and_then(|at| lanes.get(at)).ok_or(StoreError::Poisoned)
}

// Adds a call to a lane, which retries it for as long as the timeout. `Poisoned` if the lane has ended.
fn post<K: Kind>(
    lane: &UnboundedSender<Job>,
    job: impl FnOnce(Call<K>) -> Job,
    ask: K::Ask,
    timeout: Duration,
) -> Result<mpsc::Receiver<Result<K::Answer, StoreError>>, StoreError> {
    let (reply, answer) = mpsc::sync_channel(1);
    let since = Instant::now();
    let until = since.checked_add(timeout).unwrap_or(since);
    lane.send(job(Call { ask, until, since, reply, in_doubt: None })).map_err(|_| StoreError::Poisoned)?;
    Ok(answer)
}

// Runs work on a thread and a runtime of its own, since the caller's thread may run another runtime.
fn apart<T: Send>(work: impl AsyncFnOnce() -> Result<T, Failure> + Send) -> Result<T, StoreError> {
    thread::scope(|scope| {
        let thread = builder().spawn_scoped(scope, || block_on(work())).map_err(io)?;
        thread.join().unwrap_or(Ok(Err(StoreError::Unknown(None).into())))?.map_err(Failure::into_error)
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let done = runtime.block_on(work);
    // Does not wait for a name lookup that is still running.
    runtime.shutdown_background();
    Ok(done)
}

fn builder() -> thread::Builder {
    thread::Builder::new().name("onetoken-postgres".to_owned())
}

fn io(error: std::io::Error) -> StoreError {
    StoreError::Io(Arc::new(error))
}
