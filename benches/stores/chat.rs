//! People who type commands, and the Slack in which they read the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::Request;
use axum::routing::{get, post};
use axum::{Json, Router};
use dashmap::DashMap;
use jiff::ToSpan;
use jiff::civil::date;
use sekoia_chatops::server::Surface;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::seed::channel_id;
use crate::support::{TEAM, sign};

/// By then an answer has come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of what was asked last.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A Slack that knows everybody.
#[derive(Clone)]
pub struct Slack {
    pub url: String,
    waiting: Arc<DashMap<u64, oneshot::Sender<bool>>>,
}

/// Where a command goes.
#[derive(Clone)]
pub enum Bot {
    /// The bot's router in this process.
    Here(Surface),
    /// A process at this address.
    There(reqwest::Client, String),
}

#[derive(serde::Deserialize)]
struct Asked {
    user: Option<String>,
}

impl Slack {
    pub async fn start() -> Self {
        let waiting = Arc::<DashMap<u64, oneshot::Sender<bool>>>::default();
        let users = |Query(asked): Query<Asked>| async move {
            Json(json!({"ok": true, "user": {"id": asked.user, "team_id": TEAM, "deleted": false}}))
        };
        let done = || async { Json::<Value>(json!({"ok": true, "ts": "1.1", "channel": "C"})) };
        let router = Router::new()
            .route("/api/users.info", get(users))
            .route("/api/conversations.info", get(|| async { Json(json!({"ok": true, "channel": {}})) }))
            .route("/api/auth.test", get(|| async { Json(json!({"ok": true, "team_id": TEAM, "user_id": "U0BOT"})) }))
            .route("/api/{method}", post(done))
            .route("/answer/{number}", post(answered))
            .with_state(Arc::clone(&waiting));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{address}/api"), waiting }
    }

    /// Gives a channel's last step another date, and waits until the answer says so; false if it was not
    /// acknowledged.
    pub async fn change(&self, bot: &Bot, channel: usize) -> bool {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Never the date that a channel has already.
        let day = i64::try_from(number % 300_000).unwrap_or_default();
        let text = format!("due+7+{}", date(2100, 1, 1) + day.days());
        let refused = self.ask(bot, channel, number, &text).await;
        if let Some(said) = &refused {
            // The storage was too slow for a person who waits: the machine does something else as well.
            assert!(said.contains("My storage is "), "{said}");
            eprintln!("a change was not acknowledged: the storage was too slow");
        }
        refused.is_none()
    }

    /// Looks at a channel's checklist, and waits until it is shown.
    pub async fn status(&self, bot: &Bot, channel: usize) {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let refused = self.ask(bot, channel, number, "status").await;
        assert_eq!(refused, None, "the checklist is shown");
    }

    /// Waits until it is answered, in the reply or after it; what was said instead, if the reply says something else.
    async fn ask(&self, bot: &Bot, channel: usize, number: u64, text: &str) -> Option<String> {
        let (shown, answer) = oneshot::channel();
        self.waiting.insert(number, shown);
        let reply = bot.say(&body(channel, number, text, &self.answers(number))).await;
        if reply.is_empty() {
            let done = tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time").expect("an answer");
            assert!(done, "the answer says that it is done");
            return None;
        }
        self.waiting.remove(&number);
        (!is_as_asked(&reply)).then(|| String::from_utf8_lossy(&reply).into_owned())
    }

    fn answers(&self, number: u64) -> String {
        self.url.replace("/api", &format!("/answer/{number}"))
    }
}

/// Whether an answer says that a date was set, or shows a checklist.
fn is_as_asked(answer: &[u8]) -> bool {
    let says = |wanted: &[u8]| answer.windows(wanted.len()).any(|part| part == wanted);
    says(b"Due on 2") || says(b"workspace setup")
}

async fn answered(
    State(waiting): State<Arc<DashMap<u64, oneshot::Sender<bool>>>>,
    Path(number): Path<u64>,
    answer: Bytes,
) -> &'static str {
    if let Some((_, shown)) = waiting.remove(&number) {
        let done = is_as_asked(&answer);
        if !done {
            eprintln!("{}", String::from_utf8_lossy(&answer));
        }
        let _ = shown.send(done);
    }
    "ok"
}

fn body(channel: usize, number: u64, text: &str, url: &str) -> String {
    let channel = channel_id(channel);
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    format!(
        "token=x&team_id={TEAM}&channel_id={channel}&user_id=U0PERF{:04}&command=%2Fsekoia&text={text}&response_url={url}&trigger_id=1.2.{number}",
        number % 10
    )
}

impl Bot {
    async fn say(&self, body: &str) -> Bytes {
        let (at, signature) = sign(body);
        match self {
            Self::Here(surface) => {
                let request = Request::post("/slack/commands")
                    .header("x-slack-request-timestamp", at)
                    .header("x-slack-signature", signature)
                    .body(Body::from(body.to_owned()))
                    .expect("a request");
                let answer = surface.answer(request).await;
                assert!(answer.status().is_success(), "{}", answer.status());
                axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body")
            }
            Self::There(http, address) => {
                let request = http
                    .post(format!("http://{address}/slack/commands"))
                    .header("x-slack-request-timestamp", at)
                    .header("x-slack-signature", signature)
                    .body(body.to_owned());
                let answer = request.send().await.expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await.expect("a body")
            }
        }
    }
}
