//! The WebSocket by which the app hears what is posted where it is, and what goes wrong on it.
//!
//! The handshake is done here, so that the connection below is ours to spoil.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::find::raw;
use super::people::{TEAM, id};
use super::state::{State, fresh_id};
use super::{MattermostWorld, PATIENCE, api};

/// A connection that does not say who it is is closed.
const UNKNOWN: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Something that the members of a channel are told.
#[derive(Debug)]
pub(super) struct Event {
    pub name: &'static str,
    pub channel: String,
    pub data: Value,
}

impl MattermostWorld {
    /// Waits until the app listens.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn is_listened_to(&self) {
        let listens = tokio::time::timeout(PATIENCE, async {
            while self.state().listening == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(listens.await.is_ok(), "nobody listens.\n{}", self.dump());
    }

    /// Every connection is cut, and so is every new one until they may stand again: with this status in
    /// answer to the handshake, or right after it.
    pub async fn cut_sockets(&self, status: Option<u16>) {
        self.edit(|state| (state.sockets_cut, state.sockets_status) = (true, status));
        while self.state().listening > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Connections may stand.
    pub fn sockets_stand(&self) {
        self.edit(|state| (state.sockets_cut, state.sockets_status) = (false, None));
    }
}

/// `GET /api/v4/websocket`.
pub(super) async fn upgrade(Extract(world): Extract<MattermostWorld>, mut request: Request) -> Response {
    let refused = {
        let mut state = world.state();
        *state.calls.entry("GET /websocket".into()).or_default() += 1;
        state.sockets_status
    };
    if let Some(status) = refused {
        return api::error(status, "api.web_socket.connect.upgrade.app_error");
    }
    let accept = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (Some(accept), Some(upgrade)) = (accept, request.extensions_mut().remove::<OnUpgrade>()) else {
        return api::error(400, "api.web_socket.connect.upgrade.app_error");
    };
    tokio::spawn(async move {
        if let Ok(connection) = upgrade.await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, None).await;
            speak(&world, socket).await;
        }
    });
    let switching = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept);
    switching.body(Body::empty()).expect("a response")
}

/// Counts a connection while it stands.
struct Listening<'a>(&'a MattermostWorld);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.state().listening -= 1;
    }
}

async fn speak(world: &MattermostWorld, mut socket: Socket) {
    let said = tokio::time::timeout(UNKNOWN, socket.next()).await;
    let Ok(Some(Ok(Message::Text(said)))) = said else { return };
    let said: Value = serde_json::from_str(&said).unwrap_or_default();
    let mut events = {
        let mut state = world.state();
        if said["action"] != "authentication_challenge" || !said["seq"].is_number() {
            state.violations.push(format!("a WebSocket that does not say who it is: {said}"));
        }
        // The server says nothing to a token that it does not take.
        if said["data"]["token"] != world.bot_token() || state.token_refused || state.sockets_cut {
            return;
        }
        state.listening += 1;
        state.events.subscribe()
    };
    let _listening = Listening(world);
    let hello = json!({ "server_version": "11.2.0", "connection_id": fresh_id(), "server_hostname": "" });
    let mut numbers = 0..;
    let mut event = |name: &str, data: Value, channel: &str| {
        let broadcast = json!({ "omit_users": null, "user_id": "", "channel_id": channel, "team_id": "" });
        let number: i64 = numbers.next().expect("endless");
        Message::text(json!({ "event": name, "data": data, "broadcast": broadcast, "seq": number }).to_string())
    };
    let taken = Message::text(json!({ "status": "OK", "seq_reply": said["seq"] }).to_string());
    for message in [event("hello", hello, ""), event("status_change", json!({ "status": "online" }), ""), taken] {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    let mut known = true;
    loop {
        tokio::select! {
            next = events.recv() => {
                let Ok(next) = next else { return };
                let message = event(next.name, next.data.clone(), &next.channel);
                stands(world).await;
                let dropped = std::mem::take(&mut world.state().drops_event);
                // Who is not known when something happens is not known on this connection any more, which stands.
                known &= !world.state().token_refused;
                if known && !dropped && socket.send(message).await.is_err() {
                    return;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Text(said))) => {
                    world.state().violations.push(format!("the WebSocket was told {said}"));
                }
                Some(Ok(_)) => {}
            },
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        if world.state().sockets_cut {
            return;
        }
        stands(world).await;
    }
}

/// Waits while nothing comes or is taken.
async fn stands(world: &MattermostWorld) {
    while world.state().sockets_hang {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl State {
    /// Tells the app, if it is in the channel.
    pub(super) fn tell(&self, name: &'static str, channel: &str, data: Value) {
        if self.channels[channel].members.contains(&self.bot()) {
            // Nobody may listen.
            let _ = self.events.send(Arc::new(Event { name, channel: channel.to_owned(), data }));
        }
    }

    pub(super) fn tell_posted(&self, post: &Value) {
        let channel = raw(post, "channel_id");
        let place = &self.channels[channel];
        let kind = if place.between.is_some() { "D" } else { "O" };
        let sender = self.users.get(raw(post, "user_id")).map_or("", |user| &user.name);
        let data = json!({
            "channel_display_name": place.name, "channel_name": place.name, "channel_type": kind,
            "post": super::posts::stripped(post).to_string(), "sender_name": format!("@{sender}"), "set_online": true,
            "team_id": if place.between.is_some() { String::new() } else { id(TEAM) },
        });
        self.tell("posted", channel, data);
    }
}
