//! A forwarding proxy: it knows where the hosts of a test are, and nobody else does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::front::accepted;

/// What it lets through, to where.
#[derive(Debug, Default, Clone)]
pub struct Rules {
    /// Hosts; another one is refused with 403.
    pub hosts: BTreeMap<&'static str, SocketAddr>,
    /// `name:password`; without it, 407.
    pub login: Option<&'static str>,
    /// Answers something else than HTTP.
    pub garbage: bool,
}

#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    books: Arc<Books>,
}

#[derive(Debug, Default)]
struct Books {
    seen: Mutex<Vec<String>>,
    /// Hosts that are refused although the rules name them.
    forbidden: Mutex<BTreeSet<&'static str>>,
}

impl Proxy {
    pub async fn start(rules: Rules) -> Self {
        Self::listen(rules, None).await
    }

    /// One that itself is reached by TLS.
    pub async fn start_tls(rules: Rules, tls: Arc<ServerConfig>) -> Self {
        Self::listen(rules, Some(TlsAcceptor::from(tls))).await
    }

    async fn listen(rules: Rules, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), books: Arc::default() };
        let (rules, books) = (Arc::new(rules), Arc::clone(&proxy.books));
        tokio::spawn(async move {
            loop {
                let stream = accepted(&listener).await;
                let (rules, books, tls) = (Arc::clone(&rules), Arc::clone(&books), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &rules, &books).await,
                            Err(_) => None,
                        },
                        None => serve(stream, &rules, &books).await,
                    }
                });
            }
        });
        proxy
    }

    /// Refuses this host from now on.
    pub fn forbid(&self, host: &'static str) {
        self.books.forbidden.lock().unwrap().insert(host);
    }

    /// Refuses none any more that its rules name.
    pub fn allow_all(&self) {
        self.books.forbidden.lock().unwrap().clear();
    }

    /// The first lines of what was asked, without the version.
    pub fn requests(&self) -> Vec<String> {
        self.books.seen.lock().unwrap().clone()
    }

    /// The same, each once.
    pub fn targets(&self) -> BTreeSet<String> {
        self.requests().into_iter().collect()
    }
}

/// None: the connection ended, however.
async fn serve<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S, rules: &Rules, books: &Books) -> Option<()> {
    let head = head(&mut stream).await?;
    let mut lines = head.lines();
    let (asked, _version) = lines.next()?.rsplit_once(' ')?;
    books.seen.lock().unwrap().push(asked.to_owned());
    let (method, target) = asked.split_once(' ')?;
    let headers: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let refuse = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    if rules.garbage {
        stream.write_all(b"220 mail.example ESMTP\r\n").await.ok()?;
        return None;
    }
    let is_login = |line: &&&str| line.to_ascii_lowercase().starts_with("proxy-authorization:");
    let login = headers.iter().find(is_login).and_then(|line| Some(line.split_once(": Basic ")?.1.trim()));
    if rules.login.is_some_and(|wanted| login != Some(&STANDARD.encode(wanted))) {
        let refusal = refuse("407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"nimbus\"");
        stream.write_all(refusal.as_bytes()).await.ok()?;
        return None;
    }
    let tunnel = method == "CONNECT";
    let host = if tunnel { target } else { target.strip_prefix("http://")?.split('/').next()? };
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let forbidden = books.forbidden.lock().unwrap().contains(host);
    let Some(behind) = rules.hosts.get(host).filter(|_| !forbidden) else {
        stream.write_all(refuse("403 Forbidden").as_bytes()).await.ok()?;
        return None;
    };
    let mut behind = TcpStream::connect(behind).await.ok()?;
    if tunnel {
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    } else {
        let path = &target["http://".len()..];
        let path = path.find('/').map_or("/", |at| &path[at..]);
        let headers: Vec<&str> = headers.into_iter().filter(|line| !is_login(&line)).collect();
        let head = format!("{method} {path} HTTP/1.1\r\n{}\r\nconnection: close\r\n\r\n", headers.join("\r\n"));
        behind.write_all(head.as_bytes()).await.ok()?;
    }
    tokio::io::copy_bidirectional(&mut stream, &mut behind).await.ok().map(|_| ())
}

/// Everything before the empty line; what follows stays unread.
async fn head<S: AsyncReadExt + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        if head.len() > 16 * 1024 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}
