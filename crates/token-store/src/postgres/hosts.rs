//! The servers of a URL, and which of them is the primary.
//!
//! The store connects to all of them at once, each with a timeout of its own, so that a server that accepts
//! connections and never answers does not hide another. Of the servers that take writes, the one with the highest
//! timeline is the primary: the others are former primaries.

use std::{convert::Infallible, net::IpAddr, time::Duration};

use futures_util::{
    future::join_all,
    stream::{FuturesUnordered, StreamExt as _},
};
use tokio::{
    net::lookup_host,
    sync::mpsc::Sender,
    time::{sleep, timeout},
};
use tokio_postgres::{Config, config::Host};

use super::{
    error::{self, Failure},
    session::{Session, Target},
};
use crate::StoreError;

/// How long one server may take to answer a login, as a multiple of the connect timeout: once to connect, once to log
/// in.
const LOGIN: u32 = 2;

/// How long to wait for a server that may be newer, after one that takes writes has answered.
const GRACE: Duration = Duration::from_millis(500);

/// How often a store in use checks whether another server has become the primary.
pub(super) const WATCH: Duration = Duration::from_secs(2);

/// How long a lookup of a host name may take.
const LOOKUP: Duration = Duration::from_secs(2);

/// Splits the configuration into one for each host. `None` if the numbers of hosts, addresses and ports do not match.
pub(super) fn split(server: &Config) -> Option<Vec<Config>> {
    let (names, addresses, ports) = (server.get_hosts(), server.get_hostaddrs(), server.get_ports());
    let count = names.len().max(addresses.len());
    let fits = |len: usize, may: usize| len == count || len <= may;
    if !fits(names.len(), 0) || !fits(addresses.len(), 0) || !fits(ports.len(), 1) {
        return None;
    }
    let one = |at| {
        let mut one = without_hosts(server);
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

fn without_hosts(server: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = server.get_user() {
        one.user(user);
    }
    if let Some(password) = server.get_password() {
        one.password(password);
    }
    if let Some(database) = server.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = server.get_options() {
        one.options(options);
    }
    if let Some(name) = server.get_application_name() {
        one.application_name(name);
    }
    if let Some(time) = server.get_connect_timeout() {
        one.connect_timeout(*time);
    }
    if let Some(time) = server.get_tcp_user_timeout() {
        one.tcp_user_timeout(*time);
    }
    if let Some(interval) = server.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = server.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(server.get_keepalives()).keepalives_idle(server.get_keepalives_idle());
    one.ssl_mode(server.get_ssl_mode()).ssl_negotiation(server.get_ssl_negotiation());
    one.channel_binding(server.get_channel_binding());
    one
}

/// Connects to the primary.
pub(super) async fn primary(
    target: &Target,
    limit: Option<Duration>,
    notices: Option<&Sender<String>>,
) -> Result<Session, Failure> {
    let servers = join_all(target.config.hosts.iter().map(addresses)).await;
    let login = |server| async move {
        let patience = Config::get_connect_timeout(server).copied().unwrap_or(GRACE).saturating_mul(LOGIN);
        match timeout(patience, Session::login(target, server, limit, notices.cloned())).await {
            Ok(session) => session,
            Err(_) => {
                let cause = error::timed_out("no answer to a login");
                Err(Failure::Elsewhere(error::unreachable(&target.place, cause)))
            }
        }
    };
    let servers: Vec<Config> = servers.into_iter().flatten().collect();
    let mut logins: FuturesUnordered<_> = servers.iter().map(login).collect();
    let (mut reached, mut failures) = (Vec::new(), Vec::new());
    while let Some(answer) = logins.next().await {
        match answer {
            Ok(session) => {
                reached.push(session);
                break;
            }
            Err(failure) => failures.push(failure),
        }
    }
    let others = async {
        while let Some(answer) = logins.next().await {
            reached.extend(answer);
        }
    };
    // If no server has answered with success, all have failed and this returns at once.
    drop(timeout(GRACE, others).await);
    match reached.into_iter().max_by_key(Session::timeline) {
        Some(session) => session.admitted(),
        None => Err(failures.into_iter().max_by_key(telling).unwrap_or_else(|| {
            let cause = error::timed_out("no address of any host was found");
            Failure::Elsewhere(error::unreachable(&target.place, cause))
        })),
    }
}

/// Checks for ever whether another server has become the primary, so that connections to the former one are
/// abandoned.
pub(super) async fn watch(target: &Target, limit: Option<Duration>) -> Infallible {
    loop {
        sleep(WATCH).await;
        if target.log.was_used() {
            // Admitting the session records its timeline in the log.
            if let Ok(session) = primary(target, limit, None).await {
                session.close().await;
            }
        }
    }
}

// Ranks failures: the caller gets the most specific one.
fn telling(failure: &Failure) -> u8 {
    match failure {
        Failure::Refused(_) => 2,
        Failure::Elsewhere(StoreError::ReadOnly) => 1,
        _ => 0,
    }
}

// Returns one configuration for each address of a host, since any address may be the one that does not answer. A host
// without an address keeps its name, so that the connection attempt reports the failure.
async fn addresses(server: &Config) -> Vec<Config> {
    let (name, port) = match (server.get_hosts(), server.get_hostaddrs(), server.get_ports()) {
        ([Host::Tcp(name)], [], [port]) => (name.as_str(), *port),
        _ => return vec![server.clone()],
    };
    let found = match timeout(LOOKUP, lookup_host((name, port))).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect::<Vec<IpAddr>>(),
        _ => Vec::new(),
    };
    if found.is_empty() {
        return vec![server.clone()];
    }
    let at = |address: IpAddr| {
        let mut one = server.clone();
        one.hostaddr(address);
        one
    };
    found.into_iter().map(at).collect()
}
