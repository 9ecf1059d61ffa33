//! How every outgoing connection is made: whose certificates it accepts, and which proxy it goes through.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use hyper::client::conn::http1;
use hyper::header::{HOST, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::handshake::client::Request as Handshake;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use tower::Service;
use url::Url;

use super::proxy::{Proxies, ProxyFault, ProxyRefusal, Via};
use super::tls::Tls;
use super::{Resolver, connect};

const AGENT: &str = concat!("sekoia-chatops/", env!("CARGO_PKG_VERSION"));

/// The same for every outgoing client.
#[derive(Debug, Clone, Default)]
pub struct Network {
    pub tls: Tls,
    pub proxies: Proxies,
}

impl Network {
    /// A client of reqwest, still without its time-outs. No redirect is followed: it could carry a secret
    /// elsewhere.
    ///
    /// # Errors
    /// As [`Tls::client`].
    pub fn http(&self) -> Result<reqwest::ClientBuilder, rustls::Error> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.client()?)
            .dns_resolver(Resolver)
            .user_agent(AGENT)
            .redirect(reqwest::redirect::Policy::none());
        Ok(self.proxies.of_reqwest(builder))
    }

    /// What an error of such a client says about a proxy; none if no proxy is to blame.
    pub fn proxy_fault(&self, error: &reqwest::Error, url: &Url) -> Option<ProxyFault> {
        self.proxies.of(url)?.fault_in(error, url.host_str().unwrap_or_default())
    }

    /// For what is no client of reqwest.
    ///
    /// # Errors
    /// As [`Tls::client`].
    pub fn dialer(&self) -> Result<Dialer, rustls::Error> {
        Ok(Dialer { proxies: self.proxies.clone(), tls: Some(Arc::new(self.tls.client()?)) })
    }
}

/// Makes connections.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    proxies: Proxies,
    /// None: only the system's authorities are accepted.
    tls: Option<Arc<ClientConfig>>,
}

/// A connection to a host, directly or through a proxy.
pub enum Stream {
    Direct(TcpStream),
    Tunnel(Box<TokioIo<Upgraded>>),
}

pub type WebSocket = WebSocketStream<MaybeTlsStream<Stream>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Unconnected {
    #[error(transparent)]
    Proxy(#[from] ProxyFault),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why no WebSocket was opened.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    #[error(transparent)]
    Unconnected(#[from] Unconnected),
    #[error(transparent)]
    Handshake(#[from] tungstenite::Error),
}

impl Dialer {
    /// A connection to the host of this address; TLS is still to be spoken.
    ///
    /// # Errors
    /// When the host or its proxy cannot be reached, or the proxy refuses.
    pub async fn connect(&self, url: &Url) -> Result<Stream, Unconnected> {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "an address without a host");
        let host = url.host_str().ok_or_else(none)?;
        let port = url.port_or_known_default().ok_or_else(none)?;
        if let Some(via) = self.proxies.of(url) {
            return Ok(Stream::Tunnel(Box::new(TokioIo::new(self.tunnel(&via, host, port).await?))));
        }
        let stream = connect(host, port).await?;
        let _ = stream.set_nodelay(true);
        Ok(Stream::Direct(stream))
    }

    /// A WebSocket. `url` and the request's address are the same.
    ///
    /// # Errors
    /// As [`Dialer::connect`], and whatever the handshake says.
    pub async fn websocket(
        &self,
        url: &Url,
        request: Handshake,
        config: WebSocketConfig,
    ) -> Result<WebSocket, Unopened> {
        let stream = self.connect(url).await?;
        let connector = self.tls.clone().map(Connector::Rustls);
        let (socket, _) = client_async_tls_with_config(request, stream, Some(config), connector).await?;
        Ok(socket)
    }

    /// Asks a proxy for a connection (RFC 9110, section 9.3.6).
    async fn tunnel(&self, via: &Via, host: &str, port: u16) -> Result<Upgraded, Unconnected> {
        let fault = |why| via.fault(host, why);
        let target = format!("{host}:{port}");
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The proxy itself may speak TLS.
        let mut connector = match &self.tls {
            Some(tls) => hyper_rustls::HttpsConnectorBuilder::new().with_tls_config((**tls).clone()),
            None => return Err(io::Error::other("no settings of TLS").into()),
        }
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
        let stream = connector.call(via.uri().clone()).await.map_err(|_| fault(ProxyRefusal::Unreachable))?;
        let broken = |_: hyper::Error| fault(ProxyRefusal::Broken);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(&*target)
            .header(HOST, &*target)
            .header(USER_AGENT, AGENT)
            .body(String::new())
            .map_err(io::Error::other)?;
        if let Some(auth) = via.auth() {
            request.headers_mut().insert(PROXY_AUTHORIZATION, auth.clone());
        }
        let answer = sender.send_request(request).await.map_err(broken)?;
        match answer.status() {
            status if status.is_success() => Ok(hyper::upgrade::on(answer).await.map_err(broken)?),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(fault(ProxyRefusal::Credentials).into()),
            status => Err(fault(ProxyRefusal::Target { status: Some(status.as_u16()) }).into()),
        }
    }
}

/// As a connector of hyper's clients, which speak TLS themselves.
impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = Unconnected;
    type Future = BoxFuture<'static, Result<TokioIo<Stream>, Unconnected>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unconnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let url: Url = uri.to_string().parse().map_err(io::Error::other)?;
            Ok(TokioIo::new(dialer.connect(&url).await?))
        })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Direct(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tunnel(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Direct(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tunnel(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Direct(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tunnel(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Direct(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tunnel(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Direct(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tunnel(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Direct(stream) => stream.is_write_vectored(),
            Self::Tunnel(stream) => stream.is_write_vectored(),
        }
    }
}
