//! Socket Mode: the WebSockets that the app opens, and what Slack sends on them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::sign::SignedRequest;
use super::state::token;
use super::{PATIENCE, SlackWorld};
use crate::harness::front::accepted;

/// How often Slack pings.
const PING: Duration = Duration::from_millis(300);

/// How Slack meets the next WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    Hello,
    /// `disconnect` for this reason instead of a hello.
    Disconnect(&'static str),
    /// Nothing at all.
    Nothing,
    /// A hello; and then it is dead, although the connection stands.
    Dies,
}

/// What Slack made of an acknowledgement.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// Null if there is none.
    pub payload: Value,
    /// On which WebSocket, counted from 0.
    pub socket: usize,
    pub after: Duration,
}

/// What Slack does with one WebSocket.
#[derive(Debug)]
enum Order {
    Say(String),
    /// Closes it, as it should be done.
    Close,
}

#[derive(Debug)]
pub(super) struct Sockets {
    address: SocketAddr,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    tickets: HashSet<String>,
    greetings: VecDeque<Greeting>,
    /// Those that stand, by their number.
    open: Vec<(usize, mpsc::UnboundedSender<Order>)>,
    opened: usize,
    /// How often one was sent to.
    turns: usize,
    /// Envelopes that are not acknowledged, and on which they went out.
    waiting: HashMap<String, (usize, oneshot::Sender<Value>)>,
}

impl From<Acknowledged> for reqwest::Response {
    /// As the same would be answered over HTTP.
    fn from(acknowledged: Acknowledged) -> Self {
        let builder = axum::http::Response::builder();
        let response = match acknowledged.payload {
            Value::Null => builder.body(String::new()),
            payload => builder.header("content-type", "application/json").body(payload.to_string()),
        };
        response.expect("a response").into()
    }
}

impl Sockets {
    /// Starts to listen; who comes is served by `serve`.
    pub(super) async fn listen() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound listener has an address");
        (Self { address, books: Mutex::default() }, listener)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SlackWorld {
    /// Where the WebSockets come in.
    pub fn socket_address(&self) -> SocketAddr {
        self.0.sockets.address
    }

    /// How the next WebSocket is met; after all that are listed, with a hello.
    pub fn greets(&self, greeting: Greeting) {
        self.0.sockets.books().greetings.push_back(greeting);
    }

    /// How many WebSockets stand.
    pub fn sockets(&self) -> usize {
        self.0.sockets.books().open.len()
    }

    /// How many there were so far.
    pub fn sockets_opened(&self) -> usize {
        self.0.sockets.books().opened
    }

    /// Waits until so many WebSockets were opened, and `standing` of them stand.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn wait_for_sockets(&self, opened: usize, standing: usize) {
        let there = tokio::time::timeout(PATIENCE, async {
            while self.sockets_opened() < opened || self.sockets() != standing {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let found = (self.sockets_opened(), self.sockets());
        assert!(there.await.is_ok(), "{opened} opened and {standing} standing: {found:?}\n{}", self.dump());
    }

    /// Slack says on one WebSocket that it will be closed.
    pub fn disconnect(&self, socket: usize, reason: &str) {
        let said = json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "applink-1" } });
        self.order(socket, Order::Say(said.to_string()));
    }

    /// Slack closes one.
    pub fn close_socket(&self, socket: usize) {
        self.order(socket, Order::Close);
    }

    fn order(&self, socket: usize, order: Order) {
        let books = self.0.sockets.books();
        let (_, to) = books.open.iter().find(|(number, _)| *number == socket).expect("it stands");
        to.send(order).expect("it stands");
    }

    /// The numbers of the WebSockets that stand.
    pub fn standing_sockets(&self) -> Vec<usize> {
        self.0.sockets.books().open.iter().map(|(number, _)| *number).collect()
    }

    /// The answer to `apps.connections.open`: an address that works once.
    pub(super) fn ticket(&self) -> Value {
        let ticket = token(24);
        self.0.sockets.books().tickets.insert(ticket.clone());
        let origin = match self.0.reached_as.get() {
            Some(_) => "wss://wss-primary.slack.com".to_owned(),
            None => format!("ws://{}", self.socket_address()),
        };
        json!({ "ok": true, "url": format!("{origin}/link/?ticket={ticket}&app_id={}", self.state().app.id) })
    }

    /// Sends what a request would bring, in an envelope of its own, and waits for the acknowledgement.
    /// What a WebSocket took with it when it ended is sent again on another one.
    pub async fn deliver(&self, request: &SignedRequest) -> Acknowledged {
        self.deliver_as(&uuid::Uuid::new_v4().to_string(), request).await
    }

    /// The same, with this id of the envelope.
    pub async fn deliver_as(&self, id: &str, request: &SignedRequest) -> Acknowledged {
        let mut attempt = 0;
        loop {
            let envelope = envelope(id, request, attempt);
            let (sent, socket, answer) = self.put(id, &envelope).await;
            match tokio::time::timeout(PATIENCE, answer).await {
                Ok(Ok(payload)) => return Acknowledged { payload, socket, after: sent.elapsed() },
                Ok(Err(_)) => attempt += 1,
                Err(_) => panic!("an envelope was never acknowledged: {}\n{}", request.path, self.dump()),
            }
        }
    }

    /// Sends an envelope on whichever WebSocket has its turn.
    async fn put(&self, id: &str, envelope: &Value) -> (std::time::Instant, usize, oneshot::Receiver<Value>) {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                {
                    let mut books = self.0.sockets.books();
                    books.turns += 1;
                    let turn = books.turns;
                    if let Some((number, to)) = books.open.get(turn % books.open.len().max(1)).cloned() {
                        let (acknowledged, answer) = oneshot::channel();
                        books.waiting.insert(id.to_owned(), (number, acknowledged));
                        if to.send(Order::Say(envelope.to_string())).is_ok() {
                            return (std::time::Instant::now(), number, answer);
                        }
                    }
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("the app has no WebSocket open\n{}", self.dump()))
    }

    pub(super) async fn serve_sockets(self, listener: TcpListener) {
        loop {
            let stream = accepted(&listener).await;
            let world = self.clone();
            tokio::spawn(async move { world.serve_socket(stream).await });
        }
    }

    /// None: it ended, however.
    async fn serve_socket(&self, stream: TcpStream) -> Option<()> {
        let world = self.clone();
        #[allow(clippy::result_large_err)]
        let lets_in = move |request: &Request, response: Response| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let ticket = query.split('&').find_map(|pair| pair.strip_prefix("ticket=")).unwrap_or_default();
            let no = || {
                let mut response = ErrorResponse::new(None);
                *response.status_mut() = axum::http::StatusCode::FORBIDDEN;
                response
            };
            if request.headers().contains_key("authorization") {
                world.edit(|state| state.violations.push("a token goes to the WebSocket".into()));
            }
            let known = request.uri().path() == "/link/" && world.0.sockets.books().tickets.remove(ticket);
            if known { Ok(response) } else { Err(no()) }
        };
        let mut socket = accept_hdr_async(stream, lets_in).await.ok()?;
        let greeting = self.0.sockets.books().greetings.pop_front().unwrap_or(Greeting::Hello);
        match greeting {
            Greeting::Hello | Greeting::Dies => {
                let hello = json!({
                    "type": "hello", "num_connections": self.sockets() + 1,
                    "debug_info": { "host": "applink-1", "approximate_connection_time": 18060 },
                    "connection_info": { "app_id": self.state().app.id },
                });
                socket.send(Message::text(hello.to_string())).await.ok()?;
            }
            Greeting::Disconnect(reason) => {
                let said = json!({ "type": "disconnect", "reason": reason });
                socket.send(Message::text(said.to_string())).await.ok()?;
                self.0.sockets.books().opened += 1;
                return socket.close(None).await.ok();
            }
            Greeting::Nothing => {}
        }
        let (to, mut orders) = mpsc::unbounded_channel();
        let number = {
            let mut books = self.0.sockets.books();
            let number = books.opened;
            books.opened += 1;
            if greeting == Greeting::Hello {
                books.open.push((number, to));
            }
            number
        };
        if greeting != Greeting::Hello {
            // It is neither read nor written to any more; whoever has it has to see that.
            let mut tcp = socket.into_inner();
            let mut rest = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut tcp, &mut rest).await;
            return None;
        }
        let ended = self.talk(number, &mut socket, &mut orders).await;
        let mut books = self.0.sockets.books();
        books.open.retain(|(other, _)| *other != number);
        books.waiting.retain(|_, (socket, _)| *socket != number);
        ended
    }

    async fn talk(
        &self,
        number: usize,
        socket: &mut WebSocketStream<TcpStream>,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Option<()> {
        let mut pings = tokio::time::interval(PING);
        loop {
            tokio::select! {
                order = orders.recv() => match order? {
                    Order::Say(text) => socket.send(Message::text(text)).await.ok()?,
                    Order::Close => socket.close(None).await.ok()?,
                },
                _ = pings.tick() => socket.send(Message::Ping(Bytes::from_static(b"Ping from applink-1"))).await.ok()?,
                frame = socket.next() => match frame?.ok()? {
                    Message::Text(text) => self.acknowledged(number, &text),
                    Message::Close(_) => return None,
                    _ => {}
                },
            }
        }
    }

    fn acknowledged(&self, number: usize, text: &str) {
        let wrong = |what: &str| self.edit(|state| state.violations.push(format!("Socket Mode: {what}: {text}")));
        let Ok(said) = serde_json::from_str::<Value>(text) else { return wrong("no JSON") };
        let known: HashSet<&str> = ["envelope_id", "payload"].into();
        let fields = said.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
        if fields.into_iter().any(|field| !known.contains(field)) {
            return wrong("an acknowledgement has other fields");
        }
        let id = said["envelope_id"].as_str().unwrap_or_default();
        let waiting = self.0.sockets.books().waiting.remove(id);
        match waiting {
            Some((on, answer)) if on == number => {
                let _ = answer.send(said["payload"].clone());
            }
            Some(_) => wrong("acknowledged on another WebSocket"),
            None => wrong("nothing waits for this acknowledgement"),
        }
    }
}

/// What Slack makes of a request in Socket Mode.
fn envelope(id: &str, request: &SignedRequest, attempt: u32) -> Value {
    let form = || -> serde_json::Map<String, Value> {
        form_urlencoded::parse(&request.body).map(|(name, value)| (name.into_owned(), json!(value))).collect()
    };
    let (kind, payload) = match request.path.as_str() {
        super::inbound::COMMANDS => ("slash_commands", Value::Object(form())),
        super::inbound::INTERACTIVITY => {
            let payload = form()["payload"].as_str().map(serde_json::from_str);
            ("interactive", payload.expect("a payload").expect("JSON"))
        }
        super::inbound::EVENTS => ("events_api", serde_json::from_slice(&request.body).expect("JSON")),
        path => panic!("{path} is nothing of Socket Mode"),
    };
    let mut envelope = json!({
        "envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind != "events_api",
    });
    if kind == "events_api" {
        envelope["retry_attempt"] = json!(attempt);
        envelope["retry_reason"] = json!(if attempt > 0 { "timeout" } else { "" });
    }
    envelope
}
