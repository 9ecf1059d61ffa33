//! One connection, from its handshake to its end.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::USER_AGENT;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tracing::{debug, info};

use super::frame::{self, Said};
use super::{Lost, Socket, SocketEvent};
use crate::resolve::network::{Unconnected, Unopened, WebSocket};

/// A post is 64 KiB of text and 800,000 characters of properties at most, twice escaped.
const LARGEST: usize = 4 * 1024 * 1024;

/// What was heard on a connection so far.
#[derive(Default)]
struct Heard {
    /// Since when events come.
    connected: Option<Instant>,
    /// The number of the last event.
    last: Option<i64>,
    /// What waits to be taken. Nothing is read meanwhile, so the clocks of reading stand still.
    waiting: VecDeque<SocketEvent>,
}

impl Socket {
    /// Listens until the connection is lost; none if nobody takes what comes. `connected` says
    /// since when events came.
    pub(super) async fn connection(
        &self,
        out: &mpsc::Sender<SocketEvent>,
        connected: &mut Option<Instant>,
    ) -> Option<Lost> {
        let mut stream = match timeout(self.timing.connect, self.open()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => return Some(why),
            Err(_) => return Some(Lost::Unreachable),
        };
        // The token is in no address and no header: proxies log those.
        let token = json!({ "token": self.token.expose_secret() });
        let challenge = json!({ "seq": 1, "action": "authentication_challenge", "data": token });
        if let Err(why) = self.say(&mut stream, Message::text(challenge.to_string())).await {
            return Some(why);
        }
        let mut heard = Heard::default();
        let greeted = Instant::now() + self.timing.connect;
        let mut next_ping = Instant::now() + self.timing.ping;
        let mut pong_due: Option<Instant> = None;
        loop {
            let reading = heard.waiting.is_empty();
            let due = pong_due.unwrap_or_else(Instant::now);
            tokio::select! {
                permit = out.reserve(), if !reading => {
                    permit.ok()?.send(heard.waiting.pop_front()?);
                    pong_due = pong_due.map(|_| Instant::now() + self.timing.pong);
                }
                () = sleep_until(next_ping) => {
                    if let Err(why) = self.say(&mut stream, Message::Ping(Bytes::new())).await {
                        return Some(why);
                    }
                    let now = Instant::now();
                    next_ping = now + self.timing.ping;
                    pong_due.get_or_insert(now + self.timing.pong);
                }
                () = sleep_until(due), if reading && pong_due.is_some() => return Some(Lost::Stalled),
                () = sleep_until(greeted), if heard.connected.is_none() => return Some(Lost::Stalled),
                message = stream.next(), if reading => {
                    match message {
                        Some(Ok(Message::Pong(_))) => pong_due = None,
                        Some(Ok(Message::Text(text))) => if let Err(why) = heard.take(&text) {
                            return Some(why);
                        },
                        // Pings are answered by the library.
                        Some(Ok(Message::Ping(_) | Message::Frame(_) | Message::Binary(_))) => {}
                        ended => return Some(heard.ended(ended)),
                    }
                    *connected = heard.connected;
                }
            }
        }
    }

    async fn open(&self) -> Result<WebSocket, Lost> {
        let mut request = self.url.as_str().into_client_request().map_err(|_| Lost::Broken)?;
        let agent = HeaderValue::from_static(concat!("sekoia-chatops/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        self.dialer.websocket(&self.url, request, config).await.map_err(|error| match error {
            Unopened::Unconnected(Unconnected::Proxy(fault)) => Lost::Proxy(fault),
            Unopened::Handshake(Error::Http(answer)) => Lost::NoWebSocket { status: answer.status().as_u16() },
            Unopened::Handshake(Error::HttpFormat(_)) => Lost::Broken,
            Unopened::Unconnected(Unconnected::Io(_)) | Unopened::Handshake(_) => Lost::Unreachable,
        })
    }

    async fn say(&self, stream: &mut WebSocket, message: Message) -> Result<(), Lost> {
        match timeout(self.timing.pong, stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Closed { code: None }),
            Err(_) => Err(Lost::Stalled),
        }
    }
}

impl Heard {
    fn take(&mut self, text: &str) -> Result<(), Lost> {
        let (said, number) = frame::read(text);
        if let Some(number) = number {
            // Numbers have no gaps, unless the server dropped something.
            if self.last.is_some_and(|last| number != last + 1) {
                debug!(number, "an event was missed");
                self.waiting.push_back(SocketEvent::Missed);
            }
            self.last = Some(number);
        }
        match said {
            Said::Hello if self.connected.is_none() => {
                info!("listening to Mattermost");
                self.connected = Some(Instant::now());
                self.waiting.push_back(SocketEvent::Connected);
            }
            Said::Posted { post, direct } => self.waiting.push_back(SocketEvent::Posted { post, direct }),
            Said::Added { user, channel } => self.waiting.push_back(SocketEvent::Added { user, channel }),
            Said::Refused => return Err(Lost::Refused),
            Said::Garbage => debug!("a frame that cannot be read"),
            Said::Hello | Said::Other => {}
        }
        Ok(())
    }

    /// How a connection ended.
    fn ended(&self, how: Option<Result<Message, Error>>) -> Lost {
        match how {
            Some(Err(Error::Capacity(_))) => Lost::TooLarge,
            Some(Err(Error::Utf8(_))) => Lost::Broken,
            // A server that does not take the token says nothing.
            _ if self.connected.is_none() => Lost::Refused,
            Some(Ok(Message::Close(frame))) => Lost::Closed { code: frame.map(|frame| u16::from(frame.code)) },
            _ => Lost::Closed { code: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64, event: &str) -> String {
        json!({ "event": event, "data": {}, "broadcast": {}, "seq": seq }).to_string()
    }

    #[test]
    fn a_gap_in_the_numbers_is_noticed_once() {
        let mut heard = Heard::default();
        for text in [
            event(0, "hello"),
            r#"{"status":"OK","seq_reply":1}"#.into(),
            event(1, "typing"),
            event(3, "typing"),
            event(4, "typing"),
        ] {
            heard.take(&text).unwrap();
        }
        let waiting: Vec<String> = heard.waiting.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(waiting, ["Connected", "Missed"]);
    }

    #[test]
    fn a_connection_that_ends_before_it_began_was_refused() {
        let mut heard = Heard::default();
        assert_eq!(heard.ended(None), Lost::Refused);
        assert_eq!(heard.take(r#"{"status":"FAIL","seq_reply":1}"#), Err(Lost::Refused));
        heard.take(&event(0, "hello")).unwrap();
        assert_eq!(heard.ended(None), Lost::Closed { code: None });
    }
}
