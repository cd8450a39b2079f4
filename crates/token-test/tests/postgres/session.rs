//! The properties that a connection must have and keep.

use std::{
    error::Error,
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use token_store::{Retry, Revoke, StoreError, TokenStore as _};
use token_store_postgres::PostgresStore;
use token_test::postgres;

use crate::{
    FOR_GOOD, Mode, Proxy, USE, claim, config, id, insert, listening, patient, plain, record, store, until,
    until_blocked, won,
};

// The connection stays open while the server's settings change.
#[test]
fn a_server_that_is_set_to_lose_what_it_acknowledges_is_found_out() {
    let Some(server) = postgres::start(&[]) else { return };
    let url = server.database().replace("durable=no", "durable=yes");
    let store = store(&url);
    insert(&store, &record("a", None));
    for setting in ["full_page_writes", "fsync"] {
        server.sql("postgres", &format!("ALTER SYSTEM SET {setting} = off")).unwrap();
        server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
        let refused = Mutex::new(Vec::new());
        // The server's processes reload their settings shortly after they are told to.
        until("it is refused", || match store.spend(&id("a"), &claim("x"), &USE) {
            Ok(_) => false,
            Err(error) => {
                let is_told =
                    matches!(&error, StoreError::NotDurable { setting: found, .. } if *found == setting);
                refused.lock().unwrap().push(error);
                is_told
            }
        });
        let refused = refused.into_inner().unwrap();
        for error in refused.iter().rev().skip(1) {
            assert_eq!(error.retry(), Retry::Ask, "{error:?}");
        }
        server.sql("postgres", &format!("ALTER SYSTEM RESET {setting}")).unwrap();
        server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
        until("it is on", || store.spend(&id("a"), &claim("x"), &USE).is_ok());
    }
}

// The server ends an idle connection only while it waits for a statement.
#[test]
fn a_connection_that_was_idle_for_too_long_leaves_nothing_in_doubt() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let (proxy, through) = Proxy::before(&url);
    drop(store(&url));
    let store = patient(&through);
    insert(&store, &record("a", Some(1)));
    let raw = server.connect(&url).unwrap();
    raw.sql("BEGIN; UPDATE onetoken.tokens SET changes = changes WHERE id = 'a'").unwrap();
    proxy.set(Mode::Disguise(b"C57P05"));
    thread::scope(|scope| {
        let asked = scope.spawn(|| store.spend(&id("a"), &claim("x"), &USE));
        until_blocked(server, &url);
        raw.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE wait_event_type = 'Lock' AND datname = current_database()",
        )
        .unwrap();
        raw.sql("ROLLBACK").unwrap();
        assert_eq!(plain(asked.join().unwrap().unwrap()), won(0));
    });
}

/// A PgBouncer in front of a server.
struct Pooler {
    process: Child,
    dir: std::path::PathBuf,
    port: u16,
}

impl Pooler {
    /// `None`, with a report, if PgBouncer is not installed.
    fn before(server: &postgres::Server, mode: &str) -> Option<Self> {
        let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let Some(program) = places.into_iter().find(|place| fs::exists(place).unwrap_or(false)) else {
            token_test::not_run("ONETOKEN_REQUIRE_PGBOUNCER", "a pgbouncer");
            return None;
        };
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let dir = std::env::temp_dir().join(format!("otpb-{}-{port}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let file = dir.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\nlogfile = {}\npidfile = {}\n",
            server.port().unwrap(),
            dir.join("log").display(),
            dir.join("pid").display(),
        );
        // auth_type any takes the user from here.
        let text = text.replace("* = host", "* = user=onetoken host");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = postgres::unprivileged(&dir) {
            for path in [&dir, &file] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
            command.uid(uid).gid(gid);
        }
        Some(Self { process: command.spawn().unwrap(), dir, port })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop((self.process.kill(), self.process.wait(), fs::remove_dir_all(&self.dir)));
    }
}

#[test]
fn a_pooler_that_shares_connections_is_refused() {
    // Not the shared one: its port is needed.
    let Some(server) = postgres::start(&["fsync=off"]) else { return };
    for mode in ["transaction", "statement", "session"] {
        let Some(pooler) = Pooler::before(&server, mode) else { return };
        let direct = server.database();
        drop(store(&direct));
        let port = format!(":{}/", server.port().unwrap());
        let config = config(&direct.replace(&port, &format!(":{}/", pooler.port))).connections(4, 4);
        let begun = Instant::now();
        let through = loop {
            match PostgresStore::open(&config) {
                Err(StoreError::Unreachable { .. }) if begun.elapsed() < Duration::from_secs(30) => {}
                opened => break opened,
            }
        };
        let refused = |error: StoreError| {
            assert_ne!(mode, "session", "{error:?}");
            matches!(error, StoreError::Pooled { .. })
        };
        let through = match through {
            Ok(through) => through,
            Err(error) => {
                assert!(refused(error.clone()), "{mode}: {error:?}");
                continue;
            }
        };
        let (kept, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..8 {
                let (through, kept, told) = (&through, &kept, &told);
                scope.spawn(move || {
                    for number in 0..50 {
                        match through.insert(&record(&format!("{thread} {number}"), None)) {
                            Ok(_) => drop(kept.fetch_add(1, Ordering::SeqCst)),
                            Err(error) => drop(told.fetch_add(usize::from(refused(error)), Ordering::SeqCst)),
                        }
                    }
                });
            }
        });
        let found = server.sql(&direct, "SELECT count(*) FROM onetoken.tokens").unwrap()[0][0].clone();
        let found: usize = found.unwrap().parse().unwrap();
        assert!(found >= kept.load(Ordering::SeqCst), "{mode}: what is acknowledged is there");
        assert_eq!(told.load(Ordering::SeqCst) > 0, mode != "session", "{mode}");
        assert!(mode != "session" || kept.load(Ordering::SeqCst) == 400);
        if mode == "transaction" {
            // The operator fixes the pooler while the store stays open.
            let file = pooler.dir.join("pgbouncer.ini");
            let text = fs::read_to_string(&file).unwrap().replace("= transaction", "= session");
            fs::write(&file, text).unwrap();
            let mut reload = Command::new("kill");
            assert!(reload.arg("-HUP").arg(pooler.process.id().to_string()).status().unwrap().success());
            until("each connection is one session", || {
                (0..50).all(|number| through.insert(&record(&format!("later {number}"), None)).is_ok())
            });
        }
    }
}

// Few programs suffice, and what a test leaves behind does not depend on whether it passes.
#[test]
fn a_server_of_a_test_leaves_nothing_behind() {
    if postgres::shared().is_none() {
        return;
    }
    let base = std::env::temp_dir().join(format!("otpl-{}", std::process::id()));
    let (few, none, files) = (base.join("few"), base.join("none"), base.join("t"));
    for dir in [&few, &none, &files] {
        fs::create_dir_all(dir).unwrap();
    }
    // The server's user is another one.
    fs::set_permissions(&files, fs::Permissions::from_mode(0o1777)).unwrap();
    for program in ["sh", "cat", "head", "rm", "sleep"] {
        std::os::unix::fs::symlink(Path::new("/bin").join(program), few.join(program)).unwrap();
    }
    for (path, passes) in [(&few, true), (&none, false)] {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "calls_from_an_async_program_do_not_panic"])
            .env_remove("ONETOKEN_TEST_POSTGRES");
        let done = test.env("PATH", path).env("TMPDIR", &files).output().unwrap();
        assert_eq!(done.status.success(), passes, "{done:?}");
        let left = || fs::read_dir(&files).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        // The shell that stops the server outlives the test.
        until(&format!("{} is empty", files.display()), || left().is_empty());
    }
    fs::remove_dir_all(base).unwrap();
}

#[test]
fn what_a_server_says_is_no_command_to_a_terminal() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let store = store(&url);
    server
        .sql(
            &url,
            r"CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN RAISE EXCEPTION E'\x1b[2J\nall is well'; END $$;
              CREATE TRIGGER shout BEFORE INSERT ON onetoken.tokens FOR EACH ROW EXECUTE FUNCTION shout()",
        )
        .unwrap();
    let shouted = store.insert(&record("a", None)).unwrap_err();
    let (_, rest) = url.split_once('@').unwrap();
    let stranger = PostgresStore::open(&config(&format!("postgres://a%1B%5B2J%0Ab@{rest}"))).unwrap_err();
    for error in [shouted, stranger] {
        let mut text = String::new();
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            text.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(text.contains("[2J") && !text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn a_schema_of_another_role_is_refused() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let role = format!("other_{}", std::process::id());
    server.sql(&url, &format!("CREATE ROLE {role}; CREATE SCHEMA onetoken AUTHORIZATION {role}")).unwrap();
    let refused = || PostgresStore::init(&config(&url)).unwrap_err();
    assert!(matches!(refused(), StoreError::ForeignOwner { owner, .. } if owner == role));
    // Also if the schema contains tables that look like the store's.
    server.sql(&url, "DROP SCHEMA onetoken").unwrap();
    drop(store(&url));
    server.sql(&url, &format!("ALTER SCHEMA onetoken OWNER TO {role}")).unwrap();
    assert!(matches!(refused(), StoreError::ForeignOwner { .. }));
}

// Any user of the database may send as many notices as the server accepts.
#[test]
fn a_flood_of_notices_is_not_listened_to() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let here = store(&url);
    let there = listening(&url);
    insert(&here, &record("a", None));
    assert!(!there.get(&id("a")).unwrap().unwrap().is_revoked());
    server
        .sql(&url, "SELECT count(pg_notify('onetoken', n::text)) FROM generate_series(1, 100000) n")
        .unwrap();
    until("it listens again", || there.store().metrics().listens == 2);
    let notices = there.store().metrics().notices;
    assert!(notices <= 1000, "it has heard {notices}");
    assert!(!there.get(&id("a")).unwrap().unwrap().is_revoked());
    assert_eq!(here.revoke(&id("a"), &FOR_GOOD).unwrap(), Revoke::Revoked);
    until("it hears", || there.get(&id("a")).unwrap().unwrap().is_revoked());
}
