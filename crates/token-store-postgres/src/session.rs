//! One connection.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    convert::Infallible,
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::{join, select};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc::Sender, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Row, SimpleQueryMessage, Statement, error::Severity,
    types::ToSql,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    config::PostgresConfig,
    error::{self, Failure},
    log::{self, Log, LogPosition, Reached},
    metrics::Meter,
    tls,
};
use token_store::StoreError;

/// A parameter of a statement.
pub(crate) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// After this time without use, a connection is checked first. Shorter than the idle timeouts of common firewalls.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// How long the server may take to answer that check, or to close a connection after the goodbye.
const COURTESY: Duration = Duration::from_secs(2);

/// The divisor of the statement timeout that gives the lock timeout, so that time is left for the rows that are not
/// locked.
const WAIT: u128 = 4;

/// The placeholder of [`mark`] in every statement that writes. [`mark`] is a condition that is always true.
const MARK: &str = "{mark}";

/// Reads whether the server still keeps what it acknowledges, and where in its log the mark of the last statement is.
const AFTER: &str = "
    SELECT current_setting('fsync', true), current_setting('full_page_writes', true),
           current_setting('onetoken.mark', true)";

/// Reads how far the log of a server that takes writes reaches.
const REACHED: &str = "
    SELECT pg_walfile_name(pg_current_wal_insert_lsn()), pg_current_wal_insert_lsn(), pg_last_wal_replay_lsn()";

/// The server to connect to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) config: PostgresConfig,
    pub(crate) place: String,
    pub(crate) log: Arc<Log>,
    pub(crate) meter: Arc<Meter>,
    // Not used where the configuration of a host disables TLS.
    pub(crate) tls: MakeRustlsConnect,
}

impl Target {
    /// Loads the certificates, and fails as [`tls::connector`] does. Connects to nothing.
    pub(crate) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        let tls = tls::connector(config.tls.as_ref())?;
        let (config, place) = (config.clone(), config.to_string());
        Ok(Self { config, place, log: Arc::default(), meter: Arc::default(), tls })
    }
}

/// A connection to a server that keeps what it acknowledges.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) target: Target,
    driver: JoinHandle<()>,
    // Dropped with the session, which ends the driver.
    held: oneshot::Sender<Infallible>,
    warnings: Arc<AtomicU64>,
    statements: RefCell<HashMap<&'static str, Statement>>,
    mark: String,
    // `None` where the server has no such log.
    reached: Option<Reached>,
    limit: Option<Duration>,
    used: Cell<Instant>,
    abandoned: Cell<bool>,
}

impl Session {
    /// Connects to one server. Fails if the server takes no writes. Notifications go to `notices` until the
    /// connection is lost or `notices` is full.
    pub(crate) async fn login(
        target: &Target,
        server: &Config,
        limit: Option<Duration>,
        notices: Option<Sender<String>>,
    ) -> Result<Self, Failure> {
        let warnings = Arc::new(AtomicU64::new(0));
        let (held, released) = oneshot::channel();
        let failed = |error| error::of_connecting(&error, &target.place);
        let (client, connection) = server.connect(target.tls.clone()).await.map_err(failed)?;
        let driver = tokio::spawn(drive(connection, released, Arc::clone(&warnings), notices));
        let mut session = Self {
            client,
            target: target.clone(),
            driver,
            held,
            warnings,
            statements: RefCell::default(),
            mark: String::new(),
            reached: None,
            limit,
            used: Cell::new(Instant::now()),
            abandoned: Cell::new(false),
        };
        session.set_up().await?;
        Ok(session)
    }

    // Pins the settings on which the store's guarantees rest, so that the server's defaults do not matter.
    async fn set_up(&mut self) -> Result<(), Failure> {
        let limit = self.limit.map_or(0, |limit| limit.as_millis());
        let name = setting_of_its_own()?;
        let found = self
            .simple(&format!(
                "SET default_transaction_isolation = 'read committed'; SET search_path = pg_catalog; \
                 SET client_min_messages = 'warning'; SET statement_timeout = {limit}; \
                 SET {name} = 'on'; \
                 SELECT current_setting('transaction_read_only', true), current_setting('fsync', true), \
                 current_setting('full_page_writes', true), current_setting('synchronous_commit', true), \
                 3 = (SELECT count(DISTINCT proname) FROM pg_catalog.pg_proc WHERE proname IN \
                 ('pg_logical_emit_message', 'pg_current_wal_insert_lsn', 'pg_walfile_name'))"
            ))
            .await?;
        let found: Vec<String> = found.into_iter().flatten().map(Option::unwrap_or_default).collect();
        let [read_only, fsync, full_page_writes, synchronous_commit, has_log] = found.as_slice() else {
            return Err(Failure::Refused(self.strange("the server tells nothing of its settings")));
        };
        self.mark = mark(&name, has_log == "t");
        if read_only != "on" && has_log == "t" {
            self.reached = Some(self.reached().await?);
        }
        if let Some(limit) = self.limit {
            self.simple(&settings(limit)).await?;
        }
        if read_only == "on" {
            return Err(Failure::Elsewhere(StoreError::ReadOnly));
        }
        if !self.target.config.require_durable {
            return Ok(());
        }
        durable(fsync, full_page_writes)?;
        match synchronous_commit.as_str() {
            // Servers that only speak the protocol do not know this setting.
            "" => {}
            "on" | "remote_apply" => {
                self.simple(&format!("SET synchronous_commit = {synchronous_commit}")).await?;
            }
            found => {
                let (setting, found) = ("synchronous_commit", error::shown(found));
                return Err(Failure::Refused(StoreError::NotDurable { setting, found }));
            }
        }
        Ok(())
    }

    async fn reached(&self) -> Result<Reached, Failure> {
        let acknowledged = self.target.log.acknowledged();
        let rows = self.simple(REACHED).await?;
        let found: Vec<Option<String>> = rows.into_iter().flatten().collect();
        let reached = match found.as_slice() {
            [Some(file), Some(end), began] => {
                log::timeline(file).zip(log::position(end)).map(|(timeline, at)| Reached {
                    end: LogPosition { timeline, at },
                    began: began.as_deref().and_then(log::position),
                    acknowledged,
                })
            }
            _ => None,
        };
        reached.ok_or_else(|| Failure::Refused(self.strange("the server tells nothing of its log")))
    }

    /// Returns the timeline of the server; 0 if the server has none.
    pub(crate) fn timeline(&self) -> u32 {
        self.reached.map_or(0, |reached| reached.end.timeline)
    }

    /// Returns the session if its server has every acknowledged write; else `WentBack`.
    pub(crate) fn admitted(self) -> Result<Self, Failure> {
        let Some(reached) = self.reached else { return Ok(self) };
        match self.target.log.admit(&reached) {
            Ok(()) => Ok(self),
            Err((found, acknowledged)) => {
                let is_former = found.timeline < self.target.log.newest();
                let (found, acknowledged) = (found.to_string(), acknowledged.to_string());
                let error = StoreError::WentBack { place: self.target.place, found, acknowledged };
                // A former primary may be the only reachable server for now, so retry. No other server has what the
                // present primary lacks.
                Err(if is_former { Failure::Elsewhere(error) } else { Failure::Refused(error) })
            }
        }
    }

    /// Runs statements without parameters, which must be safe to repeat: a failure is never in doubt. Returns their
    /// rows as text.
    pub(crate) async fn simple(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        };
        let answered = self.within(self.client.simple_query(sql)).await;
        let messages = answered.map_err(|failure| failure.of_nothing(&self.target.place))?;
        Ok(messages.into_iter().filter_map(row).collect())
    }

    /// Runs one statement that reads. A failover may still lose what it reads.
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql).await?;
        self.within(self.client.query(&statement, parameters)).await
    }

    /// Runs one statement, which contains `{mark}`, as a transaction. The answer is durable even if nothing changed:
    /// the standby has everything on which the answer rests.
    pub(crate) async fn write(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql).await?;
        let after = self.statement(AFTER).await?;
        let warnings = self.warnings.load(Ordering::Relaxed);
        // Both are sent together: the second costs no extra round trip.
        let both = async {
            let (rows, found) =
                join(self.client.query(&statement, parameters), self.client.query(&after, &[])).await;
            Ok((rows?, found))
        };
        let (rows, found) = self.within(both).await?;
        let doubt = |cause| Failure::Doubt(Arc::new(io::Error::other(cause)));
        // The only warning that our statements can cause says that the wait for the standby was cut short.
        if self.warnings.load(Ordering::Relaxed) != warnings {
            return Err(doubt("the server warned of something"));
        }
        let found = found.map_err(|error| Failure::Doubt(error::cause(&error)))?;
        let found = found.first().ok_or_else(|| doubt("the server tells nothing of its settings"))?;
        let setting = |at| found.try_get::<_, Option<&str>>(at).ok().flatten().unwrap_or_default();
        // The next connection reports which setting it is.
        if self.target.config.require_durable && durable(setting(0), setting(1)).is_err() {
            return Err(doubt("the server was set to lose what it acknowledges"));
        }
        if let Some(Reached { end: LogPosition { timeline, .. }, .. }) = self.reached {
            let at = log::position(setting(2)).ok_or_else(|| doubt("the server tells nothing of its log"))?;
            if !self.target.log.acknowledge(LogPosition { timeline, at }) {
                return Err(doubt("another server has become the primary"));
            }
        }
        Ok(rows)
    }

    /// Waits until a synchronous standby, if there is one, has everything committed so far. For answers that rest on
    /// reads.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        self.write("SELECT 1 WHERE {mark}", &[]).await.map(drop)
    }

    // If this fails, the statement itself was not sent.
    async fn statement(&self, sql: &'static str) -> Result<Statement, Failure> {
        if self.is_broken() {
            return Err(
                Failure::Doubt(Arc::new(io::ErrorKind::NotConnected.into())).of_nothing(&self.target.place)
            );
        }
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let text = sql.replace(MARK, &self.mark);
        let prepared = self.within(self.client.prepare(&text)).await;
        let statement = prepared.map_err(|failure| failure.of_nothing(&self.target.place))?;
        self.statements.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    // The server cancels a statement that takes too long; this timeout is for a server that does not answer at all.
    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        self.used.set(Instant::now());
        let answered = match self.limit {
            Some(limit) => timeout(limit.saturating_add(COURTESY), answer).await.map_err(|_| {
                self.abandon();
                Failure::Doubt(error::timed_out("the server does not answer"))
            })?,
            None => answer.await,
        };
        answered.map_err(|error| {
            let failure = error::of_statement(&error, &self.target.place);
            // A connection that a pooler shares would keep failing after the pooler is reconfigured.
            if matches!(failure, Failure::Refused(StoreError::Pooled { .. })) {
                self.abandon();
            }
            failure
        })
    }

    /// Marks the connection as broken, so that its lane closes it.
    pub(crate) fn abandon(&self) {
        self.abandoned.set(true);
    }

    /// Whether the connection is lost or abandoned, or leads to a former primary. Asks no server.
    pub(crate) fn is_broken(&self) -> bool {
        self.abandoned.get() || self.client.is_closed() || self.timeline() < self.target.log.newest()
    }

    /// Whether the connection can be used. Asks the server after a long time without use.
    pub(crate) async fn is_sound(&self) -> bool {
        if self.used.get().elapsed() > IDLE && !self.is_broken() {
            self.used.set(Instant::now());
            if !matches!(timeout(COURTESY, self.client.check_connection()).await, Ok(Ok(()))) {
                self.abandon();
            }
        }
        !self.is_broken()
    }

    /// Says goodbye and waits until the connection is closed.
    pub(crate) async fn close(self) {
        let Self { client, held, driver, .. } = self;
        drop((client, held));
        drop(driver.await);
    }

    /// The error for an answer that no such server gives: `NotAStore`.
    pub(crate) fn strange(&self, what: &'static str) -> StoreError {
        StoreError::NotAStore { path: self.target.place.clone().into(), found: what }
    }
}

// Returns a name of a custom setting that no other session has set.
fn setting_of_its_own() -> Result<String, Failure> {
    let mut random = [0; 8];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| StoreError::Io(Arc::new(io::Error::other("the system gives no random bytes"))))?;
    Ok(format!("onetoken.session_{:016x}", u64::from_be_bytes(random)))
}

// - A commit waits for the standby only if its transaction has written to the log. A statement that changes nothing
//   would be acknowledged at once, although the commits that it saw may be on the primary alone: a commit becomes
//   visible also if its wait for the standby is cut short. So each statement writes a message of some 60 bytes to the
//   log, which nobody reads. The message takes no lock and changes no table. A row lock would work as well but make
//   repeated claims wait for each other; a transaction id alone would not work.
// - The position of the message is kept for [`AFTER`], which reads it after the commit. Log records behind the
//   message may be of other transactions and not acknowledged.
// - The message is a setting of this session. In any other session reading it fails, which shows that a pooler has
//   switched sessions.
// - As a subquery it is evaluated once, before the statement looks for its rows.
fn mark(name: &str, has_log: bool) -> String {
    match has_log {
        true => format!(
            "(SELECT set_config('onetoken.mark', \
             pg_logical_emit_message(true, 'onetoken', current_setting('{name}'))::text, false) <> '')"
        ),
        // Not PostgreSQL. Such a server itself must make what it answers to a read durable.
        false => format!("(SELECT current_setting('{name}') = 'on')"),
    }
}

fn durable(fsync: &str, full_page_writes: &str) -> Result<(), StoreError> {
    for (setting, found) in [("fsync", fsync), ("full_page_writes", full_page_writes)] {
        if found == "off" {
            return Err(StoreError::NotDurable { setting, found: error::shown(found) });
        }
    }
    Ok(())
}

// Sets settings by name, since not every server knows each of them.
//
// - A shared statement is a few hundred lookups, regardless of the server's statistics. A plan made for a new and
//   empty table would scan all of it, and would stay in use while the table grows.
// - CockroachDB refuses statements with several changes to one table unless this setting says that no two are to the
//   same row, which holds for all of ours.
fn settings(limit: Duration) -> String {
    let wait = limit.as_millis().div_euclid(WAIT).max(1);
    format!(
        "SELECT set_config(name, setting, false)
         FROM (VALUES ('enable_seqscan', 'off'), ('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'),
                      ('lock_timeout', '{wait}'), ('enable_multiple_modifications_of_table', 'on'))
             AS wanted(name, setting)
         WHERE name IN (SELECT known.name FROM pg_catalog.pg_settings known)"
    )
}

// Drives the connection. If the server never answers the goodbye, closes the connection some time after the session
// is dropped.
async fn drive<S, T>(
    mut connection: Connection<S, T>,
    released: oneshot::Receiver<Infallible>,
    warnings: Arc<AtomicU64>,
    mut notices: Option<Sender<String>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let messages = async {
        // The user of the connection gets the error that ends it.
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                AsyncMessage::Notice(notice) if notice.parsed_severity() == Some(Severity::Warning) => {
                    warnings.fetch_add(1, Ordering::Relaxed);
                }
                AsyncMessage::Notification(notice) => {
                    // The listener is gone, or too far behind to catch up.
                    let sent = notices.as_ref().map(|notices| notices.try_send(notice.payload().to_owned()));
                    if sent.is_some_and(|sent| sent.is_err()) {
                        notices = None;
                    }
                }
                _ => {}
            }
        }
    };
    let leave = async {
        drop(released.await);
        sleep(COURTESY).await;
    };
    select(pin!(messages), pin!(leave)).await;
}
