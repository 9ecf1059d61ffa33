//! Names of hosts to addresses, for every outgoing client.
//!
//! The system's own resolver is asked, because `/etc/hosts`, search domains and whatever else a
//! container is given mean the same there as for every other program. It blocks a thread for as long
//! as a name server is silent: so each name is asked for once at a time, and whoever needs it
//! meanwhile, or shortly after, shares the answer.
//!
//! [`tls`] says whose certificates are accepted at those addresses, [`proxy`] which of them are reached
//! through a proxy, and [`network`] makes the connections.

pub mod inside;
pub mod network;
pub mod proxy;
pub mod tls;

use crate::timing::resolve::{ADDRESS_KEPT, FAILURE_KEPT};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::TcpStream;
use tokio::sync::watch;
use url::{Host, Url};

/// Names at the same time: the addresses that the settings and Slack give are far fewer.
const MOST: usize = 32;

/// As clients take it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resolver;

#[derive(Debug, Clone)]
struct Answer {
    addresses: Result<Arc<[IpAddr]>, Arc<str>>,
    until: Instant,
}

type Asked = HashMap<Box<str>, watch::Receiver<Option<Answer>>>;

static ASKED: LazyLock<Mutex<Asked>> = LazyLock::new(Mutex::default);

/// The addresses of a host.
///
/// # Errors
/// When the system's resolver knows none, or too many names are being asked for.
pub async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    shared(&ASKED, host, |host| async move {
        let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    })
    .await
}

/// A connection to a host, by the first of its addresses that takes one.
///
/// # Errors
/// When it has no address, or none takes it.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let addresses = match literal {
        Ok(address) => vec![address],
        Err(_) => addresses(host).await?,
    };
    let addresses: Vec<SocketAddr> = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    TcpStream::connect(&*addresses).await
}

/// Whether an address is on the machine itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(host)) => host == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The answer of `ask` to this name, by whoever asked it first.
async fn shared<F>(asked: &Mutex<Asked>, host: &str, ask: impl FnOnce(String) -> F) -> io::Result<Vec<IpAddr>>
where
    F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
{
    let mut answer = {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // An answer that is to come, unless its task is no more, or one that is still good.
        asked.retain(|_, answer| match &*answer.borrow() {
            Some(answer) => answer.until > now,
            None => answer.has_changed().is_ok(),
        });
        match asked.get(host) {
            Some(answer) => answer.clone(),
            None if asked.len() >= MOST => {
                return Err(io::Error::other("too many names are being looked up"));
            }
            None => {
                let (found, answer) = watch::channel(None);
                asked.insert(host.into(), answer.clone());
                let asking = ask(host.to_owned());
                // A task of its own: whoever asked may stop waiting.
                tokio::spawn(async move {
                    let addresses = asking.await.map(Arc::from).map_err(|error| Arc::from(error.to_string()));
                    let life = if addresses.is_ok() { ADDRESS_KEPT } else { FAILURE_KEPT };
                    found.send_replace(Some(Answer { addresses, until: Instant::now() + life }));
                });
                answer
            }
        }
    };
    let answer = answer.wait_for(Option::is_some).await.map_err(|_| io::Error::other("the process stops"))?;
    match answer.as_ref().map(|answer| &answer.addresses) {
        Some(Ok(addresses)) => Ok(addresses.to_vec()),
        Some(Err(error)) => Err(io::Error::other(error.to_string())),
        None => Err(io::Error::other("no answer")),
    }
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found = addresses(name.as_str()).await?;
            let found: reqwest::dns::Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(found)
        })
    }
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found = addresses(name.as_str()).await?;
            Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_name_is_asked_for_once_at_a_time_whoever_gives_up() {
        let (asked, calls, gate) = (Mutex::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let ask = |_: String| {
            let (calls, gate) = (Arc::clone(&calls), Arc::clone(&gate));
            async move {
                calls.fetch_add(1, Ordering::SeqCst);
                let _permit = gate.acquire().await;
                Ok(vec![IpAddr::from([127, 0, 0, 1])])
            }
        };
        // All but the last give up, as clients with a time-out do.
        for _ in 0..500 {
            let given_up = tokio::time::timeout(Duration::ZERO, shared(&asked, "slow.example", ask)).await;
            assert!(given_up.is_err());
        }
        gate.add_permits(1);
        assert_eq!(shared(&asked, "slow.example", ask).await.expect("found"), [IpAddr::from([127, 0, 0, 1])]);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        // Names are bounded, and what failed is not asked for again at once.
        let fail = |_: String| async { Err(io::Error::other("no such host")) };
        for n in 1..MOST {
            assert!(shared(&asked, &format!("{n}.example"), fail).await.is_err());
        }
        let error = shared(&asked, "one-more.example", fail).await.expect_err("no room");
        assert_eq!(error.to_string(), "too many names are being looked up");
        let error = shared(&asked, "1.example", ask).await.expect_err("remembered");
        assert_eq!((error.to_string(), calls.load(Ordering::SeqCst)), ("no such host".to_owned(), 1));
    }

    #[tokio::test]
    async fn the_machine_itself_is_found() {
        assert!(addresses("localhost").await.expect("it has a name").iter().all(IpAddr::is_loopback));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        for host in ["127.0.0.1", "localhost"] {
            assert!(connect(host, port).await.is_ok(), "{host}");
        }
    }
}
