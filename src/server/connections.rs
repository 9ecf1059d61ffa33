//! Takes connections and serves a router on them, within bounds.
//!
//! A connection that waits (for the rest of a request's head, or for the next request) is closed
//! after a time, and earlier when another one needs its place: first those that never sent a whole
//! request. When all are at work, a few more are taken on which only the health routes are served.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::places::{AT_WORK, Bounds, HEAD, Open, Own, Place, REST};
use super::surface::Surface;
use crate::pace::Seldom;

/// Bytes of a request's head, and of what is read of a body at a time.
const BUFFER: usize = 32 * 1024;

/// Serves until `stop`, then ends when every request in flight is answered.
pub async fn serve(listener: TcpListener, surface: Surface, bounds: Bounds, stop: CancellationToken) {
    static FULL: Seldom = Seldom::new();
    let open = Arc::new(Open::default());
    let tasks = TaskTracker::new();
    let mut sweep = tokio::time::interval((bounds.head.min(bounds.idle) / 4).min(Duration::from_secs(1)));
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = sweep.tick() => {
                open.close_expired(bounds);
                continue;
            }
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                no_connection(&error).await;
                continue;
            }
        };
        let Some(place) = open.place(bounds) else {
            if let Some(missed) = FULL.now() {
                warn!(missed, "a connection was closed: all places are taken");
            }
            continue;
        };
        // Answers are small and one by one: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        tasks.spawn(connection(stream, peer, surface.clone(), place, stop.clone()));
    }
    drop(listener);
    tasks.close();
    let mut ended = pin!(tasks.wait());
    loop {
        tokio::select! {
            () = &mut ended => return,
            _ = sweep.tick() => open.close_expired(bounds),
        }
    }
}

/// A connection that ended before it was taken is nothing; anything else is likely to come again at once.
async fn no_connection(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    static FAILING: Seldom = Seldom::new();
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    if let Some(missed) = FAILING.now() {
        warn!(%error, missed, "no connection can be taken");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection(stream: TcpStream, peer: SocketAddr, surface: Surface, place: Place, stop: CancellationToken) {
    let own = Arc::clone(&place.own);
    let stream = TokioIo::new(Watched { stream, own: Arc::clone(&own) });
    let service = service_fn(|request: hyper::Request<Incoming>| {
        own.set(AT_WORK);
        let own = Arc::clone(&own);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = surface.answer_from(request, own.reserve);
        async move {
            let response = answer.await;
            // What is known whole is as good as sent; anything else goes on until its body ends.
            if response.body().size_hint().exact().is_some() {
                own.answered();
                return Ok::<_, Infallible>(response);
            }
            Ok(response.map(|body| Body::new(Streamed { body, _own: Answered(own) })))
        }
    });
    // Times are kept by the sweep: hyper's own do not tell a slow head from a connection at rest.
    let mut builder = http1::Builder::new();
    let serving = builder.header_read_timeout(None).max_buf_size(BUFFER).serve_connection(stream, service);
    let mut serving = pin!(serving);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "a connection broke off");
                }
                return;
            }
            () = place.own.close.notified() => {
                if place.own.may_close() {
                    return;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A stream that notes when a request begins.
struct Watched {
    stream: TcpStream,
    own: Arc<Own>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && matches!(self.own.waits(), Some((REST, _))) {
            self.own.set(HEAD);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A body without a known end: its connection is at work until it is over.
struct Streamed {
    body: Body,
    _own: Answered,
}

struct Answered(Arc<Own>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl HttpBody for Streamed {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
