//! Every route in one place, how connections come in, and the process's health.

mod connections;
#[cfg(feature = "demo")]
pub mod demo;
pub mod health;
mod paths;
mod places;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;

pub use connections::serve;
pub use places::Bounds;

use crate::platform::intake::Intake;
use crate::platform::mattermost::{self, Mattermost};
use crate::platform::sekoia_webhook::{self, Hooks};
use crate::platform::slack::{self, Slack};
use health::Health;

#[derive(Clone)]
struct Ready {
    health: Arc<Health>,
    intake: Arc<Intake>,
}

/// The whole surface of the process: the routes of its chat platforms, and its health.
pub fn router(platforms: Router, health: Arc<Health>, intake: Arc<Intake>) -> Router {
    let health = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readyz))
        .with_state(Ready { health, intake });
    platforms.merge(health)
}

pub fn slack(slack: Arc<Slack>) -> Router {
    Router::new()
        .route("/slack/commands", post(slack::commands))
        .route("/slack/interactivity", post(slack::interactivity))
        .route("/slack/events", post(slack::events))
        .with_state(slack)
}

pub fn mattermost(mattermost: Arc<Mattermost>) -> Router {
    Router::new()
        .route("/mattermost/command", post(mattermost::command))
        .route("/mattermost/action", post(mattermost::action))
        .route("/mattermost/dialog", post(mattermost::dialog))
        .with_state(mattermost)
}

/// What Sekoia calls.
pub fn hooks(hooks: Hooks) -> Router {
    Router::new().route("/hooks/sekoia/{token}", post(sekoia_webhook::sekoia)).with_state(hooks)
}

async fn readyz(State(ready): State<Ready>) -> Json<Value> {
    let mut body = ready.health.json();
    body["refused"] = ready.intake.refused.json();
    Json(body)
}
