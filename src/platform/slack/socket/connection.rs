//! One WebSocket, from its handshake to its end.

use std::sync::Arc;

use axum::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Shared;
use super::envelope::{self, Answering, Envelope};
use super::open::{Down, Ticket};
use crate::pace::Seldom;
use crate::resolve::network::{Unconnected, Unopened, WebSocket};

/// Bytes of one frame: the largest view that Slack sends back is a fraction of it.
const LARGEST: usize = 4 * 1024 * 1024;

pub(super) struct Connection {
    socket: WebSocket,
    shared: Arc<Shared>,
}

/// What its owner needs to know.
pub(super) enum Happened {
    /// Slack will close it soon.
    Retiring,
    /// None: as it should.
    Gone(Option<Down>),
}

/// What Slack sends.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    envelope_id: Option<&'a str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    accepts_response_payload: bool,
    reason: Option<&'a str>,
}

/// What a frame is to the connection.
enum Heard {
    Hello,
    Envelope(Envelope),
    Retiring,
    Ended(Down),
    Nothing,
}

impl Connection {
    /// # Errors
    /// Why there is none.
    pub async fn open(shared: &Arc<Shared>, ticket: Ticket) -> Result<Self, Down> {
        let opened = timeout(shared.timing.connect, async {
            let request = ticket.0.as_str().into_client_request().map_err(|_| Down::Elsewhere)?;
            let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
            let mut socket = shared.dialer.websocket(&ticket.0, request, config).await.map_err(unopened)?;
            loop {
                match heard(socket.next().await)? {
                    Heard::Hello => return Ok(socket),
                    Heard::Ended(why) => return Err(why),
                    Heard::Retiring => return Err(Down::Closed),
                    // It is not acknowledged, so Slack sends it again.
                    Heard::Envelope(_) | Heard::Nothing => {}
                }
            }
        });
        let socket = opened.await.map_err(|_| Down::Unreachable("no answer in time".into()))??;
        Ok(Self { socket, shared: Arc::clone(shared) })
    }

    /// Serves until Slack closes it, it falls silent, it was replaced for a while, or `stop`.
    pub async fn serve(
        self,
        id: u64,
        happened: mpsc::Sender<(u64, Happened)>,
        replaced: CancellationToken,
        stop: CancellationToken,
    ) {
        let why = self.until_its_end(id, &happened, &replaced, &stop).await.err();
        // Nobody listens any more at a stop.
        let _ = happened.send((id, Happened::Gone(why))).await;
    }

    async fn until_its_end(
        mut self,
        id: u64,
        happened: &mpsc::Sender<(u64, Happened)>,
        replaced: &CancellationToken,
        stop: &CancellationToken,
    ) -> Result<(), Down> {
        let timing = self.shared.timing;
        // As many as have room at the same time.
        let (acknowledge, mut acknowledged) = mpsc::channel::<Option<Utf8Bytes>>(super::MOST);
        let mut unanswered = 0_usize;
        let (mut heard_at, mut next_ping) = (Instant::now(), Instant::now() + timing.ping);
        // Every envelope is answered by then, unless its task is no more.
        let patience = timing.acknowledge + timing.close;
        let (mut ends_at, mut finishing, mut ended) = (None::<Instant>, None::<Instant>, Ok(()));
        while finishing.is_none() || unanswered > 0 {
            // A branch that is not there waits for nothing.
            let never = heard_at;
            tokio::select! {
                Some(answer) = acknowledged.recv() => {
                    unanswered -= 1;
                    if let Some(answer) = answer {
                        self.say(Message::Text(answer)).await?;
                    }
                }
                () = sleep_until(finishing.unwrap_or(never)), if finishing.is_some() => break,
                () = stop.cancelled(), if finishing.is_none() => finishing = Some(Instant::now() + patience),
                () = replaced.cancelled(), if ends_at.is_none() => ends_at = Some(Instant::now() + timing.replaced),
                () = sleep_until(ends_at.unwrap_or(never)), if ends_at.is_some() && finishing.is_none() => {
                    finishing = Some(Instant::now() + patience);
                }
                () = sleep_until(heard_at + timing.silent), if finishing.is_none() => return Err(Down::Silent(timing.silent)),
                () = sleep_until(next_ping), if finishing.is_none() => {
                    self.say(Message::Ping(Bytes::new())).await?;
                    next_ping = Instant::now() + timing.ping;
                }
                frame = self.socket.next(), if finishing.is_none() => {
                    heard_at = Instant::now();
                    match heard(frame)? {
                        Heard::Envelope(envelope) => {
                            unanswered += usize::from(self.take(envelope, &acknowledge));
                        }
                        Heard::Retiring => {
                            let _ = happened.send((id, Happened::Retiring)).await;
                        }
                        // What was taken is acknowledged as long as Slack listens.
                        Heard::Ended(why) => (finishing, ended) = (Some(heard_at + patience), Err(why)),
                        Heard::Hello | Heard::Nothing => {}
                    }
                }
            }
        }
        let _ = timeout(timing.close, self.socket.close(None)).await;
        ended
    }

    /// Hands an envelope over; whether there will be an answer to it.
    fn take(&self, envelope: Envelope, acknowledge: &mpsc::Sender<Option<Utf8Bytes>>) -> bool {
        let (shared, route, began) = (&self.shared, envelope.route(), Instant::now());
        let Ok(room) = Arc::clone(&shared.room).try_acquire_owned() else {
            // Whoever asked sees that it failed.
            static FULL: Seldom = Seldom::new();
            shared.slack.intake.refused.count(StatusCode::SERVICE_UNAVAILABLE);
            shared.metrics.request(route, StatusCode::SERVICE_UNAVAILABLE.as_u16(), began.elapsed());
            if let Some(missed) = FULL.now() {
                warn!(missed, "too much is being done at the same time; an envelope is not taken");
            }
            return false;
        };
        let (slack, patience) = (Arc::clone(&shared.slack), shared.timing.acknowledge);
        let answering = Answering { route, began, answer: acknowledge.clone(), metrics: Arc::clone(&shared.metrics) };
        shared.tasks.spawn(async move {
            envelope::handle(&slack, envelope, patience, answering).await;
            drop(room);
        });
        true
    }

    async fn say(&mut self, message: Message) -> Result<(), Down> {
        match timeout(self.shared.timing.close, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Down::Closed),
            Err(_) => Err(Down::Silent(self.shared.timing.close)),
        }
    }
}

fn heard(frame: Option<Result<Message, Error>>) -> Result<Heard, Down> {
    let text = match frame {
        Some(Ok(Message::Text(text))) => text,
        // Pings are answered by the library.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
            return Ok(Heard::Nothing);
        }
        Some(Err(Error::Capacity(_))) => return Err(Down::Refused("a frame of more than 4 MiB".into())),
        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Down::Closed),
    };
    let Ok(frame) = serde_json::from_str::<Frame>(&text) else {
        debug!("a frame that cannot be read");
        return Ok(Heard::Nothing);
    };
    Ok(match (frame.kind, frame.envelope_id, frame.payload) {
        ("hello", ..) => Heard::Hello,
        ("disconnect", ..) => match frame.reason {
            Some("link_disabled") => Heard::Ended(Down::SwitchedOff),
            Some("too_many_websockets") => Heard::Ended(Down::TooMany),
            // `warning`, `refresh_requested`, and whatever else Slack may say: it closes it soon.
            _ => Heard::Retiring,
        },
        (kind, Some(id), payload) => Heard::Envelope(Envelope {
            id: id.into(),
            kind: kind.into(),
            payload: payload.map(ToOwned::to_owned),
            takes_an_answer: frame.accepts_response_payload,
            at: Timestamp::now(),
        }),
        _ => Heard::Nothing,
    })
}

/// No address is repeated: it holds a ticket.
fn unopened(error: Unopened) -> Down {
    match error {
        Unopened::Unconnected(Unconnected::Proxy(fault)) => Down::Unreachable(format!("{fault}. {}", fault.advice())),
        Unopened::Handshake(Error::Http(answer)) => Down::Refused(answer.status().to_string()),
        Unopened::Unconnected(Unconnected::Io(_)) | Unopened::Handshake(_) => Down::Unreachable("no connection".into()),
    }
}
