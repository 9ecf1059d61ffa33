//! `/_sandbox`: faults and the log of calls, without a token and without showing any.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::Sandbox;
use super::error::ApiError;
use super::faults::Fault;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/_sandbox/faults", get(faults).post(add_fault).delete(clear_faults))
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

async fn calls(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    listed(&sandbox.calls())
}

fn listed<T: Serialize>(items: &[T]) -> Json<Value> {
    Json(json!({ "total": items.len(), "items": items }))
}
