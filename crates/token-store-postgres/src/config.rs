//! The configuration of a connection to the server.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};

use crate::error::shown;

/// A PostgreSQL server and how to connect to it, parsed from a URL:
///
/// ```
/// use token_store_postgres::PostgresConfig;
///
/// let config: PostgresConfig = "postgres://onetoken:secret@db1,db2/tokens?sslrootcert=/etc/ca.pem".parse()?;
/// assert_eq!(config.to_string(), "postgres://onetoken@db1:5432,db2:5432/tokens");
/// # Ok::<(), token_store_postgres::InvalidPostgresUrl>(())
/// ```
///
/// It reads these parameters in addition to those of [`tokio_postgres::Config`]:
///
/// | | |
/// |---|---|
/// | `sslmode` | `verify-full`: TLS, with a valid certificate that names the host; `require` and `verify-ca` mean the same here. `disable`: no TLS. The default is `verify-full`, or `disable` for a Unix socket or a loopback address. `allow` and `prefer` are refused, since a man in the middle can turn them into `disable` |
/// | `sslrootcert` | the file of trusted certificates (PEM); if absent or `system`, those of the operating system |
/// | `sslcert`, `sslkey` | the client's own certificate and key, if the server asks for one (PEM) |
/// | `durable` | `no`: also accept a server that may lose acknowledged writes (see [`StoreError::NotDurable`](token_store::StoreError::NotDurable)). For tests |
///
/// If there are several hosts, or several addresses of one, the store connects to all of them at once and uses the
/// primary: of the servers that take writes, the one with the highest timeline. `target_session_attrs` and
/// `load_balance_hosts` do not change that. `hostaddr`, and `host` and `port` as parameters, are for one host.
#[derive(Clone)]
pub struct PostgresConfig {
    // One for each host.
    pub(crate) hosts: Vec<Config>,
    pub(crate) tls: Option<Tls>,
    pub(crate) require_durable: bool,
    pub(crate) readers: usize,
    pub(crate) writers: usize,
    pub(crate) statement_timeout: Duration,
    pub(crate) call_timeout: Duration,
    place: String,
}

/// The trusted certificates and the client's own.
#[derive(Clone)]
pub(crate) struct Tls {
    /// The file of trusted certificates; `None`: those of the operating system.
    pub(crate) roots: Option<PathBuf>,
    /// The files of the client's certificate and of its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// The text is no URL of a PostgreSQL server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPostgresUrl {
    /// It is not of the form postgres://USER:PASSWORD@HOST:PORT,…/DATABASE?PARAMETER=VALUE&….
    #[error("not postgres://USER:PASSWORD@HOST:PORT,.../DATABASE?PARAMETER=VALUE&...")]
    Malformed,
    /// This parameter has an invalid value.
    #[error("the parameter {parameter} has a value that it cannot have")]
    Parameter {
        /// Its name.
        parameter: &'static str,
    },
    /// This value of `sslmode` lets a man in the middle read everything.
    #[error("sslmode is to be verify-full, or disable: allow and prefer protect against nobody")]
    WeakTls,
}

/// How long a connection may be idle before the operating system sends a keepalive probe, and how long sent data may
/// stay unacknowledged by the peer.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The interval between keepalive probes, of which there are three.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(10);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than a cluster manager takes to promote a standby: some 45 s with the defaults of Patroni (a lease of 30 s,
/// checked every 10 s); 20 to 25 s were measured with shorter ones.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl PostgresConfig {
    /// Sets how many connections read and how many write: 2 and 2 by default, at least one each. The store opens
    /// another for listings and administration at their first call. A connection serves hundreds of callers at a
    /// time; more connections help if the server is far away.
    #[must_use]
    pub fn connections(mut self, readers: usize, writers: usize) -> Self {
        (self.readers, self.writers) = (readers.max(1), writers.max(1));
        self
    }

    /// Sets how long one statement may take: 10 s by default. Statements of listings and administration may take six
    /// times as long. [`counts`](token_store::Administration::counts) and [`check`](token_store::Administration::check) read
    /// everything on connections of their own and have no limit.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        // To the server, 0 means no limit. It counts milliseconds, up to 2^31.
        self.statement_timeout = timeout.clamp(Duration::from_millis(1), LONGEST_TIMEOUT);
        self
    }

    /// Sets how long a call waits for its turn and retries while nothing has happened yet (the server is unreachable
    /// or asks for a retry): 60 s by default, longer than a cluster manager takes to promote a standby. The call then
    /// fails with an error whose [`retry`](token_store::StoreError::retry) is safe. Once its statement is sent, the call
    /// waits for the statement timeout and some seconds more, in which the server may still report the outcome.
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }
}

impl FromStr for PostgresConfig {
    type Err = InvalidPostgresUrl;

    fn from_str(url: &str) -> Result<Self, InvalidPostgresUrl> {
        let scheme = ["postgres://", "postgresql://"].into_iter().find(|scheme| url.starts_with(scheme));
        let scheme = scheme.ok_or(InvalidPostgresUrl::Malformed)?;
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        // An error would show the part of a password after an unescaped `@` as the host name.
        if base.matches('@').count() > 1 {
            return Err(InvalidPostgresUrl::Malformed);
        }
        let mut rest = Vec::new();
        let (mut mode, mut roots, mut certificate, mut key, mut durable) = (None, None, None, None, None);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(InvalidPostgresUrl::Malformed)?;
            match name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(path(value)?),
                "sslcert" => certificate = Some(path(value)?),
                "sslkey" => key = Some(path(value)?),
                "durable" => durable = Some(value),
                _ => rest.push(parameter),
            }
        }
        let require_durable = match durable {
            None | Some("yes") => true,
            Some("no") => false,
            Some(_) => return Err(InvalidPostgresUrl::Parameter { parameter: "durable" }),
        };
        let place = base.strip_prefix(scheme).unwrap_or_default();
        let (user, place) =
            place.split_once('@').map_or((String::new(), place), |(user, place)| (format!("{user}@"), place));
        let (names, database) = place.split_once('/').unwrap_or((place, ""));
        let parse = |name: &str| -> Result<Config, InvalidPostgresUrl> {
            let url = format!("{scheme}{user}{name}/{database}?{}", rest.join("&"));
            // The parser's error may contain the password.
            let one: Config = url.parse().map_err(|_| InvalidPostgresUrl::Malformed)?;
            let addresses = one.get_hostaddrs().len();
            // A parameter is not split into names.
            let is_list = |host: &Host| matches!(host, Host::Tcp(name) if name.contains(','));
            let is_one = one.get_hosts().len().max(addresses) == 1
                && one.get_ports().len() <= 1
                && !one.get_hosts().iter().any(is_list);
            match is_one && (addresses == 0 || !names.contains(',')) {
                true => Ok(one),
                false => Err(InvalidPostgresUrl::Malformed),
            }
        };
        let mut hosts = names.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(InvalidPostgresUrl::Parameter { parameter: "sslcert" }),
        };
        let roots = roots.filter(|path| path.as_os_str() != "system");
        let tls = Tls { roots, identity };
        let tls = match mode {
            None if hosts.iter().all(is_local) => None,
            Some("disable") => None,
            None | Some("require" | "verify-ca" | "verify-full") => Some(tls),
            Some("allow" | "prefer") => return Err(InvalidPostgresUrl::WeakTls),
            Some(_) => return Err(InvalidPostgresUrl::Parameter { parameter: "sslmode" }),
        };
        for one in &mut hosts {
            one.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
            one.target_session_attrs(TargetSessionAttrs::Any);
            if one.get_ports().is_empty() {
                one.port(5432);
            }
            if one.get_connect_timeout().is_none() {
                one.connect_timeout(CONNECT_TIMEOUT);
            }
            if one.get_tcp_user_timeout().is_none() {
                one.tcp_user_timeout(KEEPALIVE);
            }
            if !rest.iter().any(|parameter| parameter.starts_with("keepalives_idle=")) {
                one.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE_AGAIN).keepalives_retries(3);
            }
            if one.get_application_name().is_none() {
                one.application_name("onetoken");
            }
        }
        Ok(Self {
            place: shown_place(&hosts),
            hosts,
            tls,
            require_durable,
            readers: 2,
            writers: 2,
            statement_timeout: STATEMENT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
        })
    }
}

/// The URL without the password and the parameters.
impl fmt::Display for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresConfig({self})")
    }
}

fn path(value: &str) -> Result<PathBuf, InvalidPostgresUrl> {
    let mut pieces = value.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or(InvalidPostgresUrl::Malformed)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| InvalidPostgresUrl::Malformed)?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).map(PathBuf::from).map_err(|_| InvalidPostgresUrl::Malformed)
}

// Whether the connection stays on this machine: a Unix socket or a loopback address. An address given beside a name
// decides, since the driver connects to it.
fn is_local(server: &Config) -> bool {
    match (server.get_hostaddrs().first(), server.get_hosts().first()) {
        (Some(address), _) => address.is_loopback(),
        (None, Some(Host::Tcp(name))) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        (None, Some(Host::Unix(_))) => true,
        (None, None) => false,
    }
}

fn shown_place(servers: &[Config]) -> String {
    let host = |server: &Config| {
        let port = server.get_ports().first().copied().unwrap_or_default();
        match (server.get_hosts().first(), server.get_hostaddrs().first()) {
            (Some(Host::Tcp(name)), _) if name.contains(':') => format!("[{name}]:{port}"),
            (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
            #[cfg(unix)]
            (Some(Host::Unix(path)), _) => format!("{}:{port}", path.display()),
            (None, address) => address.map(|address| format!("{address}:{port}")).unwrap_or_default(),
        }
    };
    let hosts: Vec<String> = servers.iter().map(host).collect();
    let user = servers.first().and_then(Config::get_user);
    let database = servers.first().and_then(Config::get_dbname).or(user).unwrap_or_default();
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    shown(&format!("postgres://{user}{}/{database}", hosts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> PostgresConfig {
        url.parse().unwrap()
    }

    #[test]
    fn nothing_shows_the_password() {
        let config = config("postgresql://u:hunter2@[::1]:6000,%2Frun%2Fpg/d?sslmode=disable");
        assert_eq!(config.to_string(), "postgres://u@[::1]:6000,/run/pg:5432/d");
        assert!(!format!("{config:?}").contains("hunter2"));
        for url in ["postgres://u:hunter2@h:x/d", "postgres://u:hunter2@h/d?nonsense=hunter2", "u:hunter2@h"]
        {
            let error = url.parse::<PostgresConfig>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn tls_is_verified_unless_the_server_is_on_this_machine() {
        for (url, verified) in [
            ("postgres://h/d", true),
            ("postgres://10.0.0.1/d", true),
            ("postgres://localhost,h/d", true),
            ("postgres://localhost/d?hostaddr=10.0.0.1", true),
            ("postgres://h/d?sslmode=require", true),
            ("postgres://localhost/d?sslmode=verify-full", true),
            ("postgres://localhost,127.0.0.2,[::1]/d", false),
            ("postgres://%2Frun%2Fpostgresql/d", false),
            ("postgres://h/d?sslmode=disable", false),
        ] {
            let config = config(url);
            assert_eq!(config.tls.is_some(), verified, "{url}");
            let mode = if verified { SslMode::Require } else { SslMode::Disable };
            assert!(config.hosts.iter().all(|host| host.get_ssl_mode() == mode), "{url}");
        }
        for mode in ["allow", "prefer"] {
            let url = format!("postgres://h/d?sslmode={mode}");
            assert_eq!(url.parse::<PostgresConfig>().unwrap_err(), InvalidPostgresUrl::WeakTls);
        }
    }

    #[test]
    fn parameters() {
        let config = config("postgres://h/d?sslrootcert=%2fca%20a.pem&sslcert=c&sslkey=k&application_name=x");
        let tls = config.tls.unwrap();
        assert_eq!(tls.roots, Some("/ca a.pem".into()));
        assert_eq!(tls.identity, Some(("c".into(), "k".into())));
        assert_eq!(config.hosts[0].get_application_name(), Some("x"));
        for url in [
            "",
            "postgres:",
            "postgres://",
            "mysql://h/d",
            "postgres://u:hunter@2@h/d",
            "postgres://u:hunter@2/3@h/d",
            "postgres://h/d?sslmode",
            "postgres://h/d?sslmode=on",
            "postgres://h/d?sslcert=c",
            "postgres://h/d?sslrootcert=%e",
            "postgres://h/d?durable=perhaps",
            "postgres://h/d?ho%73t=g",
            "postgres://a,/d",
            "postgres://a,b/d?port=6000",
            "postgres://a/d?host=b",
            "postgres:///d?host=a,b",
            "postgres:///d?host=a&port=1,2",
            "postgres://a,b/d?hostaddr=127.0.0.1",
            "postgres://a,b/d?hostaddr=127.0.0.1,127.0.0.2",
        ] {
            assert!(url.parse::<PostgresConfig>().is_err(), "{url}");
        }
    }

    #[test]
    fn forms_of_the_url() {
        for (url, place) in [
            ("postgres://app:PASSWORD@db1,db2/tokens", "app@db1:5432,db2:5432/tokens"),
            (
                "postgres://app:PASSWORD@db1:1,db2:2/tokens?sslrootcert=/ca.pem&durable=no",
                "app@db1:1,db2:2/tokens",
            ),
            ("postgresql://OWNER@HOST/tokens", "OWNER@HOST:5432/tokens"),
            ("postgres://u%40x:p%2Fw%40@h/a%20b", "u@x@h:5432/a b"),
            ("postgres://u@h", "u@h:5432/u"),
            ("postgres://h/d?user=u&password=p", "u@h:5432/d"),
            ("postgres://[::1],[::2]:6/d", "[::1]:5432,[::2]:6/d"),
            ("postgres://u@%2Frun%2Fpg:6,h/d", "u@/run/pg:6,h:5432/d"),
            ("postgres://u@/d?host=/run/pg&port=6", "u@/run/pg:6/d"),
            ("postgres:///d?hostaddr=10.0.0.1", "10.0.0.1:5432/d"),
            ("postgres://h/d?hostaddr=10.0.0.1&options=-cx%3D1&keepalives=0", "h:5432/d"),
        ] {
            assert_eq!(config(url).to_string(), format!("postgres://{place}"), "{url}");
        }
    }

    #[test]
    fn each_host_has_a_configuration_of_its_own() {
        let all = config(
            "postgres://u:p@a:1,b:2/d?connect_timeout=7&keepalives_idle=5&keepalives_retries=9&options=-cx%3D1",
        );
        for (at, (name, port)) in [("a", 1), ("b", 2)].into_iter().enumerate() {
            let host = &all.hosts[at];
            assert_eq!(host.get_hosts(), [Host::Tcp(name.to_owned())]);
            assert_eq!(host.get_ports(), [port]);
            assert_eq!((host.get_user(), host.get_password()), (Some("u"), Some(&b"p"[..])));
            assert_eq!((host.get_dbname(), host.get_options()), (Some("d"), Some("-cx=1")));
            assert_eq!(host.get_connect_timeout(), Some(&Duration::from_secs(7)));
            assert_eq!(
                (host.get_keepalives_idle(), host.get_keepalives_retries()),
                (Duration::from_secs(5), Some(9))
            );
        }
        let plain =
            &config("postgres://h/d?target_session_attrs=read-only&load_balance_hosts=random").hosts[0];
        assert_eq!((plain.get_user(), plain.get_hosts().len()), (None, 1));
        assert_eq!(plain.get_target_session_attrs(), TargetSessionAttrs::Any);
        let given = config("postgres:///d?host=a&port=6000&hostaddr=127.0.0.1");
        assert_eq!(given.to_string(), "postgres://a:6000/d");
        assert_eq!(given.hosts[0].get_hostaddrs(), [IpAddr::from([127, 0, 0, 1])]);
        // A password is not taken for a host or a user.
        let slashed = config("postgres://u:p,w/d@x/d");
        assert_eq!((slashed.to_string(), slashed.hosts.len()), ("postgres://u@x:5432/d".to_owned(), 1));
    }
}
