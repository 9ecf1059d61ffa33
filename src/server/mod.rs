//! Every route in one place, how connections come in, and the process's health.

mod connections;
#[cfg(feature = "demo")]
pub mod demo;
pub mod health;
pub mod metrics;
mod paths;
mod places;
mod surface;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

pub use connections::serve;
pub use places::Bounds;
pub use surface::Surface;

use crate::platform::identity::{self, Pages};
use crate::platform::intake::Intake;
use crate::platform::mattermost::{self, Mattermost};
use crate::platform::sekoia_webhook::{self, Hooks};
use crate::platform::slack;
use crate::telemetry::trace;
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

/// The same routes, whose spans continue the traces that callers say their requests belong to.
pub fn traced(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        let parent = trace::parent(request.headers());
        trace::under(parent, next.run(request)).await
    }))
}

pub fn slack(routes: Arc<slack::Routes>) -> Router {
    Router::new()
        .route("/slack/commands", post(slack::commands))
        .route("/slack/interactivity", post(slack::interactivity))
        .route("/slack/events", post(slack::events))
        .with_state(routes)
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

/// What people open to prove who they are.
pub fn identity(pages: Pages) -> Router {
    Router::new()
        .route("/confirm/{token}", get(identity::confirm).post(identity::leave))
        .route("/oidc/callback", get(identity::callback))
        .with_state(pages)
}

/// 503 with the reason while the process cannot do its work.
async fn readyz(State(ready): State<Ready>) -> Response {
    let status = if ready.health.reason().is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut body = ready.health.json();
    body["refused"] = ready.intake.refused.json();
    (status, Json(body)).into_response()
}
