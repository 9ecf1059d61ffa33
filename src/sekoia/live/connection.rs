//! One connection, from its handshake to its end.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{COOKIE, USER_AGENT};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tracing::info;

use super::frame::{self, Said};
use super::{Live, LiveEvent, Lost};
use crate::resolve::network::{Unconnected, Unopened, WebSocket as Socket};

/// Both versions of events come after this.
const UPGRADE: &str = r#"{"action":"upgrade"}"#;
/// No event that we understand is longer.
const LARGEST: usize = 1024 * 1024;

impl Live {
    /// Listens until the connection is lost; none if nobody takes what comes. `connected` says
    /// since when events came.
    pub(super) async fn connection(
        &self,
        out: &mpsc::Sender<LiveEvent>,
        connected: &mut Option<Instant>,
    ) -> Option<Lost> {
        let mut socket = match timeout(self.timing.connect, self.open()).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(why)) => return Some(why),
            Err(_) => return Some(Lost::Unreachable),
        };
        if let Err(why) = self.say(&mut socket, Message::text(UPGRADE)).await {
            return Some(why);
        }
        // What waits to be taken. Nothing is read meanwhile, so the clocks of reading stand still.
        let mut waiting: VecDeque<LiveEvent> = VecDeque::new();
        // The first ping goes out behind the request: its answer says that the request was read.
        let mut next_ping = Instant::now();
        let mut pong_due: Option<Instant> = None;
        let mut told = Instant::now();
        loop {
            let reading = waiting.is_empty();
            let due = pong_due.unwrap_or_else(Instant::now);
            tokio::select! {
                permit = out.reserve(), if !reading => {
                    permit.ok()?.send(waiting.pop_front()?);
                    told = Instant::now();
                    pong_due = pong_due.map(|_| told + self.timing.pong);
                }
                () = sleep_until(next_ping) => {
                    if let Err(why) = self.say(&mut socket, Message::Ping(Bytes::new())).await {
                        return Some(why);
                    }
                    let now = Instant::now();
                    next_ping = now + self.timing.ping;
                    pong_due.get_or_insert(now + self.timing.pong);
                }
                () = sleep_until(due), if reading && pong_due.is_some() => return Some(Lost::Stalled),
                () = sleep_until(told + self.timing.quiet), if reading => return Some(Lost::Quiet),
                message = socket.next(), if reading => {
                    let event = match self.understand(message) {
                        Ok(Heard::Event(event)) => Some(event),
                        Ok(Heard::Pong) => {
                            pong_due = None;
                            None
                        }
                        Ok(Heard::Nothing) => continue,
                        Err(why) => return Some(why),
                    };
                    if connected.is_none() {
                        info!("listening to the LiveAPI");
                        self.counts.connections.fetch_add(1, Ordering::Relaxed);
                        *connected = Some(Instant::now());
                        waiting.push_back(LiveEvent::Connected);
                    }
                    waiting.extend(event);
                }
            }
        }
    }

    async fn open(&self) -> Result<Socket, Lost> {
        let mut request = self.url.as_str().into_client_request().map_err(|_| Lost::Broken)?;
        let cookie = format!("access_token_cookie={}", self.key.expose_secret());
        let mut cookie = HeaderValue::from_str(&cookie).map_err(|_| Lost::Broken)?;
        cookie.set_sensitive(true);
        request.headers_mut().insert(COOKIE, cookie);
        let agent = HeaderValue::from_static(concat!("sekoia-chatops/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let error = match self.dialer.websocket(&self.url, request, config).await {
            Ok(socket) => return Ok(socket),
            Err(Unopened::Unconnected(Unconnected::Proxy(fault))) => return Err(Lost::Proxy(fault)),
            Err(Unopened::Unconnected(Unconnected::Io(_))) => return Err(Lost::Unreachable),
            Err(Unopened::Handshake(error)) => error,
        };
        match error {
            Error::Http(answer) => Err(match answer.status().as_u16() {
                status @ (401 | 403) => Lost::Refused { status },
                429 => Lost::Limited,
                status => Lost::Failed { status },
            }),
            Error::Protocol(ProtocolError::HandshakeIncomplete) => Err(Lost::Unreachable),
            Error::Protocol(_) | Error::HttpFormat(_) => Err(Lost::Broken),
            _ => Err(Lost::Unreachable),
        }
    }

    async fn say(&self, socket: &mut Socket, message: Message) -> Result<(), Lost> {
        match timeout(self.timing.pong, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Closed { code: None }),
            Err(_) => Err(Lost::Stalled),
        }
    }

    fn understand(&self, message: Option<Result<Message, Error>>) -> Result<Heard, Lost> {
        let garbage = || self.counts.garbage.fetch_add(1, Ordering::Relaxed);
        match message {
            Some(Ok(Message::Text(text))) => match frame::read(&text) {
                Said::Event(frame) => {
                    self.counts.events.fetch_add(1, Ordering::Relaxed);
                    return Ok(Heard::Event(LiveEvent::Frame(*frame)));
                }
                Said::Authenticated(false) => return Err(Lost::Refused { status: 401 }),
                Said::Authenticated(true) => {}
                Said::Old => {
                    self.counts.skipped.fetch_add(1, Ordering::Relaxed);
                }
                Said::Garbage => {
                    garbage();
                }
            },
            Some(Ok(Message::Binary(_))) => {
                garbage();
            }
            Some(Ok(Message::Pong(_))) => return Ok(Heard::Pong),
            // Pings are answered by the library.
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                return Err(Lost::Closed { code: frame.map(|frame| u16::from(frame.code)) });
            }
            None
            | Some(Err(
                Error::ConnectionClosed
                | Error::AlreadyClosed
                | Error::Io(_)
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            )) => return Err(Lost::Closed { code: None }),
            // What follows in the stream cannot be told from the rest of it.
            Some(Err(Error::Capacity(_))) => {
                garbage();
                return Err(Lost::TooLarge);
            }
            Some(Err(Error::Utf8(_))) => {
                garbage();
                return Err(Lost::Broken);
            }
            Some(Err(_)) => return Err(Lost::Broken),
        }
        Ok(Heard::Nothing)
    }
}

/// What a frame is to the connection.
enum Heard {
    Event(LiveEvent),
    Pong,
    Nothing,
}
