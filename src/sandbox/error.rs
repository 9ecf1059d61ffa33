//! Sekoia's usual error body: `{"code": …, "message": …}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal with the documented status.
///
/// Only the codes T300, T301, T302 and T404 were ever seen in public. T400, T403 and T405 are
/// plausible inventions, and no caller may rely on them or on any message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "T400", message)
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "T300", "The token is invalid")
    }

    pub(super) fn expired_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "T301", "The token has expired")
    }

    pub(super) fn revoked_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "T302", "The token has been revoked")
    }

    pub(super) fn forbidden(permission: &str) -> Self {
        let message = format!("The permission {permission} is required");
        Self::new(StatusCode::FORBIDDEN, "T403", message)
    }

    /// Whatever the key holds: only a person may.
    pub(super) fn not_for_keys(permission: &str) -> Self {
        let message = format!("The permission {permission} is required: an API key may not do this");
        Self::new(StatusCode::FORBIDDEN, "T403", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "T404", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "T405", "The method is not allowed for this path")
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.message });
        (self.status, Json(body)).into_response()
    }
}
