//! The configuration of a connection to the server.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
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
/// `load_balance_hosts` do not change that.
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
        // A parameter about hosts is for the choice among them, which the store makes.
        let (mut about_hosts, mut rest) = (Vec::new(), Vec::new());
        let (mut mode, mut roots, mut certificate, mut key, mut durable) = (None, None, None, None, None);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(InvalidPostgresUrl::Malformed)?;
            match name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(path(value)?),
                "sslcert" => certificate = Some(path(value)?),
                "sslkey" => key = Some(path(value)?),
                "durable" => durable = Some(value),
                "host" | "hostaddr" | "port" | "target_session_attrs" | "load_balance_hosts" => {
                    about_hosts.push(parameter);
                }
                _ => rest.push(parameter),
            }
        }
        let require_durable = match durable {
            None | Some("yes") => true,
            Some("no") => false,
            Some(_) => return Err(InvalidPostgresUrl::Parameter { parameter: "durable" }),
        };
        // The parser's error may contain the password.
        let parse = |base: &str, parameters: &[&str]| -> Result<Config, InvalidPostgresUrl> {
            format!("{base}?{}", parameters.join("&")).parse().map_err(|_| InvalidPostgresUrl::Malformed)
        };
        let server = parse(base, &[&*about_hosts, &*rest].concat())?;
        if server.get_hosts().is_empty() && server.get_hostaddrs().is_empty() {
            return Err(InvalidPostgresUrl::Malformed);
        }
        // The same without hosts, since they cannot be removed once parsed.
        let authority = base.strip_prefix(scheme).unwrap_or_default();
        let (authority, database) = authority.split_once('/').unwrap_or((authority, ""));
        let user =
            authority.split_inclusive('@').next().filter(|part| part.ends_with('@')).unwrap_or_default();
        let mut one = parse(&format!("{scheme}{user}/{database}"), &rest)?;
        // A name that is spelled in another way, such as `ho%73t`.
        if !(one.get_hosts().is_empty() && one.get_hostaddrs().is_empty() && one.get_ports().is_empty()) {
            return Err(InvalidPostgresUrl::Malformed);
        }
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(InvalidPostgresUrl::Parameter { parameter: "sslcert" }),
        };
        let roots = roots.filter(|path| path.as_os_str() != "system");
        let tls = Tls { roots, identity };
        let tls = match mode {
            None if is_local(&server) => None,
            Some("disable") => None,
            None | Some("require" | "verify-ca" | "verify-full") => Some(tls),
            Some("allow" | "prefer") => return Err(InvalidPostgresUrl::WeakTls),
            Some(_) => return Err(InvalidPostgresUrl::Parameter { parameter: "sslmode" }),
        };
        one.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
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
        Ok(Self {
            place: place(&server),
            hosts: split(&server, &one).ok_or(InvalidPostgresUrl::Malformed)?,
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
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(InvalidPostgresUrl::Malformed)?;
        let digits = str::from_utf8(digits).map_err(|_| InvalidPostgresUrl::Malformed)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| InvalidPostgresUrl::Malformed)?);
        rest = after;
    }
    String::from_utf8(bytes).map(PathBuf::from).map_err(|_| InvalidPostgresUrl::Malformed)
}

// Whether the connection stays on this machine: a Unix socket or a loopback address. An address given beside a name
// decides, since the driver connects to it.
fn is_local(server: &Config) -> bool {
    if !server.get_hostaddrs().is_empty() {
        return server.get_hostaddrs().iter().all(IpAddr::is_loopback);
    }
    server.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn place(server: &Config) -> String {
    let ports = server.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let mut hosts: Vec<String> = Vec::new();
    for (at, host) in server.get_hosts().iter().enumerate() {
        hosts.push(match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", port(at)),
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{}", path.display(), port(at)),
        });
    }
    if hosts.is_empty() {
        hosts.extend(
            server.get_hostaddrs().iter().enumerate().map(|(at, host)| format!("{host}:{}", port(at))),
        );
    }
    let user = server.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let database = server.get_dbname().or(server.get_user()).unwrap_or_default();
    shown(&format!("postgres://{user}{}/{database}", hosts.join(",")))
}

// Returns one configuration for each host. `None` if the numbers of hosts, addresses and ports do not match.
fn split(server: &Config, without_hosts: &Config) -> Option<Vec<Config>> {
    let (names, addresses, ports) = (server.get_hosts(), server.get_hostaddrs(), server.get_ports());
    let count = names.len().max(addresses.len());
    let fits = |len: usize, may: usize| len == count || len <= may;
    if !fits(names.len(), 0) || !fits(addresses.len(), 0) || !fits(ports.len(), 1) {
        return None;
    }
    let one = |at| {
        let mut one = without_hosts.clone();
        match names.get(at) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        one.port(ports.get(at).or(ports.first()).copied().unwrap_or(5432));
        one
    };
    Some((0..count).map(one).collect())
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::TargetSessionAttrs;

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
        ] {
            assert!(url.parse::<PostgresConfig>().is_err(), "{url}");
        }
    }

    #[test]
    fn each_host_has_a_configuration_of_its_own() {
        let all = config(
            "postgres://u:p@a:1,b:2/d?connect_timeout=7&keepalives_idle=5&keepalives_retries=9&options=-cx%3D1&hostaddr=127.0.0.1,127.0.0.2",
        );
        for (at, (name, address, port)) in
            [("a", "127.0.0.1", 1), ("b", "127.0.0.2", 2)].into_iter().enumerate()
        {
            let host = &all.hosts[at];
            assert_eq!(host.get_hosts(), [Host::Tcp(name.to_owned())]);
            assert_eq!(host.get_hostaddrs(), [address.parse::<IpAddr>().unwrap()]);
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
        let one_port = config("postgres:///d?host=a,b&port=6000");
        assert!(one_port.hosts.iter().all(|host| host.get_ports() == [6000]));
        assert!("postgres://a,b/d?hostaddr=127.0.0.1".parse::<PostgresConfig>().is_err());
    }
}
