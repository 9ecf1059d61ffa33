//! Every route in one place, what was refused, and the process's health.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::health::Health;
use crate::hooks::{self, Hooks};
use crate::platform::mattermost::{self, Mattermost};
use crate::platform::slack::{self, Slack};
use crate::platform::web::{self, Origins, Web};

/// No request that we understand is longer.
const BODY_LIMIT: usize = 1024 * 1024;
/// A window that stops in the middle of its body is let go.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests that were not let in, by what was wrong. Nothing of their content is kept.
#[derive(Debug, Default)]
pub struct Refused {
    unauthorized: AtomicU64,
    /// Tokens of webhooks that never were or are no more.
    unknown: AtomicU64,
    malformed: AtomicU64,
    too_large: AtomicU64,
}

impl Refused {
    /// Counts a refusal by its status, which is all that its sender is told.
    pub fn count(&self, status: StatusCode) -> StatusCode {
        let counter = match status {
            StatusCode::UNAUTHORIZED => &self.unauthorized,
            StatusCode::NOT_FOUND => &self.unknown,
            StatusCode::PAYLOAD_TOO_LARGE => &self.too_large,
            _ => &self.malformed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(status = status.as_u16(), "a request was refused");
        status
    }

    fn json(&self) -> Value {
        json!({
            "unauthorized": self.unauthorized.load(Ordering::Relaxed),
            "unknown": self.unknown.load(Ordering::Relaxed),
            "malformed": self.malformed.load(Ordering::Relaxed),
            "too_large": self.too_large.load(Ordering::Relaxed),
        })
    }
}

#[derive(Clone)]
struct Ready {
    health: Arc<Health>,
    refused: Arc<Refused>,
}

/// The whole surface of the process: the routes of its chat platforms, and its health.
pub fn router(platforms: Router, health: Arc<Health>, refused: Arc<Refused>) -> Router {
    let health = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readyz))
        .with_state(Ready { health, refused });
    platforms.merge(health)
}

pub fn slack(slack: Arc<Slack>) -> Router {
    Router::new()
        .route("/slack/commands", post(slack::commands))
        .route("/slack/interactivity", post(slack::interactivity))
        .route("/slack/events", post(slack::events))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(slack)
}

pub fn mattermost(mattermost: Arc<Mattermost>) -> Router {
    Router::new()
        .route("/mattermost/command", post(mattermost::command))
        .route("/mattermost/action", post(mattermost::action))
        .route("/mattermost/dialog", post(mattermost::dialog))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(mattermost)
}

/// What Sekoia calls.
pub fn hooks(hooks: Hooks) -> Router {
    Router::new()
        .route("/hooks/sekoia/{token}", post(hooks::sekoia))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(hooks)
}

/// The demo's page and what it calls. Nothing is answered that was not asked from the page.
pub fn web(web: Arc<Web>, origins: Arc<Origins>) -> Router {
    Router::new()
        .route("/", get(web::index))
        .route("/assets/{name}", get(web::asset))
        .route("/demo/events", get(web::events))
        .route("/demo/say", post(web::say))
        .route("/demo/press", post(web::press))
        .route("/demo/submit", post(web::submit))
        .route("/demo/messages/{id}/{vendor}", get(web::as_received))
        .route("/demo/side", get(web::side))
        .route("/demo/console", get(web::console))
        .route("/demo/faults", post(web::switch_fault))
        .route("/demo/happen", post(web::happen))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(web)
        .layer(middleware::from_fn_with_state(origins, web::guard))
}

async fn readyz(State(ready): State<Ready>) -> Json<Value> {
    let mut body = ready.health.json();
    body["refused"] = ready.refused.json();
    Json(body)
}
