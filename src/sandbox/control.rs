//! `/_sandbox`: faults, what happens, webhooks and the log of calls, without a token and without
//! showing any.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Sandbox;
use super::error::ApiError;
use super::faults::Fault;
use super::{Happening, WebhookDate};

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/_sandbox/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sandbox/events", post(happen))
        .route("/_sandbox/webhooks", get(webhooks).post(add_webhook).delete(clear_webhooks))
        .route("/_sandbox/calls", get(calls))
}

async fn faults(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    listed(&sandbox.faults().list())
}

async fn add_fault(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) => {
            sandbox.faults().add(fault.clone());
            (StatusCode::CREATED, Json(fault)).into_response()
        }
        Err(error) => ApiError::bad_request(format!("This is not a fault: {error}")).into_response(),
    }
}

async fn clear_faults(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.faults().clear();
    StatusCode::NO_CONTENT
}

async fn happen(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let happening = match serde_json::from_slice::<Happening>(&body) {
        Ok(happening) => happening,
        Err(error) => return ApiError::bad_request(format!("This does not happen: {error}")).into_response(),
    };
    match sandbox.happen(happening) {
        Ok(what) => Json(json!({ "what": what })).into_response(),
        Err(why) => ApiError::bad_request(why).into_response(),
    }
}

/// An address holds a secret: only what became of the notifications is shown.
async fn webhooks(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let mut listed = listed(&sandbox.deliveries());
    listed.0["addresses"] = sandbox.webhooks.count().into();
    listed
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    url: String,
    #[serde(default)]
    date: WebhookDate,
}

async fn add_webhook(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let added = serde_json::from_slice::<Address>(&body)
        .map_err(|error| format!("This is not a webhook: {error}"))
        .and_then(|address| sandbox.add_webhook(&address.url, address.date));
    match added {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(why) => ApiError::bad_request(why).into_response(),
    }
}

async fn clear_webhooks(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.clear_webhooks();
    StatusCode::NO_CONTENT
}

async fn calls(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    listed(&sandbox.calls())
}

fn listed<T: Serialize>(items: &[T]) -> Json<Value> {
    Json(json!({ "total": items.len(), "items": items }))
}
