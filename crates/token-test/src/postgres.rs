//! A PostgreSQL server for tests: a given one, or one that lives as long as the test process.
//!
//! ```no_run
//! let Some(server) = token_test::postgres::shared() else { return };
//! let url = server.database();
//! ```
//!
//! - `ONETOKEN_TEST_POSTGRES`: the URL of a server on which the tests may create databases. Without it, they start
//!   the machine's `postgres`.
//! - `ONETOKEN_REQUIRE_POSTGRES=1`: fails a test that finds neither. Without it, the test reports that it did not
//!   run.

use std::{
    env, fs,
    io::Read as _,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The user that owns the server and its databases.
const USER: &str = "onetoken";

/// How long a server may take to start. A loaded machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    // The parts of a URL before and after the name of the database.
    before: String,
    after: String,
    own: Option<Own>,
}

/// A directory that is removed with this value, also if a test panics before there is a server.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A server that this process started.
struct Own {
    dir: Dir,
    // A shell that stops the server and removes its files when its standard input ends: on drop, or when this process
    // dies.
    keeper: Child,
    port: u16,
}

/// Returns the shared server of this process, which is not durable: its URLs contain `durable=no`. `None` if there is
/// no server; standard error then reports that the test did not run.
///
/// # Panics
/// If there is none although `ONETOKEN_REQUIRE_POSTGRES` is set, or if it does not start.
pub fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(given).as_ref().or_else(|| {
        static OWN: OnceLock<Option<Server>> = OnceLock::new();
        OWN.get_or_init(|| start(&["fsync=off", "full_page_writes=off"])).as_ref()
    })
}

fn given() -> Option<Server> {
    let url = env::var("ONETOKEN_TEST_POSTGRES").ok()?;
    let (scheme, rest) = url.split_once("://").expect("ONETOKEN_TEST_POSTGRES is a URL");
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or(place);
    let query = if query.is_empty() { String::new() } else { format!("&{query}") };
    Some(Server {
        before: format!("{scheme}://{authority}/"),
        after: format!("?durable=no{query}"),
        own: None,
    })
}

/// Starts a server with settings (`name=value`) on a free port of the loopback address and on a socket. `None`, with
/// a report, if `postgres` is not installed.
///
/// # Panics
/// As [`shared`].
pub fn start(settings: &[&str]) -> Option<Server> {
    let Some(programs) = programs() else {
        crate::not_run("ONETOKEN_REQUIRE_POSTGRES", "a postgres with initdb and pg_basebackup");
        return None;
    };
    let make = format!("-U {USER} --auth=trust --no-sync --locale=C -E UTF8");
    Some(run(&programs, &format!("initdb' -D \"$dir/data\" {make}"), settings))
}

/// Creates the server's files with one of its programs, and starts it.
fn run(programs: &Path, make: &str, settings: &[&str]) -> Server {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Short, since the path of a socket has at most 107 bytes.
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = env::temp_dir().join(format!("otpg-{}-{number}", std::process::id()));
    fs::create_dir(&dir).expect("a directory for the server");
    let dir = Dir(dir);
    let account = unprivileged(&dir.0);
    if let Some((uid, gid)) = account {
        chown(&dir.0, Some(uid), Some(gid)).expect("the directory is the server's");
    }
    let port = free_port();
    let mut options = vec![
        "-c listen_addresses=127.0.0.1".to_owned(),
        format!("-c port={port}"),
        format!("-c unix_socket_directories='{}'", dir.0.display()),
        "-c max_connections=300".to_owned(),
        "-c shared_buffers=32MB".to_owned(),
    ];
    options.extend(settings.iter().map(|setting| format!("-c {setting}")));
    let script = format!(
        r#"trap '' INT
           dir='{dir}'
           '{bin}/{make} >"$dir/log" 2>&1 &&
           {{ '{bin}/postgres' -D "$dir/data" {options} >>"$dir/log" 2>&1 & }}
           cat >/dev/null
           for _ in 1 2 3; do
               pid=$(head -n1 "$dir/data/postmaster.pid" 2>/dev/null) || break
               kill -CONT "$pid" 2>/dev/null
               kill -QUIT "$pid" 2>/dev/null
               for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
           done
           rm -rf "$dir""#,
        bin = programs.display(),
        dir = dir.0.display(),
        options = options.join(" "),
    );
    let mut keeper = Command::new("sh");
    keeper.arg("-c").arg(script).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    keeper.env("LC_ALL", "C").current_dir(&dir.0).process_group(0);
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = account {
        keeper.uid(uid).gid(gid);
    }
    let keeper = keeper.spawn().expect("a shell");
    let server = Server {
        before: format!("postgres://{USER}@127.0.0.1:{port}/"),
        after: "?durable=no".to_owned(),
        own: Some(Own { dir, keeper, port }),
    };
    server.wait();
    server
}

impl Server {
    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// If the database cannot be created.
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).expect("a new database");
        self.url(&name)
    }

    /// Returns the URL of a database, for a store.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}{}", self.before, self.after)
    }

    /// Opens a separate connection to a database, given by name or URL.
    ///
    /// # Errors
    /// What the server says.
    pub fn connect(&self, database: &str) -> Result<Raw, tokio_postgres::Error> {
        let name = database.rsplit_once('/').map_or(database, |(_, name)| name);
        let name = name.split_once('?').map_or(name, |(name, _)| name);
        let rest = self.after.replace("?durable=no&", "?").replace("?durable=no", "");
        let url = format!("{}{name}{rest}", self.before);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        })?;
        Ok(Raw { runtime, client })
    }

    /// Runs statements in a database, given by name or URL. Returns the resulting rows of text.
    ///
    /// # Errors
    /// What the server says.
    pub fn sql(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        self.connect(database)?.sql(sql)
    }

    /// Returns the process id of the postmaster; `None` for a given server, or one that is not running.
    pub fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.dir()?.join("data/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }

    /// Returns the port of a server that this process started.
    pub fn port(&self) -> Option<u16> {
        self.own.as_ref().map(|own| own.port)
    }

    /// Starts a standby that streams from this server under the name `standby`. `None` for a given server.
    ///
    /// # Panics
    /// If the standby does not start.
    pub fn standby(&self, settings: &[&str]) -> Option<Self> {
        let port = self.port()?;
        let source = format!("host=127.0.0.1 port={port} user={USER} application_name=standby");
        let make = format!("pg_basebackup' -D \"$dir/data\" -d '{source}' -c fast --no-sync -R");
        let fast = "wal_retrieve_retry_interval=100ms";
        Some(run(&programs()?, &make, &[settings, &[fast]].concat()))
    }

    /// Promotes a standby and waits until it is the primary.
    ///
    /// # Errors
    /// What the server says.
    ///
    /// # Panics
    /// If the standby does not become the primary.
    pub fn promote(&self) -> Result<(), tokio_postgres::Error> {
        let promoted = self.sql("postgres", "SELECT pg_promote(true, 60)")?;
        assert_eq!(promoted[0][0].as_deref(), Some("t"), "it is promoted");
        Ok(())
    }

    /// Sends a signal (`STOP`, `CONT`, …) to all processes of a server that this process started.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn signal(&self, name: &str) {
        let Some(pid) = self.pid() else { return };
        let mut pids = children(pid);
        // The postmaster first, so that it starts no more processes; it continues last.
        if name == "CONT" {
            pids.push(pid)
        } else {
            pids.insert(0, pid)
        }
        for one in pids {
            let mut kill = Command::new("kill");
            kill.arg("-s").arg(name).arg(one.to_string()).stderr(Stdio::null());
            let sent = kill.status().expect("the program kill").success();
            // A child may have ended meanwhile.
            assert!(sent || one != pid, "the server is there");
        }
    }

    /// Returns the directory of a server that this process started, with its socket, its `log` and its `data`.
    pub fn dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.dir.0.as_path())
    }

    fn wait(&self) {
        let begun = Instant::now();
        while let Err(error) = self.sql("postgres", "SELECT 1") {
            if begun.elapsed() > PATIENCE {
                let mut log = String::new();
                let file = self.dir().map(|dir| fs::File::open(dir.join("log")));
                if let Some(Ok(mut file)) = file {
                    drop(file.read_to_string(&mut log));
                }
                panic!("the server does not start: {error}\n{log}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A connection for statements that a store does not run.
pub struct Raw {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Raw {
    /// Runs statements and returns the resulting rows of text.
    ///
    /// # Errors
    /// What the server says.
    pub fn sql(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        let row = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        };
        let messages = self.runtime.block_on(self.client.simple_query(sql))?;
        Ok(messages.into_iter().filter_map(row).collect())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

// Returns the child processes of a process.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name in brackets come the state and the parent.
        let after = stat.rsplit_once(") ").map(|(_, after)| after.split(' ').nth(1));
        after.flatten() == Some(&parent.to_string())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

// Returns the directory of `postgres` and `initdb`: Debian keeps them off the PATH, in one directory per version.
fn programs() -> Option<PathBuf> {
    let mut dirs: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    dirs.extend(versions.into_iter().rev());
    let all = ["postgres", "initdb", "pg_basebackup"];
    dirs.into_iter().find(|dir| all.iter().all(|program| dir.join(program).is_file()))
}

/// Returns the user and group for servers whose files are in a directory of this process. `None` means those of this
/// process. Servers refuse to run as root: then use those that the package created, or `nobody`.
///
/// # Panics
/// Where the machine has neither.
pub fn unprivileged(dir: &Path) -> Option<(u32, u32)> {
    if fs::metadata(dir).expect("the directory is there").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users of the machine");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user that is not root"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
