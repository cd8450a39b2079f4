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
use token_store::StoreError;
use tokio::{
    net::lookup_host,
    sync::mpsc::Sender,
    time::{sleep, timeout},
};
use tokio_postgres::{Config, config::Host};

use crate::{
    error::{self, Failure},
    schema,
    session::{Session, Target},
};

/// How long one server may take to answer a login, as a multiple of the connect timeout: once to connect, once to log
/// in.
const LOGIN: u32 = 2;

/// How long to wait for a server that may be newer, after one that takes writes has answered.
const GRACE: Duration = Duration::from_millis(500);

/// How often a store in use checks whether another server has become the primary.
pub(crate) const WATCH: Duration = Duration::from_secs(2);

/// How long a lookup of a host name may take.
const LOOKUP: Duration = Duration::from_secs(2);

/// Connects as [`primary`] does, and checks the version of the tables as [`schema::check`] does. A statement takes at
/// most `limit`; `None`: as long as it needs.
pub(crate) async fn open(target: &Target, limit: Option<Duration>) -> Result<Session, Failure> {
    target.meter.add(|metrics| &mut metrics.connects, 1);
    let session = primary(target, limit, None).await?;
    schema::check(&session).await?;
    Ok(session)
}

/// Connects to the primary, without a look at the tables. If no server is one, returns the most specific of their
/// errors. Notifications go to `notices`.
pub(crate) async fn primary(
    target: &Target,
    limit: Option<Duration>,
    notices: Option<&Sender<String>>,
) -> Result<Session, Failure> {
    let servers = join_all(target.config.hosts.iter().map(addresses)).await;
    let login = |server| async move {
        let patience = Config::get_connect_timeout(server).copied().unwrap_or(GRACE).saturating_mul(LOGIN);
        match timeout(patience, Session::login(target, server, limit, notices.cloned())).await {
            Ok(session) => session,
            Err(_) => Err(Failure::Elsewhere(error::no_answer(&target.place, "no answer to a login"))),
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
            Failure::Elsewhere(error::no_answer(&target.place, "no address of any host was found"))
        })),
    }
}

/// Checks for ever whether another server has become the primary, so that connections to the former one are
/// abandoned.
pub(crate) async fn watch(target: &Target, limit: Option<Duration>) -> Infallible {
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
