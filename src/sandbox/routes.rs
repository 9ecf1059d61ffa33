//! Every route in one place, the log of calls, and the playing of faults.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::calls::Call;
use super::error::ApiError;
use super::faults::FaultKind;
use super::handlers::{access, activity, community, me};
use super::serve::Abort;
use super::{Sandbox, control};

/// The whole sandbox as one service.
///
/// Faults that close the connection need [`serve`](super::serve()): called without a connection,
/// they answer 500 and say so.
pub fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .merge(sekoia())
        // Regions differ in whether their API sits below `/api`.
        .nest("/api", sekoia())
        .fallback(async || ApiError::not_found("The path does not exist"))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(middleware::from_fn_with_state(sandbox.clone(), observe))
        // After the layer: what steers the sandbox is neither logged nor spoilt.
        .merge(control::routes())
        .with_state(sandbox)
}

fn sekoia() -> Router<Arc<Sandbox>> {
    let of_community = Router::new()
        .route("/", get(community::one))
        .route("/sub-communities", get(community::below))
        .route("/permissions/", get(community::permissions))
        .route("/licenses", get(community::licences))
        .route("/licenses/alerting", get(community::alerting))
        .route("/roles", get(access::roles))
        .route("/roles/{role}", get(access::role))
        .route("/avatars/", get(access::avatars))
        .route("/api-keys", get(access::keys))
        .route("/api-keys/{key}", get(access::key));
    Router::new()
        .route("/v1/auth/validate", get(me::validate))
        .route("/v1/me", get(me::profile))
        .route("/v1/me/permissions", get(me::permissions))
        .route("/v1/me/communities", get(me::communities))
        .route("/v1/communities", get(community::list))
        .nest("/v1/communities/{community}", of_community)
        .route("/v1/sic/conf/intakes", get(activity::intakes))
        .route("/v1/sic/alerts", get(activity::alerts))
        .route("/v1/symphony/playbooks", get(activity::playbooks))
}

async fn observe(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let number = sandbox.calls.begin(Call {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        status: 0,
    });
    let abort = request.extensions().get::<ConnectInfo<Abort>>().cloned();
    let done = |response: Response| {
        sandbox.calls.end(number, response.status().as_u16());
        response
    };
    match sandbox.faults.take(request.uri().path()) {
        None => done(next.run(request).await),
        Some(FaultKind::Latency { ms }) => {
            let response = done(next.run(request).await);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
        Some(FaultKind::Status { code, retry_after, body }) => done(instead(code, retry_after, body)),
        Some(FaultKind::Malformed) => done(cut(next.run(request).await).await),
        Some(FaultKind::Reset) => close(abort),
        Some(FaultKind::LoseReply) => {
            done(next.run(request).await);
            close(abort)
        }
    }
}

fn instead(code: u16, retry_after: Option<u64>, body: Option<String>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let body = body.unwrap_or_else(|| match code {
        429 | 502..=504 => format!("<html><body><h1>{code} {reason}</h1></body></html>"),
        _ => json!({ "code": format!("T{code}"), "message": reason }).to_string(),
    });
    let kind = match serde_json::from_str::<Value>(&body) {
        Ok(_) => "application/json",
        Err(_) => "text/html; charset=utf-8",
    };
    let mut response = (status, [(CONTENT_TYPE, kind)], body).into_response();
    if let Some(seconds) = retry_after {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

async fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // The bodies are our own and in memory: reading one cannot fail.
    let bytes: Bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}

fn close(connection: Option<ConnectInfo<Abort>>) -> Response {
    match connection {
        // The answer is never written: the connection ends at the first attempt.
        Some(ConnectInfo(abort)) => {
            abort.raise();
            StatusCode::NO_CONTENT.into_response()
        }
        None => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "this fault closes a connection, and there is none without sandbox::serve",
        )
            .into_response(),
    }
}
