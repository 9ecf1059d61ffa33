//! One connection of the LiveAPI, from its handshake to its end, with what goes wrong on it.
//!
//! The handshake is done here, so that the connection below is ours to spoil.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, COOKIE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Notice, frames};
use crate::sandbox::auth::Caller;
use crate::sandbox::error::ApiError;
use crate::sandbox::{LiveFault, Sandbox};

/// A reader that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);
/// An event that is held back for the next one goes alone after this.
const HELD: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// `GET /live/`. The key is in a cookie, as a browser's session is.
pub(in crate::sandbox) async fn upgrade(
    State(sandbox): State<Arc<Sandbox>>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let token = cookie(request.headers(), "access_token_cookie").ok_or_else(ApiError::invalid_token)?;
    let caller = Caller::of(&sandbox, token)?;
    let accept = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (Some(accept), Some(upgrade)) = (accept, request.extensions_mut().remove::<OnUpgrade>()) else {
        return Err(ApiError::bad_request("This is a WebSocket"));
    };
    tokio::spawn(async move {
        if let Ok(connection) = upgrade.await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, None).await;
            speak(&sandbox, &caller, socket).await;
        }
    });
    let switching = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty());
    switching.map_err(|_| ApiError::bad_request("This key cannot be answered"))
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// How a connection ends before its client wants it to.
enum End {
    Stall,
    Close,
    Cut,
}

async fn speak(sandbox: &Sandbox, caller: &Caller, mut socket: Socket) {
    let (live, faults) = (&sandbox.live, sandbox.faults());
    let (mut changed, mut ended) = (faults.watch(), live.ended.subscribe());
    let mut notices = live.out.subscribe();
    let mut held: Option<(Arc<Notice>, Instant)> = None;
    let mut joined = None;
    loop {
        match trouble(sandbox) {
            None => {}
            Some(End::Stall) => return stall(socket).await,
            Some(End::Close) => return close(&mut socket, CloseCode::Restart, "The service restarts").await,
            Some(End::Cut) => return,
        }
        let due = held.as_ref().map_or_else(Instant::now, |(_, due)| *due);
        let sent = tokio::select! {
            _ = changed.changed() => true,
            _ = ended.changed() => return close(&mut socket, CloseCode::Away, "").await,
            () = sleep_until(due), if held.is_some() => match held.take() {
                Some((notice, _)) => tell(sandbox, &mut socket, &notice).await,
                None => true,
            },
            frame = socket.next() => match frame {
                // Pings are answered by the library.
                Some(Ok(Message::Text(text))) if frames::asks_for_more(&text) && joined.is_none() => {
                    if faults.live(LiveFault::Deny) {
                        let _ = say(&mut socket, Message::text(frames::authenticated(false))).await;
                        return close(&mut socket, CloseCode::Policy, "").await;
                    }
                    joined = Some(live.join());
                    say(&mut socket, Message::text(frames::authenticated(true))).await
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => true,
            },
            notice = notices.recv() => match notice {
                Ok(notice) if joined.is_some() && sees(sandbox, caller, &notice) => {
                    if held.is_none() && faults.live(LiveFault::Swap) {
                        held = Some((notice, Instant::now() + HELD));
                        true
                    } else {
                        let mut sent = tell(sandbox, &mut socket, &notice).await;
                        if let Some((before, _)) = held.take() {
                            sent = sent && tell(sandbox, &mut socket, &before).await;
                        }
                        sent
                    }
                }
                Ok(_) => true,
                Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    return close(&mut socket, CloseCode::Again, "Too slow").await;
                }
            },
        };
        if !sent {
            return;
        }
    }
}

fn trouble(sandbox: &Sandbox) -> Option<End> {
    let ends = [(LiveFault::Stall, End::Stall), (LiveFault::Close, End::Close), (LiveFault::Cut, End::Cut)];
    ends.into_iter().find(|(fault, _)| sandbox.faults().live(*fault)).map(|(_, end)| end)
}

fn sees(sandbox: &Sandbox, caller: &Caller, notice: &Notice) -> bool {
    caller.sees_uuid(&sandbox.world(), notice.community)
}

/// Says an event in both versions, with what is wrong at the moment.
async fn tell(sandbox: &Sandbox, socket: &mut Socket, notice: &Notice) -> bool {
    let faults = sandbox.faults();
    let mut said = Vec::new();
    if faults.live(LiveFault::Garbage) {
        said.push(Message::text(frames::garbage()));
    }
    if faults.live(LiveFault::Binary) {
        said.push(Message::binary(Bytes::from(frames::binary())));
    }
    if faults.live(LiveFault::Huge) {
        said.push(Message::text(frames::huge()));
    }
    if !faults.live(LiveFault::Drop) {
        let both = !faults.live(LiveFault::Old);
        let times = if faults.live(LiveFault::Twice) { 2 } else { 1 };
        for _ in 0..times {
            said.push(Message::text(frames::old(notice)));
            if both {
                said.push(Message::text(frames::new(notice)));
            }
        }
    }
    for message in said {
        if !say(socket, message).await {
            return false;
        }
    }
    true
}

/// Whether it went out.
async fn say(socket: &mut Socket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

async fn close(socket: &mut Socket, code: CloseCode, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    // Whoever does not listen is left.
    let _ = timeout(PATIENCE, socket.close(Some(frame))).await;
}

/// Takes what comes and says nothing more, until the client has had enough.
async fn stall(mut socket: Socket) {
    let connection = socket.get_mut();
    let mut taken = [0; 1024];
    while connection.read(&mut taken).await.is_ok_and(|length| length > 0) {}
}
